import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.errors import InputError
from lookwho.core.vectors import checked, finite, spread


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 20))
def test_what_is_spread_is_the_same_in_any_order(seed, count, most):
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((count, 4)).astype(np.float32)

    found = spread(vectors, most)
    turned = spread(generator.permutation(vectors), most)

    assert len(found) == min(count, most)
    assert {tuple(row) for row in found.tolist()} == {tuple(row) for row in turned.tolist()}


def test_vectors_are_brought_to_unit_length_and_none_stay_none():
    assert checked([[3, 4], [0, 2]], "faces").tolist() == pytest.approx(
        np.array([[0.6, 0.8], [0, 1]], np.float32)
    )
    assert checked([], "faces").shape == (0, 0)
    assert checked([], "faces", 128).shape == (0, 128)
    assert checked(np.zeros((0, 64)), "faces").shape == (0, 64)


@pytest.mark.parametrize(
    ("given", "width", "message"),
    (
        ([1.0, 2.0], None, r"faces: an array of shape \(2,\), where \(n, d\) is needed"),
        ([[1.0, 2.0]], 3, r"faces: an array of shape \(1, 2\), where \(n, 3\) is needed"),
        ([[1.0, 2.0], [1.0, np.nan]], 2, "faces: row 1 holds something that is not a number"),
    ),
)
def test_what_is_no_vector_is_refused_with_the_place(given, width, message):
    with pytest.raises(InputError, match=message):
        checked(given, "faces", width)


def test_numbers_stay_as_they_are():
    assert finite([1, 2], "quality").tolist() == [1, 2]
