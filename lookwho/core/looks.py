"""Looks: the faces of one person that resemble each other, so that a child is not a mean adult.

Most people have one look in a library of a few years. Somebody who was photographed as a child and
as an adult has several, and the mean of them all resembles nobody.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lookwho.core.types import DoubleArray, FloatArray, IntArray
from lookwho.core.vectors import unit

# A face farther (1 - cosine) from the mean of a look is another one. Of people A-E of identities/
# who have five photos or more, one face in 200 is farther than 0.058 from the mean of the others.
APART = 0.075
# So many looks somebody has at most; what resembles none of them goes to the nearest.
MOST = 6
# With fewer faces than this the mean of a look is worth less than that of all of somebody's faces.
LEAST_FACES = 4


class Looks(NamedTuple):
    """The looks of some people.

    Attributes:
        roots: (m,) int64, whose look each is, ascending.
        of: (n,) int64, which look each face shows; -1 where nothing is known of it.
    """

    roots: IntArray
    of: IntArray


def looks_of(embeddings: FloatArray, quality: FloatArray, known: IntArray) -> Looks:
    """Return the looks of everybody known; the same faces in any order have the same looks.

    Each look begins with the best face that is left, takes what is near to it, and then what is
    near to the mean of these.

    Args:
        embeddings: (n, d) float32 of unit length.
        quality: (n,) float32.
        known: (n,) int64, who each face is known to be, or 0.
    """
    faces = np.flatnonzero(known)
    if not len(faces):
        return Looks(known[:0], np.full(len(known), -1))
    people, owners = np.unique(known[faces], return_inverse=True)
    vectors = embeddings[faces]
    order = np.lexsort((vectors[:, 0], -quality[faces]))
    number = np.full(len(faces), -1)
    means = np.zeros((len(people), embeddings.shape[1], MOST), np.float32)
    for look in range(MOST):
        left = order[number[order] < 0]
        if not len(left):
            break
        there, first = np.unique(owners[left], return_index=True)
        seeds = np.full(len(people), -1)
        seeds[there] = left[first]
        mean = vectors[seeds]  # of people of whom none is left it is not looked at
        for _ in range(2):
            near = _near(vectors[left], mean[owners[left]]) >= 1 - APART
            near |= seeds[owners[left]] == left
            mean = means_of(vectors[left[near]], owners[left[near]], len(people))
        near = _near(vectors[left], mean[owners[left]]) >= 1 - APART
        near |= seeds[owners[left]] == left
        number[left[near]] = look
        means[:, :, look] = mean
    rest = np.flatnonzero(number < 0)
    number[rest] = np.einsum("ij,ijk->ik", vectors[rest], means[owners[rest]]).argmax(axis=1)
    codes, places = np.unique(owners * MOST + number, return_inverse=True)
    of = np.full(len(known), -1)
    of[faces] = places
    return Looks(people[codes // MOST], of)


def nearest(embeddings: FloatArray, known: Looks, faces: IntArray, roots: IntArray) -> IntArray:
    """Return (c,) the look that each of these faces resembles most, of these people who have one.

    Args:
        embeddings: (n, d) float32 of unit length.
        known: the looks.
        faces: (c,) places of faces.
        roots: (c,) int64, whose look is sought for each.
    """
    first = np.searchsorted(known.roots, roots)
    count = np.searchsorted(known.roots, roots, side="right") - first
    several = np.flatnonzero(count > 1)
    if len(several):
        shown = np.flatnonzero(known.of >= 0)
        means = means_of(embeddings[shown], known.of[shown], len(known.roots))
        best = np.full(len(several), -np.inf)
        chosen = first[several]
        for look in range(MOST):
            there = count[several] > look
            rows, theirs = several[there], first[several[there]] + look
            near = _near(embeddings[faces[rows]], means[theirs])
            nearer = near > best[there]
            places = np.flatnonzero(there)[nearer]
            best[places], chosen[places] = near[nearer], theirs[nearer]
        first[several] = chosen
    return first


def several(
    vectors: FloatArray, quality: FloatArray, owners: IntArray
) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the looks of those who have several: means (m, d), whose, and of how many faces.

    Args:
        vectors: (n, d) float32 of unit length.
        quality: (n,) float32.
        owners: (n,) int64 from 0.
    """
    known = looks_of(vectors, quality, owners + 1)
    sizes = np.bincount(known.of, minlength=len(known.roots))
    kept = sizes >= LEAST_FACES
    whose = known.roots - 1
    kept &= np.bincount(whose[kept], minlength=int(whose.max(initial=0)) + 1)[whose] > 1
    found = means_of(vectors, known.of, len(known.roots))
    return found[kept], whose[kept], sizes[kept]


def sums_of(
    vectors: FloatArray, owners: IntArray, count: int, weights: DoubleArray | None = None
) -> DoubleArray:
    """Return (count, d) float64, the sum of the vectors of each owner.

    Args:
        vectors: (n, d).
        owners: (n,) int64, from 0.
        count: how many owners there are.
        weights: (n,) how much each counts; None for all the same.
    """
    order = np.argsort(owners, kind="stable")
    there, starts = np.unique(owners[order], return_index=True)
    sums = np.zeros((count, vectors.shape[1]))
    if len(there):
        sorted_ = vectors[order] if weights is None else vectors[order] * weights[order, None]
        sums[there] = np.add.reduceat(sorted_, starts, axis=0, dtype=np.float64)
    return sums


def means_of(
    vectors: FloatArray, owners: IntArray, count: int, weights: DoubleArray | None = None
) -> FloatArray:
    """Return (count, d) float32 of unit length, the mean of each owner; as `sums_of`."""
    return unit(sums_of(vectors, owners, count, weights))


def _near(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.einsum("ij,ij->i", a, b)
