"""Tokens: what the asker's own programs sign in with.

No scope is for these operations, so a token that is good for less than everything makes no other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from lookwho.api.app import user_of
from lookwho.services import tokens

router = Router(tags=["tokens"])


class TokenIn(Schema):
    """A token that is to be made."""

    title: str = Field(description="what it is for")
    scopes: list[str] = Field(
        default=[],
        max_length=100,
        description="such as photos:read, where write includes read; none for all that you may do",
    )
    days: int | None = Field(default=None, ge=1, le=3650, description="null for ever")


class TokenOut(Schema):
    """A token, without its secret."""

    uuid: UUID
    title: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class TokenMade(Schema):
    """A token that was made, with its secret: it is told this once."""

    token: str


@router.get("/me/tokens", response=list[TokenOut])
def own(request: HttpRequest) -> list[TokenOut]:
    """List the asker's tokens that are good."""
    rows = tokens.live().filter(user=user_of(request)).order_by("-pk")[: tokens.MOST]
    return [TokenOut.from_orm(row) for row in rows]


@router.post("/me/tokens", response={201: TokenMade})
def make(request: HttpRequest, asked: TokenIn) -> Status[TokenMade]:
    """Make a token."""
    lasts = None if asked.days is None else timedelta(days=asked.days)
    made = tokens.make_token(user_of(request), asked.title, scopes=asked.scopes, lasts=lasts)
    return Status(201, TokenMade(token=made))


@router.delete("/me/tokens/{uuid}", response={204: None})
def revoke(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Let a token sign in no more."""
    tokens.revoke(user_of(request), uuid)
    return Status(204, None)
