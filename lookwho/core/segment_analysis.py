"""Looks at one segment of a video: which pictures are searched, and how closely.

Every picture is decoded, for cuts; few are searched: some in every second, the first and the last
of each shot, and where a face comes, goes or moves far those between.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator

import cv2
import numpy as np

from lookwho.core import shots
from lookwho.core.errors import InputError
from lookwho.core.follow import Follower
from lookwho.core.segments import OVERLAP, SegmentResult, grid
from lookwho.core.sightings import READ_SIDE, Eyes
from lookwho.core.tracks import robust_mean
from lookwho.core.types import ByteArray, FloatArray
from lookwho.core.video import LazyFrame, Reader

# The picture nearest after each multiple of this, in seconds, is searched, and the first of each
# shot; of those between so many in a second are kept for a closer look.
STEP = 0.25
BETWEEN = 16
# Where the small picture changes by so few grey levels anywhere, nothing has changed; but no
# longer than this, in seconds, without looking.
STILL_CHANGE = 2
STILL_MOST = 1.0
# Pictures of more pixels than this are not kept as they were decoded: of 8K each takes 50 MB.
LARGE = 10_000_000
# Times of pictures are rounded; this much, in parts of a step, before a time is that time.
ROUNDING = 1e-6
# Views closer than this (1 - cosine) count as one person while the work is still going on.
ALIKE = 0.1


class SegmentAnalysis:
    """Looks at one stretch of a video, a little at a time.

    Args:
        eyes: the models.
        path: of the file.
        duration: of the whole video, in seconds, as `core.video.probe` tells it; the grid follows
            from it. The last stretch is looked at to the end of the file in any case.
        part: which stretch of `grid`.

    Attributes:
        reached: until where it has been looked at, in seconds.

    Raises:
        InputError: the file is no video, or there is no such stretch.
    """

    def __init__(self, eyes: Eyes, path: str, duration: float, part: int) -> None:
        stretches = grid(duration)
        if not 0 <= part < len(stretches):
            raise InputError(f"there is no stretch {part} in a video of {duration:g} seconds")
        self._eyes = eyes
        self._part = part
        self._start, self._end = stretches[part]
        self._until = math.inf if part == len(stretches) - 1 else self._end + OVERLAP
        self._reader = Reader(path, side=READ_SIDE)
        self._follower = Follower(eyes)
        self._cuts: list[float] = []
        self._known: list[FloatArray] = []
        self._counted = 0
        self.reached = self._start
        self._work = self._analyzed()

    def step(self, seconds: float = 0.5) -> bool:
        """Go on for about so long; return whether there is more to do.

        Raises:
            InputError: the video cannot be read at all.
        """
        until = time.monotonic() + seconds
        return any(time.monotonic() >= until for _ in self._work)

    @property
    def people(self) -> int:
        """How many people have been followed so far, roughly."""
        for track in self._follower.done[self._counted :]:
            mean = robust_mean(track.views)
            if all(1 - float(mean @ known) > ALIKE for known in self._known):
                self._known.append(mean)
        self._counted = len(self._follower.done)
        return len(self._known)

    def result(self) -> SegmentResult:
        """Return what was found; `step` must have come to its end."""
        tracks = sorted(self._follower.done, key=lambda track: (track.start, *track.path[0]))
        return SegmentResult(
            part=self._part,
            start=self._start,
            end=self._end,
            width=self._reader.width,
            height=self._reader.height,
            tracks=tuple(tracks),
            cuts=np.array(sorted(self._cuts), np.float32),
            problem=self._reader.problem,
            pack=self._eyes.pack,
        )

    def close(self) -> None:
        """Close the file."""
        self._work.close()
        self._reader.close()

    def _analyzed(self) -> Generator[None]:
        follower, changes = self._follower, shots.Changes()
        between: list[_Picture] = []
        last: LazyFrame | None = None
        searched: tuple[float, ByteArray] | None = None  # when, and the small picture then
        large = self._reader.width * self._reader.height > LARGE
        shown = 0.0  # for how long the last picture is
        for frame, cut in shots.marked(self._reader.frames(self._start, self._until)):
            if cut and last:
                self._cuts.append(frame.time)
                changes.cut(frame.time)
                follower.end_shot(_with(between, last), frame.time)
                between, searched = [], None
            changes.add(frame.time, frame.thumb)
            if (
                searched is None
                or last is None
                or _ticks(frame, 1 / STEP) != _ticks(last, 1 / STEP)
            ):
                if searched and _unchanged(searched, frame):
                    follower.same(frame.time)
                else:
                    follower.sample(_Picture(frame), between)
                    searched = frame.time, frame.thumb
                between = []
            elif _ticks(frame, BETWEEN) != _ticks(last, BETWEEN):
                between.append(_Picture(frame, at_once=large))
            shown = frame.time - last.time if last else 0.0
            last = frame
            self.reached = min(frame.time, self._end)
            yield
        if last:
            follower.end_shot(_with(between, last), last.time + min(shown, STEP))
        self._cuts += changes.end()


class _Picture:
    """A frame whose pixels are made once; what was decoded is then let go."""

    def __init__(self, frame: LazyFrame, *, at_once: bool = False) -> None:
        self.time = frame.time
        self._frame: LazyFrame | None = frame
        self._pixels: ByteArray | None = None
        if at_once:
            self.pixels()

    def pixels(self) -> ByteArray:
        if self._frame:
            self._pixels, self._frame = self._frame.pixels(), None
        assert self._pixels is not None
        return self._pixels


def _ticks(frame: LazyFrame, rate: float) -> int:
    return math.floor(frame.time * rate + ROUNDING)


def _with(between: list[_Picture], last: LazyFrame) -> list[_Picture]:
    """Return the pictures since the last one that was searched, with the last of the shot."""
    if between and between[-1].time == last.time:
        return between
    return [*between, _Picture(last)]


def _unchanged(searched: tuple[float, ByteArray], frame: LazyFrame) -> bool:
    """Return whether a picture is what it was when it was last searched, not long ago."""
    when, thumb = searched
    change = int(cv2.absdiff(frame.thumb, thumb).max())
    return frame.time - when < STILL_MOST and change <= STILL_CHANGE
