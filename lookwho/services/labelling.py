"""Labelling projects: which faces are labelled, by whom, and how often each.

Beside the faces to label stand gold ones, whose answer is known: whoever labels cannot tell which
they are. Faces are told by photo and box, so that a new analysis takes none out of a project.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Album, Collection, Face, Label, Project, Task, Team, User
from lookwho.library.models.accounts import Role
from lookwho.library.scope import Purpose, scope_of
from lookwho.services.albums import checked_title
from lookwho.services.decisions import shown
from lookwho.services.tasks import (
    for_curators,
    in_project,
    may_label,
    person_called,
    settle,
    with_room,
)

MOST_FACES = 200_000
MOST_LABELS = 3
MOST_GOLD = 0.5
CHUNK = 1000

State = Task.State
Verdict = Label.Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which faces go into a project: all that fit every limit.

    Attributes:
        faces: only these, by uuid.
        album: only those in photos of this album.
        collection: only those in photos of this collection.
        unconfirmed: only those that nobody has confirmed.
        count: so many of them, at random; None for all.
        seed: the same seed chooses the same faces, and asks for them in the same order.
    """

    faces: Sequence[UUID] | None = None
    album: Album | None = None
    collection: Collection | None = None
    unconfirmed: bool = False
    count: int | None = None
    seed: int = 0


def make_project(
    by: User,
    title: str,
    choice: Choice,
    *,
    labels_each: int = 1,
    blind: bool | None = None,
    gold: float = 0.0,
    annotators: Iterable[User] = (),
    team: Team | None = None,
) -> Project:
    """Make a project of the faces that were chosen.

    Args:
        by: an owner or a curator.
        title: what it is called.
        choice: the faces to label.
        labels_each: how many annotators label each face.
        blind: whether neither guesses nor others' answers are shown; None for what fits: blind
            where answers are compared, with one another or with gold ones.
        gold: the share of the faces asked for that are gold: confirmed ones, drawn at random from
            the same photos, and beyond them from all.
        annotators: who may label, beside owners and curators.
        team: all of these may, too.

    Raises:
        Forbidden: this user may not.
        Invalid: one of the values cannot be, or no face fits.
    """
    for_curators(by)
    if not 1 <= labels_each <= MOST_LABELS:
        raise Invalid(f"a face gets 1 to {MOST_LABELS} labels, not {labels_each}")
    if not 0 <= gold <= MOST_GOLD:
        raise Invalid(f"the share of gold faces is 0 to {MOST_GOLD:.0%}")
    if blind is None:
        blind = labels_each > 1 or gold > 0
    if gold and not blind:
        raise Invalid("gold faces need blind labelling: a guess would give their answer away")
    with transaction.atomic():
        project = Project.objects.create(
            title=checked_title(title),
            blind=blind,
            labels_each=labels_each,
            team=team,
            created_by=by,
        )
        project.annotators.set(_who_may_label(annotators))
        work = _chosen(by, choice)
        if not work:
            raise Invalid("no face fits: choose fewer limits, or add photos first")
        known: dict[int, int] = {}
        if gold:
            known = _gold(by, choice, round(len(work) * gold / (1 - gold)))
            if not known:
                raise Invalid(
                    "there is no confirmed face to take as gold: name some people, or do without"
                )
        _add(project, [face for face in work if face not in known], known, choice.seed)
    return project


def set_annotators(
    by: User, project: Project, annotators: Iterable[User], team: Team | None = None
) -> None:
    """Choose who may label in a project. What was held for others is given to these.

    Raises:
        Forbidden: this user may not.
        Invalid: one of them is a member, and members label nothing.
    """
    for_curators(by)
    with in_project(project.pk) as row:
        row.annotators.set(_who_may_label(annotators))
        row.team = team
        row.save(update_fields=["team"])
        theirs = Q(user__in=row.annotators.all())
        if team:
            theirs |= Q(user__in=team.users.all())
        waiting = Label.objects.filter(task__project=row, verdict="")
        waiting.exclude(theirs).exclude(user__role__in=(Role.OWNER, Role.CURATOR)).delete()


def assign(
    by: User,
    project: Project,
    annotator: User,
    *,
    tasks: Iterable[UUID] | None = None,
    count: int = 0,
) -> int:
    """Let one annotator label certain faces, before all others, and return how many.

    What they have labelled already, and what has as many labels as it is to get, stays as it is.

    Args:
        by: an owner or a curator.
        project: where.
        annotator: whose they become.
        tasks: the uuids of the faces' tasks; None for the next `count`.
        count: how many, where `tasks` is None.

    Raises:
        Forbidden: this user may not.
        Invalid: the annotator may not label in this project.
        NotFound: one of the tasks is not in this project.
    """
    for_curators(by)
    with in_project(project.pk) as row:
        if not may_label(annotator, row):
            raise Invalid(f"{annotator.username} does not label in {row.title}: add them first")
        wanted = Task.objects.filter(project=row)
        if tasks is not None:
            uuids = set(tasks)
            wanted = wanted.filter(uuid__in=uuids)
            if wanted.count() < len(uuids):
                raise NotFound("one of these faces is not in this project")
        free = with_room(wanted.filter(state=State.OPEN, gold=False), row, annotator)
        found = list(free.order_by("pk").values_list("pk", flat=True))
        if tasks is None:
            found = found[: max(count, 0)]
        # Those that they skipped, or did not get round to, are theirs again.
        stale = Label.objects.filter(user=annotator, task__in=found, verdict="")
        stale.update(held_until=None)
        held = set(stale.values_list("task", flat=True))
        fresh = [Label(task_id=task, user=annotator) for task in found if task not in held]
        Label.objects.bulk_create(fresh, batch_size=CHUNK)
        return len(found)


