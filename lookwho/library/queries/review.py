"""Review: what is open, as few sums from which the order of questions follows; and how far it is.

However large the library, each function asks a fixed number of queries. All faces are only counted,
from an index alone; of single faces no more than some thousand are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Exists, F, FloatField, OuterRef, Q, QuerySet, Sum, Window
from django.db.models.functions import Coalesce, RowNumber

from lookwho.library.models import Answer, Audit, Decision, Face, Person, User
from lookwho.library.queries import passes
from lookwho.library.queries.people import SURE
from lookwho.library.scope import Scope
from lookwho.library.vectors.listing import listed

# The largest groups, the most doubtful guesses and the best faces that nobody resembles: of more
# nothing is known until these are answered.
GROUPS, DOUBTS, STRAYS = 100, 1000, 300
# Those best faces are chosen from so many, who resemble others the least.
LOOKED_AT = 5000
# The pass guesses nobody to be somebody who is less likely than this, by far.
LEAST_GUESS = 0.2
# So many answers make up what a page says of the last ones.
LAST = 20
# So many tell how often faces that resemble nobody can be named.
TRIED = 60

Verdict = Answer.Verdict
Asked = Answer.Question
# Whoever said so is not asked again, and after two nobody is.
_GIVEN_UP = (Verdict.CANNOT_TELL, Verdict.STRANGER)
_ENOUGH = 2


class Likely(NamedTuple):
    """The id of a root person with a name, and how probable it is that it is them."""

    person: int
    probability: float


@dataclass(frozen=True, slots=True)
class Group:
    """A root person without a name, and what is guessed to be them.

    Attributes:
        person: their id.
        faces: how many faces that is.
        doubt: the sum of 1 - probability over them: so many do not belong, most likely.
        face: the id of the best one; None where somebody was asked about one, and could not tell.
        candidate: the id of the root person with a name that all of them may be, or None.
    """

    person: int
    faces: int
    doubt: float
    face: int | None
    candidate: int | None


@dataclass(frozen=True, slots=True)
class OpenFace:
    """A face that nobody confirmed, and that is in no group without a name.

    Attributes:
        face: its id.
        person: the root of whom it is guessed to be, or may be; None where it resembles nobody.
        guessed: whether it is guessed to be them.
        probability: that it is them.
        quality: of the face.
    """

    face: int
    person: int | None
    guessed: bool
    probability: float
    quality: float


class Open:
    """What a user may be asked: read as it is asked for, since most often the groups are enough."""

    def __init__(
        self,
        scope: Scope,
        by: User,
        *,
        about: Person | None = None,
        later: Collection[int] = (),
    ) -> None:
        """Read who is known.

        Args:
            scope: in which photos.
            by: who is asked; what they gave up, or two others did, is left out.
            about: only the guesses that are this root person.
            later: ids of groups that all others come before.
        """
        self._scope = scope
        self._about = about
        self._later = frozenset(later)
        self._given_up = _given_up(by)
        self._likely = passes.likely()
        # Of groups, who are most, there is nothing to know.
        known = Person.objects.exclude(root=None, name="", hidden=False)
        rows = list(known.values_list("pk", "root", "name", "hidden"))
        self._roots = {pk: root for pk, root, _, _ in rows if root is not None}
        self._no_groups = {pk for pk, _, name, hidden in rows if name or hidden}
        hidden = {pk for pk, _, _, hidden in rows if hidden}
        self._names = {pk for pk, root, name, _ in rows if name and not root} - hidden

    @cached_property
    def groups(self) -> list[Group]:
        """The largest groups without a name."""
        if self._about is not None or not self._scope.names:
            return []
        left_out, untold = set(self._no_groups), set[int]()
        for person, face in self._given_up.exclude(person=None).values_list("person", "face"):
            (left_out if face is None else untold).add(person)
        faces: Counter[int] = Counter()
        guesses: dict[int, list[int]] = {}
        theirs = self._scope.all_faces().filter(person=None, guess__isnull=False)
        for guess, count in _counted(theirs):
            root = self._root(guess)
            faces[root] += count
            guesses.setdefault(root, []).append(guess)
        for guess, count in _counted(theirs.filter(pk__in=_audited())):
            faces[self._root(guess)] -= count
        there = [who for who, count in faces.items() if count > 0 and who not in left_out]
        there.sort(key=lambda who: (who in self._later, -faces[who], who))
        found = there[:GROUPS]
        doubt, best = self._looked_at([guess for who in found for guess in guesses[who]])
        return [
            Group(
                who,
                faces[who],
                doubt.get(who, 0.0),
                None if who in untold else best.get(who),
                likely.person if (likely := self.may_be(group=who)) else None,
            )
            for who in found
        ]

    @cached_property
    def faces(self) -> list[OpenFace]:
        """The most doubtful guesses, and the best faces that nobody resembles, at the end."""
        if not self._scope.names:
            return []
        given_up = self._given_up.filter(face__isnull=False).values("face")
        singles = open_faces(self._scope).exclude(pk__in=given_up)
        doubts = self._doubts(singles)
        return doubts if self._about is not None else doubts + self._strays(singles)

    def _doubts(self, singles: QuerySet[Face]) -> list[OpenFace]:
        about = self._about and self._about.pk
        names = self._names if about is None else self._names & {about}
        family = [*names, *(who for who, root in self._roots.items() if root in names)]
        # As an expression: or the database reads all guesses of all of them, and then sorts.
        doubts = singles.alias(whom=Coalesce("guess_id", 0)).filter(
            whom__in=listed(family), probability__gte=LEAST_GUESS, probability__lt=SURE
        )
        fields = ("pk", "guess_id", "probability", "quality")
        return [
            OpenFace(face, self._root(guess), True, probability, quality)
            for face, guess, probability, quality in doubts.order_by("probability").values_list(
                *fields
            )[:DOUBTS]
        ]

    def _strays(self, singles: QuerySet[Face]) -> list[OpenFace]:
        # From the index, and sorted here: a hundred thousand rows are then never read.
        strays = singles.alias(whom=Coalesce("guess_id", 0)).filter(whom=0)
        strays = strays.order_by("probability", "pk")
        rows = list(strays.values_list("pk", "quality", "probability")[:LOOKED_AT])
        rows.sort(key=lambda row: (-row[1] * (1 - (row[2] or 0.0)), row[0]))
        found: list[OpenFace] = []
        for face, quality, _ in rows[:STRAYS]:
            person, chance = self.may_be(face=face) or (None, 0.0)
            found.append(OpenFace(face, person, False, chance, quality))
        return found

    def _looked_at(self, guesses: list[int]) -> tuple[dict[int, float], dict[int, int]]:
        """Return of each root of these people the doubt, and the best face."""
        ranked = (
            open_faces(self._scope)
            .filter(guess__in=listed(guesses))
            .annotate(
                doubt=Window(
                    Sum(1 - Coalesce("probability", 1.0), output_field=FloatField()),
                    partition_by="guess_id",
                ),
                place=Window(
                    RowNumber(),
                    partition_by="guess_id",
                    order_by=[F("quality").desc(), F("pk").asc()],
                ),
            )
        )
        doubt: dict[int, float] = {}
        best: dict[int, tuple[float, int]] = {}
        fields = ("guess_id", "pk", "quality", "doubt")
        for guess, face, quality, sum_ in ranked.filter(place=1).values_list(*fields):
            root = self._root(guess)
            doubt[root] = doubt.get(root, 0.0) + sum_
            best[root] = max(best.get(root, (-1.0, 0)), (quality, face))
        return doubt, {root: face for root, (_, face) in best.items()}

    def may_be(self, *, group: int | None = None, face: int | None = None) -> Likely | None:
        """Return who a group, or else a face, is most likely, if that is somebody known."""
        told = self._likely
        found = told.faces.get(face or 0) if group is None else told.groups.get(group)
        person = found and self._known(found[0])
        return Likely(person, found[1]) if found and person else None

    def _root(self, person: int) -> int:
        return self._roots.get(person, person)

    def _known(self, person: int) -> int | None:
        """Return the root of somebody, if they have a name: it may be gone since the last pass."""
        root = self._root(person)
        return root if root in self._names else None


@dataclass(frozen=True, slots=True)
class Counts:
    """How far naming is.

    Attributes:
        faces: all there are.
        confirmed: those that humans gave to somebody with a name.
        guessed: those that Lookwho thinks are somebody with a name.
        answers: of this user's last ones, how many there are, up to `LAST`.
        settled: how many faces those resolved.
    """

    faces: int
    confirmed: int
    guessed: int
    answers: int
    settled: int

    @property
    def named(self) -> int:
        """How many have a name, confirmed or guessed."""
        return self.confirmed + self.guessed

    @property
    def named_thousandths(self) -> int:
        """How many of a thousand have a name; a thousand only when all have."""
        return 1000 * self.named // max(self.faces, 1)

    @property
    def confirmed_thousandths(self) -> int:
        """How many of a thousand are confirmed."""
        return 1000 * self.confirmed // max(self.faces, 1)


def open_faces(scope: Scope) -> QuerySet[Face]:
    """Return the faces of a scope that nobody confirmed, without those of the audit.

    The audit asks about its faces by itself, and without a guess.
    """
    if not scope.names:
        return Face.objects.none()
    found = scope.all_faces().filter(person=None).exclude(source=Face.Source.ABSENT)
    return found.exclude(pk__in=_audited())


def passed_on(by: User, *, since: datetime) -> dict[tuple[str, int], int]:
    """Return what a user passed on lately, each with the id of the answer: the higher the later.

    That is what they skipped, and faces that they said are not whom they were taken for: who they
    are instead is asked later. And groups of which anybody named one face since the last pass
    began: the next one may tell who the others are. Told by "face" or "person" and the id.
    """
    pass_began = passes.began()
    named = Q(verdict__in=(Verdict.YES, Verdict.NAME), question=Asked.FACE, person__name="")
    if pass_began is not None:
        named &= Q(created_at__gte=pass_began)
    passed = Answer.objects.filter(created_at__gte=since).exclude(question=Asked.AUDIT)
    skipped = Q(user=by) & (
        Q(verdict=Verdict.SKIP)
        | Q(verdict=Verdict.NO, question=Asked.FACE)
        | Q(verdict__in=_GIVEN_UP, question=Asked.MIXED)
    )
    fields = ("pk", "question", "verdict", "face", "person")
    found: dict[tuple[str, int], int] = {}
    for pk, asked, verdict, face, person in (
        passed.filter(named | skipped).order_by("pk").values_list(*fields)
    ):
        if asked == Asked.FACE and verdict in (Verdict.YES, Verdict.NAME):
            found["person", person] = pk
        elif face is not None:
            found["face", face] = pk
        elif person is not None:
            found["person", person] = pk
    return found


def named_of_strays() -> tuple[int, int]:
    """Return of how many faces that resembled nobody was last asked, and how many had a name."""
    asked = Answer.objects.filter(question=Asked.FACE, person=None, probability=None)
    asked = asked.filter(verdict__in=(Verdict.NAME, *_GIVEN_UP)).order_by("-pk")
    verdicts = list(asked.values_list("verdict", flat=True)[:TRIED])
    return len(verdicts), verdicts.count(Verdict.NAME)


def counts(scope: Scope, by: User) -> Counts:
    """Return how far naming is, and what this user's last answers were worth."""
    if not scope.names:
        return Counts(0, 0, 0, 0, 0)
    named = Person.objects.exclude(name="", root=None).exclude(Q(name="") & Q(root__name=""))
    theirs = named.values("pk")
    sums = scope.all_faces().aggregate(
        faces=Count("pk"),
        confirmed=Count("pk", filter=Q(person__in=theirs)),
        guessed=Count("pk", filter=Q(person=None, guess__in=theirs)),
    )
    answers = Answer.objects.filter(user=by).exclude(verdict=Verdict.SKIP).order_by("-pk")
    rows = list(answers.values_list("batch", "settled")[:LAST])
    undone = taken_back(batch for batch, _ in rows if batch)
    settled = sum(count for batch, count in rows if batch not in undone)
    return Counts(sums["faces"], sums["confirmed"], sums["guessed"], len(rows), settled)


