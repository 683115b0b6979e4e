"""What a video shows, as tests compare it: its times, its pictures and their colours."""

import numpy as np

from lookwho.core.video import Reader

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 240, 30)
# The quarters of what `tests.videos.drawn` draws, row by row.
UPRIGHT = (RED, GREEN, BLUE, YELLOW)


def read(path, start=0.0, end=float("inf"), *, side=1280):
    """Return times and pictures of a stretch, and the problem."""
    with Reader(path, side=side) as reader:
        frames = [(frame.time, frame.pixels()) for frame in reader.frames(start, end)]
        return [time for time, _ in frames], [pixels for _, pixels in frames], reader.problem


def corners(pixels):
    """The colours of the four quarters, row by row."""
    height, width = pixels.shape[:2]
    return [pixels[height * y // 5, width * x // 5] for y in (1, 4) for x in (1, 4)]


def alike(found, wanted, tolerance=12):
    return np.abs(np.array(found, int) - np.array(wanted, int)).max() <= tolerance


def same(left, right):
    return len(left) == len(right) and all(map(np.array_equal, left, right))
