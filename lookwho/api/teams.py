"""Teams: users who see an album, or label a project, together; for owners alone."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.core.errors import Invalid
from lookwho.library.models import Team, User
from lookwho.library.queries import members as queries
from lookwho.services import teams as services

router = Router(tags=["teams"], auth=gate(lambda user: user.is_owner))

MOST = 1000


class TeamUser(Schema):
    """Somebody in a team."""

    uuid: UUID
    name: str


class TeamOut(Schema):
    """A team."""

    uuid: UUID
    title: str
    users: list[TeamUser]
    albums: list[str] = Field(description="the titles of the albums that are for it alone")


class TeamIn(Schema):
    """A team that is to be made or changed; what is left out stays."""

    title: str | None = None
    users: list[UUID] | None = Field(
        default=None, max_length=MOST, description="who is in it, in place of those who are"
    )


@router.get("/teams", response=list[TeamOut])
def teams(request: HttpRequest) -> list[TeamOut]:
    """List all teams."""
    return [_team(row) for row in queries.teams(user_of(request))]


@router.post("/teams", response={201: TeamOut})
def make(request: HttpRequest, asked: TeamIn) -> Status[TeamOut]:
    """Make a team."""
    by = user_of(request)
    users = _users(asked)
    row = services.make(by, asked.title or "")
    if users is not None:
        services.set_users(by, row.uuid, users)
    return Status(201, _team(queries.team(by, row.uuid)))


@router.get("/teams/{uuid}", response=TeamOut)
def team(request: HttpRequest, uuid: UUID) -> TeamOut:
    """Tell of a team."""
    return _team(queries.team(user_of(request), uuid))


@router.patch("/teams/{uuid}", response=TeamOut)
def change(request: HttpRequest, uuid: UUID, asked: TeamIn) -> TeamOut:
    """Rename a team, or say who is in it."""
    by = user_of(request)
    queries.team(by, uuid)
    users = _users(asked)
    if asked.title is not None:
        services.rename(by, uuid, asked.title)
    if users is not None:
        services.set_users(by, uuid, users)
    return _team(queries.team(by, uuid))


@router.delete("/teams/{uuid}", response={204: None})
def remove(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Remove a team; not while an album or a project is for it."""
    services.remove(user_of(request), uuid)
    return Status(204, None)


def _users(asked: TeamIn) -> list[User] | None:
    if asked.users is None:
        return None
    found = list(User.objects.filter(uuid__in=asked.users))
    if missing := set(asked.users) - {user.uuid for user in found}:
        raise Invalid(f"there is no user {min(missing)}")
    return found


def _team(row: Team) -> TeamOut:
    albums: Any = cast(Any, row).albums  # the stubs know no other side of a table between
    users = sorted(row.users.all(), key=lambda user: user.username)
    return TeamOut(
        uuid=row.uuid,
        title=row.title,
        users=[TeamUser(uuid=user.uuid, name=user.username) for user in users],
        albums=sorted(album.title for album in albums.all()),
    )
