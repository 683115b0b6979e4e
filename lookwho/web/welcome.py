"""Welcome: where photos come from, and what is offered once they are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid, LookwhoError
from lookwho.library.models import Album
from lookwho.library.queries import work
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import intake
from lookwho.services import names as taking_over
from lookwho.services import uploads as uploading
from lookwho.services.uploads import Refused
from lookwho.web.access import for_curators, for_owners, visitor
from lookwho.web.answers import answer
from lookwho.web.offers import offered_names


@require_safe
@for_curators
def welcome(request: HttpRequest) -> HttpResponseBase:
    """How to begin: drop photos, or type a folder."""
    return _page(request)


@require_POST
@for_owners
def folder(request: HttpRequest) -> HttpResponseBase:
    """Add a folder of the machine that Lookwho runs on."""
    path = request.POST.get("path", "").strip()
    title = request.POST.get("album", "").strip()
    try:
        if not path:
            raise Invalid("type the folder's path, such as /home/anna/Pictures")
        collection, job = intake.add_folder(path, by=visitor(request), album_title=title)
    except LookwhoError as error:
        wrong = {"path": path, "album": title, "wrong_path": error.message}
        return _page(request, status=error.status, **wrong)
    told = f"{collection.title} is being read. Faces appear as they are found."
    album = Album.objects.filter(pk=job.payload["album"]).first()
    back = reverse("album", args=[album.slug]) if album else reverse("people")
    return answer(request, told, back=back)


@require_POST
@for_curators
def uploads(request: HttpRequest) -> HttpResponseBase:
    """Add photos that were dropped or chosen: a form's, or a batch that the page's script sends."""
    files = request.FILES.getlist("photos")
    scripted = request.headers.get("Accept", "") == "application/json"
    try:
        if not files:
            raise Invalid("choose at least one photo")
        added = uploading.add_uploads(cast(Iterable[Any], files), by=visitor(request))
    except LookwhoError as error:
        if scripted:
            told = {"code": error.code, "message": error.message}
            return JsonResponse(told, status=error.status)
        return _page(request, status=error.status, wrong_photos=error.message)
    count = len(files) - len(added.refused)
    if scripted:
        return JsonResponse({"added": count, "refused": [_told(each) for each in added.refused]})
    return answer(request, _sentence(count, added.refused), back=reverse("people"))


@require_POST
@for_curators
def names(request: HttpRequest) -> HttpResponseBase:
    """Use the names that the files carry, or never ask again."""
    user = visitor(request)
    batch = None
    if request.POST.get("use") == "yes":
        batch = UUID(taking_over.accept(user).payload["batch"])
        told = "The names are being put on the faces. They appear as this gets on."
    else:
        taking_over.decline(user)
        told = "The names in the files stay there, unused."
    return answer(request, told, undo=batch, back=reverse("people"))


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponseBase:
    user = visitor(request)
    scope = scope_of(user, Purpose.BROWSE)
    context = more | {
        "pace": work.pace(scope),
        "offered": offered_names(user),
        "empty": not scope.media().exists(),
    }
    return render(request, "lookwho/welcome.html", context, status=status)


def _told(refused: Refused) -> dict[str, str]:
    return {
        "name": refused.name,
        "code": refused.error.code,
        "error": refused.error.message,
    }


def _sentence(count: int, refused: Sequence[Refused]) -> str:
    told = f"{count} photo{'' if count == 1 else 's'} added."
    if refused:
        why = "; ".join(f"{each.name}: {each.error.message}" for each in refused[:3])
        told += f" {len(refused)} refused. {why}{' …' if len(refused) > 3 else '.'}"
    return told
