"""Told: what a form says that the page showed, so that a stale answer is known for one.

With each face goes whom the page showed it confirmed as: `seen` beside a single face, and in a
list `face=<uuid>/<person>`. It is blank for nobody, and left out by whoever was shown nothing.
With each person goes the name that was shown: `person=<uuid>/<name>`, blank for a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from lookwho.library.models import Person


def uuid_of(text: str) -> UUID | None:
    """Return the uuid that a text is, if it is one."""
    try:
        return UUID(text)
    except ValueError:
        return None


def faces_told(values: list[str]) -> dict[UUID, str | None]:
    """Return the faces that a form names, each with whom the page showed it confirmed as.

    Values may hold several, with spaces between: a form has no more than a thousand fields.

    >>> told = faces_told(["00000000-0000-0000-0000-000000000001/", "nonsense"])
    >>> [(face.int, who) for face, who in told.items()]
    [(1, '')]
    """
    found: dict[UUID, str | None] = {}
    for value in " ".join(values).split():
        face, told, who = value.partition("/")
        if uuid := uuid_of(face):
            found[uuid] = who if told else None
    return found


def people_told(values: list[str]) -> dict[UUID, str | None]:
    """Return the people that a form names, each with the name that the page showed.

    >>> told = people_told(["00000000-0000-0000-0000-000000000001/Ann/Anna", "nonsense/Ben"])
    >>> [(person.int, name) for person, name in told.items()]
    [(1, 'Ann/Anna')]
    """
    parts = [value.partition("/") for value in values]
    return {uuid: name if told else None for text, told, name in parts if (uuid := uuid_of(text))}


def who_was_shown(told: Mapping[int, str | None]) -> dict[int, int | None]:
    """Return for each face the id of whom it was shown confirmed as, or None for nobody.

    Args:
        told: for the id of each face the uuid of that person, blank for nobody; None where
            nothing was told, which leaves the face out.
    """
    shown = {face: who for face, who in told.items() if who is not None}
    uuids = {uuid for who in shown.values() if (uuid := uuid_of(who))}
    people = dict(Person.objects.filter(uuid__in=uuids).values_list("uuid", "pk")) if uuids else {}
    # Somebody who is gone is nobody's person any more: 0, which no row has.
    return {
        face: people.get(uuid_of(who) or UUID(int=0), 0) if who else None
        for face, who in shown.items()
    }
