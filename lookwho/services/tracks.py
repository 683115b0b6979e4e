"""Tracks: stretches of a video that are not whom an analysis took them for.

All stretches of one person in one video are one face. Where some of them are somebody else, they
become a face of their own, or another face's of the same video. That is a DRAW decision with a
place on each stretch, so that every later analysis puts the same stretches apart again
(`services.casting`); its text is where the face is that they came from, so that taking it back
finds that one, also when it is another row by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from lookwho.core.errors import Conflict, Invalid
from lookwho.core.following import Spot
from lookwho.library.models import Decision, DecisionFace, Face, Person, Track, User
from lookwho.library.vectors.listing import listed
from lookwho.services import decisions, embedding, standing
from lookwho.services.decisions import Act, Done, acting
from lookwho.services.faces import a_new_one, bar, be
from lookwho.services.grouping import ask_for_a_pass
from lookwho.services.identity import checked_name, find_named
from lookwho.services.stretches import give, spot_text

Verb = Decision.Verb


def split_tracks(
    by: User, tracks: Iterable[Track], *, name: str | None = None, batch: UUID | None = None
) -> Done:
    """Say that some stretches of a face of a video are somebody else.

    They become another face of the video, which stays through every later analysis. Whoever the
    one is, the other is not.

    Args:
        by: who says so.
        tracks: some, not all, of one face.
        name: of the other one, if that is known; a name that nobody has makes a new person.
        batch: of an act that this belongs to; None for an act of its own.

    Raises:
        Forbidden: this user may not.
        Invalid: these are all stretches of the face, or of several faces, or the name cannot be.
        Conflict: they are gone: the video was analysed anew, or somebody removed the face.
    """
    name = None if name is None else checked_name(name)
    with acting(by, batch) as act:
        rows, face = _looked_at(tracks)
        other = find_named(name) if name else None
        was = _whom(face)
        if other is not None and other == was:
            raise Invalid(f"{other.name} cannot be split from {other.name}: type another name")
        best = _best(rows)
        fresh = Face.objects.create(
            media_id=face.media_id,
            source=Face.Source.HUMAN,
            time=best.time,
            x1=best.x1,
            y1=best.y1,
            x2=best.x2,
            y2=best.y2,
        )
        _put(act, rows, face, fresh)
        other = other or a_new_one(act, name)
        shown, there = decisions.look_at([fresh.pk]), decisions.look_at([face.pk])
        if was is not None:
            bar(act, shown, was)
        bar(act, there, other)
        act.say(Verb.CONFIRM, person=other, faces=shown)
        be(other, shown)
        _described_anew(face, fresh)
        few = "1 stretch is" if len(rows) == 1 else f"{len(rows)} stretches are"
        whose = f"{other.name}'s" if other.name else "somebody else's"
        return Done(act.batch, f"{few} {whose} now.")


def move_tracks(by: User, tracks: Iterable[Track], to: Face, *, batch: UUID | None = None) -> Done:
    """Say that some stretches of a face of a video are another face of the same video.

    Args:
        by: who says so.
        tracks: some, not all, of one face.
        to: the other one.
        batch: of an act that this belongs to; None for an act of its own.

    Raises:
        Forbidden: this user may not.
        Invalid: these are all stretches of the face, or of several faces, or theirs already, or
            the other face is in another video.
        Conflict: they are gone: the video was analysed anew, or somebody removed one of the faces.
    """
    with acting(by, batch) as act:
        rows, face = _looked_at(tracks)
        other = Face.objects.filter(pk=to.pk, dismissed=False).first()
        if other is None:
            raise Conflict("the other face is gone: somebody has removed it, or said it is none")
        if other.media_id != face.media_id or other.time is None:
            raise Invalid("stretches of a video can only be moved to another face of that video")
        if other == face:
            raise Invalid("these stretches are this face's already")
        _put(act, rows, face, other)
        _described_anew(face, other)
        few = "1 stretch is" if len(rows) == 1 else f"{len(rows)} stretches are"
        return Done(act.batch, f"{few} moved to the other face.")


def _looked_at(tracks: Iterable[Track]) -> tuple[list[Track], Face]:
    """Return tracks as they are now, and the face that they are some of.

    Raises:
        Invalid, Conflict: see `split_tracks`.
    """
    asked = {track.pk for track in tracks}
    rows = list(
        Track.objects.filter(pk__in=listed(asked), face__dismissed=False)
        .select_related("face__person__root", "face__guess__root")
        .order_by("start", "pk")
    )
    if not rows or len(rows) < len(asked):
        raise Conflict(
            "these stretches are gone: the video was analysed anew, or somebody said that they "
            "are no face"
        )
    if len({row.face_id for row in rows}) > 1:
        raise Invalid("choose stretches of one face at a time")
    face = rows[0].face
    if not Track.objects.filter(face=face).exclude(pk__in=listed(asked)).exists():
        raise Invalid("these are all stretches of this face: say who it is instead")
    return rows, face


def _whom(face: Face) -> Person | None:
    """Return the root of whom a face is, or is thought to be."""
    who = face.person or face.guess
    return who and (who.root or who)


def _put(act: Act, rows: Sequence[Track], face: Face, to: Face) -> None:
    """Give tracks to another face, by a decision that tells where they and their face are."""
    rest = Track.objects.filter(face=face).exclude(pk__in=listed([row.pk for row in rows]))
    stays = _best(list(rest))
    text = spot_text(Spot(stays.time, (stays.x1, stays.y1, stays.x2, stays.y2)))
    decision = act.say(Verb.DRAW, text=text)
    payload = bytes(rows[0].media.payload_hash)
    DecisionFace.objects.bulk_create(
        DecisionFace(
            decision=decision,
            face=to,
            payload_hash=payload,
            time=row.time,
            x1=row.x1,
            y1=row.y1,
            x2=row.x2,
            y2=row.y2,
        )
        for row in rows
    )
    give(rows, to)


def _described_anew(*faces: Face) -> None:
    """Let faces be what their tracks show now."""
    standing.look_anew(Face.objects.filter(pk__in=[face.pk for face in faces]))
    embedding.ask(face.pk for face in faces)
    ask_for_a_pass()


def _best(rows: Sequence[Track]) -> Track:
    return max(rows, key=lambda row: (row.quality, -row.start))
