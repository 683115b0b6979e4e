"""Shots: where one ends and the next begins, from a small grey picture of every frame.

A cut is a frame before which all is unlike all that follows. A flash is no cut, because after it
the picture is what it was; nor is a pan or a shake, because the picture only moves, or changes as
much all the time.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import cv2
import numpy as np

from lookwho.core.types import ByteArray, FloatArray

# What a picture has to differ by, in grey levels, to be another; moved to where it fits best.
LEAST_CHANGE = 9.0
# And so many times more than pictures differ here anyway.
MUCH_MORE = 2.5
# How many pictures before and after are compared: a flash is shorter.
AROUND = 3
# From so many frames before, and from those read ahead, follows what they differ by anyway.
LEVEL_FRAMES = 12
# How far a picture may have moved, in pixels of the small one: down or up, and to a side.
REACH = (2, 4)
# A change that takes so long, in seconds, is a gradual one; a longer one is none.
GRADUAL = (0.4, 1.0)
# In its middle the picture is the mean of what was and what will be, but for so much of their
# difference.
MIXED = 0.12
# They differ by this at least.
GRADUAL_CHANGE = 18.0


class Seen(Protocol):
    """A frame: when, and a small grey picture of it, (h, w) uint8."""

    @property
    def time(self) -> float:
        """In seconds."""
        ...

    @property
    def thumb(self) -> ByteArray:
        """Of the same size for all frames of a video."""
        ...


Frame = TypeVar("Frame", bound=Seen)


def marked(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Yield each frame, and whether a shot begins with it; the first begins none.

    `AROUND` frames are read ahead, no more.
    """
    before: deque[ByteArray] = deque(maxlen=AROUND)
    level: deque[float] = deque(maxlen=LEVEL_FRAMES)
    ahead: deque[Frame] = deque()
    stream = iter(frames)
    while True:
        while len(ahead) < AROUND and (frame := next(stream, None)) is not None:
            ahead.append(frame)
        if not ahead:
            return
        frame = ahead[0]
        cut = False
        if before:
            change = difference(before[-1], frame.thumb)
            pictures = [each.thumb for each in ahead]
            usual = float(np.median(level)) if level else 0.0
            # In a fade or in fast motion what follows changes as much.
            later = [difference(*pair) for pair in itertools.pairwise(pictures)]
            least = max(LEAST_CHANGE, MUCH_MORE * max(usual, min(later, default=0.0)))
            cut = change > least and _all_differ(before, pictures, least)
            if cut:
                before.clear()
            level.append(change)
        before.append(frame.thumb)
        yield ahead.popleft(), cut


def _all_differ(before: Iterable[ByteArray], after: Iterable[ByteArray], least: float) -> bool:
    later = list(after)
    return all(difference(one, two) > least for one in before for two in later)


def difference(one: ByteArray, two: ByteArray) -> float:
    """Return by how many grey levels two pictures differ where they fit best, moved a little."""
    down, aside = REACH
    inner = one[down:-down, aside:-aside]
    # The square of a difference is found by one convolution for all places; what fits best by it
    # fits well by the mean difference too.
    found = cv2.matchTemplate(two, np.ascontiguousarray(inner), cv2.TM_SQDIFF)
    y, x = np.unravel_index(int(found.argmin()), found.shape)
    height, width = inner.shape
    return float(cv2.absdiff(inner, two[y : y + height, x : x + width]).mean())


class Changes:
    """Finds gradual changes, from the small pictures of all frames in turn.

    A dissolve, or a fade: for a moment the picture is a mix of what was and of what will be.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self._seen: deque[tuple[float, FloatArray]] = deque()
        self._cut = -np.inf
        self._best: tuple[float, float] | None = None  # how much it changes there, and when

    def cut(self, time: float) -> None:
        """Begin anew: a shot begins here at once."""
        self._settle()
        self._seen.clear()
        self._cut = time

    def add(self, time: float, thumb: ByteArray) -> None:
        """Take the next frame."""
        self._seen.append((time, thumb.astype(np.float32)))
        while len(self._seen) > 2 and time - self._seen[1][0] >= GRADUAL[1]:
            self._seen.popleft()
        change = max((self._change(time - length) for length in GRADUAL), default=(0.0, 0.0))
        if change[0] > 0:
            if self._best is None or change[0] > self._best[0]:
                self._best = change
        elif self._best and time - self._best[1] > GRADUAL[1]:
            self._settle()

    def end(self) -> list[float]:
        """Return when they happened, the middle of each."""
        self._settle()
        return self.times

    def _settle(self) -> None:
        if self._best:
            self.times.append(self._best[1])
            self._best = None

    def _change(self, since: float) -> tuple[float, float]:
        """Return by how much the picture changed since then, if it did so gradually, and when."""
        last, after = self._seen[-1]
        first, before = next(seen for seen in self._seen if seen[0] >= since - 1e-6)
        if last - first < GRADUAL[0] * 0.8:
            return 0.0, 0.0
        half = (first + last) / 2
        middle, mixed = min(self._seen, key=lambda seen: abs(seen[0] - half))
        share = (middle - first) / (last - first)
        if difference(before.astype(np.uint8), after.astype(np.uint8)) < GRADUAL_CHANGE:
            return 0.0, 0.0
        change = float(np.abs(after - before).mean())
        off = float(np.abs(mixed - (before + share * (after - before))).mean())
        if off > MIXED * change:
            return 0.0, 0.0
        return change, middle
