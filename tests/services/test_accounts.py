"""Users, and the links and tokens that let them in."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, Invalid, LinkExpired
from lookwho.library.models import ApiToken, Collection, EntryLink, Share, User
from lookwho.services import accounts, intake, uploads

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
    tokens = [accounts.entry_link(user), accounts.invite(user), accounts.make_api_token(user, "x")]

    kept = [EntryLink.objects.get(), Share.objects.get(), ApiToken.objects.get()]

    for token, row in zip(tokens, kept, strict=True):
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


def test_a_program_signs_in_as_its_user_until_its_token_is_revoked():
    user = accounts.make_user("Anna")
    token = accounts.make_api_token(user, "backup")

    assert accounts.user_of_token(token) == user
    assert accounts.user_of_token(token + "x") is None
    ApiToken.objects.update(revoked_at=timezone.now())
    assert accounts.user_of_token(token) is None


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
