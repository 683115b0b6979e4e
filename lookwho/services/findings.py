"""Findings: faces as the engine gives them, turned into rows.

Called by `analysis.record_faces` alone, which sees to it that everything counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lookwho.core.types import Faces, FloatArray, Reason
from lookwho.library import vectors
from lookwho.library.models import Analysis, Embedding, Face, Media, Suppression
from lookwho.services import placed

# A box that overlaps a suppressed one by more (intersection over union) is the same thing again.
SAME_BOX = 0.5


class Finding(NamedTuple):
    """The faces of one medium that waited for them, and whether there is more to look at first."""

    analysis: Analysis
    faces: Faces
    has_suppressed: bool  # boxes that must not become faces again
    has_older: bool  # faces that another pack found


def store(findings: Sequence[Finding], pack: int) -> bool:
    """Write the faces and their embeddings; return whether there is now any face more or less.

    Faces that another pack found make room for those of this one, except those that a human drew or
    moved: they get what was found at their place.
    """
    older = [each.analysis.media_id for each in findings if each.has_older]
    if older:
        _remove(older)
    suppressed = _suppressed([each for each in findings if each.has_suppressed])
    found = {each.analysis.media_id: _normalised(each.faces) for each in findings}
    there = placed.join(findings, {media: boxes for media, (boxes, _) in found.items()}, pack)
    rows: list[Face] = []
    embeddings: list[FloatArray] = []
    for each in findings:
        boxes, landmarks = found[each.analysis.media_id]
        known = there.get(each.analysis.media_id, ())
        kept = _kept(boxes, suppressed.get(each.analysis.media_id))
        kept = [index for index in kept if index not in known]
        rows.extend(_rows(each, boxes, landmarks, kept))
        embeddings.extend(each.faces.embeddings[kept])
        if not (kept or known):
            each.analysis.reason = each.faces.reason or Reason.NOTHING
    if rows:
        Face.objects.bulk_create(rows)
        faces = [row.pk for row in rows]
        Embedding.objects.bulk_create(
            Embedding(face_id=face, pack_id=pack, vector=np.asarray(vector, "<f4").tobytes())
            for face, vector in zip(faces, embeddings, strict=True)
        )
        vectors.added((face, pack, vector) for face, vector in zip(faces, embeddings, strict=True))
    _resize(findings)
    return bool(rows or older or any(there.values()))


def _remove(media: Sequence[int]) -> None:
    # What was said to be no face stays, so that it can be taken back.
    faces = Face.objects.filter(~placed.staying(), media__in=media, dismissed=False)
    faces = faces.filter(source=Face.Source.DETECTOR)
    vectors.removed(list(faces.values_list("pk", flat=True)))
    faces.delete()


def _suppressed(findings: Sequence[Finding]) -> dict[int, FloatArray]:
    """Return (n, 4) boxes of each medium that must not become faces again."""
    media = {bytes(each.analysis.media.payload_hash): each.analysis.media_id for each in findings}
    boxes: dict[int, list[list[float]]] = {}
    if media:
        for row in Suppression.objects.filter(payload_hash__in=media):
            box = [row.x1, row.y1, row.x2, row.y2]
            boxes.setdefault(media[bytes(row.payload_hash)], []).append(box)
    return {key: np.array(each, np.float32) for key, each in boxes.items()}


def _normalised(faces: Faces) -> tuple[FloatArray, FloatArray]:
    """Return boxes and landmarks as fractions of the image; boxes end where the image ends."""
    size = np.array([faces.width, faces.height], np.float64)
    boxes = np.clip(faces.boxes.reshape(-1, 2, 2) / size, 0, 1).reshape(-1, 4)
    return boxes, faces.landmarks / size


def _kept(boxes: FloatArray, suppressed: FloatArray | None) -> list[int]:
    if suppressed is None:
        return list(range(len(boxes)))
    # Here, since it brings onnxruntime, which no process but the engine's needs otherwise.
    from lookwho.core.boxes import iou

    overlap = iou(boxes.astype(np.float32), suppressed).max(axis=1)
    return np.flatnonzero(overlap <= SAME_BOX).tolist()


def _rows(
    finding: Finding, boxes: FloatArray, landmarks: FloatArray, kept: Sequence[int]
) -> list[Face]:
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
            landmarks=points[index],
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
