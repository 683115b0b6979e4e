"""History: every decision, in words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema

from lookwho.api import schemas
from lookwho.api.app import user_of
from lookwho.api.gate import gate, names_faces
from lookwho.api.paging import Cursor, cursor_of, number_in
from lookwho.api.people import naming_scope
from lookwho.core.errors import NotFound
from lookwho.library.queries import history as queries
from lookwho.library.queries import people
from lookwho.library.queries.history import Kind, Told
from lookwho.services.people import may_undo

router = Router(tags=["history"], auth=gate(names_faces))

Limit = Annotated[int, Field(ge=1, le=queries.MOST - 1)]


class Act(Schema):
    """What somebody said in one go; taken back by POST /undo with its batch."""

    batch: UUID
    by: str = Field(description="blank where that account is gone")
    at: datetime
    words: str = Field(description="what was done: 'confirmed 12 faces of Ben'")
    faces: int
    pictures: list[UUID] = Field(description="some of the faces: /faces/{uuid}/160.webp")
    people: list[schemas.PersonBrief]
    undone_by: str | None = Field(description="who took it back; null where it stands")
    undone_at: datetime | None
    may_undo: bool = Field(description="whether you may take it back")


class Acts(Schema):
    """A piece of what was decided, the newest first."""

    acts: list[Act]
    next: schemas.Next


@router.get("/history", response=Acts)
def history(
    request: HttpRequest,
    person: UUID | None = None,
    photo: UUID | None = None,
    user: str = "",
    day: date | None = None,
    verb: Kind | None = None,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Acts:
    """List what was decided, the newest first; narrowed by person, photo, user, day and kind."""
    scope = naming_scope(request)
    media = None
    if photo:
        media = scope.media().filter(uuid=photo).first()
        if media is None:
            raise NotFound("there is no such photo, or it is not for you to see")
    told = queries.acts(
        scope,
        person=people.person(scope, person) if person else None,
        media=media,
        user=queries.decider(scope, user) if user else None,
        day=day,
        verb=verb,
        before=number_in(cursor),
        take=limit + 1,
    )
    asker = user_of(request)
    some = told[:limit]
    return Acts(
        acts=[_act(each, not each.undone and may_undo(asker, [each.by_id])) for each in some],
        next=cursor_of([some[-1].id]) if len(told) > limit else None,
    )


def _act(told: Told, undoable: bool) -> Act:
    return Act(
        batch=told.batch,
        by=told.by,
        at=told.at,
        words=told.words,
        faces=told.faces,
        pictures=[each.face for each in told.pictures if each.face],
        people=[schemas.PersonBrief(uuid=who.uuid, name=who.name) for who in told.people],
        undone_by=told.undone_by,
        undone_at=told.undone_at,
        may_undo=undoable,
    )
