"""Settings: what owners choose, how long things are kept, and erasing others.

Others are not told that there is anything here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from lookwho.api import paging
from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.api.privacy import (
    ErasureOut,
    OutlookOut,
    Sure,
    TextOut,
    checked,
    erasure_out,
    known,
    outlook_out,
    text_out,
)
from lookwho.core.errors import NotFound
from lookwho.library.models import Person, SearchLog, User
from lookwho.library.queries import privacy as queries
from lookwho.services import consents, erasure, options, retention

router = Router(tags=["settings"], auth=gate(lambda user: user.is_owner))


class OptionOut(Schema):
    """Something that an owner chooses; yes is 1 and no is 0."""

    name: str
    title: str
    value: int
    default: int
    least: int
    most: int
    unit: str


class OptionIn(Schema):
    """What is chosen."""

    value: int = Field(ge=-(10**9), le=10**9)


class ListOfMembers(Schema):
    """The file that is read each night."""

    path: str = Field(max_length=1000, description="blank for none")


class RuleOut(Schema):
    """What goes by itself, and how much of it would today."""

    name: str
    title: str
    option: str = Field(description="that says after how long; blank where something else does")
    count: int


class TextIn(Schema):
    """What people are asked from now on."""

    text: str = Field(max_length=2 * consents.LONGEST_TEXT)


class SearchOfAll(Schema):
    """That somebody searched by a face."""

    at: datetime
    purpose: str
    by: str
    by_guest: bool
    whose: str = Field(description="whose face it was; blank where they have no account")
    matches: int


class AllSearches(Schema):
    """A piece of the list of all searches."""

    searches: list[SearchOfAll]
    next: str | None


@router.get("/settings", response=list[OptionOut])
def settings(request: HttpRequest) -> list[OptionOut]:
    """List what an owner chooses, and what holds."""
    return [_option(option, value) for option, value in _chosen()]


@router.put("/settings/options/{name}", response=OptionOut)
def choose(request: HttpRequest, name: str, asked: OptionIn) -> OptionOut:
    """Choose something else."""
    options.choose(user_of(request), name, asked.value)
    return next(_option(option, value) for option, value in _chosen() if option.name == name)


@router.get("/settings/members-list", response=ListOfMembers)
def members_list(request: HttpRequest) -> ListOfMembers:
    """Say which list of members is read each night."""
    return ListOfMembers(path=options.members_list())


@router.put("/settings/members-list", response=ListOfMembers)
def watch_list(request: HttpRequest, asked: ListOfMembers) -> ListOfMembers:
    """Read a list of members each night: a CSV file on this machine."""
    options.watch_list(user_of(request), asked.path)
    return ListOfMembers(path=options.members_list())


@router.get("/settings/retention", response=list[RuleOut])
def would_go(request: HttpRequest) -> list[RuleOut]:
    """Say how much would go today of what is kept for a time only."""
    return [
        RuleOut(
            name=went.rule.name, title=went.rule.title, option=went.rule.option, count=went.count
        )
        for went in retention.run(dry_run=True)
    ]


@router.get("/settings/texts/{purpose}", response=list[TextOut])
def versions(request: HttpRequest, purpose: str) -> list[TextOut]:
    """List all versions of what people are asked, the newest first."""
    known(purpose)
    return [text_out(text) for text in consents.texts(purpose)]


@router.post("/settings/texts/{purpose}", response={201: TextOut})
def write_text(request: HttpRequest, purpose: str, asked: TextIn) -> Status[TextOut]:
    """Ask something else from now on; whoever agreed before is asked again."""
    known(purpose)
    return Status(201, text_out(consents.write_text(user_of(request), purpose, asked.text)))


@router.get("/settings/searches", response=AllSearches)
def all_searches(
    request: HttpRequest, limit: paging.Limit = 100, cursor: paging.Cursor = ""
) -> AllSearches:
    """List who searched by a face, whose it was, and when, the newest first."""
    rows, further = paging.page(
        queries.all_searches(user_of(request)), ("-created_at", "-pk"), limit=limit, cursor=cursor
    )
    return AllSearches(searches=[_of_all(row) for row in rows], next=further)


@router.get("/people/{uuid}/erasure", response=OutlookOut)
def personoutlook_out(request: HttpRequest, uuid: UUID) -> OutlookOut:
    """Say what erasing a person would take away."""
    return outlook_out(erasure.outlook(person=_person(uuid)))


@router.post("/people/{uuid}/erasure", response=ErasureOut)
def erase_person(request: HttpRequest, uuid: UUID, asked: Sure) -> ErasureOut:
    """Erase all about a person, and the account of who they are."""
    checked(asked)
    return erasure_out(request, erasure.erase_person(user_of(request), _person(uuid)))


@router.get("/members/{uuid}/erasure", response=OutlookOut)
def useroutlook_out(request: HttpRequest, uuid: UUID) -> OutlookOut:
    """Say what erasing a user would take away."""
    return outlook_out(erasure.outlook(user=_user(uuid)))


@router.post("/members/{uuid}/erasure", response=ErasureOut)
def erase_user(request: HttpRequest, uuid: UUID, asked: Sure) -> ErasureOut:
    """Erase all about a user, and whom they are in photos."""
    checked(asked)
    return erasure_out(request, erasure.erase_user(user_of(request), _user(uuid)))


def _person(uuid: UUID) -> Person:
    found = Person.objects.filter(uuid=uuid).first()
    if found is None:
        raise NotFound("there is no such person, or it is not for you to see")
    return found


def _user(uuid: UUID) -> User:
    found = User.objects.filter(uuid=uuid).first()
    if found is None:
        raise NotFound("there is no such user, or it is not for you to see")
    return found


def _of_all(row: SearchLog) -> SearchOfAll:
    person: Any = row.person and (row.person.root or row.person)
    return SearchOfAll(
        at=row.created_at,
        purpose=row.purpose,
        by=row.user.username if row.user else "",
        by_guest=row.user is None,
        whose=person.name if person else "",
        matches=row.matches,
    )


def _chosen() -> list[tuple[options.Option, int]]:
    told = options.all_chosen()
    return [(option, told[option.name]) for option in options.OPTIONS]


def _option(option: options.Option, value: int) -> OptionOut:
    return OptionOut(
        name=option.name,
        title=option.title,
        value=value,
        default=option.default,
        least=option.least,
        most=option.most,
        unit=option.unit,
    )
