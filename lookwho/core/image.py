"""Decode one picture from outside, safely, at the size that is needed.

`read` takes whatever people upload and gives upright 8-bit RGB, or refuses with a reason that a
person understands. What it promises:

- The kind is found in the content, never in the file's name, and no other decoder is ever tried.
- The longest side of `pixels` is in [target, 2 * target), or the original's where that is less.
  Nothing is enlarged, and nothing is resized once more to hit `target` exactly: later stages
  resize again anyway, and would only lose sharpness.
- EXIF orientation is applied exactly once. Colour profiles are not applied.
- Of an animation the first frame is read, of a document the first page.
- Transparent pictures lie on white. White is what a page shows behind a cut-out portrait, and
  what someone erased by transparency stays erased, though its colours may still be in the file.
- The process stays below 1 GB for any file at the usual `target`, interpreter included.
"""

from __future__ import annotations

import io
import logging
import os
import re
import stat
import struct
import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lookwho.core.errors import (
    BrokenImage,
    FileMissing,
    FormatNotInstalled,
    ImageTooLarge,
    InputError,
    LookwhoError,
    NotAnImage,
    OutOfMemory,
)
from lookwho.core.types import ByteArray, FloatArray

Source: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]

MEGA = 1_000_000

# Pixels of the original, by the memory that decoding one of them was measured to take.
MAX_PIXELS = {
    "JPEG": 400 * MEGA,  # none: it is reduced while it is decoded, row by row
    "PNG": 120 * MEGA,  # 4 bytes: Pillow keeps RGB as RGBX
    "TIFF": 120 * MEGA,  # 4 bytes, and one strip or tile: see `_check_strips`
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

CUT_SHORT = "the file ends before the picture does: it was cut short, so copy or upload it again"
NO_SIZE = "the picture has no width or no height"

_PLUGINS: dict[str, Callable[[BinaryIO], ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "TIFF": TiffImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "AVIF": AvifImageFile,
    "WEBP": WebPImageFile,
}

# Pillow logs some damage as errors; without any handler Python would print them.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An upright picture, possibly reduced.

    `pixels` are (h, w, 3) uint8 RGB, C-contiguous; they are the caller's own array where `read`
    was given one and had nothing to change. `width` and `height` are the upright original's.
    """

    pixels: ByteArray
    width: int
    height: int
    format: str

    @property
    def scale(self) -> float:
        """How many pixels of `pixels` one pixel of the original became, at most 1.

        Taken along the longer side: a side of one pixel cannot be reduced any further.
        """
        return max(self.pixels.shape[:2]) / max(self.width, self.height)


def read(source: Source, *, target: int = 2000, max_pixels: int | None = None) -> Picture:
    """Decode a picture, upright, at `target` pixels or up to twice that along its longest side.

    Args:
        source: a path, the bytes of a file, a Pillow image (its current frame, turned upright by
            the EXIF data that it carries), or a (h, w, 3) uint8 RGB array, taken as it is.
        target: the longest side wanted, in pixels. JPEG is decoded at 1/1, 1/2, 1/4 or 1/8: the
            scales between them take longer than the whole picture. Others are averaged.
        max_pixels: a limit below those of `MAX_PIXELS`; it cannot raise them.

    Raises:
        FileMissing: there is no such file, or it may not be read.
        NotAnImage: the bytes are no picture, or of a kind that is not read.
        BrokenImage: the picture's data are damaged or cut short.
        ImageTooLarge: more pixels, or more memory to decode them, than is allowed.
        FormatNotInstalled: a HEIC picture, and the extra that reads it is not installed.
        OutOfMemory: the machine had no memory left for it.
        InputError: an array that is not (h, w, 3) uint8, or a source of another type.
    """
    if target < 1:
        raise ValueError(f"target must be 1 pixel or more, not {target}")
    most = max_pixels if max_pixels is not None else max(MAX_PIXELS.values())
    if isinstance(source, np.ndarray):
        return _read_array(source, target)
    if isinstance(source, Image.Image):
        kind = source.format or "Pillow"
        with _refusals(kind), _alone():
            _check_size("PNG", source.size, most)
            return _finish(source, source.size, target, kind)
    if isinstance(source, bytes):
        return _read_file(io.BytesIO(source), len(source), target, most)
    if isinstance(source, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        with _open(source) as file:
            return _read_file(file, os.fstat(file.fileno()).st_size, target, most)
    raise InputError(
        "a picture is given as a path, bytes, a Pillow image or an array, "
        f"not as {type(source).__name__}"
    )


def _open(path: str | os.PathLike[str]) -> BinaryIO:
    name = repr(os.fspath(path))
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise FileMissing(f"{name} is a folder, not a picture")
        if not stat.S_ISREG(mode):  # a pipe could be waited on for ever
            raise FileMissing(f"{name} is not an ordinary file")
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise FileMissing(f"there is no file {name}") from error
    except PermissionError as error:
        raise FileMissing(f"{name} may not be read: permission denied") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileMissing(f"{name} cannot be opened: {reason}") from error


def _read_file(file: BinaryIO, size: int, target: int, most: int) -> Picture:
    kind = _kind(file.read(512))
    if size > MAX_BYTES.get(kind, size):
        raise ImageTooLarge(
            f"the file has {_mega(size)} MB, and of a {kind} at most {_mega(MAX_BYTES[kind])} MB "
            "are read"
        )
    file.seek(0)
    with _refusals(kind):
        if kind == "JPEG":
            data = file.read()
            if picture := _read_jpeg(data, target, most):
                return picture
            file = io.BytesIO(data)
        with _alone():
            if kind == "HEIF":
                return _read_heif(file, target, most)
            tags = 0
            if kind == "TIFF":
                tags = _check_tags(file, size)
            image = _PLUGINS[kind](file)
            original = image.size
            _check_size(kind, original, most)
            if isinstance(image, TiffImageFile):
                _check_strips(image, tags)
            if isinstance(image, JpegImageFile):
                factor = _jpeg_factor(original, target)
                image.draft(None, (max(1, original[0] // factor), max(1, original[1] // factor)))
            return _finish(image, original, target, kind)


@contextmanager
def _refusals(kind: str) -> Generator[None]:
    """Tell whatever a decoder raises as one of our errors."""
    try:
        yield
    except LookwhoError:
        raise
    except MemoryError as error:
        raise OutOfMemory(f"this machine has no memory left to decode the {kind}") from error
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))  # the frame of a GIF, beyond what its header says
        raise ImageTooLarge(
            f"the {kind} holds {_mega(int(pixels[0])) if pixels else 'too many'} million pixels, "
            f"and at most {_mega(MAX_PIXELS['GIF'])} million are decoded: shrink the picture first"
        ) from error
    except Exception as error:
        # OSError, SyntaxError, ValueError, KeyError, struct.error, EOFError, TypeError, ...
        if isinstance(error, EOFError) or "truncated" in str(error).lower():
            raise BrokenImage(CUT_SHORT) from error
        told = str(error) if isinstance(error, OSError | SyntaxError | ValueError) else ""
        raise BrokenImage(f"the {kind} data are damaged{': ' if told else ''}{told}") from error


_turnstile = threading.Lock()


def _renew_turnstile() -> None:
    global _turnstile
    _turnstile = threading.Lock()


if hasattr(os, "register_at_fork"):  # a child forked while another thread decodes must not hang
    os.register_at_fork(after_in_child=_renew_turnstile)


@contextmanager
def _alone() -> Generator[None]:
    """Let one thread at a time use Pillow, without its warnings about odd metadata.

    The limits on memory are for one picture, and `catch_warnings` is not safe in threads. JPEG
    mostly needs neither, and does not wait here.
    """
    with _turnstile, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# --- what kind of file it is ---

_SIGNATURES = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
# In small letters, as is what they are compared with.
_FOREIGN = (
    (b"version https://git-lfs", "a git-LFS pointer (fetch the real file by 'git lfs pull')"),
    (b"%pdf-", "a PDF"),
    (b"%!ps", "a PostScript drawing"),
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"pk\x03\x04", "a ZIP archive or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"8bps", "a Photoshop document"),
    (b"\0\0\0\x0cjp  ", "a JPEG 2000 picture"),
    (b"\xffo\xffq", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cjxl ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\1\0", "an icon"),
    (b"fujifilmccd-raw", "a raw photo"),
    (b"iiu\0", "a raw photo"),
    (b"iiro", "a raw photo"),
    (b"\x1ae\xdf\xa3", "a video (Matroska or WebM)"),
)


def _kind(head: bytes) -> str:
    """Name the kind of a file by its first bytes, or raise NotAnImage with what it is instead."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            if kind == "TIFF" and head[8:10] == b"CR":
                raise _not_read("a raw photo")
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and head[15:18] == b"\0\0\0":  # the upper bytes of a header's length
        return "BMP"
    if head[4:8] == b"ftyp":
        return _kind_by_brands(head)
    if not head:
        raise NotAnImage("the file is empty")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    for signature, what in _FOREIGN:
        if start.startswith(signature):
            raise _not_read(what)
    if start.startswith(b"<?xml"):
        raise _not_read("an SVG drawing" if b"<svg" in start else "an XML document")
    if head[4:8] in (b"moov", b"mdat", b"wide") or head[8:12] == b"AVI ":
        raise _not_read("a video")
    if len(head) > 8 and not re.search(rb"[\0-\x08\x0e-\x1f\x7f]", head):
        raise _not_read("a text file")
    raise _not_read("no picture that is known here")


def _kind_by_brands(head: bytes) -> str:
    """Tell HEIC, AVIF and videos apart: all begin with a list of four-letter brands."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
    if brands & {b"avif", b"avis"}:
        if not features.check("avif"):
            raise FormatNotInstalled("this Pillow was built without AVIF: pip install -U pillow")
        return "AVIF"
    if brands & _HEIF_BRANDS or head[8:12] in (b"mif1", b"msf1"):
        return "HEIF"
    raise _not_read("a raw photo" if head[8:11] == b"crx" else "a video (MP4 or MOV)")


def _not_read(what: str) -> NotAnImage:
    return NotAnImage(
        f"this is {what}; what can be read is JPEG, PNG, WebP, TIFF, GIF, BMP, HEIC and AVIF"
    )


# --- limits, from the headers ---


def _check_size(kind: str, size: tuple[int, int], most: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise BrokenImage(NO_SIZE)
    limit = min(MAX_PIXELS[kind], most)
    if width * height > limit:
        raise ImageTooLarge(
            f"{width} x {height} is {_mega(width * height)} million pixels, and at most "
            f"{_mega(limit)} million are decoded: shrink the picture first"
        )


def _check_tags(file: BinaryIO, size: int) -> int:
    """Return what the tags of a TIFF take once Pillow unpacks them; refuse what is too much."""
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
            f"unpacking the tags of this TIFF takes {_mega(taken)} MB, and at most "
            f"{_mega(MAX_TAGS)} MB are spent: save it anew, without layers and in larger strips"
        )
    file.seek(0)
    return taken


def _check_strips(image: TiffImageFile, taken: int) -> None:
    """Refuse a TIFF whose largest strip or tile does not fit into memory beside the picture."""
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
            f"decoding this TIFF of {image.width} x {image.height} takes {_mega(needed)} MB, and "
            f"at most {_mega(MAX_TIFF)} MB are spent: shrink it, or save it in smaller strips"
        )


def _mega(number: int) -> str:
    return f"{number / MEGA:,.0f}" if number >= 10 * MEGA else f"{number / MEGA:.2g}"


# --- JPEG ---

# A marker with a length after it; 0xff before 0x00 or a restart mark is data.
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")
_END = b"\xff\xd9"
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_PROGRESSIVE = {0xC2, 0xCA}
_LOSSLESS = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}


@dataclass(frozen=True, slots=True)
class _JpegHeader:
    size: tuple[int, int]
    components: int
    coefficients: int  # that must be kept, 0 where rows are decoded one after the other
    orientation: int
    scan: int  # where the first scan begins


def _read_jpeg(data: bytes, target: int, most: int) -> Picture | None:
    """Decode by libjpeg-turbo, without Pillow's copies; None for what only Pillow may read."""
    header = _jpeg_header(data)
    width, height = header.size
    factor = _jpeg_factor(header.size, target)
    # Without a reduction a JPEG takes as much memory as any other picture.
    _check_size("JPEG", header.size, min(most, MAX_PIXELS["PNG"] * factor**2))
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
    pixels = _decode_jpeg(data, header, factor, target)
    if pixels is None:
        return None
    pixels = _reduce(pixels, max(1, max(pixels.shape[:2]) // target))
    if header.orientation >= 5:
        width, height = height, width
    return Picture(_upright(pixels, header.orientation), width, height, "JPEG")


def _jpeg_header(data: bytes) -> _JpegHeader:
    """Walk the segments up to the first scan, past the junk that every browser forgives."""
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
    if marker == 0xD9 or len(frame) < 9:
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
    return _JpegHeader((width, height), components, kept, _orientation(exif, xmp), start)


def _jpeg_factor(size: tuple[int, int], target: int) -> int:
    """Choose 1, 2, 4 or 8: libjpeg has fast code for these reductions only."""
    return next((n for n in (8, 4, 2) if -(-max(size) // n) >= target), 1)


def _decode_jpeg(data: bytes, header: _JpegHeader, factor: int, target: int) -> ByteArray | None:
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


# --- HEIC ---


def _read_heif(file: BinaryIO, target: int, most: int) -> Picture:
    try:
        import pi_heif  # an extra, and slow to import
    except ImportError as error:
        raise FormatNotInstalled(
            "reading HEIC pictures needs an extra: pip install 'lookwho[heif]'"
        ) from error
    heif = pi_heif.HeifFile(file)
    _check_size("HEIF", heif.size, most)
    image = heif.to_pillow()
    image.info.clear()  # libheif turns the picture, and EXIF must not turn it again
    return _finish(image, image.size, target, "HEIF")


# --- from Pillow, or an array, to pixels ---


def _finish(image: Image.Image, original: tuple[int, int], target: int, kind: str) -> Picture:
    """Decode an opened image and reduce it; `original` is its size as stored, before a draft."""
    image.load()
    try:
        # Only now: TIFF is turned while it is loaded, and PNG may hold its EXIF at the end.
        turn = image.getexif().get(0x0112, 1)
    except Exception:  # damaged EXIF data say nothing, and the picture is sound without them
        turn = 1
    turn = turn if turn in range(1, 9) else 1
    width, height = original if turn < 5 else original[::-1]
    pixels = _pixels(image, max(1, max(image.size) // target))
    return Picture(_upright(pixels, turn), width, height, kind)


def _pixels(image: Image.Image, factor: int) -> ByteArray:
    """Return RGB, `factor` times smaller, block by block: a second whole copy would not fit."""
    pixels = np.empty((*(-(-side // factor) for side in reversed(image.size)), 3), np.uint8)
    span = _span(image) if image.mode[0] in "IF" else None
    for box in _blocks(image.size, factor):
        block = _rgb(image.crop(box), span)
        block = block.reduce(factor) if factor > 1 else block
        left, top = box[0] // factor, box[1] // factor
        pixels[top : top + block.height, left : left + block.width] = np.asarray(block)
    return pixels


def _blocks(size: tuple[int, int], factor: int) -> Iterator[tuple[int, int, int, int]]:
    width, height = size
    step = max(1, 2048 // factor) * factor
    for top in range(0, height, step):
        for left in range(0, width, step):
            yield left, top, min(left + step, width), min(top + step, height)


def _rgb(image: Image.Image, span: tuple[float, float] | None) -> Image.Image:
    if span is not None:
        low, high = span
        values = np.asarray(image).astype(np.float32)
        np.nan_to_num(values, copy=False, nan=low, posinf=high, neginf=low)
        grey = ((values - low) * (255 / (high - low))).clip(0, 255).round().astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode == "LAB":
        from PIL import ImageCms  # Pillow converts LAB by this alone

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(layer, mask=layer)
        return page
    return image.convert("RGB")


def _span(image: Image.Image) -> tuple[float, float]:
    """Return the values that are black and white, for grey of more than 8 bits.

    For 16-bit and 12-bit files they are the ends of what can be stored. For 32-bit integers and
    floats, where nothing says what is white, they are the first usual range that holds them all.
    """
    if image.mode.startswith("I;16"):
        bits = image.tag_v2.get(258, (16,)) if isinstance(image, TiffImageFile) else (16,)
        return 0.0, 2.0 ** bits[0] - 1
    low, high = np.inf, -np.inf
    for box in _blocks(image.size, 1):
        values: FloatArray = np.asarray(image.crop(box)).astype(np.float32)
        values = values[np.isfinite(values)]
        low, high = values.min(initial=low), values.max(initial=high)
    for white in (1, 255, 65535) if image.mode == "F" else (255, 65535):
        if low >= 0 and high <= white:
            return 0.0, float(white)
    return (float(low), float(high)) if low < high else (0.0, 255.0)


def _read_array(array: NDArray[np.uint8], target: int) -> Picture:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise InputError(
            f"an array must be (height, width, 3) uint8 RGB, not {array.shape} {array.dtype}"
        )
    height, width = array.shape[:2]
    pixels = _reduce(np.ascontiguousarray(array), max(1, max(width, height) // target))
    return Picture(pixels, width, height, "array")


def _reduce(pixels: ByteArray, factor: int) -> ByteArray:
    if factor == 1:
        return pixels
    height, width = (-(-side // factor) for side in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


# --- orientation ---

_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_TURNS = {
    3: cv2.ROTATE_180,
    6: cv2.ROTATE_90_CLOCKWISE,
    7: cv2.ROTATE_180,
    8: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


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


def _upright(pixels: ByteArray, orientation: int) -> ByteArray:
    """Undo an EXIF orientation, which says how the stored pixels are turned and mirrored."""
    if orientation in (5, 7):
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    if orientation in (2, 4):
        pixels = np.asarray(cv2.flip(pixels, 1 if orientation == 2 else 0), np.uint8)
    if orientation in _TURNS:
        pixels = np.asarray(cv2.rotate(pixels, _TURNS[orientation]), np.uint8)
    return pixels
