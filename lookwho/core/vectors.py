"""Vectors of unit length."""

from __future__ import annotations

import numpy as np

from lookwho.core.types import FloatArray


def unit(vectors: FloatArray) -> FloatArray:
    """Scale vectors (..., d) to unit length; a vector of zeros stays one.

    >>> unit(np.float32([[3, 4], [0, 0]]))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
