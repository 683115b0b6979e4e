"""How a distance becomes a probability: logistic regression, and how far it can be believed.

A trial draws k reference photos of a person and compares their mean with all other faces. What is
fitted is the logarithm of how much more likely a distance is for one person than for two, as a
line in r = sqrt(2 * distance), the Euclidean distance of the unit vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lookwho.core.types import DoubleArray, FloatArray, IntArray
from lookwho.core.vectors import unit

# Even odds when two photos are compared; one face in 50 or in 1,000 when a person is sought in
# many photos. One fit has to serve all of them, its tail too.
PRIORS = (0.5, 0.02, 0.001)
# Draws of references for each person, where there is more than one reference.
DRAWS = 8
# More pairs of different people than this tell nothing new.
MOST_PAIRS = 4_000_000
BINS = 15

# What keeps the weights of features small that tell the same as others.
RIDGE = 1e-4

_ROUNDS = 100
_SETTLED = 1e-10

# Intercept and slope.
Line = tuple[float, float]
# From distances (n,) to how much likelier one person is than two, as logarithms (n,).
Evidence = Callable[[DoubleArray], DoubleArray]


@dataclass(frozen=True, slots=True)
class Trials:
    """Distances of people's queries to faces; the weights of each class add up to 1.

    Every person weighs the same, however many photos there are of them.

    Attributes:
        same, same_weights: (m,) to faces of the same person.
        different, different_weights: (k,) to faces of others.
    """

    same: DoubleArray
    same_weights: DoubleArray
    different: DoubleArray
    different_weights: DoubleArray


def trials(embeddings: FloatArray, owners: IntArray, references: int, *, seed: int = 0) -> Trials:
    """Draw references of each person and compare their mean with every other face.

    Args:
        embeddings: (n, d) float32 of unit length.
        owners: (n,) whose face each is.
        references: how many a query is made from; with one, every face is a query.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    _, owners, counts = np.unique(owners, return_inverse=True, return_counts=True)
    able = np.nonzero(counts > references)[0]
    queries: list[tuple[int, FloatArray, IntArray]] = []
    for person in able:
        own = np.nonzero(owners == person)[0]
        draws = [np.roll(own, shift) for shift in range(len(own))]
        if references > 1:
            draws = [generator.permutation(own) for _ in range(DRAWS)]
        for draw in draws:
            query = unit(embeddings[draw[:references]].mean(axis=0))
            queries.append((int(person), query, draw[references:]))
    most = MOST_PAIRS // max(len(queries), 1)
    same: list[tuple[DoubleArray, DoubleArray]] = []
    different: list[tuple[DoubleArray, DoubleArray]] = []
    for person, query, rest in queries:
        distances = 1 - embeddings.astype(np.float64) @ query.astype(np.float64)
        share = 1 / (DRAWS if references > 1 else counts[person])
        same.append((distances[rest], np.full(len(rest), share / len(rest))))
        others = np.nonzero(owners != person)[0]
        if len(others) > most:
            others = generator.choice(others, most, replace=False)
        weights = 1 / counts[owners[others]]
        different.append((distances[others], share * weights / weights.sum()))
    return Trials(*_joined(same), *_joined(different))


def _joined(parts: list[tuple[DoubleArray, DoubleArray]]) -> tuple[DoubleArray, DoubleArray]:
    values, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    return values, weights / weights.sum()


def fit(found: Trials) -> Line:
    """Return intercept and slope of the line that predicts these trials best.

    The loss is the mean over `PRIORS` of the cross entropy in parts of what is lost by knowing the
    prior alone; it has one minimum, which Newton's method finds.
    """
    same, different = distance_root(found.same), distance_root(found.different)
    line, loss = np.zeros(2), np.inf
    step = np.zeros(2)
    for _ in range(_ROUNDS):
        new, slope, curve = _loss(line + step, same, different, found)
        if new > loss and np.abs(step).max() > _SETTLED:
            step = step / 2  # beyond the minimum: half as far
            continue
        line, loss = line + step, new
        step = -np.linalg.solve(curve, slope)
        if np.abs(step).max() <= _SETTLED * max(1.0, float(np.abs(line).max())):
            break
    return float(line[0]), float(line[1])


