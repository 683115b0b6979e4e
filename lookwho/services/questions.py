"""The order of questions: first those that put the most faces right for each answer.

Pure: what the database says in a few sums goes in, questions come out. A face is right when the
name that it bears is the one it should have. An answer is one act: a name typed, a yes or a no, or
one face tapped because it does not belong. So a group of twenty without a name is worth twenty, a
guess at 0.7 is worth 0.3, and a person with ten guesses at 0.9 is worth one, at the price of a tap
for it. Whole groups then come first, the uncertain next, and at last people of whom a few guesses
may be wrong.

`python -m bench people --faces DIR` counts the answers that this order takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

# Of a group in doubt one face is asked about first: nobody has to tap those that do not belong, and
# of those that do the next pass finds 93 of 100 on identities/. A little less is counted here, for
# the few others that it takes for that person.
FOUND_AFTERWARDS = 0.85
# Somebody whom a face may be is often found in it without an answer, once more of their faces are
# confirmed; so such a face can wait.
FOUND_IN_TIME = 0.7
# A face that resembles nobody may be a passer-by whom nobody can name, the more so the worse it is.
LEAST_NAMEABLE = 0.2


class Kind(StrEnum):
    """What is asked; the values are those of `Answer.Question`."""

    GROUP = "group"  # who are these? or, where somebody is likely: are these Anna?
    FACE = "face"  # is this Anna? or, where nobody is likely: who is this?
    MIXED = "mixed"  # who of these is not Anna?


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """One person as they stand, with a name or without one.

    Attributes:
        person: the id of the root person.
        named: whether they have a name.
        faces: how many faces nobody confirmed are guessed to be theirs.
        doubt: the sum of 1 - probability over those faces: how many do not belong, as is expected.
        face: the id of one of those faces, to be asked about in a doubtful group.
        candidate: of a group without a name, the id of the named person it may be, or None.
    """

    person: int
    named: bool
    faces: int
    doubt: float = 0.0
    face: int | None = None
    candidate: int | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """One face that nobody confirmed, and that is in no group without a name.

    Attributes:
        face: its id.
        person: the id of the named person that it is guessed to be, or None.
        probability: that it is them; 0 where there is nobody.
        quality: of the face, 0 to 1.
        shown: whether the guess is shown as its name. A wrong name is then put right; else one that
            is missing is given.
    """

    face: int
    person: int | None
    probability: float
    quality: float
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        kind: what is asked.
        person: GROUP: the group; FACE: whom the face may be, None for nobody; MIXED: the person.
        face: FACE: the face; else None.
        candidate: GROUP: whom the group may be, None for nobody; else None.
        gain: how many faces each answer to it is expected to put right.
    """

    kind: Kind
    person: int | None
    face: int | None
    candidate: int | None
    gain: float


def order(
    groups: Iterable[GroupStanding],
    doubts: Iterable[Doubt],
    *,
    nameable: float = 1.0,
    limit: int | None = None,
) -> list[Question]:
    """Return what to ask, the best first; the same standings always give the same order.

    Args:
        groups: everybody of whom faces are not confirmed.
        doubts: faces that are not confirmed and in no group without a name.
        nameable: of the faces asked about that resemble nobody, the share that somebody could
            name. Where it is low, those that resemble somebody come before them.
        limit: how many questions are wanted; None for all.
    """
    found = [question for group in groups if (question := _of_group(group))]
    found += [_of_face(doubt, nameable) for doubt in doubts]
    found.sort(key=lambda one: (-one.gain, one.kind, one.person or 0, one.face or 0))
    return found[:limit]


def _of_group(group: GroupStanding) -> Question | None:
    if group.named:
        return _of_mixed(group)
    if not group.faces:
        return None
    # Whoever has the most faces is who the group is; so one face of it always belongs.
    odd = group.doubt * (group.faces - 1) / group.faces
    whole = (group.faces - odd) / (1 + odd)
    first = 1 + FOUND_AFTERWARDS * (group.faces - 1 - odd)
    if group.face is not None and first > whole:
        return Question(Kind.FACE, None, group.face, None, first)
    return Question(Kind.GROUP, group.person, None, group.candidate, whole)


def _of_mixed(group: GroupStanding) -> Question | None:
    # A single doubt is asked as such.
    if group.faces < 2 or group.doubt <= 0:
        return None
    return Question(Kind.MIXED, group.person, None, None, group.doubt / (1 + group.doubt))


def _of_face(doubt: Doubt, nameable: float) -> Question:
    likely = doubt.probability
    if doubt.shown and doubt.person is not None:
        gain = 1 - likely
    else:
        new = nameable * max(doubt.quality, LEAST_NAMEABLE)
        gain = likely * (1 - FOUND_IN_TIME) + (1 - likely) * new
    return Question(Kind.FACE, doubt.person, doubt.face, None, gain)
