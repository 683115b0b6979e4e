from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lookwho.core.errors import NotFound
from lookwho.library.models import (
    Album,
    AlbumItem,
    Collection,
    Location,
    Media,
    Membership,
    Setting,
    Team,
)
from lookwho.library.queries import albums
from lookwho.library.queries import photos as photo_queries
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import register
from tests.people import a_user, some_faces, some_media

pytestmark = pytest.mark.django_db
JUNE = date(2025, 6, 1)


def an_album(title="Gala", *media, **more):
    number = Album.objects.count()
    made = {"title": title, "slug": f"album-{number}", "date": JUNE, **more}
    album = Album.objects.create(**made)
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=each) for each in media)
    return album


def browsing(role="member", **more):
    return scope_of(a_user(role, **more), Purpose.BROWSE)


def found(scope, **asked):
    return [each.title for each in albums.chosen(albums.entries(scope), **asked)]


# --- who sees which ---


@pytest.fixture
def shelf():
    """An album for each way in which one can be open or not."""
    board = Team.objects.create(title="Board")
    for title, more in (
        ("visible", {}),
        ("hidden", {"hidden": True}),
        ("processing", {"processing": True}),
        ("undated", {"date": None}),
        ("old", {"date": date(2020, 6, 1)}),
        ("board", {}),
    ):
        made = an_album(title, *some_media(1), **more)
        if title == "board":
            made.teams.add(board)
    return board


def test_members_see_visible_albums_and_those_of_their_teams(shelf):
    in_board = a_user("member")
    shelf.users.add(in_board)

    assert set(found(browsing())) == {"visible", "undated", "old"}
    assert set(found(scope_of(in_board, Purpose.BROWSE))) == {"visible", "undated", "old", "board"}
    assert len(found(browsing("curator"))) == 6


def test_former_members_see_albums_of_their_time(shelf):
    former = a_user("member")
    Membership.objects.create(user=former, since=date(2025, 1, 1), until=date(2025, 12, 31))

    scope = scope_of(former, Purpose.BROWSE, today=date(2026, 3, 1))

    assert found(scope) == ["visible"]


def test_nobody_sees_none(shelf):
    assert found(browsing(is_active=False)) == []


def test_what_is_not_to_be_seen_is_in_no_tab_no_search_and_has_no_page(shelf):
    scope = browsing()

    assert [(tab.value, tab.count) for tab in albums.tabs(albums.entries(scope))] == [
        ("2024", 1),
        ("2019", 1),
        ("undated", 1),
    ]
    assert found(scope, words="hidden") == []
    hidden = Album.objects.get(title="hidden")
    with pytest.raises(NotFound):
        albums.album(scope, hidden.slug)
    assert albums.shown(scope, [hidden]) == []
    assert albums.covers(scope, [hidden.pk]) == {}
    assert albums.in_album(scope, hidden, hidden.media.values_list("pk", flat=True)) == set()
    assert "hidden" not in albums.titles(scope)


@pytest.mark.parametrize("slug", ("none", "", "\0", "a" * 500))
def test_an_address_that_no_album_has_is_not_found(slug):
    with pytest.raises(NotFound):
        albums.album(browsing("owner"), slug)


# --- order, years and words ---


def test_the_newest_come_first_and_the_undated_last():
    an_album("undated", date=None)
    an_album("older", date=date(2024, 1, 1))
    an_album("newer")
    an_album("made later", date=JUNE)

    assert found(browsing()) == ["made later", "newer", "older", "undated"]


@pytest.mark.parametrize(
    ("begins", "year"),
    ((9, "2024–2025"), (1, "2025–2026"), (6, "2025–2026"), (7, "2024–2025"), (13, "2024–2025")),
)
def test_an_academic_year_begins_with_the_month_that_was_chosen(begins, year):
    Setting.objects.create(name=albums.BEGINS, value=begins)
    an_album()

    (shown,) = albums.shown(browsing(), albums.entries(browsing()))

    assert shown.span == year


def test_each_of_the_latest_years_has_a_tab_and_the_rest_are_older():
    for year in range(2015, 2026):
        an_album(str(year), date=date(year, 10, 1))
    an_album("again", date=date(2026, 8, 31))
    an_album("undated", date=None)
    every = albums.entries(browsing())

    tabs = albums.tabs(every)

    assert [(tab.value, tab.called, tab.count) for tab in tabs] == [
        ("2025", "2025–2026", 2),
        ("2024", "2024–2025", 1),
        ("2023", "2023–2024", 1),
        ("2022", "2022–2023", 1),
        ("2021", "2021–2022", 1),
        ("older", "", 6),
        ("undated", "", 1),
    ]
    for tab in tabs:
        assert len(albums.chosen(every, tab=tab.value)) == tab.count
    assert {each.title for each in albums.chosen(every, tab="2025")} == {"2025", "again"}
    assert albums.chosen(every, tab="nonsense") == []
    assert [each.title for each in albums.chosen(every, tab="older", words="2016")] == ["2016"]


@pytest.mark.parametrize(
    ("words", "fits"),
    (
        ("gala", True),
        ("GÁLA köln", True),  # case and accents do not matter
        ("gala 2025", True),
        ("2025-06", True),
        ("june", True),
        ("1 june lustrum", True),
        ("gala 2024", False),  # all of the words
        ("gala party", False),
        ("%", False),
        ("_", False),
        ("  ", True),
    ),
)
def test_each_word_is_sought_in_title_event_and_date(words, fits):
    an_album("Gala in Köln", event="Lustrum")

    assert bool(found(browsing(), words=words)) == fits


