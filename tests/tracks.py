"""Tracks and segments of a video built by hand."""

import numpy as np

from lookwho.core.segments import SegmentResult
from lookwho.core.tracks import Track, View
from lookwho.core.vectors import unit

STEP = 0.25
FACE = (0.4, 0.3, 0.6, 0.7)


def somebody(number, *, off=0.0, seed=0):
    """An embedding of person `number`; `off` is how far it lies from where theirs usually do."""
    vector = np.zeros(128, np.float32)
    vector[number] = 1.0
    aside = np.random.default_rng((number, seed)).normal(size=128).astype(np.float32)
    aside[number] = 0
    return unit(vector + np.sqrt(max(1 / (1 - off) ** 2 - 1, 0)) * unit(aside))


def view(who, time, box=FACE, *, quality=0.8, score=0.99, crop=b"", encoded=True):
    """A view of a person, who is a number or an embedding."""
    embedding = somebody(who) if isinstance(who, int) else who
    x1, y1, x2, y2 = box
    points = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
    landmarks = [(x1 + x * (x2 - x1), y1 + y * (y2 - y1)) for x, y in points]
    return View(
        time=time,
        box=np.array(box, np.float32),
        landmarks=np.array(landmarks, np.float32),
        score=score,
        quality=quality,
        embedding=embedding,
        encoding=embedding * 1.4 if encoded else None,
        crop=crop,
    )


def track(who, start, end, box=FACE, **about):
    """A track of a person who stays where they are."""
    times = [start, *(k * STEP for k in range(10_000) if start < k * STEP < end), end]
    path = np.array([[time, *box] for time in times], np.float32)
    return Track(start, end, path, (view(who, (start + end) / 2, box, crop=b"jpeg", **about),))


def segment(part, *tracks, start=None, end=None, cuts=(), problem="", pack="default"):
    """What was found in one segment of a video of 640 x 360 pixels."""
    return SegmentResult(
        part=part,
        start=60.0 * part if start is None else start,
        end=60.0 * (part + 1) if end is None else end,
        width=640,
        height=360,
        tracks=tuple(tracks),
        cuts=np.array(cuts, np.float32),
        problem=problem,
        pack=pack,
    )
