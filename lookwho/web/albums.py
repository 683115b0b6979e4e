"""Albums: what there is by academic year, one of them with its photos, and looking after them."""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lookwho.core.errors import Invalid, LookwhoError, NotFound
from lookwho.library.models import Album, Reference, Team, User
from lookwho.library.queries import albums as queries
from lookwho.library.queries import photos
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import albums as services
from lookwho.services import search
from lookwho.services.albums import Chosen
from lookwho.web.access import for_curators, signed_in, visitor
from lookwho.web.answers import answer
from lookwho.web.photos import timeline
from lookwho.web.pictures import seen
from lookwho.web.told import uuid_of

ON_A_PAGE = 24


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def albums(request: HttpRequest) -> HttpResponseBase:
    """The albums by academic year, the newest first; for curators a form for a new one, too."""
    if request.method == "POST":
        return _make(request)
    return _index(request)


@require_safe
@signed_in
def album(request: HttpRequest, slug: str) -> HttpResponseBase:
    """One album with its photos."""
    user = visitor(request)
    scope = scope_of(user, Purpose.BROWSE)
    row = queries.album(scope, slug)
    context: dict[str, object] = {"album": row, "query": f"album={row.uuid}"}
    if scope.everything:
        context |= {"sees_all": True, "teams": list(row.teams.order_by("title"))}
    if "mine" in request.GET:
        mine = _mine(user, scope, row)
        context |= {"only_mine": True, "tiles": mine, "count": len(mine), "query": "list=me"}
    else:
        context |= timeline(request, queries.inside(scope, row))
        context["ask_for_mine"] = bool(context["count"]) and _has_selfies(user)
    return render(request, "lookwho/album.html", context)


