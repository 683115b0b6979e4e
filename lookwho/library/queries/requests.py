"""Requests: what people ask of those who look after the photos, and what they were answered."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from lookwho.core.errors import NotFound
from lookwho.library.models import Reference, Request, User

Row = TypeVar("Row", bound=Model)


def open_ones(asker: User) -> QuerySet[Request]:
    """Return the requests that wait for an answer; none to who may not give one."""
    rows = Request.objects.filter(state=Request.State.OPEN)
    return _for(asker, rows.select_related("media", "user", "guest__share__album"))


def answered(asker: User) -> QuerySet[Request]:
    """Return the requests that were answered; none to who may not answer."""
    rows = Request.objects.exclude(state=Request.State.OPEN)
    return _for(asker, rows.select_related("media", "user", "guest__share__album", "answered_by"))


def request(asker: User, uuid: UUID) -> Request:
    """Return a request.

    Raises:
        NotFound: there is none, or the asker may not answer it.
    """
    found = _for(asker, Request.objects.select_related("media").filter(uuid=uuid)).first()
    if found is None:
        raise NotFound("there is no such request, or it is not for you to see")
    return found


def requests_of(user: User) -> QuerySet[Request]:
    """Return what a user asked for."""
    return Request.objects.filter(user=user).select_related("media")


def selfies(asker: User) -> QuerySet[Reference]:
    """Return the selfies that wait to be approved; none to who may not do that."""
    rows = Reference.objects.filter(
        state=Reference.State.DONE, approved=False, deleted_at=None, user__is_active=True
    )
    return _for(asker, rows.select_related("user"))


def waiting(asker: User) -> int:
    """Return how many requests and selfies wait for an answer."""
    if not _may(asker):
        return 0
    return Request.objects.filter(state=Request.State.OPEN).count() + selfies(asker).count()


def _for(asker: User, rows: QuerySet[Row]) -> QuerySet[Row]:
    return rows if _may(asker) else rows.none()


def _may(asker: User) -> bool:
    return asker.is_authenticated and asker.sees_everything
