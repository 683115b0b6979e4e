"""HEIF and AVIF: finds the image items, EXIF and XMP among the boxes of a file.

Source:
    ISO/IEC 14496-12 (boxes; the meta box in 8.11) and ISO/IEC 23008-12 (image items).
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from lookwho.core.orientation import one_after_the_other
from lookwho.core.parts import Parts, Piece, Source, Span

_MAX_BOXES = 100_000
_MAX_TABLE = 2 << 20  # bytes of a list of places or properties; 100,000 tiles have such a one
_MAX_PACKETS = 4
# What tells how to decode an item and what size it has. Not: turning and mirroring, which is
# orientation; colours; and names.
_DECODING = frozenset(
    {b"hvcC", b"lhvC", b"vvcC", b"avcC", b"av1C", b"j2kH", b"jpgC", b"uncC", b"cmpd"}
    | {b"ispe", b"clap", b"auxC", b"a1op", b"lsel"}
)
# Items that are no image.
_ABOUT = frozenset({b"Exif", b"mime", b"uri ", b""})


@dataclass(slots=True)
class _Item:
    """One item of the meta box: its type, and for metadata what they are."""

    kind: bytes = b""
    content: bytes = b""
    spans: list[Span] = field(default_factory=list[Span])
    properties: list[int] = field(default_factory=list[int])
    references: list[tuple[bytes, Span]] = field(default_factory=list[tuple[bytes, Span]])


@dataclass(slots=True)
class _Meta:
    """What a meta box says."""

    primary: int = 0
    items: dict[int, _Item] = field(default_factory=lambda: defaultdict(_Item))
    properties: list[tuple[bytes, Span]] = field(default_factory=list[tuple[bytes, Span]])
    idat: Span = (0, 0)


def heif_parts(source: Source, parts: Parts) -> None:
    """The image items count, in the order of their numbers, wherever in the file they lie."""
    meta = next((span for name, span in _boxes(source, (0, source.size)) if name == b"meta"), None)
    if meta is None:
        return
    found = _read_meta(source, meta)
    for number, item in sorted(found.items.items()):
        if item.kind == b"Exif":
            parts.exif = parts.exif or _exif(_joined(source, item))
        elif item.kind == b"mime":
            if item.content == b"application/rdf+xml" and len(parts.xmp) < _MAX_PACKETS:
                parts.xmp.append(_joined(source, item))
        elif item.kind not in _ABOUT:
            parts.pieces += _pieces(number, item, found)
    _read_shape(source, found, parts)
    if any(item.spans for item in found.items.values() if item.kind not in _ABOUT):
        parts.pieces.append(Piece(b"primary %d" % found.primary))
    else:
        parts.pieces = []


def _pieces(number: int, item: _Item, meta: _Meta) -> Iterator[Piece]:
    for index in item.properties:
        name, span = meta.properties[index]
        if name in _DECODING:
            yield Piece(b"%d %b" % (number, name), [span])
    for name, span in item.references:
        yield Piece(b"%d %b" % (number, name), [span])
    yield Piece(b"%d %b" % (number, item.kind), item.spans)


def _read_shape(source: Source, meta: _Meta, parts: Parts) -> None:
    """Tell size and orientation of the primary item by its properties, in their order."""
    for index in meta.items[meta.primary].properties:
        name, (start, end) = meta.properties[index]
        body = source.read(start, min(end - start, 64))
        if name == b"ispe":
            parts.size = struct.unpack_from(">II", body, 4)
        elif name == b"irot":  # quarter turns against the clock
            parts.turn = one_after_the_other(parts.turn, (1, 8, 3, 6)[body[0] & 3])
        elif name == b"imir":  # upside down, or left and right
            parts.turn = one_after_the_other(parts.turn, (4, 2)[body[0] & 1])


def _joined(source: Source, item: _Item) -> bytes:
    if sum(end - start for start, end in item.spans) > 1 << 24:
        return b""
    return b"".join(source.block(span) for span in item.spans)


def _exif(data: bytes) -> Source:
    """Skip to the TIFF header, as far as the first four bytes say."""
    return Source.of(data[4 + int.from_bytes(data[:4], "big") :])


# --- boxes ---


def _boxes(source: Source, span: Span) -> Iterator[tuple[bytes, Span]]:
    """Yield the name and the body of each box in a span."""
    at, end = span
    for _ in range(_MAX_BOXES):
        head = source.read(at, 16)
        if at + 8 > end or len(head) < 8:
            return
        length, name = struct.unpack_from(">I4s", head)
        begin = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", head, 8)
            begin = at + 16
        stop = end if length == 0 else min(at + length, end)
        if stop < begin:
            return
        yield name, (begin, stop)
        at = stop
    raise ValueError("too many boxes")


def _read_meta(source: Source, span: Span) -> _Meta:
    meta = _Meta()
    bodies: dict[bytes, Span] = {}
    for name, body in _boxes(source, (span[0] + 4, span[1])):
        bodies.setdefault(name, body)
    meta.idat = bodies.get(b"idat", (0, 0))
    if b"pitm" in bodies:
        body = source.block(bodies[b"pitm"])
        meta.primary = int.from_bytes(body[4:6] if body[:1] == b"\0" else body[4:8], "big")
    if b"iinf" in bodies:
        start, end = bodies[b"iinf"]
        start += 6 if source.read(start, 1) == b"\0" else 8
        for name, (begin, stop) in _boxes(source, (start, end)):
            if name == b"infe":
                _read_entry(source.read(begin, min(stop - begin, 1024)), meta)
    if b"iloc" in bodies:
        _read_places(source, _table(source, bodies[b"iloc"]), meta)
    if b"iref" in bodies:
        _read_references(source, bodies[b"iref"], meta)
    if b"iprp" in bodies:
        for name, body in _boxes(source, bodies[b"iprp"]):
            if name == b"ipco":
                meta.properties = list(_boxes(source, body))
        for name, body in _boxes(source, bodies[b"iprp"]):
            if name == b"ipma":
                _read_associations(_table(source, body), meta)
    return meta


def _table(source: Source, span: Span) -> bytes:
    if span[1] - span[0] > _MAX_TABLE:
        raise ValueError("the list is too long")
    return source.block(span)


def _read_entry(body: bytes, meta: _Meta) -> None:
    """Read what an item is, from versions 2 and 3; older ones have no images."""
    if body[:1] not in (b"\2", b"\3"):
        return
    wide = body[0] == 3
    number, _, kind = struct.unpack_from(">IH4s" if wide else ">HH4s", body, 4)
    item = meta.items[number]
    item.kind = kind
    texts = body[14 if wide else 12 :].split(b"\0")
    item.content = texts[1] if kind == b"mime" and len(texts) > 1 else b""


def _read_places(source: Source, body: bytes, meta: _Meta) -> None:
    """Read where items lie: in the file, or in the box called idat."""
    version, sizes = body[0], int.from_bytes(body[4:6], "big")
    of_offset, of_length, of_base = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    of_index = sizes & 15 if version else 0
    wide = 4 if version == 2 else 2
    at = 6

    def take(length: int) -> int:
        nonlocal at
        at += length
        if at > len(body):
            raise ValueError("the list of places is cut short")
        return int.from_bytes(body[at - length : at], "big")

    for _ in range(take(wide)):
        item = meta.items[take(wide)]
        method = take(2) & 15 if version else 0
        take(2)  # 0: this file
        base = take(of_base)
        for _ in range(take(2)):
            take(of_index)
            start, length = base + take(of_offset), take(of_length)
            if method > 1:
                raise ValueError("items inside items are not followed")
            first, last = meta.idat if method else (0, source.size)
            stop = min(first + start + length, last) if length else last
            if first + start < stop:
                item.spans.append((first + start, stop))


def _read_references(source: Source, span: Span, meta: _Meta) -> None:
    """Read which items are made of which, such as a grid of its tiles."""
    wide = 2 if source.read(span[0], 1) == b"\0" else 4
    for name, (start, end) in _boxes(source, (span[0] + 4, span[1])):
        if name != b"cdsc":  # which metadata describe which image
            number = int.from_bytes(source.read(start, wide), "big")
            meta.items[number].references.append((name, (start, end)))


def _read_associations(body: bytes, meta: _Meta) -> None:
    """Read which properties items have."""
    version, wide = body[0], body[3] & 1
    (count,) = struct.unpack_from(">I", body, 4)
    at = 8
    for _ in range(count):
        (number,) = struct.unpack_from(">I" if version else ">H", body, at)
        at += 4 if version else 2
        for _ in range(body[at]):
            at += 1 + wide
            index = int.from_bytes(body[at - wide : at + 1], "big") & (0x7FFF if wide else 0x7F)
            if 0 < index <= len(meta.properties):
                meta.items[number].properties.append(index - 1)
        at += 1
