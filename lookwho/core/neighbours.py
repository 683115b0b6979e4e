"""Neighbours: which faces resemble each other enough to be compared, out of all pairs.

Up to some ten thousand faces all pairs are looked at. Among more, each face is compared with those
in the cells around it only, as inverted lists do it; the cells are found by k-means.
"""

from __future__ import annotations

import numpy as np

from lookwho.core.linkage import once
from lookwho.core.types import FloatArray, IntArray
from lookwho.core.vectors import unit

# From so many faces on only nearby cells are searched. `python -m bench scale` prints the time.
ALL_PAIRS = 30_000
# So many cells are searched around each face, of so many as the root of their number times this.
PROBES = 16
CELLS = 2.0
# Less than this part of all faces is compared with all others, without cells.
FEW = 8
_ROUNDS, _SAMPLE_PER_CELL = 4, 40
# Entries of a matrix of similarities computed at once: 32 MB.
_ENTRIES = 1 << 23


def similar(
    vectors: FloatArray, least: float, most: int, rows: IntArray
) -> tuple[IntArray, IntArray]:
    """Return pairs of faces that resemble each other.

    Args:
        vectors: (n, d) float32 of unit length.
        least: the least cosine of a pair.
        most: of so many neighbours a face at most, the nearest; a pair counts if either has it.
            Faces that share a vector are compared with each other, and one of them with others.
        rows: (r,) faces of which pairs are wanted; where they are many all pairs are returned.

    Returns:
        (m,) and (m,) int64, the lower and the higher face of each pair, each pair once, in order.
    """
    count = len(vectors)
    if not count:
        found = []
    elif len(rows) * FEW < count:
        found = list(_with_all(vectors, rows, least, most))
    else:
        first, twins = _twins(vectors, most)
        found = [
            twins,
            *(_codes(first, pairs, count) for pairs in _among(vectors[first], least, most)),
        ]
    codes = once(np.concatenate(found)) if found else np.zeros(0, np.int64)
    return np.divmod(codes, max(count, 1))


def _twins(vectors: FloatArray, most: int) -> tuple[IntArray, IntArray]:
    """Return one face of each vector, in order, and codes of pairs of faces that share one."""
    count = len(vectors)
    codes = keys(vectors)
    order = np.argsort(codes, kind="stable")
    other = codes[order[1:]] != codes[order[:-1]]
    other |= (vectors[order[1:]] != vectors[order[:-1]]).any(axis=1)
    which = np.concatenate([[0], np.cumsum(other)])
    pairs = [np.zeros(0, np.int64)]
    for ahead in range(1, min(most, count - 1) + 1):
        same = np.flatnonzero(which[ahead:] == which[:-ahead])
        if not len(same):
            break
        pairs.append(order[same] * count + order[same + ahead])
    firsts = np.sort(order[np.flatnonzero(np.diff(which, prepend=-1))])
    return firsts, np.concatenate(pairs)


def keys(vectors: FloatArray) -> IntArray:
    """Return (n,) a number for each vector that follows from its bits alone."""
    bits = np.ascontiguousarray(vectors).view(np.uint32)
    factors = np.random.default_rng(0).integers(1, 1 << 63, bits.shape[1], dtype=np.uint64)
    found = np.zeros(len(bits), np.uint64)
    for column, factor in enumerate(factors | np.uint64(1)):
        found += bits[:, column] * factor
    return (found >> np.uint64(1)).astype(np.int64)


def _codes(faces: IntArray, pairs: tuple[IntArray, IntArray], count: int) -> IntArray:
    first, second = faces[pairs[0]], faces[pairs[1]]
    return np.minimum(first, second) * count + np.maximum(first, second)


def _with_all(vectors: FloatArray, rows: IntArray, least: float, most: int):
    count = len(vectors)
    everyone = np.arange(count)
    for start in range(0, len(rows), max(1, _ENTRIES // count)):
        some = rows[start : start + max(1, _ENTRIES // count)]
        yield _codes(everyone, _best(vectors, some, everyone, least, most), count)


def _among(vectors: FloatArray, least: float, most: int):
    """Yield pairs of similar ones among vectors that all differ."""
    count = len(vectors)
    if count <= ALL_PAIRS:
        everyone = np.arange(count)
        size = max(1, _ENTRIES // max(count, 1))
        for start in range(0, count, size):
            yield _best(vectors, everyone[start : start + size], everyone, least, most)
        return
    centres = _centres(vectors)
    nearest = _nearest(vectors, centres)
    home = nearest[:, 0]
    members = _lists(home, len(centres))
    visitors = _lists(nearest.ravel(), len(centres))
    for inside, outside in zip(members, visitors, strict=True):
        seekers = outside // nearest.shape[1]
        size = max(1, _ENTRIES // max(len(inside), 1))
        for start in range(0, len(seekers), size):
            yield _best(vectors, seekers[start : start + size], inside, least, most)


def _best(
    vectors: FloatArray, seekers: IntArray, others: IntArray, least: float, most: int
) -> tuple[IntArray, IntArray]:
    """Return the pairs that the seekers keep of their similarities to others."""
    block = vectors[seekers] @ vectors[others].T
    kept = np.flatnonzero(block >= least)
    rows = kept // len(others)
    counts = np.bincount(rows, minlength=len(seekers))
    crowded = np.flatnonzero(counts > most + 1)  # one more than wanted: each is its own neighbour
    if len(crowded):
        values = block.ravel()[kept]
        starts = np.cumsum(counts) - counts
        floor = np.full(len(seekers), least, block.dtype)
        for row in crowded.tolist():
            own = values[starts[row] : starts[row] + counts[row]]
            floor[row] = np.partition(own, -most - 1)[-most - 1]
        kept = kept[values >= floor[rows]]
    rows, columns = np.divmod(kept, len(others))
    first, second = seekers[rows], others[columns]
    apart = first != second
    return first[apart], second[apart]


def _centres(vectors: FloatArray) -> FloatArray:
    """Return the middles of cells (c, d), by k-means on a sample that no order changes."""
    cells = int(CELLS * np.sqrt(len(vectors)))
    sample = np.sort(np.argsort(keys(vectors), kind="stable")[: cells * _SAMPLE_PER_CELL])
    points = vectors[sample]
    centres = vectors[np.argsort(keys(vectors), kind="stable")[:cells]]
    for _ in range(_ROUNDS):
        home = _nearest(points, centres, 1)[:, 0]
        order = np.argsort(home, kind="stable")
        starts = np.unique(home[order], return_index=True)[1]
        centres = unit(np.add.reduceat(points[order], starts, axis=0))
    return centres


def _nearest(vectors: FloatArray, centres: FloatArray, probes: int = PROBES) -> IntArray:
    """Return (n, probes) int64, the nearest centres of each, the nearest first."""
    probes = min(probes, len(centres))
    found = np.empty((len(vectors), probes), np.int64)
    size = max(1, _ENTRIES // len(centres))
    for start in range(0, len(vectors), size):
        near = vectors[start : start + size] @ centres.T
        if probes == 1:
            found[start : start + size, 0] = near.argmax(axis=1)
            continue
        some = np.argpartition(near, -probes, axis=1)[:, -probes:]
        order = np.argsort(-np.take_along_axis(near, some, axis=1), axis=1)
        found[start : start + size] = np.take_along_axis(some, order, axis=1)
    return found


def _lists(values: IntArray, count: int) -> list[IntArray]:
    """Return the places of each value."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.searchsorted(values[order], np.arange(1, count)))
