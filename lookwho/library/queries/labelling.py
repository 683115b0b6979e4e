"""Labelling: the projects somebody may see, how far they are, and how well the labels agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from uuid import UUID

import numpy as np
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from lookwho.core import agreement
from lookwho.core.agreement import MISSING, Pairs
from lookwho.core.errors import NotFound
from lookwho.core.types import IntArray
from lookwho.library.models import Label, Media, Project, Release, Task, Team, User
from lookwho.library.models.accounts import Role

Verdict = Label.Verdict
State = Task.State

# Ids in one statement: SQLite takes up to 32,766 parameters.
CHUNK = 1000
# A row of a label: task, annotator, verdict, root person, seconds, whether gold, what gold is.
_FIELDS = (
    "task_id",
    "user_id",
    "verdict",
    "person_id",
    "person__root",
    "seconds",
    "task__gold",
    "task__verdict",
    "task__gold_person",
    "task__gold_person__root",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a project is; gold faces are no work, and are not counted.

    Attributes:
        faces: to be labelled.
        settled: of those, how many need nothing more.
        disputed: how many wait for somebody to decide.
        labels: how many were given.
        gold: how many gold faces there are beside them.
    """

    faces: int
    settled: int
    disputed: int
    labels: int
    gold: int

    @property
    def done(self) -> int:
        """Faces that have all their labels."""
        return self.settled + self.disputed


