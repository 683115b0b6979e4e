"""Identity: which person is meant, and what they are called."""

from __future__ import annotations

import unicodedata

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Decision, Person
from lookwho.services.decisions import Act

NAME_LENGTH = 200


def root_of(person: Person) -> Person:
    """Return whom a person was merged into, or themselves, as they are now.

    Raises:
        NotFound: the person is gone, as groups go when their faces are found to be in others.
    """
    found = Person.objects.select_related("root").filter(pk=person.pk).first()
    if found is None:
        raise NotFound("this group is gone: its faces are in another one now")
    return found.root or found


def tree_of(root: Person) -> list[int]:
    """Return the ids of a person and of all who were merged into them."""
    merged = Person.objects.filter(root=root).order_by("pk")
    return [root.pk, *merged.values_list("pk", flat=True)]


def checked_name(name: str) -> str:
    """Return a name as it is kept.

    Raises:
        Invalid: it cannot be.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name:
        raise Invalid("a name is needed")
    if len(name) > NAME_LENGTH:
        raise Invalid(f"a name has at most {NAME_LENGTH} characters, not {len(name)}")
    # Not all of category C: joiners, which are among it, belong to names in many scripts.
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise Invalid("a name cannot hold control characters")
    return name


def find_named(name: str) -> Person | None:
    """Return who is called so, apart from capitals, which databases fold in ASCII alone."""
    people = Person.objects.filter(root=None, hidden=False).exclude(name="").order_by("pk")
    # Most names are typed, or chosen, as they are kept: those an index finds.
    if exactly := people.filter(name=name).first():
        return exactly
    wanted = folded(name)
    for pk, called in people.values_list("pk", "name"):
        if folded(called) == wanted:
            return Person.objects.get(pk=pk)
    return None


def folded(name: str) -> str:
    """Return what names that count as equal have in common."""
    return unicodedata.normalize("NFC", name.casefold())


def call(act: Act, person: Person, name: str) -> None:
    """Give a person a name, whoever else has it."""
    act.say(Decision.Verb.RENAME, person=person, text=name, before=person.name)
    person.name = name
    person.save(update_fields=["name"])


def called(person: Person) -> str:
    """Return what a person is called in a sentence."""
    return person.name or "this group"
