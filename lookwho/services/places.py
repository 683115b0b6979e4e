"""Places: where the file of a medium lies, and what makes pictures of it.

For pages and API alike, which ask first whether it may be seen.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lookwho.core.errors import FileMissing
from lookwho.library.models import Collection, Face, Location, Media, User
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import search, site_visits
from lookwho.services.originals import stream
from lookwho.services.pictures import Original, Pictures


@cache
def maker() -> Pictures:
    """Return what makes the pictures: one in each process."""
    return Pictures(settings.PICTURES, limit_bytes=settings.PICTURES_BYTES)


def thumbnail_of(media: Media, side: int, time: float | None = None) -> bytes:
    """Return a photo, or a picture of a video, made small, as WebP.

    Args:
        media: which.
        side: the longer one, in pixels.
        time: of a video, in seconds; None for a picture that shows something.

    Raises:
        InputError, WorkError: see `Pictures.thumbnail`.
    """
    return maker().thumbnail(
        bytes(media.payload_hash),
        original_of(media),
        orientation=media.orientation,
        side=side,
        video=media.kind == Media.Kind.VIDEO,
        time=time,
    )


def crop_of(face: Face, side: int) -> bytes:
    """Return the square around a face, in a video at the time that it is known by, as WebP.

    Raises:
        InputError, WorkError: see `Pictures.crop`.
    """
    media = face.media
    return maker().crop(
        bytes(media.payload_hash),
        original_of(media),
        box=face.box,
        side=side,
        orientation=media.orientation,
        time=face.time,
    )


def tag_of_face(face: Face, side: int) -> str:
    """Return what tells this crop from any other: see `tag_of`."""
    when = () if face.time is None else (f"t{face.time:.3f}",)
    return tag_of(face.media, side, *(f"{edge:.5f}" for edge in face.box), *when)


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


def may_see_face(user: User, face: Face) -> bool:
    """Return whether a face alone may be seen: others' crops are only for those who name them."""
    if scope_of(user, Purpose.NAME).everything:
        return face.media.present
    return search.own_face(user, face.media) == face.pk


def tag_of(media: Media, *parts: object) -> str:
    """Return what tells a picture from any other: all that it is made of."""
    return "-".join(map(str, (bytes(media.payload_hash).hex(), media.orientation, *parts)))


def handed_over(
    request: HttpRequest, media: Media, *, asker: User, save: bool = False
) -> HttpResponseBase:
    """Answer with the file as it is, whole or in part. The caller has asked whether it is seen.

    Args:
        request: what was asked.
        media: the photo or the video.
        asker: who is to get it.
        save: whether it is to be saved, and not to be shown.

    Raises:
        FileMissing: it lies nowhere any more, or may not be read.
        SiteRefused, SiteUnreachable: another website does not give it.
    """
    original = original_of(media, asker=asker)
    if isinstance(original, Path):
        return stream(request, original, kind=media.format, name=original.name, save=save)
    with original() as path:  # it stays open, and is gone from the disk, while it is sent
        return stream(
            request,
            path,
            kind=media.format,
            name=f"{media.uuid}.{media.format.lower()}",
            etag=tag_of(media),
            save=save,
            hand_over=False,
        )
