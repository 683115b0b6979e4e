"""Reliability: how often a suggestion is right, how many faces are missed, how true a probability.

About faces whose truth is known and of which nothing was learned (`lookwho.core.trial`). What
belongs to one event stands or falls together, so that intervals are drawn over events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookwho.core.types import DoubleArray, IntArray

# Whose face it is where it is nobody's who is known.
NOBODY = 0
# Draws of a bootstrap: the ends of its interval are then sure to a tenth of their distance.
DRAWS = 2000
BINS = 15
# No probability is believed to be surer than this when it turns out wrong.
_LEAST = 1e-3
# Draws at once, so that a library with very many events needs no more memory.
_AT_ONCE = 200

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What was said of n faces, and what is true.

    Attributes:
        people: (n,) int64, the likeliest person.
        probabilities: (n,) float64, that it is them.
        truth: (n,) int64, who it is, or NOBODY.
        known: (n,) bool, whether there was anything to know that person by.
        events: (n,) int64, from 0, what the face's photo belongs to.
    """

    people: IntArray
    probabilities: DoubleArray
    truth: IntArray
    known: Bools
    events: IntArray

    @property
    def correct(self) -> Bools:
        """Whether the likeliest person is the one."""
        return (self.people == self.truth) & (self.truth != NOBODY)

    def only(self, faces: Bools) -> Outcomes:
        """Return some of them."""
        return Outcomes(
            self.people[faces],
            self.probabilities[faces],
            self.truth[faces],
            self.known[faces],
            np.unique(self.events[faces], return_inverse=True)[1].astype(np.int64),
        )

    def counting(self, known: Bools) -> Outcomes:
        """Return the same, with other faces taken for those of known people."""
        return replace(self, known=known)

    def right(self, threshold: float) -> Bools:
        """Which faces get the right name."""
        return self.correct & (self.probabilities >= threshold)

    def wrong(self, threshold: float) -> Bools:
        """Which faces get a name that is not theirs."""
        return ~self.correct & (self.probabilities >= threshold)

    def missed(self, threshold: float) -> Bools:
        """Which faces of known people get no name."""
        return self.known & (self.probabilities < threshold)

    def losses(self, threshold: float) -> DoubleArray:
        """Return 1 for each face with a wrong name or without the name that it should have."""
        return (self.wrong(threshold) | self.missed(threshold)).astype(np.float64)

    def surprise(self) -> DoubleArray:
        """Return the logarithmic loss of each probability: small where it was sure and right."""
        sure = np.clip(self.probabilities, _LEAST, 1 - _LEAST)
        return -np.log(np.where(self.correct, sure, 1 - sure))


class Share(NamedTuple):
    """A share with its 95 % interval, each from 0 to 1; 0 to 1 where nothing is known."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """The mean of a paired difference with its 95 % interval."""

    mean: float
    low: float
    high: float


class Bin(NamedTuple):
    """Faces of about the same probability: how many, its mean, and the share that was right."""

    faces: int
    said: float
    right: float


# Where nothing is known.
UNSURE = Share(0.0, 0.0, 1.0)


class Cost(NamedTuple):
    """What a threshold costs.

    Attributes:
        threshold: from 0 to 1.
        right: faces that get the right name.
        wrong: faces that get a name that is not theirs.
        missed: faces of known people that get none.
        precise: the share of the names given that is right.
        lost: the share of the faces of known people that is missed.
    """

    threshold: float
    right: int
    wrong: int
    missed: int
    precise: Share
    lost: Share

    @classmethod
    def of(cls, row: Sequence[Any]) -> Cost:
        """Make one of its parts, as JSON may have held them."""
        threshold, right, wrong, missed, precise, lost = row
        return cls(threshold, right, wrong, missed, Share(*precise), Share(*lost))

    def to_json(self) -> list[Any]:
        """Return what JSON can hold."""
        return [*self[:4], _rounded(self.precise), _rounded(self.lost)]


def shares(parts: Bools, wholes: Bools, events: IntArray) -> list[Share]:
    """Return how large a part of each whole is, with its interval over events.

    Where all or nothing is, a bootstrap sees no doubt: there the interval ends at the share that
    would be seen so with a probability of 5 %, three in the number of events ("rule of three").

    Args:
        parts: (n, k) which faces count, in each of k shares.
        wholes: (n, k) of which.
        events: (n,) int64, from 0.
    """
    above, below = _by_event(parts & wholes, events), _by_event(wholes, events)
    drawn = [(weights @ above, weights @ below) for weights in _draws(len(above))]
    tops, bottoms = (np.concatenate(each) for each in zip(*drawn, strict=True))
    found: list[Share] = []
    for at in range(parts.shape[1]):
        part, whole = above[:, at].sum(), below[:, at].sum()
        if not whole:
            found.append(UNSURE)
            continue
        some = bottoms[:, at] > 0
        low, high = np.percentile(tops[some, at] / bottoms[some, at], [2.5, 97.5])
        doubt = min(1.0, 3 / float((below[:, at] > 0).sum()))
        low = min(low, 1 - doubt) if part == whole else low
        high = max(high, doubt) if not part else high
        found.append(Share(float(part / whole), float(low), float(high)))
    return found


def difference(before: DoubleArray, after: DoubleArray, events: IntArray) -> Difference:
    """Return how much smaller losses became, on the same faces, with its interval over events.

    Args:
        before: (n,) losses.
        after: (n,) losses of the same faces.
        events: (n,) int64, from 0.
    """
    if not len(events):
        return Difference(0.0, 0.0, 0.0)
    gains, counts = _by_event(before - after, events), _by_event(np.ones(len(events)), events)
    means = [(weights @ gains) / (weights @ counts) for weights in _draws(len(counts))]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return Difference(float(gains.sum() / counts.sum()), float(low), float(high))


def reliability(probabilities: DoubleArray, right: Bools, *, bins: int = BINS) -> list[Bin]:
    """Return bins of equal mass, the least probable first: what was said, and what was true."""
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [
        Bin(len(part), float(probabilities[part].mean()), float(right[part].mean()))
        for part in parts
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean distance of what was said from what was true, over all faces."""
    total = sum(each.faces for each in bins)
    return sum(each.faces * abs(each.said - each.right) for each in bins) / total if total else 0.0


