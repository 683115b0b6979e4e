"""Resemblance: what the vector of a face says for and against its being a known person's.

The cosine to the mean of the person's confirmed faces says most. What else there is to know is how
unusual such a cosine is: a face that resembles many strangers resembles this person for nothing,
and a person whom many strangers resemble is found in too many faces. Both are told by how densely
others lie around them, and by how much of what all faces have in common they have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lookwho.core.types import DoubleArray, FloatArray, IntArray

# What is told of a face and a person. The crowd is how densely all others lie around them, once
# what everybody has in common is taken away.
FEATURES = ("cosine", "centred", "face mean", "person mean", "face crowd", "person crowd")
# How sharply nearness counts in a crowd: e-fold for cosines that differ by one part in so many.
SHARPNESS = 15.0
# A vector so close to a stranger's is that face itself.
SAME_FACE = 0.9999
# Whoever is so much behind the best for a face, by the cosine alone and as a logarithm, is not
# looked at: the other features make up for less.
BEHIND = 6.0
# What is assumed before anybody is seen: one vector in the crowd, at this cosine.
_ASSUMED = 0.1
_ROWS = 256
_TINY = 1e-6


class Pairs(NamedTuple):
    """Faces and who they may be.

    Attributes:
        faces: (c,) int64, in order.
        columns: (c,) int64, places in `Crowd.owners`.
        features: (c, 6) float64, see `FEATURES`.
    """

    faces: IntArray
    columns: IntArray
    features: DoubleArray


@dataclass(frozen=True, slots=True)
class _Compared:
    """Some vectors compared with everybody who counts.

    Attributes:
        along, off: (b,) float32, product with the mean of all and distance from it.
        crowd: (b, p + s) float32, what each of these adds to how densely they lie.
        crowds: (b,) float64, the sums.
    """

    along: FloatArray
    off: FloatArray
    crowd: FloatArray
    crowds: DoubleArray


class Crowd:
    """Known people among strangers.

    Attributes:
        owners: (p + m,) int64, whose each column is: a mean of each of p people, in order, and m
            more vectors that some are known by.
        columns: (p + m, d) float32, these vectors.
        strangers: how many strangers there are.
        width: d.
    """

    def __init__(
        self, means: FloatArray, strangers: FloatArray, more: FloatArray, owners: IntArray
    ) -> None:
        """Compare people with each other and with strangers.

        Args:
            means: (p, d) float32 of unit length, of each person.
            strangers: (s, d) float32 of unit length, of nobody who is known.
            more: (m, d) float32 of unit length, other vectors of known people.
            owners: (m,) int64, whose they are.
        """
        self.owners = np.concatenate([np.arange(len(means)), owners])
        self.strangers, self.width = len(strangers), means.shape[1]
        self._people, self._counted = len(means), len(means) + len(strangers)
        self.columns = np.concatenate([means, more]).astype(np.float32)
        counted = np.concatenate([means, strangers]).astype(np.float32)
        # Of few vectors the mean is little else than those themselves.
        self._mean = (counted.sum(axis=0, dtype=np.float64) / (len(counted) + 1)).astype(np.float32)
        self._square = float(self._mean @ self._mean)
        off = self._distance(counted @ self._mean)
        self._sharp = SHARPNESS * (counted - self._mean) / off[:, None]
        self._strangers = np.ascontiguousarray(strangers, np.float32)
        standings = [np.zeros((0, 2))]
        for start in range(0, len(self.columns), _ROWS):
            compared = self._compare(self.columns[start : start + _ROWS])
            whose = self.owners[start : start + _ROWS]
            standings.append(self._standings(compared, np.arange(len(whose)), whose))
        self._standing = np.concatenate(standings)

    @property
    def size(self) -> int:
        """How many vectors there are to tell how unusual a resemblance is."""
        return max(self._counted - 1, 0)

    def pairs(self, faces: FloatArray, lines: DoubleArray) -> Iterator[Pairs]:
        """Yield who faces may be, block by block; the likeliest by the cosine always.

        Args:
            faces: (n, d) of unit length.
            lines: (p + m, 2) a constant and the weight of the cosine, of each column.
        """
        constants, weights = lines.T.astype(np.float32)
        weighted = (self.columns * weights[:, None]).T
        for start in range(0, len(faces) if self._people else 0, _ROWS):
            block = faces[start : start + _ROWS].astype(np.float32)
            likely = block @ weighted
            likely += constants
            near = likely >= likely.max(axis=1, keepdims=True) - BEHIND
            rows, columns = np.divmod(np.flatnonzero(near), len(self.owners))
            values = likely[rows, columns].astype(np.float64)
            cosines = (values - constants[columns]) / weights[columns]
            face = self._standings(self._compare(block), rows, self.owners[columns])
            person = self._standing[columns]
            yield Pairs(rows + start, columns, self._features(cosines, face, person))

    def _features(
        self, cosines: DoubleArray, face: DoubleArray, person: DoubleArray
    ) -> DoubleArray:
        off = self._distance(face[:, 0]) * self._distance(person[:, 0])
        centred = (cosines - face[:, 0] - person[:, 0] + self._square) / off
        return np.column_stack([
            cosines, centred, face[:, 0], person[:, 0], face[:, 1], person[:, 1]
        ])  # fmt: skip

    def _compare(self, vectors: FloatArray) -> _Compared:
        along = vectors @ self._mean
        off = self._distance(along)
        crowd = ((vectors - self._mean) / off[:, None]) @ self._sharp.T
        np.exp(crowd, out=crowd)
        # A stranger is no crowd around itself.
        high = crowd[:, self._people :] > np.exp(SHARPNESS * SAME_FACE)
        if high.any():
            crowd[:, self._people :][high] = 0
        return _Compared(along, off, crowd, crowd.sum(axis=1, dtype=np.float64))

    def _standings(self, compared: _Compared, rows: IntArray, owners: IntArray) -> DoubleArray:
        """Return (c, 2) the mean and the crowd of faces, without a person's own mean."""
        crowds = np.maximum(compared.crowds[rows] - compared.crowd[rows, owners], 0)
        # The cosine at which all would lie, were they equally near.
        crowds = (crowds + np.exp(SHARPNESS * _ASSUMED)) / (self.size + 1)
        along = compared.along[rows].astype(np.float64)
        return np.column_stack([along, np.log(crowds) / SHARPNESS])

    def _distance(self, along: FloatArray) -> FloatArray:
        """Return how far from the mean vectors of unit length are."""
        return np.sqrt(np.maximum(1 - 2 * along + np.float32(self._square), _TINY))
