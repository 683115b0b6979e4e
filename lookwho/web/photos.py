"""Photos: the timeline, what it is narrowed to, and its tiles as they come into view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lookwho.core.errors import Invalid
from lookwho.library.queries import photos as queries
from lookwho.library.queries.narrowing import narrowed
from lookwho.library.queries.photos import Together, Wanted
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.web.access import signed_in, visitor

# Photos on a page of the plain list; with scripts the first of them is what the timeline shows
# until it has fetched more.
ON_A_PAGE = 120
_EPOCH = date(1970, 1, 1)


@require_safe
@signed_in
def photos(request: HttpRequest) -> HttpResponseBase:
    """The timeline: how many photos each day has, and the first of them."""
    scope = scope_of(visitor(request), Purpose.BROWSE)
    narrowing = narrowed(scope, request.GET)
    context = {"narrowing": narrowing, "query": narrowing.query}
    context |= timeline(request, narrowing.scope, narrowing.wanted)
    return render(request, "lookwho/photos.html", context)


@require_safe
@signed_in
def tiles(request: HttpRequest) -> HttpResponse:
    """The tiles of a stretch of days: a piece of a page, for the timeline."""
    scope = scope_of(visitor(request), Purpose.BROWSE)
    narrowing = narrowed(scope, request.GET)
    first, last = _day(request, "from"), _day(request, "to")
    stretch = narrowing.scope.within(since=first, until=last)
    found = queries.tiles(
        stretch,
        narrowing.wanted,
        skip=_number(request, "skip", 0),
        take=_number(request, "take", queries.MOST),
    )
    context = {"tiles": found, "query": narrowing.query}
    return render(request, "lookwho/_tiles.html", context)


@require_safe
@signed_in
def narrow(request: HttpRequest) -> HttpResponse:
    """What the timeline can be narrowed to: a form, for a dialog or as a page."""
    scope = scope_of(visitor(request), Purpose.BROWSE)
    narrowing = narrowed(scope, request.GET)
    context = {
        "narrowing": narrowing,
        "choices": queries.choices(scope),
        "together": [
            (Together.ALL, "all of them"),
            (Together.ANY, "any of them"),
            (Together.ONLY, "them and nobody else"),
        ],
    }
    return render(request, "lookwho/narrow.html", context)


def timeline(
    request: HttpRequest, scope: Scope, wanted: Wanted = queries.EVERYTHING
) -> dict[str, object]:
    """Return what `_timeline.html` shows of photos: their days, and the first of them."""
    days = queries.days(scope, wanted)
    count = sum(number for _, number in days)
    pages = max(1, -(-count // ON_A_PAGE))
    page = min(max(_number(request, "page", 1), 1), pages)
    tiles = queries.tiles(scope, wanted, skip=(page - 1) * ON_A_PAGE, take=ON_A_PAGE)
    return {
        "count": count,
        "total": f"{count:,}",
        "years": sorted({day.year for day, _ in (days[-1:] + days[:1])}),
        "days": in_short(days),
        "groups": [(day, list(group)) for day, group in groupby(tiles, lambda tile: tile.day)],
        "page": page,
        "pages": pages,
    }


def in_short(days: Sequence[tuple[date, int]]) -> list[int]:
    """Return days, newest first, in few digits.

    A day, counted from 1970, and its photos; then how many days earlier the next is, and its
    photos; and so on.

    >>> in_short([(date(1970, 1, 11), 5), (date(1970, 1, 10), 2), (date(1970, 1, 1), 1)])
    [10, 5, 1, 2, 9, 1]
    """
    told: list[int] = []
    before: int | None = None
    for day, count in days:
        number = (day - _EPOCH).days
        told += [number if before is None else before - number, count]
        before = number
    return told


def _number(request: HttpRequest, name: str, otherwise: int) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 9 else otherwise


def _day(request: HttpRequest, name: str) -> date:
    try:
        return date.fromisoformat(request.GET.get(name, ""))
    except ValueError:
        raise Invalid(f"{name!r} must be a day, as 2025-08-23") from None
