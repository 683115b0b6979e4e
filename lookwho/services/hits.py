"""Hits: the photos and videos that somebody is found in, and when they are seen in a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from lookwho.core.cast import united
from lookwho.core.match import SAME
from lookwho.library.models import Face, Media
from lookwho.library.queries import tracks
from lookwho.library.queries.tracks import Times

# How likely a face is theirs (the smaller the likelier), how far it is, and its id.
How = tuple[float, float, int]


class Hit(NamedTuple):
    """A photo that is probably somebody's, as ids.

    Attributes:
        face: the face that is theirs; of several in a video the likeliest.
        media: the photo, or video.
        day: of it.
        distance: 1 - cosine to their selfies; None for one that was confirmed, too far to be found.
        probability: that it is theirs, among so many faces; 1 where that was confirmed.
        times: of a video, from when to when they are seen in it, in seconds.
    """

    face: int
    media: int
    day: date
    distance: float | None
    probability: float
    times: Times = ()

    @property
    def mine(self) -> bool:
        """Whether Lookwho says that it is theirs, and not only that it may be."""
        return self.probability >= SAME


@dataclass(frozen=True, slots=True)
class Match:
    """A photo that is probably somebody's; see `Hit`.

    Attributes:
        face: the face that is theirs.
        media: the photo, also as `face.media`.
        distance: 1 - cosine to their selfies, or None.
        probability: that it is theirs.
        times: of a video, from when to when they are seen in it, in seconds.
    """

    face: Face
    media: Media
    distance: float | None
    probability: float
    times: Times = ()

    @property
    def face_id(self) -> int:
        """The face's id."""
        return self.face.pk

    @property
    def mine(self) -> bool:
        """Whether Lookwho says that it is theirs, and not only that it may be."""
        return self.probability >= SAME


def times_in(videos: Mapping[int, Sequence[How]]) -> dict[int, Times]:
    """Return when somebody is seen in videos, by the likeliest of their faces and all sure ones.

    Not by one that is seen at the same time as a likelier one: that is somebody else.

    Args:
        videos: by the id of each their faces in it.
    """
    if not videos:
        return {}
    seen = tracks.times_of([face for some in videos.values() for *_, face in some])
    found: dict[int, Times] = {}
    for media, some in videos.items():
        spans: list[tuple[float, float]] = []
        for place, (sure, _, face) in enumerate(sorted(some)):
            theirs = seen.get(face, ())
            meets = any(a < d and c < b for a, b in theirs for c, d in spans)
            if place == 0 or (-sure >= SAME and not meets):
                spans.extend(theirs)
        found[media] = tuple(united(spans))
    return found
