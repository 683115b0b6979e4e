"""Members: who may sign in and what each may do, and invitations; for owners alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from ninja import Field, Router, Schema, Status

from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.library.models import Share, User
from lookwho.library.queries import members as queries
from lookwho.library.queries.labelling import Annotator
from lookwho.library.queries.members import Member
from lookwho.services import accounts

router = Router(tags=["members"], auth=gate(lambda user: user.is_owner))


class Labelling(Schema):
    """How somebody labels; shares are of one."""

    labels: int = Field(description="without those on gold faces")
    cannot_tell: float | None
    gold: int = Field(description="gold faces labelled")
    gold_right: float | None
    compared: int = Field(description="faces that others labelled, too")
    agreement: float | None = Field(description="with others, on those")
    seconds: float | None = Field(description="the median of an answer")


class MemberOut(Schema):
    """A user."""

    uuid: UUID
    name: str
    role: str
    active: bool
    seen_at: datetime | None
    answers: int = Field(description="to questions of Review")
    settled: int = Field(description="faces that those resolved")
    labelling: Labelling | None


class MemberChange(Schema):
    """What is to be changed; what is left out stays."""

    role: str | None = None
    active: bool | None = None


class InvitationIn(Schema):
    """Who is invited, and as what."""

    name: str = Field("", max_length=150, description="blank for anybody")
    role: str = "member"
    days: Annotated[int, Field(ge=1, le=90)] = 3


class InvitationOut(Schema):
    """An invitation that can be followed."""

    uuid: UUID
    name: str
    role: str
    created_at: datetime
    expires_at: datetime


class InvitationMade(Schema):
    """A new invitation: its link is told this once."""

    link: str
    expires_at: datetime


@router.get("/members", response=list[MemberOut])
def members(request: HttpRequest) -> list[MemberOut]:
    """List all users with what they have done, owners first."""
    return [_member(each) for each in queries.members(user_of(request))]


@router.patch("/members/{uuid:uuid}", response=MemberOut)
def change(request: HttpRequest, uuid: UUID, asked: MemberChange) -> MemberOut:
    """Let a user do more or less, shut them out, or let them in again."""
    by = user_of(request)
    row = queries.member(by, uuid)
    if asked.role is not None:
        row = accounts.set_role(by, row, asked.role)
    if asked.active is not None:
        row = accounts.set_active(by, row, asked.active)
    mine = User.objects.get(pk=by.pk)  # who may have changed their own role
    shown = [each for each in queries.members(mine) if each.user.pk == row.pk]
    return _member(shown[0] if shown else Member(row, None, 0, 0, None))


@router.get("/members/invitations", response=list[InvitationOut])
def invitations(request: HttpRequest) -> list[InvitationOut]:
    """List the invitations that can still be followed, the newest first."""
    return [_invitation(each) for each in queries.invitations(user_of(request))]


@router.post("/members/invitations", response={201: InvitationMade})
def invite(request: HttpRequest, asked: InvitationIn) -> Status[InvitationMade]:
    """Invite somebody, by a link that is told this once."""
    lasts = timedelta(days=asked.days)
    token = accounts.invite(user_of(request), name=asked.name, role=asked.role, lasts=lasts)
    link = request.build_absolute_uri(reverse("join", args=[token]))
    return Status(201, InvitationMade(link=link, expires_at=accounts.invitation(token).expires_at))


@router.delete("/members/invitations/{uuid}", response={204: None})
def revoke(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Withdraw an invitation."""
    accounts.revoke_invitation(user_of(request), uuid)
    return Status(204, None)


def labelling_of(told: Annotator) -> Labelling:
    """Return how somebody labels."""
    return Labelling(
        labels=told.labels,
        cannot_tell=told.cannot_tell / told.given if told.given else None,
        gold=told.gold,
        gold_right=told.right / told.gold if told.gold else None,
        compared=told.compared,
        agreement=told.alike,
        seconds=told.seconds,
    )


def _member(each: Member) -> MemberOut:
    return MemberOut(
        uuid=each.user.uuid,
        name=each.user.username,
        role=each.user.role,
        active=each.user.is_active,
        seen_at=each.seen_at,
        answers=each.answers,
        settled=each.settled,
        labelling=labelling_of(each.labelling) if each.labelling else None,
    )


def _invitation(share: Share) -> InvitationOut:
    return InvitationOut(
        uuid=share.uuid,
        name=share.name,
        role=share.role,
        created_at=share.created_at,
        expires_at=share.expires_at,
    )
