"""Match: how sure is it that two faces are one person?

A distance is 1 - cosine of two embeddings. A probability says how the distance weighs, from pairs
of people whose names are known, and always has a prior: even odds when two photos are compared;
when a person is sought among many faces, the share of the faces that are theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookwho.core.measured import measured
from lookwho.core.types import DoubleArray, FloatArray
from lookwho.core.vectors import unit

# A probability from here on is called the same person.
SAME = 0.5
EVEN_ODDS = 0.5
# Evidence beyond this is not believed: the calibration saw about a million pairs of strangers, so
# it cannot know what happens more rarely than that.
EVIDENCE_LIMIT = float(np.log(1e6))
# Evidence below this is not looked for in a large library. All that lies farther off is strangers,
# but for one in a hundred pairs of the same person, which no search would call a match.
WORTH_A_LOOK = float(np.log(0.005))
# Rounds in which the share of faces that are the person's is estimated; it settles in a few.
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two faces compared.

    Attributes:
        distance: 1 - cosine, 0 to 2.
        probability: that they are one person, at even odds.
        same: whether Lookwho says so.
    """

    distance: float
    probability: float
    same: bool


@dataclass(frozen=True, slots=True)
class Scores:
    """A person compared with many faces.

    Attributes:
        distances: (n,) float64, 1 - cosine.
        probabilities: (n,) float64, at the prior.
        same: (n,) bool, whether Lookwho calls it a match.
        prior: the estimated share of the faces that are the person's.
    """

    distances: DoubleArray
    probabilities: DoubleArray
    same: NDArray[np.bool_]
    prior: float


@dataclass(frozen=True, slots=True)
class Query:
    """What a person is found by: the mean of the reference embeddings.

    Attributes:
        vector: (d,) float32 of unit length.
        references: how many it is made from; more make the same distance weigh differently.
    """

    vector: FloatArray
    references: int

    @classmethod
    def of(cls, embeddings: FloatArray) -> Query:
        """Make one query of (k, d) reference embeddings of unit length."""
        return cls(unit(embeddings.mean(axis=0)), len(embeddings))

    def score(self, embeddings: FloatArray) -> Scores:
        """Compare with (n, d) embeddings of unit length, among which the person is sought.

        The prior is the share of these faces that are the person's, estimated from the distances
        themselves by expectation maximisation, at least one face and at most half of them.
        """
        distances = _distances(embeddings, self.vector)
        return score_nearest(distances, len(distances), self.references)


def compare_embeddings(a: FloatArray, b: FloatArray) -> Comparison:
    """Compare two embeddings (d,) of unit length at even odds."""
    distance = _distances(a[None], b)
    probability = float(_probability(log_likelihood_ratio(distance, 1), EVEN_ODDS)[0])
    return Comparison(float(distance[0]), probability, probability >= SAME)


def score_nearest(
    distances: DoubleArray, total: int, references: int = 1, people: int | None = None
) -> Scores:
    """Score the nearest of `total` faces by their distances to a query.

    The faces whose distances are not given count as strangers. Where they lie beyond `reach`, the
    probabilities are those of `Query.score` for all faces, to 0.001.

    Args:
        distances: (n,) float64, 1 - cosine.
        total: among how many faces these are the nearest, n at least.
        references: how many the query is made from.
        people: how many people the faces are of, where that is known. The share of the faces that
            are this person's is then taken to be that of the average person at least: of somebody
            who is in few photos, what shows that alone would otherwise be too little to believe
            it. On albums composed of labelled photos (`python -m bench albums`) this finds one
            appearance in a hundred more, and offers one stranger's face in a thousand more.
    """
    evidence = log_likelihood_ratio(distances, references)
    prior = _share(evidence, total, people)
    probabilities = _probability(evidence, prior)
    return Scores(distances, probabilities, probabilities >= SAME, prior)


def reach(references: int = 1) -> float:
    """Return the distance beyond which a face need not be looked at, see `WORTH_A_LOOK`."""
    intercept, slope = _fit(references)
    return ((WORTH_A_LOOK - intercept) / slope) ** 2 / 2


def log_likelihood_ratio(distances: DoubleArray, references: int = 1) -> DoubleArray:
    """Return how much more likely each distance is for one person than for two, as a logarithm.

    A line in the Euclidean distance of the unit vectors, sqrt(2 * distance), fitted by logistic
    regression on labelled photos for 1, 2, 3 and 5 references (`python -m bench calibrate`), and
    cut off at `EVIDENCE_LIMIT`.
    """
    intercept, slope = _fit(references)
    evidence = intercept + slope * np.sqrt(2 * np.maximum(distances, 0))
    return np.clip(evidence, -EVIDENCE_LIMIT, EVIDENCE_LIMIT)


def _distances(embeddings: FloatArray, vector: FloatArray) -> DoubleArray:
    cosines = embeddings.astype(np.float64) @ vector.astype(np.float64)
    return np.maximum(1 - cosines, 0)  # rounding can carry a cosine past 1


def _probability(evidence: DoubleArray, prior: float) -> DoubleArray:
    return 1 / (1 + np.exp(-(evidence + np.log(prior / (1 - prior)))))


def _share(evidence: DoubleArray, total: int, people: int | None = None) -> float:
    share = least = min(max(1 / (total + 1), 1 / people if people else 0.0), EVEN_ODDS)
    for _ in range(_ROUNDS):
        theirs = float(_probability(evidence, share).sum())
        share = min(max(theirs / max(total, 1), least), EVEN_ODDS)
    return share


def _fit(references: int) -> tuple[float, float]:
    """Return intercept and slope of the calibration for so many references, or for fewer."""
    fits = measured()["calibration"]
    return tuple(fits[max((count for count in fits if int(count) <= references), key=int)])
