"""Review: one question after the other. The page's script asks for the next one beforehand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid
from lookwho.library.queries import work
from lookwho.library.queries.narrowing import narrowed
from lookwho.library.queries.showing import ShownFace
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import review as services
from lookwho.services.review import Asked, Part, Slip
from lookwho.web.access import for_annotators, visitor
from lookwho.web.answers import is_htmx

# What a verdict is called in a form: a button of somebody who is offered says their name.
KNOWN = "known"
_PAIR = re.compile(r"(?:person|album)=[0-9a-f-]{36}|^audit=$")


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a face is in its photo: pixels of the upright photo, whole ones."""

    width: int
    height: int
    x: int
    y: int
    across: int
    down: int
    round: int

    @property
    def large(self) -> bool:
        """Whether the face is large in its photo, so that it need not be shown once more."""
        return self.down * 3 > self.height

    @property
    def left(self) -> bool:
        """Whether the face is on the left, where it would be covered."""
        return 2 * self.x + self.across < self.width


@require_safe
@never_cache
@for_annotators
def review(request: HttpRequest) -> HttpResponseBase:
    """The page, with the first question in it."""
    part = _part(request)
    context = _question(request, part) | {"meter": _meter(request, part.audit)}
    return render(request, "lookwho/review.html", context)


@require_safe
@never_cache
@for_annotators
def next_question(request: HttpRequest) -> HttpResponseBase:
    """The next question alone, while the ones before are still being looked at."""
    part = _part(request)
    return render(request, "lookwho/review_question.html", _question(request, part))


@require_POST
@for_annotators
def answer(request: HttpRequest) -> HttpResponseBase:
    """Take an answer; the script is told what came of it, without one the next question follows."""
    user = visitor(request)
    verdict, name = request.POST.get("verdict", ""), request.POST.get("name", "")
    if known := request.POST.get(KNOWN):
        verdict, name = "name", known
    done = services.answer(
        user,
        Slip.read(request.POST.get("slip", "")),
        verdict,
        name=name,
        odd=_uuids(request.POST.getlist("odd")),
        seconds=_seconds(request.POST.get("seconds", "")),
    )
    if is_htmx(request):
        told = {
            "answer": str(done.answer),
            "message": done.message,
            "corrected": done.corrected,
            "meter": _meter(request, _of_audit(request)),
        }
        return JsonResponse(told)
    undo = str(done.batch) if verdict in ("yes", "no", "name", "not_a_face") else ""
    messages.success(request, done.message, extra_tags=undo)
    return redirect(f"{reverse('review')}{_query(request.POST.get('part', ''))}")


@require_POST
@for_annotators
def undo(request: HttpRequest) -> HttpResponseBase:
    """Take an answer back, and ask again."""
    user = visitor(request)
    told = _uuids([request.POST.get("answer", "")])
    undone = services.undo(user, told[0] if told else None)
    if not is_htmx(request):
        messages.success(request, undone.message)
        return redirect("review")
    html = ""
    if undone.asked:
        context = {"asked": undone.asked, "frame": _frame(undone.asked)}
        html = render_to_string("lookwho/review_question.html", context, request)
    told = {
        "message": undone.message,
        "question": html,
        "meter": _meter(request, _of_audit(request)),
    }
    return JsonResponse(told)


@require_POST
@for_annotators
def renew(request: HttpRequest) -> HttpResponse:
    """Somebody still looks at these questions."""
    services.renew(visitor(request), _uuids(request.POST.getlist("held")))
    return HttpResponse(status=204)


@require_POST
@for_annotators
def release(request: HttpRequest) -> HttpResponse:
    """Somebody has left these questions to others."""
    services.release(visitor(request), _uuids(request.POST.getlist("held")))
    return HttpResponse(status=204)


# --- what is shown ---


def _question(request: HttpRequest, part: Part) -> dict[str, Any]:
    user = visitor(request)
    held = _uuids(request.GET.getlist("held"))
    asked = services.next_question(user, part=part, holding=held)
    context: dict[str, Any] = {"part": part, "query": _of_part(part), "asked": asked}
    if asked:
        return context | {"frame": _frame(asked)}
    others = not held and services.left(user, part=part)
    pace = work.pace(scope_of(user, Purpose.NAME))
    return context | {
        "counts": services.counts(user),
        "others": others,
        "importing": _importing(pace),
        # After a pass there may be more to ask.
        "again": others or pace.running,
    }


def _importing(pace: work.Pace) -> bool:
    """Return whether photos are read or looked at, and not only faces put together."""
    return pace.reading or pace.done < pace.total


def _frame(asked: Asked) -> Frame | None:
    face: ShownFace = asked.face
    if not (face.width and face.height):
        return None
    x1, y1, x2, y2 = face.box
    across, down = round((x2 - x1) * face.width), round((y2 - y1) * face.height)
    return Frame(
        face.width,
        face.height,
        round(x1 * face.width),
        round(y1 * face.height),
        across,
        down,
        min(across, down) // 8,
    )


def _meter(request: HttpRequest, audited: bool) -> str:
    """Say how far naming is, or else the audit, and photos that are still coming in."""
    user = visitor(request)
    pace = work.pace(scope_of(user, Purpose.NAME))
    context: dict[str, Any] = {"pace": pace, "importing": _importing(pace)}
    if audited:
        answers, needed = services.audited()
        share = 1000 * min(answers, needed) // needed
        context |= {"answers": answers, "needed": needed, "missing": max(0, needed - answers)}
        context |= {"thousandths": share, "audited": True}
    else:
        context["counts"] = services.counts(user)
    return render_to_string("lookwho/review_meter.html", context, request)


# --- what was asked ---


def _part(request: HttpRequest) -> Part:
    """Return what somebody wants to be asked about: told as photos are narrowed."""
    asked = request.GET.copy()
    for name in set(asked) - {"person", "album"}:
        del asked[name]
    if "audit" in request.GET:
        return Part(audit=True)
    found = narrowed(scope_of(visitor(request), Purpose.NAME), asked)
    return Part(person=next(iter(found.people), None), album=found.album)


def _of_audit(request: HttpRequest) -> bool:
    """Return whether a form is of the page that asks the audit's questions alone."""
    return request.POST.get("part", "") == _of_part(Part(audit=True))


def _of_part(part: Part) -> str:
    if part.audit:
        return "audit="
    told = (("person", part.person), ("album", part.album))
    return "&".join(f"{name}={row.uuid}" for name, row in told if row)


def _query(part: str) -> str:
    """Return the query of a part, as the form gave it back, as far as it is one."""
    told = _PAIR.findall(part)
    return f"?{'&'.join(told)}" if told else ""


def _uuids(told: Iterable[str]) -> list[UUID]:
    try:
        return [UUID(text) for text in told if text]
    except ValueError as error:
        raise Invalid("this question cannot be read: load the page again") from error


def _seconds(told: str) -> float | None:
    try:
        return float(told) if told else None
    except ValueError:
        return None
