from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import (
    Album,
    AlbumItem,
    Analysis,
    Collection,
    Face,
    Location,
    Media,
    Pack,
    Person,
)
from lookwho.library.queries import photos as queries
from lookwho.library.queries.photos import Together, Wanted
from lookwho.library.scope import Purpose, Scope
from tests.people import a_pack, some_faces, some_media

pytestmark = pytest.mark.django_db

EVERYTHING = Scope(purpose=Purpose.BROWSE, everything=True, names=True)
NAMELESS = Scope(purpose=Purpose.BROWSE, everything=True)
NOTHING = Scope(purpose=Purpose.BROWSE)


def taken(media, *times):
    """Let photos be taken at these times."""
    for one, time in zip(media, times, strict=True):
        one.taken_at, one.day = time, time.date()
    Media.objects.bulk_update(media, ["taken_at", "day"])
    return media


def at(day, hour=12, minute=0):
    return datetime(2025, 8, day, hour, minute, tzinfo=UTC)


def named(name, **more):
    return Person.objects.create(name=name, **more)


def seen_in(media, person=None, guess=None, **more):
    return some_faces(len(media), media=media, person=person, guess=guess, **more)


def uuids(media):
    return [one.uuid for one in media]


def found(scope=EVERYTHING, wanted=queries.EVERYTHING, **more):
    return [tile.uuid for tile in queries.tiles(scope, wanted, **more)]


def asked(*people, **more):
    return Wanted(people=frozenset(person.pk for person in people), **more)


# --- days and tiles ---


def test_days_come_the_newest_first_with_their_counts():
    taken(some_media(4), at(3), at(5), at(3, 23, 59), at(4, 0))

    assert queries.days(EVERYTHING) == [
        (date(2025, 8, 5), 1),
        (date(2025, 8, 4), 1),
        (date(2025, 8, 3), 2),
    ]


def test_photos_that_lie_nowhere_are_not_shown():
    here, gone = taken(some_media(2), at(3), at(3))
    Media.objects.filter(pk=gone.pk).update(present=False)

    assert queries.days(EVERYTHING) == [(date(2025, 8, 3), 1)]
    assert found() == [here.uuid]


def test_tiles_come_the_newest_first_and_of_two_at_once_the_later_arrival():
    early, twin, late, other_day = taken(some_media(4), at(3, 8), at(3, 9), at(3, 9), at(4, 1))

    assert found() == uuids([other_day, late, twin, early])


def test_a_stretch_of_tiles_is_a_part_of_all():
    some_media(9)
    everything = found()

    assert [found(skip=skip, take=3) for skip in (0, 3, 6, 9)] == [
        everything[:3],
        everything[3:6],
        everything[6:],
        [],
    ]


def test_no_more_tiles_are_told_than_a_page_can_ask_for(monkeypatch):
    monkeypatch.setattr(queries, "MOST", 2)
    some_media(3)

    assert len(queries.tiles(EVERYTHING, take=99)) == 2


def test_the_timeline_is_read_from_its_index_alone():
    rows = queries.photos(EVERYTHING).values_list("day").order_by("-day")
    rows = rows.annotate(count=queries.Count("pk"))

    if connection.vendor == "sqlite":
        assert "USING COVERING INDEX media_timeline (present=?)" in rows.explain()
        assert "TEMP B-TREE" not in rows.explain()
    else:
        with connection.cursor() as cursor:  # a table of no rows is not worth an index
            cursor.execute("set local enable_seqscan = off; set local enable_bitmapscan = off")
        assert "Index Only Scan using media_timeline" in rows.explain()


def test_as_many_queries_are_made_for_three_photos_as_for_one():
    counts = []
    for more in (1, 2):
        seen_in(some_media(more), named(f"Anna {more}"))
        with CaptureQueriesContext(connection) as captured:
            assert queries.days(EVERYTHING)
            assert queries.tiles(EVERYTHING)
        counts.append(len(captured))

    assert counts == [3, 3]


# --- what a tile says ---


def test_a_tile_names_who_is_in_it_once_each_in_alphabetical_order():
    (photo,) = some_media(1)
    anna, ben = named("Anna"), named("Ben")
    seen_in([photo] * 3, ben)
    seen_in([photo], guess=anna)

    (tile,) = queries.tiles(EVERYTHING)

    assert tile.names == ("Anna", "Ben")
    assert tile.words.startswith("Anna and Ben, 1 June 2024, ")


def test_who_was_merged_is_called_as_who_they_are():
    (photo,) = some_media(1)
    anna = named("Anna")
    seen_in([photo], named("Annie", merged_into=anna, root=anna))

    assert queries.tiles(EVERYTHING)[0].names == ("Anna",)


