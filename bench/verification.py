"""Are two faces one person? The rate of true pairs accepted at a rate of false ones.

Intervals come from a bootstrap over people. A person drawn m times has their pairs counted m times,
a pair of two people the product of both counts; the distance that gives the rate of false pairs is
found anew in every draw. All methods see the same draws, so differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookwho.core.types import DoubleArray, FloatArray, IntArray

FARS = (1e-2, 1e-3, 1e-4)
DRAWS = 1000

# The nearest part of the pairs of different people that is kept: at 1e-2 a draw looks at the
# nearest hundredth, give or take what the draw changes.
_KEPT = 0.04
_ROWS = 256
_SAMPLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs of faces, the nearest first.

    Attributes:
        same: (m,) distances of pairs of one person.
        same_person: (m,) whose.
        near: (k,) distances of pairs of two people, as far as they matter.
        near_people: (k, 2) whose.
        sizes: (people,) how many faces there are of each.
    """

    same: FloatArray
    same_person: IntArray
    near: FloatArray
    near_people: IntArray
    sizes: IntArray


def compare(vectors: FloatArray, owners: IntArray, *, euclidean: bool = False) -> Pairs:
    """Compare all faces with all others.

    Args:
        vectors: (n, d) float32; of unit length unless `euclidean`.
        owners: (n,) whose face each is.
        euclidean: L2 distance of the vectors as they are, instead of 1 - cosine.
    """
    _, owners, sizes = np.unique(owners, return_inverse=True, return_counts=True)
    ceiling = _ceiling(vectors, owners, euclidean)
    same: list[tuple[FloatArray, IntArray]] = []
    near: list[tuple[FloatArray, IntArray]] = []
    for start in range(0, len(vectors), _ROWS):
        block = _distances(vectors[start : start + _ROWS], vectors[start:], euclidean)
        rows, columns = np.nonzero(np.triu(np.ones(block.shape, bool), 1))
        values = block[rows, columns]
        pairs = np.stack([owners[start + rows], owners[start + columns]], axis=1)
        alike = pairs[:, 0] == pairs[:, 1]
        same.append((values[alike], pairs[alike, 0]))
        kept = ~alike & (values <= ceiling)
        near.append((values[kept], pairs[kept]))
    return Pairs(*_sorted(same), *_sorted(near), sizes.astype(np.int64))


def _ceiling(vectors: FloatArray, owners: IntArray, euclidean: bool) -> float:
    """Return the distance below which the part of the pairs lies that is kept."""
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, len(vectors), (2, _SAMPLE))
    apart = owners[first] != owners[second]
    a, b = vectors[first[apart]], vectors[second[apart]]
    if euclidean:
        return float(np.quantile(np.linalg.norm(a - b, axis=1), _KEPT))
    return float(np.quantile(1 - (a * b).sum(axis=1), _KEPT))


def _distances(a: FloatArray, b: FloatArray, euclidean: bool) -> FloatArray:
    gram = a @ b.T
    if not euclidean:
        return 1 - gram
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :]
    return np.sqrt(np.maximum(squares - 2 * gram, 0))


def _sorted(parts: list[tuple[FloatArray, IntArray]]) -> tuple[FloatArray, IntArray]:
    values, people = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(values, kind="stable")
    return values[order], people[order]


def draw(people: int, draws: int = DRAWS, seed: int = 0) -> IntArray:
    """Return how often each person is drawn (draws, people), with replacement."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(people, np.full(people, 1 / people), draws)


def limits(pairs: Pairs, counts: IntArray, fars: Sequence[float] = FARS) -> DoubleArray:
    """Return the greatest distances that accept at most these rates of false pairs.

    Args:
        pairs: of these people.
        counts: (people,) how often each counts.
        fars: the rates.
    """
    faces = (counts * pairs.sizes).astype(np.float64)
    total = (faces.sum() ** 2 - (faces**2).sum()) / 2
    a, b = pairs.near_people.T
    accepted = np.cumsum(counts[a] * counts[b])
    places = np.searchsorted(accepted, np.array(fars) * total, side="right") - 1
    below = float(pairs.near[0]) - 1e-6
    return np.where(places < 0, below, pairs.near[np.maximum(places, 0)]).astype(np.float64)


def rates(
    pairs: Pairs, counts: IntArray, fars: Sequence[float] = FARS, *, by_face: bool = False
) -> DoubleArray:
    """Return the rates of true pairs accepted at these rates of false ones.

    Args:
        pairs: of these people.
        counts: (people,) how often each counts.
        fars: the rates of false pairs.
        by_face: every face counts the same, instead of every pair: someone of whom there are many
            photos then does not outweigh everyone else.
    """
    return accepted(pairs, counts, limits(pairs, counts, fars), by_face=by_face)


def accepted(
    pairs: Pairs, counts: IntArray, at: DoubleArray, *, by_face: bool = False
) -> DoubleArray:
    """Return the rates of true pairs that lie within distances `at`."""
    weights = counts.astype(np.float64)
    if by_face:
        weights = weights / np.maximum(pairs.sizes - 1, 1)
    mass = np.concatenate([[0.0], np.cumsum(weights[pairs.same_person])])
    return mass[np.searchsorted(pairs.same, at, side="right")] / mass[-1]


def interval(values: DoubleArray) -> DoubleArray:
    """Return the limits (2, ...) between which 95 % of the draws (draws, ...) lie."""
    return np.percentile(values, [2.5, 97.5], axis=0)