@require_safe
@signed_in
def mine(request: HttpRequest, slug: str) -> HttpResponseBase:
    """In how many photos of an album the asker is: a piece of its page, which does not wait."""
    user = visitor(request)
    scope = scope_of(user, Purpose.BROWSE)
    row = queries.album(scope, slug)
    context = {"album": row, "mine": len(_mine(user, scope, row))}
    return render(request, "lookwho/_album_mine.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_curators
def edit(request: HttpRequest, slug: str) -> HttpResponseBase:
    """What is known of an album and who sees it; its cover; and removing it."""
    user = visitor(request)
    row = _album(user, slug)
    if request.method != "POST":
        return _edit(request, row)
    told = _told(request)
    try:
        row = services.change(user, row, **_chosen(told))
    except LookwhoError as error:
        return _edit(request, row, told, status=error.status, error=error.message)
    return answer(request, _("The album is changed."), back=_page(row))


@require_POST
@for_curators
def cover(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Choose a photo as the cover, or, without one, let Lookwho choose."""
    user = visitor(request)
    row = _album(user, slug)
    told = request.POST.get("photo", "")
    row = services.change(user, row, cover=seen(request, _uuid(told)) if told else None)
    words = (
        _("This photo is the cover of “%(album)s” now.")
        if told
        else _("Lookwho chooses the cover of “%(album)s” now.")
    )
    return answer(request, words % {"album": row.title}, back=_page(row))


@require_POST
@for_curators
def take_out(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Take a photo out of an album; it stays where it lies."""
    user = visitor(request)
    row = _album(user, slug)
    media = seen(request, _uuid(request.POST.get("photo", "")))
    services.take_out(user, row, [media])
    words = _("The photo is no longer in “%(album)s”. It stays in the library.")
    return answer(request, words % {"album": row.title}, back=_page(row))


@require_POST
@for_curators
def put_in(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Put a photo into the album of a title, which is made if there is none."""
    user, media = visitor(request), seen(request, uuid)
    row = services.album_titled(request.POST.get("title", ""), by=user)
    new = services.add(user, row, [media])
    words = _("The photo is in “%(album)s” now.") if new else _("The photo was in “%(album)s”.")
    return answer(request, words % {"album": row.title}, back=reverse("photo", args=[media.uuid]))


@require_safe
@for_curators
def titles(request: HttpRequest) -> HttpResponseBase:
    """The titles of all albums, to be offered while one types."""
    told = queries.titles(scope_of(visitor(request), Purpose.BROWSE))
    return render(request, "lookwho/_album_titles.html", {"titles": told})


@require_POST
@for_curators
def remove(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Remove an album; its photos stay."""
    user = visitor(request)
    gone = services.remove(user, _album(user, slug))
    words = ngettext(
        "“%(album)s” is removed. Its photo stays in the library.",
        "“%(album)s” is removed. Its %(count)s photos stay in the library.",
        gone.photos,
    )
    told = words % {"album": gone.title, "count": f"{gone.photos:,}"}
    return answer(request, told, back=reverse("albums"))


def _index(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponseBase:
    user = visitor(request)
    scope = scope_of(user, Purpose.BROWSE)
    words, tab = request.GET.get("q", "")[:200], request.GET.get("year", "")
    every = queries.entries(scope)
    found = queries.chosen(every, words=words, tab=tab)
    pages = max(1, -(-len(found) // ON_A_PAGE))
    page = min(max(_number(request.GET.get("page", "")), 1), pages)
    part = found[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
    shown = queries.shown(scope, part, since=user.visited_before)
    context = more | {
        "total": len(every),
        "found": len(found),
        "years": [(year, list(some)) for year, some in groupby(shown, lambda each: each.span)],
        "tabs": queries.tabs(every),
        "tab": tab,
        "sees_all": scope.everything,
        "words": words,
        "page": page,
        "pages": pages,
    }
    return render(request, "lookwho/albums.html", context, status=status)


@require_POST
@for_curators
def _make(request: HttpRequest) -> HttpResponseBase:
    told = request.POST
    try:
        made = services.make(
            visitor(request), title=told.get("title", ""), date=_day(told.get("date", ""))
        )
    except LookwhoError as error:
        return _index(request, status=error.status, error=error.message, told=told)
    return redirect(_page(made))


def _edit(
    request: HttpRequest,
    row: Album,
    told: dict[str, Any] | None = None,
    *,
    status: int = 200,
    error: str = "",
) -> HttpResponseBase:
    (shown,) = queries.shown(scope_of(visitor(request), Purpose.BROWSE), [row])
    context = {
        "album": row,
        "told": told or _known(row),
        "error": error,
        "shown": shown,
        "teams": list(queries.teams()),
        "gone": services.removal(row),
    }
    return render(request, "lookwho/album_edit.html", context, status=status)


def _known(row: Album) -> dict[str, Any]:
    """Return what is known of an album, as its form shows it."""
    return {
        "title": row.title,
        "date": row.date.isoformat() if row.date else "",
        "event": row.event,
        "slug": row.slug,
        "hidden": row.hidden,
        "processing": row.processing,
        "consenting_only": row.consenting_only,
        "teams": list(row.teams.all()),
    }


def _told(request: HttpRequest) -> dict[str, Any]:
    """Return what the form of an album says, as it was typed."""
    told = request.POST
    uuids = [uuid for text in told.getlist("team") if (uuid := uuid_of(text))]
    typed = {name: told.get(name, "") for name in ("title", "date", "event", "slug")}
    ticked = {name: name in told for name in ("hidden", "processing", "consenting_only")}
    return typed | ticked | {"teams": list(Team.objects.filter(uuid__in=uuids))}


def _chosen(told: dict[str, Any]) -> Chosen:
    """Return what a form says, as services take it.

    Raises:
        Invalid: the day is none.
    """
    return cast(Chosen, told | {"date": _day(told["date"])})


def _mine(user: User, scope: Scope, row: Album) -> list[photos.Tile]:
    """Return the photos of an album that somebody is in, the newest first."""
    media = [match.media for match in search.my_photos(user) if match.mine]
    here = queries.in_album(scope, row, [each.pk for each in media])
    return photos.tiles_of(scope, [each for each in media if each.pk in here])


def _has_selfies(user: User) -> bool:
    done = Reference.objects.filter(user=user, state=Reference.State.DONE, deleted_at=None)
    return done.exists()


def _album(user: User, slug: str) -> Album:
    return queries.album(scope_of(user, Purpose.BROWSE), slug)


def _page(row: Album) -> str:
    return reverse("album", args=[row.slug])


def _uuid(text: str) -> UUID:
    uuid = uuid_of(text)
    if uuid is None:
        raise NotFound("there is no such photo, or it is not for you to see")
    return uuid


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise Invalid(f"{text[:40]!r} is no day: write it as 2026-08-23") from None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 1