def test_those_who_are_hidden_and_faces_that_are_none_are_not_named():
    (photo,) = some_media(1)
    seen_in([photo], named("Hidden", hidden=True))
    seen_in([photo], named("Nobody"), dismissed=True)

    (tile,) = queries.tiles(EVERYTHING)

    assert tile.names == ()
    assert tile.words.startswith("Photo, 1 June 2024, ")


def test_nobody_is_named_to_those_who_may_not_be_told():
    seen_in(some_media(1), named("Anna"))

    assert [tile.names for tile in queries.tiles(NAMELESS)] == [()]


# --- who is in the photo ---


@pytest.fixture
def scenes():
    """Photos of Anna alone, Anna and Ben, Ben alone, Anna and a stranger, and of nobody."""
    anna, ben = named("Anna"), named("Ben")
    alone, both, other, stranger, _ = media = some_media(5)
    seen_in([alone, both], anna)
    seen_in([stranger], guess=anna)
    seen_in([both, other], ben)
    seen_in([stranger])
    Analysis.objects.bulk_create(
        Analysis(media=one, pack=a_pack(), state=Analysis.State.DONE) for one in media
    )
    names = ("alone", "both", "other", "stranger", "nobody")
    return anna, ben, dict(zip(names, media, strict=True))


@pytest.mark.parametrize(
    ("people", "more", "expected"),
    (
        ("a", {}, {"alone", "both", "stranger"}),
        ("ab", {}, {"both"}),
        ("ab", {"together": Together.ANY}, {"alone", "both", "other", "stranger"}),
        ("a", {"together": Together.ONLY}, {"alone"}),
        ("ab", {"together": Together.ONLY}, {"both"}),
        ("", {"faceless": True}, {"nobody"}),
    ),
)
def test_people_are_asked_for(scenes, people, more, expected):
    anna, ben, media = scenes
    wanted = asked(*({"a": anna, "b": ben}[each] for each in people), **more)

    assert {name for name, one in media.items() if one.uuid in found(wanted=wanted)} == expected


def test_people_are_left_out(scenes):
    anna, ben, media = scenes

    without = Wanted(people=frozenset([anna.pk]), without=frozenset([ben.pk]))

    assert set(found(wanted=without)) == {media["alone"].uuid, media["stranger"].uuid}


def test_only_anna_is_also_anna_under_the_name_she_was_merged_from():
    (photo,) = some_media(1)
    anna = named("Anna")
    seen_in([photo], named("Annie", merged_into=anna, root=anna))

    assert found(wanted=asked(anna, together=Together.ONLY)) == [photo.uuid]


def test_a_face_that_is_none_counts_for_nothing(scenes):
    anna, _, media = scenes
    Face.objects.filter(media=media["stranger"], guess=None).update(dismissed=True)

    assert set(found(wanted=asked(anna, together=Together.ONLY))) == {
        media["alone"].uuid,
        media["stranger"].uuid,
    }


def test_a_photo_nobody_has_looked_at_is_not_one_without_faces(scenes):
    Analysis.objects.update(state=Analysis.State.WAITING)

    assert found(wanted=Wanted(faceless=True)) == []


def test_who_may_not_be_told_names_can_ask_for_nobody(scenes):
    anna, ben, _ = scenes

    assert found(NAMELESS, asked(anna)) == []
    assert found(NAMELESS, Wanted(without=frozenset([ben.pk]))) == []


# --- beside a photo ---


def test_going_on_from_photo_to_photo_visits_all_in_their_order():
    media = taken(some_media(6), at(3), at(3), at(3, 13), at(2), at(4), at(4))
    order = found()

    by_uuid = {one.uuid: one for one in media}
    walks = [queries.neighbours(EVERYTHING, by_uuid[uuid]) for uuid in order]

    assert [after for _, after in walks] == [*order[1:], None]
    assert [before for before, _ in walks] == [None, *order[:-1]]


def test_the_ones_beside_are_of_those_that_were_asked_for():
    one, _, three = taken(some_media(3), at(5), at(4), at(3))
    anna = named("Anna")
    seen_in([one, three], anna)

    assert queries.neighbours(EVERYTHING, one, asked(anna)) == (None, three.uuid)


def test_the_place_in_a_day_counts_those_before():
    media = taken(some_media(4), at(3, 8), at(3, 9), at(3, 9), at(4))

    places = [queries.place_in_day(EVERYTHING, one) for one in media]

    assert places == [2, 1, 0, 0]


