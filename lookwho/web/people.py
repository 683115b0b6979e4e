"""People: everybody at a glance, and one person; naming, merging, hiding, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Face, Person
from lookwho.library.queries import appearances, fits, photos, work
from lookwho.library.queries import people as queries
from lookwho.library.queries.people import Part, Portrait
from lookwho.library.queries.sentences import Sentence, read
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import people as services
from lookwho.services import search
from lookwho.web import moments
from lookwho.web.access import for_annotators, visitor
from lookwho.web.answers import CHANGED, answer, is_htmx
from lookwho.web.offers import offered_names
from lookwho.web.spans import by_span, spans
from lookwho.web.told import faces_told, people_told, uuid_of, who_was_shown

# So many of each part at first, and so many more at each step.
PAGES = {Part.NAMED: 96, Part.GROUPS: 48, Part.FEW: 48, Part.HIDDEN: 48}
# A page in view asks again for as many as it shows; no more than that in one answer.
MOST = 1000
PHOTOS = 120
FACES = 200
# Groups that are looked up at once, to say whom they probably are.
LIKELY = 12
# Ids in one statement.
_MOST_AT_ONCE = 1000


class View(StrEnum):
    """What of a person a page shows."""

    PHOTOS = "photos"
    FACES = "faces"  # confirmed; of a group, which nobody has confirmed, all of them
    GUESSES = "guesses"


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
    if asked := _sentence(request, census, text):
        return redirect(f"{reverse('photos')}?{asked.query}")
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


def _sentence(request: HttpRequest, census: queries.Census, text: str) -> Sentence | None:
    """Return which photos a text asks for; None where it is a name, or no such sentence."""
    if not text or queries.matching(census.named, text):
        return None
    if not scope_of(visitor(request), Purpose.BROWSE).names:
        return None
    return read(text, census.named)


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


@require_safe
@for_annotators
def likely(request: HttpRequest) -> JsonResponse:
    """Whom groups probably are, told by the faces that they are shown by; the unsure are left out.

    It takes a search for each, so pages ask for it once they are shown.
    """
    scope = _scope(request)
    told = list(faces_told(request.GET.getlist("face")))[:LIKELY]
    asked = scope.faces().filter(uuid__in=told, person=None, dismissed=False)
    least = fits.threshold()
    found: dict[str, dict[str, str | int]] = {}
    for face in asked.select_related("guess__root"):
        best = search.find_by_face(scope, face, limit=1)
        group = face.guess and (face.guess.root or face.guess)
        if best and best[0].probability >= least and not (group and group.name):
            percent = min(99, int(100 * best[0].probability))
            found[str(face.uuid)] = {"name": best[0].person.name, "percent": percent}
    return JsonResponse({"faces": found})


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
    told = request.GET.get("view", "")
    view = View(told) if told in list(View) else View.PHOTOS
    if view == View.GUESSES and not who.name:
        view = View.FACES
    years = queries.years(scope, who)
    context: dict[str, Any] = {"person": who, "view": view.value, "skip": skip}
    context["of_them"] = f"person={who.uuid}"
    if view == View.PHOTOS:
        media = queries.media_of(scope, who).order_by(*photos.NEWEST_FIRST)
        tiles = photos.tiles_of(scope, media[skip : skip + PHOTOS + 1])
        reel = appearances.videos_of(scope, who)
        tiles = moments.when_seen(tiles, reel)
        context |= {
            "next": skip + PHOTOS if len(tiles) > PHOTOS else None,
            "spans": list(by_span(tiles[:PHOTOS], spans(years))),
            "span_before": request.GET.get("span", ""),
        }
        if reel and not skip:
            context |= moments.reel_of(request, who, reel)
    else:
        sure = (view == View.FACES) if who.name else None
        found = queries.faces_of_person(scope, who, confirmed=sure, skip=skip, take=FACES + 1)
        context |= {"faces": found[:FACES], "next": skip + FACES if len(found) > FACES else None}
    if is_htmx(request) and skip:
        return render(request, "lookwho/_person_more.html", context)
    doubts, doubtful = queries.doubts(scope, who)
    confirmed, guessed = queries.count_faces(scope, who)
    context |= {
        "portrait": queries.with_covers([Portrait(who.pk, who.uuid, who.name, 0)])[0],
        "years": years,
        "photos": sum(count for _, count in years),
        "stills": sum(count for _, count in years) - context.get("filmed", 0),
        "doubts": doubts,
        "doubtful": doubtful,
        "too_early": queries.before_birth(scope, who),
        "confirmed": confirmed,
        "guessed": guessed,
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
    who, other = _as_shown(scope, uuid), _other(request, scope)
    seen = _names_shown(request, {"was": who, "into_was": other})
    done = services.merge(visitor(request), who, other, seen=seen)
    return answer(request, done.message, undo=done.batch, back=_page(who))


@require_POST
@for_annotators
def merge_all(request: HttpRequest) -> HttpResponseBase:
    """Say that several are one person: the first of them who has a name, else the first."""
    scope, user = _scope(request), visitor(request)
    shown = people_told(request.POST.getlist("person"))
    people = {_as_shown(scope, uuid): name for uuid, name in shown.items()}
    if len(people) < 2:
        raise Invalid("choose at least two who are the same person")
    seen = {each.pk: name for each, name in people.items() if name is not None}
    into = next((each for each in people if each.name), next(iter(people)))
    batch = uuid4()
    with transaction.atomic():  # all of them or none
        for each in people:
            if each != into:
                services.merge(user, each, into, batch=batch, seen=seen)
    text = f"{len(people)} are one person now{f': {into.name}' if into.name else ''}."
    return answer(request, text, undo=batch, back=reverse("people"))


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
    chosen, seen = _chosen(request, scope)
    verb, name = request.POST.get("verb", ""), request.POST.get("name", "")
    if verb == "confirm":
        done = services.confirm(user, chosen, who, seen=seen)
    elif verb == "reject":
        done = services.reject(user, chosen, who, seen=seen)
    elif verb == "assign":
        done = services.assign(user, chosen, name, seen=seen)
    elif verb == "split":
        done = services.split(user, chosen, who, name=name.strip() or None, seen=seen)
    elif verb == "not_a_face":
        done = services.not_a_face(user, chosen, seen=seen)
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
        face = uuid_of(request.POST.get("face", ""))
        who = queries.group_of(scope, face) if face else None
        if who is None or who.name:
            raise
        return who


def _as_shown(scope: Scope, uuid: UUID) -> Person:
    """Return somebody as a page showed them, also where they were merged since."""
    queries.person(scope, uuid)
    return Person.objects.select_related("root").get(uuid=uuid)


def _names_shown(request: HttpRequest, fields: dict[str, Person]) -> dict[int, str]:
    """Return the names that a page showed, by the ids of the people; as far as a form tells."""
    return {who.pk: request.POST[name] for name, who in fields.items() if name in request.POST}


def _other(request: HttpRequest, scope: Scope) -> Person:
    """Return whom somebody is to be merged into: told by uuid, or by name."""
    if uuid := uuid_of(request.POST.get("into", "")):
        return _as_shown(scope, uuid)
    typed = " ".join(request.POST.get("name", "").split())
    found = queries.named(scope, typed)
    if found is None:
        raise Invalid(f"there is nobody called {typed!r}: choose one of the names that are offered")
    return found


def _chosen(
    request: HttpRequest, scope: Scope
) -> tuple[Sequence[Face], dict[int, int | None] | None]:
    """Return the faces that a form is about, and whom each was shown confirmed as."""
    told = faces_told(request.POST.getlist("face"))
    if not told:
        raise Invalid("choose at least one face")
    found: list[Face] = []
    uuids = list(told)
    for start in range(0, len(uuids), _MOST_AT_ONCE):
        some = uuids[start : start + _MOST_AT_ONCE]
        found += scope.faces().filter(uuid__in=some).select_related("media")
    if len(found) < len(told):
        raise NotFound("some of these faces are no longer there: load the page again")
    return found, who_was_shown({face.pk: told[face.uuid] for face in found})


def _page(who: Person) -> str:
    return reverse("person", args=[who.uuid])
