"""Containers: finds the parts of JPEG, PNG, WebP, GIF and BMP files, and the media of videos.

TIFF, and HEIF with AVIF, have modules of their own. Nothing is decoded, and nothing that a file
says is believed: lengths end where the file ends, and loops have limits. Where a file is cut short,
what is there counts.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator

from lookwho.core.heif import heif_parts
from lookwho.core.parts import MAX_METADATA, Parts, Piece, Source, Span
from lookwho.core.tiff import tiff_parts

_MAX_SEGMENTS = 10_000  # of a JPEG, as in `core.jpeg`
_MAX_CHUNKS = 250_000  # 1 GB in chunks of 4 kB, the smallest that are seen
_MAX_BLOCKS = 5_000_000  # 1 GB in the blocks of 255 bytes that GIF has


def parts_of(source: Source, kind: str) -> Parts:
    """Find the parts of a file of that kind; never fails, but may find little."""
    parts = Parts()
    try:
        _WALKS.get(kind, _whole)(source, parts)
    except (struct.error, ValueError, IndexError, OverflowError, zlib.error):
        parts.pieces = []  # what was found out before still holds, but not what the image is
    return parts


def _within(source: Source, start: int, end: int) -> Span:
    """Return a span, as far as the file goes."""
    return min(start, source.size), min(end, source.size)


# --- JPEG ---

# A marker with a length after it, or the end; 0xff before 0x00 or a restart mark is data.
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"


def _jpeg(source: Source, parts: Parts) -> None:
    """Every segment counts but APPn and COM, and what follows the end of the first picture.

    APP14 counts with the one byte that decoders heed: how colours are stored. JFIF does not: it
    matters only to a picture whose components have odd numbers, and programs take it out.
    """
    more: dict[bytes, dict[int, Span]] = {}
    seen: set[int] = set()
    at = 2
    for _ in range(_MAX_SEGMENTS):
        marker, start = _next_marker(source, at)
        if marker == 0xD9:
            break
        at = start + max(2, int.from_bytes(source.read(start, 2), "big"))
        if marker == 0xDA:
            at = _next_marker(source, at)[1] - 2  # the data of the scan belong to its header
        seen.add(marker)
        body = _within(source, start + 2, at)
        if marker == 0xEE:
            if source.read(start + 2, 5) == b"Adobe":
                parts.pieces.append(Piece(b"Adobe", [_within(source, start + 13, start + 14)]))
        elif marker == 0xE1:
            _app1(source, body, parts, more)
        elif not 0xE0 <= marker <= 0xEF and marker != 0xFE:
            parts.pieces.append(Piece(b"%02x" % marker, [body]))
            if marker in _FRAMES and parts.size == (0, 0):
                height, width = struct.unpack(">HH", source.read(start + 3, 4))
                parts.size = (width, height)
    else:
        raise ValueError("thousands of segments")
    parts.xmp[1:] = _extended_xmp(source, parts.xmp, more)
    if not (seen & _FRAMES and 0xDA in seen):
        parts.pieces = []


def _next_marker(source: Source, at: int) -> tuple[int, int]:
    """Return the next marker, past data and junk, and where its length stands."""
    length = 16  # mostly it is right here
    while at < source.size:
        window = source.read(at, length)
        if found := _MARKER.search(window):
            return found[1][0], at + found.end()
        at += max(1, len(window) - 1)
        length = 1 << 20
    return 0xD9, source.size + 2  # the file is cut short: it ends here


def _app1(source: Source, span: Span, parts: Parts, more: dict[bytes, dict[int, Span]]) -> None:
    body = source.block(span)
    if body.startswith(b"Exif\0"):
        parts.exif = parts.exif or Source.of(body[6:])
    elif body.startswith(_XMP):
        parts.xmp = parts.xmp or [body[len(_XMP) :]]
    elif body.startswith(_MORE_XMP) and len(body) > len(_MORE_XMP) + 40:
        digest, _, offset = struct.unpack_from(">32sII", body, len(_MORE_XMP))
        more.setdefault(digest, {})[offset] = (span[0] + len(_MORE_XMP) + 40, span[1])


def _extended_xmp(
    source: Source, main: list[bytes], more: dict[bytes, dict[int, Span]]
) -> list[bytes]:
    """Put the XMP together that was too long for one segment, where all of it is there."""
    for digest, portions in more.items():
        if not (main and digest in main[0]):  # left over from another picture
            continue
        packet = bytearray()
        for offset, (start, end) in sorted(portions.items()):
            if offset != len(packet) or len(packet) + end - start > MAX_METADATA:
                return []
            packet += source.read(start, end - start)
        return [bytes(packet)]
    return []


# --- PNG ---

_PNG_IMAGE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"acTL", b"fcTL", b"fdAT"})


def _png(source: Source, parts: Parts) -> None:
    """The header, the palette, transparency and the data count, and the frames of an APNG."""
    at = 8
    for _ in range(_MAX_CHUNKS):
        head = source.read(at, 8)
        if len(head) < 8 or head[4:] == b"IEND":
            break
        length, name = struct.unpack(">I4s", head)
        span = _within(source, at + 8, at + 8 + length)
        at += 12 + length
        if name == b"IHDR":
            parts.size = struct.unpack(">II", source.read(span[0], 8))
        if name in _PNG_IMAGE:
            if name == b"IDAT" and parts.pieces and parts.pieces[-1].name == b"IDAT":
                parts.pieces[-1].spans.append(span)  # where chunks are cut means nothing
            else:
                parts.pieces.append(Piece(name, [span]))
        elif name == b"eXIf":
            parts.exif = Source.of(source.block(span).removeprefix(b"Exif\0\0"))
        elif name in (b"iTXt", b"zTXt", b"tEXt"):
            _png_text(name, source.block(span), parts)
    else:
        raise ValueError("too many chunks")


def _png_text(name: bytes, body: bytes, parts: Parts) -> None:
    keyword, _, text = body.partition(b"\0")
    try:
        # Only the first is tried: unpacking many would take long.
        if name == b"iTXt" and keyword == b"XML:com.adobe.xmp" and not parts.xmp:
            parts.xmp = [b""]
            packed = text[:1] == b"\1"
            text = text[2:].split(b"\0", 2)[2]
            parts.xmp = [_unpacked(text) if packed else text]
        elif keyword == b"Raw profile type exif" and parts.exif is None:  # as ImageMagick wrote
            parts.exif = Source.of(b"")
            text = text if name == b"tEXt" else _unpacked(text[1:])
            data = bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
            parts.exif = Source.of(data.removeprefix(b"Exif\0\0"))
    except (ValueError, IndexError, zlib.error):
        pass  # damaged text says nothing, and the picture is sound without it


def _unpacked(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, MAX_METADATA)


# --- WebP ---

_WEBP_IMAGE = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})


def _webp(source: Source, parts: Parts) -> None:
    """The pictures count; of VP8X only the canvas, and only where frames lie on it.

    Programs add VP8X when they add metadata, and drop it with them.
    """
    canvas: Span = (0, 0)
    for name, span in _riff(source):
        if name == b"VP8X":
            canvas = _within(source, span[0] + 4, span[0] + 10)
            sides = source.read(canvas[0], 6)
            width, height = (int.from_bytes(side, "little") for side in (sides[:3], sides[3:]))
            parts.size = (width + 1, height + 1)
        elif name in _WEBP_IMAGE:
            if name == b"ANIM":
                parts.pieces.append(Piece(b"VP8X", [canvas]))
            elif parts.size == (0, 0):
                parts.size = _webp_size(name, source.read(span[0], 10))
            parts.pieces.append(Piece(name, [span]))
        elif name == b"EXIF":
            parts.exif = parts.exif or Source.of(source.block(span).removeprefix(b"Exif\0\0"))
        elif name == b"XMP ":
            parts.xmp = parts.xmp or [source.block(span)]


def _riff(source: Source) -> Iterator[tuple[bytes, Span]]:
    at = 12
    for _ in range(_MAX_CHUNKS):
        head = source.read(at, 8)
        if len(head) < 8:
            return
        name, length = struct.unpack("<4sI", head)
        yield name, _within(source, at + 8, at + 8 + length)
        at += 8 + length + length % 2
    raise ValueError("too many chunks")


def _webp_size(name: bytes, head: bytes) -> tuple[int, int]:
    if name == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", head, 6)
    return width & 0x3FFF, height & 0x3FFF


# --- GIF ---

# Bytes after the XMP in a GIF, which lead readers that know only short blocks to its end.
_MAGIC = 258


def _gif(source: Source, parts: Parts) -> None:
    """All counts but comments, XMP and colour profiles; 87a or 89a is only which came first."""
    screen = source.read(6, 7)
    parts.size = struct.unpack_from("<HH", screen)
    at = 13 + _table(screen[4])
    image = Piece(b"image", [_within(source, 6, at)])
    blocks = _Blocks(source)
    for _ in range(_MAX_CHUNKS):
        sign = source.read(at, 2)
        if not sign or sign[0] not in b"\x21\x2c":
            break
        start = at
        if sign[0] == 0x2C:
            at = blocks.end(at + 11 + _table(source.read(at + 9, 1)[0]))
            image.spans.append(_within(source, start, at))
            continue
        at = blocks.end(at + 2)
        name = source.read(start + 2, 12)[1:] if sign[1:] == b"\xff" else b""
        if name == b"XMP DataXMP":
            parts.xmp = parts.xmp or [source.block((start + 14, at - _MAGIC))]
        elif sign[1:] != b"\xfe" and name != b"ICCRGBG1012":
            image.spans.append(_within(source, start, at))
    else:
        raise ValueError("too many frames")
    parts.pieces = [image]


def _table(flags: int) -> int:
    """Return the bytes that a table of colours takes."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


