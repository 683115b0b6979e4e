"""Pictures: thumbnails, crops of faces and originals, each only for those who may see it.

Whoever may not is told that there is no such picture. What cannot be made is an error in plain
text: the page then shows the picture's description in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from lookwho.core.errors import FileMissing, LookwhoError, NotFound
from lookwho.library.models import Face, Media
from lookwho.services import search
from lookwho.services.originals import confined, unchanged
from lookwho.services.pictures import CROP_SIDES, SIDES
from lookwho.services.places import (
    crop_of,
    handed_over,
    may_see_face,
    tag_of,
    tag_of_face,
    thumbnail_of,
)
from lookwho.web.access import signed_in, visitor

P = ParamSpec("P")


def refused_in_text(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Let a view answer an error in plain text: nobody reads a page in the place of a picture."""

    @wraps(view)
    def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except LookwhoError as error:
            return _refusal(error)

    return answer


@require_safe
@refused_in_text
def picture(request: HttpRequest, uuid: UUID, side: int) -> HttpResponseBase:
    """The whole photo, made small; of a video a picture that shows something, or that of a face."""
    media = seen(request, uuid)
    if side not in SIDES:
        raise NotFound(f"there is no picture of {side} pixels")
    time = _time_of(request, media)
    when = () if time is None else (f"t{time:.3f}",)
    return webp(request, tag_of(media, side, *when), lambda: thumbnail_of(media, side, time))


def _time_of(request: HttpRequest, media: Media) -> float | None:
    """Return when a face of a video is to be seen in the picture; None where no face is told.

    Raises:
        NotFound: there is no such face in it, or it is not for the asker.
    """
    told = request.GET.get("face")
    if not told or media.kind != Media.Kind.VIDEO:
        return None
    try:
        row = Face.objects.filter(uuid=UUID(told), media=media).select_related("media")
    except ValueError:
        row = Face.objects.none()
    face = row.first()
    if face is None or not may_see_face(visitor(request), face):
        raise NotFound("there is no such face, or it is not for you to see")
    return face.time


@require_safe
@refused_in_text
def face(request: HttpRequest, uuid: UUID, side: int) -> HttpResponseBase:
    """The square around one face, in a video at the time that it is known by."""
    row = Face.objects.select_related("media").filter(uuid=uuid).first()
    if row is None or side not in CROP_SIDES or not may_see_face(visitor(request), row):
        raise NotFound("there is no such face, or it is not for you to see")
    if row.source == Face.Source.ABSENT:
        raise NotFound("whoever is meant is in the photo, but no face of theirs shows")
    return webp(request, tag_of_face(row, side), lambda: crop_of(row, side))


@require_safe
@signed_in
@refused_in_text
def original(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """The file as it is."""
    return handed_over(request, seen(request, uuid), asker=visitor(request))


def seen(request: HttpRequest, uuid: UUID) -> Media:
    """Return a medium that the asker may see.

    Raises:
        NotFound: there is none, or it is not for the asker.
    """
    media = Media.objects.filter(uuid=uuid).first()
    if media is None or not search.may_see(visitor(request), media):
        raise NotFound("there is no such photo, or it is not for you to see")
    media.payload_hash = bytes(media.payload_hash)  # PostgreSQL gives a memoryview
    return media


def webp(request: HttpRequest, tag: str, make: Callable[[], bytes]) -> HttpResponseBase:
    """Answer with a picture, unless the browser still has it."""
    etag = f'"{tag}"'
    response = (
        HttpResponseNotModified()
        if unchanged(request, etag)
        else HttpResponse(make(), content_type="image/webp")
    )
    response["ETag"] = etag
    return confined(response)


def _refusal(error: LookwhoError) -> HttpResponse:
    """Say in plain text why there is no picture: not here, not now, or not at all."""
    status = 404 if isinstance(error, FileMissing) else error.status
    response = HttpResponse(error.message, status=status, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response