@dataclass(frozen=True, slots=True)
class Annotator:
    """How one annotator does.

    Attributes:
        user: who; None for all whose account is gone.
        labels: how many they gave, without those on gold faces.
        cannot_tell: of all they gave, how many times they could not tell.
        given: how many they gave in all.
        gold: how many gold faces they labelled.
        right: of those, how many as is known.
        compared: on how many faces another label can be compared with theirs.
        alike: of those comparisons, the share that is alike; None without any. "Cannot tell" is
            no opinion, and not compared.
        seconds: the median time of an answer; None where it was not taken.
    """

    user: User | None
    labels: int
    cannot_tell: int
    given: int
    gold: int
    right: int
    compared: int
    alike: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well the annotators of a project agree.

    Attributes:
        alpha: Krippendorff's; None where there is nothing to compare.
        interval: between what it lies, at 95 %.
        faces: with two labels or more.
        pairs: whether two faces are the same person, whatever they are called.
    """

    alpha: float | None
    interval: tuple[float, float] | None
    faces: int
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class Labelled:
    """A face of a project, and what was said of it."""

    task: Task
    labels: tuple[Label, ...]


@dataclass(slots=True)
class _Tally:
    labels: int = 0
    cannot_tell: int = 0
    given: int = 0
    gold: int = 0
    right: int = 0
    compared: int = 0
    alike: float = 0.0
    seconds: list[float] = field(default_factory=list)


def projects(user: User) -> QuerySet[Project]:
    """Return the projects that a user sees, the newest first: all, or those they label in."""
    rows = Project.objects.order_by("-pk")
    if not (user.is_authenticated and user.is_active):
        return rows.none()
    if user.sees_everything:
        return rows
    if user.role != Role.ANNOTATOR:
        return rows.none()
    chosen = User.objects.filter(pk=user.pk, projects=OuterRef("pk"))
    teams = Team.objects.filter(pk=OuterRef("team"), users=user)
    return rows.filter(Exists(chosen) | Exists(teams))


def project(user: User, uuid: UUID) -> Project:
    """Return a project.

    Raises:
        NotFound: there is none, or it is not for this user to see.
    """
    found = projects(user).filter(uuid=uuid).first()
    if found is None:
        raise NotFound("there is no such project, or it is not for you to see")
    return found


def task(user: User, uuid: UUID) -> Task:
    """Return a face of a project, with all that is known of it: for owners and curators.

    Raises:
        NotFound: there is none, or it is not for this user to see.
    """
    found = Task.objects.filter(uuid=uuid).select_related("project", "person", "gold_person")
    row = found.first() if user.is_authenticated and user.sees_everything else None
    if row is None:
        raise NotFound("there is no such face in a project, or it is not for you to see")
    return row


def label(user: User, uuid: UUID) -> Label:
    """Return a label of a user's own.

    Raises:
        NotFound: there is none, or it is somebody else's, or of a project they left.
    """
    found = Label.objects.filter(uuid=uuid, user_id=user.pk or 0)
    row = found.select_related("task__project", "person").first()
    if row is None or not projects(user).filter(pk=row.task.project_id).exists():
        raise NotFound("you were not asked this, or it has been given to others")
    return row


def media_of(task: Task) -> Media:
    """Return the photo that a face of a project is in. Who may see the face has been asked before.

    Raises:
        NotFound: it is no longer in the library, or hidden.
    """
    found = Media.objects.filter(payload_hash=bytes(task.payload_hash), hidden=False).first()
    if found is None:
        raise NotFound("this photo is no longer in the library")
    found.payload_hash = bytes(found.payload_hash)  # PostgreSQL gives a memoryview
    return found


def standings(rows: Iterable[Project]) -> dict[int, Standing]:
    """Return how far each of these projects is, by its id."""
    ids = [row.pk for row in rows]
    found: dict[int, Counter[str]] = {pk: Counter() for pk in ids}
    tasks = Task.objects.filter(project__in=ids).values_list("project", "gold", "state")
    for pk, gold, state, count in tasks.annotate(count=Count("pk")).order_by():
        told = found[pk]
        if gold:
            told["gold"] += count
            continue
        told["faces"] += count
        if state in (State.SETTLED, State.DISPUTED):
            told[state] += count
    labels = Label.objects.filter(task__project__in=ids, task__gold=False).exclude(verdict="")
    counted = labels.values_list("task__project").annotate(count=Count("pk")).order_by()
    for pk, count in counted:
        found[pk]["labels"] = count
    names = ("faces", "settled", "disputed", "labels", "gold")
    return {pk: Standing(*(told[name] for name in names)) for pk, told in found.items()}


def given_by(user: User, rows: Iterable[Project]) -> dict[int, int]:
    """Return how many labels a user gave in each of these projects, gold ones among them.

    Else the number would not grow at a gold face, and give it away.
    """
    labels = Label.objects.filter(user_id=user.pk or 0, task__project__in=[row.pk for row in rows])
    counted = labels.exclude(verdict="").values_list("task__project").order_by()
    return dict(counted.annotate(count=Count("pk")))


def annotators_of(row: Project) -> list[User]:
    """Return who labels in a project, beside owners and curators."""
    theirs = Q(projects=row)
    if row.team_id is not None:
        theirs |= Q(teams=row.team_id)
    return list(User.objects.filter(theirs, is_active=True).distinct().order_by("username"))


def figures(row: Project | None = None) -> list[Annotator]:
    """Return how each annotator does, who labelled most first: in one project, or in all."""
    labels = Label.objects.exclude(verdict="")
    if row is not None:
        labels = labels.filter(task__project=row)
    tallies: dict[int | None, _Tally] = {}
    said: dict[int, list[tuple[int | None, tuple[str, int | None]]]] = {}
    rows = labels.order_by("pk").values_list(*_FIELDS)
    for task, who, verdict, person, root, seconds, gold, known, gold_person, gold_root in rows:
        tally = tallies.setdefault(who, _Tally())
        tally.given += 1
        tally.cannot_tell += verdict == Verdict.CANNOT_TELL
        if seconds is not None:
            tally.seconds.append(seconds)
        answer = (verdict, root or person)
        if gold:
            tally.gold += 1
            right = (Verdict.PERSON, gold_root or gold_person) if gold_person else (known, None)
            tally.right += answer == right
            continue
        tally.labels += 1
        if verdict != Verdict.CANNOT_TELL:  # no opinion
            said.setdefault(task, []).append((who, answer))
    for given in said.values():
        for at, (who, answer) in enumerate(given):
            others = [other for place, (_, other) in enumerate(given) if place != at]
            if others:
                tallies[who].compared += 1
                tallies[who].alike += sum(other == answer for other in others) / len(others)
    users = User.objects.in_bulk([who for who in tallies if who is not None])
    found = [_annotator(users.get(who or 0), tally) for who, tally in tallies.items()]
    return sorted(found, key=lambda each: (-each.given, each.user.username if each.user else ""))


def agreement_in(row: Project, *, draws: int = 400) -> Agreement:
    """Return how well the labels of a project agree, gold faces left out.

    "Cannot tell" is no opinion, and counts as no label.
    """
    labels, people = answers(row)
    value = agreement.alpha(labels)
    return Agreement(
        alpha=value,
        interval=None if value is None else agreement.interval(labels, draws=draws),
        faces=int(((labels != MISSING).sum(axis=1) > 1).sum()),
        pairs=agreement.same_or_different(people),
    )


def answers(row: Project) -> tuple[IntArray, IntArray]:
    """Return the labels of a project as `core.agreement` takes them: all answers, and people only.

    Returns:
        Two (faces, annotators) arrays: what was said, and whom it named; MISSING elsewhere.
    """
    given = Label.objects.filter(task__project=row, task__gold=False)
    given = given.exclude(verdict__in=("", Verdict.CANNOT_TELL)).order_by("pk")
    fields = ("task_id", "user_id", "verdict", "person_id", "person__root")
    tasks: dict[int, int] = {}
    columns: dict[tuple[int | None, int], int] = {}
    gone: dict[int, int] = {}
    kinds: dict[tuple[str, int | None], int] = {}
    cells: list[tuple[int, int, int, bool]] = []
    for task, who, verdict, person, root in given.values_list(*fields):
        # Of those whose account is gone, two may have labelled the same face.
        nth = 0 if who is not None else gone.setdefault(task, 0)
        if who is None:
            gone[task] += 1
        kind = kinds.setdefault((verdict, root or person), len(kinds))
        place = tasks.setdefault(task, len(tasks))
        column = columns.setdefault((who, nth), len(columns))
        cells.append((place, column, kind, verdict == Verdict.PERSON))
    labels = np.full((len(tasks), len(columns)), MISSING, np.int64)
    people = labels.copy()
    for place, column, kind, named in cells:
        labels[place, column] = kind
        if named:
            people[place, column] = kind
    return labels, people


def tasks(
    row: Project, *, state: str = "", gold: bool | None = None, skip: int = 0, take: int = 50
) -> list[Labelled]:
    """Return faces of a project with their labels, for those who look after it."""
    found = Task.objects.filter(project=row).order_by("pk")
    if state:
        found = found.filter(state=state)
    if gold is not None:
        found = found.filter(gold=gold)
    shown = list(found.select_related("person", "gold_person")[skip : skip + take])
    return [Labelled(task, tuple(labels)) for task, labels in with_labels(shown)]


def decided(row: Project, *, take: int = 20) -> list[Task]:
    """Return the faces of a project that somebody has decided about, the latest first."""
    found = Task.objects.filter(project=row).exclude(adjudicated_at=None)
    return list(found.select_related("person__root").order_by("-adjudicated_at", "-pk")[:take])


def own_labels(user: User, row: Project) -> QuerySet[Label]:
    """Return what a user said in a project, the newest first."""
    mine = Label.objects.filter(task__project=row, user_id=user.pk or 0).exclude(verdict="")
    return mine.select_related("person").order_by("-given_at", "-pk")


def releases_of(row: Project) -> list[Release]:
    """Return the releases of a project without what they hold, the newest first."""
    return list(Release.objects.filter(project=row).defer("content").order_by("-version"))


def with_labels(tasks: Sequence[Task]) -> list[tuple[Task, list[Label]]]:
    """Return tasks, each with the labels that were given of it, the first first."""
    found: dict[int, list[Label]] = {task.pk: [] for task in tasks}
    ids = list(found)
    for start in range(0, len(ids), CHUNK):
        labels = Label.objects.filter(task__in=ids[start : start + CHUNK]).exclude(verdict="")
        for label in labels.select_related("user", "person__root").order_by("given_at", "pk"):
            found[label.task_id].append(label)
    return [(task, found[task.pk]) for task in tasks]


def _annotator(user: User | None, tally: _Tally) -> Annotator:
    return Annotator(
        user=user,
        labels=tally.labels,
        cannot_tell=tally.cannot_tell,
        given=tally.given,
        gold=tally.gold,
        right=tally.right,
        compared=tally.compared,
        alike=tally.alike / tally.compared if tally.compared else None,
        seconds=median(tally.seconds) if tally.seconds else None,
    )
