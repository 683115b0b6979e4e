"""How good is it? Figures of the field, with intervals by bootstrap over people.

Verification: the true-accept rate (TAR) at a false-accept rate (FAR), over all pairs of faces.
Grouping: B-cubed and pairwise F. Detection: recall of labelled faces, boxes that touch none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lookwho.core.boxes import intersection, iou
from lookwho.core.types import DoubleArray, FloatArray, IntArray

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distances between faces whose people are known.

    Attributes:
        same: (m,) distances of pairs of one person.
        same_person: (m,) which person each of these pairs is of.
        different: (k,) distances of pairs of two people.
    """

    same: FloatArray
    same_person: IntArray
    different: FloatArray


def pairs(vectors: FloatArray, people: IntArray, *, euclidean: bool = False) -> Pairs:
    """Compare all faces with all others.

    Args:
        vectors: (n, d) float32; of unit length unless `euclidean`.
        people: (n,) whose face each is.
        euclidean: L2 distance of the vectors as they are, instead of 1 - cosine.
    """
    gram = vectors @ vectors.T
    if euclidean:
        squares = np.diag(gram)
        distances = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * gram, 0))
    else:
        distances = 1 - gram
    first, second = np.triu_indices(len(vectors), 1)
    flat, same = distances[first, second], people[first] == people[second]
    return Pairs(flat[same], people[first[same]], flat[~same])


def limit_at(different: FloatArray, far: float) -> float:
    """Return the greatest distance that accepts at most this rate of different-person pairs."""
    count = int(np.floor(far * len(different)))
    if count == 0:
        return float(different.min()) - 1e-6
    return float(np.partition(different, count - 1)[count - 1])


def tar_at_far(found: Pairs, far: float) -> float:
    """Return the rate of same-person pairs accepted at a rate of different-person pairs."""
    return float((found.same <= limit_at(found.different, far)).mean())


def by_person(found: Pairs, limit: float) -> tuple[IntArray, IntArray]:
    """Return how many pairs of each person are accepted at a limit, and how many there are."""
    people, index = np.unique(found.same_person, return_inverse=True)
    accepted = np.bincount(index, found.same <= limit, len(people)).astype(np.int64)
    return accepted, np.bincount(index, minlength=len(people)).astype(np.int64)


def bootstrap(
    statistic: Callable[[IntArray], float], people: int, *, draws: int = 1000, seed: int = 0
) -> Interval:
    """Return the 95 % interval of a statistic over people drawn with replacement.

    People, not pairs: the pairs of one person stand or fall together.

    Args:
        statistic: of the (people,) indices drawn.
        people: how many there are.
        draws: how many times.
        seed: of the generator, so that a figure can be printed again.
    """
    generator = np.random.default_rng(seed)
    values = [statistic(generator.integers(0, people, people)) for _ in range(draws)]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Grouping:
    """How well groups match people: F, precision and recall, by face and by pair."""

    bcubed: float
    bcubed_precision: float
    bcubed_recall: float
    pairwise: float
    pairwise_precision: float
    pairwise_recall: float


def grouping(groups: IntArray, people: IntArray) -> Grouping:
    """Compare groups with people.

    Args:
        groups: (n,) labels; a face alone has a label of its own.
        people: (n,) whose face each is.

    Source:
        Amigo et al., A comparison of extrinsic clustering evaluation metrics, 2009.
    """
    _, cell = np.unique(np.stack([groups, people]), axis=1, return_inverse=True)
    _, group = np.unique(groups, return_inverse=True)
    _, person = np.unique(people, return_inverse=True)
    cells, group_sizes, person_sizes = (
        np.bincount(x).astype(np.float64) for x in (cell, group, person)
    )
    precision = float((cells[cell] / group_sizes[group]).mean())
    recall = float((cells[cell] / person_sizes[person]).mean())
    shared, in_groups, in_people = (_pairs_within(x) for x in (cells, group_sizes, person_sizes))
    pair_precision, pair_recall = _ratio(shared, in_groups), _ratio(shared, in_people)
    return Grouping(
        _f(precision, recall), precision, recall,
        _f(pair_precision, pair_recall), pair_precision, pair_recall,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DetectionCount:
    """Detection on one photo: labelled faces, those found, and boxes that touch no face."""

    labelled: int
    found: int
    stray: int


def detection(
    boxes: FloatArray, labelled: FloatArray, wanted: Sequence[bool], *, least: float = 0.35
) -> DetectionCount:
    """Compare the boxes found in one photo with labelled ones.

    Args:
        boxes: (n, 4) found.
        labelled: (m, 4).
        wanted: (m,) which labelled faces have to be found; touching any is no false alarm.
        least: the intersection over union at which a face counts as found. Labelled boxes hug
            the face, detectors frame it each in its way: 0.35 accepts all of them.
    """
    found = (iou(labelled, boxes).max(axis=1, initial=0) >= least) & np.asarray(wanted, bool)
    touching = (intersection(boxes, labelled) > 0).any(axis=1)
    return DetectionCount(int(np.sum(wanted)), int(found.sum()), int((~touching).sum()))


def _pairs_within(sizes: DoubleArray) -> float:
    return float((sizes * (sizes - 1) / 2).sum())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def _f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
