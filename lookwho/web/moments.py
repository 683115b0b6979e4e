"""Moments in videos: one person's as a sheet or a short film, and those that show several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid, LookwhoError, NotFound
from lookwho.library.models import Person
from lookwho.library.queries import appearances
from lookwho.library.queries import people as queries
from lookwho.library.queries.appearances import InVideo
from lookwho.library.queries.photos import Tile
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import montages
from lookwho.services.originals import stream
from lookwho.web.access import for_annotators, signed_in, visitor
from lookwho.web.answers import came_from, is_htmx
from lookwho.web.pictures import refused_in_text
from lookwho.web.told import uuid_of

KINDS = ("sheet", "montage")
# Of a person's videos so many at first.
FIRST = 6


@require_safe
@for_annotators
def together(request: HttpRequest) -> HttpResponseBase:
    """The shots in all videos that show each of several people."""
    scope = scope_of(visitor(request), Purpose.NAME)
    people = [queries.person(scope, uuid) for uuid in _people(request)]
    wrong = ""
    if typed := request.GET.get("name", "").strip():
        try:
            people.append(_named(scope, typed))
        except LookwhoError as error:
            wrong = error.message
        else:
            named = "&".join(f"person={who.uuid}" for who in people)
            return redirect(f"{reverse('together')}?{named}")
    people = list(dict.fromkeys(people))
    found = appearances.together(scope, people) if len(people) > 1 else []
    names = [who.name or _("somebody without a name") for who in people]
    context = {
        "title": _("%(names)s in one shot") % {"names": _listed(names)}
        if len(names) > 1
        else _("In one shot"),
        "people": people,
        "films": [(media, list(shots)) for media, shots in groupby(found, lambda one: one.media)],
        "moments": len(found),
        "wrong": wrong,
    }
    return render(request, "lookwho/together.html", context)


@require_POST
@for_annotators
def make(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Put a person's moments together, as a sheet of pictures or as a short film."""
    user, kind = visitor(request), _kind(request.POST.get("kind", ""))
    who = queries.person(scope_of(user, Purpose.NAME), uuid)
    montages.ask(user, who, kind)
    return _shown(request, who, kind)


@require_safe
@never_cache
@for_annotators
def piece(request: HttpRequest, uuid: UUID, kind: str) -> HttpResponseBase:
    """How far a sheet or a film of a person is: a piece of their page."""
    who = queries.person(scope_of(visitor(request), Purpose.NAME), uuid)
    return _piece(request, who, _kind(kind))


@require_POST
@for_annotators
def stop(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Stop putting moments together."""
    montages.cancel(visitor(request), uuid)
    person = uuid_of(request.POST.get("person", ""))
    if person is None:
        return redirect("people")
    who = queries.person(scope_of(visitor(request), Purpose.NAME), person)
    return _shown(request, who, _kind(request.POST.get("kind", "")))


@require_safe
@signed_in
@refused_in_text
def file(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """The sheet or the film, for whoever asked for it."""
    path = montages.path_of(visitor(request), uuid)
    kind = path.suffix.removeprefix(".").upper()
    return stream(request, path, kind=kind, name=f"moments{path.suffix}")


# --- of the page of a person ---


def reel_of(request: HttpRequest, who: Person, reel: Sequence[InVideo]) -> dict[str, object]:
    """Return what the page of a person shows of the videos that they are in."""
    user = visitor(request)
    return {
        "reel": reel if request.GET.get("videos") == "all" else reel[:FIRST],
        "filmed": len(reel),
        "reel_seconds": sum(one.seconds for each in reel for one in each.appearances),
        "sheet": montages.latest(user, who, "sheet"),
        "montage": montages.latest(user, who, "montage"),
    }


def when_seen(tiles: Iterable[Tile], reel: Iterable[InVideo]) -> list[Tile]:
    """Return these tiles, those of videos with the time at which somebody is seen best."""
    times = {each.media.uuid: each.time for each in reel}
    return [replace(tile, at=times.get(tile.uuid)) for tile in tiles]


# --- parts ---


def _shown(request: HttpRequest, who: Person, kind: str) -> HttpResponseBase:
    if is_htmx(request):
        return _piece(request, who, kind)
    return redirect(came_from(request, f"{reverse('person', args=[who.uuid])}#videos"))


def _piece(request: HttpRequest, who: Person, kind: str) -> HttpResponseBase:
    made = montages.latest(visitor(request), who, kind)
    context = {"person": who, "kind": kind, "made": made}
    return render(request, "lookwho/_moments.html", context)


def _people(request: HttpRequest) -> list[UUID]:
    return [uuid for told in request.GET.getlist("person")[:10] if (uuid := uuid_of(told))]


def _named(scope: Scope, typed: str) -> Person:
    found = queries.named(scope, " ".join(typed.split()))
    if found is None:
        raise NotFound(f"there is nobody called {typed!r}: choose a name that is offered")
    return found


def _kind(told: str) -> str:
    if told not in KINDS:
        raise Invalid("say sheet or montage")
    return told


def _listed(names: list[str]) -> str:
    *others, last = names
    return _("%(names)s and %(last)s") % {"names": ", ".join(others), "last": last}
