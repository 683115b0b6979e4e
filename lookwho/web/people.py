"""People: everybody at a glance, and one person; naming, merging, hiding, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Face, Person
from lookwho.library.queries import people as queries
from lookwho.library.queries import photos, work
from lookwho.library.queries.people import Part, Portrait
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import people as services
from lookwho.web.access import for_annotators, visitor
from lookwho.web.answers import CHANGED, answer, is_htmx
from lookwho.web.offers import offered_names
from lookwho.web.spans import by_span, spans

# So many of each part at first, and so many more at each step.
PAGES = {Part.NAMED: 96, Part.GROUPS: 48, Part.FEW: 48, Part.HIDDEN: 48}
# A page in view asks again for as many as it shows; no more than that in one answer.
MOST = 1000
PHOTOS = 120
FACES = 200


# --- everybody ---


@require_safe
@for_annotators
def people(request: HttpRequest) -> HttpResponseBase:
    """Everybody: the named first, then the groups to name."""
    scope = _scope(request)
    census = queries.census(scope)
    if part := request.GET.get("part"):
        return _more(request, _part(part), census, _number(request, "skip"))
    text = request.GET.get("q", "").strip()
    shown = [Part.NAMED, Part.GROUPS, *([Part.HIDDEN] if "hidden" in request.GET else [])]
    parts = {part: queries.matching(census.part(part), text) for part in shown}
    if text:
        parts[Part.GROUPS] = []
    sizes = {part: max(PAGES[part], min(MOST, _number(request, part.value))) for part in shown}
    pages = {part: parts[part][: sizes[part]] for part in shown}
    # One query for the faces of all parts.
    covered = iter(queries.with_covers([each for part in shown for each in pages[part]]))
    told: dict[str, Any] = {
        part.value: {
            "portraits": [next(covered) for _ in pages[part]],
            "next": sizes[part] if sizes[part] < len(parts[part]) else None,
        }
        for part in shown
    }
    counts = {part.value: len(census.part(part)) for part in Part}
    context = told | {
        "counts": counts,
        "q": text,
        "hiding": Part.HIDDEN in shown,
        "pace": work.pace(scope),
        "offered": offered_names(visitor(request)),
        "nobody": not any(counts.values()),
    }
    return render(request, "lookwho/people.html", context)


def _more(request: HttpRequest, part: Part, census: queries.Census, skip: int) -> HttpResponseBase:
    everyone = queries.matching(census.part(part), request.GET.get("q", ""))
    until = skip + PAGES[part]
    context = {
        "portraits": queries.with_covers(everyone[skip:until]),
        "part": part.value,
        "next": until if until < len(everyone) else None,
        "q": request.GET.get("q", ""),
    }
    if is_htmx(request):
        return render(request, "lookwho/_tiles_of_people.html", context)
    return render(request, "lookwho/people_more.html", context)


@require_safe
@for_annotators
def suggested(request: HttpRequest) -> JsonResponse:
    """People whose name may be the one that is being typed."""
    found = queries.suggestions(_scope(request), request.GET.get("q", ""))
    return JsonResponse({"people": [_option(each) for each in found]})


def _option(portrait: Portrait) -> dict[str, str | None]:
    face = portrait.cover and reverse("face", args=[portrait.cover, 160])
    return {"uuid": str(portrait.uuid), "name": portrait.name, "face": face}


# --- one person ---


@require_safe
@for_annotators
def person(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """One person: their photos by year, or their faces to be looked through."""
    scope = _scope(request)
    who = queries.person(scope, uuid)
    if who.uuid != uuid:
        return redirect("person", who.uuid)
    skip = _number(request, "skip")
    faces_view = request.GET.get("view") == "faces"
    years = queries.years(scope, who)
    context: dict[str, Any] = {"person": who, "faces_view": faces_view, "skip": skip}
    context["of_them"] = f"person={who.uuid}"
    if faces_view:
        found = queries.faces_of_person(scope, who, skip=skip, take=FACES + 1)
        context |= {"faces": found[:FACES], "next": skip + FACES if len(found) > FACES else None}
    else:
        media = queries.media_of(scope, who).order_by(*photos.NEWEST_FIRST)
        tiles = photos.tiles_of(scope, media[skip : skip + PHOTOS + 1])
        context |= {
            "next": skip + PHOTOS if len(tiles) > PHOTOS else None,
            "spans": list(by_span(tiles[:PHOTOS], spans(years))),
            "span_before": request.GET.get("span", ""),
        }
    if is_htmx(request) and skip:
        return render(request, "lookwho/_person_more.html", context)
    doubts, doubtful = queries.doubts(scope, who)
    context |= {
        "portrait": queries.with_covers([Portrait(who.pk, who.uuid, who.name, 0)])[0],
        "years": years,
        "photos": sum(count for _, count in years),
        "doubts": doubts,
        "doubtful": doubtful,
    }
    return render(request, "lookwho/person.html", context)


# --- acts ---


@require_POST
@for_annotators
def name_person(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Name a group, or rename a person."""
    scope = _scope(request)
    who = _whoever(request, scope, uuid)
    # What the page showed: somebody else may have given a name since.
    before = "" if "tile" in request.POST else request.POST.get("before")
    name = request.POST.get("name", "")
    named = services.name_person(visitor(request), who, name, before=before)
    if "tile" in request.POST and is_htmx(request):
        portrait = Portrait(named.person.pk, named.person.uuid, named.person.name, 0)
        context = {
            "portrait": queries.with_covers([portrait])[0],
            "saved": uuid,
            "text": named.message,
            "undo": named.batch,
            "back": reverse("people"),
        }
        response = render(request, "lookwho/_named.html", context)
        response["HX-Trigger"] = CHANGED
        return response
    return answer(request, named.message, undo=named.batch, back=_page(named.person))


