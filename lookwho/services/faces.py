"""Faces: what humans say of single ones, and of many at once.

A person who was merged stands for whom they were merged into, and a face that is gone or was said
to be none is passed over, so that what is asked on a page that has aged does what was meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from lookwho.core.errors import Conflict
from lookwho.library.models import Decision, Face, Person, Suppression, User
from lookwho.services import decisions
from lookwho.services.decisions import GUESSED, Act, Done, Shown, acting
from lookwho.services.grouping import ask_for_a_pass
from lookwho.services.identity import call, called, checked_name, find_named, root_of, tree_of

Verb = Decision.Verb


def confirm(by: User, faces: Iterable[Face], person: Person, *, batch: UUID | None = None) -> Done:
    """Say that these faces are this person.

    Args:
        by: who says so.
        faces: any number; what they are now is read anew.
        person: who they are.
        batch: of an act that this belongs to; None for an act of its own.

    Raises:
        Forbidden: this user may not.
        NotFound: the person is gone.
        Conflict: all these faces are gone.
    """
    with acting(by, batch) as act:
        return _confirm(act, look_at(faces), root_of(person))


def assign(by: User, faces: Iterable[Face], name: str, *, batch: UUID | None = None) -> Done:
    """Say whose faces these are, by name; a name that nobody has makes a new person.

    Args:
        by: who says so.
        faces: any number.
        name: theirs; capitals do not matter.
        batch: of an act that this belongs to; None for an act of its own.

    Raises:
        Forbidden: this user may not.
        Invalid: the name cannot be.
        Conflict: all these faces are gone.
    """
    name = checked_name(name)
    with acting(by, batch) as act:
        shown = look_at(faces)
        person = find_named(name)
        if person is None:
            # Named by a decision, so that taking it back leaves nobody of that name behind.
            person = Person.objects.create()
            call(act, person, name)
        return _confirm(act, shown, person)


def reject(by: User, faces: Iterable[Face], person: Person) -> Done:
    """Say that these faces are not this person: no later pass takes them for them again.

    Raises:
        Forbidden: this user may not.
        NotFound: the person is gone.
        Conflict: all these faces are gone.
    """
    with acting(by) as act:
        root = root_of(person)
        shown = look_at(faces)
        bar(act, shown, root)
        ask_for_a_pass()
        few = "1 face is not" if len(shown) == 1 else f"{len(shown)} faces are not"
        return Done(act.batch, f"{few} {called(root)}.")


def not_a_face(by: User, faces: Iterable[Face]) -> Done:
    """Say that these are no faces, and will not be any in a later analysis.

    Raises:
        Forbidden: this user may not.
        Conflict: they are gone already.
    """
    with acting(by) as act:
        shown = look_at(faces)
        decision = act.say(Verb.NOT_A_FACE, faces=shown)
        for chunk in decisions.chunks([face.pk for face in shown]):
            Face.objects.filter(pk__in=chunk).update(dismissed=True)
        Suppression.objects.bulk_create(
            [
                Suppression(
                    payload_hash=face.payload_hash,
                    x1=face.x1,
                    y1=face.y1,
                    x2=face.x2,
                    y2=face.y2,
                    time=face.time,
                    decision=decision,
                )
                for face in shown
            ],
            batch_size=decisions.CHUNK,
        )
        ask_for_a_pass()
        few = "1 is" if len(shown) == 1 else f"{len(shown)} are"
        return Done(act.batch, f"{few} no longer taken for a face.")


def faces_arrived(media_ids: Iterable[int]) -> None:
    """Let what was said before find the faces that an analysis has just found in these media.

    Decisions about faces that these replace, and accepted names that the files carry. Called
    within the transaction that stores the faces.
    """
    # Here, since names are confirmed through this module, and so it cannot be imported above.
    from lookwho.services import names

    ids = list(media_ids)
    decisions.attach(ids)
    names.faces_named(ids)


# --- what acts are made of ---


def look_at(faces: Iterable[Face]) -> list[Shown]:
    """Return faces as they are now.

    Raises:
        Conflict: not one of them is there.
    """
    shown = decisions.look_at([face.pk for face in faces])
    if not shown:
        raise Conflict("these faces are gone: somebody has removed them, or said they are none")
    return shown


def _confirm(act: Act, shown: Sequence[Shown], root: Person) -> Done:
    fresh = [face for face in shown if face.person_id != root.pk]
    if fresh:
        act.say(Verb.CONFIRM, person=root, faces=fresh)
        be(root, fresh)
        ask_for_a_pass()
    return Done(act.batch, told_of(shown, root))


def be(person: Person, faces: Sequence[Shown]) -> None:
    """Write who these faces are; that it was said is the caller's to write down."""
    for chunk in decisions.chunks([face.pk for face in faces]):
        Face.objects.filter(pk__in=chunk).update(person=person)


def bar(act: Act, shown: Sequence[Shown], root: Person) -> None:
    """Write down that the faces are not this person, nor whom of those merged they were taken for.

    Each is named, so that it holds also where the merge is undone.
    """
    tree = {person.pk: person for person in Person.objects.filter(pk__in=tree_of(root))}
    said: dict[tuple[int, bool], list[Shown]] = {}
    for face in shown:
        guessed = face.guess_id if face.guess_id in tree else None
        confirmed = face.person_id if face.person_id in tree else None
        for who in sorted({root.pk, guessed or root.pk, confirmed or root.pk}):
            said.setdefault((who, who == guessed), []).append(face)
    for (who, guessed), faces in sorted(said.items()):
        text = GUESSED if guessed else ""
        act.say(Verb.REJECT, person=tree[who], text=text, faces=faces)
        for chunk in decisions.chunks([face.pk for face in faces]):
            theirs = Face.objects.filter(pk__in=chunk)
            theirs.filter(person=who).update(person=None)
            theirs.filter(guess=who).update(guess=None, probability=None)


def told_of(faces: Sequence[Shown], person: Person) -> str:
    """Return what people are told when faces are somebody's."""
    photos = len({face.media_id for face in faces})
    who = f"{person.name}'s" if person.name else "in this group"
    return f"1 photo is now {who}." if photos == 1 else f"{photos} photos are now {who}."
