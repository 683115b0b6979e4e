"""Somebody who names a library, simulated: Review's questions, put to whoever knows the labels.

The library is arrays instead of tables; all else is what a site runs. The pass of
`services.guesses` says who each face is thought to be, `services.questions` what to ask next, and
an answer changes what it changes there.

An answer is one act: a name, a yes or a no, and each face that is tapped in a group because it does
not belong there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bench.people import People
from lookwho.core.types import DoubleArray, IntArray
from lookwho.services.guesses import NOBODY, Evidence, guess
from lookwho.services.questions import Doubt, GroupStanding, Kind, Question, order

NOBODY_KNOWN = -1  # no owner
# So many faces of a group can be looked at; the others are named with them.
SHOWN = 24


@dataclass(frozen=True, slots=True)
class Habits:
    """How somebody answers.

    Attributes:
        slips: the part of their acts that go wrong: another's name, a face not tapped.
        blurred: they cannot tell whose a single face is that is worse than this.
        rounds: after so many answers a pass follows. A site makes one about every ten seconds.
        seed: of the slips.
    """

    slips: float = 0.0
    blurred: float = 0.0
    rounds: int = 3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What an answer left.

    Attributes:
        kind: of the question; None for the pass before the first.
        answers: (people,) acts so far, by whose face or name they were about.
        named: (people,) bool, whether anything bears their name.
        right: (people,) faces that bear the right name, by confirmation or by guess.
        wrong: (people,) faces that bear the name of another, by whose they are.
        company: (n,) whom each face is taken for, with or without a name; 0 for nobody.
    """

    kind: Kind | None
    answers: IntArray
    named: IntArray
    right: IntArray
    wrong: IntArray
    company: IntArray


@dataclass(slots=True)
class Library:
    """A library that is being named.

    Attributes:
        faces: with their labels; each is in a photo of its own.
        confirmed, guesses: (n,) ids of people, or NOBODY.
        probabilities: (n,) that a guess is right.
        owner_of: by the id of each person with a name, whose name that is.
        person_of: the reverse.
        unnamed: ids of people without a name.
        roots: who became whom.
        rejected: pairs of a face and a person it is not.
    """

    faces: People
    confirmed: IntArray = field(init=False)
    guesses: IntArray = field(init=False)
    probabilities: DoubleArray = field(init=False)
    owner_of: dict[int, int] = field(default_factory=dict[int, int])
    person_of: dict[int, int] = field(default_factory=dict[int, int])
    unnamed: set[int] = field(default_factory=set[int])
    roots: dict[int, int] = field(default_factory=dict[int, int])
    rejected: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    _seen: IntArray = field(init=False)
    _next: int = 1

    def __post_init__(self) -> None:
        count = len(self.faces.owners)
        self.confirmed = np.full(count, NOBODY, np.int64)
        self.guesses = np.full(count, NOBODY, np.int64)
        self.probabilities = np.full(count, np.nan)
        self._seen = np.zeros(count, np.int64)

    def go_through(self) -> None:
        """Make a pass."""
        found = guess(
            Evidence(
                embeddings=self.faces.embeddings,
                media=np.arange(len(self.guesses)),
                quality=self.faces.quality,
                confirmed=self.confirmed.copy(),
                guesses=self.guesses.copy(),
                roots=dict(self.roots),
                unnamed=frozenset(self.unnamed),
                rejected=frozenset(self.rejected),
                taken=frozenset(),
                seen=self._seen.astype(np.bool_),
            )
        )
        self._seen[:] = 1
        fresh = self._next + np.arange(found.fresh)
        self._next += found.fresh
        self.guesses = found.people.copy()
        new = self.guesses < 0
        self.guesses[new] = fresh[-self.guesses[new] - 1]
        self.guesses[self.confirmed != NOBODY] = NOBODY
        self.probabilities = found.probabilities.copy()
        self.unnamed = (self.unnamed | set(fresh.tolist())) & set(self.guesses.tolist())

    def root(self, person: int) -> int:
        """Return whom somebody was merged into, or else themselves."""
        return self.roots.get(person, person)

    def taken_for(self) -> IntArray:
        """Return (n,) whom each face is taken for, by confirmation or guess; or NOBODY."""
        people = np.where(self.confirmed != NOBODY, self.confirmed, self.guesses)
        known, places = np.unique(people, return_inverse=True)
        return np.array([self.root(person) for person in known.tolist()], np.int64)[places]

    def names(self) -> IntArray:
        """Return (n,) whose name each face bears, as an owner, or NOBODY_KNOWN."""
        known, places = np.unique(self.taken_for(), return_inverse=True)
        owners = [self.owner_of.get(person, NOBODY_KNOWN) for person in known.tolist()]
        return np.array(owners, np.int64)[places]

    def confirm(self, faces: IntArray, owner: int, group: int | None = None) -> int:
        """Give faces a name; the rest of their group, if it is given, becomes that person."""
        person = self.person_of.get(owner)
        if person is None:
            person = self._next if group is None else group
            self._next += group is None
            self.person_of[owner], self.owner_of[person] = person, owner
        elif group is not None:
            self.roots[group] = person
        if group is not None:
            self.unnamed.discard(group)
        self.confirmed[faces] = person
        self._seen[faces] = 0
        return person

    def reject(self, faces: IntArray, person: int) -> None:
        """Say that faces are not somebody."""
        self.rejected |= {(face, person) for face in faces.tolist()}
        self.guesses[faces] = NOBODY
        self._seen[faces] = 0

    def questions(self, passed: IntArray) -> list[Question]:
        """Return what may be asked, the best first.

        Args:
            passed: (n,) bool, faces of which somebody could not tell who they are.
        """
        quality = self.faces.quality
        open_ = np.flatnonzero(self.confirmed == NOBODY)
        # Of each group the best face first that somebody may be able to tell.
        open_ = open_[np.lexsort((open_, -quality[open_], passed[open_]))]
        people = self.taken_for()[open_]
        doubt = 1 - np.nan_to_num(self.probabilities[open_], nan=1.0)
        ids, first, places, counts = np.unique(
            people, return_index=True, return_inverse=True, return_counts=True
        )
        doubts = np.bincount(places, doubt, len(ids))
        groups = [
            GroupStanding(
                person, person in self.owner_of, faces, doubted, None if passed[face] else face
            )
            for person, faces, doubted, face in zip(
                ids.tolist(), counts.tolist(), doubts.tolist(), open_[first].tolist(), strict=True
            )
            if person != NOBODY
        ]
        single = [
            Doubt(face, person or None, chance, quality, person != NOBODY)
            for face, person, chance, quality in zip(
                open_.tolist(),
                people.tolist(),
                np.nan_to_num(self.probabilities[open_]).tolist(),
                quality[open_].tolist(),
                strict=True,
            )
            if not passed[face] and (person == NOBODY or person in self.owner_of)
        ]
        return order(groups, single)


