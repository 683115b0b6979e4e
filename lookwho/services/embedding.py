"""Embedding: vectors for faces that no detector placed: drawn by hand, moved, or named by a file.

An EMBED job holds some faces and the pack that their photos were analysed by. A face that cannot
be embedded stays, without a vector; the job then fails with the reason. A face of a video, of
which somebody changed which tracks are its own, is looked at in the best pictures of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from django.db import transaction

from lookwho.core.errors import LookwhoError, from_code
from lookwho.core.orientation import Box
from lookwho.core.types import Faces, FloatArray
from lookwho.core.vectors import unit
from lookwho.library import vectors
from lookwho.library.models import Analysis, DecisionFace, Embedding, Face, Job, Track
from lookwho.services import work
from lookwho.services.decisions import chunks, one_at_a_time
from lookwho.services.grouping import ask_for_a_pass
from lookwho.services.guarding import allowed, guarded

# Faces in one job: so few that somebody who has drawn one waits for few others.
AT_ONCE = 20
# Of a face in a video so many pictures are looked at, each of another track: finding one takes as
# long as a photo.
PICTURES = 5


class Wanted(NamedTuple):
    """A face that waits for its vector, as it is now.

    Attributes:
        face: its id.
        media: the id of its photo.
        box: where it is, as fractions of the upright photo; in a video, its best picture.
        pixels: the same in pixels, as far as the size of the photo is known.
        more: of a video, more of its pictures, in pixels.
        times: of a video, when each of its pictures is, in seconds; None for a photo.
    """

    face: int
    media: int
    box: Box
    pixels: Box
    more: tuple[Box, ...] = ()
    times: tuple[float, ...] | None = None

    @property
    def boxes(self) -> FloatArray:
        """(n, 4) float32 in pixels, where to look, one for each of the times in a video."""
        return np.array([self.pixels, *self.more], np.float32)


def ask(faces: Iterable[int], *, missing: bool = False) -> int:
    """Let these faces wait for their vectors; return how many do.

    Faces in photos that nobody has analysed yet wait for that: see `placed.join`.

    Args:
        faces: ids.
        missing: only those that have no vector by the newest models.
    """
    by_pack: dict[int, list[int]] = {}
    for chunk in chunks(sorted(set(faces))):
        rows = Face.objects.filter(pk__in=chunk, dismissed=False)
        media = dict(rows.exclude(source=Face.Source.ABSENT).values_list("pk", "media_id"))
        done = Analysis.objects.filter(media__in=media.values(), state=Analysis.State.DONE)
        packs = dict(done.order_by("pack").values_list("media_id", "pack_id"))
        have: set[tuple[int | None, int]] = set()
        if missing:
            known = Embedding.objects.filter(face__in=media)
            have = set(known.values_list("face_id", "pack_id"))
        for face, medium in media.items():
            pack = packs.get(medium)
            if pack is not None and (face, pack) not in have:
                by_pack.setdefault(pack, []).append(face)
    for pack, theirs in sorted(by_pack.items()):
        for start in range(0, len(theirs), AT_ONCE):
            some = theirs[start : start + AT_ONCE]
            work.enqueue(Job.Kind.EMBED, {"pack": pack, "faces": some}, total=len(some))
    return sum(map(len, by_pack.values()))


def wanted(job: Job) -> list[Wanted]:
    """Return the faces of a job that still are there, those of one photo together."""
    rows = Face.objects.filter(pk__in=job.payload["faces"], dismissed=False)
    found: list[Wanted] = []
    for face in rows.select_related("media").order_by("media", "pk"):
        size = face.media.width, face.media.height
        times, boxes = _pictures(face)
        pixels, *more = (_pixels(box, *size) for box in boxes)
        found.append(Wanted(face.pk, face.media_id, face.box, pixels, tuple(more), times))
    return found


def _pictures(face: Face) -> tuple[tuple[float, ...] | None, list[Box]]:
    """Return when and where a face is to be looked at, its own place first."""
    if face.time is None:
        return None, [face.box]
    tracks = Track.objects.filter(face=face).exclude(time=face.time)
    tracks = tracks.order_by("-quality", "pk")[: PICTURES - 1]
    times, boxes = [face.time], [face.box]
    for time, x1, y1, x2, y2 in tracks.values_list("time", "x1", "y1", "x2", "y2"):
        times.append(time)
        boxes.append((x1, y1, x2, y2))
    return tuple(times), boxes


def _pixels(box: Box, width: int, height: int) -> Box:
    x1, y1, x2, y2 = box
    return x1 * width, y1 * height, x2 * width, y2 * height


def record(job: Job, wanted: Wanted, found: Faces, *, done: int) -> None:
    """Store what the engine says of a face of a job; extends the lease.

    A face whose box was changed meanwhile waits in another job, and is left alone.

    Args:
        job: an EMBED job that was claimed.
        wanted: the face.
        found: the one face at its box; of a video a face for each of its pictures.
        done: how many faces of the job are settled with this one.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
    """
    with transaction.atomic():
        work.heartbeat(job.pk, job.ticket, done=done)
        row = Face.objects.select_for_update(no_key=True).filter(pk=wanted.face).first()
        times = wanted.times or (None,)
        if row is None or (row.box, row.time) != (wanted.box, times[0]):
            return
        describe(row, found, 0)
        row.save(update_fields=["landmarks", "score", "quality"])
        put([(row.pk, _mean(found))], job.payload["pack"])
        ask_for_a_pass()


def _mean(found: Faces) -> FloatArray:
    """Return (dim,) what one face is recognised by, the better pictures counting for more."""
    if len(found) == 1:
        return found.embeddings[0]
    weights = np.maximum(found.quality, 0.01)[:, None]
    return unit((found.embeddings * weights).sum(axis=0).astype(np.float32))


def reason_of(errors: Sequence[LookwhoError]) -> LookwhoError | None:
    """Return why some faces have no vector, or None."""
    if len({error.message for error in errors}) < 2:
        return next(iter(errors), None)
    few = f"{len(errors)} faces cannot be recognised, the first because"
    return from_code(errors[0].code, f"{few} {errors[0].message}")


# --- rows ---


def describe(row: Face, faces: Faces, index: int) -> None:
    """Give a face, not saved yet, what an engine says of it; its box stays where it is."""
    size = np.array([faces.width, faces.height], np.float64)
    row.landmarks = (faces.landmarks[index] / size).tolist()
    row.score = float(faces.scores[index])
    row.quality = float(faces.quality[index])


def put(rows: Sequence[tuple[int, FloatArray]], pack: int) -> None:
    """Store vectors of faces, in place of those by the same pack.

    In photos in which only people who agreed are kept, those of others are not: see `guarding`.
    """
    rows = _allowed(rows, pack)
    if not rows:
        return
    ids = [face for face, _ in rows]
    old = list(Embedding.objects.filter(face__in=ids, pack=pack).values_list("face_id", flat=True))
    if old:
        forget([face for face in old if face is not None])
    Embedding.objects.bulk_create(
        Embedding(face_id=face, pack_id=pack, vector=np.asarray(vector, "<f4").tobytes())
        for face, vector in rows
    )
    vectors.added((face, pack, vector) for face, vector in rows)


def _allowed(rows: Sequence[tuple[int, FloatArray]], pack: int) -> Sequence[tuple[int, FloatArray]]:
    """Return those that may be kept; of others what tells who they are goes, too."""
    faces = Face.objects.filter(pk__in=[face for face, _ in rows])
    media = dict(faces.values_list("pk", "media_id"))
    guard = guarded(set(media.values()))
    if not guard:
        return rows
    with one_at_a_time():  # or somebody withdraws their consent between this look and the end
        may = allowed(pack)
    own = {face for face, vector in rows if may.theirs(vector[None])[0]}
    refused = [face for face, medium in media.items() if medium in guard and face not in own]
    forget(refused)
    forget_ways(refused)
    Face.objects.filter(pk__in=refused).update(landmarks=[], guess=None, probability=None)
    return [(face, vector) for face, vector in rows if face not in refused]


def forget(faces: Sequence[int]) -> None:
    """Remove the vectors of faces, by all packs."""
    if faces and Embedding.objects.filter(face__in=faces).delete()[0]:
        vectors.removed(faces)


def forget_ways(faces: Sequence[int]) -> None:
    """Remove how faces move through videos; when they are seen is kept."""
    Track.objects.filter(face__in=faces).exclude(path=b"").update(path=b"")


def move_decisions(face: Face) -> None:
    """Let what was said of a face in a photo be found where the face is now."""
    told = {"x1": face.x1, "y1": face.y1, "x2": face.x2, "y2": face.y2}
    DecisionFace.objects.filter(face=face).update(**told)
