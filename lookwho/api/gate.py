"""Gate: parts of the API that are not for everybody, and say so before they look at what is sent.

Else whoever may not ask would learn from what is wrong with it that there is something to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest

from lookwho.api.app import api, user_of
from lookwho.core.errors import NotFound
from lookwho.library.models import User
from lookwho.library.models.accounts import Role


def gate(allowed: Callable[[User], bool]) -> Callable[[HttpRequest], User | None]:
    """Return what lets in whoever is signed in and allowed; to others there is nothing here."""

    def guarded(request: HttpRequest) -> User | None:
        ways: Sequence[Callable[[HttpRequest], Any]] = api.auth  # pyright: ignore[reportAssignmentType]
        if not any(way(request) for way in ways):
            return None
        user = user_of(request)
        if not (user.is_active and allowed(user)):
            raise NotFound("there is no such page, or it is not for you to see")
        return user

    return guarded


def names_faces(user: User) -> bool:
    """Return whether a user answers questions about faces: owners, curators and annotators."""
    return user.sees_everything or user.role == Role.ANNOTATOR
