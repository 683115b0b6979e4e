"""People: what humans say about faces, and what Lookwho makes of it.

Every act is one transaction and one batch of decisions, which `undo` takes back, also weeks later.
A person who was merged stands for whom they were merged into, and a face that is gone or was said
to be none is passed over, so that what is asked on a page that has aged does what was meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from lookwho.core.errors import Conflict, Forbidden, Invalid, NotFound
from lookwho.library.models import Decision, Face, Person, User
from lookwho.library.queries.tracks import Room
from lookwho.services import decisions, standing
from lookwho.services.decisions import Act, Done, Shown, acting
from lookwho.services.faces import (
    Seen,
    assign,
    bar,
    be,
    confirm,
    faces_arrived,
    fix_box,
    look_at,
    not_a_face,
    reject,
    split,
    told_of,
)
from lookwho.services.grouping import ask_for_a_pass, regroup, regroup_due
from lookwho.services.identity import (
    call,
    called,
    checked_name,
    find_named,
    folded,
    root_of,
    tree_of,
)
from lookwho.services.profiles import describe
from lookwho.services.seen import check_people, check_seen

__all__ = [
    "Done",
    "Named",
    "assign",
    "confirm",
    "faces_arrived",
    "fix_box",
    "hide",
    "may_undo",
    "merge",
    "name_person",
    "not_a_face",
    "regroup",
    "regroup_due",
    "reject",
    "rename",
    "set_birth_date",
    "set_cover",
    "split",
    "undo",
]

Verb = Decision.Verb


@dataclass(frozen=True, slots=True)
class Named(Done):
    """What naming did.

    Attributes:
        person: who has the name now.
        merged: whether a group was joined with somebody who had the name already.
    """

    person: Person
    merged: bool


# --- names ---


def name_person(
    by: User, person: Person, name: str, *, before: str | None = None, seen: Seen | None = None
) -> Named:
    """Give a group a name: its present faces are confirmed; or give a person another name.

    A group that gets the name of somebody known becomes that person. Faces that were said not to
    be them stay out, and so do those beside them in a photo, or at the same time in a video.

    Args:
        by: who says so.
        person: the group or the person.
        name: theirs.
        before: the name that the user was shown; None for the one of `person`.
        seen: the faces of the group that the user was shown, each with whom it was confirmed to
            be, or None for nobody: only these are confirmed. None for all of the group.

    Raises:
        Forbidden: this user may not name people.
        Invalid: the name cannot be.
        NotFound: the group is gone.
        Conflict: somebody has just given it another name; or a named person was to get the name of
            another one.
    """
    name = checked_name(name)
    with acting(by) as act:
        root = root_of(person)
        before = person.name if before is None else before
        if root.name and root.name != before and folded(root.name) != folded(name):
            raise Conflict(f"this was just named {root.name}")
        if root.name:
            return Named(act.batch, _rename(act, root, name), root, False)
        twin = find_named(name)
        who = twin or root
        faces = _present(root, who)
        if seen is not None:
            check_seen(decisions.look_at(seen), seen, who)
            faces = [face for face in faces if face.pk in seen]
        if faces:
            act.say(Verb.CONFIRM, person=who, faces=faces)
            be(who, faces)
        if twin:
            _merge(act, root, twin)
        else:
            call(act, root, name)
        ask_for_a_pass()
        told = told_of(faces, who) if faces else f"{who.name} has a name."
        return Named(act.batch, told, who, twin is not None)


def rename(by: User, person: Person, name: str, *, before: str | None = None) -> Done:
    """Give a person another name; as `name_person`, which this is.

    Raises:
        Forbidden, Invalid, NotFound, Conflict: as there.
    """
    return name_person(by, person, name, before=before)


# --- people ---


def merge(
    by: User,
    person: Person,
    into: Person,
    *,
    batch: UUID | None = None,
    seen: Mapping[int, str] | None = None,
) -> Done:
    """Say that a person is another one. Of a group and somebody named, the name always stays.

    Args:
        by: who says so.
        person: the one.
        into: the other.
        batch: of an act that this belongs to; None for an act of its own.
        seen: for the id of each of them the name that the asker was shown, blank for a group.

    Raises:
        Forbidden: this user may not.
        NotFound: one of them is gone.
        Conflict: they are one person already; or one has just been merged or named.
    """
    with acting(by, batch) as act:
        check_people(person, into, seen=seen)
        one, other = root_of(person), root_of(into)
        if one == other:
            raise Conflict("these are one person already")
        if one.name and not other.name:
            one, other = other, one
        told = f"{one.name or 'This group'} is {other.name or 'in the other one'} now."
        _merge(act, one, other)
        ask_for_a_pass()
        return Done(act.batch, told)


def hide(by: User, person: Person, hidden: bool) -> Done:
    """Leave a person out of lists, or show them again.

    Raises:
        Forbidden: this user may not.
        NotFound: the person is gone.
    """
    with acting(by) as act:
        root = root_of(person)
        if root.hidden != hidden:
            before, text = str(int(root.hidden)), str(int(hidden))
            act.say(Verb.HIDE, person=root, text=text, before=before)
            root.hidden = hidden
            root.save(update_fields=["hidden"])
        told = "is hidden" if hidden else "is shown again"
        return Done(act.batch, f"{root.name or 'This group'} {told}.")


def set_cover(by: User, person: Person, face: Face) -> Done:
    """Choose the face that a person is shown by.

    Raises:
        Forbidden: this user may not.
        NotFound: the person is gone.
        Invalid: the face is not theirs.
        Conflict: the face is gone.
    """
    with acting(by) as act:
        root = root_of(person)
        shown = look_at([face])
        if (shown[0].person_id or shown[0].guess_id) not in tree_of(root):
            raise Invalid(f"this face is not {called(root)}: choose one of theirs")
        if shown[0].absent:
            raise Invalid("nobody is shown by a photo in which no face of theirs shows")
        act.say(Verb.COVER, person=root, faces=shown)
        root.cover_id = shown[0].pk
        root.save(update_fields=["cover"])
        return Done(act.batch, f"{root.name or 'This group'} has a new picture.")


def set_birth_date(by: User, person: Person, birth_date: date | None) -> None:
    """Write down when a person was born, or forget it; not a decision about faces.

    Raises:
        Forbidden: this user may not.
        NotFound: the person is gone.
        Invalid: that day is still to come, or too long ago.
    """
    describe(by, person, {"birth_date": birth_date})


def undo(by: User, batch: UUID) -> Done:
    """Take back all that one act said, whatever was said since.

    Annotators take back what they said themselves, owners and curators what anybody did.

    Raises:
        Forbidden: this user may not.
        NotFound: there is no such act.
        Conflict: it was taken back already.
    """
    # Here, since names are given through this module, and so it cannot be imported above.
    from lookwho.services import audit, names

    with acting(by) as act:
        found = Decision.objects.filter(batch=batch).exclude(verb=Verb.REVOKE)
        rows = list(found.select_related("revoked_by").order_by("pk"))
        if not rows:
            raise NotFound("there is nothing to take back")
        if not may_undo(by, [each.actor_id for each in rows]):
            raise Forbidden("what others said is for owners and curators to take back")
        said = [each for each in rows if not hasattr(each, "revoked_by")]
        if not said:
            raise Conflict("this was taken back already")
        standing.revoke(act, said)
        names.taken_back(batch)
        audit.take_back(batch)
        ask_for_a_pass()
        return Done(act.batch, "Undone.")


def may_undo(user: User, actors: Iterable[int | None]) -> bool:
    """Return whether a user may take back what these users said, told by their ids.

    Annotators take back what they said themselves, owners and curators what anybody did.
    """
    return user.sees_everything or all(actor == user.pk for actor in actors)


# --- what they are made of ---


def _present(group: Person, who: Person) -> list[Shown]:
    """Return the faces that a group has now, as far as they can be this person."""
    tree = tree_of(who)
    guessed = Face.objects.filter(guess__in=tree_of(group), person=None, dismissed=False)
    not_them = decisions.rejected(guessed, tree)
    there = Face.objects.filter(person__in=tree, dismissed=False, media__in=guessed.values("media"))
    shown = decisions.shown(guessed.order_by("pk"))
    room = Room(there, [(face.pk, face.media_id, face.time) for face in shown])
    return [
        face
        for face in shown
        if face.pk not in not_them and room.takes(face.pk, face.media_id, face.time)
    ]


def _merge(act: Act, one: Person, into: Person) -> None:
    # What was said not to be the one is not the other either, where it was only guessed to be:
    # also what is no face, since that may be taken back.
    for these, those in ((one, into), (into, one)):
        guessed = Face.objects.filter(guess__in=tree_of(these), person=None)
        barred = decisions.rejected(guessed, tree_of(those))
        if barred:
            bar(act, decisions.shown(guessed.filter(pk__in=barred).order_by("pk")), these)
    act.say(Verb.MERGE, person=one, other=into)
    one.merged_into_id = into.pk
    one.save(update_fields=["merged_into"])
    standing.settle_roots()


def _rename(act: Act, root: Person, name: str) -> str:
    before = root.name
    if before != name:
        twin = find_named(name)
        if twin and twin != root:
            raise Conflict(
                f"there is somebody called {twin.name} already: merge the two if they are one"
            )
        call(act, root, name)
    return f"{before} is now called {name}."
