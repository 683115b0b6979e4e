from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import override_settings
from django.utils import timezone

from lookwho.core.errors import Forbidden, Invalid, LinkExpired, NotFound, TooMany
from lookwho.library.models import Collection, Guest, Person, Share
from lookwho.library.queries import sharing as queries
from lookwho.library.scope import Purpose, scope_of_share
from lookwho.services import accounts, sharing
from tests.gallery import make_album, make_collection, make_member, make_photo

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def nothing_tried():
    cache.clear()


@pytest.fixture
def owner():
    return make_member("olga", "owner")


@pytest.fixture
def collection():
    return make_collection(policy=Collection.Policy.CLOSED)


@pytest.fixture
def album(collection):
    return make_album(make_photo(collection=collection), make_photo(collection=collection))


def shown(share, purpose=Purpose.BROWSE):
    return set(scope_of_share(share, purpose).media())


# --- making ---


def test_a_link_to_an_album_shows_its_photos_and_no_others(owner, album, collection):
    other = make_photo(collection=collection)

    share, token = sharing.share(owner, album=album)

    assert sharing.find_link(token) == share
    assert shown(share) == set(album.media.all())
    assert other not in shown(share, Purpose.FIND_SELF)


def test_each_link_is_its_own_though_it_opens_the_same(owner, album):
    """A's tokens followed from the album: one for all time, and none could be taken back."""
    first, token = sharing.share(owner, album=album)
    _, other = sharing.share(owner, album=album)

    sharing.revoke(owner, first.uuid)

    assert token != other
    assert sharing.find_link(other).album == album
    with pytest.raises(LinkExpired):
        sharing.find_link(token)


def test_the_token_can_be_shown_again_though_only_its_hash_is_stored(owner, album):
    share, token = sharing.share(owner, album=album)
    share = Share.objects.get()

    assert sharing.token_of(share) == token
    stored = [str(value) for value in vars(share).values()]
    assert not any(token in value for value in stored)


def test_a_token_of_another_key_is_not_told_wrongly(owner, album):
    share, token = sharing.share(owner, album=album)

    with override_settings(SECRET_KEY="another key, as long as it has to be"):
        with pytest.raises(LinkExpired, match="another secret key"):
            sharing.token_of(share)
        assert sharing.find_link(token) == share  # what was printed works on


@pytest.mark.parametrize("role", ("annotator", "member"))
def test_only_owners_and_curators_make_change_and_revoke_links(role, owner, album):
    by = make_member("mia", role)
    share, _ = sharing.share(owner, album=album)

    with pytest.raises(Forbidden):
        sharing.share(by, album=album)
    with pytest.raises(Forbidden):
        sharing.change(by, share.uuid, password="x")
    with pytest.raises(Forbidden):
        sharing.revoke(by, share.uuid)
    assert list(queries.links(by)) == []
    with pytest.raises(NotFound):
        queries.link(by, share.uuid)


def test_a_link_opens_one_thing(owner, album, collection):
    with pytest.raises(Invalid):
        sharing.share(owner)
    with pytest.raises(Invalid):
        sharing.share(owner, album=album, collection=collection)


@pytest.mark.parametrize("days", (0, -1, 731))
def test_a_link_ends(days, owner, album):
    """A's never did."""
    with pytest.raises(Invalid):
        sharing.share(owner, album=album, lasts=timedelta(days=days))


@pytest.mark.parametrize("side", (-1, 320, 4000))
def test_photos_are_downloaded_in_a_few_sizes(side, owner, album):
    with pytest.raises(Invalid):
        sharing.share(owner, album=album, download_side=side)


def test_a_link_to_a_person_shows_their_photos_also_of_whom_was_merged(owner, collection):
    anna = Person.objects.create(name="Anna")
    merged = Person.objects.create(name="Anne", merged_into=anna, root=anna)
    photos = [make_photo(collection=collection) for _ in range(3)]
    for photo, person in zip(photos, (anna, merged, None), strict=True):
        photo.faces.create(x1=0, y1=0, x2=1, y2=1, person=person)

    share, _ = sharing.share(owner, person=merged)

    assert share.person == anna
    assert shown(share) == set(photos[:2])


