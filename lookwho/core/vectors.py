"""Vectors of unit length, and whether what is given are such."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookwho.core.errors import InputError
from lookwho.core.types import FloatArray


def unit(vectors: FloatArray) -> FloatArray:
    """Scale vectors (..., d) to unit length; a vector of zeros stays one.

    >>> unit(np.float32([[3, 4], [0, 0]]))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def spread(vectors: FloatArray, most: int) -> FloatArray:
    """Return at most so many of the vectors (n, d), the same ones in whatever order they come."""
    if len(vectors) <= most:
        return vectors
    order = np.lexsort(vectors.T[:3])
    return vectors[order[np.linspace(0, len(vectors) - 1, most).astype(np.int64)]]


def checked(given: Any, what: str, width: int | None = None) -> FloatArray:
    """Return vectors (n, d) float32 of unit length; of nothing, none.

    Raises:
        InputError: they are not so wide, or hold something that is not a number.
    """
    vectors = np.asarray(given, np.float32)
    if not vectors.size:
        return np.zeros((0, width or (vectors.shape[1] if vectors.ndim == 2 else 0)), np.float32)
    if vectors.ndim != 2 or (width is not None and vectors.shape[1] != width):
        raise InputError(
            f"{what}: an array of shape {vectors.shape}, where (n, {width or 'd'}) is needed"
        )
    return unit(finite(vectors, what))


def finite(given: Any, what: str) -> NDArray[Any]:
    """Return an array of numbers.

    Raises:
        InputError: one is infinite or none at all.
    """
    values = np.asarray(given)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise InputError(f"{what}: row {row} holds something that is not a number")
    return values
