"""Privacy: that somebody was searched for, and when; to owners also by whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from lookwho.library.models import Erasure, Person, SearchLog, User


@dataclass(frozen=True, slots=True)
class Searched:
    """That somebody was searched for.

    Attributes:
        at: when.
        purpose: what for.
        by: who searched; blank where the asker may not know.
    """

    at: datetime
    purpose: str
    by: str = ""


def searches_for(user: User) -> QuerySet[SearchLog]:
    """Return the searches in which somebody else met a face of this user's, the newest first."""
    mine = Person.objects.filter(user=user.pk)
    roots = Person.objects.filter(Q(pk__in=mine) | Q(pk__in=mine.values("root")))
    family = Person.objects.filter(Q(pk__in=roots) | Q(root__in=roots))
    rows = SearchLog.objects.filter(person__in=family).exclude(user=user.pk)
    return rows.select_related("user", "guest").order_by("-created_at", "-pk")


def told(asker: User, row: SearchLog) -> Searched:
    """Return a search as the asker may know of it."""
    by = ""
    if asker.is_owner:
        by = row.user.username if row.user else "a guest"
    return Searched(row.created_at, row.purpose, by)


def searches_by(user: User) -> QuerySet[SearchLog]:
    """Return the searches that a user made, the newest first."""
    return SearchLog.objects.filter(user=user.pk, person=None).order_by("-created_at", "-pk")


def erasures_of(user: User) -> QuerySet[Erasure]:
    """Return what was erased of a user who is still there, with its receipts."""
    return Erasure.objects.filter(of_user=user.uuid).order_by("-created_at", "-pk")


def all_searches(asker: User) -> QuerySet[SearchLog]:
    """Return all searches that are still listed, the newest first; only to owners."""
    rows = SearchLog.objects.select_related("user", "guest", "person__root", "person__user")
    rows = rows.order_by("-created_at", "-pk")
    return rows if asker.is_owner else rows.none()