def taken_back(batches: Iterable[UUID]) -> set[UUID]:
    """Return those of the acts that somebody took back."""
    revoked = Decision.objects.filter(batch__in=list(batches), revoked_by__isnull=False)
    return set(revoked.values_list("batch", flat=True))


def _given_up(by: User) -> QuerySet[Answer]:
    """Return answers by which this user, or two others, gave a face or a group up.

    Of one user's answers about a face the newest counts.
    """
    newer = Answer.objects.filter(
        Q(face=OuterRef("face")) | Q(face=None, person=OuterRef("person")),
        user=OuterRef("user"),
        question=OuterRef("question"),
        pk__gt=OuterRef("pk"),
    )
    standing = Answer.objects.filter(verdict__in=_GIVEN_UP).exclude(Exists(newer))
    faces = standing.exclude(face=None).values("face").annotate(who=Count("user", distinct=True))
    groups = standing.filter(face=None).values("person").annotate(who=Count("user", distinct=True))
    return standing.filter(
        Q(user=by)
        | Q(face__in=faces.filter(who__gte=_ENOUGH).values("face"))
        | Q(face=None, person__in=groups.filter(who__gte=_ENOUGH).values("person"))
    )


def _audited() -> QuerySet[Face]:
    return Face.objects.filter(pk__in=Audit.objects.exclude(face=None).values("face"))


def _counted(faces: QuerySet[Face]) -> list[tuple[int, int]]:
    return list(faces.order_by().values_list("guess_id").annotate(count=Count("pk")))
