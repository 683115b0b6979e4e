"""Video pixels: from a decoded picture of a video to upright RGB, and to a thumbnail of its light.

Only pictures that somebody looks at are converted; most are only decoded. What is done to them:

- Stored pixels that are not square become square, and the picture is turned upright, once.
- Of an interlaced picture one field is taken: the other shows another moment, and faces are found
  worse in a comb of two than in half the lines.
- HDR in PQ is brought to the brightness of ordinary video; HLG looks right as it is.
- Transparent pictures lie on white, as in `core.image`.
"""

from __future__ import annotations

import functools
import struct
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from lookwho.core.errors import BrokenVideo, OutOfMemory
from lookwho.core.orientation import SIDEWAYS, upright_size
from lookwho.core.types import ByteArray

if TYPE_CHECKING:
    from av.video.format import VideoFormat
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

# Height and width of a thumbnail: enough to tell shots apart, and compared in no time.
THUMB = (18, 32)
# Rows of a picture that a thumbnail averages; more take time and change nothing.
_ROWS = 3 * THUMB[0]
# A pixel is at most so many times as wide as high, or as high as wide; other claims are damage.
_ODDEST_PIXEL = 8

# Numbers of AVColorSpace, by what swscale calls them.
_MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020"}
# From so many lines on, colours that nobody specified are those of HD: ITU-R BT.709.
HD = 720
_PQ = 16  # of AVColorTransferCharacteristic
# The light of a white page in PQ, as ITU-R BT.2408 advises, by the 10,000 that PQ can tell.
_PAGE = 203 / 10_000

