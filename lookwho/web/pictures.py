"""Pictures: thumbnails, crops of faces and originals, each only for those who may see it.

Whoever may not is told that there is no such picture. What cannot be made is an error in plain
text: the page then shows the picture's description in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from lookwho.core.errors import FileMissing, LookwhoError, NotFound
from lookwho.library.models import Collection, Face, Location, Media, User
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import search, site_visits
from lookwho.services.pictures import CROP_SIDES, SIDES, Original, Pictures
from lookwho.web.access import signed_in, visitor
from lookwho.web.originals import confined, stream, unchanged

P = ParamSpec("P")


@cache
def maker() -> Pictures:
    """Return what makes the pictures: one in each process."""
    return Pictures(settings.PICTURES, limit_bytes=settings.PICTURES_BYTES)


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
    """The whole photo, made small."""
    media = seen(request, uuid)
    if side not in SIDES:
        raise NotFound(f"there is no picture of {side} pixels")
    return webp(
        request,
        tag_of(media, side),
        lambda: maker().thumbnail(
            media.payload_hash, original_of(media), orientation=media.orientation, side=side
        ),
    )


@require_safe
@refused_in_text
def face(request: HttpRequest, uuid: UUID, side: int) -> HttpResponseBase:
    """The square around one face."""
    row = Face.objects.select_related("media").filter(uuid=uuid).first()
    if row is None or side not in CROP_SIDES or not _may_see_face(visitor(request), row):
        raise NotFound("there is no such face, or it is not for you to see")
    if row.source == Face.Source.ABSENT:
        raise NotFound("whoever is meant is in the photo, but no face of theirs shows")
    media = row.media
    return webp(
        request,
        tag_of(media, side, *(f"{edge:.5f}" for edge in row.box)),
        lambda: maker().crop(
            media.payload_hash,
            original_of(media),
            box=row.box,
            side=side,
            orientation=media.orientation,
        ),
    )


@require_safe
@signed_in
@refused_in_text
def original(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """The file as it is."""
    media = seen(request, uuid)
    original = original_of(media, asker=visitor(request))
    if isinstance(original, Path):
        return stream(request, original, kind=media.format, name=original.name)
    with original() as path:  # it stays open, and is gone from the disk, while it is sent
        return stream(
            request,
            path,
            kind=media.format,
            name=f"{media.uuid}.{media.format.lower()}",
            etag=tag_of(media),
            hand_over=False,
        )


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


def original_of(media: Media, *, asker: User | None = None) -> Original:
    """Return where a medium lies, or what fetches it from another website.

    Args:
        media: which.
        asker: who is to get it as it is: an account of theirs at that website then decides.

    Raises:
        FileMissing: it lies nowhere any more.
    """
    there = site_visits.place_of(media)
    if there is None:
        return path_of(media)
    here = Location.objects.filter(media=media, missing_since=None).select_related("collection")
    here = here.exclude(collection__kind=Collection.Kind.SITE).order_by("pk")
    files = (place.file for place in here)
    return next(
        (file for file in files if file.is_file()), partial(site_visits.fetched, there, asker=asker)
    )


def path_of(media: Media) -> Path:
    """Return where a medium lies: the first place where it is, else the first that is known.

    Raises:
        FileMissing: it lies nowhere any more.
    """
    places = Location.objects.filter(media=media, missing_since=None).select_related("collection")
    files = [place.file for place in places.order_by("pk")]
    if not files:
        raise FileMissing("the file is no longer in any of the folders")
    return next((file for file in files if file.is_file()), files[0])


def _may_see_face(user: User, face: Face) -> bool:
    """Return whether a face alone may be seen: others' crops are only for those who name them."""
    if scope_of(user, Purpose.NAME).everything:
        return face.media.present
    return search.own_face(user, face.media) == face.pk


def tag_of(media: Media, *parts: object) -> str:
    """Return what tells a picture from any other: all that it is made of."""
    return "-".join(map(str, (bytes(media.payload_hash).hex(), media.orientation, *parts)))


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
