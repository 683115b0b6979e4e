"""Tasks: who may label a face, how many still may, and what its labels come to."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, NotFound
from lookwho.library.models import Label, Person, Project, Task, Team, User
from lookwho.library.models.accounts import Role
from lookwho.services.identity import checked_name, find_named, folded

State = Task.State


def for_curators(by: User) -> None:
    """Let owners and curators go on.

    Raises:
        Forbidden: this user is neither.
    """
    if not by.sees_everything:
        raise Forbidden("labelling projects are made and looked after by owners and curators")


def may_label(user: User, project: Project) -> bool:
    """Return whether a user labels in a project: owners, curators, and who was chosen."""
    if not user.is_active:
        return False
    if user.sees_everything:
        return True
    if user.role != Role.ANNOTATOR:
        return False
    chosen = project.annotators.filter(pk=user.pk).exists()
    return chosen or (
        project.team_id is not None and Team.objects.filter(pk=project.team_id, users=user).exists()
    )


@contextmanager
def in_project(project: int) -> Generator[Project]:
    """Open a transaction in which nobody else is given or gives a label of this project.

    On SQLite a transaction is alone by itself (`config.environment`).
    """
    with transaction.atomic():
        row = Project.objects.select_for_update().filter(pk=project).first()
        if row is None:
            raise NotFound("there is no such project any more")
        yield row


def with_room(
    tasks: QuerySet[Task], project: Project, user: User, *, now: datetime | None = None
) -> QuerySet[Task]:
    """Return those of the tasks that this user may still label.

    As many labels as a face is to get may be given, assigned or held, and not one more. What a
    user holds or held themselves, and did not answer, does not count against them.
    """
    counts = ~Q(verdict="") | Q(held_until=None) | Q(held_until__gt=now or timezone.now())
    labels = Label.objects.filter(task__project=project)
    full = labels.filter(counts).exclude(user=user).values("task")
    if project.labels_each > 1:
        full = full.annotate(given=Count("pk")).filter(given__gte=project.labels_each)
    said = labels.filter(user=user).exclude(verdict="").values("task")
    return tasks.exclude(pk__in=full.values("task")).exclude(pk__in=said)


def settle(task: Task, project: Project) -> None:
    """Write down what the labels of a face come to; what somebody has decided stays."""
    if task.gold or task.adjudicated_at:
        return
    given = list(Label.objects.filter(task=task).exclude(verdict="").select_related("person"))
    answers = {(label.verdict, root_id(label.person)) for label in given}
    task.verdict, task.person = "", None
    if len(given) < project.labels_each:
        task.state = State.OPEN
    elif len(answers) > 1:
        task.state = State.DISPUTED
    else:
        task.state = State.SETTLED
        task.verdict, task.person_id = next(iter(answers))
    task.save(update_fields=["state", "verdict", "person"])


def root_id(person: Person | None) -> int | None:
    """Return the id of whom a person was merged into, or theirs."""
    return None if person is None else person.root_id or person.pk


def person_called(name: str) -> Person:
    """Return who is called so. Somebody whom nobody knew is hidden until a project is applied.

    So a slip of one annotator stands in no list of people, and no other annotator is offered it.

    Raises:
        Invalid: the name cannot be.
    """
    name = checked_name(name)
    if found := find_named(name):
        return found
    hidden = Person.objects.filter(root=None, hidden=True).exclude(name="").order_by("pk")
    for pk, called in hidden.values_list("pk", "name"):
        if folded(called) == folded(name):
            return Person.objects.get(pk=pk)
    return Person.objects.create(name=name, hidden=True)


def open_for(by: User, project: Project) -> None:
    """Let somebody label.

    Raises:
        NotFound: it is none of their projects.
        Conflict: it is over.
    """
    if not may_label(by, project):
        raise NotFound("there is no such project, or it is not for you to see")
    if project.closed_at:
        raise Conflict(f"{project.title} is over: nothing is labelled in it any more")
