"""Memberships: when each user was a member, and whole lists of members; for owners alone."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import pydantic
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from ninja import Field, Router, Schema

from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.api.members import PeriodOut, period_of
from lookwho.core import memberlist
from lookwho.core.errors import Invalid
from lookwho.core.memberlist import Row
from lookwho.library.models import Membership, User
from lookwho.library.queries import members as queries
from lookwho.services import memberships
from lookwho.services.member_lists import Changed, Outcome, take_list
from lookwho.services.memberships import Period

router = Router(tags=["members"], auth=gate(lambda user: user.is_owner))


class PeriodIn(Schema):
    """A stretch of time in which somebody was a member; both days count."""

    since: date
    until: date | None = None


class ListRow(Schema):
    """One time of membership of somebody, by name, e-mail or external id."""

    user: str = Field("", max_length=200)
    email: str = Field("", max_length=254)
    external_id: str = Field("", max_length=1000)
    name: str = Field("", max_length=200, description="what to call them, where they are new")
    since: str = Field("", max_length=40, description="a day; blank for as before, or today")
    until: str = Field("", max_length=40, description="a day; blank while it is open")


class ListIn(Schema):
    """A whole list of members."""

    rows: list[ListRow] = Field(max_length=memberlist.MOST_ROWS)


class PeriodTold(Schema):
    """A stretch of time in which somebody was a member."""

    since: date
    until: date | None


class ChangedOut(Schema):
    """Somebody whose times of membership are others now."""

    name: str
    before: list[PeriodTold]
    after: list[PeriodTold]


class RefusedOut(Schema):
    """A row that was not taken."""

    line: int
    who: str
    reason: str


class OutcomeOut(Schema):
    """What a list changed, or would change."""

    dry_run: bool
    rows: int
    same: int = Field(description="people of whom it says what was known")
    changed: list[ChangedOut]
    made: list[str] = Field(description="who is new here")
    left: list[ChangedOut] = Field(description="who is in this list no more")
    unknown: list[RefusedOut] = Field(description="rows about nobody who is known here")
    refused: list[RefusedOut]
    unlisted: list[str] = Field(description="who is in no list, and a member all the time")


@router.get("/members/{uuid:uuid}/memberships", response=list[PeriodOut])
def memberships_of(request: HttpRequest, uuid: UUID) -> list[PeriodOut]:
    """List when a user was a member, the first first; none for all the time."""
    return _periods(queries.member(user_of(request), uuid))


@router.put("/members/{uuid:uuid}/memberships", response=list[PeriodOut])
def set_memberships(
    request: HttpRequest,
    uuid: UUID,
    asked: list[PeriodIn],
) -> list[PeriodOut]:
    """Say when a user was a member; what lists and others say of them stays."""
    by = user_of(request)
    row = queries.member(by, uuid)
    memberships.set_periods(by, row, [Period(each.since, each.until) for each in asked])
    return _periods(row)


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ListIn.model_json_schema(ref_template="{model}")},
            "text/csv": {
                "schema": {"type": "string"},
                "example": "user,email,external id,name,since,until\n",
            },
        },
    }
}
# The row's schema stands in the body itself: there is no operation that would declare it.
_SCHEMA = _BODY["requestBody"]["content"]["application/json"]["schema"]
_SCHEMA["properties"]["rows"]["items"] = _SCHEMA.pop("$defs")["ListRow"]


@router.put("/members/list", response=OutcomeOut, openapi_extra=_BODY)
def take(
    request: HttpRequest,
    *,
    dry_run: Annotated[bool, Field(description="only say what would change")] = False,
    make: Annotated[bool, Field(description="make members of those who are unknown")] = False,
    many_may_leave: Annotated[
        bool, Field(description="it is the whole list, although more than half left")
    ] = False,
) -> OutcomeOut:
    """Take over a whole list of members: who is in it no more, is a former member from now on.

    As CSV with a line of headings, or as JSON.
    """
    outcome = take_list(
        user_of(request), _rows(request), make=make, dry_run=dry_run, many_may_leave=many_may_leave
    )
    return _told(outcome)


def _rows(request: HttpRequest) -> list[Row]:
    try:
        body = request.body
    except RequestDataTooBig as error:
        raise Invalid("this list is too large to be sent at once: take a file of it") from error
    if request.content_type != "application/json":
        return memberlist.rows_of(body)
    try:
        asked = ListIn.model_validate_json(body)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Invalid(f"{where}: {first['msg']}") from error
    return [Row(line=at, **row.model_dump()) for at, row in enumerate(asked.rows, 1)]


def _periods(user: User) -> list[PeriodOut]:
    rows = Membership.objects.filter(user=user).order_by("since", "pk")
    return [period_of(row) for row in rows]


def _told(outcome: Outcome) -> OutcomeOut:
    return OutcomeOut(
        dry_run=outcome.dry_run,
        rows=outcome.rows,
        same=outcome.same,
        changed=[_changed(each) for each in outcome.changed],
        made=outcome.made,
        left=[_changed(each) for each in outcome.left],
        unknown=[RefusedOut(**asdict(each)) for each in outcome.unknown],
        refused=[RefusedOut(**asdict(each)) for each in outcome.refused],
        unlisted=outcome.unlisted,
    )


def _changed(each: Changed) -> ChangedOut:
    return ChangedOut(
        name=each.name,
        before=[PeriodTold(**asdict(period)) for period in each.before],
        after=[PeriodTold(**asdict(period)) for period in each.after],
    )
