"""Following: where a face of a video was at a time, and whether a place on its way is that face.

What was said about a face of a video is kept by a time and a box. After a new analysis the face is
whoever was followed through that box at that time, wherever their best picture is now.

Boxes are x1, y1, x2, y2 as fractions of the upright picture, times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookwho.core.orientation import Box
from lookwho.core.types import DoubleArray, FloatArray

# A face is looked at a few times a second: a little beyond both ends it is still there.
SLACK = 0.5
# Between two looks it may be ahead or behind: so far from a time its place may be that of the time.
_JITTER = 0.25
# A way that is told by single places has one at least every so many seconds.
STEP = 2.0


class Spot(NamedTuple):
    """Where a face was at a time."""

    time: float
    box: Box


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch through which a face was followed.

    Attributes:
        start: when it begins.
        end: when it ends.
        best: where its best picture is.
        path: (n, 5) float32 of time and box, in order of time; empty where that is not kept.
    """

    start: float
    end: float
    best: Spot
    path: FloatArray

    def where(self, times: DoubleArray) -> DoubleArray:
        """Return (n, 4) where the face was at these times (n,), as if it moved evenly between."""
        if not len(self.path):
            return np.tile(np.asarray(self.best.box, np.float64), (len(times), 1))
        told = self.path.astype(np.float64)
        return np.stack([np.interp(times, told[:, 0], told[:, at]) for at in range(1, 5)], axis=1)


def shares(stretch: Stretch, times: DoubleArray, boxes: DoubleArray) -> DoubleArray:
    """Return (n,) how much of each box is the face (intersection over union) at its time.

    Args:
        stretch: through which the face was followed.
        times: (n,).
        boxes: (n, 4).
    """
    found = np.zeros(len(times))
    for near in _near(stretch, times):
        found = np.maximum(found, overlaps(near, boxes))
    return np.where(_within(stretch, times), found, 0.0)


def framed(
    stretch: Stretch, times: DoubleArray, boxes: DoubleArray, least: float
) -> NDArray[np.bool_]:
    """Return (n,) whether each box frames the face at its time, by whatever detector.

    They overlap by `least`, or each has the other's middle: some frame the face, others the head.
    """
    found = np.zeros(len(times), np.bool_)
    for near in _near(stretch, times):
        found |= overlaps(near, boxes) >= least
        found |= _centred(near, boxes) & _centred(boxes, near)
    return found & _within(stretch, times)


def spots(stretch: Stretch, step: float = STEP) -> list[Spot]:
    """Return places that tell the whole way: the best picture, and one at least every `step`."""
    found = [stretch.best]
    if len(stretch.path):
        count = max(2, 1 + int(np.ceil((stretch.end - stretch.start) / step)))
        times = np.linspace(stretch.start, stretch.end, count)
        for time, (x1, y1, x2, y2) in zip(
            times.tolist(), stretch.where(times).tolist(), strict=True
        ):
            found.append(Spot(time, (x1, y1, x2, y2)))
    return found


def best_share(stretches: list[Stretch], spot: Spot) -> tuple[int, float]:
    """Return which of some stretches passes a spot most closely, and how much they share there."""
    times, boxes = np.array([spot.time]), np.array([spot.box], np.float64)
    best, most = -1, 0.0
    for place, stretch in enumerate(stretches):
        if stretch.start - SLACK <= spot.time <= stretch.end + SLACK:
            shared = float(shares(stretch, times, boxes)[0])
            if shared > most:
                best, most = place, shared
    return best, most


def _near(stretch: Stretch, times: DoubleArray) -> list[DoubleArray]:
    if not len(stretch.path):
        return [stretch.where(times)]
    return [stretch.where(times + apart) for apart in (-_JITTER, 0.0, _JITTER)]


def _within(stretch: Stretch, times: DoubleArray) -> NDArray[np.bool_]:
    """Return which times are within the stretch; of one without a path only its best picture."""
    start, end = stretch.start, stretch.end
    if not len(stretch.path):
        start = end = stretch.best.time
    return (times >= start - SLACK) & (times <= end + SLACK)


def overlaps(a: FloatArray, b: FloatArray) -> DoubleArray:
    """Return (n,) the intersections over unions of boxes, one with one."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - shared
    return np.divide(shared, union, out=np.zeros(len(a)), where=union > 0)


def _centred(inner: DoubleArray, outer: DoubleArray) -> NDArray[np.bool_]:
    middle = (inner[:, :2] + inner[:, 2:]) / 2
    inside = (outer[:, :2] <= middle) & (middle <= outer[:, 2:])
    return inside[:, 0] & inside[:, 1]
