"""Moments: what a montage of somebody is made of, as far as the asker may see it.

The best stretch of each video comes first, then the second best of each, until there is enough.
Whoever names faces may ask about everybody, anybody else about themselves alone.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from django.db.models import QuerySet

from lookwho.core.errors import FileMissing
from lookwho.core.montage import SHEET
from lookwho.core.scenes import Scene, around, caption
from lookwho.library.models import Face, Media, Person, Track, User
from lookwho.library.scope import Purpose, Scope, faces_of, scope_of
from lookwho.services import places, search

# The most faces of a contact sheet, the most seconds of a film and of one scene in it; of each
# scene so much comes before its best picture.
MOST_FACES = 96
MOST_SECONDS, SCENE_SECONDS, BEFORE = 60.0, 4.0, 1.5
# Shorter ones are only a flash.
LEAST_SECONDS = 0.4


def tracks_of(by: User, root: int | None) -> QuerySet[Track]:
    """Return where somebody is followed in videos, as far as the asker may see it.

    Args:
        by: who asks.
        root: of whom, a root person; None for the asker.
    """
    scope = scope_of(by, Purpose.NAME)
    if root is not None and scope.names:
        return _followed(faces_of(root), scope)
    own = Person.objects.filter(user=by).first()
    if root is not None and (own is None or (own.root_id or own.pk) != root):
        return Track.objects.none()
    mine = [match.face_id for match in search.my_photos(by) if match.mine]
    seen = search.scope_for(by, Purpose.FIND_SELF)
    return (
        Track.objects.none() if seen is None else _followed(Face.objects.filter(pk__in=mine), seen)
    )


def _followed(faces: QuerySet[Face], scope: Scope) -> QuerySet[Track]:
    # Of whoever did not agree nobody keeps where in the picture they were.
    tracks = Track.objects.filter(face__in=faces.values("pk"), face__dismissed=False)
    return tracks.exclude(path=b"").filter(
        media__in=scope.media().filter(kind=Media.Kind.VIDEO).values("pk")
    )


def chosen(tracks: QuerySet[Track], kind: str) -> Iterator[tuple[Media, Scene]]:
    """Yield the scenes of a montage, the oldest first: from every video something, if it can be."""
    by_media: defaultdict[int, list[Track]] = defaultdict(list)
    for track in tracks.select_related("media").order_by("-quality", "pk"):
        by_media[track.media_id].append(track)
    files = {pk: found for pk, rows in by_media.items() if (found := _file_of(rows[0].media))}
    left = MOST_FACES if kind == SHEET else MOST_SECONDS
    taken: list[tuple[Media, Scene]] = []
    # The best of each video first, then the second best, ...
    ranked = sorted(
        (rank, -track.quality, track.pk, track)
        for pk in files
        for rank, track in enumerate(by_media[pk])
    )
    for *_, track in ranked:
        scene = _scene(track, files[track.media_id])
        seconds = scene.end - scene.start
        if kind != SHEET and seconds < LEAST_SECONDS:
            continue
        cost = 1.0 if kind == SHEET else seconds
        if cost <= left:
            left -= cost
            taken.append((track.media, scene))
    taken.sort(key=lambda each: (each[0].taken_at, each[0].pk, each[1].start))
    yield from taken


def _scene(track: Track, path: Path) -> Scene:
    start = max(track.start, min(track.time - BEFORE, track.end - SCENE_SECONDS))
    end = min(track.end, start + SCENE_SECONDS)
    box = track.x1, track.y1, track.x2, track.y2
    followed = np.frombuffer(bytes(track.path), "<f4").reshape(-1, 5)
    return Scene(
        path=os.fspath(path),
        start=start,
        end=end,
        time=track.time,
        box=box,
        around=around(followed, start, end, box),
        caption=caption(track.media.day, track.time),
    )


def _file_of(media: Media) -> Path | None:
    """Return where a video lies on this machine, if it does."""
    try:
        found = places.original_of(media)
    except FileMissing:
        return None
    return found if isinstance(found, Path) and found.is_file() else None
