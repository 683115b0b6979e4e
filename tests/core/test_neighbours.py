import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core import neighbours
from lookwho.core.neighbours import similar
from lookwho.core.vectors import unit

SEEDS = st.integers(0, 10_000)


def faces(seed, count=60, dim=6):
    generator = np.random.default_rng(seed)
    return unit(generator.standard_normal((count, dim)).astype(np.float32))


def people(seed, count, dim=64, spread=0.22):
    """Faces of many people, three each, and what all have in common."""
    generator = np.random.default_rng(seed)
    middle = 2 * generator.standard_normal(dim) / np.sqrt(dim)
    centres = middle + generator.standard_normal((count // 3 + 1, dim)) / np.sqrt(dim)
    noise = generator.standard_normal((count, dim)) * spread / np.sqrt(dim)
    return unit((np.repeat(centres, 3, axis=0)[:count] + noise).astype(np.float32))


def pairs(found):
    return list(zip(*(side.tolist() for side in found), strict=True))


def by_definition(vectors, least, most, rows):
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    kept = cosines >= least
    nearest = -np.sort(-cosines, axis=1)[:, most - 1 : most]
    kept &= cosines >= nearest
    wanted = np.zeros(len(vectors), bool)
    wanted[rows] = True
    kept &= wanted[:, None]
    kept |= kept.T
    return list(zip(*(side.tolist() for side in np.nonzero(np.triu(kept, 1))), strict=True))


@given(SEEDS, st.integers(1, 12), st.sampled_from([-1.0, 0.2, 0.7]))
def test_the_nearest_of_each_are_found(seed, most, least):
    vectors = faces(seed)
    everyone = np.arange(len(vectors))

    found = pairs(similar(vectors, least, most, everyone))

    assert found == by_definition(vectors, least, most, everyone)


@given(SEEDS, st.integers(1, 12))
def test_of_few_faces_their_own_nearest_are_found(seed, most):
    vectors = faces(seed)
    few = np.random.default_rng(seed).permutation(len(vectors))[:5]

    found = pairs(similar(vectors, 0.1, most, few))

    assert found == by_definition(vectors, 0.1, most, few)


def test_equal_faces_are_neighbours_and_one_of_them_has_others():
    vectors = np.float32([[1, 0], [0, 1], [1, 0], [0.8, 0.6], [1, 0]])

    found = pairs(similar(vectors, 0.7, 3, np.arange(5)))

    assert {(0, 2), (2, 4), (0, 3)} <= set(found)
    assert all(1 not in pair for pair in found)


@pytest.mark.parametrize("count", (0, 1))
def test_no_face_and_one_face_have_no_neighbours(count):
    assert pairs(similar(np.ones((count, 3), np.float32), 0.5, 5, np.arange(count))) == []


def test_blocks_find_what_one_matrix_does(monkeypatch):
    vectors = faces(3, 400)
    everyone = np.arange(len(vectors))
    whole = pairs(similar(vectors, 0.5, 9, everyone))

    monkeypatch.setattr(neighbours, "_ENTRIES", 1000)

    assert pairs(similar(vectors, 0.5, 9, everyone)) == whole


def recall(vectors, least, most=40):
    everyone = np.arange(len(vectors))
    exact = set(pairs(similar(vectors, least, most, everyone)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "ALL_PAIRS", 0)
        found = set(pairs(similar(vectors, least, most, everyone)))
    return len(exact), len(found & exact) / len(exact), len(found - exact)


def test_cells_find_nearly_all_that_comparing_everybody_does():
    vectors = people(0, 6000)

    count, found, _ = recall(vectors, 0.955)

    assert count > 4000
    assert found > 0.99


@pytest.mark.long
def test_cells_find_nearly_all_among_forty_thousand():
    vectors = people(1, 40_000)

    count, found, _ = recall(vectors, 0.955)

    assert count > 25_000
    assert found > 0.99


def test_cells_do_not_depend_on_the_order():
    vectors = people(2, 3000)
    order = np.random.default_rng(0).permutation(len(vectors))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "ALL_PAIRS", 0)
        found = {frozenset(pair) for pair in pairs(similar(vectors, 0.955, 40, np.arange(3000)))}
        shuffled = pairs(similar(vectors[order], 0.955, 40, np.arange(3000)))

    there = {frozenset(order[list(pair)].tolist()) for pair in shuffled}
    assert len(found ^ there) <= 0.001 * len(found)
