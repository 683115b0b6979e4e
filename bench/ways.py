"""Ways to group faces that others have, each with all the settings that are tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering

from bench.people import People
from lookwho.core.types import FloatArray, IntArray

# As many rounds as dlib's, unless nothing changes any more.
ROUNDS = 100
_ROWS = 512
# What each way is tuned over: Euclidean distances,
_RAW = tuple(np.arange(0.38, 0.51, 0.01).round(2).tolist())
_UNIT = tuple(np.arange(0.24, 0.37, 0.01).round(2).tolist())
# 1 - cosine,
_COSINE = tuple(np.arange(0.044, 0.084, 0.002).round(3).tolist())
# and how many faces make a core, and are taken for a face's surroundings.
_CORES, _SAMPLES = (2, 3), (1, 2, 3, 4, 5)
# What scikit-learn takes, and its types say that it does not.
_NONE: Any = None
_YES: Any = True

Grouper = Callable[[People], IntArray]


@dataclass(frozen=True, slots=True)
class Rival:
    """A way of grouping, with all settings to try.

    Attributes:
        title: what it is.
        tries: settings in words, and the groups that they make.
        made: whether faces that are made can be grouped so, in minutes.
    """

    title: str
    tries: tuple[tuple[str, Grouper], ...]
    made: bool = False


def rivals(*, quick: bool) -> list[Rival]:
    """Return the ways that others group; `quick` ones whisper with every second limit only."""
    step = 2 if quick else 1

    def whispers(title: str, limits: Sequence[float], *, raw: bool, weighted: bool) -> Rival:
        def one(limit: float) -> Grouper:
            return lambda people: chinese_whispers(
                people.encodings if raw else people.embeddings, limit, weighted=weighted
            )

        tries = tuple((f"{limit}", one(limit)) for limit in limits[::step])
        return Rival(f"Chinese whispers, {title}", tries, made=not raw and not weighted)

    return [
        whispers("raw Euclidean", _RAW, raw=True, weighted=False),
        whispers("raw Euclidean, weighted", _RAW, raw=True, weighted=True),
        whispers("embeddings", _UNIT, raw=False, weighted=False),
        whispers("embeddings, weighted", _UNIT, raw=False, weighted=True),
        Rival(
            "average linkage, cosine",
            tuple((f"{limit}", average(limit)) for limit in _COSINE),
            made=True,
        ),
        Rival(
            "connected components",
            tuple((f"{limit}", _dbscan(limit, 1)) for limit in _UNIT),
            made=True,
        ),
        Rival(
            "DBSCAN",
            tuple(
                (f"{limit}, {core} a core", _dbscan(limit, core))
                for core in _CORES
                for limit in _UNIT
            ),
            made=True,
        ),
        Rival(
            "HDBSCAN, groups of 2",
            tuple(
                (f"{samples} sample{'s' * (samples > 1)}, {chosen}", _hdbscan(samples, chosen))
                for samples in _SAMPLES
                for chosen in ("eom", "leaf")
            ),
        ),
    ]


def average(limit: float) -> Grouper:
    """Return average linkage up to a mean distance (1 - cosine)."""

    def linked(people: People) -> IntArray:
        apart = np.maximum(1 - people.embeddings @ people.embeddings.T, 0)
        found = AgglomerativeClustering(
            n_clusters=_NONE, metric="precomputed", linkage="average", distance_threshold=limit
        ).fit(apart)
        return np.asarray(found.labels_, np.int64)

    return linked


def _dbscan(limit: float, core: int) -> Grouper:
    def dbscan(people: People) -> IntArray:
        found = DBSCAN(eps=limit, min_samples=core).fit(people.embeddings)
        return np.asarray(found.labels_, np.int64)

    return dbscan


def _hdbscan(samples: int, chosen: str) -> Grouper:
    def hdbscan(people: People) -> IntArray:
        found = HDBSCAN(
            min_cluster_size=2, min_samples=samples, cluster_selection_method=chosen, copy=_YES
        ).fit(people.embeddings)
        return np.asarray(found.labels_, np.int64)

    return hdbscan


def chinese_whispers(
    vectors: FloatArray, limit: float, *, weighted: bool = False, seed: int = 0
) -> IntArray:
    """Group faces as dlib's example does: each takes the label that most of its neighbours have.

    dlib picks the next face at random; here every round visits all of them in a random order. As
    there, a face is a neighbour of its own, and of equally common labels the lowest wins.

    Args:
        vectors: (n, d) float32.
        limit: faces at a smaller Euclidean distance are neighbours.
        weighted: whether a neighbour counts for more the nearer it is, from 1 to 0 at the limit.
            A face then does not count for itself, or no two would ever become one.
        seed: of the order.

    Returns:
        (n,) int64 labels; a face alone has a label of its own.

    Source:
        Biemann, Chinese whispers: an efficient graph clustering algorithm, TextGraphs 2006.
    """
    neighbours, weights = _neighbours(vectors, limit, itself=not weighted)
    labels = np.arange(len(vectors))
    generator = np.random.default_rng(seed)
    for _ in range(ROUNDS):
        changed = False
        for face in generator.permutation(len(vectors)):
            near = labels[neighbours[face]]
            if not len(near):
                continue
            common = int(np.bincount(near, weights[face] if weighted else None).argmax())
            changed |= common != labels[face]
            labels[face] = common
        if not changed:
            break
    return labels


def _neighbours(
    vectors: FloatArray, limit: float, *, itself: bool
) -> tuple[list[IntArray], list[FloatArray]]:
    """Return the neighbours of each, and how close they are."""
    squares = (vectors * vectors).sum(axis=1)
    lists: list[IntArray] = []
    weights: list[FloatArray] = []
    for start in range(0, len(vectors), _ROWS):
        some = slice(start, start + _ROWS)
        away = squares[some, None] + squares[None, :] - 2 * (vectors[some] @ vectors.T)
        near = away < limit**2
        np.fill_diagonal(near[:, start:], itself)
        for row, kept in zip(away, near, strict=True):
            lists.append(np.flatnonzero(kept))
            weights.append(1 - np.sqrt(np.maximum(row[kept], 0)) / limit)
    return lists, weights
