"""Who is in which video, and when; all of rows."""

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import (
    AlbumItem,
    Collection,
    Face,
    Location,
    Media,
    Person,
    Track,
    Video,
)
from lookwho.library.queries import appearances as queries
from lookwho.library.scope import Purpose, Scope, scope_of
from tests.films import a_video, seen, somebody
from tests.people import a_user

pytestmark = pytest.mark.django_db

EVERYTHING = Scope(purpose=Purpose.NAME, everything=True, names=True)


def spans(found):
    return [(each.start, each.end) for each in found]


def cut_at(media, *times):
    Video.objects.filter(media=media).update(cuts=np.array(times, "<f4").tobytes())


def test_people_come_with_when_they_are_seen_the_longest_first():
    media = a_video()
    ann, _ = somebody("Ann", media, (1, 4), (4.5, 6), (20, 22))
    ben, _ = somebody("Ben", media, (0, 30))

    first, second = queries.people_of(EVERYTHING, media)

    assert (first.who, second.who) == (ben, ann)
    # A gap of half a second is none.
    assert spans(second.appearances) == [(1, 6), (20, 22)]
    assert second.seconds == 7
    assert [(track.start, track.end) for track in second.tracks] == [(1, 4), (4.5, 6), (20, 22)]


def test_two_faces_of_one_person_are_told_as_one_by_the_better():
    media = a_video()
    group = Person.objects.create()
    worse = seen(media, (1, 2), guess=group, probability=0.5)
    better = seen(media, (5, 9), guess=group, probability=0.8)
    Face.objects.filter(pk=better.pk).update(quality=0.95)
    alone = seen(media, (3, 4))

    one, other = queries.people_of(EVERYTHING, media)

    assert [face.pk for face in one.faces] == [better.pk, worse.pk]
    assert (one.group, one.name, one.percent) == (group, "", None)
    assert spans(one.appearances) == [(1, 2), (5, 9)]
    assert (other.face.pk, other.who) == (alone.pk, None)
    named = Person.objects.create(name="Ann")
    Person.objects.filter(pk=group.pk).update(root=named, merged_into=named)
    (merged, _) = queries.people_of(EVERYTHING, media)
    assert (merged.guess, merged.percent, merged.confirmed) == (named, 80, False)


def test_what_is_no_face_and_who_does_not_show_is_nobody_of_a_video():
    media = a_video()
    seen(media, (1, 2), dismissed=True)
    Face.objects.create(media=media, x1=0, y1=0, x2=0, y2=0, source=Face.Source.ABSENT)

    assert queries.people_of(EVERYTHING, media) == []


def test_members_are_told_of_whoever_agreed_and_of_themselves_alone():
    media = a_video()
    ann, _ = somebody("Ann", media, (1, 4))
    somebody("Ben", media, (2, 9))
    guessed = seen(media, (5, 6), guess=ann, probability=0.9)
    own = seen(media, (7, 8), guess=Person.objects.create(name="Cid"), probability=0.7)
    scope = Scope(purpose=Purpose.BROWSE, everything=True)

    assert queries.people_of(scope, media) == []
    (agreed,) = queries.people_of(scope, media, named=frozenset({ann.pk}))
    assert (agreed.name, spans(agreed.appearances)) == ("Ann", [(1, 4)])
    (mine,) = queries.people_of(scope, media, own=own.pk)
    # Whom Lookwho takes somebody for, members are not told, of themselves neither.
    assert (mine.face, mine.who, mine.name, mine.probability) == (own, None, "", None)
    assert len(queries.people_of(scope, media, named=frozenset({ann.pk}), own=guessed.pk)) == 2


def test_paths_are_told_of_each_track():
    media = a_video()
    somebody("Ann", media, (1, 4), (20, 22))
    rows = queries.people_of(EVERYTHING, media)
    first, second = (track.id for track in rows[0].tracks)
    Track.objects.filter(pk=second).update(path=b"")  # of somebody who did not agree

    paths = queries.paths_of(rows)

    assert paths[first].tolist() == [[1, 0.25, 0.25, 0.5, 0.75], [4, 0.25, 0.25, 0.5, 0.75]]
    assert paths[second].shape == (0, 5)


def test_videos_of_somebody_are_told_with_the_best_face_the_newest_first():
    old, new = a_video(), a_video()
    ann, early = somebody("Ann", old, (1, 4))
    _, late = somebody("Ann", new, (2, 3), (8, 9))
    merged = Person.objects.create(name="Anna", root=ann, merged_into=ann)
    seen(old, (30, 31), guess=merged, probability=0.6)
    guessed = a_video()
    seen(guessed, (1, 2), guess=merged, probability=0.6)

    found = queries.videos_of(EVERYTHING, ann)

    assert [each.media.pk for each in found] == [guessed.pk, new.pk, old.pk]
    assert [each.probability for each in found] == [0.6, None, None]
    assert [each.face for each in found[1:]] == [late.uuid, early.uuid]
    assert [spans(each.appearances) for each in found[1:]] == [[(2, 3), (8, 9)], [(1, 4), (30, 31)]]
    assert queries.videos_of(EVERYTHING, ann, skip=1, take=1) == found[1:2]
    assert queries.videos_of_people(EVERYTHING, [ann]) == {ann.pk: found}
    assert list(queries.people_in_videos(EVERYTHING)) == [ann]


