import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.looks import LEAST_FACES, MOST, looks_of, means_of, nearest, several, sums_of
from lookwho.core.vectors import unit

generator = np.random.default_rng(0)
ONE, TWO, THREE = unit(generator.standard_normal((3, 64)).astype(np.float32))


def around(middle, count, noise=0.1, seed=1):
    away = np.random.default_rng(seed).standard_normal((count, len(middle)))
    return unit((middle + noise * away / len(middle) ** 0.5).astype(np.float32))


def test_somebody_who_looks_like_one_person_has_one_look():
    vectors = np.concatenate([around(ONE, 9), around(TWO, 2)])

    found = looks_of(vectors, np.ones(11, np.float32), np.repeat([7, 5], [9, 2]))

    assert found.roots.tolist() == [5, 7]
    assert found.of.tolist() == [1] * 9 + [0] * 2


def test_a_child_and_an_adult_are_two_looks_and_who_is_unknown_has_none():
    vectors = np.concatenate([around(ONE, 4), around(TWO, 3), around(THREE, 2)])
    known = np.array([5, 5, 5, 5, 5, 5, 0, 9, 9])

    found = looks_of(vectors, np.ones(9, np.float32), known)

    assert found.roots.tolist() == [5, 5, 9]
    assert len(set(found.of[:4])) == len(set(found.of[4:6])) == 1
    assert set(found.of[:6]) == {0, 1}
    assert found.of[6:].tolist() == [-1, 2, 2]


def test_a_look_begins_with_the_best_face():
    vectors = np.concatenate([around(ONE, 3), around(TWO, 3)])
    for best in (1, 4):
        quality = np.full(6, 0.5, np.float32)
        quality[best] = 0.9
        assert looks_of(vectors, quality, np.full(6, 3)).of[best] == 0


def test_what_resembles_no_look_goes_to_the_nearest_when_there_are_many():
    vectors = unit(generator.standard_normal((20, 64)).astype(np.float32))

    found = looks_of(vectors, np.ones(20, np.float32), np.ones(20, np.int64))

    assert found.roots.tolist() == [1] * MOST
    assert (found.of >= 0).all()


def test_the_nearest_look_is_found_of_who_has_several_and_the_only_one_of_others():
    vectors = np.concatenate([around(ONE, 4), around(TWO, 3), around(THREE, 2)])
    known = looks_of(vectors, np.ones(9, np.float32), np.repeat([5, 9], [7, 2]))
    asked = np.concatenate([vectors, around(ONE, 1, seed=8), around(TWO, 1, seed=9)])
    of = np.concatenate([known.of, [-1, -1]])

    found = nearest(asked, known._replace(of=of), np.array([9, 10, 9]), np.array([5, 5, 9]))

    assert found.tolist() == [known.of[0], known.of[4], known.of[7]]


def test_only_looks_of_enough_faces_count_by_themselves():
    vectors = np.concatenate([
        around(ONE, 20),  # 0: one look
        around(TWO, 7), around(ONE, 6),  # 1: two
        around(ONE, 9), around(TWO, LEAST_FACES - 1),  # 2: of the second too few
    ])  # fmt: skip
    owners = np.repeat([0, 1, 2], [20, 13, 8 + LEAST_FACES])

    found, whose, sizes = several(vectors, np.ones(len(vectors), np.float32), owners)

    assert whose.tolist() == [1, 1]
    assert sorted(sizes.tolist()) == [6, 7]
    by_size = found[np.argsort(sizes)]
    assert by_size[0] @ ONE > 0.98
    assert by_size[1] @ TWO > 0.98


def test_nobody_has_no_look():
    none = np.zeros((0, 64), np.float32)

    assert [len(part) for part in looks_of(none, none[:, 0], np.zeros(0, np.int64))] == [0, 0]
    assert [len(part) for part in several(none, none[:, 0], np.zeros(0, np.int64))] == [0, 0, 0]


def test_means_are_weighed_and_of_unit_length():
    vectors = np.array([[1, 0], [0, 1], [0, 1]], np.float32)

    found = means_of(vectors, np.array([1, 1, 0]), 3, np.array([3.0, 1.0, 0.5]))

    np.testing.assert_allclose(found, unit(np.array([[0, 1], [3, 1], [0, 0]], np.float32)))
    assert means_of(vectors[:0], np.zeros(0, np.int64), 0).shape == (0, 2)
    assert sums_of(vectors, np.array([1, 1, 0]), 2).tolist() == [[0, 1], [1, 1]]


@given(st.integers(0, 1000), st.integers(1, 30))
def test_the_order_of_faces_changes_no_look(seed, count):
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((6, 16)).astype(np.float32))
    vectors = unit(
        centres[random.integers(0, 6, count)] + 0.05 * random.standard_normal((count, 16))
    )
    known, quality = random.integers(0, 3, count), random.random(count).astype(np.float32)
    turned = random.permutation(count)

    one = looks_of(vectors, quality, known)
    two = looks_of(vectors[turned], quality[turned], known[turned])

    assert one.roots.tolist() == two.roots.tolist()
    assert one.of[turned].tolist() == two.of.tolist()
