"""A contact sheet: the faces of one person, from many videos, on one page, as WebP."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from lookwho.core import render
from lookwho.core.errors import BrokenVideo, InputError
from lookwho.core.resize import resized
from lookwho.core.scenes import Scene, drawn
from lookwho.core.steps import Steps
from lookwho.core.types import ByteArray

COLUMNS = 6
# Of a tile, and what is between two, in pixels.
SIDE, SPACE = 240, 8
# A WebP can be 16,383 pixels high.
MOST = COLUMNS * (16_383 // (SIDE + SPACE) - 1)
_PAPER = 245


def contact_sheet(scenes: Sequence[Scene], target: str) -> Steps:
    """Write the faces of these scenes, in their order; yield how much is done, 0 to 1.

    Returns:
        The numbers of the scenes that are on it: those whose video can be read.

    Raises:
        InputError: there is none at all, or too many; or none of the videos can be read.
    """
    from lookwho.core.video import frame_at  # which needs the extra

    if not 0 < len(scenes) <= MOST:
        raise InputError(f"a contact sheet holds 1 to {MOST} faces, not {len(scenes)}")
    tiles: list[ByteArray] = []
    shown: list[int] = []
    for number, scene in enumerate(scenes):
        yield number / len(scenes)
        try:
            pixels = frame_at(scene.path, scene.time)
        except InputError:
            continue  # it is gone, or broken, since its faces were found
        left, top, size = render.square_around(scene.box, pixels.shape[1], pixels.shape[0])
        crop = pixels[top : top + size, left : left + size]
        tiles.append(drawn(resized(crop, SIDE, SIDE), scene.caption))
        shown.append(number)
    if not tiles:
        raise BrokenVideo("none of the videos can be read any more")
    with io.BytesIO() as file:
        _page(tiles).save(file, "WEBP", quality=render.QUALITY, method=render.METHOD)
        with open(target, "wb") as written:
            written.write(file.getvalue())
    return shown


def _page(tiles: Sequence[ByteArray]) -> Image.Image:
    columns = min(COLUMNS, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    step = SIDE + SPACE
    page = np.full((rows * step + SPACE, columns * step + SPACE, 3), _PAPER, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = SPACE + number // columns * step, SPACE + number % columns * step
        page[top : top + SIDE, left : left + SIDE] = tile
    return Image.fromarray(page)
