"""Inspect: what a photo's or a video's file says besides its pixels.

Nothing is decoded. `inspect` reads the file once to find its parts and once to hash them, in little
memory, and what is damaged is passed over: every file has at least a payload. Of a video that is
all: its size, length and time take a decoder, see `core.video`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lookwho.core.containers import parts_of
from lookwho.core.errors import FileMissing
from lookwho.core.exif import Exif, read_exif, read_time
from lookwho.core.kinds import kind_of, video_kind
from lookwho.core.opening import opened
from lookwho.core.orientation import upright_size
from lookwho.core.parts import MAX_METADATA, Parts, Source
from lookwho.core.payload import payload_of
from lookwho.core.regions import Region, merged, regions_in
from lookwho.core.xmp import orientation_in, parse, times_in

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a photo's or a video's file says.

    Attributes:
        payload: sha256 (32 bytes) of the image data without metadata; see `core.payload`.
        format: "JPEG", "PNG", "MP4", ..., as `core.kinds` says.
        width: of the upright picture in pixels; 0 where the header does not tell, and of a video.
        height: likewise.
        orientation: 1 to 8, how the stored pixels are turned, as `core.image` turns them.
        taken_at: what the camera's clock said, without a time zone; None where nobody knows.
        regions: faces that other programs wrote down, in the photo or in a file beside it.
        video: whether it is a video.
    """

    payload: bytes
    format: str
    width: int
    height: int
    orientation: int
    taken_at: datetime | None
    regions: tuple[Region, ...]
    video: bool = False


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """Read what a photo's or a video's file says, and the XMP file beside it if there is one.

    A file beside the photo is called as it is with .xmp after it, or instead of its ending. What
    it says of faces holds before what the photo says: programs write one to correct a photo
    that they do not touch.

    Raises:
        FileMissing: there is no such file, or it may not be read.
        NotAnImage: the bytes are neither picture nor video, or of a kind that is not read.
        FormatNotInstalled: an AVIF picture, and this Pillow cannot read it.
    """
    with opened(path) as file:
        try:
            source = Source(file, os.fstat(file.fileno()).st_size)
            head = source.read(0, 512)
            video = video_kind(head)
            kind = video or kind_of(head)
            parts = parts_of(source, kind)
            exif = read_exif(parts.exif)
            payload = payload_of(source, kind, parts)
        except OSError as error:  # a disk that breaks, a share that goes away
            raise FileMissing(f"{os.fspath(path)!r} cannot be read: {error.strerror}") from error
    orientation = _orientation(kind, parts, exif)
    inside, beside = _parsed(parts.xmp), _parsed(_sidecars(os.fspath(path)))
    regions: list[Region] = []
    for root in [] if video else beside + inside:  # a box without a time says nothing of a video
        regions = merged(regions, regions_in(root, orientation, parts.size))
    times = [*exif.times, *(time for root in inside + beside for time in times_in(root))]
    width, height = upright_size(parts.size, orientation)
    return Inspection(
        payload=payload,
        format=kind,
        width=width,
        height=height,
        orientation=orientation,
        taken_at=next(filter(None, map(read_time, times)), None),
        regions=tuple(regions),
        video=video is not None,
    )


def _orientation(kind: str, parts: Parts, exif: Exif) -> int:
    """Return the orientation that `core.image` applies: the picture's owner sees that one."""
    if kind in ("GIF", "BMP"):
        return 1
    if kind == "HEIF" or parts.turn != 1:
        return parts.turn  # what the container says; EXIF only repeats it
    if exif.orientation is not None:
        return 1 if kind == "AVIF" else exif.orientation
    return next(filter(None, map(orientation_in, parts.xmp[:1])), 1)


def _parsed(packets: Iterable[bytes]) -> list[Element]:
    return [root for packet in packets if (root := parse(packet)) is not None]


def _sidecars(path: str) -> list[bytes]:
    """Read the XMP files beside a photo."""
    packets: dict[tuple[int, int], bytes] = {}
    for stem in (path, os.path.splitext(path)[0]):
        for ending in (".xmp", ".XMP"):
            try:
                with opened(stem + ending) as file:
                    told = os.fstat(file.fileno())
                    if told.st_size <= MAX_METADATA:
                        # On some systems both endings lead to one file.
                        packets.setdefault((told.st_dev, told.st_ino), file.read(MAX_METADATA))
            except (FileMissing, OSError):
                continue  # mostly there is none
    return list(packets.values())
