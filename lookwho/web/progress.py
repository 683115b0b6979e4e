"""Progress: what is being done, how fast, what failed and why, and who does it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from lookwho.library.queries import work as queries
from lookwho.library.queries.work import SILENT, Throughput
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import retries, work
from lookwho.web.access import for_curators, visitor
from lookwho.web.answers import answer
from lookwho.web.offers import offered_names

FAILURES = 50
# The picture of throughput, in its own units.
WIDTH, HEIGHT, GAP = 720, 96, 2


@require_safe
@for_curators
def progress(request: HttpRequest) -> HttpResponseBase:
    """Everything that is under way, and what went wrong."""
    scope = _scope(request)
    now = timezone.now()
    told = request.GET.get("skip", "")
    skip = int(told) if told.isdecimal() and len(told) < 9 else 0
    failures, failed = queries.failures(scope, skip=skip, take=FAILURES)
    workers = queries.workers(scope, now=now)
    seen = [(each, now - each.seen_at) for each in workers]
    throughput = queries.throughput(scope, now=now)
    context: dict[str, Any] = {
        "pace": queries.pace(scope, now=now),
        "imports": queries.imports(scope),
        "failures": failures,
        "failed": failed,
        "next": skip + FAILURES if skip + FAILURES < failed else None,
        "skip": skip,
        "workers": [(each, ago < SILENT, ago.total_seconds()) for each, ago in seen],
        "bars": list(bars(throughput)),
        "busiest": max(throughput.counts),
        "step": throughput.step,
        "minutes": throughput.step * queries.BARS // 60,
        "offered": offered_names(visitor(request)),
    }
    return render(request, "lookwho/progress.html", context)


def bars(throughput: Throughput) -> Iterable[dict[str, float]]:
    """Yield the bars of the picture: where each begins, how wide and how high it is."""
    most = max(max(throughput.counts), 1)
    step = WIDTH / len(throughput.counts)
    for place, count in enumerate(throughput.counts):
        height = round(count / most * (HEIGHT - 4), 1)
        yield {
            "x": round(place * step, 1),
            "y": round(HEIGHT - max(height, 1), 1),
            "width": round(step - GAP, 1),
            "height": max(height, 1),
            "count": count,
        }


@require_POST
@for_curators
def cancel(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Stop an import; what is analysed stays."""
    work.cancel(queries.job(_scope(request), uuid).pk)
    told = "It stops. What is analysed stays, and you can go on later."
    return answer(request, told, back=reverse("progress"))


@require_POST
@for_curators
def go_on(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Go on with what was cancelled or has failed."""
    work.retry(queries.job(_scope(request), uuid).pk)
    return answer(request, "It goes on.", back=reverse("progress"))


@require_POST
@for_curators
def retry_all(request: HttpRequest) -> HttpResponseBase:
    """Try again whatever has failed."""
    count = retries.retry_everything(_scope(request))
    told = f"{count} thing{'s are' if count != 1 else ' is'} tried again."
    return answer(request, told if count else "Nothing has failed.", back=reverse("progress"))


@require_POST
@for_curators
def retry(request: HttpRequest, trouble: str, pk: int) -> HttpResponseBase:
    """Try one thing again."""
    retries.retry_one(_scope(request), trouble, pk)
    return answer(request, "It is tried again.", back=reverse("progress"))


def _scope(request: HttpRequest) -> Scope:
    return scope_of(visitor(request), Purpose.NAME)
