"""A montage: moments of one person, from many videos, as one short WebM without sound (VP9).

`montage` and `contact_sheet` are generators of steps; `made` runs either in a process that may die.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from lookwho.core import steps
from lookwho.core.contact_sheet import contact_sheet
from lookwho.core.errors import BrokenVideo, InputError
from lookwho.core.resize import resized
from lookwho.core.scenes import Scene, drawn, window
from lookwho.core.steps import Steps
from lookwho.core.types import ByteArray

# Of the montage, in pixels; its pictures a second, at most.
WIDTH, HEIGHT = 640, 360
RATE = 30
SHEET, FILM = "sheet", "montage"

_TICKS = 1000
_LONGEST = 0.5  # that the last picture of a scene stands, in seconds
_OPTIONS = {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "30", "b": "2M"}


def montage(scenes: Sequence[Scene], target: str) -> Steps:
    """Write these scenes, one after another; yield how much is done, 0 to 1.

    Returns:
        For each scene that is in it its number and when it begins there, in seconds: those whose
        video can be read.

    Raises:
        BrokenVideo: none of the videos can be read.
    """
    import av

    from lookwho.core.video import Reader

    total = sum(scene.end - scene.start for scene in scenes) or 1.0
    shown: list[tuple[int, float]] = []
    now = past = 0.0
    with av.open(target, "w", format="webm") as file:
        stream = file.add_stream("libvpx-vp9", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        stream.options = {**_OPTIONS, "g": str(2 * RATE)}
        for number, scene in enumerate(scenes):
            began, last, step = now, None, 1 / RATE
            try:
                with Reader(scene.path) as reader:
                    for picture in reader.frames(scene.start, scene.end):
                        yield min((past + picture.time - scene.start) / total, 1.0)
                        at = began + picture.time - scene.start
                        if last is not None and at - last < 0.9 / RATE:
                            continue
                        if last is None:
                            shown.append((number, began))
                        else:
                            step = min(at - last, _LONGEST)
                        last = at
                        made = _framed(picture.pixels(), scene)
                        frame = av.VideoFrame.from_ndarray(made, "rgb24")
                        frame.pts, frame.time_base = round(at * _TICKS), Fraction(1, _TICKS)
                        file.mux(stream.encode(frame))
            except InputError:
                pass  # it is gone, or broken, since its faces were found
            past += scene.end - scene.start
            now = began if last is None else last + step
        if not shown:
            raise BrokenVideo("none of the videos can be read any more")
        file.mux(stream.encode(None))
    return shown


def _framed(pixels: ByteArray, scene: Scene) -> ByteArray:
    """Return the part of a picture that shows the person, as large as the montage."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = window(scene, width, height)
    part = pixels[top:bottom, left:right]
    scale = min(WIDTH / part.shape[1], HEIGHT / part.shape[0])
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    shown = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x, y = (WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2
    shown[y : y + size[1], x : x + size[0]] = resized(part, *size)
    return drawn(shown, scene.caption)


def made(
    kind: str,
    scenes: Sequence[Scene],
    target: str | os.PathLike[str],
    on_step: Callable[[float], object],
) -> Any:
    """Make a contact sheet or a montage in a process of its own; see `steps.run`.

    Args:
        kind: `SHEET` or `FILM`.
        scenes: what it is made of.
        target: the path to write to.
        on_step: see `steps.run`.

    Raises:
        InputError: see `montage` and `contact_sheet`.
        WorkError: it took too much memory, hung, or crashed its process.
    """
    request = {
        "kind": kind,
        "scenes": [scene.told() for scene in scenes],
        "target": os.fspath(target),
    }
    return steps.run("lookwho.core.montage", request, on_step)


def serve() -> None:
    """Be the process of `made`."""
    steps.serve(_work)


def _work(kind: str, scenes: list[dict[str, Any]], target: str) -> Steps:
    told = [Scene.of(scene) for scene in scenes]
    return contact_sheet(told, target) if kind == SHEET else montage(told, target)
