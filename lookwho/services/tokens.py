"""Tokens: what programs sign in with, as their user, for all that user may do or for less.

A scope is a noun of the API and read or write, such as `photos:read`. Only the sha256 of a token is
kept; it is shown once, when it is made.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from lookwho.core.errors import Conflict, Invalid, NotFound
from lookwho.library.models import ApiToken, User
from lookwho.services.albums import checked_title
from lookwho.services.derived import hashed

# The nouns of the API: what its operations are tagged with. A test compares them.
NOUNS = (
    "albums",
    "history",
    "labelling",
    "links",
    "me",
    "members",
    "people",
    "photos",
    "privacy",
    "quality",
    "references",
    "requests",
    "review",
    "settings",
    "sites",
    "teams",
    "uploads",
    "videos",
    "work",
)
WAYS = ("read", "write")
TITLE_LENGTH = 100
MOST = 100
# When a token was used last is written down once in so long.
USED_EVERY = timedelta(minutes=1)


def make_token(
    user: User,
    title: str,
    *,
    scopes: Sequence[str] = (),
    lasts: timedelta | None = None,
    now: datetime | None = None,
) -> str:
    """Return a token by which a program signs in as this user, until it is revoked.

    Args:
        user: whose; what they may not do, no token may.
        title: what it is for.
        scopes: what it is good for; none for all that its user may do.
        lasts: for how long; None for ever.
        now: when it is made.

    Raises:
        Invalid: the title, a scope or the time cannot be.
        Conflict: there are as many as there may be.
    """
    title = checked_title(title)
    if len(title) > TITLE_LENGTH:
        raise Invalid(f"a token's title has at most {TITLE_LENGTH} characters")
    if lasts is not None and lasts <= timedelta(0):
        raise Invalid("a token lasts for some time, or for ever")
    if live(now=now).filter(user=user).count() >= MOST:
        raise Conflict(f"you have {MOST} tokens, which is the most: revoke one first")
    token = secrets.token_urlsafe(32)
    ApiToken.objects.create(
        user=user,
        title=title,
        token_hash=hashed(token),
        scopes=checked_scopes(scopes),
        expires_at=None if lasts is None else (now or timezone.now()) + lasts,
    )
    return token


def token_of(token: str, *, now: datetime | None = None) -> ApiToken | None:
    """Return the row of a token that is good, with its user, or None."""
    now = now or timezone.now()
    found = live(now=now).filter(token_hash=hashed(token)).select_related("user").first()
    if found and (found.used_at is None or found.used_at < now - USED_EVERY):
        ApiToken.objects.filter(pk=found.pk).update(used_at=now)
    return found


def live(*, now: datetime | None = None) -> QuerySet[ApiToken]:
    """Return the tokens that sign somebody in."""
    lasting = Q(expires_at=None) | Q(expires_at__gt=now or timezone.now())
    return ApiToken.objects.filter(lasting, revoked_at=None, user__is_active=True)


def revoke(user: User, uuid: UUID, *, now: datetime | None = None) -> None:
    """Let a token of this user sign nobody in any more.

    Raises:
        NotFound: it is somebody else's, or there is none.
    """
    own = ApiToken.objects.filter(user=user.pk, uuid=uuid)
    own.filter(revoked_at=None).update(revoked_at=now or timezone.now())
    if not own.exists():
        raise NotFound("there is no such token")


def suffices(scopes: Collection[str], noun: str, way: str) -> bool:
    """Return whether a token of these scopes is good for this; writing includes reading."""
    return not scopes or bool({f"{noun}:{way}", f"{noun}:write"} & set(scopes))


def checked_scopes(scopes: Sequence[str]) -> list[str]:
    """Return scopes as they are kept.

    Raises:
        Invalid: there is no such scope.
    """
    for scope in scopes:
        noun, _, way = scope.partition(":")
        if noun not in NOUNS or way not in WAYS:
            raise Invalid(
                f"there is no scope {scope!r}: it is a noun and read or write, as in photos:read; "
                f"the nouns are {', '.join(NOUNS)}"
            )
    return sorted(set(scopes))
