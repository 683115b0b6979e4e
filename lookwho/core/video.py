"""Video: what a video is, and its pictures, upright and in order of time.

`probe` says what a video is, `Reader` decodes a stretch of it, `frame_at` gives one picture. Times
are seconds from the first picture that can be shown.

What `Reader` promises: the same pictures with the same times and pixels, wherever one begins. So a
video can be looked at in stretches, by many at once. It goes to the key frame before, checks that
it got there, and decodes from there; where going there fails, it decodes from further back.

Broken places are skipped, a broken end ends the video; `problem` says so in words. Decoders crash
and files are hostile: what comes from outside is read in a process that may die, see `core.child`.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Self

from lookwho.core.errors import BrokenVideo, InputError
from lookwho.core.types import ByteArray
from lookwho.core.video_file import KeyFrame, VideoFile, ticks_of
from lookwho.core.video_pixels import Converter
from lookwho.core.video_probe import MISSING, MISSING_SECONDS, VideoInfo, ends_early, probe

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["LazyFrame", "Reader", "VideoInfo", "frame_at", "probe"]

# Seconds before the wanted time at which key frames are sought, until one is found.
_STEPS_BACK = (0, 2, 10, 60, 600)
# Times that were kept as float32 are off by this much after hours.
_ROUNDING = 0.001


class LazyFrame:
    """A decoded picture that is converted only when somebody looks at it.

    Attributes:
        time: in seconds.
        thumb: how light it is where, as `video_pixels.THUMB` (18, 32) uint8.
    """

    __slots__ = ("_converter", "_frame", "thumb", "time")

    def __init__(self, time: float, frame: VideoFrame, converter: Converter) -> None:
        self.time = time
        self.thumb = converter.thumb(frame)
        self._frame = frame
        self._converter = converter

    def pixels(self) -> ByteArray:
        """Return the picture: (h, w, 3) uint8 RGB, upright, with square pixels."""
        return self._converter.rgb(self._frame)


class Reader:
    """Decodes a video.

    Args:
        path: of the file.
        side: the longer side of the pictures, at most, in pixels. Nothing is enlarged.
        threads: that may decode at once. What comes out is the same.

    Attributes:
        width, height: of the upright picture, in square pixels, before it is made smaller.

    Raises:
        FileMissing, NotAVideo, BrokenVideo, ImageTooLarge, FormatNotInstalled: see `VideoFile`.
        BrokenVideo: there is no picture that can be decoded.
    """

    def __init__(self, path: str | os.PathLike[str], *, side: int = 1280, threads: int = 1) -> None:
        if side < 1:
            raise InputError(f"the side must be 1 pixel or more, not {side}")
        self._problems: dict[str, str] = {}
        self._file = VideoFile(path, threads=threads)
        try:
            first = self._file.first()
            # Where the first has no time, none are believed: pictures are counted.
            self._origin = ticks_of(first) if self._file.timed else None
            self._converter = Converter(first, self._file.stream.sample_aspect_ratio, side)
        except BaseException:
            self._file.close()
            raise
        self.width, self.height = self._converter.width, self._converter.height

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def frames(self, start: float = 0.0, end: float = math.inf) -> Iterator[LazyFrame]:
        """Yield every picture that is shown first in [start, end), in order of time."""
        last = None
        for time, frame in self._from(start):
            if time >= end:
                break
            if time >= start:
                last = time
                yield LazyFrame(time, frame, self._converter)
        else:
            self._tell_of_end(start if last is None else last, end)
        if self._file.broken:
            self._problems.setdefault("damaged", "places that are damaged were skipped")

    def frame_at(self, time: float) -> LazyFrame:
        """Return the picture that is shown at a time: the last before it, or the first of all."""
        shown: tuple[float, VideoFrame] | None = None
        for at, frame in self._from(time):
            if shown is not None and at > time + _ROUNDING:
                break
            shown = at, frame
        if shown is None:  # it showed one when it was opened
            raise BrokenVideo(f"no picture at {time:g} seconds can be decoded")
        return LazyFrame(*shown, self._converter)

    def near(self, time: float) -> LazyFrame | None:
        """Return the key frame before a time, which is found fast, or None where none is found."""
        for place in self._places(time):
            for at, frame in self._timed(self._file.frames(place), latest=time):
                return LazyFrame(at, frame, self._converter)
        return None

    @property
    def duration(self) -> float:
        """How many seconds the file says that it lasts; 0 where it does not. See `probe`."""
        return self._file.claimed or 0.0

    @property
    def problem(self) -> str:
        """What was wrong in what was read so far, in words; blank where nothing was."""
        return "; ".join(self._problems.values())

    # --- where to begin ---

    def _from(self, start: float) -> Iterator[tuple[float, VideoFrame]]:
        """Yield pictures with their times from a key frame at or before `start` on."""
        for place in self._places(start):
            timed = self._timed(self._file.frames(place), latest=start)
            first = next(timed, None)
            if first is not None:
                yield first
                yield from timed
                return
        yield from self._timed(self._file.frames())

    def _places(self, start: float) -> Iterator[KeyFrame | int]:
        """Yield where to try to begin, each further back; then there is only the beginning."""
        if self._origin is None or not 0 < start < math.inf:
            return
        index = self._file.index
        for back in _STEPS_BACK:
            if start - back <= 0:
                return
            ticks = self._origin + math.floor((start - back) / self._file.tick)
            if index is None:
                yield ticks
            elif at := bisect_right(index.keys, ticks, key=lambda key: key.ticks):
                yield index.keys[at - 1]

    def _timed(
        self, frames: Iterator[VideoFrame], *, latest: float | None = None
    ) -> Iterator[tuple[float, VideoFrame]]:
        """Yield frames with their times.

        Where the file was entered somewhere, they begin with a key frame, which must be shown at
        `latest`; nothing is yielded where there is none.
        """
        step = 1 / self._file.rate
        seconds: Fraction | None = None
        for frame in frames:
            time = self._time(frame)
            if latest is not None:
                if time is None or time > latest:
                    return
                if not (frame.key_frame and self._is_known(frame)):
                    continue
                latest = None
            if time is None:
                time = Fraction(0) if seconds is None else seconds + step
            if seconds is None or time > seconds:  # times that go back are damage
                seconds = time
                yield float(time), frame

    def _time(self, frame: VideoFrame) -> Fraction | None:
        ticks = ticks_of(frame)
        if ticks is None or self._origin is None:
            return None
        return (ticks - self._origin) * self._file.tick

    def _is_known(self, frame: VideoFrame) -> bool:
        """Whether a time is right, which after entering some kinds of files it may not be."""
        index, ticks = self._file.index, ticks_of(frame)
        if index is None or ticks is None:
            return True
        at = bisect_left(index.keys, ticks, key=lambda key: key.ticks)
        return at < len(index.keys) and index.keys[at].ticks == ticks

    def _tell_of_end(self, reached: float, wanted: float) -> None:
        claimed = self._file.claimed
        if claimed is not None and min(wanted, claimed * (1 - MISSING)) - reached > MISSING_SECONDS:
            self._problems["end"] = ends_early(reached, claimed)


def frame_at(path: str | os.PathLike[str], time: float, *, side: int | None = None) -> ByteArray:
    """Return the picture that is shown at a time: (h, w, 3) uint8 RGB, upright.

    Args:
        path: of the video.
        time: in seconds; before the beginning or after the end, the first or last is shown.
        side: the longer side, at most; None for all its pixels.

    Raises:
        FileMissing, NotAVideo, BrokenVideo, ImageTooLarge, FormatNotInstalled: as `Reader` does.
    """
    with Reader(path, side=side or 1 << 16) as reader:
        return reader.frame_at(time).pixels()
