import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import naming
from bench.naming import by_groups
from tests.bench.test_annotator import some_people

once = np.ones((1, 3), np.int64)


def test_a_group_is_named_by_one_answer_and_put_right_face_by_face():
    # Three of person 0 with one of person 1; then two of person 1; at last one of person 2 alone.
    course = by_groups(np.array([4, 4, 4, 4, 7, 7, -1]), np.array([0, 0, 0, 1, 1, 1, 2]), 3)

    assert course.answers.sum(axis=1).tolist() == [0, 1, 2, 3, 4]
    assert course.right.sum(axis=1).tolist() == [0, 3, 4, 6, 7]
    assert course.wrong.sum(axis=1).tolist() == [0, 1, 0, 0, 0]
    assert course.named.sum(axis=1).tolist() == [0, 1, 2, 2, 3]


def test_what_it_takes_is_read_where_so_many_faces_have_their_name():
    course = by_groups(np.array([4, 4, 4, 4, 7, 7, -1]), np.array([0, 0, 0, 1, 1, 1, 2]), 3)

    assert course.at(3 / 7, once)[0].tolist() == [1, 0, 1]
    assert course.at(4 / 7, once)[0].tolist() == [2, 0, 0]
    assert course.at(1.0, once)[0].tolist() == [4, 1, 0]


def test_face_by_face_each_takes_an_answer():
    owners = np.array([0, 0, 0, 1, 1, 2])

    course = by_groups(np.full(6, -1), owners, 3)

    assert course.at(1.0, once)[0].tolist() == [6, 3, 0]


def test_faces_that_nobody_names_are_never_reached():
    course = by_groups(np.array([0, 0]), np.array([0, 1]), 2)
    without_corrections = naming.Course(
        course.answers[:2], course.named[:2], course.right[:2], course.wrong[:2], course.sizes
    )

    assert np.isnan(without_corrections.at(0.9, np.ones((1, 2), np.int64))).all()


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 3)), min_size=1, max_size=20))
def test_naming_by_groups_ends_with_every_face_named(faces):
    groups, owners = np.array(faces).T

    course = by_groups(groups, owners, 4)

    assert (course.right[-1] == course.sizes).all()
    assert (course.wrong[-1] == 0).all()
    assert (np.diff(course.answers.sum(axis=1)) == 1).all()
    assert (course.right + course.wrong <= course.sizes).all()
    assert (course.wrong >= 0).all()


@given(
    st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 3)), min_size=1, max_size=20),
    st.integers(1, 4),
)
def test_drawing_everybody_so_often_takes_so_many_answers_more(faces, times):
    groups, owners = np.array(faces).T
    course = by_groups(groups, owners, 4)
    everyone = np.ones((1, 4), np.int64)

    assert (course.at(0.9, times * everyone) == times * course.at(0.9, everyone)).all()


def test_somebody_who_is_not_drawn_takes_no_answer():
    course = by_groups(np.array([0, 0, 0, 1, 1, -1]), np.array([0, 0, 0, 1, 1, 2]), 3)

    assert course.at(1.0, np.array([[1, 0, 1], [0, 0, 1]]))[:, 0].tolist() == [2, 1]


@pytest.fixture(scope="module")
def lines():
    sizes = [6, 6, 5, 5, 4, 4, 3, 3] * 8 + [1] * 20
    faces = some_people(sizes)
    return list(naming.report(faces, quick=True))


def test_the_table_has_a_row_for_each_way(lines):
    firsts = [line.split("|")[1].strip() for line in lines if line.startswith("|")]

    assert [first.split(",")[0] for first in firsts[2:7]] == [
        "face by face", "Chinese whispers", "Chinese whispers", "DBSCAN", "Lookwho",
    ]  # fmt: skip


def test_faces_that_lie_apart_take_no_answer_beyond_the_names(lines):
    (row,) = [line.split("|")[2:-1] for line in lines if line.startswith("| Lookwho  ")]

    assert row[4].split()[0] == "0"
    assert row[5].strip() == "0"


def test_the_table_says_whose_faces_these_are(lines):
    assert any(line.startswith("Held-out people: ") for line in lines)
