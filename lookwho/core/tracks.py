"""Tracks: the same face followed through a stretch of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookwho.core.types import FloatArray
from lookwho.core.vectors import unit

# What a view counts at least, whatever its quality.
LEAST_WEIGHT = 0.05
# What is so many times farther from the mean than the median view is left out, if it is farther
# than this (1 - cosine) at all.
FARTHER = 2.5
NEARBY = 0.05
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class View:
    """One picture of a face in a video.

    Attributes:
        time: in seconds.
        box: (4,) float32 x1, y1, x2, y2 in parts of the upright picture.
        landmarks: (5, 2) float32, in the same parts.
        score: how sure the detector is.
        quality: how well the face can be recognised, 0 to 1.
        embedding: (dim,) float32 of unit length.
        encoding: (128,) float32, dlib's own descriptor; None for packs without one.
        crop: the bytes of a JPEG of the face with some margin; of a track only its best view has
            one, others have none (b"").
    """

    time: float
    box: FloatArray
    landmarks: FloatArray
    score: float
    quality: float
    embedding: FloatArray
    encoding: FloatArray | None
    crop: bytes = b""


@dataclass(frozen=True, slots=True)
class Track:
    """The same face followed through a stretch of a video.

    Attributes:
        start: when it is first seen, in seconds.
        end: when it is last seen.
        path: (n, 5) float32, a row for each time it was looked at, in order of time: the time, and
            the box in parts of the upright picture.
        views: its best few pictures, the best first; one at least.
    """

    start: float
    end: float
    path: FloatArray
    views: tuple[View, ...]


def robust_mean(views: Sequence[View]) -> FloatArray:
    """Return (dim,) float32 of unit length: where most of the views are, the good ones before all.

    Views that lie much farther off than the others do are left out: a hand before the face, a
    moment in profile.
    """
    return unit(_weights(views) @ _embeddings(views))


def robust_encoding(views: Sequence[View]) -> FloatArray | None:
    """Return (128,) float32, the mean of dlib's descriptors of the same views; None without any."""
    encodings = [view.encoding for view in views if view.encoding is not None]
    if len(encodings) < len(views):
        return None
    weights = _weights(views)
    return (weights @ np.stack(encodings) / weights.sum()).astype(np.float32)


def _weights(views: Sequence[View]) -> FloatArray:
    """Return (n,) float32, how much each view counts."""
    vectors = _embeddings(views)
    weights = np.array([max(view.quality, LEAST_WEIGHT) for view in views], np.float32)
    kept = weights
    for _ in range(ROUNDS):
        away = 1 - vectors @ unit(kept @ vectors)
        kept = weights * (away <= max(FARTHER * float(np.median(away)), NEARBY))
    return kept


def _embeddings(views: Sequence[View]) -> FloatArray:
    return np.stack([view.embedding for view in views])
