"""Scenes: short stretches of videos in which one person shows, and the part of the picture to show.

What contact sheets and montages are made of. What is drawn below each is digits: when it was, and
where in the video. No name: a file leaves, and what it says cannot be taken back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lookwho.core.types import ByteArray, FloatArray

# The part of a picture that is shown is so many faces high, and wider than high.
_FACES_HIGH = 3.0
_SHAPE = 16 / 9


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of a video.

    Attributes:
        path: of the video.
        start: in seconds.
        end: likewise.
        time: of the best picture in it.
        box: of the face in that picture, in fractions of the upright picture.
        around: what holds the face all along, likewise.
        caption: what is drawn below it.
    """

    path: str
    start: float
    end: float
    time: float
    box: tuple[float, float, float, float]
    around: tuple[float, float, float, float]
    caption: str

    def told(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)

    @classmethod
    def of(cls, told: dict[str, Any]) -> Scene:
        """Return what `told` made JSON of."""
        boxes: dict[str, Any] = {name: tuple(told[name]) for name in ("box", "around")}
        return cls(**told | boxes)


def caption(day: date, seconds: float) -> str:
    """Return when it was, and where in the video.

    >>> caption(date(2024, 5, 1), 3723.4)
    '2024-05-01  1:02:03'
    >>> caption(date(2024, 5, 1), 12)
    '2024-05-01  0:12'
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{day.isoformat()}  {clock}"


def around(
    path: FloatArray, start: float, end: float, box: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """Return what holds a face between two times.

    Args:
        path: (n, 5) of time and box, in order of time.
        start: in seconds.
        end: likewise.
        box: where it is at some time between; returned where the path tells nothing.

    >>> path = np.float32([[0, .1, .1, .2, .2], [1, .2, .1, .3, .2], [9, .8, .8, .9, .9]])
    >>> [round(float(edge), 2) for edge in around(path, 0, 2, (.1, .1, .2, .2))]
    [0.1, 0.1, 0.3, 0.2]
    """
    inside = path[(path[:, 0] >= start) & (path[:, 0] <= end), 1:]
    boxes = np.concatenate([np.array([box], np.float64), inside])
    x1, y1 = np.clip(boxes[:, :2].min(axis=0), 0, 1)
    x2, y2 = np.clip(boxes[:, 2:].max(axis=0), 0, 1)
    return float(x1), float(y1), float(x2), float(y2)


def window(scene: Scene, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the part to show, in pixels of a picture of that size.

    It holds the face wherever it goes, and as much around it as makes it `_FACES_HIGH` faces high,
    as far as there is that much.
    """
    x1, y1, x2, y2 = scene.around
    face = (scene.box[3] - scene.box[1]) * height
    tall = max(_FACES_HIGH * face, 1.2 * (y2 - y1) * height, 1.2 * (x2 - x1) * width / _SHAPE)
    tall = max(1, min(round(tall), height))
    wide = max(1, min(round(tall * _SHAPE), width))
    left = min(max(round((x1 + x2) * width / 2 - wide / 2), 0), width - wide)
    # A little above the middle, where one looks for a face.
    top = min(max(round((y1 + y2) * height / 2 - 0.45 * tall), 0), height - tall)
    return left, top, left + wide, top + tall


def drawn(picture: ByteArray, text: str) -> ByteArray:
    """Return a picture with a line of text on a dark strip at its foot: (h, w, 3) uint8 RGB."""
    height, width = picture.shape[:2]
    strip = _strip(text, width, max(12, height // 18))
    high = strip.shape[0]
    if high >= height:
        return picture
    shown = picture.copy()
    shown[height - high :] = (shown[height - high :] * 0.2 + strip * 0.8).astype(np.uint8)
    return shown


@cache
def _strip(text: str, width: int, size: int) -> ByteArray:
    image = Image.new("RGB", (width, size + size // 2), (16, 16, 16))
    font = ImageFont.load_default(size * 0.8)
    ImageDraw.Draw(image).text((size // 2, size // 4), text, (255, 255, 255), font)
    return np.asarray(image)