@pytest.mark.parametrize("kind", ("person", "collection"))
def test_what_is_in_hidden_albums_is_in_no_link(kind, owner, collection):
    """A's shared downloads served hidden albums."""
    anna = Person.objects.create(name="Anna")
    photos = [make_photo(collection=collection) for _ in range(5)]
    for photo in photos:
        photo.faces.create(x1=0, y1=0, x2=1, y2=1, person=anna)
    alone, visible, hidden, teams, both = photos
    make_album(visible, both)
    make_album(hidden, both, hidden=True)
    make_album(teams).teams.create(title="Board")
    opened = anna if kind == "person" else collection

    share, _ = sharing.share(owner, **{kind: opened})

    assert shown(share) == {alone, visible, both}
    assert shown(share, Purpose.FIND_SELF) == {alone, visible, both}
    assert hidden not in shown(share)


def test_a_link_to_a_collection_shows_nothing_of_another(owner, collection):
    mine, other = make_photo(collection=collection), make_photo(collection=make_collection())
    make_album(other)

    share, _ = sharing.share(owner, collection=collection)

    assert shown(share) == {mine}


def test_an_invitation_is_no_link_to_photos(owner):
    token = accounts.invite(owner)
    invitation = Share.objects.get()

    with pytest.raises(LinkExpired):
        sharing.find_link(token)
    with pytest.raises(NotFound):
        sharing.revoke(owner, invitation.uuid)
    assert list(queries.links(owner)) == []


# --- following ---


def test_a_link_shows_nothing_from_the_moment_it_is_revoked(owner, album):
    share, token = sharing.share(owner, album=album)
    assert shown(share)

    sharing.revoke(owner, share.uuid)
    share.refresh_from_db()

    assert not shown(share)
    assert not shown(share, Purpose.FIND_SELF)
    with pytest.raises(LinkExpired):
        sharing.open_link(token)


def test_a_link_shows_nothing_once_its_time_is_over(owner, album):
    share, token = sharing.share(owner, album=album, lasts=DAY)

    assert sharing.open_link(token, now=share.expires_at - timedelta(seconds=1)) == share
    with pytest.raises(LinkExpired):
        sharing.open_link(token, now=share.expires_at)


@pytest.mark.parametrize("change", ({"hidden": True}, {"processing": True}))
def test_a_link_to_an_album_that_is_hidden_or_not_ready_opens_nothing(change, owner, album):
    """A served hidden albums for download."""
    share, token = sharing.share(owner, album=album)
    type(album).objects.update(**change)

    assert not shown(share)
    with pytest.raises(LinkExpired):
        sharing.find_link(token)


def test_all_links_that_open_nothing_are_answered_alike(owner, album):
    revoked, token = sharing.share(owner, album=album)
    _, old = sharing.share(owner, album=album, lasts=DAY)
    sharing.revoke(owner, revoked.uuid)
    later = timezone.now() + 2 * DAY

    said = set()
    for told in (token, old, token[:-1], "", "x" * 10_000, "\udceb"):
        with pytest.raises(LinkExpired) as caught:
            sharing.find_link(told, now=later)
        said.add((caught.value.message, caught.value.code))

    assert len(said) == 1


def test_a_link_where_each_sees_their_own_shows_nothing_to_look_at(owner, album):
    share, _ = sharing.share(owner, album=album, only_mine=True)

    assert not shown(share)
    assert shown(share, Purpose.FIND_SELF) == set(album.media.all())
    assert queries.opened(share).photos is None


def test_what_a_link_opens_is_told_with_its_photos(owner, album):
    share, _ = sharing.share(owner, album=album)

    told = queries.opened(share)

    assert (told.title, told.date, told.photos) == (album.title, album.date, 2)


def test_that_a_link_was_used_is_written_down(owner, album):
    share, token = sharing.share(owner, album=album)
    now = timezone.now()

    sharing.open_link(token, now=now)
    sharing.open_link(token, now=now + timedelta(seconds=5))  # not each time

    share.refresh_from_db()
    assert share.used_at == now


# --- passwords ---


