"""Drawing: people in a photo whom no detector found, put there by hand, with a face or without."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from lookwho.core.errors import Conflict
from lookwho.library.models import Decision, Face, Media, User
from lookwho.services import decisions, embedding, placed
from lookwho.services.decisions import ABSENT_BOX, Done, acting
from lookwho.services.faces import a_new_one, be, move
from lookwho.services.grouping import ask_for_a_pass
from lookwho.services.identity import checked_name, find_named, tree_of

Verb = Decision.Verb

# A box drawn around a face that was said to be none is that face where both overlap by more;
# else it is moved there.
_AS_DRAWN = 0.95


def draw(
    by: User,
    media: Media,
    box: Sequence[float],
    name: str = "",
    *,
    batch: UUID | None = None,
) -> Done:
    """Draw a face that was overlooked.

    It gets its vector from an EMBED job, and stays through every later analysis. Where somebody
    has said that there is no face, that face is there again.

    Args:
        by: who draws.
        media: the photo.
        box: x1, y1, x2, y2 as fractions of the upright photo.
        name: whose face it is; blank where that is not known.
        batch: of an act that this belongs to; None for an act of its own.

    Raises:
        Forbidden: this user may not.
        Invalid: the box or the name cannot be.
        Conflict: there is a face at this place already, or one was erased there.
    """
    name = checked_name(name) if name.strip() else ""
    with acting(by, batch) as act:
        corners = placed.checked_box(media, box)
        placed.check_free(media, corners)
        face = placed.dismissed_at(media, corners)
        if face is None:
            x1, y1, x2, y2 = corners
            face = Face.objects.create(
                media=media, source=Face.Source.HUMAN, x1=x1, y1=y1, x2=x2, y2=y2
            )
        else:
            face.dismissed = False
            face.save(update_fields=["dismissed"])
        act.say(Verb.DRAW, faces=decisions.look_at([face.pk]))
        if placed.overlap(face.box, corners) < _AS_DRAWN:
            move(act, face, corners)
        else:
            embedding.ask([face.pk])
        told = "The face is drawn."
        if name:
            person = find_named(name) or a_new_one(act, name)
            shown = decisions.look_at([face.pk])
            act.say(Verb.CONFIRM, person=person, faces=shown)
            be(person, shown)
            told = f"The face is drawn, and {person.name}'s."
        ask_for_a_pass()
        return Done(act.batch, told)


def absent(by: User, media: Media, name: str, *, batch: UUID | None = None) -> Done:
    """Say that somebody is in a photo with no visible face: from behind, or covered.

    Args:
        by: who says so.
        media: the photo, or video.
        name: theirs; a name that nobody has makes a new person.
        batch: of an act that this belongs to; None for an act of its own.

    Raises:
        Forbidden: this user may not.
        Invalid: the name cannot be.
        Conflict: they are in this photo already.
    """
    name = checked_name(name)
    with acting(by, batch) as act:
        person = find_named(name)
        if person is not None:
            there = Face.objects.filter(media=media, person__in=tree_of(person), dismissed=False)
            if there.exists():
                raise Conflict(f"{person.name} is in this {media.kind} already")
        person = person or a_new_one(act, name)
        x1, y1, x2, y2 = ABSENT_BOX
        face = Face.objects.create(
            media=media, source=Face.Source.ABSENT, x1=x1, y1=y1, x2=x2, y2=y2
        )
        shown = decisions.look_at([face.pk])
        act.say(Verb.ABSENT, person=person, faces=shown)
        act.say(Verb.CONFIRM, person=person, faces=shown)
        be(person, shown)
        ask_for_a_pass()
        return Done(act.batch, f"{person.name} is in this {media.kind}, with no visible face.")
