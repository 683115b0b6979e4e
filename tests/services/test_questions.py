from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.library.models import Answer
from lookwho.services.questions import Doubt, GroupStanding, Kind, order

ANNA, BEN = 7, 8


def a_face(face=1, person=None, probability=0.0, quality=0.8, shown=None):
    shown = person is not None if shown is None else shown
    return Doubt(face, person, probability, quality, shown)


groups = st.builds(
    GroupStanding,
    person=st.integers(1, 50),
    named=st.booleans(),
    faces=st.integers(0, 40),
    doubt=st.floats(0, 1),
    face=st.none() | st.integers(1, 99),
    candidate=st.none() | st.integers(1, 50),
)
doubts = st.builds(
    Doubt,
    face=st.integers(1, 99),
    person=st.none() | st.integers(1, 50),
    probability=st.floats(0, 1),
    quality=st.floats(0, 1),
    shown=st.booleans(),
)


def test_whole_groups_come_first_then_the_uncertain_and_mixed_groups_last():
    questions = order(
        [
            GroupStanding(1, named=False, faces=5),
            GroupStanding(2, named=False, faces=20),
            GroupStanding(ANNA, named=True, faces=9, doubt=0.5),
        ],
        [a_face(3, ANNA, 0.3, shown=False), a_face(4, ANNA, 0.52), a_face(5, ANNA, 0.95)],
    )

    asked = [(one.kind, one.person, one.face) for one in questions]
    assert asked == [
        (Kind.GROUP, 2, None),
        (Kind.GROUP, 1, None),
        (Kind.FACE, ANNA, 3),
        (Kind.FACE, ANNA, 4),
        (Kind.MIXED, ANNA, None),
        (Kind.FACE, ANNA, 5),
    ]


def test_a_group_that_is_certain_is_worth_all_its_faces():
    (question,) = order([GroupStanding(1, named=False, faces=20, candidate=ANNA)], [])

    assert question.gain == 20
    assert question.candidate == ANNA


def test_a_group_in_doubt_comes_after_a_smaller_one_that_is_certain():
    doubtful = GroupStanding(1, named=False, faces=6, doubt=2.4)
    certain = GroupStanding(2, named=False, faces=4)

    assert [one.person for one in order([doubtful, certain], [])] == [2, 1]


def test_a_face_that_does_not_belong_costs_a_tap_and_gets_no_name():
    # Of four faces one in whose name the group is asked about always belongs: 3 of 4 are in doubt.
    (question,) = order([GroupStanding(1, named=False, faces=4, doubt=2.0)], [])

    assert question.gain == pytest.approx((4 - 1.5) / (1 + 1.5))


def test_of_a_pair_in_doubt_one_face_is_asked_about_before_anybody_has_to_tap():
    (doubtful,) = order([GroupStanding(1, named=False, faces=2, doubt=1.0, face=5)], [])
    (certain,) = order([GroupStanding(1, named=False, faces=2, doubt=0.1, face=5)], [])

    assert (doubtful.kind, doubtful.face) == (Kind.FACE, 5)
    assert (certain.kind, certain.person) == (Kind.GROUP, 1)


def test_a_group_of_which_no_face_is_given_is_asked_about_as_a_whole():
    (question,) = order([GroupStanding(1, named=False, faces=2, doubt=1.0)], [])

    assert (question.kind, question.person) == (Kind.GROUP, 1)


def test_a_name_that_is_shown_is_asked_about_the_more_the_less_sure_it_is():
    faces = [a_face(face, ANNA, face / 10) for face in range(1, 10)]

    assert [one.face for one in order([], faces)] == list(range(1, 10))
    assert order([], faces)[0].gain == pytest.approx(0.9)


def test_a_face_that_resembles_nobody_comes_before_one_that_may_settle_itself():
    new, likely = a_face(1), a_face(2, None, 0.4)

    assert [one.face for one in order([], [likely, new])] == [1, 2]


def test_where_nobody_can_name_strangers_those_who_may_be_somebody_come_first():
    new, likely = a_face(1), a_face(2, None, 0.4)

    assert [one.face for one in order([], [new, likely], nameable=0.1)] == [2, 1]


def test_of_faces_that_resemble_nobody_the_better_come_first():
    faces = [a_face(1, quality=0.3), a_face(2, quality=0.9), a_face(3, quality=0.6)]

    assert [one.face for one in order([], faces)] == [2, 3, 1]


def test_nothing_is_asked_where_nothing_is_open():
    assert order([GroupStanding(ANNA, named=True, faces=0)], []) == []
    assert order([GroupStanding(1, named=False, faces=0)], []) == []


def test_of_somebody_with_a_single_guess_only_that_face_is_asked_about():
    questions = order([GroupStanding(ANNA, named=True, faces=1, doubt=0.4)], [a_face(3, ANNA, 0.6)])

    assert [(one.kind, one.face) for one in questions] == [(Kind.FACE, 3)]


def test_the_kinds_are_those_that_answers_are_kept_under():
    assert {kind.value for kind in Kind} <= set(Answer.Question.values)


@given(st.lists(groups, max_size=4), st.lists(doubts, max_size=4))
def test_the_order_falls_and_does_not_depend_on_that_of_the_standings(groups, doubts):
    first, *others = (
        order(some, faces) for some in permutations(groups) for faces in permutations(doubts)
    )

    gains = [one.gain for one in first]
    assert gains == sorted(gains, reverse=True)
    assert all(gain >= 0 for gain in gains)
    keys = [(one.kind, one.person, one.face, one.gain) for one in first]
    assert all([(x.kind, x.person, x.face, x.gain) for x in other] == keys for other in others)


@given(st.lists(groups, max_size=6), st.lists(doubts, max_size=6), st.integers(0, 5))
def test_a_limit_takes_the_best(groups, doubts, limit):
    assert order(groups, doubts, limit=limit) == order(groups, doubts)[:limit]
