import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.linkage import DENSITY_WEIGHT, Units, between, join, link, once, roots
from lookwho.core.vectors import unit


def units(vectors, *, sizes=None, people=None, held=(), densities=None):
    vectors = unit(np.float32(vectors))
    count = len(vectors)
    sizes = np.ones(count, np.float32) if sizes is None else np.float32(sizes)
    sums = vectors * sizes[:, None]
    holders, tokens = np.array(held, np.int64).reshape(-1, 2).T
    return Units(
        sums=sums,
        norms=np.linalg.norm(sums, axis=1),
        sizes=sizes,
        densities=np.zeros(count, np.float32) if densities is None else np.float32(densities),
        people=np.full(count, -1) if people is None else np.array(people),
        holders=holders,
        tokens=tokens,
        parents=np.arange(count),
    )


def fan(*angles):
    return [[np.cos(angle), np.sin(angle)] for angle in angles]


def all_pairs(count):
    return np.triu_indices(count, 1)


def test_one_vector_is_as_close_as_can_be_and_the_limit_is_just_close_enough():
    found = units(fan(0, 0, 0.5)).closeness(np.array([0, 0]), np.array([1, 2]), 1 - np.cos(0.5))

    assert np.abs(found - [1, 0]).max() < 1e-3


def test_means_of_more_faces_have_to_be_closer():
    one, four = (units(fan(0, 0.3), sizes=[size, size]) for size in (1, 4))
    pair = np.array([0]), np.array([1])

    assert four.closeness(*pair, 0.1)[0] < one.closeness(*pair, 0.1)[0]


def test_in_a_crowd_two_have_to_be_closer():
    crowded = units(fan(0, 0.3), sizes=[2, 1], densities=[0.2, 0.3])
    apart = units(fan(0, 0.3), sizes=[2, 1])
    pair = np.array([0]), np.array([1])

    found, usual = (1 - each.closeness(*pair, 0.1)[0] for each in (crowded, apart))

    assert abs(found / usual - np.exp(DENSITY_WEIGHT * (0.2 / 2 + 0.3))) < 1e-3


def test_two_people_and_two_of_one_photo_are_not_united():
    for apart in ({"people": [1, 2, -1]}, {"held": [(0, 5), (1, 5)]}):
        some = units(fan(0, 0, 1.5), **apart)

        link(some, *all_pairs(3), 0.1)

        assert some.roots().tolist() == [0, 1, 2]


def test_what_joins_a_person_is_that_person():
    some = units(fan(0.1, 0, 0.02), people=[-1, 7, 8])

    link(some, *all_pairs(3), 0.1)

    groups = some.roots()
    assert groups[1] != groups[2]
    assert some.people[groups].tolist()[1:] == [7, 8]


def test_tokens_go_with_those_who_hold_them():
    # 0 and 1 unite first; then 2 may not join 1's photo.
    some = units(fan(0, 0.01, 0.1), held=[(1, 5), (2, 5)])

    link(some, *all_pairs(3), 0.1)

    assert some.roots().tolist() == [0, 0, 2]


def test_who_joins_does_not_count_there():
    some = units(fan(0, 0.2), sizes=[3, 1])
    before = some.sums[0].copy()

    join(some, np.array([1]), np.array([0]), 0.5)

    assert some.roots().tolist() == [0, 0]
    assert (some.sums[0] == before).all()
    assert some.sizes[0] == 3


def test_each_joins_the_closest_that_may_have_it():
    some = units(fan(0, 0.3, 0.1), sizes=[3, 3, 1], held=[(0, 5), (2, 5)])

    join(some, np.array([2, 2]), np.array([0, 1]), 0.5)

    assert some.roots()[2] == 1


@given(st.lists(st.integers(0, 8), min_size=1, max_size=12))
def test_roots_are_where_parents_lead(steps):
    parents = np.array([min(place, step) for place, step in enumerate(steps)])

    found = roots(parents)

    for place, root in enumerate(found.tolist()):
        while parents[place] != place:
            place = parents[place]
        assert root == place


@given(st.lists(st.integers(-50, 50), max_size=30))
def test_each_value_is_returned_once(values):
    assert once(np.array(values, np.int64)).tolist() == sorted(set(values))


def test_pairs_within_one_are_left_out():
    low, high = between(np.array([0, 0, 2, 2]), np.array([0, 0, 1]), np.array([1, 2, 3]))

    assert (low.tolist(), high.tolist()) == ([0], [2])
