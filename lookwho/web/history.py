"""History: every decision, in words, and taking any of them back."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Media, Person, User
from lookwho.library.queries import history as queries
from lookwho.library.queries import people
from lookwho.library.queries.history import Kind, Told
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services.people import may_undo
from lookwho.web.access import for_annotators, visitor

PAGE = 50


class Row(NamedTuple):
    """An act in the list: whether a new day begins with it, and whether the asker may undo it."""

    told: Told
    day: date | None
    may_undo: bool


class Asked(NamedTuple):
    """What the page is narrowed to."""

    person: Person | None
    photo: Media | None
    user: User | None
    day: date | None
    verb: Kind | None


@require_safe
@for_annotators
def history(request: HttpRequest) -> HttpResponseBase:
    """Every decision, the newest first."""
    user = visitor(request)
    scope = scope_of(user, Purpose.NAME)
    asked = _asked(request, scope)
    told = queries.acts(
        scope,
        person=asked.person,
        media=asked.photo,
        user=asked.user,
        day=asked.day,
        verb=asked.verb,
        before=_number(request.GET.get("before", "")),
        take=PAGE + 1,
    )
    more = len(told) > PAGE
    told = told[:PAGE]
    context = {
        "rows": _rows(user, told),
        "asked": asked,
        "narrowed": any(asked),
        "kinds": Kind,
        "users": queries.deciders(scope),
        "without_person": _query(request, but=("person", "before")),
        "without_photo": _query(request, but=("photo", "before")),
        "older": _query(request, but=("before",), before=told[-1].id) if more else None,
        "newest": _query(request, but=("before",)) if "before" in request.GET else None,
        "here": f"{reverse('history')}?{request.GET.urlencode()}",
    }
    return render(request, "lookwho/history.html", context)


def _rows(user: User, told: list[Told]) -> list[Row]:
    rows: list[Row] = []
    last = None
    for each in told:
        day = each.at.date()
        rows.append(Row(each, None if day == last else day, may_undo(user, [each.by_id])))
        last = day
    return rows


def _asked(request: HttpRequest, scope: Scope) -> Asked:
    told = {name: request.GET.get(name, "").strip() for name in Asked._fields}
    return Asked(
        person=people.person(scope, _uuid(told["person"])) if told["person"] else None,
        photo=_photo(scope, _uuid(told["photo"])) if told["photo"] else None,
        user=queries.decider(scope, told["user"]) if told["user"] else None,
        day=_day(told["day"]),
        verb=_kind(told["verb"]),
    )


def _photo(scope: Scope, uuid: UUID) -> Media:
    found = scope.media().filter(uuid=uuid).first()
    if found is None:
        raise NotFound("there is no such photo, or it is not for you to see")
    return found


def _uuid(told: str) -> UUID:
    try:
        return UUID(told)
    except ValueError:
        raise NotFound("there is no such person or photo, or it is not for you to see") from None


def _day(told: str) -> date | None:
    try:
        return date.fromisoformat(told) if told else None
    except ValueError:
        raise Invalid(f"{told[:40]!r} is no day: write it as 2025-08-23") from None


def _kind(told: str) -> Kind | None:
    try:
        return Kind(told) if told else None
    except ValueError:
        raise Invalid(f"there is no kind of decision {told[:40]!r}") from None


def _number(told: str) -> int | None:
    return int(told) if told.isdecimal() and len(told) < 19 else None


def _query(request: HttpRequest, *, but: tuple[str, ...], **more: int) -> str:
    kept = [
        (name, value) for name, value in request.GET.items() if value.strip() and name not in but
    ]
    return f"{reverse('history')}?{urlencode([*kept, *more.items()])}"
