"""Downloads: the photos of an album, or those of oneself, as one zip that is made on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import quote

from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from lookwho.core.errors import NotFound
from lookwho.library.models import Album, AlbumItem, User
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import downloads, search
from lookwho.services.downloads import Slot
from lookwho.services.originals import confined
from lookwho.services.pictures import SIDES
from lookwho.web.access import signed_in, visitor

_SMALLER = {str(side) for side in SIDES}


@require_GET
@signed_in
def mine(request: HttpRequest) -> HttpResponseBase:
    """All photos of whoever asks."""
    user = visitor(request)
    found = [match.media.pk for match in search.my_photos(user) if match.mine]
    if not found:
        raise NotFound("there is no photo of you yet")
    return _zip(request, user, found, Purpose.FIND_SELF, "My photos")


@require_GET
@signed_in
def album(request: HttpRequest, slug: str) -> HttpResponseBase:
    """All photos of an album, those that the asker may see."""
    user = visitor(request)
    scope = scope_of(user, Purpose.BROWSE)
    row = Album.objects.filter(slug=slug).first()
    if row is None or not (scope.everything or row.pk in scope.open_albums):
        raise NotFound("there is no such album, or it is not for you to see")
    items = AlbumItem.objects.filter(album=row, media__in=scope.media())
    found = list(items.order_by("media__taken_at", "media").values_list("media_id", flat=True))
    if not found:
        raise NotFound("there is no photo in this album yet")
    return _zip(request, user, found, Purpose.BROWSE, row.title)


def sent(request: HttpRequest, chunks: Iterator[bytes], *, name: str, key: str) -> HttpResponseBase:
    """Answer with a zip that is being made.

    Args:
        request: what was asked.
        chunks: its bytes.
        name: what to call it, with its ending.
        key: whose it is: only a few of one key are sent at once.

    Raises:
        TooMany: so many are under way already.
    """
    way = _Later if isinstance(request, ASGIRequest) else _Now
    response = StreamingHttpResponse(way(chunks, Slot(key)), content_type="application/zip")
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    confined(response)
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would write it to its disk first
    return response


def _zip(
    request: HttpRequest, user: User, media: list[int], purpose: Purpose, title: str
) -> HttpResponseBase:
    told = request.GET.get("side", "")
    side = int(told) if told in _SMALLER else None
    strip = request.GET.get("strip", "") not in ("", "0")
    seen = downloads.still_seen(media, partial(_scope_now, user.pk, purpose))
    chunks = downloads.zip_of(seen, side=side, strip=strip, asker=user)
    return sent(request, chunks, name=f"{title}.zip", key=f"user:{user.pk}")


def _scope_now(user: int, purpose: Purpose):
    """Return what a user may see now: rights may end while a long zip is under way."""
    return scope_of(User.objects.get(pk=user), purpose)


class _Sent:
    """Bytes that are being made; whoever sends them closes it, also before the first is made."""

    def __init__(self, chunks: Iterator[bytes], slot: Slot) -> None:
        self._chunks = chunks
        self._slot = slot

    def close(self) -> None:
        self._slot.close()


class _Now(_Sent):
    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks


class _Later(_Sent):
    """The same for a server that serves many at once: made in a thread of its own.

    One thread for all of it, so that one connection to the database is used, and closed at the end.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="download")
        try:
            while (
                chunk := await loop.run_in_executor(thread, next, self._chunks, None)
            ) is not None:
                if chunk:
                    yield chunk
        finally:
            thread.submit(self._end)
            thread.shutdown(wait=False)

    def _end(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
        connection.close()
        self._slot.close()
