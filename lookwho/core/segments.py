"""Segments: the fixed stretches in which a video is analysed, each by itself.

What is found in one follows from the file and the stretch alone, so it does not matter who looks
at it, nor what else they look at: many workers give what one gives.
"""

from __future__ import annotations

from dataclasses import dataclass

from lookwho.core.tracks import Track
from lookwho.core.types import FloatArray

# The length of a stretch, and how much further into the next each is looked at.
SECONDS = 60.0
OVERLAP = 2.0


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What was found in one stretch of a video.

    Attributes:
        part: which stretch of `grid`, from 0.
        start: of the stretch, in seconds.
        end: of the stretch; it is looked at until `OVERLAP` later.
        width: of the upright picture in pixels.
        height: of the upright picture in pixels.
        tracks: the faces that were followed, in order of time.
        cuts: (n,) float32, when shots begin, in seconds, ascending.
        problem: what could not be read, in words; blank where all could.
        pack: the name of the models that made this.
    """

    part: int
    start: float
    end: float
    width: int
    height: int
    tracks: tuple[Track, ...]
    cuts: FloatArray
    problem: str
    pack: str


def grid(duration: float) -> list[tuple[float, float]]:
    """Return the stretches (start, end) of a video of so many seconds: one at least.

    What is left over at the end and no longer than `OVERLAP` belongs to the stretch before it.

    >>> grid(130)
    [(0.0, 60.0), (60.0, 120.0), (120.0, 130.0)]
    >>> grid(61)
    [(0.0, 61.0)]
    """
    starts = [0.0]
    while duration - (starts[-1] + SECONDS) > OVERLAP:
        starts.append(starts[-1] + SECONDS)
    return list(zip(starts, [*starts[1:], max(float(duration), 0.0)], strict=True))
