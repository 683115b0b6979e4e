"""Wording: what one act did, in a sentence that follows the name of who did it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lookwho.library.models import Decision, Person

Verb = Decision.Verb

# So many people are named in one sentence.
NAMED = 3


def words(rows: Sequence[Decision], faces: Mapping[int, int], *, of_all: int | None = None) -> str:
    """Return what an act did: "confirmed 12 faces of Ben".

    Args:
        rows: its decisions, in the order in which they were made.
        faces: for the id of each how many faces it is about.
        of_all: how many faces were confirmed, where the act is so long that these are not all.
    """
    by_verb: dict[str, list[Decision]] = {}
    for row in rows:
        by_verb.setdefault(row.verb, []).append(row)
    called = _Called(rows)
    if of_all is not None:
        first = dict.fromkeys(called(row.person) for row in by_verb.get(Verb.CONFIRM, ()))
        return f"confirmed {of_all:,} faces of {', '.join(list(first)[:2])} and many others"
    parts = [part for verb, tell in _TELL if (part := tell(by_verb, faces, called, verb))]
    return _listed(dict.fromkeys(parts))


class _Called:
    """What people are called in the words of one act: as it named them, or else as they are now."""

    def __init__(self, rows: Sequence[Decision]) -> None:
        self._given = {row.person_id: row.text for row in rows if row.verb == Verb.RENAME}

    def __call__(self, person: Person | None) -> str:
        if person is None:
            return "somebody who is gone"
        return self.named(person) or "a group without a name"

    def named(self, person: Person) -> str:
        return self._given.get(person.pk) or person.name

    def all(self, people: Iterable[Person | None]) -> str:
        names = list(dict.fromkeys(map(self, people)))
        if len(names) > NAMED:
            names[NAMED - 1 :] = [f"{len(names) - NAMED + 1} others"]
        return _listed(names)


_ByVerb = Mapping[str, Sequence[Decision]]


def _confirmed(said: _ByVerb, faces: Mapping[int, int], called: _Called, verb: str) -> str:
    rows = said.get(verb, ())
    if not rows or Verb.ABSENT in said:
        return ""
    whose = called.all(row.person for row in rows)
    if _parted(said):
        return ""  # told with the stretches
    if Verb.DRAW in said:
        return f"said that it is {whose}"
    if Verb.REJECT in said and Verb.MERGE not in said:
        were = called.all(_roots(said[Verb.REJECT]))
        if not any(row.person and called.named(row.person) for row in rows):
            return f"split {_few(rows, faces)} from {were}"
        return f"said that {_few(rows, faces)} {_are(rows, faces)} {whose}, not {were}"
    return f"confirmed {_few(rows, faces)} of {whose}"


def _rejected(said: _ByVerb, faces: Mapping[int, int], called: _Called, verb: str) -> str:
    rows = said.get(verb, ())
    if not rows or Verb.MERGE in said or Verb.CONFIRM in said:
        return ""  # what a merge leaves out is not what was meant
    few, are = _few(rows[:1], faces), _are(rows[:1], faces)
    return f"said that {few} {are} not {called.all(_roots(rows))}"


def _roots(rows: Iterable[Decision]) -> list[Person]:
    """Return who was meant: of somebody merged each part is named, but they are one."""
    return list(dict.fromkeys((row.person.root or row.person) for row in rows if row.person))


def _none(said: _ByVerb, faces: Mapping[int, int], called: _Called, verb: str) -> str:
    rows = said.get(verb, ())
    if not rows:
        return ""
    count = sum(faces[row.pk] for row in rows)
    return "said that 1 is no face" if count == 1 else f"said that {count:,} are no faces"


def _merged(said: _ByVerb, faces: Mapping[int, int], called: _Called, verb: str) -> str:
    rows = said.get(verb, ())
    if not rows or (
        Verb.CONFIRM in said and not any(row.person and row.person.name for row in rows)
    ):
        return ""  # a group that was given the name of somebody known
    pairs = [f"{called(row.person)} into {called(row.other)}" for row in rows]
    return f"merged {_listed(pairs[:NAMED])}"


def _renamed(said: _ByVerb, faces: Mapping[int, int], called: _Called, verb: str) -> str:
    rows = [row for row in said.get(verb, ()) if row.before or not _given_with(said, row)]
    if not rows:
        return ""
    return _listed(
        f"renamed {row.before} to {row.text}" if row.before else f"named a group {row.text}"
        for row in rows[:NAMED]
    )


def _given_with(said: _ByVerb, row: Decision) -> bool:
    """Return whether the sentence names this person anyway, by their faces."""
    told = (*said.get(Verb.CONFIRM, ()), *said.get(Verb.ABSENT, ()))
    return any(other.person_id == row.person_id for other in told)


def _hidden(said: _ByVerb, faces: Mapping[int, int], called: _Called, verb: str) -> str:
    rows = said.get(verb, ())
    return _listed(
        f"hid {called(row.person)}" if row.text == "1" else f"showed {called(row.person)} again"
        for row in rows[:NAMED]
    )


def _cover(said: _ByVerb, faces: Mapping[int, int], called: _Called, verb: str) -> str:
    rows = said.get(verb, ())
    return f"chose a picture of {called.all(row.person for row in rows)}" if rows else ""


def _drawn(said: _ByVerb, faces: Mapping[int, int], called: _Called, verb: str) -> str:
    if parted := _parted(said):
        return _moved(said, parted, faces, called)
    rows = said.get(verb, ())
    return ("drew a face" if len(rows) == 1 else f"drew {len(rows):,} faces") if rows else ""


def _parted(said: _ByVerb) -> list[Decision]:
    """Return the decisions that gave stretches of a video to another face: they tell from where."""
    return [row for row in said.get(Verb.DRAW, ()) if row.text]


def _moved(
    said: _ByVerb, parted: Sequence[Decision], faces: Mapping[int, int], called: _Called
) -> str:
    count = sum(faces[row.pk] for row in parted)
    few = "1 stretch" if count == 1 else f"{count:,} stretches"
    if Verb.CONFIRM not in said:
        return f"moved {few} of a video to another face"
    people = [row.person for row in said[Verb.CONFIRM]]
    named = any(person and called.named(person) for person in people)
    whose = called.all(people) if named else "somebody else"
    return f"said that {few} of a video {'is' if count == 1 else 'are'} {whose}"


def _framed(said: _ByVerb, faces: Mapping[int, int], called: _Called, verb: str) -> str:
    rows = said.get(verb, ())
    if not rows or Verb.DRAW in said:
        return ""
    return (
        "fixed the box of a face" if len(rows) == 1 else f"fixed the boxes of {len(rows):,} faces"
    )


def _absent(said: _ByVerb, faces: Mapping[int, int], called: _Called, verb: str) -> str:
    rows = said.get(verb, ())
    if not rows:
        return ""
    where = "a photo" if len(rows) == 1 else f"{len(rows):,} photos"
    return f"said that {called.all(row.person for row in rows)} is in {where}, not visible"


_TELL = (
    (Verb.DRAW, _drawn),
    (Verb.ABSENT, _absent),
    (Verb.REJECT, _rejected),
    (Verb.CONFIRM, _confirmed),
    (Verb.NOT_A_FACE, _none),
    (Verb.MERGE, _merged),
    (Verb.RENAME, _renamed),
    (Verb.HIDE, _hidden),
    (Verb.COVER, _cover),
    (Verb.BOX, _framed),
)


def _few(rows: Sequence[Decision], faces: Mapping[int, int]) -> str:
    count = sum(faces[row.pk] for row in rows)
    return "1 face" if count == 1 else f"{count:,} faces"


def _are(rows: Sequence[Decision], faces: Mapping[int, int]) -> str:
    return "is" if sum(faces[row.pk] for row in rows) == 1 else "are"


def _listed(parts: Iterable[str]) -> str:
    *others, last = list(parts) or [""]
    return f"{', '.join(others)} and {last}" if others else last
