"""Vectors: which faces are nearest to a vector, within a scope.

This package alone knows where vectors are searched: beside SQLite in memory (`memory`), on
PostgreSQL in a table that pgvector searches (`postgres`). Both hold copies in half precision, which
only choose candidates. What is returned is measured with the float32 bytes in `Embedding`, which
are the truth, so both return the same, and a face that is gone from there is never found.

The scope is asked anew in each search; what it allows is never remembered.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from django.db import connection, transaction
from django.db.models import QuerySet

from lookwho.core.errors import Invalid
from lookwho.core.types import DoubleArray, FloatArray, IntArray
from lookwho.library.models import Embedding, Face, Pack, VectorChange
from lookwho.library.scope import Scope
from lookwho.library.vectors import memory, postgres
from lookwho.library.vectors.listing import listed

# Changes that are kept for those who follow; who is further behind starts afresh.
KEPT = 100_000
# What half precision can make of a distance of 0.1 is off by 0.0002 at most: a cosine of two unit
# vectors whose parts each have 11 bits. Candidates are chosen with more than that to spare.
BLUR = 1e-3
# How many more than are wanted are looked at first, in the hope that the scope allows enough; and
# how many more where all are allowed, since what half precision puts last may not be.
GENEROSITY, AT_LEAST = 4, 200
SPARE = 32
# For how many seconds, and of how many scopes, the number of faces is remembered, unless more than
# this share of them came or went meanwhile.
COUNT_LASTS, COUNTS = 600.0, 1000
COUNT_DRIFT = 0.02
_counts: dict[tuple[str, Scope], tuple[int, int, float]] = {}


@dataclass(frozen=True, slots=True)
class Nearest:
    """The faces nearest to a vector, the nearest first.

    Attributes:
        face_ids: (n,) int64.
        distances: (n,) float64, 1 - cosine.
    """

    face_ids: IntArray
    distances: DoubleArray


def added(rows: Iterable[tuple[int, int, FloatArray]]) -> None:
    """Take up vectors whose `Embedding` was just stored, in the caller's transaction.

    Args:
        rows: id of the face, id of the pack, (dim,) vector of unit length.
    """
    known = list(rows)
    if _on_postgres():
        postgres.insert(known)
    VectorChange.objects.bulk_create(
        VectorChange(verb=VectorChange.Verb.ADD, face_id=face, pack_id=pack)
        for face, pack, _ in known
    )


def removed(face_ids: Iterable[int]) -> None:
    """Forget the vectors of faces, by every pack, in the caller's transaction."""
    known = list(face_ids)
    packs = list(Pack.objects.values_list("pk", flat=True))
    if _on_postgres():
        postgres.delete(known, packs)
    VectorChange.objects.bulk_create(
        VectorChange(verb=VectorChange.Verb.REMOVE, face_id=face, pack_id=pack)
        for face in known
        for pack in packs
    )


def nearest(
    scope: Scope,
    vector: FloatArray,
    pack: Pack,
    *,
    limit: int = 100,
    within: float | None = None,
) -> Nearest:
    """Return the faces of the scope that are nearest to a vector.

    Args:
        scope: what may be found; faces said to be none and media that lie nowhere never are.
        vector: (dim,) float32 of unit length, made by `pack`.
        pack: whose vectors are searched.
        limit: the most that are returned.
        within: the largest distance; None for any.

    Raises:
        Invalid: the vector is not one of this pack's.
    """
    if vector.shape != (pack.dim,) or not np.isfinite(vector).all():
        raise Invalid(f"a vector of pack {pack.name} has {pack.dim} numbers, not {vector.shape}")
    if limit < 1:
        return _measured([], vector, limit, within)
    backend = postgres if _on_postgres() else memory
    reach = None if within is None else within + BLUR
    count = max(GENEROSITY * limit, AT_LEAST)
    # First the nearest of all are looked at, and which of them the scope allows. Only where these
    # are too few is the scope listed and searched: a large one seldom, and a small one is fast.
    near = backend.near(vector, pack, count, reach)
    found = _allowed(scope, pack, near)
    if len(near) == count and len(found) < limit:
        everyone = np.fromiter(_faces(scope).values_list("pk", flat=True), np.int64)
        found = _allowed(scope, pack, backend.near(vector, pack, limit + SPARE, reach, everyone))
    return _measured(found, vector, limit, within)


def searched(scope: Scope) -> int:
    """Return among about how many faces a search in this scope looks.

    It serves to estimate a share, so what was counted a moment ago is good enough.
    """
    if connection.in_atomic_block:
        return _faces(scope).count()  # of rows that nobody else may ever see
    key, now = (str(connection.settings_dict["NAME"]), scope), time.monotonic()
    newest, _ = version()
    count, told, until = _counts.get(key, (0, 0, 0.0))
    if now > until or abs(newest - told) > COUNT_DRIFT * count:
        count = _faces(scope).count()
        if len(_counts) >= COUNTS:
            _counts.clear()
        _counts[key] = count, newest, now + COUNT_LASTS
    return count


def version() -> tuple[int, int]:
    """Return what differs after any vector came or went: to know whether an answer is still good.

    On PostgreSQL the last number alone would not do: a lower one can be committed after it.
    """
    newest = VectorChange.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    return newest, VectorChange.objects.count() if _on_postgres() else 0


def tend(*, keep: int = KEPT, exact: int = postgres.EXACT) -> None:
    """Put in order what searches rely on; to be called now and then, outside a transaction.

    Drops old changes. On PostgreSQL it makes good what the table of vectors lacks, after a backup
    was restored say, and makes the index of a pack that has grown large.

    Args:
        keep: so many changes stay, for those who follow them.
        exact: from so many vectors on a pack gets an index.
    """
    newest = VectorChange.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    with transaction.atomic():
        VectorChange.objects.filter(seq__lte=newest - keep).delete()
    if _on_postgres():
        postgres.tend(exact)


def _faces(scope: Scope) -> QuerySet[Face]:
    """Return what `scope.faces()` returns, asked for in the way that lists all of them fastest."""
    if scope.unlimited:
        return scope.faces()
    return Face.objects.filter(dismissed=False, media__in=scope.media().values("pk"))


def _allowed(scope: Scope, pack: Pack, face_ids: IntArray) -> list[tuple[int, bytes]]:
    """Return those of some faces that the scope allows, with their vectors."""
    if not len(face_ids):
        return []
    faces = scope.faces().filter(pk__in=listed(face_ids.tolist()))
    rows = Embedding.objects.filter(pack=pack, face__in=faces.values("pk"))
    return list(rows.values_list("face_id", "vector"))


def _measured(
    candidates: list[tuple[int, bytes]], vector: FloatArray, limit: int, within: float | None
) -> Nearest:
    """Return the nearest of these faces, told with their float32 bytes."""
    face_ids = np.array([face for face, _ in candidates], np.int64)
    stored = np.frombuffer(b"".join(bytes(found) for _, found in candidates), "<f4")
    cosines = stored.reshape(-1, len(vector)).astype(np.float64) @ vector.astype(np.float64)
    distances = np.maximum(1 - cosines, 0)
    order = np.lexsort((face_ids, distances))[: max(limit, 0)]
    if within is not None:
        order = order[distances[order] <= within]
    return Nearest(face_ids[order], distances[order])


def _on_postgres() -> bool:
    return connection.vendor == "postgresql"
