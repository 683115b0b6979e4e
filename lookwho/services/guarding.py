"""Guarding: in which photos only people who agreed are kept, and whether a face is one of theirs.

What `services.events` is about, as far as those need it who store vectors.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from django.db.models import Exists, OuterRef
from numpy.typing import NDArray

from lookwho.core.match import Query, log_likelihood_ratio
from lookwho.core.types import FloatArray
from lookwho.library.models import AlbumItem, Consent, Embedding, Reference
from lookwho.library.vectors.listing import listed
from lookwho.services.consents import EVENTS, FIND


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whose vectors may be kept, by one pack.

    Attributes:
        queries: what each of them is found by.
    """

    queries: tuple[Query, ...]

    def theirs(self, vectors: FloatArray) -> NDArray[np.bool_]:
        """Say of (n, d) vectors which are somebody's who agreed: (n,)."""
        kept = np.zeros(len(vectors), np.bool_)
        if not len(vectors):
            return kept
        least = np.log(max(len(self.queries), 1))
        for query in self.queries:
            cosines = vectors.astype(np.float64) @ query.vector.astype(np.float64)
            distances = np.maximum(1 - cosines, 0)
            kept |= log_likelihood_ratio(distances, query.references) >= least
        return kept


def guarded(media: Collection[int]) -> frozenset[int]:
    """Return those of some media in which only people who agreed are kept."""
    items = AlbumItem.objects.filter(media__in=listed(media), album__consenting_only=True)
    return frozenset(items.values_list("media_id", flat=True))


def allowed(pack: int) -> Allowed:
    """Return whose vectors may be kept in guarded photos now."""

    def holds(purpose: str) -> Exists:
        held = Consent.objects.filter(
            user=OuterRef("reference__user"), purpose=purpose, withdrawn_at=None
        )
        return Exists(held)

    rows = Embedding.objects.filter(
        holds(FIND),
        holds(EVENTS),
        pack=pack,
        reference__state=Reference.State.DONE,
        reference__approved=True,
        reference__deleted_at=None,
        reference__user__is_active=True,
    )
    found: dict[int, list[bytes]] = {}
    for user, vector in rows.order_by("pk").values_list("reference__user_id", "vector"):
        found.setdefault(user, []).append(bytes(vector))
    return Allowed(
        tuple(
            Query.of(np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), -1))
            for rows in found.values()
        )
    )
