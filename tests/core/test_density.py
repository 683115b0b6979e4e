import numpy as np
import pytest

from lookwho.core.density import SAMPLE, densities
from lookwho.core.vectors import unit


def directions(count, dim=32, seed=0):
    generator = np.random.default_rng(seed)
    return unit(generator.standard_normal((count, dim)).astype(np.float32))


def crowded(count, dim=32):
    """Faces of which the first quarter lies around one direction, not so near as one person's."""
    found = directions(count, dim)
    found[: count // 4] += np.eye(dim, dtype=np.float32)[0]
    return unit(found)


def test_a_face_in_a_crowd_has_more_around_it_than_one_apart():
    everybody = crowded(120)

    found = densities(everybody, everybody, 0.05)

    assert found[:30].mean() > found[30:].mean() + 0.02
    assert abs(found.mean()) < 0.001


def test_ones_own_other_faces_are_no_crowd():
    strangers = directions(300)
    person = unit(strangers[:1] + 0.01 * directions(30, seed=2))
    alone = densities(strangers[:1], strangers[1:], 0.05)

    with_itself = densities(strangers[:1], strangers, 0.05)
    among = densities(strangers[:1], np.concatenate([strangers, person]), 0.05)

    assert with_itself == pytest.approx(alone, abs=0.002)
    assert among == pytest.approx(alone, abs=0.002)


def test_the_order_of_the_others_changes_nothing_however_many_they_are():
    others = directions(3 * SAMPLE)
    faces = others[:50]
    order = np.random.default_rng(1).permutation(len(others))

    assert densities(faces, others[order], 0.05) == pytest.approx(densities(faces, others, 0.05))


def test_a_sample_tells_what_all_would():
    some = crowded(4 * SAMPLE)
    faces, a_quarter = some[::16], some[1::4]

    sampled = densities(faces, some, 0.05)
    whole = densities(faces, a_quarter, 0.05)

    assert np.corrcoef(sampled, whole)[0, 1] > 0.9


@pytest.mark.parametrize(
    "others", (np.zeros((0, 4)), np.ones((1, 4)) / 2, np.ones((9, 4)) / 2), ids=("0", "1", "same")
)
def test_where_nobody_else_is_all_are_alike(others):
    faces = np.ones((3, 4), np.float32) / 2

    assert densities(faces, others.astype(np.float32), 0.05).tolist() == [0, 0, 0]


def test_of_no_face_nothing_is_said():
    assert densities(np.zeros((0, 4), np.float32), directions(5, 4), 0.05).shape == (0,)
