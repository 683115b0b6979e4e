"""Stripping: a photo without what its file says: no place, no time, no names, no camera.

A JPEG keeps every bit of its picture: its metadata are left out, and nothing is decoded. What stays
is what decides how the picture looks: the colour profile, how colours are stored, and the
orientation, in EXIF data of our own that say nothing else. All other kinds are made anew as JPEG,
upright, in a process that may die of it.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator

import cv2
import simplejpeg

from lookwho.core import child, image
from lookwho.core.child import BYTES_PER_FILE, Child
from lookwho.core.errors import BrokenImage
from lookwho.core.inspect import inspect
from lookwho.core.opening import opened
from lookwho.core.parts import Source
from lookwho.core.resize import resized

QUALITY = 92
# Of what is made anew: beyond it a JPEG has no room for sizes.
MAX_SIDE = 20_000
SECONDS_PER_PICTURE = 60.0
_MAX_SEGMENTS = 10_000  # as in `core.containers`
_ICC, _ADOBE = b"ICC_PROFILE\0", b"Adobe"
_SCAN, _END, _COMMENT = 0xDA, 0xD9, 0xFE
_JFIF = b"JFIF\0"


def stripped_jpeg(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Yield a JPEG file without its metadata, a piece at a time.

    What follows the picture goes, too: further pictures, the video of a motion photo.

    Raises:
        FileMissing: there is no such file, or it may not be read.
        NotAnImage, BrokenImage: it is no JPEG, or not to be followed.
    """
    orientation = inspect(path).orientation
    with opened(path) as file:
        source = Source(file, os.fstat(file.fileno()).st_size)
        if source.read(0, 2) != b"\xff\xd8":
            raise BrokenImage("this is no JPEG picture")
        yield b"\xff\xd8"
        yield from _segments(source, _oriented(orientation) if orientation != 1 else b"")


def _segments(source: Source, exif: bytes) -> Iterator[bytes]:
    """Yield the segments that are the picture's, and before the first of them EXIF data of ours."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        marker, start = _next_marker(source, at)
        if marker == _END:
            yield b"\xff\xd9"
            return
        at = start + max(2, int.from_bytes(source.read(start, 2), "big"))
        if marker == _SCAN:
            at = _next_marker(source, at)[1] - 2  # the data of the scan belong to its header
        head = source.read(start + 2, len(_ICC))
        if marker == 0xE0 and head.startswith(_JFIF):
            # Without the small picture that may be in it, which nobody may have cropped.
            yield b"\xff\xe0\0\x10" + source.read(start + 2, 12).ljust(12, b"\0") + b"\0\0"
            continue
        if not _is_kept(marker, head):
            continue
        yield exif
        exif = b""
        yield bytes([0xFF, marker])
        yield from source.chunks(start, at)
    raise BrokenImage("the picture has thousands of segments")


def _is_kept(marker: int, head: bytes) -> bool:
    if not 0xE0 <= marker <= 0xEF:
        return marker != _COMMENT
    return (marker == 0xE2 and head == _ICC) or (marker == 0xEE and head.startswith(_ADOBE))


def _next_marker(source: Source, at: int) -> tuple[int, int]:
    """Return the next marker, past data and junk, and where its length stands."""
    window, start = b"", at
    while at < source.size:
        if at + 1 >= start + len(window):
            window, start = source.read(at, 16 if at == start else 1 << 20), at
            if len(window) < 2:
                break
        found = window.find(b"\xff", at - start)
        if found < 0 or found + 1 >= len(window):
            at = start + (found if found > 0 else len(window))
            window = b""
            continue
        marker = window[found + 1]
        # 0 is a byte of data, 0xff fills, and restart marks stand within a scan.
        if marker not in (0, 1, 0xFF) and not 0xD0 <= marker <= 0xD8:
            return marker, start + found + 2
        at = start + found + (1 if marker == 0xFF else 2)
    return _END, source.size + 2  # the file is cut short: it ends here


def _oriented(orientation: int) -> bytes:
    """Return a segment of EXIF data that says how the picture is turned, and nothing else."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    body = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


# --- made anew, in a process that may die ---


def anew(path: str, side: int) -> bytes:
    """Return a picture as JPEG, upright, at most `side` pixels along its longer side.

    Args:
        path: the file.
        side: in pixels; 0 for as large as it is.

    Raises:
        InputError: `image.read` refuses the picture.
    """
    most = side or MAX_SIDE
    pixels = image.read(path, target=most).pixels
    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer > most:
        pixels = resized(
            pixels, max(1, round(width * most / longer)), max(1, round(height * most / longer))
        )
    return simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorspace="RGB", colorsubsampling="420")


def serve() -> None:
    """Be a `Copier`'s process."""
    child.serve(_copying)


def _copying() -> Callable[[bytes], bytes]:
    cv2.setNumThreads(1)

    def answer(request: bytes) -> bytes:
        path, side = json.loads(request)
        return anew(path, side)

    return answer


class Copier:
    """A process that makes one copy at a time; started when first needed, and after a crash."""

    def __init__(
        self, *, seconds: float = SECONDS_PER_PICTURE, memory: int = BYTES_PER_FILE
    ) -> None:
        self._child = Child("lookwho.core.stripping", {}, seconds=seconds, memory=memory)

    def copy(self, path: str | os.PathLike[str], *, side: int = 0) -> bytes:
        """Do what `anew` does, elsewhere.

        Raises:
            InputError: the picture is refused.
            WorkError: it took too much time or memory, or crashed the process.
        """
        return self._child.ask(json.dumps([os.fspath(path), side]).encode())

    def stop(self) -> None:
        """End the process, now and for good."""
        self._child.stop()
