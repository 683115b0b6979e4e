from datetime import date, timedelta

import numpy as np
import pytest
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, Invalid, NotFound
from lookwho.library.models import (
    Album,
    AlbumItem,
    Collection,
    Embedding,
    Like,
    Location,
    Media,
    Share,
    Team,
)
from lookwho.services import albums
from tests.gallery import draw, make_photo
from tests.people import a_user, some_media

pytestmark = pytest.mark.django_db
ACTS = {
    "make": lambda by, album, media: albums.make(by, title="Gala"),
    "change": lambda by, album, media: albums.change(by, album, hidden=False),
    "cover": lambda by, album, media: albums.change(by, album, cover=media),
    "add": lambda by, album, media: albums.add(by, album, [media]),
    "take_out": lambda by, album, media: albums.take_out(by, album, [media]),
    "remove": lambda by, album, media: albums.remove(by, album),
}


@pytest.fixture
def owner():
    return a_user("owner")


def an_album(*media, **more):
    album = Album.objects.create(**{"title": "Gala", "slug": "gala", **more})
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=each) for each in media)
    return album


def inside(album):
    return set(AlbumItem.objects.filter(album=album).values_list("media", flat=True))


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("role", ("member", "annotator"))
def test_only_owners_and_curators_look_after_albums(act, role):
    (media,) = some_media(1)
    album = an_album(media, hidden=True)

    with pytest.raises(Forbidden):
        ACTS[act](a_user(role), album, media)

    album.refresh_from_db()
    assert (album.hidden, album.cover, inside(album)) == (True, None, {media.pk})
    assert Album.objects.count() == 1


@pytest.mark.parametrize("act", sorted(set(ACTS) - {"make"}))
def test_an_album_that_somebody_else_removed_is_said_to_be_gone(act, owner):
    (media,) = some_media(1)
    album = an_album(media)
    Album.objects.all().delete()

    with pytest.raises(NotFound):
        ACTS[act](owner, album, media)


def test_albums_of_one_title_each_have_an_address_of_their_own(owner):
    made = [albums.make(owner, title="Gala"), albums.make(owner, title="Gala")]

    assert [each.slug for each in made] == ["gala", "gala-2"]
    assert albums.album_titled("Gala", by=owner) == made[0]  # an import joins the first
    assert Album.objects.count() == 2


def test_an_album_is_made_with_all_that_is_told_of_it(owner):
    board = Team.objects.create(title="Board")

    made = albums.make(
        owner,
        title=" Gala ",
        date=date(2025, 6, 1),
        slug="Gala-25",
        event="Lustrum",
        hidden=True,
        teams=[board],
    )

    made.refresh_from_db()
    told = (made.title, made.date, made.slug, made.event, made.hidden, made.created_by)
    assert told == ("Gala", date(2025, 6, 1), "gala-25", "Lustrum", True, owner)
    assert list(made.teams.all()) == [board]


def test_what_is_left_out_of_a_change_stays(owner):
    album = an_album(date=date(2025, 6, 1), hidden=True)
    album.teams.add(Team.objects.create(title="Board"))

    albums.change(owner, album, event="Lustrum")

    album.refresh_from_db()
    assert (album.event, album.hidden, album.date) == ("Lustrum", True, date(2025, 6, 1))
    assert album.teams.count() == 1
    albums.change(owner, album, date=None, teams=[])
    album.refresh_from_db()
    assert (album.date, album.teams.count(), album.event) == (None, 0, "Lustrum")


@pytest.mark.parametrize(
    "chosen",
    (
        {"title": " "},
        {"title": "a" * 201},
        {"title": "a\x00b"},
        {"event": "a" * 201},
        {"slug": ""},
        {"slug": "a/b"},
        {"slug": "-a"},
        {"slug": "ä"},
        {"slug": "a" * 221},
        {"date": date(1, 1, 1)},
    ),
    ids=lambda chosen: f"{next(iter(chosen))} {str(next(iter(chosen.values())))[:8]!r}",
)
def test_values_that_cannot_be_are_refused_and_change_nothing(owner, chosen):
    album = an_album()

    with pytest.raises(Invalid):
        albums.change(owner, album, **{"hidden": True, **chosen})

    album.refresh_from_db()
    assert (album.title, album.slug, album.hidden) == ("Gala", "gala", False)


