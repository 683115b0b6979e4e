"""Group: faces in, people out, with nothing known about them.

Average linkage: two groups become one when the mean similarity of their faces, over all pairs, is
high enough, the most similar groups first. One look-alike then cannot chain two people together,
as it does where the nearest pair decides. Two faces of one photo are two people.
"""

from __future__ import annotations

import numpy as np

from lookwho.core.types import DoubleArray, FloatArray, IntArray

ALONE = -1

# The greatest mean distance (1 - cosine) within a group, measured at a library of so many faces.
# The more strangers, the more look-alikes: the limit shrinks with each doubling of the library.
# `python -m bench group --faces DIR` prints what other limits would give.
LIMIT = 0.067
LIMIT_FACES = 3252
LIMIT_STEP = 0.0022
LIMIT_LEAST, LIMIT_MOST = 0.045, 0.078

# Rows of the similarity matrix computed at once: 64 MB at 100,000 faces.
_ROWS = 160


def group(
    embeddings: FloatArray, *, photos: IntArray | None = None, limit: float | None = None
) -> IntArray:
    """Group faces by person.

    Args:
        embeddings: (n, d) float32 of unit length.
        photos: (n,) which photo each face is from; None where every face has its own.
        limit: the greatest mean distance within a group; None for one that suits the number of
            faces.

    Returns:
        (n,) int64, the group of each face: 0 the largest group, 1 the next; `ALONE` for a face
        that resembles no other. The same faces always give the same groups.
    """
    count = len(embeddings)
    least = 1 - (suitable_limit(count) if limit is None else limit)
    labels = np.full(count, ALONE, np.int64)
    groups: list[list[int]] = []
    # No group reaches beyond a connected component: its mean similarity would be too low.
    for component in _components(np.ascontiguousarray(embeddings, np.float32), least):
        part = None if photos is None else np.asarray(photos)[component]
        for members in _linked(embeddings[component].astype(np.float64), part, least):
            if len(members) > 1:
                groups.append(sorted(int(component[member]) for member in members))
    for label, members in enumerate(sorted(groups, key=lambda faces: (-len(faces), faces[0]))):
        labels[members] = label
    return labels


def suitable_limit(faces: int) -> float:
    """Return the greatest mean distance within a group for a library of so many faces."""
    limit = LIMIT - LIMIT_STEP * float(np.log2(max(faces, 1) / LIMIT_FACES))
    return min(max(limit, LIMIT_LEAST), LIMIT_MOST)


def _components(embeddings: FloatArray, least: float) -> list[IntArray]:
    """Return the sets of faces, of two or more, that chains of similar pairs connect."""
    parents = np.arange(len(embeddings))
    for start in range(0, len(embeddings), _ROWS):
        block = embeddings[start : start + _ROWS] @ embeddings[start:].T
        rows, columns = np.nonzero(block >= least)
        _unite(parents, rows + start, columns + start)
    roots = _roots(parents)
    order = np.argsort(roots, kind="stable")
    starts = np.nonzero(np.diff(roots[order], prepend=-1))[0]
    return [part for part in np.split(order, starts[1:]) if len(part) > 1]


def _unite(parents: IntArray, a: IntArray, b: IntArray) -> None:
    """Give the trees of each pair one root, the lower; all pairs at once, until nothing moves."""
    while len(a):
        parents[:] = _roots(parents)
        low, high = np.minimum(parents[a], parents[b]), np.maximum(parents[a], parents[b])
        apart = low != high
        a, b, low, high = a[apart], b[apart], low[apart], high[apart]
        np.minimum.at(parents, high, low)


def _roots(parents: IntArray) -> IntArray:
    while True:
        above = parents[parents]
        if np.array_equal(above, parents):
            return above
        parents = above


def _linked(vectors: DoubleArray, photos: IntArray | None, least: float) -> list[list[int]]:
    """Return the groups of one component, by the chain of nearest neighbours.

    The mean similarity of two groups is the product of their summed vectors over the product of
    their sizes, so no matrix of pairs is kept. Follow nearest neighbours until two are each
    other's: those merge. The result is that of merging the globally nearest first, because a merged
    group is never nearer to a third than the nearer of its parts.

    Source: Murtagh, A survey of recent advances in hierarchical clustering algorithms, 1983.
    """
    count = len(vectors)
    sums, sizes = vectors.copy(), np.ones(count)
    members = [[index] for index in range(count)]
    shown = None if photos is None else [{int(photo)} for photo in photos]
    holders: dict[int, set[int]] = {}
    for index, photo in enumerate(photos if photos is not None else ()):
        holders.setdefault(int(photo), set()).add(index)
    active = np.ones(count, bool)
    chain: list[int] = []
    done: list[list[int]] = []
    while active.any():
        if not chain:
            chain.append(int(np.argmax(active)))
        tip = chain[-1]
        similar = np.where(active, sums @ sums[tip] / (sizes * sizes[tip]), -np.inf)
        similar[tip] = -np.inf
        if shown is not None:
            similar[[other for photo in shown[tip] for other in holders[photo]]] = -np.inf
        nearest = int(np.argmax(similar))
        previous = chain[-2] if len(chain) > 1 else tip
        if previous != tip and similar[previous] >= similar[nearest]:
            nearest = previous  # of equally near ones the one we come from, or the chain circles
        if similar[nearest] < least:
            # Nothing will ever be near enough to it: it is finished.
            active[tip] = False
            done.append(members[tip])
            chain.pop()
            continue
        if nearest != previous:  # also where there is no previous one yet
            chain.append(nearest)
            continue
        del chain[-2:]
        sums[previous] += sums[tip]
        sizes[previous] += sizes[tip]
        members[previous] += members[tip]
        active[tip] = False
        if shown is not None:
            for photo in shown[tip]:
                holders[photo].discard(tip)
                holders[photo].add(previous)
            shown[previous] |= shown[tip]
    return done
