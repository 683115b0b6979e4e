"""Vectors in memory: FAISS in half precision, an exact scan, beside SQLite.

Each process has its own copy, loaded from the rows when it is first needed; before each search it
follows `VectorChange`. There is no file to lose, to repair or to erase. SQLite lets one transaction
write at a time, so the order of the changes is the order of their commits, and none is overlooked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from lookwho.core.types import FloatArray, IntArray
from lookwho.library.models import Embedding, Pack, VectorChange
from lookwho.library.vectors.listing import listed

# Rows that are read at once.
CHUNK = 10_000

T = TypeVar("T")

_indexes: dict[tuple[str, int], Index] = {}
_making = threading.Lock()


def near(
    vector: FloatArray,
    pack: Pack,
    count: int,
    within: float | None,
    allowed: IntArray | None = None,
) -> IntArray:
    """Return (n,) ids of the faces nearest to a vector, see `Index.nearest`."""
    return index_of(pack).nearest(vector, count, within, allowed)


def index_of(pack: Pack) -> Index:
    """Return this process's index of a pack.

    Within a transaction it is one that is used once: it may see rows that are never committed,
    whose numbers others will have.
    """
    if connection.in_atomic_block:
        return Index(pack)
    with _making:
        key = str(connection.settings_dict["NAME"]), pack.pk
        return _indexes.setdefault(key, Index(pack))


class Index:
    """The vectors of one pack in memory, for several threads."""

    def __init__(self, pack: Pack) -> None:
        self._pack, self._dim = pack.pk, pack.dim
        self._lock = threading.Lock()
        self._vectors: Any = None
        self._seq = 0  # of the last change that is in it

    def nearest(
        self, vector: FloatArray, count: int, within: float | None, allowed: IntArray | None = None
    ) -> IntArray:
        """Return (n,) ids of the nearest faces, the nearest first, `count` at most.

        Args:
            vector: (dim,) float32.
            count: the most.
            within: the largest distance, as half precision tells it; None for any.
            allowed: ids of the only faces to look at; None for all.
        """
        faiss = _faiss()
        with self._lock:
            self._follow()
            if allowed is None:
                how = None
            elif not len(allowed):
                return np.zeros(0, np.int64)
            else:
                # A bit for each id: whether one is allowed is told in no time. faiss keeps only
                # pointers to what it is given here.
                flags = np.zeros(int(allowed.max()) + 1, np.bool_)
                flags[allowed] = True
                bits = np.packbits(flags, bitorder="little")
                how = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
            count = min(count, int(self._vectors.ntotal))
            if not count:
                return np.zeros(0, np.int64)
            query = np.ascontiguousarray(vector[None], np.float32)
            cosines, face_ids = self._vectors.search(query, count, params=how)
        found = face_ids[0] >= 0
        if within is not None:
            found &= 1 - cosines[0] <= within
        return face_ids[0][found]

    def _follow(self) -> None:
        numbers = VectorChange.objects.order_by("seq").values_list("seq", flat=True)
        newest = numbers.last() or 0
        if self._vectors is not None and newest == self._seq:
            return
        # Changes that were dropped before this process read them, or a database put in its place.
        behind = newest < self._seq or (numbers.first() or 0) > self._seq + 1
        if self._vectors is None or behind:
            self._load()
        else:
            self._apply(newest)
        self._seq = newest

    def _load(self) -> None:
        faiss = _faiss()
        # Made anew and only then put in its place: an error on the way leaves what was.
        kind = faiss.ScalarQuantizer.QT_fp16
        flat = faiss.IndexScalarQuantizer(self._dim, kind, faiss.METRIC_INNER_PRODUCT)
        vectors = faiss.IndexIDMap2(flat)
        rows = Embedding.objects.filter(pack=self._pack, reference=None)
        pairs = rows.values_list("face_id", "vector")
        for chunk in _chunks(pairs.iterator(chunk_size=CHUNK)):
            self._add(vectors, chunk)
        self._vectors = vectors

    def _apply(self, newest: int) -> None:
        """Take up the changes that came since: the last one about each face."""
        since = VectorChange.objects.filter(seq__gt=self._seq, seq__lte=newest, pack_id=self._pack)
        verbs = dict(since.order_by("seq").values_list("face_id", "verb"))
        touched = np.fromiter(verbs, np.int64, len(verbs))
        # What was loaded may be ahead of the changes: none is in it twice.
        known = _faiss().vector_to_array(self._vectors.id_map)
        held = touched[np.isin(touched, known)]
        if len(held):
            self._blank(np.isin(known, held))
            self._vectors.remove_ids(held)
        come = (face for face, verb in verbs.items() if verb == VectorChange.Verb.ADD)
        for faces in _chunks(come):
            rows = Embedding.objects.filter(pack=self._pack, face__in=listed(faces))
            self._add(self._vectors, list(rows.values_list("face_id", "vector")))

    def _blank(self, rows: NDArray[np.bool_]) -> None:
        """Overwrite rows that are about to go: faiss leaves behind the last ones what was there."""
        faiss = _faiss()
        codes = faiss.downcast_index(self._vectors.index).codes
        faiss.rev_swig_ptr(codes.data(), codes.size()).reshape(len(rows), -1)[rows] = 0

    def _add(self, vectors: Any, rows: list[tuple[int, bytes]]) -> None:
        if not rows:
            return
        stored = np.frombuffer(b"".join(bytes(vector) for _, vector in rows), "<f4")
        face_ids = np.array([face for face, _ in rows], np.int64)
        vectors.add_with_ids(stored.reshape(-1, self._dim).astype(np.float32), face_ids)


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _faiss() -> Any:
    # Imported here, since it takes a moment that only those who search should wait.
    import faiss

    faiss.omp_set_num_threads(1)  # of the calling thread: with more, searches slow one another
    return faiss