class Annotator:
    """Answers what the library asks, one question after the other."""

    def __init__(self, faces: People, habits: Habits) -> None:
        self.library = Library(faces)
        self.habits = habits
        self._owners = faces.owners
        self._people = len(faces.names)
        self._answers = np.zeros(self._people, np.int64)
        self._passed = np.zeros(len(faces.owners), np.int64)
        self._generator = np.random.default_rng(habits.seed)

    def answer_all(self) -> Iterator[Step]:
        """Yield what each answer leaves, until nothing is left to be asked."""
        self.library.go_through()
        yield self._step(None)
        rest = 0
        while True:
            questions = self.library.questions(self._passed)
            if not questions and not rest:
                return
            before = int(self._answers.sum())
            if questions:
                self._answer(questions[0])
            rest += int(self._answers.sum()) - before
            if rest >= self.habits.rounds or not questions:
                self.library.go_through()
                rest = 0
            if questions:
                yield self._step(questions[0].kind)

    def _answer(self, question: Question) -> None:
        if question.kind is Kind.FACE:
            assert question.face is not None
            self._answer_face(question.face)
            return
        assert question.person is not None
        library = self.library
        asked = np.flatnonzero(
            (library.confirmed == NOBODY) & (library.taken_for() == question.person)
        )
        doubtful = np.argsort(library.probabilities[asked], kind="stable")
        looked_at = asked[doubtful[:SHOWN]]
        if question.kind is Kind.MIXED:
            owner = library.owner_of[question.person]
            self._answer_many(looked_at, looked_at, owner, owner, None)
        else:
            owner = int(np.bincount(self._owners[looked_at]).argmax())
            self._answer_many(asked, looked_at, owner, self._told(owner), question.person)

    def _answer_many(
        self, asked: IntArray, looked_at: IntArray, owner: int, told: int, group: int | None
    ) -> None:
        """Name faces, except those that are seen not to belong: each of them is tapped."""
        odd = looked_at[self._owners[looked_at] != owner]
        odd = odd[self._generator.random(len(odd)) >= self.habits.slips]
        self._answers[owner] += 1
        np.add.at(self._answers, self._owners[odd], 1)
        person = self.library.confirm(np.setdiff1d(asked, odd), told, group)
        self.library.reject(odd, person)

    def _answer_face(self, face: int) -> None:
        owner = int(self._owners[face])
        self._answers[owner] += 1
        if self.library.faces.quality[face] < self.habits.blurred:
            self._passed[face] = 1
        else:
            self.library.confirm(np.array([face]), self._told(owner))

    def _told(self, owner: int) -> int:
        """Return whose name is given: another's, at times."""
        if self._generator.random() >= self.habits.slips:
            return owner
        return int(self._generator.choice(self._owners))

    def _step(self, kind: Kind | None) -> Step:
        names = self.library.names()
        right = names == self._owners
        wrong = (names != NOBODY_KNOWN) & ~right
        named = np.zeros(self._people, np.int64)
        named[list(self.library.person_of)] = 1
        return Step(
            kind,
            self._answers.copy(),
            named,
            np.bincount(self._owners[right], minlength=self._people),
            np.bincount(self._owners[wrong], minlength=self._people),
            self.library.taken_for(),
        )