def test_an_address_is_taken_once(owner):
    an_album()
    other = an_album(slug="other")

    with pytest.raises(Conflict, match="'gala'"):
        albums.change(owner, other, slug="gala", hidden=True)
    with pytest.raises(Conflict):
        albums.make(owner, title="New", slug="gala")

    other.refresh_from_db()
    assert (other.slug, other.hidden) == ("other", False)
    assert not Album.objects.filter(title="New").exists()


def test_photos_join_an_album_once_and_leave_it(owner):
    one, two, three = some_media(3)
    album = an_album(one)

    assert albums.add(owner, album, [one, two, three]) == 2
    assert inside(album) == {one.pk, two.pk, three.pk}
    assert albums.take_out(owner, album, [one, two]) == 2
    assert albums.take_out(owner, album, [one]) == 0
    assert inside(album) == {three.pk}
    assert Media.objects.count() == 3


def test_a_cover_is_a_photo_of_the_album_and_leaves_with_it(owner):
    one, other = some_media(2)
    album = an_album(one)

    with pytest.raises(NotFound):
        albums.change(owner, album, cover=other, hidden=True)
    albums.change(owner, album, cover=one)
    album.refresh_from_db()
    assert (album.cover, album.hidden) == (one, False)

    albums.add(owner, album, [other])
    albums.take_out(owner, album, [other])
    album.refresh_from_db()
    assert album.cover == one
    albums.take_out(owner, album, [one])
    album.refresh_from_db()
    assert album.cover is None


def test_a_removed_album_leaves_its_photos_with_all_that_is_said_of_them(owner):
    media = some_media(2)
    album = an_album(*media)
    Like.objects.create(user=owner, media=media[0])
    for number, lasts in enumerate((1, -1)):
        Share.objects.create(
            kind=Share.Kind.ALBUM,
            album=album,
            token_hash=bytes([number]) * 32,
            expires_at=timezone.now() + timedelta(days=lasts),
        )

    gone = albums.remove(owner, album)

    assert (gone.title, gone.photos, gone.links, gone.opened) == ("Gala", 2, 1, 0)
    assert Media.objects.count() == 2
    assert Like.objects.count() == 1
    assert not Album.objects.exists()
    assert not Share.objects.exists()


@pytest.mark.parametrize("closed", ({"hidden": True}, {"processing": True}, {"team": True}, {}))
def test_it_is_told_which_photos_only_the_album_keeps_from_members(closed):
    kept, elsewhere, shut, gone = media = some_media(4)
    for number, each in enumerate(media):
        policy = Collection.Policy.CLOSED if each == shut else Collection.Policy.OPEN
        folder = Collection.objects.create(title=policy, root=f"/{number}", policy=policy)
        missing = timezone.now() if each == gone else None
        Location.objects.create(collection=folder, media=each, path="1", missing_since=missing)
    album = an_album(*media, **{name: True for name in closed if name != "team"})
    if "team" in closed:
        album.teams.add(Team.objects.create(title="Board"))
    an_album(elsewhere, slug="other")

    assert albums.removal(album).opened == (1 if closed else 0)
    assert kept.present


def test_processing_is_set_and_cleared_by_jobs():
    album = an_album()

    albums.set_processing(album, True)
    album.refresh_from_db()
    assert album.processing
    albums.set_processing(album, False)
    album.refresh_from_db()
    assert not album.processing


# --- albums that keep only who agreed ---


def test_who_did_not_agree_is_dropped_once_the_album_keeps_only_who_did(owner):
    vectors = draw(np.random.default_rng(1), 3)
    inside, joining, outside = (make_photo(vector) for vector in vectors)
    album = an_album(inside)

    albums.change(owner, album, hidden=True)
    assert Embedding.objects.count() == 3
    albums.change(owner, album, consenting_only=True)
    assert kept() == {joining.pk, outside.pk}
    albums.add(owner, album, [joining])
    assert kept() == {outside.pk}


def kept():
    """The media whose faces have vectors."""
    return set(Embedding.objects.values_list("face__media", flat=True))
