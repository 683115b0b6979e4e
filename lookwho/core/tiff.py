"""TIFF: reads its directories, for TIFF files and for the EXIF data of all others.

Little and big endian, classic and BigTIFF. What is damaged is passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from lookwho.core.parts import Parts, Piece, Source

_MAX_PAGES = 1_000
_MAX_TAGS = 4_096
_MAX_VALUES = 1_000_000  # of one tag: strips of 1 kB in a file of 1 GB
_MAX_READ = 4_000_000  # values in all pages

# Types of TIFF 6.0 and BigTIFF: bytes of a value, and how `struct` names whole numbers.
_SIZES = {
    **{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4},
    **{16: 8, 17: 8, 18: 8},
}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

WIDTH, HEIGHT, XMP, EXIF = 256, 257, 700, 34665
_STRIPS = ((273, 279), (324, 325), (513, 514))  # strips, tiles, JPEG of the old kind
# What tells how to decode: bits, compression, colours, fill order, samples, rows, planes, fax
# options, predictor, palette, tile sides, inks, extra samples, sample format, JPEG tables, YCbCr.
_DECODING = (
    *(256, 257, 258, 259, 262, 266, 277, 278, 284, 292, 293, 317, 320, 322, 323, 332, 338),
    *(339, 347, 512, 515, 529, 530, 532),
)
_READ = frozenset(_DECODING).union(*_STRIPS)


@dataclass(frozen=True, slots=True)
class Tag:
    """One entry of a directory: the type and number of its values, and where they lie."""

    kind: int
    count: int
    at: int


class Directory:
    """One directory of a TIFF structure: a page, or a list of EXIF tags."""

    def __init__(self, source: Source, order: str, tags: dict[int, Tag]) -> None:
        self._source = source
        self.order = order
        self.tags = tags

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the values of a tag that holds whole numbers, and nothing for others."""
        entry = self.tags.get(tag)
        if entry is None or entry.kind not in _NUMBERS or entry.count > _MAX_VALUES:
            return ()
        data = self.data(tag)
        count = len(data) // _SIZES[entry.kind]
        return struct.unpack_from(f"{self.order}{count}{_NUMBERS[entry.kind]}", data)

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first value of a tag."""
        values = self.numbers(tag)
        return values[0] if values else default

    def data(self, tag: int) -> bytes:
        """Return the values of a tag as they are stored."""
        entry = self.tags.get(tag)
        if entry is None:
            return b""
        return self._source.block((entry.at, entry.at + entry.count * _SIZES.get(entry.kind, 0)))

    def child(self, tag: int) -> Directory | None:
        """Return the directory that a tag points to."""
        return next(directories(self._source, self.number(tag)), None) if tag in self.tags else None


def directories(source: Source, start: int | None = None) -> Iterator[Directory]:
    """Yield the directories of a TIFF structure, one after the other.

    Args:
        source: begins with the header of the structure.
        start: where the first one stands; by default where the header says.
    """
    head = source.read(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return
    big = head[2:4] in (b"+\0", b"\0+")
    if start is None:
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
    entry = struct.Struct(order + ("HHQ" if big else "HHI"))
    inline = 8 if big else 4
    seen: set[int] = set()
    while start and start not in seen and len(seen) < _MAX_PAGES:
        seen.add(start)
        head = source.read(start, 8 if big else 2)
        count = int.from_bytes(head, "little" if order == "<" else "big")
        start += len(head)
        entries = source.read(start, min(count, _MAX_TAGS) * (entry.size + inline))
        tags: dict[int, Tag] = {}
        for at in range(0, len(entries) - entry.size - inline + 1, entry.size + inline):
            tag, kind, values = entry.unpack_from(entries, at)
            place = start + at + entry.size
            if values * _SIZES.get(kind, 0) > inline:
                where = entries[at + entry.size : at + entry.size + inline]
                place = int.from_bytes(where, "little" if order == "<" else "big")
            tags.setdefault(tag, Tag(kind, values, place))
        if not tags:
            return
        yield Directory(source, order, tags)
        link = source.read(start + count * (entry.size + inline), inline)
        start = int.from_bytes(link, "little" if order == "<" else "big")


def tiff_parts(source: Source, parts: Parts) -> None:
    """The data of all pages count, with the tags that tell how to decode them, not thumbnails.

    So does the byte order: samples of 16 bits follow it.
    """
    values_left = _MAX_READ
    parts.exif = source
    for page in directories(source):
        if not parts.pieces:
            parts.size = (page.number(WIDTH), page.number(HEIGHT))
            parts.xmp = [page.data(XMP)] if XMP in page.tags else []
        if page.number(254) & 1 and parts.pieces:
            continue
        values_left -= sum(entry.count for tag, entry in page.tags.items() if tag in _READ)
        if values_left < 0:
            raise ValueError("too many values")
        for tag in _DECODING:
            if tag in page.tags:
                values = page.numbers(tag)
                said = struct.pack(f"<{len(values)}Q", *values) if values else page.data(tag)
                parts.pieces.append(Piece(b"tag %d" % tag, said=said))
        piece = Piece(b"strips" + page.order.encode())
        for starts, lengths in _STRIPS:
            for start, length in zip(page.numbers(starts), page.numbers(lengths), strict=False):
                if length and start < source.size:
                    piece.spans.append((start, min(start + length, source.size)))
        parts.pieces.append(piece)
    if not any(piece.spans for piece in parts.pieces):
        parts.pieces = []
