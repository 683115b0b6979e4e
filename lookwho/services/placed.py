"""Placed: faces that somebody, or a file, put where they are, and the same ones when detected.

Such a face stays through every later analysis. What a detector finds in its place is the same
face, and is written into its row: never are there two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q, QuerySet

from lookwho.core.errors import Conflict, Invalid
from lookwho.core.orientation import Box
from lookwho.core.regions import overlap
from lookwho.core.types import FloatArray
from lookwho.library.models import Decision, DecisionFace, Face, Media, Suppression
from lookwho.services import embedding
from lookwho.services.decisions import SAME_BOX

if TYPE_CHECKING:
    from lookwho.services.findings import Finding

# A box that somebody draws and one that a program found are the same face where they overlap so
# much (intersection over union), or where each has the other's middle: some frame the face,
# others the whole head.
SAME_FACE = 0.3
# No face can be told from fewer pixels along a side.
LEAST_PIXELS = 8

_Corners = tuple[float, float, float, float]


def fit(one: Box, other: Box) -> float:
    """Return how well two boxes frame the same face: 0 where they do not, at most 1."""
    shared = overlap(one, other)
    return shared if shared >= SAME_FACE or (_centred(one, other) and _centred(other, one)) else 0.0


def _centred(inner: Box, outer: Box) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


# --- boxes that humans draw ---


def checked_box(media: Media, box: Sequence[float]) -> Box:
    """Return a box that somebody drew, its corners in order and cut off at the photo's edges.

    Raises:
        Invalid: it is no box in this photo, or too small to show a face.
    """
    if media.kind != Media.Kind.PHOTO:
        raise Invalid(
            "faces can be drawn and framed in photos only, not in videos: of a video choose "
            "stretches of a face, and say who that is"
        )
    if len(box) != 4 or not all(math.isfinite(edge) for edge in box):
        raise Invalid("a box is four numbers: left, top, right and bottom, from 0 to 1")
    if min(box) < -1 or max(box) > 2:
        raise Invalid("a box is told in parts of the photo, from 0 to 1, not in pixels")
    x1, x2 = sorted(min(1.0, max(0.0, float(edge))) for edge in (box[0], box[2]))
    y1, y2 = sorted(min(1.0, max(0.0, float(edge))) for edge in (box[1], box[3]))
    if not (media.width and media.height):
        raise Invalid("the size of this photo is not known yet: wait until it was looked at")
    if (x2 - x1) * media.width < LEAST_PIXELS or (y2 - y1) * media.height < LEAST_PIXELS:
        raise Invalid(f"a face needs at least {LEAST_PIXELS} pixels each way: draw a larger box")
    return x1, y1, x2, y2


def check_free(media: Media, box: Box, *, but: int | None = None) -> None:
    """Return if there is no face at a box yet.

    Args:
        media: the photo.
        box: where.
        but: the id of a face that may be there.

    Raises:
        Conflict: there is one, or one that was erased.
    """
    for face in _shown(Face.objects.filter(media=media)).select_related(
        "person__root", "guess__root"
    ):
        if face.pk != but and overlap(box, face.box) > SAME_BOX:
            who = face.person or face.guess
            name = (who.root or who).name if who else ""
            raise Conflict(
                f"there is a face here already: {name or 'one without a name'}. Choose that one"
            )
    gone = Suppression.objects.filter(payload_hash=media.payload_hash, erased=True, time=None)
    for row in gone:
        if fit(box, (row.x1, row.y1, row.x2, row.y2)):
            raise Conflict("a face was erased here, for good: it cannot be drawn again")


def dismissed_at(media: Media, box: Box) -> Face | None:
    """Return the face that was said to be none at a box, the one that overlaps most."""
    gone = Face.objects.filter(media=media, dismissed=True, time=None)
    near = [(overlap(box, face.box), -face.pk, face) for face in gone]
    shared, _, face = max(near, default=(0.0, 0, None))
    return face if shared > SAME_BOX else None


# --- faces that stay ---


def staying() -> Exists:
    """Return what is true of a face that somebody drew or whose box somebody fixed."""
    said = DecisionFace.objects.filter(
        face=OuterRef("pk"),
        decision__verb__in=(Decision.Verb.DRAW, Decision.Verb.BOX),
        decision__revoked_by=None,
    )
    return Exists(said)


def join(
    findings: Sequence[Finding], boxes: Mapping[int, FloatArray], pack: int
) -> dict[int, set[int]]:
    """Write what was found of faces that are there already into their rows.

    Called once the faces of older packs are gone, so that those which are left were placed.

    Args:
        findings: what an analysis found.
        boxes: by the id of each medium the boxes found, (n, 4) as fractions.
        pack: of the analysis.

    Returns:
        For each medium the places among its findings that are no new faces.
    """
    placed: dict[int, list[Face]] = {}
    for face in _shown(Face.objects.filter(media__in=list(boxes))).order_by("pk"):
        placed.setdefault(face.media_id, []).append(face)
    if not placed:
        return {}
    known: dict[int, set[int]] = {}
    rows: list[tuple[Face, Finding, int]] = []
    for finding in findings:
        medium = finding.analysis.media_id
        pairs = _pairs(placed.get(medium, ()), boxes[medium].tolist())
        known[medium] = set(pairs.values())
        for face in placed.get(medium, ()):
            if face.pk in pairs:
                rows.append((face, finding, pairs[face.pk]))
    for face, finding, index in rows:
        embedding.describe(face, finding.faces, index)
        if face.source == Face.Source.METADATA:
            # A file's box is somebody's guess at the head; from now on it is a face like others.
            face.source = Face.Source.DETECTOR
            face.x1, face.y1, face.x2, face.y2 = boxes[face.media_id][index].tolist()
            embedding.move_decisions(face)
    fields = ["source", "x1", "y1", "x2", "y2", "landmarks", "score", "quality"]
    Face.objects.bulk_update([face for face, *_ in rows], fields)
    embedding.put(
        [(face.pk, finding.faces.embeddings[index]) for face, finding, index in rows], pack
    )
    return known


def faces_arrived(media: Sequence[int]) -> None:
    """Ask for the vectors of what an analysis has not found of the faces that were placed."""
    theirs = _shown(Face.objects.filter(media__in=media))
    theirs = theirs.filter(Q(source__in=(Face.Source.HUMAN, Face.Source.METADATA)) | staying())
    if waiting := list(theirs.values_list("pk", flat=True)):
        embedding.ask(waiting, missing=True)


def _pairs(faces: Iterable[Face], boxes: Sequence[_Corners]) -> dict[int, int]:
    """Return which found box each face is, those that fit best first."""
    fits = [
        (-how, face.pk, index)
        for face in faces
        for index, box in enumerate(boxes)
        if (how := fit(face.box, (box[0], box[1], box[2], box[3])))
    ]
    pairs: dict[int, int] = {}
    for _, face, index in sorted(fits):
        if face not in pairs and index not in pairs.values():
            pairs[face] = index
    return pairs


def _shown(faces: QuerySet[Face]) -> QuerySet[Face]:
    return faces.filter(dismissed=False, time=None).exclude(source=Face.Source.ABSENT)
