"""Seen: whether what somebody was shown still holds, so that no answer meets another question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lookwho.core.errors import Conflict
from lookwho.library.models import Person
from lookwho.services.decisions import Shown


def check_seen(
    faces: Sequence[Shown], seen: Mapping[int, int | None] | None, root: Person | None = None
) -> None:
    """Return if the faces are who the asker was shown, or whom the asker says they are anyway.

    Args:
        faces: as they are now.
        seen: for the id of a face the id of whom it was confirmed to be, or None for nobody;
            merged people stand for whom they were merged into. None where nothing was shown.
        root: whom the asker says that they are.

    Raises:
        Conflict: somebody has decided about one of them since.
    """
    if not seen:
        return
    about = [face for face in faces if face.pk in seen]
    ids = {face.person_id for face in about} | {seen[face.pk] for face in about}
    people = {
        person.pk: person.root or person
        for person in Person.objects.filter(pk__in=ids - {None}).select_related("root")
    }
    changed: list[Person | None] = []
    for face in about:
        now = people.get(face.person_id or 0)
        if now != people.get(seen[face.pk] or 0) and (now is None or now != root):
            changed.append(now)
    if changed:
        raise Conflict(_told(changed[0], people, about, seen) + _some(len(changed), len(faces)))


def check_people(*people: Person, seen: Mapping[int, str] | None) -> None:
    """Return if these people are still who the asker was shown.

    Args:
        people: as the asker named them, not their roots.
        seen: for the id of each the name that was shown, blank for a group.

    Raises:
        Conflict: one has another name by now, or was merged into somebody.
    """
    for person in people:
        if not seen or person.pk not in seen:
            continue
        now = Person.objects.select_related("root").filter(pk=person.pk).first()
        if now is None:
            continue  # gone: whoever asks for the root says so
        if now.root:
            raise Conflict(f"this was just merged into {now.root.name or 'another group'}")
        if now.name != seen[person.pk]:
            raise Conflict(
                f"this was just named {now.name}" if now.name else "this has just lost its name"
            )


def _told(
    now: Person | None,
    people: Mapping[int, Person],
    faces: Sequence[Shown],
    seen: Mapping[int, int | None],
) -> str:
    if now is None:
        lost = (seen[face.pk] for face in faces if face.person_id is None)
        named = next((people[who].name for who in lost if who is not None and who in people), "")
        return f"somebody has just said that this is not {named or 'in this group'}"
    return f"this was just named {now.name}" if now.name else "this was just put into another group"


def _some(changed: int, faces: int) -> str:
    return "" if faces == 1 else f": {changed} of the {faces} faces"