class _Blocks:
    """Finds where a chain of short blocks ends, a window at a time."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = _MAX_BLOCKS
        self._start, self._window = 0, b""

    def end(self, at: int) -> int:
        while self._left:
            self._left -= 1
            if not self._start <= at < self._start + len(self._window):
                self._start, self._window = at, self._source.read(at, 1 << 16)
                if not self._window:
                    return self._source.size
            length = self._window[at - self._start]
            at += 1 + length
            if not length:
                return at
        raise ValueError("too many blocks")


# --- BMP ---


def _bmp(source: Source, parts: Parts) -> None:
    """Nothing in a BMP is metadata: it counts as a whole."""
    head = source.read(14, 12)
    if head[:4] == b"\x0c\0\0\0":
        parts.size = struct.unpack_from("<HH", head, 4)
    else:
        width, height = struct.unpack_from("<ii", head, 4)
        parts.size = (abs(width), abs(height))  # negative: stored from the top


# --- videos ---

_MAX_BOXES = 250_000  # a day of a stream that is cut into boxes three times a second


def _iso_video(source: Source, parts: Parts) -> None:
    """The pictures and the sound count, not what is said about them, nor how they are cut up.

    Writing a name or a date into an MP4 changes only the box `moov`, and where the others lie.
    """
    media = Piece(b"mdat")
    at = 0
    for _ in range(_MAX_BOXES):
        head = source.read(at, 16)
        if len(head) < 8:
            break
        length, name = struct.unpack_from(">I4s", head)
        start = at + 8
        if length == 1:
            length, start = struct.unpack_from(">Q", head, 8)[0], at + 16
        elif length == 0:
            length = source.size - at  # it goes on to the end of the file
        if length < start - at:
            break  # what follows is damaged, and no player finds anything in it
        at += length
        if name == b"mdat":
            media.spans.append(_within(source, start, at))
    else:
        raise ValueError("too many boxes")
    if any(start < end for start, end in media.spans):
        parts.pieces = [media]


def _whole(source: Source, parts: Parts) -> None:
    """The whole file counts: programs hardly ever write into such videos."""


_WALKS: dict[str, Callable[[Source, Parts], None]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "GIF": _gif,
    "BMP": _bmp,
    "TIFF": tiff_parts,
    "HEIF": heif_parts,
    "AVIF": heif_parts,
    **dict.fromkeys(("MP4", "MOV", "3GP"), _iso_video),
}
