import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookwho.core import footage
from lookwho.core.cast import join, united
from lookwho.core.errors import InputError
from lookwho.core.vectors import unit
from tests.tracks import FACE, segment, somebody, track, view

LEFT, MIDDLE, RIGHT = (0.1, 0.3, 0.25, 0.6), FACE, (0.7, 0.3, 0.85, 0.6)


def appearances(cast):
    return [person.appearances for person in cast.people]


def seen_at(number, start, end, box=MIDDLE, **about):
    """A track of a person who looks a little different each time."""
    return track(somebody(number, off=0.03, seed=int(start * 100)), start, end, box, **about)


def test_who_comes_back_is_one_person_and_strangers_are_others():
    cast = join(
        [
            segment(
                0,
                seen_at(0, 0.0, 2.0),
                seen_at(1, 2.0, 4.0),
                seen_at(0, 10.0, 13.0),
                seen_at(2, 20.0, 21.0),
                seen_at(1, 30.0, 30.75),
            )
        ]
    )

    assert appearances(cast) == [
        [(0.0, 2.0), (10.0, 13.0)],
        [(2.0, 4.0), (30.0, 30.75)],
        [(20.0, 21.0)],
    ]
    assert [len(person.tracks) for person in cast.people] == [2, 2, 1]


def test_somebody_who_comes_a_hundred_times_in_two_lights_is_one_person():
    looks = [somebody(1, off=0.03, seed=1), somebody(1, off=0.03, seed=2)]
    tracks = [
        track(unit(looks[k % 2] + 0.002 * somebody(k % 100 + 2)), 0.5 * k, 0.5 * k + 0.4)
        for k in range(120)
    ]

    (person,) = join([segment(0, *tracks)]).people

    assert 1 - looks[0] @ looks[1] > 0.05
    assert len(person.tracks) == 120


def test_two_who_are_seen_at_the_same_time_are_two_people_however_alike():
    twins = (seen_at(0, 0.0, 5.0, LEFT), seen_at(0, 1.0, 4.0, RIGHT))

    assert appearances(join([segment(0, *twins)])) == [[(0.0, 5.0)], [(1.0, 4.0)]]


def test_somebody_who_fades_into_themselves_is_one_person():
    cast = join([segment(0, seen_at(0, 0.0, 3.0, LEFT), seen_at(0, 2.6, 5.0, RIGHT))])

    assert appearances(cast) == [[(0.0, 5.0)]]


def test_a_face_that_was_followed_twice_in_one_place_is_one_person():
    almost = tuple(edge + 0.01 for edge in MIDDLE)
    cast = join([segment(0, seen_at(0, 0.0, 3.0), seen_at(0, 1.0, 5.0, almost))])

    assert appearances(cast) == [[(0.0, 5.0)]]


def test_short_absences_are_none():
    spans = [(5.0, 6.0), (0.0, 1.0), (2.0, 3.0), (2.5, 2.75), (7.01, 8.0)]

    assert united(spans) == [(0.0, 3.0), (5.0, 6.0), (7.01, 8.0)]
    assert united([]) == []


def test_a_track_that_crosses_a_border_is_one():
    before = track(0, 50.0, 62.0, LEFT, quality=0.5)
    after = track(0, 60.0, 70.0, LEFT, quality=0.9)
    (person,) = join([segment(0, before), segment(1, after)]).people
    (one,) = person.tracks

    assert (one.start, one.end) == (50.0, 70.0)
    times = one.path[:, 0]
    assert np.array_equal(times, np.unique(times))
    assert (times[0], times[-1]) == (50.0, 70.0)
    assert (one.time, one.quality) == (65.0, 0.9)


def test_two_tracks_cross_a_border_each_in_its_place():
    left, right = track(0, 50.0, 62.0, LEFT), track(1, 55.0, 62.0, RIGHT)
    further = track(1, 60.0, 64.0, RIGHT), track(0, 60.0, 66.0, LEFT)
    cast = join([segment(0, left, right), segment(1, *further)])

    assert [[(one.start, one.end) for one in person.tracks] for person in cast.people] == [
        [(50.0, 66.0)],
        [(55.0, 64.0)],
    ]


def test_what_both_segments_see_of_the_overlap_is_there_once():
    again = track(0, 60.5, 62.0)
    cast = join([segment(0, again), segment(1, track(0, 60.5, 65.0))])

    assert [(one.start, one.end) for one in cast.people[0].tracks] == [(60.5, 65.0)]
    assert len(cast.people) == 1


def test_of_what_begins_in_an_overlap_only_the_next_segment_is_asked():
    only = segment(0, track(0, 60.5, 62.0))

    assert join([only, segment(1)]).people == ()
    assert appearances(join([only])) == appearances(join([only, segment(2)])) == [[(60.5, 62.0)]]


def test_a_track_that_ends_soon_after_a_border_ends_there():
    cast = join([segment(0, track(0, 50.0, 60.5)), segment(1, track(0, 60.0, 60.5))])

    assert [(one.start, one.end) for one in cast.people[0].tracks] == [(50.0, 60.5)]


def test_a_track_crosses_many_borders():
    parts = [segment(part, track(0, 60.0 * part, 60.0 * part + 62.0)) for part in range(4)]
    (person,) = join(parts).people

    assert [(one.start, one.end) for one in person.tracks] == [(0.0, 242.0)]


