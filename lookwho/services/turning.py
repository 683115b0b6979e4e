"""Turning: what is known of a photo follows when another program turns the photo by its tag."""

from __future__ import annotations

from collections.abc import Sequence

from lookwho.core.turn import turn_between, turned_box, turned_landmarks
from lookwho.library.models import DecisionFace, Face, Media, Region, Suppression

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
    faces = list(Face.objects.filter(media__in=list(turns)))
    for face in faces:
        face.landmarks = turned_landmarks(face.landmarks, turns[face.media_id])
        _turn_box(face, turns[face.media_id])
    Face.objects.bulk_update(faces, [*_BOX, "landmarks"], batch_size=_AT_ONCE)
    regions = list(Region.objects.filter(media__in=list(turns)))
    for region in regions:
        _turn_box(region, turns[region.media_id])
    Region.objects.bulk_update(regions, _BOX, batch_size=_AT_ONCE)
    # What is kept by the photo's payload, for when it is analysed anew.
    decided = list(DecisionFace.objects.filter(payload_hash__in=list(by_payload)))
    suppressed = list(Suppression.objects.filter(payload_hash__in=list(by_payload)))
    for row in [*decided, *suppressed]:
        _turn_box(row, by_payload[bytes(row.payload_hash)])
    DecisionFace.objects.bulk_update(decided, _BOX, batch_size=_AT_ONCE)
    Suppression.objects.bulk_update(suppressed, _BOX, batch_size=_AT_ONCE)


def _turn_box(row: Face | Region | DecisionFace | Suppression, how: int) -> None:
    row.x1, row.y1, row.x2, row.y2 = turned_box((row.x1, row.y1, row.x2, row.y2), how)
