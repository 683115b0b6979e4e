"""Density: how closely others lie around a face.

A face that resembles many strangers resembles the next one for nothing, and one that resembles
nobody says much by what little it does. So two faces in a crowd have to be closer to each other
than two that lie apart.
"""

from __future__ import annotations

import numpy as np

from lookwho.core.neighbours import keys
from lookwho.core.types import FloatArray
from lookwho.core.vectors import unit

# Nearness counts e-fold for cosines, without what all faces have in common, that differ by 1 part
# in so many; above the other no more than there, or a few faces of a person would be its crowd.
# On people A-E of identities/ B-cubed and pairwise F are 0.979 and 0.975 for (10, 0.4), 0.980 and
# 0.976 for (12, 0.45) and (15, 0.5), and 0.978 and 0.973, as without density, for (20, 0.6).
SHARPNESS = 12.0
HIGHEST = 0.45
# Others who are nearer than this part of the limit are no strangers.
SAME = 0.8
# So many faces tell how densely all lie: of 300 and of 2,048 the F are the same to 0.001.
SAMPLE = 1024
# What is believed before any is seen: so many others at this cosine.
_BELIEVED, _AT = 20.0, 0.1
# And of so few others as this only half of what they tell is believed. Of 24 faces of six people
# A-E (60 draws) pairwise F is 0.995 without density, and 0.990 if it counts in full.
_FEW = 150.0
_STEPS = 4096
_ROWS = 4096


def densities(vectors: FloatArray, others: FloatArray, limit: float) -> FloatArray:
    """Return how densely others lie around faces.

    Args:
        vectors: (n, d) float32 of unit length, the faces.
        others: (m, d) float32 of unit length; who is among the faces may be one of them.
        limit: the greatest distance (1 - cosine) of two faces that are one person.

    Returns:
        (n,) float32, the cosine at which all others would lie, were they equally near; less what
        it is around the others, so that 0 is usual.
    """
    found = np.zeros(len(vectors), np.float32)
    if not len(vectors) or not len(others):
        return found
    same = np.float32(1 - SAME * limit)
    sample = others[np.argsort(keys(others), kind="stable")[:SAMPLE]]
    # Somebody of whom there are many faces counts about once.
    sample = sample[~np.tril(sample @ sample.T > same, -1).any(axis=1)]
    mean = sample.mean(axis=0)
    off = np.ascontiguousarray(_off(sample, mean).T)
    believed = np.float32(len(sample) / (len(sample) + _FEW))
    usual = np.float32(_densities(sample, sample, off, mean, same).mean())
    for start in range(0, len(vectors), _ROWS):
        some = slice(start, start + _ROWS)
        around = _densities(vectors[some], sample, off, mean, same)
        found[some] = believed * (around - usual)
    return np.round(found * _STEPS) / _STEPS


def _densities(
    vectors: FloatArray, sample: FloatArray, off: FloatArray, mean: FloatArray, same: np.float32
) -> FloatArray:
    near = _off(vectors, mean) @ off
    np.minimum(near, HIGHEST, out=near)
    near *= SHARPNESS
    np.exp(near, out=near)
    others = vectors @ sample.T <= same
    near *= others
    total = near.sum(axis=1) + _BELIEVED * np.exp(SHARPNESS * _AT)
    return (np.log(total / (others.sum(axis=1) + _BELIEVED)) / SHARPNESS).astype(np.float32)


def _off(vectors: FloatArray, mean: FloatArray) -> FloatArray:
    """Return the directions in which vectors lie off the mean."""
    away = vectors - mean
    if len(away) and np.abs(away).max() < 1e-6:  # all are one
        return np.zeros_like(away)
    return unit(away)
