"""The agenda: what somebody is to be asked, in order, as the database tells it."""

from __future__ import annotations

from datetime import datetime, timedelta

from lookwho.library.models import Person, User
from lookwho.library.queries import fits
from lookwho.library.queries import review as queries
from lookwho.library.queries.review import Likely
from lookwho.library.scope import Scope
from lookwho.services.claims import Key
from lookwho.services.questions import Doubt, GroupStanding, Kind, Question, order

# What was skipped is asked again after so long, or as soon as nothing else is left.
COMES_BACK = timedelta(hours=1)
# No question about a single face is worth more (`questions.order`): where a group is worth as much,
# nothing has to be known of single faces.
MOST_OF_A_FACE = 1.0
# Faces that resemble nobody, and are worse than this, can seldom be named: they come at the end.
LEAST_QUALITY = 0.25
# So many that resemble nobody are taken to have been named before any was asked about.
AT_FIRST = 10


class Agenda:
    """All that can be asked, in order; what was passed on lately at the end, the oldest first."""

    def __init__(self, by: User, scope: Scope, about: Person | None, now: datetime) -> None:
        self._passed = queries.passed_on(by, since=now - COMES_BACK)
        later = [pk for what, pk in self._passed if what == "person"]
        self._open = queries.Open(scope, by, about=about, later=later)
        self._belongs: dict[int, int] = {}

    def first(self) -> list[Question]:
        """Return the groups that come before all single faces, whatever those are."""
        return [
            question
            for question in order(self._groups(), ())
            if question.gain >= MOST_OF_A_FACE and not self._later(question)
        ]

    def all(self) -> list[Question]:
        """Return all that can be asked."""
        threshold = fits.threshold()
        standings = self._groups()
        doubts: list[Doubt] = []
        faint: list[Doubt] = []
        of: dict[int, list[float]] = {}
        for each in self._open.faces:
            guessed = each.person if each.guessed else None
            shown = each.guessed and each.probability >= threshold
            doubt = Doubt(each.face, each.person, each.probability, each.quality, shown)
            weak = each.quality < LEAST_QUALITY and each.person is None
            (faint if weak else doubts).append(doubt)
            if guessed is not None:
                self._belongs[each.face] = guessed
                of.setdefault(guessed, []).append(1 - each.probability)
        standings += [GroupStanding(who, True, len(some), sum(some)) for who, some in of.items()]
        nameable = _share(*queries.named_of_strays())
        questions = order(standings, doubts, nameable=nameable) + order((), faint)
        return sorted(questions, key=self._later)

    def belongs(self, question: Question) -> int | None:
        """Return of a face that is asked about the root of whom it is guessed to be."""
        return self._belongs.get(question.face) if question.face else None

    def likely(self, question: Question) -> Likely | None:
        """Return who the face or the group that is asked about may be."""
        if question.face:
            return self._open.may_be(face=question.face)
        return self._open.may_be(group=question.person)

    def _groups(self) -> list[GroupStanding]:
        self._belongs |= {each.face: each.person for each in self._open.groups if each.face}
        return [
            GroupStanding(each.person, False, each.faces, each.doubt, each.face, each.candidate)
            for each in self._open.groups
        ]

    def _later(self, question: Question) -> int:
        """Return how late a question comes again: 0 if it was not passed on."""
        told = [self._passed.get(_told(key_of(question)), 0)]
        if group := self.belongs(question):
            told.append(self._passed.get(("person", group), 0))
        return max(told)


def _share(asked: int, named: int) -> float:
    """Return the share of faces that somebody can name; all of them, as long as none was asked."""
    return (named + AT_FIRST) / (asked + AT_FIRST)


def key_of(question: Question) -> Key:
    """Return what is claimed for a question."""
    if question.kind == Kind.FACE:
        return Key(face=question.face or 0)
    return Key(person=question.person or 0)


def _told(key: Key) -> tuple[str, int]:
    return ("face", key.face) if key.face else ("person", key.person)
