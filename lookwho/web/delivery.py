"""Delivery: addresses of pictures and photos for whoever follows a link, signed and soon over.

An address says which photo, how large, by which link, for which guest and until when, under a
signature. It works without a cookie, so that a phone's own downloads do too, and it holds neither
the link's token nor the guest's. That it was signed once is not enough: each time it is asked anew
whether the link still works, with the same password, and still shows this photo to this guest.

Within an hour the same picture has the same address, so that a browser need not ask for it twice.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from uuid import UUID

from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_safe

from lookwho.core.errors import NotFound
from lookwho.library.models import Guest, Media, Share
from lookwho.library.scope import Purpose, scope_of_share
from lookwho.services import downloads, proxies, search, sharing
from lookwho.services.originals import stream
from lookwho.services.pictures import SIDES
from lookwho.services.places import tag_of, thumbnail_of
from lookwho.web.pictures import refused_in_text, webp

# An address works for at least so many seconds, and for an hour more.
LASTS = 3 * 3600
HOUR = 3600
_SALT = "lookwho.web.delivery"
# What an address is of: a picture made for pages, a video to be played, or the photo to keep.
_PICTURE, _FILM, _PHOTO = "picture", "film", "photo"


@dataclass(frozen=True, slots=True)
class Slip:
    """What an address says.

    Attributes:
        what: a picture, a video to be played, or the photo to keep.
        media: its uuid, as hex.
        side: the longer side in pixels; of a photo to keep 0 is as large as it is.
        share: the uuid of the link, as hex.
        guest: the uuid of the guest, as hex; blank where the link shows it to all.
        seal: what proves that the link's password was known.
        until: until when it works, in seconds since 1970.
    """

    what: str
    media: str
    side: int
    share: str
    guest: str
    seal: str
    until: int


def picture_url(media: UUID, side: int, *, share: Share, guest: Guest | None = None) -> str:
    """Return an address of a picture: `side` is one of `SIDES`."""
    return _address(_PICTURE, media, side, share, guest)


def film_url(media: Media, *, share: Share, guest: Guest | None = None) -> str:
    """Return an address of a video to be played; blank where there is no copy for browsers yet.

    Whoever follows a link gets that copy alone: it says nothing of place, day or camera.
    """
    if proxies.path_of(media) is None:
        return ""
    return _address(_FILM, media.uuid, 0, share, guest)


def original_url(media: UUID, *, share: Share, guest: Guest | None = None) -> str:
    """Return an address of a photo to keep, as large as the link gives it; blank where it does not.

    No one who follows a link gets what a file says besides its picture: neither place nor time.
    """
    if share.download_side is None:
        return ""
    return _address(_PHOTO, media, share.download_side, share, guest)


@require_safe
@refused_in_text
@sensitive_variables("slip")
def delivered(request: HttpRequest, slip: str) -> HttpResponseBase:
    """A picture, a video or a photo, for whoever follows a link."""
    told = _read(slip)
    media, share = _allowed(told)
    media.payload_hash = bytes(media.payload_hash)
    if told.what == _PHOTO:
        response = _photo(request, media, share)
    elif told.what == _FILM:
        response = _film(request, media)
    else:
        response = _picture(request, media, told)
    left = max(0, told.until - int(time.time()))
    # Another picture would have another address.
    kept = f"private, max-age={left}, immutable"
    response["Cache-Control"] = kept if told.what == _PICTURE else "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _address(what: str, media: UUID, side: int, share: Share, guest: Guest | None) -> str:
    until = (int(time.time()) + LASTS) // HOUR * HOUR + HOUR
    whose = guest.uuid.hex if guest else ""
    slip = Slip(what, media.hex, side, share.uuid.hex, whose, _seal(share), until)
    told = ".".join(map(str, astuple(slip)))
    return reverse("delivered", args=[signing.Signer(salt=_SALT).sign(told)])


def _seal(share: Share) -> str:
    return sharing.seal(share)[:12] if share.password else ""


def _read(signed: str) -> Slip:
    try:
        told = signing.Signer(salt=_SALT).unsign(signed)
    except signing.BadSignature:
        raise _no_such() from None
    what, media, side, share, guest, seal, until = told.split(".")
    slip = Slip(what, media, int(side), share, guest, seal, int(until))
    if slip.until <= time.time():
        raise _no_such()
    return slip


def _allowed(slip: Slip) -> tuple[Media, Share]:
    """Return what is asked for, if the link still shows it to this asker.

    Raises:
        NotFound: it does not.
    """
    share = Share.objects.filter(uuid=slip.share).first()
    media = Media.objects.filter(uuid=slip.media).first()
    if share is None or media is None or _seal(share) != slip.seal:
        raise _no_such()
    if slip.what == _PHOTO and share.download_side != slip.side:
        raise _no_such()
    if scope_of_share(share, Purpose.BROWSE).media().filter(pk=media.pk).exists():
        return media, share
    guest = Guest.objects.select_related("share").filter(uuid=slip.guest or None, share=share)
    found = guest.first()
    if found is None or not search.may_see(found, media):
        raise _no_such()
    return media, share


def _picture(request: HttpRequest, media: Media, slip: Slip) -> HttpResponseBase:
    side = slip.side
    if side not in SIDES:
        raise _no_such()
    return webp(request, tag_of(media, side), lambda: thumbnail_of(media, side))


def _film(request: HttpRequest, media: Media) -> HttpResponseBase:
    path = proxies.path_of(media)
    if path is None:
        raise NotFound("the copy of this video for browsers is not made, or gone: try again later")
    kind, name = path.suffix[1:].upper(), f"{media.uuid}{path.suffix}"
    return stream(request, path, kind=kind, name=name, etag=tag_of(media, path.stat().st_size))


def _photo(request: HttpRequest, media: Media, share: Share) -> HttpResponseBase:
    """Answer with a photo or a video to keep, without what its file says.

    It is written to a file without a name first: only so it has a length, and can be asked for in
    parts.
    """
    copy = downloads.copy_of(media, side=share.download_side or None, strip=True)
    with tempfile.NamedTemporaryFile(prefix="lookwho-") as file:
        for chunk in copy.chunks:
            file.write(chunk)
        file.flush()
        etag = f"{tag_of(media, share.download_side)}-bare"
        path = Path(file.name)
        return stream(
            request, path, kind=copy.kind, name=copy.name, etag=etag, save=True, hand_over=False
        )


def _no_such() -> NotFound:
    return NotFound("there is no such photo, or it is not for you to see")