def costs(outcomes: Outcomes, thresholds: Sequence[float]) -> list[Cost]:
    """Return what each threshold costs."""
    if not len(outcomes.truth):
        return [Cost(each, 0, 0, 0, UNSURE, UNSURE) for each in thresholds]
    right, wrong, missed = (
        np.stack([which(each) for each in thresholds], axis=1)
        for which in (outcomes.right, outcomes.wrong, outcomes.missed)
    )
    known = np.repeat(outcomes.known[:, None], len(thresholds), axis=1)
    precise = shares(right, right | wrong, outcomes.events)
    lost = shares(missed, known, outcomes.events)
    sums = [each.sum(axis=0).tolist() for each in (right, wrong, missed)]
    return [Cost.of(row) for row in zip(thresholds, *sums, precise, lost, strict=True)]


@dataclass(frozen=True, slots=True)
class Standing:
    """One person in an audit.

    Attributes:
        faces: of theirs, where there was anything to know them by.
        right: that got their name.
        wrong: that got another one's.
        missed: that got none.
        taken: faces of others that got their name.
    """

    faces: int
    right: int
    wrong: int
    missed: int
    taken: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What an audit shows, as it is kept: counts, and nothing of any face.

    Attributes:
        faces: whose truth is known.
        known: of these, of people who could be known.
        costs: of each threshold.
        bins: what was said and what was true.
        people: how each person fares, by id, at the threshold of the time.
    """

    faces: int
    known: int
    costs: list[Cost]
    bins: list[Bin]
    people: dict[int, Standing]

    @classmethod
    def of(cls, outcomes: Outcomes, thresholds: Sequence[float], threshold: float) -> Figures:
        """Count."""
        return cls(
            len(outcomes.truth),
            int(outcomes.known.sum()),
            costs(outcomes, thresholds),
            reliability(outcomes.probabilities, outcomes.correct),
            _standings(outcomes, threshold),
        )

    def at(self, threshold: float) -> Cost:
        """Return what the threshold costs, or the one nearest to it."""
        return min(self.costs, key=lambda cost: abs(cost.threshold - threshold))

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "faces": self.faces,
            "known": self.known,
            "costs": [cost.to_json() for cost in self.costs],
            "bins": [[each.faces, *_rounded(each[1:])] for each in self.bins],
            "people": {str(who): list(astuple(each)) for who, each in self.people.items()},
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Figures:
        """Read what `to_json` returned."""
        return cls(
            told["faces"],
            told["known"],
            [Cost.of(row) for row in told["costs"]],
            [Bin(*row) for row in told["bins"]],
            {int(who): Standing(*row) for who, row in told["people"].items()},
        )


def _standings(outcomes: Outcomes, threshold: float) -> dict[int, Standing]:
    right, wrong, missed = (
        which(threshold) for which in (outcomes.right, outcomes.wrong, outcomes.missed)
    )
    people = np.unique(np.concatenate([outcomes.truth[outcomes.known], outcomes.people[wrong]]))
    found: dict[int, Standing] = {}
    for who in people.tolist():
        theirs = outcomes.known & (outcomes.truth == who)
        found[who] = Standing(
            faces=int(theirs.sum()),
            right=int((theirs & right).sum()),
            wrong=int((theirs & wrong).sum()),
            missed=int((theirs & missed).sum()),
            taken=int((wrong & (outcomes.people == who)).sum()),
        )
    return found


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(value, 4) for value in values]


def _by_event(values: NDArray[np.generic], events: IntArray) -> DoubleArray:
    """Return the sums of (n,) or (n, k) values in each event."""
    sums = np.zeros((int(events.max()) + 1, *values.shape[1:]))
    np.add.at(sums, events, values.astype(np.float64))
    return sums


def _draws(count: int) -> Iterable[DoubleArray]:
    """Yield (k, count) how often each event is drawn, in parts; the same ones every time."""
    generator = np.random.default_rng(0)
    for start in range(0, DRAWS, _AT_ONCE):
        some = min(_AT_ONCE, DRAWS - start)
        picks = generator.integers(0, count, (some, count))
        picks += np.arange(some)[:, None] * count
        yield np.bincount(picks.ravel(), minlength=some * count).reshape(some, count).astype(float)
