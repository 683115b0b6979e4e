"""Thumbnails and crops of faces, of photos and videos, as WebP, made in processes that may die.

`render` is the pure function; `Renderers` is how a server calls it on files from outside. What it
gives holds pixels and nothing else: no EXIF, no place, no name, no colour profile.
"""

from __future__ import annotations

import io
import json
import math
import os
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

import cv2
from PIL import Image

from lookwho.core import child, image
from lookwho.core.child import BYTES_PER_FILE, Child
from lookwho.core.errors import InputError, TimedOut, WorkerDied
from lookwho.core.image import Source
from lookwho.core.kinds import is_video
from lookwho.core.opening import opened
from lookwho.core.resize import resized
from lookwho.core.types import ByteArray

# x1, y1, x2, y2, from 0 to 1 along the sides of the upright picture.
Box: TypeAlias = tuple[float, float, float, float]

MAX_SIDE = 16_383  # of WebP
# The side of the square around a face, in longer sides of its box: hair, chin and some shoulder.
MARGIN = 1.6
# At most so much is a small face enlarged: beyond it only grows blurred.
ENLARGED = 2
# Pictures are read at less than twice this; small faces in larger ones are less sharp than they
# could be, but every picture that can be analysed fits into memory.
MAX_TARGET = 4000
QUALITY = 80
# Of 0 to 6. A thumbnail of 320 pixels takes 2 ms and 11.3 KB with 0, 3 and 9.2 with 2, 6 and 8.8
# with 4; one of 1600 takes 14, 24 and 54 ms.
METHOD = 2

SECONDS_PER_PICTURE = 30.0
SECONDS_TO_WAIT = 20.0
SECONDS_IDLE = 180.0


def render(
    source: Source, *, side: int, box: Box | None = None, time: float | None = None
) -> bytes:
    """Return a picture, or the square around a face in it, as the bytes of a WebP file.

    Args:
        source: as `image.read` takes it, or the path of a video.
        side: in pixels. Of the whole picture the longer side gets so many, or keeps those it has;
            the square gets so many, or `ENLARGED` times those it has.
        box: a face, 0..1 of the upright picture. The square is `MARGIN` times its longer side,
            moved inside where it would stick out, and the largest that fits where none does.
        time: of a video, in seconds: which of its pictures; one that shows something if None.

    Raises:
        InputError: there is no such side or box, or `image.read` or `core.video` refuses the file.
    """
    if not 1 <= side <= MAX_SIDE:
        raise InputError(f"the side must be 1 to {MAX_SIDE} pixels, not {side}")
    path = source if isinstance(source, str | os.PathLike) and _is_video(source) else None
    if box is None:
        if path is not None:
            return _webp(_of_video(path, side, time))
        return _webp(_reduced(image.read(source, target=side), side))
    box = inside(box)
    # The square is at least this part of the longer side of the picture, however wide that is.
    least = MARGIN * min(box[2] - box[0], box[3] - box[1])
    target = MAX_TARGET if least * MAX_TARGET <= side else math.ceil(side / least)
    if path is not None:
        pixels = _of_video(path, max(side, target), time)
    else:
        pixels = image.read(source, target=max(side, target)).pixels
    left, top, size = square_around(box, pixels.shape[1], pixels.shape[0])
    crop = pixels[top : top + size, left : left + size]
    side = min(side, ENLARGED * size)
    return _webp(resized(crop, side, side))


def inside(box: Box) -> Box:
    """Return what of a box lies inside the picture.

    Raises:
        InputError: nothing does.
    """
    if all(map(math.isfinite, box)):
        x1, y1, x2, y2 = (min(max(float(edge), 0.0), 1.0) for edge in box)
        if x1 < x2 and y1 < y2:
            return x1, y1, x2, y2
    raise InputError(f"no part of the box {box} is inside the picture")


def _is_video(path: str | os.PathLike[str]) -> bool:
    with opened(path) as file:
        return is_video(file.read(512))


def _of_video(path: str | os.PathLike[str], side: int, time: float | None) -> ByteArray:
    from lookwho.core import poster, video  # only videos need PyAV

    return poster.poster(path, side) if time is None else video.frame_at(path, time, side=side)


def _reduced(picture: image.Picture, side: int) -> ByteArray:
    longer = max(picture.width, picture.height)
    if longer <= side:
        return picture.pixels
    width, height = (
        max(1, round(edge * side / longer)) for edge in (picture.width, picture.height)
    )
    return resized(picture.pixels, width, height)


def square_around(box: Box, width: int, height: int) -> tuple[int, int, int]:
    """Return left, top and size of the square around a box, in pixels of a picture of that size."""
    x1, y1, x2, y2 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    size = max(1, min(round(MARGIN * max(x2 - x1, y2 - y1)), width, height))
    left = min(max(round((x1 + x2 - size) / 2), 0), width - size)
    top = min(max(round((y1 + y2 - size) / 2), 0), height - size)
    return left, top, size