def _loss(
    line: DoubleArray, same: DoubleArray, different: DoubleArray, found: Trials
) -> tuple[float, DoubleArray, DoubleArray]:
    """Return the loss, its gradient (2,) and its second derivatives (2, 2)."""
    total, slope, curve = 0.0, np.zeros(2), np.zeros((2, 2))
    for prior in PRIORS:
        entropy = -(prior * np.log(prior) + (1 - prior) * np.log(1 - prior))
        for roots, weights, share, sign in (
            (same, found.same_weights, prior, 1),
            (different, found.different_weights, 1 - prior, -1),
        ):
            margin = sign * (line[0] + line[1] * roots + log_odds(prior))
            wrong = 1 / (1 + np.exp(np.clip(margin, -500, 500)))
            weighted = weights * share / entropy / len(PRIORS)
            total += float(weighted @ np.logaddexp(0, -margin))
            pull, stiffness = weighted * wrong, weighted * wrong * (1 - wrong)
            slope -= sign * np.array([pull.sum(), pull @ roots])
            crossed = stiffness @ roots
            curve += np.array([[stiffness.sum(), crossed], [crossed, stiffness @ roots**2]])
    return total, slope, curve


def plane(
    features: DoubleArray, same: np.ndarray, weights: DoubleArray, prior: float
) -> tuple[float, ...]:
    """Return a constant and the weights of features (n, f): logistic regression at a prior.

    The loss is that of `fit`, at one prior, with a little ridge: it has one minimum.

    Args:
        features: (n, f) of pairs.
        same: (n,) bool, whether they are one person.
        weights: (n,) how much each counts, in parts of its class; pairs that are not given, as too
            far apart to be one person, weigh nothing.
        prior: of pairs of the same person.
    """
    middle, spread = features.mean(axis=0), features.std(axis=0)
    table = np.column_stack([np.ones(len(features)), (features - middle) / spread])
    entropy = -(prior * np.log(prior) + (1 - prior) * np.log(1 - prior))
    mass = weights * np.where(same, prior, 1 - prior) / entropy
    ridge = RIDGE * np.append(0.0, np.ones(features.shape[1]))
    sign = np.where(same, 1.0, -1.0)

    def loss(tried: DoubleArray) -> float:
        lost = np.logaddexp(0, -sign * (table @ tried + log_odds(prior)))
        return float(mass @ lost + ridge @ tried**2 / 2)

    found = np.zeros(table.shape[1])
    for _ in range(_ROUNDS):
        wrong = 1 / (1 + np.exp(np.clip(sign * (table @ found + log_odds(prior)), -500, 500)))
        slope = table.T @ (-sign * mass * wrong) + ridge * found
        curve = (table * (mass * wrong * (1 - wrong))[:, None]).T @ table + np.diag(ridge)
        step = -np.linalg.solve(curve + _SETTLED * np.eye(len(found)), slope)
        size = 1.0
        while loss(found + size * step) > loss(found) and size > _SETTLED:
            size /= 2  # beyond the minimum: half as far
        found = found + size * step
        if np.abs(size * step).max() <= _SETTLED * max(1.0, float(np.abs(found).max())):
            break
    slopes = found[1:] / spread
    return float(found[0] - slopes @ middle), *map(float, slopes)


def distance_root(distances: DoubleArray) -> DoubleArray:
    """Return the Euclidean distances of unit vectors from 1 - cosine."""
    return np.sqrt(2 * np.maximum(distances, 0))


def log_odds(probability: float) -> float:
    """Return the logarithm of how much likelier than not.

    >>> log_odds(0.5)
    0.0
    """
    return float(np.log(probability / (1 - probability)))


def error_of(evidence: Evidence, found: Trials, prior: float = 0.5) -> float:
    """Return the expected calibration error of evidence on trials, at a prior."""
    values = evidence(np.concatenate([found.same, found.different])) + log_odds(prior)
    weights = np.concatenate([prior * found.same_weights, (1 - prior) * found.different_weights])
    truth = np.arange(len(values)) < len(found.same)
    return calibration_error(1 / (1 + np.exp(-np.clip(values, -500, 500))), truth, weights)


def along(line: Line) -> Evidence:
    """Return what a line says of distances."""
    return lambda distances: line[0] + line[1] * distance_root(distances)


def calibration_error(
    probabilities: DoubleArray, truth: np.ndarray, weights: DoubleArray | None = None
) -> float:
    """Return by how much probabilities are off on average: ECE, in bins of equal mass.

    Args:
        probabilities: (n,) as predicted.
        truth: (n,) bool, what was the case.
        weights: (n,) how much each counts; None for the same.

    Source:
        Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015,
        with bins of equal mass.

    >>> round(calibration_error(np.full(10, 0.9), np.arange(10) < 8), 6)
    0.1
    """
    mass = np.ones(len(probabilities)) if weights is None else weights
    # Equal ones stay together: cut in two, they would seem off wherever the truth varies.
    values, which = np.unique(probabilities, return_inverse=True)
    masses = np.bincount(which, mass) / mass.sum()
    happened = np.bincount(which, mass * truth) / mass.sum()
    bins = ((np.cumsum(masses) - masses / 2) * BINS).astype(np.int64)
    return float(np.abs(np.bincount(bins, masses * values - happened)).sum())
