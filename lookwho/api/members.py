"""Members: who may sign in and what each may do, and invitations; for owners alone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from ninja import Field, Router, Schema, Status

from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.api.paging import Cursor, Limit, page
from lookwho.core.errors import NotFound
from lookwho.library.models import Membership, Person, Share, User
from lookwho.library.queries import members as queries
from lookwho.library.queries.labelling import Annotator
from lookwho.library.queries.members import Member
from lookwho.services import accounts, linking, mail

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


class PeriodOut(Schema):
    """A stretch of time in which somebody was a member; both days count."""

    since: date
    until: date | None = Field(description="null while it is open")
    source: str = Field(description="who says so: hand, list, claim or site")


class InTeam(Schema):
    """A team that somebody is in."""

    uuid: UUID
    title: str


class MemberOut(Schema):
    """A user."""

    uuid: UUID
    name: str
    email: str
    external_id: str
    role: str
    active: bool
    former: bool = Field(description="whether they are no member today")
    memberships: list[PeriodOut] = Field(description="none: a member all the time")
    teams: list[InTeam]
    selfies: int = Field(description="by how many they are found")
    person: UUID | None = Field(description="who they are among the people with faces")
    seen_at: datetime | None
    answers: int = Field(description="to questions of Review")
    settled: int = Field(description="faces that those resolved")
    labelling: Labelling | None


class Members(Schema):
    """A part of the users, by their names."""

    total: int
    members: list[MemberOut]
    next: str | None = Field(description="the cursor of the next part; null in the last")


class PersonIn(Schema):
    """Who a user is among the people with faces."""

    person: UUID | None = Field(description="null for nobody that is known")


class MemberChange(Schema):
    """What is to be changed; what is left out stays."""

    role: str | None = None
    active: bool | None = None


class InvitationIn(Schema):
    """Who is invited, and as what."""

    name: str = Field("", max_length=150, description="blank for anybody")
    email: str = Field("", max_length=254, description="where the link is mailed to, if anywhere")
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


Standing = Literal["", "present", "former", "always", "out", "new"]


@router.get("/members", response=Members)
def members(
    request: HttpRequest,
    q: Annotated[str, Field(max_length=200, description="parts of name, e-mail or number")] = "",
    role: str = "",
    standing: Annotated[
        Standing,
        Field(description="members today or before, without periods, shut out, never signed in"),
    ] = "",
    team: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Members:
    """List users with what they have done, their times of membership and their teams."""
    found = queries.users(user_of(request), words=q, role=role, standing=standing, team=team)
    rows, after = page(found, ("username",), limit=limit, cursor=cursor)
    told = [_member(each) for each in queries.described(rows)]
    return Members(total=found.count(), members=told, next=after)


@router.get("/members/{uuid:uuid}", response=MemberOut)
def member(request: HttpRequest, uuid: UUID) -> MemberOut:
    """Tell of one user."""
    return _described(queries.member(user_of(request), uuid))


@router.patch("/members/{uuid:uuid}", response=MemberOut)
def change(request: HttpRequest, uuid: UUID, asked: MemberChange) -> MemberOut:
    """Let a user do more or less, shut them out, or let them in again."""
    by = user_of(request)
    row = queries.member(by, uuid)
    if asked.role is not None:
        row = accounts.set_role(by, row, asked.role)
    if asked.active is not None:
        row = accounts.set_active(by, row, asked.active)
    # Whoever stepped down just now is told what became of them, and no more.
    mine = User.objects.get(pk=by.pk)
    return _described(row) if mine.is_owner else _member(Member(row, None, 0, 0, None))


@router.put("/members/{uuid:uuid}/person", response=MemberOut)
def set_person(request: HttpRequest, uuid: UUID, asked: PersonIn) -> MemberOut:
    """Say which person a user is, so that both find the same photos; or that they are none."""
    by = user_of(request)
    row = queries.member(by, uuid)
    if asked.person is None:
        linking.unlink(by, row)
    else:
        person = Person.objects.filter(uuid=asked.person).first()
        if person is None:
            raise NotFound("there is no such person")
        linking.link(by, row, person)
    return _described(row)


@router.get("/members/invitations", response=list[InvitationOut])
def invitations(request: HttpRequest) -> list[InvitationOut]:
    """List the invitations that can still be followed, the newest first."""
    return [_invitation(each) for each in queries.invitations(user_of(request))]


@router.post("/members/invitations", response={201: InvitationMade})
def invite(request: HttpRequest, asked: InvitationIn) -> Status[InvitationMade]:
    """Invite somebody, by a link that is told this once."""
    lasts = timedelta(days=asked.days)
    token = accounts.invite(
        user_of(request),
        name=asked.name,
        role=asked.role,
        email=asked.email,
        lasts=lasts,
        here=request.build_absolute_uri("/"),
    )
    link = mail.absolute(reverse("join", args=[token]), request.build_absolute_uri("/"))
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


def period_of(row: Membership) -> PeriodOut:
    """Return a time of membership."""
    return PeriodOut(since=row.since, until=row.until, source=row.source)


def _described(row: User) -> MemberOut:
    (told,) = queries.described([row])
    return _member(told)


def _member(each: Member) -> MemberOut:
    return MemberOut(
        uuid=each.user.uuid,
        name=each.user.username,
        email=each.user.email,
        external_id=each.user.external_id,
        role=each.user.role,
        active=each.user.is_active,
        former=each.former,
        memberships=[period_of(row) for row in each.periods],
        teams=[InTeam(uuid=team.uuid, title=team.title) for team in each.teams],
        selfies=each.selfies,
        person=each.person.uuid if each.person else None,
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
