"""Stretches: tracks of a video that go to another face, and back when that is taken back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lookwho.core.following import Spot, best_share
from lookwho.library.models import Decision, DecisionFace, Face, Track
from lookwho.library.queries import tracks
from lookwho.library.vectors.listing import listed
from lookwho.services.decisions import SAME_BOX

Verb = Decision.Verb


def spot_text(spot: Spot) -> str:
    """Return a time and a box as a DRAW decision about tracks keeps them.

    >>> spot_text(Spot(2.5, (0.25, 0.1, 0.5, 0.3)))
    '2.5 0.25 0.1 0.5 0.3'
    """
    return " ".join(f"{number:.9g}" for number in (spot.time, *spot.box))


def spot_from(text: str) -> Spot:
    """Return what `spot_text` wrote."""
    time, x1, y1, x2, y2 = map(float, text.split())
    return Spot(time, (x1, y1, x2, y2))


def give(rows: Sequence[Track], to: Face) -> None:
    """Let tracks be another face's, and each face be the best picture of those it has then.

    What was said of a face stays with it: where its place was on one of these tracks, that is told
    by where the face is now.
    """
    sources = {row.face_id for row in rows}
    Track.objects.filter(pk__in=listed([row.pk for row in rows])).update(face=to)
    _show_best(to)
    for face in Face.objects.filter(pk__in=sources):
        if _show_best(face):
            _move_decisions(face)


def _show_best(face: Face) -> bool:
    """Let a face be the best picture of its tracks; without any it stays as it was."""
    best = Track.objects.filter(face=face).order_by("-quality", "start", "pk").first()
    if best is None:
        return False
    if (face.time, *face.box) != (best.time, best.x1, best.y1, best.x2, best.y2):
        face.time, face.quality, face.landmarks = best.time, best.quality, []
        face.x1, face.y1, face.x2, face.y2 = best.x1, best.y1, best.x2, best.y2
        face.save(update_fields=["time", "x1", "y1", "x2", "y2", "quality", "landmarks"])
    return True


def _move_decisions(face: Face) -> None:
    """Let what was said of a face in a video be found where it is, if it is told by elsewhere."""
    ways = tracks.stretches_of([face.pk]).get(face.pk, [])
    gone = [
        row.pk
        for row in DecisionFace.objects.filter(face=face).exclude(decision__verb=Verb.DRAW)
        if best_share(ways, _spot(row))[1] <= SAME_BOX
    ]
    told = {"time": face.time, "x1": face.x1, "y1": face.y1, "x2": face.x2, "y2": face.y2}
    DecisionFace.objects.filter(pk__in=gone).update(**told)


def _spot(row: DecisionFace) -> Spot:
    return Spot(row.time or 0.0, (row.x1, row.y1, row.x2, row.y2))


def give_back(about: Iterable[Decision]) -> set[int]:
    """Give tracks back to the faces from which decisions, now taken back, had put them apart.

    To whoever is followed where their face was. Where nobody is, they stay, as a face that an
    analysis found.

    Returns:
        The ids of the faces that have other tracks now.
    """
    changed: set[int] = set()
    for decision in about:
        if decision.verb != Verb.DRAW or not decision.text:
            continue
        by_holder: dict[int, list[Spot]] = {}
        for row in DecisionFace.objects.filter(
            decision=decision, face__isnull=False, time__isnull=False
        ):
            by_holder.setdefault(row.face_id or 0, []).append(_spot(row))
        for holder in Face.objects.filter(pk__in=list(by_holder)):
            rows = _passing(holder, by_holder[holder.pk])
            owner = _owner(holder, spot_from(decision.text))
            if owner is None:
                Face.objects.filter(pk=holder.pk).update(source=Face.Source.DETECTOR)
            elif rows:
                give(rows, owner)
                changed |= {holder.pk, owner.pk}
    return changed


def _passing(face: Face, spots: Sequence[Spot]) -> list[Track]:
    """Return those tracks of a face that pass some spots."""
    rows = list(Track.objects.filter(face=face).order_by("start", "pk"))
    ways = tracks.stretches_of([face.pk]).get(face.pk, [])
    found = {at for spot in spots for at, shared in [best_share(ways, spot)] if shared > SAME_BOX}
    return [rows[at] for at in sorted(found)]


def _owner(holder: Face, spot: Spot) -> Face | None:
    """Return which other face of the video is followed at a spot."""
    others = Face.objects.filter(media=holder.media_id, dismissed=False).exclude(pk=holder.pk)
    ways = tracks.stretches_of(others.values_list("pk", flat=True))
    near = [(best_share(theirs, spot)[1], -face) for face, theirs in ways.items()]
    shared, face = max(near, default=(0.0, 0))
    return Face.objects.get(pk=-face) if shared > SAME_BOX else None
