"""Groups of faces against people: Chinese whispers to compare with, and intervals for F."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookwho.core.types import DoubleArray, FloatArray, IntArray

# As many rounds as dlib's, unless nothing changes any more.
ROUNDS = 100
_ROWS = 512


def chinese_whispers(vectors: FloatArray, limit: float, *, seed: int = 0) -> IntArray:
    """Group faces as dlib's example does: each takes the label that most of its neighbours have.

    dlib picks the next face at random; here every round visits all of them in a random order. As
    there, a face is a neighbour of its own, and of equally common labels the lowest wins.

    Args:
        vectors: (n, d) float32.
        limit: faces at a smaller Euclidean distance are neighbours.
        seed: of the order.

    Returns:
        (n,) int64 labels; a face alone has a label of its own.

    Source:
        Biemann, Chinese whispers: an efficient graph clustering algorithm, TextGraphs 2006.
    """
    neighbours = _neighbours(vectors, limit)
    labels = np.arange(len(vectors))
    generator = np.random.default_rng(seed)
    for _ in range(ROUNDS):
        changed = False
        for face in generator.permutation(len(vectors)):
            common = int(np.bincount(labels[neighbours[face]]).argmax())
            changed |= common != labels[face]
            labels[face] = common
        if not changed:
            break
    return labels


def _neighbours(vectors: FloatArray, limit: float) -> list[IntArray]:
    squares = (vectors * vectors).sum(axis=1)
    lists: list[IntArray] = []
    for start in range(0, len(vectors), _ROWS):
        some = slice(start, start + _ROWS)
        near = squares[some, None] + squares[None, :] - 2 * (vectors[some] @ vectors.T) < limit**2
        np.fill_diagonal(near[:, start:], True)
        lists += [np.nonzero(row)[0] for row in near]
    return lists


@dataclass(frozen=True, slots=True)
class Agreement:
    """How groups and people overlap, counted so that people can be drawn anew.

    A cell is the faces that one person has in one group.

    Attributes:
        person, group, faces: (cells,) of each cell.
        sizes: (people,) faces of each person.
    """

    person: IntArray
    group: IntArray
    faces: DoubleArray
    sizes: DoubleArray

    @classmethod
    def of(cls, groups: IntArray, owners: IntArray) -> Agreement:
        """Count; groups (n,) with -1 for a face alone, owners (n,)."""
        alone = groups < 0
        groups = np.where(alone, groups.max(initial=0) + 1 + np.arange(len(groups)), groups)
        _, owners = np.unique(owners, return_inverse=True)
        _, groups = np.unique(groups, return_inverse=True)
        cells, faces = np.unique(np.stack([owners, groups]), axis=1, return_counts=True)
        sizes = np.bincount(owners).astype(np.float64)
        return cls(cells[0], cells[1], faces.astype(np.float64), sizes)

    def scores(self, counts: IntArray) -> DoubleArray:
        """Return B-cubed F, precision and recall, and the same by pairs (6,).

        Args:
            counts: (people,) how often each person is drawn. Two copies of a person are not
                compared with each other: their faces would always lie in the same group. How
                precise a group is for a face, of which B-cubed is the mean, stays as it is.
        """
        often = counts[self.person].astype(np.float64)
        mass = often * self.faces
        precise = self.faces / np.bincount(self.group, self.faces)[self.group]
        precision = float(mass @ precise / mass.sum())
        recall = float(mass @ (self.faces / self.sizes[self.person]) / mass.sum())
        others = np.bincount(self.group, mass)[self.group] - mass
        shared = float(mass @ (self.faces - 1))
        grouped = shared + float(mass @ others)
        people = float(counts @ (self.sizes * (self.sizes - 1)))
        pair_precision = shared / grouped if grouped else 1.0
        pair_recall = shared / people if people else 1.0
        return np.array([
            _f(precision, recall), precision, recall,
            _f(pair_precision, pair_recall), pair_precision, pair_recall,
        ])  # fmt: skip


def _f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
