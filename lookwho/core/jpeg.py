"""JPEG: read the header, refuse what would take too much, decode at a fraction of the size."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import simplejpeg

from lookwho.core.errors import BrokenImage, ImageTooLarge, NotAnImage
from lookwho.core.limits import MAX_COEFFICIENTS, MAX_PIXELS, MAX_VISITS, NO_SIZE, check_size
from lookwho.core.types import ByteArray

CUT_SHORT = "the file ends before the picture does: it was cut short, so copy or upload it again"

# A marker with a length after it; 0xff before 0x00 or a restart mark is data.
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")
_END = b"\xff\xd9"
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_PROGRESSIVE = {0xC2, 0xCA}
_LOSSLESS = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


@dataclass(frozen=True, slots=True)
class Header:
    """What the segments before the first scan say.

    Attributes:
        size: width and height in pixels, as stored.
        components: 1 for grey, 3 for colour, 4 for print.
        coefficients: how many must be kept; 0 where rows are decoded one after the other.
        orientation: by EXIF or XMP, 1 to 8.
        scan: where the first scan begins.
    """

    size: tuple[int, int]
    components: int
    coefficients: int
    orientation: int
    scan: int


def read_header(data: bytes) -> Header:
    """Walk the segments up to the first scan, past the junk that every browser forgives.

    Raises:
        BrokenImage: there is no scan, or nothing that says how large the picture is.
        NotAnImage: it is of a rare kind that libjpeg does not decode.
    """
    frame = exif = xmp = b""
    kind, at = 0, 2
    for _ in range(10_000):
        found = _MARKER.search(data, at)
        if found is None or found.end() + 2 > len(data):
            raise BrokenImage(CUT_SHORT)
        marker, start = found[1][0], found.end()
        at = start + int.from_bytes(data[start : start + 2], "big")
        body = data[start + 2 : at]
        if marker in _LOSSLESS:
            raise NotAnImage("this is a lossless or hierarchical JPEG, which is not read")
        if marker in _FRAMES:
            frame, kind = frame or body, kind or marker
        elif marker == 0xE1 and body.startswith(b"Exif\0"):
            exif = exif or body[6:]
        elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/"):
            xmp = xmp or body
        elif marker in (0xD9, 0xDA):
            break
    else:
        raise BrokenImage("the JPEG data are damaged: they hold thousands of segments")
    if marker == 0xD9 or len(frame) < 9 or not frame[5]:
        raise BrokenImage("the JPEG data are damaged: the picture's header is missing")
    height, width, components = struct.unpack_from(">HHB", frame, 1)
    if width < 1 or height < 1:
        raise BrokenImage(NO_SIZE)
    sampling = [(byte >> 4, byte & 15) for byte in frame[7 : 6 + 3 * components : 3]]
    largest = max(h for h, _ in sampling) * max(v for _, v in sampling)
    kept = width * height * sum(h * v for h, v in sampling) // max(largest, 1)
    # Baseline files are kept as well, when the first scan holds fewer colours than the frame.
    if kind not in _PROGRESSIVE and body[:1] == bytes([components]):
        kept = 0
    return Header((width, height), components, kept, _orientation(exif, xmp), start)


def decode(data: bytes, header: Header, target: int, most: int) -> ByteArray | None:
    """Decode by libjpeg-turbo, reduced but not upright; None for what only Pillow may read.

    Args:
        data: the whole file.
        header: its header.
        target: the longest side wanted; no less is returned, if the picture has it.
        most: pixels of the original that are allowed at most.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        ImageTooLarge: decoding it would take too much memory or time.
        BrokenImage: the data are cut short.
    """
    width, height = header.size
    factor = reduction(header.size, target)
    # Without a reduction a JPEG takes as much memory as any other picture.
    check_size("JPEG", header.size, min(most, MAX_PIXELS["PNG"] * factor**2))
    if header.coefficients:
        scans = 1 + data.count(b"\xff\xda", header.scan, data.find(_END, header.scan))
        visits = header.coefficients * scans
        if header.coefficients > MAX_COEFFICIENTS or visits > MAX_VISITS:
            raise ImageTooLarge(
                f"a progressive JPEG of {width} x {height} pixels in {scans} scans takes too much "
                "to decode: shrink it, or save it as a baseline JPEG"
            )
    if header.components not in (1, 3):
        return None
    return _decoded(data, header, factor, target)


def reduction(size: tuple[int, int], target: int) -> int:
    """Choose 1, 2, 4 or 8: libjpeg has fast code for these reductions only."""
    return next((n for n in (8, 4, 2) if -(-max(size) // n) >= target), 1)


def _decoded(data: bytes, header: Header, factor: int, target: int) -> ByteArray | None:
    width, height = header.size
    least = -(-max(width, height) // factor)

    def decode(data: bytes, *, strict: bool) -> ByteArray:
        return simplejpeg.decode_jpeg(
            data,
            "RGB",
            # Plain chroma upsampling saves a tenth, where the picture is shrunk later anyway.
            fastupsample=max(width, height) > target,
            min_width=least if width >= height else 0,
            min_height=0 if width >= height else least,
            strict=strict,
        )

    try:
        return decode(data, strict=True)
    except ValueError as error:
        if data.find(_END, header.scan) < 0:
            if header.coefficients:  # of a progressive JPEG whole scans may be lost
                raise BrokenImage(CUT_SHORT) from error
            try:
                return decode(data + _END, strict=True)  # all is there but the mark of the end
            except ValueError:
                raise BrokenImage(CUT_SHORT) from error
    try:
        return decode(data, strict=False)
    except ValueError:
        return None  # rare samplings and the like


def _orientation(exif: bytes, xmp: bytes) -> int:
    """Find the orientation, 1 to 8, in the EXIF data of a JPEG, or else in its XMP data."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4) if order else (len(exif),)
        (count,) = struct.unpack_from(f"{order or '<'}H", exif, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", exif, at)
            if tag == 0x0112:
                (turn,) = struct.unpack_from(f"{order}{'I' if kind == 4 else 'H'}", exif, at + 8)
                return turn if 1 <= turn <= 8 else 1
    except struct.error:
        pass  # damaged EXIF data say nothing, and the picture is sound without them
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1
