"""Limits: what is refused before it is decoded, by the size and the headers of a file."""

from __future__ import annotations

import struct
from typing import BinaryIO

from PIL.TiffImagePlugin import TiffImageFile

from lookwho.core.errors import BrokenImage, ImageTooLarge

MEGA = 1_000_000

# Pixels of the original, by the memory that decoding one of them was measured to take.
MAX_PIXELS = {
    "JPEG": 400 * MEGA,  # none: it is reduced while it is decoded, row by row
    "PNG": 120 * MEGA,  # 4 bytes: Pillow keeps RGB as RGBX
    "TIFF": 120 * MEGA,  # 4 bytes, and one strip or tile: see `check_strips`
    "GIF": 120 * MEGA,  # 1 byte
    "BMP": 120 * MEGA,  # 4 bytes
    "HEIF": 50 * MEGA,  # 8 bytes, 16 where ten bits are stored; telephones make 48 million pixels
    "AVIF": 50 * MEGA,  # 9 to 14 bytes
    "WEBP": 40 * MEGA,  # 18 bytes: two canvases of its animation decoder, and two copies
}
# Bytes of the file, for the kinds that are held in memory as a whole.
MAX_BYTES = {
    **dict.fromkeys(("JPEG", "PNG", "GIF"), 256 * MEGA),
    **dict.fromkeys(("HEIF", "AVIF", "WEBP"), 48 * MEGA),
}
# A progressive JPEG keeps every coefficient until its last scan, 2 bytes each.
MAX_COEFFICIENTS = 250 * MEGA
# How many of them its scans may visit. Programs write about ten scans; a thousand empty ones fit
# in a few kilobytes and would keep a core busy for minutes.
MAX_VISITS = 4_000 * MEGA
# Bytes for a TIFF: the picture, its largest strip and the values of its tags; for these alone.
MAX_TIFF = 850 * MEGA
MAX_TAGS = 100 * MEGA
MAX_TAG_COUNT = 200  # twice of what is seen; libtiff prints a line for each that it does not know

NO_SIZE = "the picture has no width or no height"


def check_size(kind: str, size: tuple[int, int], most: int) -> None:
    """Refuse a picture of that kind without a side, or with more pixels than are decoded.

    Args:
        kind: as `kinds.kind_of` names it.
        size: width and height in pixels, as the file claims.
        most: a lower limit, in pixels.

    Raises:
        BrokenImage, ImageTooLarge: see above.
    """
    width, height = size
    if width < 1 or height < 1:
        raise BrokenImage(NO_SIZE)
    limit = min(MAX_PIXELS[kind], most)
    if width * height > limit:
        raise ImageTooLarge(
            f"{width} x {height} is {mega(width * height)} million pixels, and at most "
            f"{mega(limit)} million are decoded: shrink the picture first"
        )


def check_tags(file: BinaryIO, size: int) -> int:
    """Return the bytes that the tags of a TIFF take once Pillow unpacks them.

    Args:
        file: at its start, where it is left.
        size: of the file in bytes.

    Raises:
        BrokenImage: it claims more tags than a TIFF has.
        ImageTooLarge: they take too much.
    """
    head = file.read(16)
    order, big = "<" if head[:1] == b"I" else ">", b"+" in head[2:4]
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
    file.seek(start)
    count = int.from_bytes(file.read(8 if big else 2), "little" if order == "<" else "big")
    entry = struct.Struct(order + ("HHQ8x" if big else "HHI4x"))
    if count > MAX_TAG_COUNT:
        raise BrokenImage(f"the TIFF data are damaged: they claim to have {count} tags")
    entries = file.read(count * entry.size)
    costs: dict[int, int] = {}
    for tag, kind, values in entry.iter_unpack(entries[: len(entries) // entry.size * entry.size]):
        of_bytes = kind in (1, 2, 6, 7)
        if values * (1 if of_bytes else 2) > size:
            continue  # Pillow skips values that the file cannot hold
        # Pillow makes objects for every strip or tile: only 300 bytes, but in 14 microseconds.
        costs.setdefault(tag, values * (1000 if tag in (273, 324) else 1 if of_bytes else 8))
    taken = sum(costs.values())
    if taken > MAX_TAGS:
        raise ImageTooLarge(
            f"unpacking the tags of this TIFF takes {mega(taken)} MB, and at most "
            f"{mega(MAX_TAGS)} MB are spent: save it anew, without layers and in larger strips"
        )
    file.seek(0)
    return taken


def check_strips(image: TiffImageFile, taken: int) -> None:
    """Refuse a TIFF whose largest strip or tile does not fit into memory beside the picture.

    Args:
        image: opened but not yet decoded.
        taken: what `check_tags` returned.

    Raises:
        ImageTooLarge: it does not fit.
    """
    tags = image.tag_v2
    pixels = image.width * image.height
    needed = pixels * {"1": 1, "L": 1, "P": 1, "I;16": 2}.get(image.mode, 4)
    needed *= 1 if tags.get(0x0112, 1) == 1 else 2  # Pillow turns a copy upright
    if image.info["compression"] != "raw":
        rows = min(tags.get(278, tags[257]), tags[257])
        strip = tags[322] * tags[323] if 322 in tags else tags[256] * rows
        samples = 4 if tags.get(262) == 6 else tags.get(277, 1)  # YCbCr is unpacked as RGBX
        needed += strip * samples * max(tags.get(258, (1,))) // 8
    needed += 2 * taken  # once as tags, once as EXIF
    if needed > MAX_TIFF:
        raise ImageTooLarge(
            f"decoding this TIFF of {image.width} x {image.height} takes {mega(needed)} MB, and "
            f"at most {mega(MAX_TIFF)} MB are spent: shrink it, or save it in smaller strips"
        )


def mega(number: int) -> str:
    """Say a number in millions: "0.25", "3,000".

    >>> mega(250_000), mega(3_000_000_000)
    ('0.25', '3,000')
    """
    return f"{number / MEGA:,.0f}" if number >= 10 * MEGA else f"{number / MEGA:.2g}"
