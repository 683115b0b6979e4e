"""Labels: what each annotator is asked and says, and what becomes of it.

An annotator is given one face at a time. It is theirs for a while, so that no more people look at
it than are to; what they pass over or leave lying is given to others, and comes back to them last.
Gold faces come in at random among the others, each to everybody.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from lookwho.core.errors import Conflict, Invalid, NotFound
from lookwho.core.regions import overlap
from lookwho.library.models import Decision, Face, Label, Person, Project, Task, User
from lookwho.library.queries.labelling import with_labels
from lookwho.services import faces as said
from lookwho.services.decisions import Done, acting
from lookwho.services.tasks import (
    for_curators,
    in_project,
    open_for,
    person_called,
    root_id,
    settle,
    with_room,
)

# For so long a face is somebody's, from when they are asked; asking again begins anew.
HOLD = timedelta(minutes=15)
# Longer than this nobody thought about a face: they were away.
LONGEST_THOUGHT = 3600.0
# A box that shares so much with the one that was shown was not meant to be another.
AS_IT_WAS = 0.98
# A side of a box, as a fraction of the photo's.
LEAST_SIDE = 0.002

State = Task.State
Verdict = Label.Verdict
Box = tuple[float, float, float, float]


def next_label(by: User, project: Project, *, now: datetime | None = None) -> Label | None:
    """Return the face that a user is to label next, and hold it for them; None where none is left.

    First comes what they hold already, then what was assigned to them, then what is free, and last
    what they passed over.

    Raises:
        NotFound: it is none of their projects.
        Conflict: the project is over.
    """
    now = now or timezone.now()
    with in_project(project.pk) as row:
        open_for(by, row)
        mine = Label.objects.filter(task__project=row, user=by)
        waiting = mine.filter(verdict="", task__state=State.OPEN)
        held = waiting.filter(held_until__gt=now).order_by("pk").first()
        found = held or waiting.filter(held_until=None).order_by("pk").first()
        if found is None:
            tasks = Task.objects.filter(project=row, state=State.OPEN)
            task = _fresh(tasks, row, by, now)
            if task is not None:
                found = Label(task=task, user=by)
            else:
                room = Q(task__in=with_room(tasks, row, by, now=now)) | Q(task__gold=True)
                passed = waiting.filter(room, held_until__lte=now)
                found = passed.order_by("held_until", "pk").first()
        if found is None:
            return None
        if found.pk is None or found.held_until is not None:  # what was assigned stays theirs
            found.held_until = now + HOLD
            found.save()
        return found


def answer(
    by: User,
    label: Label,
    verdict: str,
    *,
    name: str = "",
    person: Person | None = None,
    box: Sequence[Any] | None = None,
    seconds: float | None = None,
    now: datetime | None = None,
) -> Label:
    """Write down what a user says of the face that they were given.

    Args:
        by: who was asked.
        label: what they were asked by.
        verdict: of Label.Verdict.
        name: of a person: who it is; or
        person: the same as a row.
        box: a better one: x1, y1, x2, y2 as fractions of the upright photo.
        seconds: from question to answer.
        now: when.

    Raises:
        NotFound: they were not asked this.
        Invalid: the answer cannot be.
        Conflict: it was answered already, others got the face meanwhile, or the project is over.
    """
    now = now or timezone.now()
    if verdict not in Verdict.values:
        raise Invalid(f"an answer is one of {', '.join(Verdict.values)}, not {verdict[:40]!r}")
    better = None if box is None else checked_box(box)
    with _given_to(by, label) as (row, project):
        if row.verdict:
            raise Conflict("you have answered this already: take that back to answer anew")
        task = row.task
        if row.held_until is not None and row.held_until <= now and not task.gold:
            free = with_room(Task.objects.filter(pk=task.pk), project, by, now=now)
            if not free.exists():
                raise Conflict("you were away, and others have this face now: go on with the next")
        who = None
        if verdict == Verdict.PERSON:
            who = Person.objects.get(pk=root_id(person)) if person else person_called(name)
        row.verdict, row.person = verdict, who
        row.box = None if verdict == Verdict.NOT_A_FACE else better
        thought = seconds is not None and 0 <= seconds <= LONGEST_THOUGHT
        row.seconds = seconds if thought else None
        row.given_at = now
        row.save()
        settle(task, project)
        return row


def skip(by: User, label: Label, *, now: datetime | None = None) -> None:
    """Pass a face over: others may have it, and this user is asked again when no other is left.

    Raises:
        NotFound: they were not asked this.
        Conflict: they have answered it, or the project is over.
    """
    with _given_to(by, label) as (row, _):
        if row.verdict:
            raise Conflict("you have answered this already: take that back to answer anew")
        row.held_until = now or timezone.now()
        row.save(update_fields=["held_until"])


def undo_last(by: User, project: Project, *, now: datetime | None = None) -> Label:
    """Take back a user's last answer in a project, and ask them the same again.

    Raises:
        NotFound: it is none of their projects, or they have answered nothing in it.
        Conflict: the project is over, or somebody has decided about the face since.
    """
    now = now or timezone.now()
    with in_project(project.pk) as row:
        open_for(by, row)
        mine = Label.objects.filter(task__project=row, user=by)
        last = mine.exclude(verdict="").order_by("-given_at", "-pk").select_related("task").first()
        if last is None:
            raise NotFound("you have labelled nothing here that could be taken back")
        if last.task.adjudicated_at:
            raise Conflict("somebody has decided about this face since")
        # What they look at now comes afterwards.
        mine.filter(verdict="", held_until__gt=now).delete()
        last.verdict, last.person, last.box = "", None, None
        last.seconds = last.given_at = None
        last.held_until = now + HOLD
        last.save()
        settle(last.task, row)
        return last


# --- deciding, and using what was decided ---


def adjudicate(
    by: User,
    task: Task,
    verdict: str,
    *,
    name: str = "",
    person: Person | None = None,
    now: datetime | None = None,
) -> Task:
    """Decide what a face is, whatever its labels say; they stay as they are.

    Raises:
        Forbidden: this user may not.
        Invalid: the answer cannot be, or the face is gold: its answer is known.
    """
    for_curators(by)
    if verdict not in Verdict.values:
        raise Invalid(f"an answer is one of {', '.join(Verdict.values)}, not {verdict[:40]!r}")
    with in_project(task.project_id):
        row = Task.objects.get(pk=task.pk)
        if row.gold:
            raise Invalid("this is a gold face, whose answer is known")
        who = None
        if verdict == Verdict.PERSON:
            who = Person.objects.get(pk=root_id(person)) if person else person_called(name)
        row.state, row.verdict, row.person = State.SETTLED, verdict, who
        row.adjudicated_by, row.adjudicated_at = by, now or timezone.now()
        row.save()
        Label.objects.filter(task=row, verdict="").delete()
        return row


def reopen(by: User, task: Task) -> Task:
    """Take a decision about a face back: it is again what its labels come to.

    Raises:
        Forbidden: this user may not.
    """
    for_curators(by)
    with in_project(task.project_id) as project:
        row = Task.objects.get(pk=task.pk)
        row.adjudicated_by = row.adjudicated_at = None
        row.save(update_fields=["adjudicated_by", "adjudicated_at"])
        settle(row, project)
        return row


def apply(by: User, project: Project) -> Done:
    """Do in the library what the labels of a project come to: one act, which undo takes back.

    People are confirmed, what is no face is dismissed, and better boxes are taken over. Faces that
    somebody has confirmed as another person stay as they are, and so do those that are gone.

    Raises:
        Forbidden: this user may not.
        Conflict: there is nothing that the library does not have.
    """
    for_curators(by)
    batch = uuid4()
    with transaction.atomic():
        tasks = Task.objects.filter(project=project, gold=False, state=State.SETTLED)
        rows = tasks.filter(face__dismissed=False).select_related("person__root", "face__person")
        theirs: dict[Person, list[Face]] = {}
        none: list[Face] = []
        kept = boxes = 0
        for task, labels in with_labels(list(rows.order_by("pk"))):
            face = task.face
            if face is None:
                continue
            known = root_id(face.person)
            if task.verdict == Verdict.NOT_A_FACE:
                if known is None:
                    none.append(face)
                else:
                    kept += 1
                continue
            if any(label.box for label in labels):
                boxes += _better_box(by, face, box_of(task, labels), batch)
            if task.verdict == Verdict.PERSON and task.person is not None:
                who = task.person.root or task.person
                if known is None:
                    theirs.setdefault(who, []).append(face)
                else:
                    kept += known != who.pk
        for who, faces in theirs.items():
            show(by, who, batch)
            said.confirm(by, faces, who, batch=batch)
        if none:
            said.not_a_face(by, none, batch=batch)
    confirmed = sum(map(len, theirs.values()))
    others = f" {kept} confirmed as somebody else stay as they are." if kept else ""
    if not (confirmed or none or boxes):
        raise Conflict(f"there is nothing to apply: the library has all of it already.{others}")
    parts = (
        (confirmed, "named"),
        (len(none), "found to be none"),
        (boxes, "framed better"),
    )
    told = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    return Done(batch, f"Of the faces {told}.{others}")


def _better_box(by: User, face: Face, box: Box, batch: UUID) -> bool:
    """Move a face where its annotators see it, unless it is there, or another one in the way."""
    if overlap(box, face.box) >= AS_IT_WAS:
        return False
    try:
        with transaction.atomic():
            said.fix_box(by, face, box, batch=batch)
    except (Conflict, Invalid):
        return False
    return True


def show(by: User, person: Person, batch: UUID) -> None:
    """Let somebody whom a label made be seen; those that somebody has hidden stay hidden."""
    hidden = (
        person.hidden
        and not Decision.objects.filter(person=person, verb=Decision.Verb.HIDE).exists()
    )
    if hidden:
        with acting(by, batch) as act:
            act.say(Decision.Verb.HIDE, person=person, text="0", before="1")
            person.hidden = False
            person.save(update_fields=["hidden"])


def box_of(task: Task, labels: Sequence[Label]) -> Box:
    """Return the box of a face as its annotators see it: theirs, edge by edge in the middle."""
    drawn = [label.box for label in labels if label.box]
    if not drawn:
        return task.x1, task.y1, task.x2, task.y2
    x1, y1, x2, y2 = (float(median(edges)) for edges in zip(*drawn, strict=True))
    return x1, y1, x2, y2


def checked_box(box: Sequence[Any]) -> Box:
    """Return a box as it is kept.

    Raises:
        Invalid: it is none, or not within the photo.
    """
    try:
        x1, y1, x2, y2 = (float(edge) for edge in box)
    except (TypeError, ValueError) as error:
        raise Invalid("a box is four numbers: x1, y1, x2, y2") from error
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        raise Invalid("a box is four numbers: x1, y1, x2, y2")
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise Invalid("a box lies within the photo: fractions 0 to 1, x1 < x2 and y1 < y2")
    if min(x2 - x1, y2 - y1) < LEAST_SIDE:
        raise Invalid("this box is too small for a face")
    return x1, y1, x2, y2


# --- what it is made of ---


@contextmanager
def _given_to(by: User, label: Label) -> Generator[tuple[Label, Project]]:
    """Open the project of a label that a user was asked by, and read it anew."""
    task = Task.objects.filter(labels=label, labels__user=by).first()
    if task is None:
        raise NotFound("you were not asked this, or it has been given to others")
    with in_project(task.project_id) as project:
        open_for(by, project)
        row = Label.objects.filter(pk=label.pk, user=by).select_related("task").first()
        if row is None:
            raise NotFound("you were not asked this, or it has been given to others")
        yield row, project


def _fresh(tasks: QuerySet[Task], project: Project, by: User, now: datetime) -> Task | None:
    """Return a face that a user was not asked about yet; now and then a gold one.

    Gold comes in at the share that it has of the project, by a draw that is the same when it is
    made again; and only as long as there is work, so that nobody sees how many there are.
    """
    asked = Label.objects.filter(task__project=project, user=by)
    unseen = tasks.exclude(pk__in=asked.values("task"))
    work = with_room(unseen.filter(gold=False), project, by, now=now).order_by("pk").first()
    if work is None:
        return None
    every = Task.objects.filter(project=project)
    gold = every.filter(gold=True).count()
    if gold:
        drawn = hashlib.sha256(f"{project.uuid} {by.uuid} {asked.count()}".encode()).digest()
        if int.from_bytes(drawn[:8]) < gold / every.count() * 2**64:
            order = unseen.filter(gold=True).order_by("pk")
            left = order.count()
            if left:
                return order[int.from_bytes(drawn[8:16]) % left]
    return work
