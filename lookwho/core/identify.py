"""Identify: which of the people that are known already may each face be?

A known person is found by the mean of a few of their best faces, as in `lookwho.core.match`. Here
all are sought at once, and compete for each face: of two who resemble each other, neither is sure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookwho.core.match import EVEN_ODDS, log_likelihood_ratio
from lookwho.core.types import DoubleArray, FloatArray, IntArray
from lookwho.core.vectors import unit

# The calibration knows up to five references; more would only pull the mean towards everybody.
MOST_REFERENCES = 5
# Less evidence than this is no candidate: among a thousand faces not one in a hundred thousand.
LEAST_EVIDENCE = -5.0
_ROUNDS = 50
_ROWS = 512


@dataclass(frozen=True, slots=True)
class Known:
    """People whose faces are known.

    Attributes:
        vectors: (m, d) float32, the mean of each one's best faces, of unit length.
        references: (m,) int64, how many faces that are.
    """

    vectors: FloatArray
    references: IntArray

    @classmethod
    def of(cls, embeddings: FloatArray, quality: FloatArray, owners: IntArray) -> Known:
        """Choose the best faces of each owner.

        Args:
            embeddings: (n, d) float32 of unit length.
            quality: (n,) from 0 to 1.
            owners: (n,) from 0 to m - 1, each at least once.
        """
        count = int(owners.max(initial=-1)) + 1
        vectors = np.zeros((count, embeddings.shape[1]), np.float32)
        references = np.zeros(count, np.int64)
        order = np.lexsort((-quality, owners))
        starts = np.searchsorted(owners[order], np.arange(count + 1))
        for owner in range(count):
            best = order[starts[owner] : starts[owner + 1]][:MOST_REFERENCES]
            vectors[owner] = unit(embeddings[best].mean(axis=0))
            references[owner] = len(best)
        return cls(vectors, references)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who may be who; what is not listed has a probability of nearly nothing.

    Attributes:
        faces: (c,) int64, in order.
        owners: (c,) int64, which of the known people.
        probabilities: (c,) float64; those of one face sum up to 1 at most, the rest is that it is
            none of them.
    """

    faces: IntArray
    owners: IntArray
    probabilities: DoubleArray


def identify(embeddings: FloatArray, known: Known) -> Candidates:
    """Return who of the known people each face (n, d) may be.

    The prior of each person is their share of these faces, estimated as in `match.Query.score`.
    """
    faces, owners, evidence = _evidence(embeddings, known)
    if not len(faces):
        return Candidates(faces, owners, evidence)
    shares = _shares(owners, evidence, len(embeddings), len(known.references))
    odds = np.exp(evidence) * (shares / (1 - shares))[owners]
    all_odds = 1 + np.bincount(faces, odds, minlength=len(embeddings))
    return Candidates(faces, owners, odds / all_odds[faces])


def _evidence(embeddings: FloatArray, known: Known) -> tuple[IntArray, IntArray, DoubleArray]:
    found: list[tuple[IntArray, IntArray, DoubleArray]] = []
    for references in np.unique(known.references):
        owners = np.flatnonzero(known.references == references)
        vectors = known.vectors[owners].T.astype(np.float64)
        for start in range(0, len(embeddings), _ROWS):
            cosines = embeddings[start : start + _ROWS].astype(np.float64) @ vectors
            weights = log_likelihood_ratio(1 - cosines, int(references))
            rows, columns = np.nonzero(weights >= LEAST_EVIDENCE)
            found.append((rows + start, owners[columns], weights[rows, columns]))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    faces, owners, evidence = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((owners, faces))
    return faces[order], owners[order], evidence[order]


def _shares(owners: IntArray, evidence: DoubleArray, faces: int, people: int) -> DoubleArray:
    """Return (people,) shares of the faces, by expectation maximisation."""
    least = 1 / (faces + 1)
    shares = np.full(people, least)
    for _ in range(_ROUNDS):
        odds = np.exp(evidence) * (shares / (1 - shares))[owners]
        theirs = np.bincount(owners, odds / (1 + odds), minlength=people)
        shares = np.clip(theirs / faces, least, EVEN_ODDS)
    return shares
