"""Misuse: whether an account searched for more people than its owner.

Selfies that were removed are kept for a while, so that whoever looks for others cannot hide it by
removing them. Nothing is concluded by itself: owners are shown the account, and its selfies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from django.db.models import QuerySet

from lookwho.core.match import compare_embeddings
from lookwho.core.types import FloatArray
from lookwho.library.models import Embedding, Reference, User

# Two selfies below this probability of being one person, at even odds, are clearly two people's.
CLEARLY = 0.01
# From so many people on an account is flagged: one is its owner.
FLAGGED = 2


@dataclass(frozen=True, slots=True)
class Flagged:
    """An account that searched for several people.

    Attributes:
        user: whose it is.
        faces: how many people its selfies are clearly of.
        references: these selfies, the removed ones too, the newest first.
    """

    user: User
    faces: int
    references: list[Reference]


def different_faces(user: User) -> int:
    """Return of how many clearly different people the selfies of an account are.

    Those that it removed count for as long as they are kept.
    """
    return max(
        (_people(rows) for rows in _by_pack(_selfies().filter(reference__user=user))), default=0
    )


def flagged() -> list[Flagged]:
    """Return the accounts whose selfies are clearly of several people, most people first."""
    theirs: defaultdict[int, list[Embedding]] = defaultdict(list)
    for row in _selfies().select_related("reference__user").order_by("-reference__created_at"):
        reference = row.reference
        if reference is not None and reference.user_id is not None:
            theirs[reference.user_id].append(row)
    found: list[Flagged] = []
    for rows in theirs.values():
        faces = max(_people(each) for each in _by_pack(rows))
        of_them = {row.reference.pk: row.reference for row in rows if row.reference}
        references = list(of_them.values())
        user = references[0].user
        if faces >= FLAGGED and user is not None:
            found.append(Flagged(user, faces, references))
    return sorted(found, key=lambda each: (-each.faces, each.user.username))


def is_flagged(user: User) -> bool:
    """Return whether owners are told of this account."""
    return different_faces(user) >= FLAGGED


def _selfies() -> QuerySet[Embedding]:
    return Embedding.objects.exclude(reference=None).exclude(reference__user=None)


def _by_pack(rows: Iterable[Embedding]) -> list[list[FloatArray]]:
    """Return the vectors of each pack: those of two are never compared."""
    packs: defaultdict[int, list[FloatArray]] = defaultdict(list)
    for row in rows:
        packs[row.pack_id].append(np.frombuffer(row.vector, "<f4"))
    return list(packs.values())


def _people(vectors: Sequence[FloatArray]) -> int:
    """Return how many people these are of: whoever may be the same is taken to be."""
    group = list(range(len(vectors)))
    for one, other in combinations(range(len(vectors)), 2):
        if compare_embeddings(vectors[one], vectors[other]).probability >= CLEARLY:
            old, new = group[other], group[one]
            group = [new if each == old else each for each in group]
    return len(set(group))
