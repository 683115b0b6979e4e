"""Agreement: whether people who label the same faces say the same, beyond what chance explains.

Labels are (faces, annotators) whole numbers: any number stands for one answer, the same for the
same answer, and MISSING for none. Nothing here knows what the answers mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lookwho.core.types import DoubleArray, IntArray

MISSING = -1


@dataclass(frozen=True, slots=True)
class Pairs:
    """How often two annotators agree on whether two faces are the same person.

    Attributes:
        pairs: of faces that two annotators both labelled, counted once for each two annotators.
        agreed: of those, how many both called the same person, or both two people.
        same: how many both called the same person.
        either: how many at least one of them called the same person.
    """

    pairs: int
    agreed: int
    same: int
    either: int

    @property
    def agreement(self) -> float | None:
        """The share of the pairs that were agreed on; None where there are none."""
        return self.agreed / self.pairs if self.pairs else None

    @property
    def sameness(self) -> float | None:
        """Of the pairs that somebody called the same person, the share that both did.

        Most pairs of faces are two people and everybody sees that: this leaves those out.
        """
        return self.same / self.either if self.either else None


@dataclass(frozen=True, slots=True)
class _Counts:
    """Each face's part in the coincidence matrix.

    Attributes:
        faces: the row of each count.
        answers: its answer, as numbers from 0.
        counts: how many gave that answer to that face.
        sizes: (faces,) labels of each face, where there are at least two, else 0.
        diagonal: (faces,) what the face adds to the diagonal.
        kinds: how many different answers there are.
    """

    faces: IntArray
    answers: IntArray
    counts: DoubleArray
    sizes: DoubleArray
    diagonal: DoubleArray
    kinds: int


def alpha(labels: IntArray) -> float | None:
    """Return Krippendorff's alpha for answers that have no order.

    1 is full agreement and 0 what chance would give; below that they disagree on purpose. None
    where no face has two labels, or where all labels are the same: then nothing tells agreement
    from chance.

    Args:
        labels: (n, m) answers of m annotators on n faces, MISSING where there is none.

    Source:
        Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, section C.

    >>> alpha(np.array([[1, 1], [2, 2], [1, 2]]))
    0.4444444444444444
    """
    counts = _counts(labels)
    return _alpha(counts, np.ones(len(labels)))


def interval(
    labels: IntArray, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[float, float] | None:
    """Return between what alpha lies: a percentile bootstrap over faces.

    Args:
        labels: as for `alpha`.
        draws: how often faces are drawn, with replacement.
        level: how much of the draws lies between the two.
        seed: the same seed draws the same faces.

    Returns:
        The lower and the upper end; None where alpha is.
    """
    counts = _counts(labels)
    if _alpha(counts, np.ones(len(labels))) is None:
        return None
    generator = np.random.default_rng(seed)
    n = len(labels)
    found: list[float] = []
    for _ in range(draws):
        weights = np.bincount(generator.integers(0, n, n), minlength=n).astype(np.float64)
        value = _alpha(counts, weights)
        if value is not None:
            found.append(value)
    if not found:
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return float(low), float(high)


def same_or_different(people: IntArray) -> Pairs:
    """Return how annotators agree on which faces show the same person, whatever they call them.

    Every two annotators are compared over every two faces that both said a person of. Nothing is
    listed: all counts follow from how many faces each two answers share.

    Args:
        people: (n, m) people as m annotators name them, MISSING where one named nobody.
    """
    pairs = agreed = same = either = 0
    for one, other in combinations(range(people.shape[1]), 2):
        both = (people[:, one] != MISSING) & (people[:, other] != MISSING)
        n = int(both.sum())
        a = _numbered(people[both, one])
        b = _numbered(people[both, other])
        cells = np.unique(a * (n + 1) + b, return_counts=True)[1]
        shared = _pairs_in(cells)
        first, second = _pairs_in(np.bincount(a)), _pairs_in(np.bincount(b))
        every = n * (n - 1) // 2
        pairs += every
        same += shared
        either += first + second - shared
        agreed += every - (first + second - 2 * shared)
    return Pairs(pairs, agreed, same, either)


def _counts(labels: IntArray) -> _Counts:
    rows, columns = np.nonzero(labels != MISSING)
    answers = _numbered(labels[rows, columns])
    kinds = int(answers.max(initial=-1)) + 1
    cells, counts = np.unique(rows * max(kinds, 1) + answers, return_counts=True)
    faces, kind = np.divmod(cells, max(kinds, 1))
    counts = counts.astype(np.float64)
    sizes = np.bincount(faces, weights=counts, minlength=len(labels)).astype(np.float64)
    # A face with one label is paired with nothing.
    sizes[sizes < 2] = 0
    paired = sizes[faces] > 0
    faces, kind, number = faces[paired], kind[paired], counts[paired]
    diagonal = np.bincount(
        faces, weights=number * (number - 1) / (sizes[faces] - 1), minlength=len(labels)
    ).astype(np.float64)
    return _Counts(faces, kind, number, sizes, diagonal, kinds)


def _alpha(counts: _Counts, weights: DoubleArray) -> float | None:
    """Return alpha where each face counts as often as its weight says."""
    n = float(weights @ counts.sizes)
    if n <= 1:
        return None
    totals = np.bincount(
        counts.answers, weights=counts.counts * weights[counts.faces], minlength=counts.kinds
    )
    chance = n * n - float(totals @ totals)  # n(n - 1) times the disagreement to be expected
    if chance <= 0:
        return None
    observed = n - float(weights @ counts.diagonal)
    return 1 - (n - 1) * observed / chance


def _numbered(values: IntArray) -> IntArray:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _pairs_in(sizes: NDArray[np.intp]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())