def take_back_assigned(by: User, project: Project, annotator: User) -> int:
    """Give what was assigned to somebody, and is not labelled yet, to all; return how many.

    Raises:
        Forbidden: this user may not.
    """
    for_curators(by)
    with in_project(project.pk) as row:
        waiting = Label.objects.filter(task__project=row, user=annotator, verdict="")
        return waiting.filter(held_until=None).delete()[0]


def set_gold(by: User, task: Task, *, name: str = "", verdict: str = "") -> Task:
    """Say that the answer of a face is known, so that it tells how well it is labelled.

    Args:
        by: an owner or a curator.
        task: the face.
        name: who it is; or
        verdict: that it is a stranger, or no face. With neither it is gold no more.

    Raises:
        Forbidden: this user may not.
        Invalid: the project is not blind, or the answer cannot be.
    """
    for_curators(by)
    if verdict not in ("", Verdict.PERSON, Verdict.STRANGER, Verdict.NOT_A_FACE):
        raise Invalid(f"a gold face is a person, a stranger or no face, not {verdict!r}")
    with in_project(task.project_id) as project:
        if not project.blind:
            raise Invalid("gold faces need blind labelling: a guess would give their answer away")
        row = Task.objects.get(pk=task.pk)
        row.gold = bool(name or verdict)
        row.gold_person = person_called(name) if name else None
        row.verdict = "" if name or verdict == Verdict.PERSON else verdict
        if verdict == Verdict.PERSON and not name:
            raise Invalid("a name is needed")
        row.person, row.state = None, State.OPEN
        row.adjudicated_by = row.adjudicated_at = None
        row.save()
        if not row.gold:
            settle(row, project)
        return row


def close(by: User, project: Project, closed: bool = True, *, now: datetime | None = None) -> None:
    """End a project, so that nobody labels in it any more; or go on with it.

    Raises:
        Forbidden: this user may not.
    """
    for_curators(by)
    with in_project(project.pk) as row:
        row.closed_at = (now or timezone.now()) if closed else None
        row.save(update_fields=["closed_at"])
        if closed:
            Label.objects.filter(task__project=row, verdict="").delete()


def _who_may_label(annotators: Iterable[User]) -> list[User]:
    found = list(annotators)
    for user in found:
        if not user.is_active or user.role == Role.MEMBER:
            raise Invalid(f"{user.username} is not an annotator: change their role first")
    return found


def _faces(by: User, choice: Choice) -> QuerySet[Face]:
    scope = scope_of(by, Purpose.NAME).within(
        albums=frozenset([choice.album.pk]) if choice.album else None,
        collections=frozenset([choice.collection.pk]) if choice.collection else None,
    )
    return scope.faces().exclude(source=Face.Source.ABSENT)


def _chosen(by: User, choice: Choice) -> list[int]:
    """Return the ids of the faces that were chosen, in the order in which they are asked for."""
    faces = _faces(by, choice)
    if choice.unconfirmed:
        faces = faces.filter(person=None)
    if choice.faces is None:
        found = list(faces.order_by("pk").values_list("pk", flat=True)[: MOST_FACES + 1])
    else:
        asked = list(dict.fromkeys(choice.faces))
        found: list[int] = []
        for start in range(0, len(asked), CHUNK):
            some = faces.filter(uuid__in=asked[start : start + CHUNK])
            found += some.values_list("pk", flat=True)
        found.sort()
    if choice.count is not None and choice.count < 1:
        raise Invalid("choose at least one face")
    if choice.count is None and len(found) > MOST_FACES:
        raise Invalid(f"a project has at most {MOST_FACES:,} faces: choose some of them at random")
    order = random.Random(choice.seed)
    order.shuffle(found)
    return found if choice.count is None else found[: choice.count]


def _gold(by: User, choice: Choice, count: int) -> dict[int, int]:
    """Return confirmed faces to take as gold, each with the id of who it is."""
    order = random.Random(f"gold {choice.seed}")
    found: dict[int, int] = {}
    for where in (choice, Choice()):
        named = _faces(by, where).exclude(person=None).exclude(person__name="", person__root=None)
        rows = list(named.order_by("pk").values_list("pk", "person", "person__root"))
        order.shuffle(rows)
        for face, person, root in rows:
            if len(found) >= max(count, 1):
                break
            found.setdefault(face, root or person)
    return found


def _add(project: Project, work: Sequence[int], gold: dict[int, int], seed: int) -> None:
    order = [*work, *gold]
    random.Random(f"order {seed}").shuffle(order)
    if not work:
        raise Invalid("all these faces are confirmed and would be gold: choose more, or do without")
    for start in range(0, len(order), CHUNK):
        part = order[start : start + CHUNK]
        rows = {row.pk: row for row in shown(Face.objects.filter(pk__in=part))}
        Task.objects.bulk_create(
            Task(
                project=project,
                face_id=face,
                **rows[face].place(),
                gold=face in gold,
                gold_person_id=gold.get(face),
            )
            for face in part
        )
