import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.errors import InputError
from lookwho.core.known import ALONE, NEW, Known, column, distinct, pairs

NOBODY = None


def sets(labels):
    groups = {}
    for place, label in enumerate(labels.tolist()):
        groups.setdefault(label, set()).add(place)
    return {frozenset(group) for group in groups.values()}


def components(count, links):
    """Follow links one after the other."""
    of = list(range(count))
    for a, b in links:
        of = [of[a] if one == of[b] else one for one in of]
    return sets(np.array(of))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_must_unites_what_it_connects(links):
    known = Known(10, NOBODY, NOBODY, links, ())

    assert sets(known.base) == components(10, links)


def test_confirmed_faces_of_a_person_are_one():
    known = Known(5, NOBODY, np.array([4, -1, 4, 7, -5]), (), ())

    assert sets(known.base) == {frozenset(x) for x in ({0, 2}, {1}, {3}, {4})}
    assert known.people.tolist() == [4, -1, 4, 7, -1]


def test_the_earlier_of_two_musts_that_contradict_people_is_followed():
    people = np.array([1, -1, 2])

    assert sets(Known(3, NOBODY, people, [(0, 1), (1, 2)], ()).base) == {
        frozenset({0, 1}),
        frozenset({2}),
    }
    assert sets(Known(3, NOBODY, people, [(1, 2), (0, 1)], ()).base) == {
        frozenset({0}),
        frozenset({1, 2}),
    }


def test_a_cannot_between_those_who_are_one_is_not_followed():
    known = Known(3, NOBODY, NOBODY, [(0, 1)], [(0, 1), (1, 2)])

    assert known.faces.tolist() == [1, 2]
    assert len(set(known.tokens.tolist())) == 1


def test_only_photos_with_two_faces_keep_anybody_apart():
    known = Known(5, np.array([7, 8, 7, 9, 10]), NOBODY, (), ())

    assert known.faces.tolist() == [0, 2]
    assert len(set(known.tokens.tolist())) == 1


def test_groups_of_before_are_kept_unless_they_contradict_what_is_known():
    before = np.array([0, 0, 1, 1, 2, 2, ALONE, NEW])
    people = np.array([-1, -1, 5, 6, -1, -1, -1, -1])
    known = Known(8, np.array([0, 1, 2, 3, 4, 4, 5, 6]), people, (), ())

    # Two people in one group; two faces of one photo in another.
    assert sets(known.kept(before)) == {
        frozenset(x) for x in ({0, 1}, {2}, {3}, {4}, {5}, {6}, {7})
    }


def test_a_group_that_is_torn_tears_those_it_was_united_with():
    before = np.array([0, 0, 1, 1])
    known = Known(4, NOBODY, NOBODY, [(1, 2)], [(0, 3)])

    assert sets(known.kept(before)) == {frozenset(x) for x in ({0}, {1, 2}, {3})}


def test_units_count_good_faces_or_else_all():
    vectors = np.float32([[1, 0], [0, 1], [3, 0], [0, 4]])
    dense = np.float32([1, 2, 3, 4])
    good = np.array([True, False, False, False])
    known = Known(4, NOBODY, np.array([-1, -1, 9, 9]), [(0, 1)], [(0, 2)])

    units, of = known.units(vectors, dense, good, known.base)

    assert of.tolist() == [0, 0, 1, 1]
    assert units.sums.tolist() == [[1, 0], [3, 4]]
    assert units.norms.tolist() == [1, 5]
    assert units.sizes.tolist() == [1, 2]
    assert units.densities.tolist() == [1, 7]
    assert units.people.tolist() == [-1, 9]
    assert units.holders.tolist() == [0, 1]


def test_pairs_come_once_and_in_order():
    a, b = distinct(np.array([3, 0, 3, 1]), np.array([1, 5, 1, 0]))

    assert (a.tolist(), b.tolist()) == ([0, 1, 3], [5, 0, 1])


def test_what_does_not_fit_is_refused_by_its_name():
    with pytest.raises(InputError, match="photos must be 3"):
        column("photos", np.zeros(2, np.int64), 3, 0)
    with pytest.raises(InputError, match="cannot names a face"):
        pairs("cannot", [(0, 3)], 3)
    with pytest.raises(InputError, match="must must be pairs"):
        pairs("must", [(0, 1, 2)], 3)
