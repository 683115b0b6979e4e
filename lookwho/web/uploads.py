"""Uploads on an album's page: what was sent and what became of it, and folders watched for it.

The page's script sends files in pieces to the API (`api.uploads`). Without it a form sends them as
a whole, by the same way in.
"""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from lookwho.core.errors import Invalid, LookwhoError, NotFound
from lookwho.library.models import Album, Upload, User
from lookwho.library.queries.uploads import shown
from lookwho.services import receiving, watches
from lookwho.web.access import for_curators, for_owners, visitor
from lookwho.web.answers import answer


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@for_curators
def uploads(request: HttpRequest, slug: str) -> HttpResponseBase:
    """What was sent to an album; or take in files that a form sends as a whole."""
    album = _album(slug)
    if request.method != "POST":
        return _told(request, album)
    files = request.FILES.getlist("photos")
    if not files:
        raise Invalid(_("choose at least one photo or archive"))
    refused = [name for name, error in _received(visitor(request), album, files) if error]
    told = ngettext("%d file was sent.", "%d files were sent.", len(files)) % len(files)
    if refused:
        told += " " + _("Refused: %s. The reasons are below.") % ", ".join(refused[:3])
    return answer(request, told, back=reverse("album", args=[slug]))


@require_POST
@for_curators
def forget(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Remove what is told of files that have ended; their photos stay."""
    album = _album(slug)
    receiving.forget(album, by=visitor(request))
    if _is_scripted(request):
        return _told(request, album)
    return redirect("album", slug)


@require_POST
@for_curators
def cancel(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Give a file up that is being sent or unpacked."""
    upload = Upload.objects.select_related("album").filter(uuid=uuid).first()
    if upload is None or upload.album is None:
        raise NotFound("there is no such upload, or it is not for you to see")
    receiving.cancel(upload)
    if _is_scripted(request):
        return _told(request, upload.album)
    return redirect("album", upload.album.slug)


@require_POST
@for_owners
def watch(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Have a folder of the machine that Lookwho runs on watched for an album."""
    album = _album(slug)
    told = request.POST.get("every", "").strip() or str(watches.EVERY)
    path = request.POST.get("path", "").strip()
    try:
        if not told.isdecimal() or len(told) > 6:
            raise Invalid(_("the seconds between two looks are a whole number"))
        if not path:
            raise Invalid(_("type the folder's path, such as /home/anna/Export"))
        watches.make_watch(visitor(request), path, album, every=int(told))
    except LookwhoError as error:
        context = {"album": album, "wrong": error.message, "path": path, "every": told}
        return render(request, "lookwho/watch.html", context, status=error.status)
    sentence = _("The folder is watched: photos in it join %s.") % album.title
    return answer(request, sentence, back=reverse("album", args=[slug]))


@require_POST
@for_owners
def unwatch(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Watch a folder no longer."""
    watches.remove_watch(visitor(request), pk)
    sentence = _("The folder is no longer watched. Its photos stay.")
    return answer(request, sentence, back=reverse("albums"))


def _received(
    user: User, album: Album, files: list[UploadedFile]
) -> list[tuple[str, LookwhoError | None]]:
    """Take in files that came as a whole; return what is wrong with each."""
    found: list[tuple[str, LookwhoError | None]] = []
    for file in files:
        name = file.name or ""
        try:
            upload = receiving.begin(user, album, name, file.size or 0)
            receiving.append(upload, 0, cast(Any, file.chunks()))
            receiving.finish(upload)
        except LookwhoError as error:
            if error.status >= 500:
                raise
            found.append((name, error))
            continue
        failed = upload.state == Upload.State.FAILED
        found.append((name, Invalid(upload.error) if failed else None))
    return found


def _told(request: HttpRequest, album: Album) -> HttpResponseBase:
    context = {"album": album, "sent": shown(album)}
    return render(request, "lookwho/_uploads.html", context)


def _album(slug: str) -> Album:
    album = Album.objects.filter(slug=slug).first()
    if album is None:
        raise NotFound("there is no such album, or it is not for you to see")
    return album


def _is_scripted(request: HttpRequest) -> bool:
    return request.headers.get("X-Requested-With", "") == "lookwho"
