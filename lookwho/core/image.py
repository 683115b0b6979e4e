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
import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lookwho.core import jpeg
from lookwho.core.errors import (
    BrokenImage,
    FormatNotInstalled,
    ImageTooLarge,
    InputError,
    LookwhoError,
    OutOfMemory,
)
from lookwho.core.kinds import kind_of
from lookwho.core.limits import MAX_BYTES, MAX_PIXELS, check_size, check_strips, check_tags, mega
from lookwho.core.opening import opened
from lookwho.core.types import ByteArray, FloatArray

Source: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]

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
            check_size("PNG", source.size, most)
            return _finish(source, source.size, target, kind)
    if isinstance(source, bytes):
        return _read_file(io.BytesIO(source), len(source), target, most)
    if isinstance(source, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        with opened(source) as file:
            return _read_file(file, os.fstat(file.fileno()).st_size, target, most)
    raise InputError(
        "a picture is given as a path, bytes, a Pillow image or an array, "
        f"not as {type(source).__name__}"
    )


def _read_file(file: BinaryIO, size: int, target: int, most: int) -> Picture:
    kind = kind_of(file.read(512))
    if size > MAX_BYTES.get(kind, size):
        raise ImageTooLarge(
            f"the file has {mega(size)} MB, and of a {kind} at most {mega(MAX_BYTES[kind])} MB "
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
                tags = check_tags(file, size)
            image = _PLUGINS[kind](file)
            original = image.size
            check_size(kind, original, most)
            if isinstance(image, TiffImageFile):
                check_strips(image, tags)
            if isinstance(image, JpegImageFile):
                factor = jpeg.reduction(original, target)
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
            f"the {kind} holds {mega(int(pixels[0])) if pixels else 'too many'} million pixels, "
            f"and at most {mega(MAX_PIXELS['GIF'])} million are decoded: shrink the picture first"
        ) from error
    except Exception as error:
        # OSError, SyntaxError, ValueError, KeyError, struct.error, EOFError, TypeError, ...
        if isinstance(error, EOFError) or "truncated" in str(error).lower():
            raise BrokenImage(jpeg.CUT_SHORT) from error
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


def _read_jpeg(data: bytes, target: int, most: int) -> Picture | None:
    header = jpeg.read_header(data)
    pixels = jpeg.decode(data, header, target, most)
    if pixels is None:
        return None
    pixels = _reduce(pixels, max(1, max(pixels.shape[:2]) // target))
    turned = header.orientation >= 5
    width, height = header.size[::-1] if turned else header.size
    return Picture(_upright(pixels, header.orientation), width, height, "JPEG")


def _read_heif(file: BinaryIO, target: int, most: int) -> Picture:
    try:
        import pi_heif  # an extra, and slow to import
    except ImportError as error:
        raise FormatNotInstalled(
            "reading HEIC pictures needs an extra: pip install 'lookwho[heif]'"
        ) from error
    heif = pi_heif.HeifFile(file)
    check_size("HEIF", heif.size, most)
    image = heif.to_pillow()
    image.info.clear()  # libheif turns the picture, and EXIF must not turn it again
    return _finish(image, image.size, target, "HEIF")


# --- from Pillow, or an array, to pixels ---


def _finish(image: Image.Image, original: tuple[int, int], target: int, kind: str) -> Picture:
    """Decode an opened image and reduce it; `original` is its size as stored, before a draft."""
    image.load()
    if isinstance(image, TiffImageFile):
        original = image.size  # it was turned while it was loaded, be it by its XMP alone
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

_TURNS = {
    3: cv2.ROTATE_180,
    6: cv2.ROTATE_90_CLOCKWISE,
    7: cv2.ROTATE_180,
    8: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def _upright(pixels: ByteArray, orientation: int) -> ByteArray:
    """Undo an EXIF orientation, which says how the stored pixels are turned and mirrored."""
    if orientation in (5, 7):
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    if orientation in (2, 4):
        pixels = np.asarray(cv2.flip(pixels, 1 if orientation == 2 else 0), np.uint8)
    if orientation in _TURNS:
        pixels = np.asarray(cv2.rotate(pixels, _TURNS[orientation]), np.uint8)
    return pixels
