"""Calibrate: move and stretch evidence until its probabilities are true of faces with names.

Two numbers are fitted, to faces of known people and of strangers, each half of the weight: so few
that a library of a hundred confirmed faces can tell them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookwho.core.types import DoubleArray, IntArray

# Of faces with names so many have a wrong one, or none that a face can tell. No single face then
# counts for more than log(1 / MISNAMED).
MISNAMED = 0.02
# What is believed before: within so much of what was shipped, with the weight of so many faces.
_SHIFT_SPREAD, _STRETCH_SPREAD, _BELIEF = 1.0, 0.25, 20.0
# The grid around the best so far, at first so wide, and how often it is narrowed.
_STEPS = np.linspace(-1, 1, 9)
_SHIFT_REACH, _STRETCH_REACH, _NARROWED = 4.0, 0.7, 5


@dataclass(frozen=True, slots=True)
class Trials:
    """Faces whose names are known, and the evidence for those that they may have.

    Attributes:
        faces: (c,) int64, from 0 to n - 1.
        values: (c,) float64, the evidence.
        right: (c,) bool, whether it is for the person that the face is.
        strange: (n,) bool, whether the face is of nobody who is known.
        persons: (n,) int64, whose the face is.
        rivals: (n,) float64, the logarithm of how many people are known.
        weights: (n,) float64; a person's faces weigh as much together as their square root.
    """

    faces: IntArray
    values: DoubleArray
    right: np.ndarray
    strange: np.ndarray
    persons: IntArray
    rivals: DoubleArray
    weights: DoubleArray

    @classmethod
    def of(
        cls,
        faces: IntArray,
        owners: IntArray,
        values: DoubleArray,
        truth: IntArray,
        persons: IntArray,
        people: int,
    ) -> Trials:
        """Judge evidence.

        Args:
            faces: (c,) as in `identify.Evidence`.
            owners: (c,) as there.
            values: (c,) as there.
            truth: (n,) which of the owners each face is, -1 for none.
            persons: (n,) whose they are, strangers too.
            people: how many are known.
        """
        _, places, counts = np.unique(persons, return_inverse=True, return_counts=True)
        return cls(
            faces,
            values,
            owners == truth[faces],
            truth < 0,
            persons,
            np.full(len(truth), np.log(max(people, 1))),
            1 / np.sqrt(counts[places]),
        )

    @classmethod
    def joined(cls, parts: Sequence[Trials]) -> Trials:
        """Put several together."""
        if not parts:
            none, nobody = np.zeros(0), np.zeros(0, np.int64)
            return cls(nobody, none, none > 0, none > 0, nobody, none, none)
        starts = np.cumsum([0, *(len(part.strange) for part in parts)])
        return cls(
            np.concatenate(
                [part.faces + start for part, start in zip(parts, starts, strict=False)]
            ),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.right for part in parts]),
            np.concatenate([part.strange for part in parts]),
            np.concatenate([part.persons for part in parts]),
            np.concatenate([part.rivals for part in parts]),
            np.concatenate([part.weights for part in parts]),
        )

    @property
    def known(self) -> int:
        """How many faces of known people there are."""
        return int((~self.strange).sum())

    @property
    def people(self) -> int:
        """How many known people they are of."""
        return len(np.unique(self.persons[~self.strange]))


def settle(trials: Trials, shift: float, scale: float) -> tuple[float, float]:
    """Return the shift and the scale that make evidence true of trials, near to those given."""
    middle = np.array([shift, np.log(scale)])
    believed = middle.copy()
    reach = np.array([_SHIFT_REACH, _STRETCH_REACH])
    for _ in range(_NARROWED):
        tried = [middle + reach * np.array([a, b]) for a in _STEPS for b in _STEPS]
        losses = [_loss(trials, believed, each) for each in tried]
        middle = tried[int(np.argmin(losses))]
        reach = reach * 0.3
    return float(middle[0]), float(np.exp(middle[1]))


def _loss(trials: Trials, believed: DoubleArray, tried: DoubleArray) -> float:
    """Return what is lost, at even odds that a face is of somebody known."""
    values = (
        np.minimum(tried[0] + np.exp(tried[1]) * trials.values, 500) - trials.rivals[trials.faces]
    )
    count = len(trials.strange)
    level = np.zeros(count)
    np.maximum.at(level, trials.faces, values)
    odds = np.exp(values - level[trials.faces])
    none = np.exp(-level)
    total = none + np.bincount(trials.faces, odds, minlength=count)
    right = np.bincount(trials.faces, np.where(trials.right, odds, 0), minlength=count)
    probability = np.where(trials.strange, none, right) / total
    loss = -np.log(MISNAMED + (1 - 2 * MISNAMED) * probability) * trials.weights
    belief = ((tried - believed) / np.array([_SHIFT_SPREAD, _STRETCH_SPREAD])) ** 2
    mean = sum(
        float(loss[side].sum() / trials.weights[side].sum()) / 2
        for side in (trials.strange, ~trials.strange)
        if side.any()
    )
    return mean + _BELIEF / max(trials.known, 1) * float(belief.sum()) / 2
