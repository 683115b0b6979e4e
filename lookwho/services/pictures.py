"""Thumbnails and crops of faces: made when first asked for, then kept until they are in the way.

They lie in a cache folder by the payload of their media, never beside an original:

    ab/cdef…/6-320.webp                             orientation 6, longer side of 320 pixels
    ab/cdef…/6-160-40000-30000-48000-41000.webp     a face, its box in hundred thousandths
    ab/cdef…/1-160-40000-30000-48000-41000-t12480.webp    a face of a video, after 12.48 seconds

Several web servers may share the folder, and all of it may be deleted at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

from lookwho.core import render
from lookwho.core.errors import InputError, TimedOut
from lookwho.core.render import Box, Renderers
from lookwho.services.kept_pictures import Kept

# Sides in pixels: of pictures in a grid and of one alone; of a face in a row and of one alone.
SIDES = (320, 640, 1600)
CROP_SIDES = (160, 480)
# How long somebody waits for a picture that is made for somebody else already.
SECONDS_TO_WAIT = 20.0

# What a picture of a video may take: of one of 8K up to sixteen frames of 50 MB are decoded.
SECONDS_OF_A_VIDEO = 60.0
BYTES_OF_A_VIDEO = 2 << 30

# A file, or what fetches one that lies elsewhere and removes it once it was read.
Original: TypeAlias = Path | Callable[[], AbstractContextManager[Path]]

# No video is longer, in seconds: a year.
_LONGEST = 366 * 86_400.0


class Pictures:
    """Makes pictures of media, and keeps them in `folder` as long as there is room.

    A folder that is full or may not be written to costs time and nothing else; `problem` then says
    what is wrong with it.

    Args:
        folder: where they are kept; made when first needed, for this user alone.
        limit_bytes: on the disk; above it, those that were not used for longest are removed. Every
            process that uses the folder may exceed it by a sixteenth.
        processes: how many pictures are made at once.
    """

    def __init__(self, folder: Path, *, limit_bytes: int = 2 << 30, processes: int = 2) -> None:
        self._kept = Kept(folder, limit_bytes)
        self._renderers = Renderers(processes)
        # Those of videos take longer: photos need not wait behind them.
        self._of_videos = Renderers(processes, seconds=SECONDS_OF_A_VIDEO, memory=BYTES_OF_A_VIDEO)
        self._making: dict[Path, Future[bytes]] = {}
        self._lock = threading.Lock()

    @property
    def problem(self) -> str | None:
        """Why pictures are not kept at the moment, or None."""
        return self._kept.problem

    def thumbnail(
        self,
        payload: bytes,
        path: Original,
        *,
        orientation: int = 1,
        side: int,
        video: bool = False,
        time: float | None = None,
    ) -> bytes:
        """Return a photo, upright, at most `side` pixels along its longer side, as WebP.

        Args:
            payload: the sha256 of the photo's image data.
            path: a file that has this payload; read only where the picture is not kept already.
            orientation: what that file says, 1 to 8: another file of this payload may say
                something else, and must not be shown turned as this one is.
            side: one of `SIDES`.
            video: whether it is a video: what is returned is one of its pictures then.
            time: of that picture, in seconds; one that shows something if None.

        Raises:
            InputError: there is no such side; or the file is missing, broken, too large.
            WorkError: it took too much time or memory, or crashed its process.
        """
        if side not in SIDES:
            raise InputError(f"thumbnails have a side of {_either(SIDES)} pixels, not {side}")
        name, when = _moment(f"{orientation}-{side}", time)
        return self._picture(
            payload, path, orientation, name, lambda file: self._of(video, file, side, None, when)
        )

    def crop(
        self,
        payload: bytes,
        path: Original,
        *,
        box: Box,
        side: int = 160,
        orientation: int = 1,
        time: float | None = None,
    ) -> bytes:
        """Return the square around a face, at most `side` pixels wide, as WebP.

        Args:
            payload: see `thumbnail`, as for `path` and `orientation`.
            path: see there.
            box: x1, y1, x2, y2 of the face, 0..1 of the upright photo.
            side: one of `CROP_SIDES`.
            orientation: see there.
            time: of a video: when the face is there, in seconds.

        Raises:
            InputError: there is no such side or box; or the file is missing, broken, too large.
            WorkError: it took too much time or memory, or crashed its process.
        """
        if side not in CROP_SIDES:
            raise InputError(f"crops have a side of {_either(CROP_SIDES)} pixels, not {side}")
        edges = [round(edge * 100_000) for edge in render.inside(box)]
        x1, y1, x2, y2 = (edge / 100_000 for edge in edges)
        name, when = _moment("-".join(map(str, (orientation, side, *edges))), time)
        return self._picture(
            payload,
            path,
            orientation,
            name,
            lambda file: self._of(time is not None, file, side, (x1, y1, x2, y2), when),
        )

    def forget(self, payload: bytes) -> None:
        """Remove all pictures of this media, also those that are being made at the moment.

        Raises:
            StorageReadOnly: they could not be removed.
        """
        self._kept.forget(payload)

    def close(self) -> None:
        """End all processes, now and for good."""
        self._renderers.close()
        self._of_videos.close()
        self._kept.close()

    def _picture(
        self,
        payload: bytes,
        path: Original,
        orientation: int,
        name: str,
        make: Callable[[Path], bytes],
    ) -> bytes:
        if orientation not in range(1, 9):
            raise InputError(f"an orientation is 1 to 8, not {orientation}")
        place = self._kept.place(payload, name)
        return self._kept.get(place) or self._once(place, lambda: _with(path, make))

    def _of(self, video: bool, path: Path, side: int, box: Box | None, when: float | None) -> bytes:
        if not video:
            return self._renderers.render(path, side=side, box=box)
        return self._of_videos.render(path, side=side, box=box, time=when)

    def _once(self, place: Path, make: Callable[[], bytes]) -> bytes:
        """Make a picture, or wait for it where it is being made already."""
        with self._lock:
            made = self._making.get(place)
            mine = None if made else self._making.setdefault(place, Future())
        if made:
            try:
                return made.result(SECONDS_TO_WAIT)
            except TimeoutError:
                raise TimedOut("the picture is still being made: try again") from None
        assert mine
        try:
            # Between the first look and now somebody else may have finished it.
            data = self._kept.get(place) or self._kept.put(place, make)
            mine.set_result(data)
            return data
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._making[place]


def _with(path: Original, make: Callable[[Path], bytes]) -> bytes:
    """Make a picture of a file, which may have to be fetched first."""
    if isinstance(path, Path):
        return make(path)
    with path() as fetched:
        return make(fetched)


def _moment(name: str, time: float | None) -> tuple[str, float | None]:
    """Return the name of a picture at a time, in thousandths, and that time.

    Raises:
        InputError: there is no such time.
    """
    if time is None:
        return name, None
    if not 0 <= time < _LONGEST:
        raise InputError(f"no video has a picture after {time} seconds")
    thousandths = round(time * 1000)
    return f"{name}-t{thousandths}", thousandths / 1000


def _either(sides: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, sides[:-1]))} or {sides[-1]}"
