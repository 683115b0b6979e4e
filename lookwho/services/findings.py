"""Findings: faces as the engine gives them, turned into rows.

Called by `analysis.record_faces` alone, which sees to it that everything counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookwho.core.orientation import Box
from lookwho.core.regions import overlap
from lookwho.core.types import Faces, FloatArray, Reason
from lookwho.library import vectors
from lookwho.library.models import Analysis, Embedding, Face, Media, Suppression
from lookwho.services import placed
from lookwho.services.decisions import one_at_a_time
from lookwho.services.guarding import allowed

# A box that overlaps a suppressed one by more (intersection over union) is the same thing again.
SAME_BOX = 0.5


class Finding(NamedTuple):
    """The faces of one medium that waited for them, and whether there is more to look at first."""

    analysis: Analysis
    faces: Faces
    has_suppressed: bool  # boxes that must not become faces again
    has_older: bool  # faces that another pack found
    is_guarded: bool = False  # only people who agreed are kept in it: see `guarding`


def store(findings: Sequence[Finding], pack: int) -> bool:
    """Write the faces and their embeddings; return whether there is now any face more or less.

    Faces that another pack found make room for those of this one, except those that a human drew or
    moved: they get what was found at their place.
    """
    older = [each.analysis.media_id for each in findings if each.has_older]
    if older:
        _remove(older)
    theirs = _theirs(findings, pack)
    suppressed = _suppressed([each for each in findings if each.has_suppressed])
    found = {each.analysis.media_id: _normalised(each.faces) for each in findings}
    there = placed.join(findings, {media: boxes for media, (boxes, _) in found.items()}, pack)
    rows: list[Face] = []
    embeddings: list[FloatArray | None] = []
    for each in findings:
        boxes, landmarks = found[each.analysis.media_id]
        known = there.get(each.analysis.media_id, ())
        kept = _kept(boxes, suppressed.get(each.analysis.media_id))
        kept = [index for index in kept if index not in known]
        may = theirs.get(each.analysis.media_id)
        rows.extend(_rows(each, boxes, landmarks, kept, may))
        embeddings.extend(
            each.faces.embeddings[index] if may is None or may[index] else None for index in kept
        )
        if not (kept or known):
            each.analysis.reason = each.faces.reason or Reason.NOTHING
    if rows:
        Face.objects.bulk_create(rows)
        stored = [
            (row.pk, vector)
            for row, vector in zip(rows, embeddings, strict=True)
            if vector is not None
        ]
        Embedding.objects.bulk_create(
            Embedding(face_id=face, pack_id=pack, vector=np.asarray(vector, "<f4").tobytes())
            for face, vector in stored
        )
        vectors.added((face, pack, vector) for face, vector in stored)
    _resize(findings)
    return bool(rows or older or any(there.values()))


def _remove(media: Sequence[int]) -> None:
    # What was said to be no face stays, so that it can be taken back.
    faces = Face.objects.filter(~placed.staying(), media__in=media, dismissed=False)
    faces = faces.filter(source=Face.Source.DETECTOR)
    vectors.removed(list(faces.values_list("pk", flat=True)))
    faces.delete()


def _theirs(findings: Sequence[Finding], pack: int) -> dict[int, NDArray[np.bool_]]:
    """Return of the faces in each guarded medium which are somebody's who agreed: (n,)."""
    some = [each for each in findings if each.is_guarded]
    if not some:
        return {}
    with one_at_a_time():  # or somebody withdraws their consent between this look and the end
        may = allowed(pack)
    return {each.analysis.media_id: may.theirs(each.faces.embeddings) for each in some}


def _suppressed(findings: Sequence[Finding]) -> dict[int, list[tuple[Box, bool]]]:
    """Return boxes of each medium that must not become faces again, and whether one was erased."""
    media = {bytes(each.analysis.media.payload_hash): each.analysis.media_id for each in findings}
    boxes: dict[int, list[tuple[Box, bool]]] = {}
    if media:
        for row in Suppression.objects.filter(payload_hash__in=media):
            box = row.x1, row.y1, row.x2, row.y2
            boxes.setdefault(media[bytes(row.payload_hash)], []).append((box, row.erased))
    return boxes


def _normalised(faces: Faces) -> tuple[FloatArray, FloatArray]:
    """Return boxes and landmarks as fractions of the image; boxes end where the image ends."""
    size = np.array([faces.width, faces.height], np.float64)
    boxes = np.clip(faces.boxes.reshape(-1, 2, 2) / size, 0, 1).reshape(-1, 4)
    return boxes, faces.landmarks / size


def _kept(boxes: FloatArray, suppressed: Sequence[tuple[Box, bool]] | None) -> list[int]:
    if suppressed is None:
        return list(range(len(boxes)))
    return [
        index
        for index, (x1, y1, x2, y2) in enumerate(boxes.tolist())
        if not any(_again((x1, y1, x2, y2), gone, erased) for gone, erased in suppressed)
    ]


def _again(box: Box, gone: Box, erased: bool) -> bool:
    """Return whether a box is one that must not come again.

    Another detector frames a face otherwise: of one that was erased no such box may come either.
    """
    return overlap(box, gone) > SAME_BOX or (erased and bool(placed.fit(box, gone)))


def _rows(
    finding: Finding,
    boxes: FloatArray,
    landmarks: FloatArray,
    kept: Sequence[int],
    theirs: NDArray[np.bool_] | None,
) -> list[Face]:
    """Return a row for each face; of one whose vector is not kept, no landmarks either."""
    faces = finding.faces
    # One call each turns an array into Python's numbers; one number at a time is slow.
    corners, points = boxes.tolist(), landmarks.tolist()
    scores, quality = faces.scores.tolist(), faces.quality.tolist()
    return [
        Face(
            media_id=finding.analysis.media_id,
            x1=corners[index][0],
            y1=corners[index][1],
            x2=corners[index][2],
            y2=corners[index][3],
            landmarks=points[index] if theirs is None or theirs[index] else [],
            score=scores[index],
            quality=quality[index],
        )
        for index in kept
    ]


def _resize(findings: Sequence[Finding]) -> None:
    changed: list[Media] = []
    for analysis, faces, *_ in findings:
        media = analysis.media
        if (media.width, media.height) != (faces.width, faces.height):
            media.width, media.height = faces.width, faces.height
            changed.append(media)
    if changed:
        Media.objects.bulk_update(changed, ["width", "height"])