def test_a_segment_that_failed_is_a_gap_and_the_same_people_are_on_both_sides():
    cast = join(
        [
            segment(0, seen_at(0, 50.0, 62.0), cuts=[10.0, 61.0]),
            segment(2, seen_at(0, 120.0, 125.0), seen_at(1, 130.0, 135.0), cuts=[120.5, 130.0]),
        ]
    )

    assert appearances(cast) == [[(50.0, 62.0), (120.0, 125.0)], [(130.0, 135.0)]]
    assert cast.cuts.tolist() == [10.0, 61.0, 120.5, 130.0]


def test_cuts_in_an_overlap_are_those_that_the_earlier_segment_saw():
    first = segment(0, cuts=[5.0, 60.0, 61.5])
    second = segment(1, cuts=[60.25, 61.5, 62.0, 100.0])

    assert join([first, second]).cuts.tolist() == [5.0, 60.0, 61.5, 62.0, 100.0]


def test_a_fleeting_or_doubtful_face_gives_no_person():
    cast = join(
        [
            segment(
                0,
                track(0, 0.0, 0.5, quality=0.3),  # short and poor
                track(1, 5.0, 9.0, quality=0.01),  # nobody could be told by it
                track(2, 10.0, 12.0, score=0.85),  # the detector is not sure
                track(3, 20.0, 20.0, quality=0.7),  # one picture, but a good one
                track(4, 30.0, 33.0, quality=0.2),  # poor, but for a while
            )
        ]
    )

    assert appearances(cast) == [[(30.0, 33.0)], [(20.0, 20.0)]]


def test_a_person_is_the_best_picture_of_all_and_the_mean_of_all():
    poor, good = seen_at(0, 0.0, 2.0, LEFT, quality=0.5), seen_at(0, 5.0, 6.0, RIGHT, quality=0.9)
    good = dataclasses.replace(good, views=(dataclasses.replace(good.views[0], crop=b"best"),))
    (person,) = join([segment(0, poor, good)]).people

    assert (person.time, person.quality, person.crop) == (5.5, 0.9, b"best")
    assert person.box.tolist() == np.float32(RIGHT).tolist()
    assert person.embedding @ somebody(0) > max(
        one.views[0].embedding @ somebody(0) for one in (poor, good)
    )
    assert [round(float(one.embedding @ person.embedding), 2) for one in person.tracks] == [
        0.98,
        0.99,
    ]


def test_nobody_is_in_a_video_without_faces():
    cast = join([segment(0, cuts=[3.0], problem="the end is missing")])

    assert cast.people == ()
    assert (cast.width, cast.height, cast.pack) == (640, 360, "default")
    assert cast.problem == "the end is missing"


def test_each_problem_is_told_once():
    parts = [segment(0, problem="b"), segment(1, problem="a"), segment(2, problem="b")]

    assert join(parts).problem == "b; a"


@pytest.mark.parametrize(
    ("parts", "message"),
    (
        ([], "nothing to join"),
        ([segment(1), segment(1)], "twice"),
        ([segment(0), segment(1, pack="dlib")], "different packs"),
    ),
)
def test_what_does_not_belong_together_is_not_joined(parts, message):
    with pytest.raises(InputError, match=message):
        join(parts)


@st.composite
def videos(draw):
    parts = []
    for part in range(draw(st.integers(1, 4))):
        tracks = []
        for _ in range(draw(st.integers(0, 6))):
            start = 60.0 * part + draw(st.integers(0, 247)) * 0.25
            end = min(start + draw(st.integers(0, 60)) * 0.25, 60.0 * part + 62)
            number, box = draw(st.integers(0, 3)), draw(st.sampled_from((LEFT, MIDDLE, RIGHT)))
            quality = draw(st.sampled_from((0.1, 0.5, 0.8)))
            tracks.append(seen_at(number, start, end, box, quality=quality))
        tracks.sort(key=lambda track: (track.start, *track.path[0].tolist()))
        parts.append(segment(part, *tracks, cuts=[60.0 * part + 30]))
    return parts


@given(videos(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_the_results_does_not_matter(parts, random):
    mixed = list(parts)
    random.shuffle(mixed)

    assert footage.dump_cast(join(mixed)) == footage.dump_cast(join(parts))


@given(videos())
@settings(max_examples=60)
def test_tracks_of_a_person_are_in_order_and_nobody_is_at_two_places_for_long(parts):
    for person in join(parts).people:
        starts = [one.start for one in person.tracks]
        assert starts == sorted(starts)
        for number, one in enumerate(person.tracks):
            assert (np.diff(one.path[:, 0]) >= 0).all()
            for two in person.tracks[number + 1 :]:
                together = min(one.end, two.end) - max(one.start, two.start)
                assert together <= 0.5 or np.array_equal(one.path[0, 1:], two.path[0, 1:])


def test_a_view_that_is_not_the_tracks_own_does_not_draw_it_to_another_person():
    odd = seen_at(0, 0.0, 4.0)
    odd = dataclasses.replace(
        odd, views=(*odd.views, view(somebody(0, off=0.02, seed=9), 1.0), view(5, 2.0))
    )
    cast = join([segment(0, odd, seen_at(0, 10.0, 12.0), seen_at(5, 20.0, 22.0))])

    assert appearances(cast) == [[(0.0, 4.0), (10.0, 12.0)], [(20.0, 22.0)]]
