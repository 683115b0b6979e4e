"""Filmed: the people of a video, turned into rows: a face each, with their tracks and one vector.

Called by whoever joins a video's segments. A face that only a detector found makes room for those
of the new analysis; one that a human made, or gave a track to, keeps its row. Which tracks are one
face is for `casting` to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from lookwho.core.cast import Cast, VideoTrack
from lookwho.core.types import Reason
from lookwho.library import vectors
from lookwho.library.models import Analysis, Face, Pack, Track, Video
from lookwho.library.vectors.listing import listed
from lookwho.services import casting, embedding, grouping, people, placed, work
from lookwho.services.casting import Part
from lookwho.services.decisions import one_at_a_time
from lookwho.services.guarding import allowed, guarded


def store_cast(analysis: Analysis, video: Video, cast: Cast, pack: Pack) -> bool:
    """Write the people of a video, and that its analysis is done; all of it, or nothing.

    Called again, it writes the same anew: faces that only a detector found make room.

    Args:
        analysis: of the video by this pack.
        video: its row.
        cast: who is in it.
        pack: the models that found them.

    Returns:
        Whether there is now any face more or less.
    """
    media = analysis.media
    with transaction.atomic(), one_at_a_time():
        payload = bytes(media.payload_hash)
        keeping = list(_made(media.pk).order_by("pk"))
        known = casting.confirmed_in(media.pk)
        gone = clear([media.pk])
        parts = casting.parts_of(cast, payload, keeping, known)
        _write(parts, media.pk, pack)
        video.cuts = np.asarray(cast.cuts, "<f4").tobytes()
        video.save(update_fields=["cuts"])
        analysis.reason = "" if parts or keeping else Reason.NOTHING
        analysis.state = Analysis.State.DONE
        analysis.finished_at = timezone.now()
        analysis.save(update_fields=["reason", "state", "finished_at"])
        people.faces_arrived([media.pk])
        embedding.ask([face.pk for face in keeping], missing=True)
        changed = bool(parts or gone)
        if changed and not work.waits(grouping.KEY):
            grouping.ask_for_a_pass()
    return changed


def clear(media: Iterable[int]) -> int:
    """Remove the faces of videos that only a detector found, with their tracks; return how many.

    What humans decided about them stays, and finds the faces of the next analysis.
    """
    faces = Face.objects.filter(
        ~placed.staying(),
        media__in=listed(list(media)),
        time__isnull=False,
        dismissed=False,
        source=Face.Source.DETECTOR,
    )
    ids = list(faces.values_list("pk", flat=True))
    vectors.removed(ids)
    Track.objects.filter(face__in=listed(ids)).delete()
    Face.objects.filter(pk__in=listed(ids)).delete()
    return len(ids)


def _made(media: int) -> QuerySet[Face]:
    """Return the faces of a video that keep their rows: humans made them, or gave them tracks."""
    faces = Face.objects.filter(media=media, time__isnull=False, dismissed=False)
    return faces.filter(Q(source=Face.Source.HUMAN) | placed.staying())


# --- rows ---


def _write(parts: Sequence[Part], media: int, pack: Pack) -> None:
    """Write faces, tracks and vectors; of who did not agree, where only such people are kept, none.

    Faces that have no track in this analysis keep those that they had.
    """
    found = [part.vector() for part in parts]
    told = [True] * len(parts)
    if guarded([media]):
        may = allowed(pack.pk)
        told = [bool(may.theirs(vector[None])[0]) for vector in found]
    fresh: list[Face] = []
    kept: list[Face] = []
    for part, open_ in zip(parts, told, strict=True):
        if part.face is None:
            part.face = Face(media_id=media)
            fresh.append(part.face)
        else:
            kept.append(part.face)
        part.describe(part.face, told=open_)
    Face.objects.bulk_create(fresh)
    Face.objects.bulk_update(
        kept, ["time", "x1", "y1", "x2", "y2", "landmarks", "score", "quality"], batch_size=500
    )
    Track.objects.filter(face__in=listed([face.pk for face in kept])).delete()
    Track.objects.bulk_create(
        (
            _row(track, part.face, pack, path=open_)
            for part, open_ in zip(parts, told, strict=True)
            if part.face is not None
            for track in part.tracks
        ),
        batch_size=500,
    )
    rows = [
        (part.face.pk, vector)
        for part, vector, open_ in zip(parts, found, told, strict=True)
        if part.face is not None and open_
    ]
    embedding.forget([face.pk for face in kept if face.pk not in {pk for pk, _ in rows}])
    embedding.put(rows, pack.pk)


def _row(track: VideoTrack, face: Face, pack: Pack, *, path: bool) -> Track:
    x1, y1, x2, y2 = (float(edge) for edge in np.clip(track.box, 0, 1))
    return Track(
        media_id=face.media_id,
        face=face,
        pack=pack,
        start=float(track.start),
        end=float(track.end),
        time=float(track.time),
        x1=x1,
        y1=y1,
        x2=x2,
        y2=y2,
        quality=float(track.quality),
        path=np.asarray(track.path, "<f4").tobytes() if path else b"",
    )
