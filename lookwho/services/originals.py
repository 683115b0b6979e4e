"""Originals: a file as it is, streamed, whole or in parts; nothing in it can run as a page.

Behind nginx the file need not pass through us: with LOOKWHO_ACCEL=/internal/ an answer only names
it, after who asks was looked at, and nginx sends it, with its own ranges and validators. Of our
headers nginx keeps type, disposition and caching, so the others are said there once more:

    location /internal/ {
        internal;  # not to be asked for from outside
        alias /;
        add_header Content-Security-Policy "default-src 'none'; sandbox";
        add_header X-Content-Type-Options nosniff;
    }
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import http_date, parse_etags

from lookwho.core.errors import FileMissing

# What browsers show by themselves and what can hold no script, by what `core.kinds` calls it.
# All else is handed over as a file to save.
SHOWN = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "MP4": "video/mp4",
    "MOV": "video/quicktime",
    "3GP": "video/3gpp",
    "WEBM": "video/webm",
    "OGV": "video/ogg",
}
# What few browsers play, and what is saved therefore.
_SAVED = {
    "MKV": "video/x-matroska",
    "AVI": "video/x-msvideo",
    "MPEG-TS": "video/mp2t",
    "MPEG-PS": "video/mpeg",
    "MXF": "application/mxf",
    "DV": "video/x-dv",
    "FLV": "video/x-flv",
    "WMV": "video/x-ms-wmv",
}
_ANYTHING = "application/octet-stream"
_CHUNK = 256 << 10
# The one part that is asked for: first-last, first-, or -length. Several parts get the whole file,
# as RFC 9110 (14.2) allows.
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\s*\Z", re.ASCII)


def stream(
    request: HttpRequest,
    path: Path,
    *,
    kind: str,
    name: str,
    etag: str = "",
    save: bool = False,
    hand_over: bool = True,
) -> HttpResponseBase:
    """Answer with a file.

    Args:
        request: what was asked; its Range, If-Range and If-None-Match are heeded.
        path: the file.
        kind: what `core.kinds` calls it; blank where it is not known.
        name: what the file is to be called where it is saved.
        etag: what tells this content from any other; blank for when the file was changed, and how
            long it is.
        save: whether it is always to be saved, and never shown.
        hand_over: whether nginx may send it, where there is one: not a file that goes at once.

    Raises:
        FileMissing: there is no such file, or it may not be read.
    """
    file, about = _opened(path)
    if settings.ACCEL and hand_over:
        file.close()
        response = HttpResponse()
        response["X-Accel-Redirect"] = accelerated(path)
        return _described(response, kind, name, save)
    size, changed = about.st_size, http_date(about.st_mtime)
    etag = f'"{etag or f"{about.st_mtime_ns:x}-{size:x}"}"'
    if unchanged(request, etag):
        file.close()
        response = HttpResponseNotModified()
        response["ETag"] = etag
        return confined(response)
    asked = _part(request, size, (etag, changed)) if size else None
    first, last = asked or (0, size - 1)
    if asked and first > last:
        file.close()
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{size}"
        return response
    file.seek(first)
    length = last - first + 1
    # Under ASGI Django would first gather all that an ordinary iterator gives.
    part = (_Later if isinstance(request, ASGIRequest) else _Now)(file, length)
    response = StreamingHttpResponse(part)
    if asked:  # also where it is all: some players go on only then
        response.status_code = 206
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
    response["Content-Length"] = str(length)
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = etag
    response["Last-Modified"] = changed
    return _described(response, kind, name, save)


def unchanged(request: HttpRequest, etag: str) -> bool:
    """Return whether the browser has this already: then 304 is enough."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return etag in known or f"W/{etag}" in known


def accelerated(path: Path) -> str:
    r"""Return how nginx is told a file, whatever bytes its name has.

    >>> from django.test import override_settings
    >>> with override_settings(ACCEL="/internal/"):
    ...     print(accelerated(Path("/photos/Zo\udceb 1.jpg")))
    /internal/photos/Zo%EB%201.jpg
    """
    return settings.ACCEL.rstrip("/") + quote(os.fsencode(path.absolute()))


def _described(response: HttpResponseBase, kind: str, name: str, save: bool) -> HttpResponseBase:
    response["Content-Type"] = SHOWN.get(kind) or _SAVED.get(kind, _ANYTHING)
    how = "inline" if kind in SHOWN and not save else "attachment"
    response["Content-Disposition"] = f"{how}; filename*=UTF-8''{quote(name, safe='')}"
    return confined(response)


def confined(response: HttpResponseBase) -> HttpResponseBase:
    """Mark an answer as data: it may load nothing, run nothing and be taken for nothing else."""
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=3600"
    return response


def _opened(path: Path) -> tuple[BinaryIO, os.stat_result]:
    """Open a file and say what it is; a pipe in its place is refused."""
    try:
        # Without O_NONBLOCK a named pipe would hold the request until somebody writes to it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileMissing(f"{path.name} cannot be read: {reason}") from error
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        raise FileMissing(f"{path.name} is no ordinary file any more")
    return os.fdopen(handle, "rb"), about


def _part(request: HttpRequest, size: int, versions: tuple[str, str]) -> tuple[int, int] | None:
    """Return the first and the last byte of the part to send; None where it is to be the whole.

    Where there is no such part, first > last.
    """
    asked = _RANGE.match(request.headers.get("Range", ""))
    unchanged = request.headers.get("If-Range", versions[0]) in versions
    if not (asked and unchanged and any(asked.groups())):
        return None
    start, end = asked.groups()
    if not start:  # the last so many bytes
        return (max(size - int(end), 0), size - 1) if int(end) else (size, size - 1)
    if end and int(end) < int(start):
        return None  # no valid range: as if none were asked for
    return int(start), min(int(end) if end else size - 1, size - 1)


class _Part:
    """So many bytes of a file; whoever sends them closes it, also before the first is read."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length
        self.close = file.close

    def _read(self) -> bytes:
        chunk = self._file.read(min(_CHUNK, self._left))
        self._left -= len(chunk)
        return chunk


class _Now(_Part):
    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._read():
            yield chunk


class _Later(_Part):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await asyncio.to_thread(self._read):
            yield chunk