def test_a_password_is_needed_where_there_is_one(owner, album):
    share, token = sharing.share(owner, album=album, password="moon")

    with pytest.raises(Forbidden):
        sharing.open_link(token)
    with pytest.raises(Forbidden):
        sharing.open_link(token, "sun")
    assert sharing.open_link(token, "moon") == share
    assert "moon" not in Share.objects.get().password


def test_tries_of_a_password_are_few_and_others_are_not_shut_out(owner, album):
    _, token = sharing.share(owner, album=album, password="moon")

    for number in range(sharing.TRIES):
        with pytest.raises(Forbidden):
            sharing.open_link(token, str(number), address="192.0.2.1")

    with pytest.raises(TooMany):
        sharing.open_link(token, "moon", address="192.0.2.1")
    sharing.open_link(token, "moon", address="192.0.2.2")


def test_who_guesses_from_many_places_is_stopped_too(owner, album):
    _, token = sharing.share(owner, album=album, password="moon")

    for number in range(sharing.ALL_TRIES):
        with pytest.raises(Forbidden):
            sharing.open_link(token, "sun", address=f"192.0.2.{number}")

    with pytest.raises(TooMany):
        sharing.open_link(token, "sun", address="198.51.100.1")


def test_with_another_password_what_proved_the_old_one_proves_nothing(owner, album):
    share, _ = sharing.share(owner, album=album, password="moon")
    before = sharing.seal(share)

    changed = sharing.change(owner, share.uuid, password="sun")
    opened = sharing.change(owner, share.uuid, password="")

    assert len({before, sharing.seal(changed), sharing.seal(opened)}) == 3
    assert opened.password == ""


# --- changing ---


def test_a_link_is_changed_as_far_as_others_rely_on_it(owner, album):
    share, token = sharing.share(owner, album=album, only_mine=True, password="moon")
    until = timezone.now() + 90 * DAY

    sharing.change(owner, share.uuid, until=until, download_side=1600)

    share = sharing.open_link(token, "moon")
    assert (share.expires_at, share.download_side, share.only_mine) == (until, 1600, True)


def test_what_is_left_out_of_a_change_stays(owner, album):
    share, _ = sharing.share(owner, album=album, download_side=0, password="moon")

    changed = sharing.change(owner, share.uuid)
    none = sharing.change(owner, share.uuid, download_side=None)

    assert (changed.download_side, changed.password) == (0, share.password)
    assert changed.expires_at == share.expires_at
    assert none.download_side is None


def test_a_link_that_is_revoked_is_not_changed_back_into_one(owner, album):
    share, _ = sharing.share(owner, album=album)
    sharing.revoke(owner, share.uuid)

    with pytest.raises(LinkExpired):
        sharing.change(owner, share.uuid, until=timezone.now() + DAY)


def test_a_shorter_link_keeps_its_guests_no_longer(owner, album):
    share, _ = sharing.share(owner, album=album)
    sharing.begin_guest(share, email="anna@example.org")

    changed = sharing.change(owner, share.uuid, until=timezone.now() + DAY)

    assert Guest.objects.get().keep_until == changed.expires_at


def test_revoking_a_link_removes_what_its_guests_left(owner, album):
    share, _ = sharing.share(owner, album=album)
    other, _ = sharing.share(owner, album=album)
    sharing.begin_guest(share, email="anna@example.org")
    kept, _ = sharing.begin_guest(other)

    sharing.revoke(owner, share.uuid)

    assert list(Guest.objects.all()) == [kept]


# --- listing ---


def test_links_are_listed_by_what_they_open_and_whether_they_work(owner, album):
    other = make_album()
    first, _ = sharing.share(owner, album=album)
    second, _ = sharing.share(owner, album=other)
    ended, _ = sharing.share(owner, album=album)
    sharing.revoke(owner, ended.uuid)
    sharing.begin_guest(first)

    assert set(queries.links(owner)) == {first, second}
    assert [(each, each.visitors) for each in queries.links(owner, album=album)] == [(first, 1)]
    assert list(queries.links(owner, active=False)) == [ended]
    assert queries.link(owner, ended.uuid) == ended