def test_nobody_hidden_and_nothing_that_is_gone_is_listed():
    media = a_video()
    ann, _ = somebody("Ann", media, (1, 4))
    ben, _ = somebody("Ben", media, (1, 4))
    Person.objects.filter(pk=ben.pk).update(hidden=True)

    assert list(queries.people_in_videos(EVERYTHING)) == [ann]
    Media.objects.update(present=False)
    assert list(queries.people_in_videos(EVERYTHING)) == []
    assert queries.videos_of(EVERYTHING, ann) == []
    assert queries.videos_of_people(EVERYTHING, [ann]) == {}


def test_without_names_nobody_can_be_asked_for():
    media = a_video()
    ann, _ = somebody("Ann", media, (1, 4))
    ben, _ = somebody("Ben", media, (1, 4))
    scope = Scope(purpose=Purpose.BROWSE, everything=True)

    assert queries.together(EVERYTHING, [ann, ben])
    assert queries.videos_of(scope, ann) == []
    assert queries.videos_of_people(scope, [ann]) == {}
    assert queries.together(scope, [ann, ben]) == []
    assert list(queries.people_in_videos(scope)) == []


# --- together ---


def test_together_are_people_of_one_shot():
    media = a_video(seconds=40.0)
    cut_at(media, 10, 20, 30)
    ann, _ = somebody("Ann", media, (1, 4), (9, 12), (31, 33))
    ben, _ = somebody("Ben", media, (3, 6), (15, 18), (21, 29), (34, 36))

    found = queries.together(EVERYTHING, [ann, ben])

    assert [(each.shot, each.start, each.end) for each in found] == [
        ((0, 10), 1, 10),
        ((10, 20), 10, 18),
        ((30, 40), 31, 36),
    ]
    assert [spans(each.overlaps) for each in found] == [[(3, 4)], [], []]


def test_a_gap_that_is_none_reaches_into_no_other_shot():
    media = a_video(seconds=20.0)
    cut_at(media, 10.0, 10.6)
    ann, _ = somebody("Ann", media, (5, 10), (10.6, 15))
    ben, _ = somebody("Ben", media, (10, 10.6))

    assert queries.together(EVERYTHING, [ann, ben]) == []


def test_three_are_together_only_where_all_three_are():
    one, other = a_video(), a_video()
    people = [somebody(name, one, (1, 4))[0] for name in ("Ann", "Ben", "Cid")]
    for name in ("Ann", "Ben"):
        somebody(name, other, (1, 4))

    assert {each.media.pk for each in queries.together(EVERYTHING, people)} == {one.pk}
    assert [each.media.pk for each in queries.together(EVERYTHING, people[:2])] == [
        other.pk,
        one.pk,
    ]
    assert len(queries.together(EVERYTHING, people[:2], skip=1, take=5)) == 1


def test_a_shot_with_two_faces_of_one_person_is_not_one_of_two():
    media = a_video(seconds=20.0)
    cut_at(media, 10)
    ann, _ = somebody("Ann", media, (1, 4))
    somebody("Ann", media, (5, 9))
    ben, no_face = somebody("Ben", media, (1, 4))
    somebody("Ben", media, (11, 12))
    Face.objects.filter(pk=no_face.pk).update(dismissed=True)

    assert list(queries.with_all(EVERYTHING, [ann, ben])) == [media]
    assert queries.together(EVERYTHING, [ann, ben]) == []


def test_shots_are_all_of_a_video_where_no_cut_is_known():
    media = a_video(seconds=40.0)

    assert queries.shots_of(Video.objects.get(media=media), 40.0) == [(0, 40)]
    assert queries.shots_of(None, 40.0) == [(0, 40)]
    cut_at(media, 12.5)
    assert queries.shots_of(Video.objects.get(media=media), 40.0) == [(0, 12.5), (12.5, 40)]


# --- what it costs ---


def test_as_many_queries_are_made_for_one_as_for_three():
    people = []
    for name in ("Ann", "Ben", "Cid"):
        for _ in range(2):
            person, _ = somebody(name, a_video(), (1, 4))
        people.append(person)
    media = a_video()
    for name in ("Ann", "Ben", "Cid"):
        somebody(name, media, (1, 4))

    def cost(ask):
        with CaptureQueriesContext(connection) as made:
            assert ask()
        return len(made)

    assert cost(lambda: queries.videos_of_people(EVERYTHING, people)) == cost(
        lambda: queries.videos_of_people(EVERYTHING, people[:1])
    )
    few, many = a_video(), a_video()
    for name in ("Ann", "Ben", "Cid"):
        somebody(name, many, (1, 4))
    somebody("Ann", few, (1, 4))
    for ask in (
        lambda video: queries.people_of(EVERYTHING, video),
        lambda video: queries.moments_in([video], people[: 1 if video == few else 3]),
        lambda video: queries.paths_of(queries.people_of(EVERYTHING, video)),
    ):
        assert cost(lambda ask=ask: ask(few)) == cost(lambda ask=ask: ask(many))


def test_a_scope_that_is_narrow_shows_only_its_videos():
    inside, outside = a_video(), a_video()
    ann, _ = somebody("Ann", inside, (1, 4))
    somebody("Ann", outside, (1, 4))
    ben, _ = somebody("Ben", outside, (1, 4))
    folder = Collection.objects.create(title="Films", root="/films")
    Location.objects.create(collection=folder, media=inside, path="a.mp4")
    scope = EVERYTHING.within(collections=frozenset({folder.pk}))

    assert [each.media.pk for each in queries.videos_of(scope, ann)] == [inside.pk]
    assert list(queries.videos_of_people(scope, [ann, ben])) == [ann.pk]
    assert list(queries.people_in_videos(scope)) == [ann]
    assert queries.together(scope, [ann, ben]) == []
    assert AlbumItem.objects.count() == 0
    assert scope_of(a_user("annotator"), Purpose.NAME).names
