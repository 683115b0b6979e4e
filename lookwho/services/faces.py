"""Faces: what humans say of single ones, and of many at once.

A person who was merged stands for whom they were merged into, and a face that is gone or was said
to be none is passed over, so that what is asked on a page that has aged does what was meant.
Whoever says what they were shown (`seen`) is told where somebody has decided since, and then
nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from lookwho.core.errors import Conflict, Invalid
from lookwho.core.following import spots
from lookwho.library.models import Decision, Face, Person, Suppression, User
from lookwho.library.vectors.listing import listed
from lookwho.services import decisions, embedding, placed, standing
from lookwho.services.decisions import GUESSED, Act, Done, Shown, acting
from lookwho.services.grouping import ask_for_a_pass
from lookwho.services.identity import call, called, checked_name, find_named, root_of, tree_of
from lookwho.services.seen import check_seen

# For the id of a face the id of whom the asker was shown as confirmed, or None for nobody.
Seen = Mapping[int, int | None]

Verb = Decision.Verb


def confirm(
    by: User,
    faces: Iterable[Face],
    person: Person,
    *,
    batch: UUID | None = None,
    seen: Seen | None = None,
) -> Done:
    """Say that these faces are this person.

    Args:
        by: who says so.
        faces: any number; what they are now is read anew.
        person: who they are.
        batch: of an act that this belongs to; None for an act of its own.
        seen: who they were confirmed to be, as the asker was shown.

    Raises:
        Forbidden: this user may not.
        NotFound: the person is gone.
        Conflict: all these faces are gone, or somebody has just said who one of them is.
    """
    with acting(by, batch) as act:
        root = root_of(person)
        return _confirm(act, look_at(faces, seen, root), root)


def assign(
    by: User,
    faces: Iterable[Face],
    name: str,
    *,
    batch: UUID | None = None,
    seen: Seen | None = None,
) -> Done:
    """Say whose faces these are, by name; a name that nobody has makes a new person.

    Args:
        by: who says so.
        faces: any number.
        name: theirs; capitals do not matter.
        batch: of an act that this belongs to; None for an act of its own.
        seen: who they were confirmed to be, as the asker was shown.

    Raises:
        Forbidden: this user may not.
        Invalid: the name cannot be.
        Conflict: all these faces are gone, or somebody has just said who one of them is.
    """
    name = checked_name(name)
    with acting(by, batch) as act:
        person = find_named(name)
        shown = look_at(faces, seen, person)
        return _confirm(act, shown, person or a_new_one(act, name))


def reject(
    by: User,
    faces: Iterable[Face],
    person: Person,
    *,
    batch: UUID | None = None,
    seen: Seen | None = None,
) -> Done:
    """Say that these faces are not this person: no later pass takes them for them again.

    Raises:
        Forbidden: this user may not.
        NotFound: the person is gone.
        Conflict: all these faces are gone, or somebody has just said who one of them is.
    """
    with acting(by, batch) as act:
        root = root_of(person)
        shown = look_at(faces, seen)
        bar(act, shown, root)
        ask_for_a_pass()
        few = "1 face is not" if len(shown) == 1 else f"{len(shown)} faces are not"
        return Done(act.batch, f"{few} {called(root)}.")


def split(
    by: User,
    faces: Iterable[Face],
    person: Person,
    *,
    name: str | None = None,
    batch: UUID | None = None,
    seen: Seen | None = None,
) -> Done:
    """Say that these faces are not this person, but all of them one other.

    Args:
        by: who says so.
        faces: any number of one person's.
        person: whom they were taken for.
        name: of the other one, if that is known; a name that nobody has makes a new person.
        batch: of an act that this belongs to; None for an act of its own.
        seen: who they were confirmed to be, as the asker was shown.

    Raises:
        Forbidden: this user may not.
        NotFound: the person is gone.
        Invalid: the name cannot be, or is that of the person themselves.
        Conflict: all these faces are gone, or somebody has just said who one of them is.
    """
    name = None if name is None else checked_name(name)
    with acting(by, batch) as act:
        root = root_of(person)
        shown = look_at(faces, seen)
        other = find_named(name) if name else None
        if other == root:
            raise Invalid(f"{root.name} cannot be split from {root.name}: type another name")
        bar(act, shown, root)
        other = other or a_new_one(act, name)
        act.say(Verb.CONFIRM, person=other, faces=shown)
        be(other, shown)
        ask_for_a_pass()
        few = "1 face is" if len(shown) == 1 else f"{len(shown)} faces are"
        whose = f"{other.name}'s" if other.name else "a group of their own"
        return Done(act.batch, f"{few} {whose} now, and not {called(root)}.")


def fix_box(
    by: User,
    face: Face,
    box: Sequence[float],
    *,
    batch: UUID | None = None,
) -> Done:
    """Say where a face really is; it is embedded anew, and stays there through every analysis.

    Args:
        by: who says so.
        face: a face in a photo.
        box: x1, y1, x2, y2 as fractions of the upright photo.
        batch: of an act that this belongs to; None for an act of its own.

    Raises:
        Forbidden: this user may not.
        Invalid: the box cannot be, or the face is not visible.
        Conflict: the face is gone, or there is another one at this place.
    """
    with acting(by, batch) as act:
        (shown,) = look_at([face])
        if shown.absent:
            raise Invalid("somebody who does not show has no box: draw the face instead")
        row = Face.objects.select_related("media").get(pk=shown.pk)
        to = placed.checked_box(row.media, box)
        placed.check_free(row.media, to, but=row.pk)
        move(act, row, to)
        return Done(act.batch, "The face is framed anew.")


def not_a_face(
    by: User, faces: Iterable[Face], *, batch: UUID | None = None, seen: Seen | None = None
) -> Done:
    """Say that these are no faces, and will not be any in a later analysis.

    Raises:
        Forbidden: this user may not.
        Conflict: they are gone already, or somebody has just said who one of them is.
    """
    with acting(by, batch) as act:
        shown = look_at(faces, seen)
        decision = act.say(Verb.NOT_A_FACE, faces=shown)
        Face.objects.filter(pk__in=listed([face.pk for face in shown])).update(dismissed=True)
        standing.look_anew(Face.objects.filter(pk__in=listed([face.pk for face in shown])))
        Suppression.objects.bulk_create(
            [Suppression(**place, decision=decision) for place in _places(shown)],
            batch_size=decisions.CHUNK,
        )
        ask_for_a_pass()
        few = "1 is" if len(shown) == 1 else f"{len(shown)} are"
        return Done(act.batch, f"{few} no longer taken for a face.")


def _places(shown: Sequence[Shown]) -> Iterator[dict[str, Any]]:
    """Yield where these faces are: in a video, all along their ways."""
    ways = standing.ways_of(shown)
    for face in shown:
        if face.absent:
            continue
        yield face.place()
        for stretch in ways.get(face.pk, ()):
            for time, (x1, y1, x2, y2) in spots(stretch):
                if time != face.time:
                    yield face.place() | {"time": time, "x1": x1, "y1": y1, "x2": x2, "y2": y2}


def faces_arrived(media_ids: Iterable[int]) -> None:
    """Let what was said before find the faces that an analysis has just found in these media.

    Decisions about faces that these replace, and accepted names that the files carry. Called
    within the transaction that stores the faces.
    """
    # Here, since names are confirmed through this module, and so it cannot be imported above.
    from lookwho.services import audit, names

    ids = list(media_ids)
    standing.attach(ids)
    placed.faces_arrived(ids)
    audit.attach(ids)
    names.faces_named(ids)


# --- what acts are made of ---


def look_at(
    faces: Iterable[Face], seen: Seen | None = None, root: Person | None = None
) -> list[Shown]:
    """Return faces as they are now.

    Args:
        faces: which.
        seen: who they were confirmed to be, as the asker was shown.
        root: whom the asker says that they are; where somebody has just said the same, all is well.

    Raises:
        Conflict: not one of them is there, or somebody has just said who one of them is.
    """
    shown = decisions.look_at([face.pk for face in faces])
    if not shown:
        raise Conflict("these faces are gone: somebody has removed them, or said they are none")
    check_seen(shown, seen, root)
    return shown


def a_new_one(act: Act, name: str | None) -> Person:
    """Return a new person.

    Named by a decision, so that taking it back leaves nobody of that name behind.
    """
    person = Person.objects.create()
    if name:
        call(act, person, name)
    return person


def move(act: Act, face: Face, box: placed.Box) -> None:
    """Put a face to another place, by a decision that keeps where it was."""
    text = standing.box_text(face.box)
    face.x1, face.y1, face.x2, face.y2 = box
    face.save(update_fields=["x1", "y1", "x2", "y2"])
    act.say(Verb.BOX, text=text, faces=decisions.look_at([face.pk]))
    embedding.ask([face.pk])


def _confirm(act: Act, shown: Sequence[Shown], root: Person) -> Done:
    fresh = [face for face in shown if face.person_id != root.pk]
    if fresh:
        act.say(Verb.CONFIRM, person=root, faces=fresh)
        be(root, fresh)
        ask_for_a_pass()
    return Done(act.batch, told_of(shown, root))


def be(person: Person, faces: Sequence[Shown]) -> None:
    """Write who these faces are; that it was said is the caller's to write down."""
    Face.objects.filter(pk__in=listed([face.pk for face in faces])).update(person=person)


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
        theirs = Face.objects.filter(pk__in=listed([face.pk for face in faces]))
        theirs.filter(person=who).update(person=None)
        theirs.filter(guess=who).update(guess=None, probability=None)
    standing.unguess(face.pk for face in shown if face.person_id in tree)
    standing.look_anew(Face.objects.filter(pk__in=listed([face.pk for face in shown])))
    if absent := [face.pk for face in shown if face.absent and face.person_id in tree]:
        # Nobody but who said so knew of them.
        Face.objects.filter(pk__in=absent, person=None).update(dismissed=True)


def told_of(faces: Sequence[Shown], person: Person) -> str:
    """Return what people are told when faces are somebody's."""
    videos = {face.media_id for face in faces if face.time is not None}
    photos = {face.media_id for face in faces} - videos
    who = f"{person.name}'s" if person.name else "in this group"
    count = len(photos) + len(videos)
    parts = [
        f"1 {what}" if len(some) == 1 else f"{len(some)} {what}s"
        for what, some in (("photo", photos), ("video", videos))
        if some or not count
    ]
    return f"{' and '.join(parts)} {'is' if count == 1 else 'are'} now {who}."