def _webp(pixels: ByteArray) -> bytes:
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "WEBP", quality=QUALITY, method=METHOD)
        return file.getvalue()


# --- in processes that may die ---


def serve() -> None:
    """Be a renderer: take requests of `Renderer` and answer with WebP."""
    child.serve(_rendering)


def _rendering() -> Callable[[bytes], bytes]:
    cv2.setNumThreads(1)  # there is a process for each picture that may be made at once

    def answer(request: bytes) -> bytes:
        path, side, box, moment = json.loads(request)
        return render(path, side=side, box=box and tuple(box), time=moment)

    return answer


class Renderer:
    """A process that makes one picture at a time; started when first needed, and after a crash."""

    def __init__(
        self, *, seconds: float = SECONDS_PER_PICTURE, memory: int = BYTES_PER_FILE
    ) -> None:
        self._child = Child("lookwho.core.render", {}, seconds=seconds, memory=memory)

    def render(
        self,
        path: str | os.PathLike[str],
        *,
        side: int,
        box: Box | None = None,
        time: float | None = None,
    ) -> bytes:
        """Do what `render` does, elsewhere.

        Raises:
            InputError: there is no such side or box, or the picture is refused.
            WorkError: it took too much time or memory, or crashed the process.
        """
        return self._child.ask(json.dumps([os.fspath(path), side, box, time]).encode())

    def stop(self) -> None:
        """End the process, now and for good."""
        self._child.stop()


class Renderers:
    """A few renderers, for any number of threads.

    Each is started when first needed, and ended when it had nothing to do for a while. The last
    one used is the next one used, so that as many run as there is work for.

    Args:
        processes: how many pictures are made at once.
        wait: for how many seconds a picture waits for its turn.
        idle: after how many seconds without work a process is ended.
        seconds: the most that one picture may take.
        memory: the most bytes that one picture may take.
    """

    def __init__(
        self,
        processes: int = 2,
        *,
        wait: float = SECONDS_TO_WAIT,
        idle: float = SECONDS_IDLE,
        seconds: float = SECONDS_PER_PICTURE,
        memory: int = BYTES_PER_FILE,
    ) -> None:
        self._processes = processes
        self._wait = wait
        self._rest = idle
        self._seconds = seconds
        self._memory = memory
        self._busy: set[Renderer] = set()
        # Those without work, and since when; the longest idle first.
        self._idle: list[tuple[Renderer, float]] = []
        self._changed = threading.Condition()
        self._ender: threading.Timer | None = None
        self._closed = False

    def render(
        self,
        path: str | os.PathLike[str],
        *,
        side: int,
        box: Box | None = None,
        time: float | None = None,
    ) -> bytes:
        """Do what `render` does, in the next process that is free.

        Raises:
            InputError: there is no such side or box, or the picture is refused.
            TimedOut: no process became free, or the picture took too long.
            WorkError: it took too much memory, crashed its process, or `close` was called.
        """
        renderer = self._taken()
        try:
            return renderer.render(path, side=side, box=box, time=time)
        finally:
            self._give_back(renderer)

    def close(self) -> None:
        """End all processes, now and for good."""
        with self._changed:
            self._closed = True
            ended = [*self._busy, *(renderer for renderer, _ in self._idle)]
            self._idle.clear()
            if self._ender:
                self._ender.cancel()
            self._changed.notify_all()
        for renderer in ended:
            renderer.stop()

    def _taken(self) -> Renderer:
        with self._changed:
            free = self._changed.wait_for(
                lambda: self._closed or len(self._busy) < self._processes, self._wait
            )
            if not free:
                raise TimedOut(
                    f"too many pictures are being made: none of {self._processes} processes became "
                    f"free within {self._wait:g} seconds, so try again"
                )
            if self._closed:
                raise WorkerDied("the work was stopped")
            if self._idle:
                renderer, _ = self._idle.pop()
            else:
                renderer = Renderer(seconds=self._seconds, memory=self._memory)
            self._busy.add(renderer)
            return renderer

    def _give_back(self, renderer: Renderer) -> None:
        with self._changed:
            self._busy.remove(renderer)
            if not self._closed:
                self._idle.append((renderer, time.monotonic()))
                self._end_later()
            self._changed.notify()

    def _end_later(self) -> None:
        if self._idle and not self._ender:
            due = self._idle[0][1] + self._rest - time.monotonic()
            self._ender = threading.Timer(max(due, 0), self._end_idle)
            self._ender.daemon = True  # it must keep no program from ending
            self._ender.start()

    def _end_idle(self) -> None:
        ended: list[Renderer] = []
        with self._changed:
            self._ender = None
            while self._idle and self._idle[0][1] + self._rest <= time.monotonic():
                ended.append(self._idle.pop(0)[0])
            self._end_later()
        for renderer in ended:
            renderer.stop()
