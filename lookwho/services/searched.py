"""Searched: that somebody searched by a face, and whose face it was, written down.

Whose it was is kept where that person has an account and is not the one who searched: they see that
they were searched for, and owners see by whom. What was found is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from lookwho.library.models import Guest, SearchLog, User

# What a search was for, beside what a scope is for: curators look for somebody by a face.
BY_FACE = "find_by_face"
# The same search is logged once in so long.
LOG_EVERY = timedelta(hours=1)


def note(
    seeker: User | Guest, purpose: str, matches: int | None, people: Mapping[int, int] = {}
) -> None:
    """Write down a search.

    Args:
        seeker: who searched.
        purpose: what for.
        matches: how many photos were found; None where only whose face it was is of interest.
        people: by the id of each root person whose face it was: how many of their faces it met.
    """
    wanted: dict[int | None, int] = {**people}
    if matches is not None:
        wanted[None] = matches
    if not wanted or not wanted.keys() - _recent(seeker, purpose):
        return
    rows = Guest.objects if isinstance(seeker, Guest) else User.objects
    with transaction.atomic():
        # Of two at once, one logs; a guest who was just forgotten is not.
        if rows.select_for_update().filter(pk=seeker.pk).first() is None:
            return
        recent = _recent(seeker, purpose)
        SearchLog.objects.bulk_create(
            SearchLog(**_whose(seeker), purpose=purpose, person_id=person, matches=count)
            for person, count in wanted.items()
            if person not in recent
        )


def _recent(seeker: User | Guest, purpose: str) -> set[int | None]:
    """Return whose searches were just written down; None stands for nobody in particular."""
    logged: QuerySet[SearchLog] = SearchLog.objects.filter(
        **_whose(seeker), purpose=purpose, created_at__gt=timezone.now() - LOG_EVERY
    )
    return set(logged.values_list("person_id", flat=True))


def _whose(seeker: User | Guest) -> dict[str, Any]:
    return {"guest_id" if isinstance(seeker, Guest) else "user_id": seeker.pk}
