"""Quality: can the guesses be trusted? In plain words first, with plots, and what can be chosen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid
from lookwho.core.reliability import Bin, Share
from lookwho.library.queries import fits
from lookwho.library.queries import quality as queries
from lookwho.library.queries.quality import PEOPLE, Round
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import analysis, learning
from lookwho.web.access import for_curators, visitor
from lookwho.web.answers import answer

# The plots, in their own units: the rounds, and the square of the calibration.
WIDTH, HEIGHT, LEFT, BOTTOM = 640, 220, 34, 24
SQUARE = 260


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a plot, with its interval."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a plot."""

    name: str
    points: list[Point]

    @property
    def path(self) -> str:
        """The points as SVG takes them."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


@require_safe
@for_curators
def quality(request: HttpRequest) -> HttpResponseBase:
    """How good Lookwho is here, what it learned, and how sure it is to be."""
    told = request.GET.get("skip", "")
    skip = int(told) if told.isdecimal() and len(told) < 9 else 0
    found = queries.quality(_scope(request), analysis.current_pack())
    people = queries.people(found, skip=skip, take=PEOPLE + 1)
    costs = found.figures.costs if found.figures else []
    top, lines = plotted(found.rounds)
    context: dict[str, Any] = {
        "found": found,
        "fresh": found.measured_at and timezone.now() - found.measured_at < timedelta(minutes=1),
        "precise": found.cost and said(found.cost.precise),
        "lost": found.cost and said(found.cost.lost),
        "judged": [each for each in found.rounds if each.cost],
        "top": top,
        "lines": lines,
        "dots": dots(found.bins),
        "people": people[:PEOPLE],
        "skip": skip,
        "next": skip + PEOPLE if len(people) > PEOPLE else None,
        "least": round(100 * fits.LEAST_THRESHOLD),
        "most": round(100 * fits.MOST_THRESHOLD),
        "percent": round(100 * found.threshold),
        "percent_before": found.threshold_before and round(100 * found.threshold_before),
        "costs": json.dumps(
            {round(100 * cost.threshold): [cost.right, cost.wrong, cost.missed] for cost in costs}
        ),
        "some_costs": costs[::5],
        "learned": any(each.active for each in found.rounds),
    }
    return render(request, "lookwho/quality.html", context)


@require_POST
@for_curators
def threshold(request: HttpRequest) -> HttpResponseBase:
    """Choose from which probability on a face gets a name by itself."""
    percent = request.POST.get("threshold", "")
    if not percent.isdecimal() or len(percent) > 3:
        raise Invalid(f"the threshold is a whole number of percent, not {percent!r}")
    told = learning.set_threshold(visitor(request), int(percent) / 100)
    return answer(request, told, back=reverse("quality"))


@require_POST
@for_curators
def measure(request: HttpRequest) -> HttpResponseBase:
    """Let the figures be worked out anew."""
    learning.ask()
    return answer(request, "The figures are worked out anew.", back=reverse("quality"))


@require_POST
@for_curators
def use(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Put an older fit into use again."""
    told = learning.roll_back(visitor(request), queries.fit(_scope(request), pk))
    return answer(request, told, back=reverse("quality"))


@require_POST
@for_curators
def use_shipped(request: HttpRequest) -> HttpResponseBase:
    """Use what is shipped, as if nothing had been learned."""
    return answer(request, learning.roll_back(visitor(request), None), back=reverse("quality"))


def said(share: Share) -> dict[str, int]:
    """Return a share and its interval as numbers of a hundred: 0 and 100 only where it is so.

    >>> said(Share(0.996, 0.981, 1.0))
    {'of_100': 99, 'low': 98, 'high': 100}
    """
    return {
        "of_100": of_100(share.value),
        "low": of_100(share.low),
        "high": of_100(share.high),
    }


def of_100(share: float) -> int:
    """Return so many of a hundred.

    >>> [of_100(share) for share in (0.0, 0.001, 0.554, 0.999, 1.0)]
    [0, 1, 55, 99, 100]
    """
    return round(share) * 100 if share in (0, 1) else min(max(round(100 * share), 1), 99)


def plotted(rounds: Sequence[Round]) -> tuple[int, list[Line]]:
    """Return how many of a hundred the plot of the rounds reaches up to, and its lines."""
    judged = [each.cost for each in rounds if each.cost]
    shares = {
        "missed": [cost.lost for cost in judged],
        "wrong": [Share(1 - p.value, 1 - p.high, 1 - p.low) for p in (c.precise for c in judged)],
    }
    most = max((each.value for every in shares.values() for each in every), default=0.0)
    top = next(step for step in (5, 10, 20, 40, 60, 80, 100) if step >= 100 * most)
    step = (WIDTH - LEFT) / max(len(judged), 1)

    def height(share: float) -> float:
        return (HEIGHT - BOTTOM) * (1 - min(100 * share / top, 1.0))

    return top, [
        Line(
            name,
            [
                Point(
                    LEFT + (place + 0.5) * step,
                    height(each.value),
                    height(each.low),
                    height(each.high),
                )
                for place, each in enumerate(some)
            ],
        )
        for name, some in shares.items()
    ]


def dots(bins: Sequence[Bin]) -> list[Point]:
    """Return where the bins of the calibration stand in its square."""
    return [Point(SQUARE * each.said, SQUARE * (1 - each.right), 0, 0) for each in bins]


def _scope(request: HttpRequest) -> Scope:
    return scope_of(visitor(request), Purpose.NAME)
