"""Labelling: projects in which annotators label faces for a data set, each for themselves."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db import models

from lookwho.library.models.accounts import Team, User
from lookwho.library.models.people import Person
from lookwho.library.models.placed import Placed

if TYPE_CHECKING:
    from lookwho.library.models.faces import Face


class Project(models.Model):
    """Faces that are to be labelled, by whom, and how often each."""

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    title = models.CharField(max_length=200)
    # No guess is shown, nor what others answered.
    blind = models.BooleanField(default=True)
    labels_each = models.PositiveSmallIntegerField(default=1)  # how many label one face
    team_id: int | None
    team = models.ForeignKey(Team, models.SET_NULL, null=True, blank=True, related_name="projects")
    annotators: models.ManyToManyField[User, models.Model] = models.ManyToManyField(
        User, related_name="projects", blank=True
    )
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.title


class Task(Placed):
    """One face to label in a project. Told like the face of a decision, to be found again."""

    class State(models.TextChoices):
        """How far it is."""

        OPEN = "open"  # wants more labels
        DISPUTED = "disputed"  # its labels disagree
        SETTLED = "settled"  # they agree, or somebody has decided

    id: int
    project_id: int
    face_id: int | None
    person_id: int | None
    gold_person_id: int | None
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="tasks")
    face: models.ForeignKey[Face | None] = models.ForeignKey(
        "Face", models.SET_NULL, null=True, blank=True, related_name="tasks"
    )
    # Gold faces are those whose answer is known: they tell how well an annotator does.
    gold = models.BooleanField(default=False)
    gold_person = models.ForeignKey(
        Person, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    verdict = models.CharField(max_length=11, blank=True)  # as of a label, once it is settled
    person = models.ForeignKey(Person, models.SET_NULL, null=True, blank=True, related_name="+")
    adjudicated_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    adjudicated_at = models.DateTimeField(null=True, blank=True)

    class Meta(Placed.Meta):
        constraints = (models.UniqueConstraint(fields=["project", "face"], name="task_face_once"),)
        indexes = (models.Index(fields=["project", "state"], name="task_state"),)


class Label(models.Model):
    """What one annotator says of one face; without a verdict: what they are to say."""

    class Verdict(models.TextChoices):
        """What was answered."""

        PERSON = "person"
        STRANGER = "stranger"  # nobody who has a name here
        NOT_A_FACE = "not_a_face"
        CANNOT_TELL = "cannot_tell"

    id: int
    task_id: int
    user_id: int | None
    person_id: int | None
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    task = models.ForeignKey(Task, models.CASCADE, related_name="labels")
    user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="labels")
    verdict = models.CharField(max_length=11, choices=Verdict.choices, blank=True)
    person = models.ForeignKey(Person, models.SET_NULL, null=True, blank=True, related_name="+")
    # A better box, where the annotator drew one: [x1, y1, x2, y2] as fractions.
    box: models.JSONField[Any] = models.JSONField(null=True, blank=True)
    # Until when the face is held for them; null where it was assigned to them.
    held_until = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)  # from question to answer
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    given_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["task", "user"], name="label_once"),)


class Release(models.Model):
    """A frozen version of a project's labels: what it holds never changes again."""

    id: int
    project_id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="releases")
    version = models.PositiveIntegerField()
    content = models.BinaryField()  # JSON Lines, gzip: of it every other format is made
    digest = models.BinaryField(max_length=32)  # sha256 of the lines
    figures: models.JSONField[Any] = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "version"], name="release_once"),)