@require_POST
@for_annotators
def merge(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Say that two are the same person. Of a named one and a group the name stays."""
    scope = _scope(request)
    who = queries.person(scope, uuid)
    done = services.merge(visitor(request), who, _other(request, scope))
    return answer(request, done.message, undo=done.batch, back=_page(who))


@require_POST
@for_annotators
def hide(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Leave somebody out of lists, or let them in again."""
    who = queries.person(_scope(request), uuid)
    done = services.hide(visitor(request), who, request.POST.get("hidden") != "0")
    return answer(request, done.message, undo=done.batch, back=_page(who))


@require_POST
@for_annotators
def birth_date(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Set or clear a person's birth date."""
    who = queries.person(_scope(request), uuid)
    typed = request.POST.get("birth_date", "").strip()
    try:
        born = date.fromisoformat(typed) if typed else None
    except ValueError as error:
        raise Invalid(f"{typed!r} is no date: write it as 1987-03-21") from error
    services.set_birth_date(visitor(request), who, born)
    told = f"Born on {born.day} {born:%B %Y}." if born else "The birth date is forgotten."
    return answer(request, told, back=_page(who))


@require_POST
@for_annotators
def faces(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Say something about some faces of a person: it is them, it is not, it is somebody else."""
    scope, user = _scope(request), visitor(request)
    who = queries.person(scope, uuid)
    chosen = _chosen(request, scope)
    verb = request.POST.get("verb", "")
    if verb == "confirm":
        done = services.confirm(user, chosen, who)
    elif verb == "reject":
        done = services.reject(user, chosen, who)
    elif verb == "assign":
        done = services.assign(user, chosen, request.POST.get("name", ""))
    elif verb == "not_a_face":
        done = services.not_a_face(user, chosen)
    elif verb == "cover":
        done = services.set_cover(user, who, chosen[0])
    else:
        raise Invalid("choose what to say of these faces")
    return answer(request, done.message, undo=done.batch, back=_page(who))


@require_POST
@for_annotators
def undo(request: HttpRequest, batch: UUID) -> HttpResponseBase:
    """Take back what was done in one go."""
    done = services.undo(visitor(request), batch)
    return answer(request, done.message, back=reverse("people"))


# --- what was asked ---


def _scope(request: HttpRequest) -> Scope:
    return scope_of(visitor(request), Purpose.NAME)


def _part(told: str) -> Part:
    try:
        return Part(told)
    except ValueError as error:
        raise NotFound(f"there is no part {told!r} of the people") from error


def _number(request: HttpRequest, name: str) -> int:
    told = request.GET.get(name, "")
    return int(told) if told.isdecimal() and len(told) < 9 else 0


def _whoever(request: HttpRequest, scope: Scope, uuid: UUID) -> Person:
    """Return the person, or the group that has the face now by which they were shown.

    While photos come in, groups are put together anew: the one in view may be part of another.
    """
    try:
        return queries.person(scope, uuid)
    except NotFound:
        face = _uuid(request.POST.get("face", ""))
        who = queries.group_of(scope, face) if face else None
        if who is None or who.name:
            raise
        return who


def _other(request: HttpRequest, scope: Scope) -> Person:
    """Return whom somebody is to be merged into: told by uuid, or by name."""
    if uuid := _uuid(request.POST.get("into", "")):
        return queries.person(scope, uuid)
    typed = " ".join(request.POST.get("name", "").split())
    found = queries.named(scope, typed)
    if found is None:
        raise Invalid(f"there is nobody called {typed!r}: choose one of the names that are offered")
    return found


def _chosen(request: HttpRequest, scope: Scope) -> Sequence[Face]:
    told = {uuid for each in request.POST.getlist("face") if (uuid := _uuid(each))}
    found = list(scope.faces().filter(uuid__in=told).select_related("media"))
    if not told:
        raise Invalid("choose at least one face")
    if len(found) < len(told):
        raise NotFound("some of these faces are no longer there: load the page again")
    return found


def _uuid(told: str) -> UUID | None:
    try:
        return UUID(told)
    except ValueError:
        return None


def _page(who: Person) -> str:
    return reverse("person", args=[who.uuid])
