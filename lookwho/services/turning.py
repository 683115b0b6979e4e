"""Turning: what is known of a photo follows when another program turns the photo by its tag."""

from __future__ import annotations

from collections.abc import Sequence

from lookwho.core.orientation import Box
from lookwho.core.turn import turn_between, turned_box, turned_landmarks
from lookwho.library.models import (
    Audit,
    Decision,
    DecisionFace,
    Face,
    Media,
    Region,
    Suppression,
    Task,
)
from lookwho.services import standing
from lookwho.services.decisions import ABSENT_BOX

_BOX = ("x1", "y1", "x2", "y2")
_AT_ONCE = 500


def turn(media: Sequence[tuple[Media, int]]) -> None:
    """Carry all boxes and landmarks to where they are under the media's new orientations.

    Args:
        media: with the new orientation of each; the media themselves are not changed.
    """
    if not media:
        return
    turns = {each.pk: turn_between(each.orientation, after) for each, after in media}
    by_payload = {bytes(each.payload_hash): turns[each.pk] for each, _ in media}
    faces = list(Face.objects.filter(media__in=list(turns)).exclude(source=Face.Source.ABSENT))
    for face in faces:
        face.landmarks = turned_landmarks(face.landmarks, turns[face.media_id])
        _turn_box(face, turns[face.media_id])
    Face.objects.bulk_update(faces, [*_BOX, "landmarks"], batch_size=_AT_ONCE)
    regions = list(Region.objects.filter(media__in=list(turns)))
    for region in regions:
        _turn_box(region, turns[region.media_id])
    Region.objects.bulk_update(regions, _BOX, batch_size=_AT_ONCE)
    # What is kept by the photo's payload, for when it is analysed anew.
    told = DecisionFace.objects.filter(payload_hash__in=list(by_payload))
    decided = [row for row in told.select_related("decision") if _box(row) != ABSENT_BOX]
    suppressed = list(Suppression.objects.filter(payload_hash__in=list(by_payload)))
    for row in [*decided, *suppressed]:
        _turn_box(row, by_payload[bytes(row.payload_hash)])
    # Where a face was before somebody moved it is what taking that back returns it to.
    moves = [row for row in decided if row.decision.verb == Decision.Verb.BOX]
    for row in moves:
        before = standing.box_from(row.decision.text)
        turned = turned_box(before, by_payload[bytes(row.payload_hash)])
        row.decision.text = standing.box_text(turned)
    Decision.objects.bulk_update([row.decision for row in moves], ["text"], batch_size=_AT_ONCE)
    DecisionFace.objects.bulk_update(decided, _BOX, batch_size=_AT_ONCE)
    Suppression.objects.bulk_update(suppressed, _BOX, batch_size=_AT_ONCE)
    audited = list(Audit.objects.filter(payload_hash__in=list(by_payload)))
    tasks = list(Task.objects.filter(payload_hash__in=list(by_payload)))
    for row in [*audited, *tasks]:
        _turn_box(row, by_payload[bytes(row.payload_hash)])
    Audit.objects.bulk_update(audited, _BOX, batch_size=_AT_ONCE)
    Task.objects.bulk_update(tasks, _BOX, batch_size=_AT_ONCE)


def _turn_box(row: Face | Region | DecisionFace | Suppression | Audit | Task, how: int) -> None:
    row.x1, row.y1, row.x2, row.y2 = turned_box(_box(row), how)


def _box(row: Face | Region | DecisionFace | Suppression | Audit | Task) -> Box:
    return row.x1, row.y1, row.x2, row.y2
