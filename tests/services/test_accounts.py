"""Users, and the links and tokens that let them in."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, Invalid, LinkExpired, NotFound
from lookwho.library.models import ApiToken, Collection, EntryLink, Share, User
from lookwho.services import accounts, intake, tokens, uploads

pytestmark = pytest.mark.django_db


def test_the_first_owner_is_made_once():
    first = accounts.the_owner()

    assert accounts.the_owner() == first
    assert (first.role, User.objects.count()) == ("owner", 1)
    assert not first.has_usable_password()


def test_a_user_signs_in_with_the_password_they_were_given():
    user = accounts.make_user("Anna", "curator", password="correct horse battery")

    assert user.check_password("correct horse battery")
    assert user.sees_everything


def test_a_weak_password_is_refused_with_the_reason():
    with pytest.raises(Invalid, match="too short"):
        accounts.make_user("Anna", password="short")

    assert not User.objects.exists()


@pytest.mark.parametrize("name", ("", "   ", "x" * 151, "a\x00b", "a‮b"))
def test_a_name_that_cannot_be_shown_is_refused(name):
    with pytest.raises(Invalid):
        accounts.make_user(name)


def test_a_role_that_does_not_exist_is_refused():
    with pytest.raises(Invalid, match="owner, curator, annotator, member"):
        accounts.make_user("Anna", "king")


def test_two_users_never_have_one_name():
    accounts.make_user("Anna")

    with pytest.raises(Conflict, match="Anna"):
        accounts.make_user("  Anna ")


def test_an_entry_link_signs_in_once():
    user = accounts.make_user("Anna")
    token = accounts.entry_link(user)

    assert accounts.enter(token) == user
    with pytest.raises(LinkExpired, match="used before"):
        accounts.enter(token)


def test_an_entry_link_expires():
    token = accounts.entry_link(accounts.make_user("Anna"))

    with pytest.raises(LinkExpired):
        accounts.enter(token, now=timezone.now() + accounts.ENTRY_LASTS + timedelta(seconds=1))


@pytest.mark.parametrize("token", ("", "x", "é", "\ud800"))
def test_a_link_that_never_was_lets_nobody_in(token):
    accounts.entry_link(accounts.make_user("Anna"))

    with pytest.raises(LinkExpired):
        accounts.enter(token)


def test_a_link_does_not_let_in_somebody_who_was_shut_out():
    user = accounts.make_user("Anna")
    token = accounts.entry_link(user)
    User.objects.update(is_active=False)

    with pytest.raises(LinkExpired):
        accounts.enter(token)


def test_the_database_holds_no_token_that_could_be_stolen():
    user = accounts.make_user("Anna", "owner")
    made = [accounts.entry_link(user), accounts.invite(user), tokens.make_token(user, "x")]

    kept = [EntryLink.objects.get(), Share.objects.get(), ApiToken.objects.get()]

    for token, row in zip(made, kept, strict=True):
        assert len(bytes(row.token_hash)) == 32
        assert token.encode() not in bytes(row.token_hash)


def test_links_that_are_of_no_use_any_more_are_removed():
    user = accounts.make_user("Anna")
    accounts.enter(accounts.entry_link(user))
    accounts.entry_link(user)

    assert EntryLink.objects.filter(used_at=None).count() == EntryLink.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_that_follow_a_link_at_once_one_is_let_in():
    token = accounts.entry_link(accounts.make_user("Anna"))

    def follow(_):
        try:
            return accounts.enter(token).username
        except LinkExpired:
            return None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        entered = list(threads.map(follow, range(4)))

    assert sorted(entered, key=str) == ["Anna", None, None, None]


def test_who_was_invited_becomes_a_member_and_nothing_more():
    token = accounts.invite(accounts.the_owner())

    bert = accounts.join(token, "Bert")
    carla = accounts.join(token, "Carla")

    assert [bert.role, carla.role] == ["member", "member"]
    assert not bert.sees_everything


def test_members_may_look_for_themselves_where_the_owner_invited_them():
    closed = Collection.objects.create(title="a", root="/a")
    open_ = Collection.objects.create(title="b", root="/b", policy=Collection.Policy.OPEN)

    accounts.invite(accounts.the_owner())

    closed.refresh_from_db()
    open_.refresh_from_db()
    assert (closed.policy, open_.policy) == ("own", "open")


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_an_owner_invites(role):
    with pytest.raises(Forbidden):
        accounts.invite(accounts.make_user("Anna", role))


def test_an_invitation_ends():
    token = accounts.invite(accounts.the_owner())

    with pytest.raises(LinkExpired):
        accounts.join(token, "Bert", now=timezone.now() + timedelta(hours=73))
    Share.objects.update(revoked_at=timezone.now())
    with pytest.raises(LinkExpired):
        accounts.join(token, "Bert")


def test_an_entry_link_is_no_invitation_and_the_other_way_round():
    owner = accounts.the_owner()
    entry, invitation = accounts.entry_link(owner), accounts.invite(owner)

    with pytest.raises(LinkExpired):
        accounts.join(entry, "Bert")
    with pytest.raises(LinkExpired):
        accounts.enter(invitation)


def test_a_command_names_the_users_there_are():
    accounts.make_user("Anna")

    with pytest.raises(Invalid, match="Anna"):
        accounts.find_user("Bert")


def test_members_may_look_for_themselves_in_what_is_added_after_they_were_invited(tmp_path):
    for name, invited in (("before", False), ("after", True)):
        (tmp_path / name).mkdir()
        if invited:
            accounts.invite(accounts.the_owner())
        added, _ = intake.add_folder(tmp_path / name, by=None)

        assert added.policy == ("own" if invited else "closed")
    assert uploads.uploads_collection().policy == "own"


# --- invitations with a name and a role ---


@pytest.mark.parametrize("role", ("member", "annotator", "curator"))
def test_who_is_invited_by_name_is_called_so_and_may_do_what_was_meant(role):
    token = accounts.invite(accounts.the_owner(), name=" Ben ", role=role)

    ben = accounts.join(token)

    assert (ben.username, ben.role) == ("Ben", role)


def test_another_name_can_be_chosen_and_a_name_that_is_taken_uses_nothing_up():
    accounts.make_user("Ben")
    token = accounts.invite(accounts.the_owner(), name="Ben", role="annotator")

    with pytest.raises(Conflict, match="Ben"):
        accounts.join(token)
    ben = accounts.join(token, "Ben B.")

    assert (ben.username, ben.role) == ("Ben B.", "annotator")


@pytest.mark.parametrize("more", ({"name": "Ben"}, {"role": "annotator"}, {"role": "curator"}))
def test_an_invitation_for_one_lets_one_in(more):
    token = accounts.invite(accounts.the_owner(), **more)
    accounts.join(token, "Ben")

    with pytest.raises(LinkExpired):
        accounts.join(token, "Eve")

    assert not User.objects.filter(username="Eve").exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_that_follow_an_invitation_for_one_at_once_one_is_let_in():
    token = accounts.invite(accounts.the_owner(), role="curator")

    def follow(number):
        try:
            return accounts.join(token, f"user {number}").role
        except LinkExpired:
            return ""
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        joined = sorted(threads.map(follow, range(4)))

    assert joined == ["", "", "", "curator"]
    assert User.objects.filter(role="curator").count() == 1


def test_inviting_an_annotator_opens_no_collection_to_members():
    closed = Collection.objects.create(title="a", root="/a")

    accounts.invite(accounts.the_owner(), role="annotator")

    closed.refresh_from_db()
    assert (closed.policy, accounts.policy_for_new_collections()) == ("closed", "closed")


@pytest.mark.parametrize(
    "wrong",
    (
        {"role": "owner"},
        {"role": "king"},
        {"name": "a\x00b"},
        {"lasts": timedelta(0)},
        {"lasts": timedelta(days=91)},
    ),
)
def test_an_invitation_that_cannot_be_is_not_made(wrong):
    with pytest.raises(Invalid):
        accounts.invite(accounts.the_owner(), **wrong)

    assert not Share.objects.exists()


def test_an_invitation_is_withdrawn_by_owners_alone():
    owner = accounts.the_owner()
    token = accounts.invite(owner)
    share = Share.objects.get()
    with pytest.raises(Forbidden):
        accounts.revoke_invitation(accounts.make_user("Anna", "curator"), share.uuid)
    accounts.invitation(token)

    accounts.revoke_invitation(owner, share.uuid)

    with pytest.raises(LinkExpired):
        accounts.join(token, "Ben")
    with pytest.raises(NotFound):
        accounts.revoke_invitation(owner, owner.uuid)


# --- roles ---


def test_an_owner_changes_roles_and_shuts_users_out():
    owner, anna = accounts.the_owner(), accounts.make_user("Anna")
    link = accounts.entry_link(anna)

    assert accounts.set_role(owner, anna, "curator").role == "curator"
    accounts.set_active(owner, anna, False)

    with pytest.raises(LinkExpired):
        accounts.enter(link)
    assert accounts.set_active(owner, anna, True).is_active


def test_there_is_always_an_owner():
    owner = accounts.the_owner()

    for act in (
        lambda: accounts.set_role(owner, owner, "curator"),
        lambda: accounts.set_active(owner, owner, False),
    ):
        with pytest.raises(Conflict, match="last owner"):
            act()
    other = accounts.make_user("Anna", "owner")
    accounts.set_active(owner, other, False)
    with pytest.raises(Conflict, match="last owner"):
        accounts.set_role(owner, owner, "member")
    accounts.set_active(owner, other, True)
    assert accounts.set_role(owner, owner, "member").role == "member"


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_shut_each_other_out_at_once_leave_one():
    one, other = accounts.make_user("A", "owner"), accounts.make_user("B", "owner")

    def shut(pair):
        try:
            accounts.set_active(*pair, False)
        except (Conflict, Forbidden):
            pass
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(shut, ((one, other), (other, one))))

    assert User.objects.filter(role="owner", is_active=True).count() == 1


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_owners_change_what_others_may_do(role):
    accounts.the_owner()
    anna, ben = accounts.make_user("Anna", role), accounts.make_user("Ben")

    for act in (
        lambda: accounts.set_role(anna, anna, "owner"),
        lambda: accounts.set_active(anna, ben, False),
    ):
        with pytest.raises(Forbidden):
            act()
    with pytest.raises(Invalid, match="no role"):
        accounts.set_role(accounts.the_owner(), ben, "king")


# --- addresses ---


@pytest.mark.parametrize(
    "email", ("anna", "anna@", "a b@example.org", "a@example.org\nBcc: b@c.de")
)
def test_what_is_no_address_is_refused(email):
    with pytest.raises(Invalid, match="no e-mail address"):
        accounts.make_user("Anna", email=email)
    with pytest.raises(Invalid, match="no e-mail address"):
        accounts.invite(accounts.the_owner(), email=email)

    assert not Share.objects.exists()


def test_an_invitation_to_an_address_is_for_one_also_where_no_mail_is_sent():
    token = accounts.invite(accounts.the_owner(), email="Ben@example.org")

    assert accounts.join(token, "Ben").email == "ben@example.org"
    with pytest.raises(LinkExpired):
        accounts.join(token, "Eve")
