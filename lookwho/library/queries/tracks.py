"""Tracks: when faces of videos are seen, and which of them at the same time.

Two faces of one photo are two people. Two faces of one video are that only where they are seen at
the same time: somebody may be met twice in it before anybody knows that it is the same person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
from django.db.models import QuerySet

from lookwho.core.cast import TOGETHER, united
from lookwho.core.following import Spot, Stretch
from lookwho.library.models import Face, Media, Track
from lookwho.library.vectors.listing import listed

Times = tuple[tuple[float, float], ...]


def times_of(faces: Iterable[int]) -> dict[int, Times]:
    """Return from when to when faces are seen in their videos, by their ids; photos have none."""
    found: dict[int, list[tuple[float, float]]] = {}
    rows = Track.objects.filter(face__in=listed(faces))
    for face, start, end in rows.values_list("face_id", "start", "end"):
        found.setdefault(face, []).append((start, end))
    return {face: tuple(united(spans)) for face, spans in found.items()}


def stretches_of(faces: Iterable[int]) -> dict[int, list[Stretch]]:
    """Return through which stretches faces are followed in their videos, by their ids."""
    found: dict[int, list[Stretch]] = {}
    rows = Track.objects.filter(face__in=listed(faces)).order_by("start", "pk")
    told = ("start", "end", "time", "x1", "y1", "x2", "y2", "path")
    for face, start, end, time, x1, y1, x2, y2, path in rows.values_list("face_id", *told):
        way = np.frombuffer(bytes(path), "<f4").reshape(-1, 5)
        found.setdefault(face, []).append(Stretch(start, end, Spot(time, (x1, y1, x2, y2)), way))
    return found


def meeting(media: Collection[int] | None = None) -> set[tuple[int, int]]:
    """Return pairs of faces that are seen at the same time in one video, the lower id first.

    Args:
        media: ids of the only videos to look at; None for all.
    """
    rows = Track.objects.filter(face__dismissed=False)
    if media is not None:
        rows = rows.filter(media__in=listed(media))
    return _meeting(rows)


def in_company(faces: Collection[int]) -> dict[int, set[int]]:
    """Return for each of these faces which others are two people with it, by where they are.

    Of a face in a photo all others in it; of one in a video those seen at the same time.
    """
    asked = dict(Face.objects.filter(pk__in=listed(faces)).values_list("pk", "media"))
    beside = Face.objects.filter(media__in=listed(set(asked.values())), dismissed=False)
    theirs: dict[int, set[int]] = {}
    videos: set[int] = set()
    for pk, media, kind in beside.values_list("pk", "media", "media__kind"):
        theirs.setdefault(media, set()).add(pk)
        if kind == Media.Kind.VIDEO:
            videos.add(media)
    met = by_face(meeting(videos) if videos else ())
    return {
        face: met.get(face, set()) if media in videos else theirs.get(media, set()) - {face}
        for face, media in asked.items()
    }


def by_face(pairs: Iterable[tuple[int, int]]) -> Mapping[int, set[int]]:
    """Return for each face of some pairs those that it is with."""
    found: dict[int, set[int]] = {}
    for one, other in pairs:
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return found


class Room:
    """Which faces can be somebody beside those that they are already.

    In a photo one, in a video one at a time; each that can be counts from then on.
    """

    def __init__(
        self, theirs: QuerySet[Face], asked: Iterable[tuple[int, int, float | None]]
    ) -> None:
        """Look at who is there.

        Args:
            theirs: the faces that somebody is already.
            asked: id, medium and time of the faces that may be asked about.
        """
        videos = {media for _, media, time in asked if time is not None}
        self._beside = by_face(meeting(videos)) if videos else {}
        self._media: set[int] = set()
        self._faces: set[int] = set()
        for face, media, time in theirs.values_list("pk", "media", "time"):
            self._add(face, media, time)

    def takes(self, face: int, media: int, time: float | None) -> bool:
        """Return whether they can be this face, too; then they are."""
        if media in self._media if time is None else self._faces & self._beside.get(face, set()):
            return False
        self._add(face, media, time)
        return True

    def _add(self, face: int, media: int, time: float | None) -> None:
        if time is None:
            self._media.add(media)
        else:
            self._faces.add(face)


def _meeting(rows: QuerySet[Track]) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    now, going = 0, list[tuple[float, int]]()
    ordered = rows.order_by("media", "start", "pk").values_list("media", "face", "start", "end")
    for media, face, start, end in ordered.iterator(chunk_size=2000):
        if media != now:
            now, going = media, []
        going = [(until, other) for until, other in going if until > start]
        for until, other in going:
            if other != face and min(until, end) - start >= TOGETHER:
                found.add((min(face, other), max(face, other)))
        going.append((end, face))
    return found
