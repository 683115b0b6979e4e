"""Poster: the one picture that stands for a video.

The first picture is often black, and the middle takes long to reach. So key frames early in the
video are looked at, which are found fast, and the first that shows something is taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

from lookwho.core.types import ByteArray
from lookwho.core.video import LazyFrame, Reader

# Where in the video is looked, in shares of its length, and then from its beginning on: so many
# seconds, and no more pictures than that.
_PLACES = (0.1, 0.2, 0.35, 0.5, 0.05)
_SECONDS, _PICTURES = 10.0, 300
# Values of grey that a picture must spread over to show something: a title in white on black has
# 20, a black screen with noise 3.
_SPREAD = 16.0


def poster(path: str | os.PathLike[str], side: int) -> ByteArray:
    """Return a picture of a video that shows something, as `Reader` gives it.

    Raises:
        FileMissing, NotAVideo, BrokenVideo, ImageTooLarge, FormatNotInstalled: as `Reader` does.
    """
    with Reader(path, side=side) as reader:
        best: LazyFrame | None = None
        for frame in _candidates(reader):
            if best is None or frame.thumb.std() > best.thumb.std():
                best = frame
            if best.thumb.std() >= _SPREAD:
                break
        # Where nothing can be read any more, the picture that was found when it was opened.
        return (best or reader.frame_at(0.0)).pixels()


def _candidates(reader: Reader) -> Iterator[LazyFrame]:
    for share in _PLACES if reader.duration else ():
        if frame := reader.near(share * reader.duration):
            yield frame
    yield from islice(reader.frames(0.0, _SECONDS), _PICTURES)