_TURNS = {
    3: cv2.ROTATE_180,
    6: cv2.ROTATE_90_CLOCKWISE,
    7: cv2.ROTATE_180,
    8: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


class Converter:
    """Converts the pictures of one video, all to the same size.

    Args:
        first: a picture of it; how it is turned holds for all.
        aspect: the width of a stored pixel by its height; None where nobody knows.
        side: the longer side of what `rgb` returns, at most. Nothing is enlarged.
    """

    def __init__(self, first: VideoFrame, aspect: Fraction | None, side: int) -> None:
        from av.video.reformatter import VideoReformatter

        self.orientation = orientation_of(first)
        square = square_size(first.width, first.height, aspect)
        self.width, self.height = upright_size(square, self.orientation)
        scale = min(1.0, side / max(square))
        self._size = (max(1, round(square[0] * scale)), max(1, round(square[1] * scale)))
        # Each remembers the kind of picture that it had last, and prepares anew for another.
        self._of_frames, self._of_fields = VideoReformatter(), VideoReformatter()
        self._to_rgb, self._of_thumbs = VideoReformatter(), VideoReformatter()

    def rgb(self, frame: VideoFrame) -> ByteArray:
        """Return the picture: (h, w, 3) uint8, contiguous."""
        scaler = self._of_frames
        matrix = None
        if not frame.format.is_rgb:
            matrix = _MATRICES.get(frame.colorspace, "ITU709" if frame.height >= HD else "ITU601")
        if frame.interlaced_frame and all(plane.line_size > 0 for plane in frame.planes):
            frame, scaler = _field(frame), self._of_fields
        transparent = any(part.is_alpha for part in frame.format.components)
        width, height = self._size
        how = "AREA" if frame.width > 2 * width or frame.height > 2 * height else "BILINEAR"
        between = _scaled_first(frame.format) if self._size != (frame.width, frame.height) else None
        if between and not transparent:
            # Scaling and converting one after the other takes a third of the time of both at once.
            frame = _reformatted(scaler, frame, self._size, between, matrix, matrix, how)
            scaler = self._to_rgb
        form = "rgba" if transparent else "rgb24"
        converted = _reformatted(scaler, frame, self._size, form, matrix, None, how)
        pixels = cast("ByteArray", converted.to_ndarray())
        if transparent:
            pixels = _on_white(pixels)
        if frame.color_trc == _PQ:
            pixels = np.asarray(cv2.LUT(pixels, _pq_to_srgb()), np.uint8)
        return np.ascontiguousarray(_upright(pixels, self.orientation))

    def thumb(self, frame: VideoFrame) -> ByteArray:
        """Return how light the picture is where: `THUMB`, uint8; turned upright, but stretched."""
        luma = _luma(frame)
        if luma is None:  # rare: the other way takes a hundredth of the time
            small = _reformatted(self._of_thumbs, frame, (THUMB[1], THUMB[0]), "gray")
            luma = cast("ByteArray", small.to_ndarray())
        rows = luma[:: max(1, luma.shape[0] // _ROWS)]
        height, width = THUMB[::-1] if self.orientation in SIDEWAYS else THUMB
        light = np.asarray(cv2.resize(rows, (width, height), interpolation=cv2.INTER_AREA))
        if light.dtype != np.uint8:
            light = light.astype(np.uint16) >> (_depth(frame.format) - 8)
        return np.ascontiguousarray(_upright(light.astype(np.uint8), self.orientation))


def orientation_of(frame: VideoFrame) -> int:
    """Return how the stored pixels are turned and mirrored, by the numbers of EXIF.

    A video may say any angle; it is rounded to a right one.
    """
    side_data = cast("Any", frame.side_data)
    if "DISPLAYMATRIX" not in [told.type.name for told in side_data]:
        return 1
    matrix = bytes(side_data["DISPLAYMATRIX"])
    a, b, _, c, d = struct.unpack_from("5i", matrix)  # x becomes a x + c y, y becomes b x + d y
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return {(1, 1): 1, (0, 1): 2, (0, 0): 3, (1, 0): 4}[a >= 0, d >= 0]
    return {(1, 1): 5, (1, 0): 6, (0, 0): 7, (0, 1): 8}[b >= 0, c >= 0]


def square_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Return the size of a picture in square pixels; its height stays.

    Args:
        width: in pixels as they are stored.
        height: likewise.
        aspect: the width of a pixel by its height; None where nobody knows.
    """
    if aspect is None or not Fraction(1, _ODDEST_PIXEL) <= aspect <= _ODDEST_PIXEL:
        return width, height
    return max(1, round(width * aspect)), height


def _scaled_first(form: VideoFormat) -> str | None:
    """Return the kind of picture to scale to before it is made RGB, None where that is no gain."""
    if form.name in ("nv12", "nv21") or form.name.startswith(("yuv420", "yuvj420")):
        return "yuv420p"
    return "yuv444p" if form.name.startswith(("yuv422", "yuv444")) else None


def _reformatted(
    scaler: VideoReformatter,
    frame: VideoFrame,
    size: tuple[int, int],
    form: str,
    matrix: str | None = None,
    new_matrix: str | None = None,
    how: str = "AREA",
) -> VideoFrame:
    from av.error import FFmpegError

    try:
        return scaler.reformat(
            frame,
            *size,
            form,
            cast("Any", matrix),  # the stubs forget that names are taken
            cast("Any", new_matrix),
            how,
            threads=1,
        )
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise OutOfMemory("this machine has no memory left for a picture of it") from error
        raise BrokenVideo(
            f"its pictures are stored as {frame.format.name}, which cannot be converted: "
            f"{error.strerror}"
        ) from error


def _luma(frame: VideoFrame) -> NDArray[Any] | None:
    """Return a view of a picture's light, of 8 or more bits, or None where it has no such plane."""
    depth = _depth(frame.format)
    plane = frame.planes[0]
    if not depth or plane.line_size <= 0:
        return None
    kind = np.dtype(np.uint8 if depth == 8 else "<u2")
    rows = np.frombuffer(cast("Any", plane), kind).reshape(plane.height, -1)
    return rows[:, : plane.width]


def _depth(form: VideoFormat) -> int:
    """Return the bits of a pixel's light, 0 where it cannot be read as it lies in memory."""
    name, bits = form.name, form.components[0].bits
    planar = (form.is_planar and name.startswith(("yuv", "nv12", "nv21"))) or name == "gray"
    if planar and (bits == 8 or (bits <= 16 and name.endswith("le"))):
        return bits
    return 0


def _field(frame: VideoFrame) -> VideoFrame:
    """Return the upper field of an interlaced picture: every second line of each plane."""
    from av.video.frame import VideoFrame

    field = VideoFrame(frame.width, -(-frame.height // 2), frame.format.name)
    for source, target in zip(frame.planes, field.planes, strict=True):
        lines = np.frombuffer(cast("Any", source), np.uint8).reshape(source.height, -1)[::2]
        into = np.frombuffer(cast("Any", target), np.uint8).reshape(target.height, -1)
        width = min(lines.shape[1], into.shape[1])
        height = min(len(lines), len(into))
        into[:height, :width] = lines[:height, :width]
        into[height:] = into[height - 1]  # of an odd number of lines, planes may differ by one
    field.colorspace, field.color_range = frame.colorspace, frame.color_range
    field.color_trc = frame.color_trc
    return field


def _on_white(pixels: ByteArray) -> ByteArray:
    alpha = pixels[:, :, 3:].astype(np.uint16)
    colours = pixels[:, :, :3].astype(np.uint16)
    return ((colours * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


@functools.cache
def _pq_to_srgb() -> ByteArray:
    """Return the table of 256 values that makes PQ look like ordinary video.

    What shines brighter than a page is as white as one.
    """
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875  # SMPTE ST 2084
    told = np.linspace(0, 1, 256) ** (1 / m2)
    light = (np.maximum(told - c1, 0) / (c2 - c3 * told)) ** (1 / m1) / _PAGE
    return (255 * np.clip(light, 0, 1) ** (1 / 2.2)).round().astype(np.uint8)


def _upright(pixels: ByteArray, orientation: int) -> ByteArray:
    if orientation in (5, 7):
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    if orientation in (2, 4):
        pixels = np.asarray(cv2.flip(pixels, 1 if orientation == 2 else 0), np.uint8)
    if orientation in _TURNS:
        pixels = np.asarray(cv2.rotate(pixels, _TURNS[orientation]), np.uint8)
    return pixels