def test_a_place_in_a_day_is_where_the_tile_is():
    taken(some_media(5), at(3, 8), at(3, 9), at(3, 9), at(4), at(4, 1))
    tiles = queries.tiles(EVERYTHING)
    days = dict(queries.days(EVERYTHING))

    for first, second in pairwise(tiles):
        if first.day == second.day:
            places = [
                queries.place_in_day(EVERYTHING, Media.objects.get(uuid=tile.uuid))
                for tile in (first, second)
            ]
            assert places[1] == places[0] + 1 < days[first.day]


# --- what there is to know ---


def test_members_may_ask_for_what_is_open_to_them_and_for_nobody():
    named("Anna")
    shown, hidden = (Album.objects.create(title=title, slug=title) for title in ("open", "shut"))
    folder = Collection.objects.create(title="Pictures", root="/pictures")
    scope = Scope(purpose=Purpose.BROWSE, open_albums=frozenset([shown.pk]))

    choices = queries.choices(scope)

    assert [list(each) for each in (choices.people, choices.albums, choices.collections)] == [
        [],
        [shown],
        [],
    ]
    assert list(queries.choices(EVERYTHING).collections) == [folder]
    assert set(queries.choices(EVERYTHING).albums) == {shown, hidden}


def test_people_to_ask_for_have_a_name_and_are_not_hidden_or_merged():
    anna = named("Anna")
    named("")
    named("Hidden", hidden=True)
    named("Annie", merged_into=anna, root=anna)

    assert list(queries.choices(EVERYTHING).people) == [anna]


def test_albums_and_places_are_told_to_those_who_may_know_them():
    (photo,) = some_media(1)
    shown, hidden = (Album.objects.create(title=title, slug=title) for title in ("open", "shut"))
    folder = Collection.objects.create(title="Pictures", root="/pictures")
    AlbumItem.objects.bulk_create(AlbumItem(album=each, media=photo) for each in (shown, hidden))
    Location.objects.create(collection=folder, media=photo, path="b/1.jpg")
    Location.objects.create(
        collection=folder, media=photo, path="a/1.jpg", missing_since=datetime.now(UTC)
    )
    scope = Scope(purpose=Purpose.BROWSE, open_albums=frozenset([shown.pk]))

    assert queries.albums_of(scope, photo) == [shown]
    assert queries.albums_of(EVERYTHING, photo) == [shown, hidden]
    assert queries.places_of(scope, photo) == []
    assert [place.path for place in queries.places_of(EVERYTHING, photo)] == ["b/1.jpg"]


def test_faces_are_shown_from_left_to_right_with_who_they_are():
    (photo,) = some_media(1)
    anna, ben, group = named("Anna"), named("Ben"), named("")
    boxes = [(0.1 * place, 0.2, 0.1 * place + 0.05, 0.3) for place in range(4)]
    (last,) = seen_in([photo], guess=group, probability=0.9, box=boxes[3])
    (first,) = seen_in([photo], anna, box=boxes[0])
    (second,) = seen_in([photo], guess=ben, probability=0.999, box=boxes[1])
    seen_in([photo], dismissed=True, box=boxes[2])

    shown = queries.faces_in(EVERYTHING, photo)

    assert [(each.face, each.person, each.guess, each.percent) for each in shown] == [
        (first, anna, None, None),
        (second, None, ben, 99),
        (last, None, None, None),
    ]
    assert queries.faces_in(NAMELESS, photo) == []


def test_what_the_models_in_use_say_counts_before_what_earlier_ones_said():
    (photo,) = some_media(1)
    used, tried = a_pack(), Pack.objects.create(name="tried", dim=128, active=False)
    for pack, state in ((used, "done"), (tried, "failed")):
        Analysis.objects.create(media=photo, pack=pack, state=state)

    analysis = queries.analysis_of(photo)

    assert analysis is not None
    assert analysis.pack == used


def test_photos_that_wait_to_be_looked_at_are_counted_where_one_may_look():
    media = some_media(3)
    for one, state in zip(media, ("waiting", "waiting", "done"), strict=True):
        Analysis.objects.create(media=one, pack=a_pack(), state=state)

    assert queries.unseen(EVERYTHING) == 2
    assert queries.unseen(NOTHING) == 0


def test_a_video_says_how_long_it_is():
    (video,) = some_media(1)
    Media.objects.update(kind=Media.Kind.VIDEO, duration=timedelta(minutes=2, seconds=3.4).seconds)

    (tile,) = queries.tiles_of(EVERYTHING, Media.objects.filter(pk=video.pk))

    assert (tile.length, tile.words[:6]) == ("2:03", "Video,")
