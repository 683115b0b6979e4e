"""Requests: who asks to have a photo removed or a selfie approved, and what they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.api.paging import Cursor, Limit, page
from lookwho.core.errors import NotFound
from lookwho.library.models import Media, Reference, Request
from lookwho.library.queries import requests as queries
from lookwho.services import requests as service
from lookwho.services import search, selfies

router = Router(tags=["requests"])
for_curators = gate(lambda user: user.sees_everything)

Words = Annotated[str, Field(max_length=service.LONGEST_MESSAGE)]


class RequestOut(Schema):
    """That somebody asks to have a photo removed."""

    uuid: UUID
    photo: UUID
    user: str = Field(description="who asks; blank for a guest")
    message: str
    state: str = Field(description="open, hidden or declined")
    answer: str
    created_at: datetime
    answered_at: datetime | None


class Requests(Schema):
    """A part of the requests."""

    requests: list[RequestOut]
    next: str | None


class RequestIn(Schema):
    """Why a photo is to be removed."""

    message: Words = ""


class Answer(Schema):
    """What whoever asked is told."""

    answer: Words = ""


class SelfieOut(Schema):
    """A selfie that waits to be approved; its picture is at /me/selfies/{uuid}."""

    uuid: UUID
    user: str
    created_at: datetime


class Selfies(Schema):
    """A part of the selfies that wait."""

    selfies: list[SelfieOut]
    next: str | None


class Declined(Schema):
    """Why a selfie is not to be searched by."""

    reason: Annotated[str, Field(max_length=300)] = ""


@router.post("/photos/{uuid:uuid}/removal", response={201: RequestOut})
def ask(request: HttpRequest, uuid: UUID, asked: RequestIn) -> Status[RequestOut]:
    """Ask to have a photo removed that you may see."""
    user = user_of(request)
    media = Media.objects.filter(uuid=uuid).first()
    if media is None or not search.may_see(user, media):
        raise NotFound("there is no such photo, or it is not for you to see")
    return Status(201, _request(service.ask_removal(user, media, asked.message)))


@router.get("/requests/mine", response=Requests)
def mine(request: HttpRequest, limit: Limit = 50, cursor: Cursor = "") -> Requests:
    """List what you asked for, with the answers, the newest first."""
    rows = queries.requests_of(user_of(request))
    found, further = page(rows, ("-id",), limit=limit, cursor=cursor)
    return Requests(requests=[_request(each) for each in found], next=further)


@router.get("/requests", response=Requests, auth=for_curators)
def requests(
    request: HttpRequest, answered: bool = False, limit: Limit = 50, cursor: Cursor = ""
) -> Requests:
    """List what others ask for: what waits, the oldest first; or what was answered."""
    user = user_of(request)
    rows = queries.answered(user) if answered else queries.open_ones(user)
    order = ("-id",) if answered else ("id",)
    found, further = page(rows, order, limit=limit, cursor=cursor)
    return Requests(requests=[_request(each) for each in found], next=further)


@router.post("/requests/{uuid:uuid}/hide", response=RequestOut, auth=for_curators)
def hide(request: HttpRequest, uuid: UUID, told: Answer) -> RequestOut:
    """Hide the photo everywhere, and tell all who asked for that."""
    return _request(service.hide(user_of(request), uuid, told.answer))


@router.post("/requests/{uuid:uuid}/decline", response=RequestOut, auth=for_curators)
def decline(request: HttpRequest, uuid: UUID, told: Answer) -> RequestOut:
    """Leave the photo, and say why."""
    return _request(service.decline(user_of(request), uuid, told.answer))


@router.post("/requests/{uuid:uuid}/undo", response=RequestOut, auth=for_curators)
def undo(request: HttpRequest, uuid: UUID) -> RequestOut:
    """Take an answer back: the photo is shown again, and the request is open."""
    return _request(service.undo(user_of(request), uuid))


@router.get("/requests/selfies", response=Selfies, auth=for_curators)
def waiting_selfies(request: HttpRequest, limit: Limit = 50, cursor: Cursor = "") -> Selfies:
    """List the selfies that wait to be approved, the oldest first."""
    rows = queries.selfies(user_of(request))
    found, further = page(rows, ("id",), limit=limit, cursor=cursor)
    return Selfies(selfies=[_selfie(each) for each in found], next=further)


@router.post("/requests/selfies/{uuid:uuid}/approve", response={204: None}, auth=for_curators)
def approve(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Let a selfie be searched by."""
    selfies.approve_selfie(user_of(request), uuid)
    return Status(204, None)


@router.post("/requests/selfies/{uuid:uuid}/decline", response={204: None}, auth=for_curators)
def decline_selfie(request: HttpRequest, uuid: UUID, told: Declined) -> Status[None]:
    """Let a selfie not be searched by, and say why."""
    selfies.decline_selfie(user_of(request), uuid, told.reason)
    return Status(204, None)


def _request(row: Request) -> RequestOut:
    return RequestOut(
        uuid=row.uuid,
        photo=row.media.uuid,
        user=row.user.username if row.user else "",
        message=row.message,
        state=row.state,
        answer=row.answer,
        created_at=row.created_at,
        answered_at=row.answered_at,
    )


def _selfie(row: Reference) -> SelfieOut:
    user = row.user
    return SelfieOut(uuid=row.uuid, user=user.username if user else "", created_at=row.created_at)