# --- what a list shows of each ---


def test_photos_are_counted_as_far_as_they_are_seen_and_new_ones_told():
    kept, gone, hidden, late = some_media(4)
    album = an_album("Gala", kept, gone, hidden, late)
    other = an_album("Other", kept)
    Media.objects.filter(pk=gone.pk).update(present=False)
    Media.objects.filter(pk=hidden.pk).update(hidden=True)
    folder = Collection.objects.create(title="x", root="/x")
    Location.objects.create(collection=folder, media=hidden, path="1")
    register.keep_present([hidden.pk])
    visit = timezone.now()
    AlbumItem.objects.filter(media=late).update(added_at=visit + timedelta(hours=1))
    AlbumItem.objects.exclude(media=late).update(added_at=visit - timedelta(hours=1))

    for scope in (browsing(), browsing("owner")):
        shown = albums.shown(scope, [album, other], since=visit)
        assert [(each.photos, each.new) for each in shown] == [(2, 1), (1, 0)]
        assert [each.new for each in albums.shown(scope, [album])] == [0]
        inside = albums.inside(scope, album).media()
        assert inside.count() == shown[0].photos


def test_counts_and_covers_stay_within_a_narrower_scope():
    one, two = some_media(2)
    Media.objects.filter(pk=one.pk).update(day=date(2024, 5, 1))
    album = an_album("Gala", one, two)
    scope = browsing().within(until=date(2024, 5, 2))

    (shown,) = albums.shown(scope, [album])

    assert (shown.photos, shown.cover) == (1, one.uuid)


def test_a_list_makes_as_many_queries_for_one_album_as_for_thirty():
    member = a_user("member")

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as made:
            scope = scope_of(member, Purpose.BROWSE)
            every = albums.entries(scope)
            albums.tabs(every)
            assert len(albums.shown(scope, every, since=timezone.now())) == Album.objects.count()
        return len(made)

    an_album("first", *some_media(2))
    for_one = queries()
    for number in range(29):
        media = some_media(3)
        chosen = media[0] if number % 2 else None
        an_album(f"more {number}", *media, cover=chosen)
    for_thirty = queries()

    assert for_one <= for_thirty <= for_one + 1  # covers by hand, and by Lookwho
    assert queries() == for_thirty


# --- covers ---


def cover(album, scope=None):
    return albums.covers(scope or browsing(), [album.pk]).get(album.pk)


def test_the_cover_is_the_photo_whose_faces_are_the_most_and_the_clearest():
    plain, blurred, group, video = some_media(4)
    some_faces(3, media=[blurred] * 3, quality=0.1)
    some_faces(2, media=[group] * 2, quality=0.8)
    some_faces(4, media=[video] * 4, quality=0.9)
    some_faces(9, media=[plain] * 9, quality=0.9, dismissed=True)
    Media.objects.filter(pk=video.pk).update(kind=Media.Kind.VIDEO)

    assert cover(an_album("Gala", plain, blurred, group, video)) == group.uuid
    assert cover(an_album("Nobody", video, plain)) == plain.uuid
    assert cover(an_album("Video", video)) == video.uuid
    assert cover(an_album("Empty")) is None


def test_without_faces_the_cover_is_the_first_that_was_taken():
    media = some_media(3)
    first = datetime(2024, 5, 1, tzinfo=UTC)
    Media.objects.filter(pk=media[1].pk).update(taken_at=first)

    assert cover(an_album("Gala", *media)) == media[1].uuid


def test_the_chosen_cover_is_shown_while_it_may_be_seen_and_is_in_the_album():
    best, chosen = some_media(2)
    some_faces(2, media=[best] * 2)
    album = an_album("Gala", best, chosen, cover=chosen)
    assert cover(album) == chosen.uuid

    Media.objects.filter(pk=chosen.pk).update(present=False)  # hidden on request, say
    assert cover(album) == best.uuid
    assert cover(album, browsing("owner")) == best.uuid

    Media.objects.filter(pk=chosen.pk).update(present=True)
    AlbumItem.objects.filter(media=chosen).delete()
    assert cover(album) == best.uuid


def test_no_cover_is_a_photo_that_was_hidden():
    (media,) = some_media(1)
    some_faces(2, media=[media] * 2)
    album = an_album("Gala", media)
    Media.objects.filter(pk=media.pk).update(present=False)

    assert cover(album) is None


def test_albums_of_one_page_have_each_their_own_cover():
    media = some_media(6)
    made = [an_album(f"{n}", media[2 * n], media[2 * n + 1]) for n in range(3)]
    some_faces(3, media=media[1::2])

    found = albums.covers(browsing(), [each.pk for each in made])

    assert [found[each.pk] for each in made] == [each.uuid for each in media[1::2]]


def test_the_days_of_an_album_are_those_that_its_timeline_shows():
    inside, outside = some_media(2)
    album = an_album("Gala", inside)
    an_album("Other", outside)

    days = photo_queries.days(albums.inside(browsing(), album))

    assert days == [(inside.day, 1)]
