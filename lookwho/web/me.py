"""My photos: the selfies by which somebody is found, and the photos that they are in."""

from __future__ import annotations

from itertools import groupby
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import LookwhoError, NotFound
from lookwho.library.models import Reference, User
from lookwho.library.queries import photos as queries
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import search
from lookwho.services.search import Match
from lookwho.services.selfies import MOST
from lookwho.web.access import signed_in, visitor
from lookwho.web.answers import answer
from lookwho.web.originals import stream
from lookwho.web.photo import ME
from lookwho.web.photos import in_short
from lookwho.web.pictures import refused_in_text


@require_safe
@never_cache
@signed_in
def me(request: HttpRequest) -> HttpResponseBase:
    """The photos of whoever asks: those that are theirs, and below those that may be."""
    user = visitor(request)
    scope = scope_of(user, Purpose.FIND_SELF)
    matches = search.my_photos(user)
    mine = [match for match in matches if match.mine]
    maybe = [match for match in matches if not match.mine]
    tiles = queries.tiles_of(scope, [match.media for match in mine])
    groups = [(day, list(group)) for day, group in groupby(tiles, lambda tile: tile.day)]
    context = _selfies(user) | {
        "count": len(mine),
        "days": in_short([(day, len(group)) for day, group in groups]),
        "groups": groups,
        "maybe": _with_percent(maybe, queries.tiles_of(scope, [match.media for match in maybe])),
        "waiting": queries.unseen(scope),
        "query": f"list={ME}",
    }
    return render(request, "lookwho/me.html", context)


@never_cache
@signed_in
def add_selfie(request: HttpRequest) -> HttpResponseBase:
    """Take a new selfie; or, asked again and again by the page, say how far the last one is."""
    user = visitor(request)
    if request.method != "POST":
        response = render(request, "lookwho/_selfies.html", _selfies(user))
        if "processing" not in {row.state for row in _live(user)}:
            response["HX-Refresh"] = "true"  # there may be photos now
        return response
    upload = request.FILES.get("selfie")
    try:
        if upload is None:
            messages.error(request, "Choose a picture first.")
        else:
            search.add_selfie(user, upload)
    except LookwhoError as error:
        messages.error(request, f"{error.message[:1].upper()}{error.message[1:]}.")
    return redirect("me")


@require_POST
@signed_in
def remove_selfie(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Remove a selfie for good, with all that was computed from it."""
    search.remove_selfie(visitor(request), _own(request, uuid))
    return answer(request, "The selfie is gone, with all that was computed from it.", back="/me")


@require_safe
@signed_in
@refused_in_text
def selfie(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """A selfie, for the one whose it is."""
    own = _own(request, uuid)
    if not own.file:
        raise NotFound("this picture was not kept: it could not be used")
    kind = own.file.rpartition(".")[2].upper()
    return stream(request, settings.SELFIES / own.file, kind=kind, name=own.file)


def _own(request: HttpRequest, uuid: UUID) -> Reference:
    own = _live(visitor(request)).filter(uuid=uuid).first()
    if own is None:
        raise NotFound("there is no such selfie: it was removed, or it is somebody else's")
    return own


def _live(user: User):
    return Reference.objects.filter(user=user, deleted_at=None).order_by("created_at")


def _selfies(user: User) -> dict[str, object]:
    rows = list(_live(user))
    states = [row.state for row in rows]
    kept = len(rows) - states.count(Reference.State.REJECTED)
    return {
        "selfies": rows,
        "processing": Reference.State.PROCESSING in states,
        "findable": any(row.state == Reference.State.DONE and row.approved for row in rows),
        "room": kept < MOST,
        "most": MOST,
    }


def _with_percent(
    matches: list[Match], tiles: list[queries.Tile]
) -> list[tuple[queries.Tile, int]]:
    return [
        (tile, int(100 * match.probability)) for match, tile in zip(matches, tiles, strict=True)
    ]
