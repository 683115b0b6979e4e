"""People, and every decision that was made about their faces."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from django.db import models

from lookwho.library.models.accounts import User
from lookwho.library.models.placed import Placed

if TYPE_CHECKING:
    from lookwho.library.models.faces import Face


class Person(models.Model):
    """An identity, named or not yet."""

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200, blank=True)
    given_name = models.CharField(max_length=100, blank=True)
    family_name = models.CharField(max_length=100, blank=True)
    patronymic = models.CharField(max_length=100, blank=True)
    sex = models.CharField(max_length=1, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    hidden = models.BooleanField(default=False)
    cover_id: int | None
    cover: models.ForeignKey[Face | None] = models.ForeignKey(
        "Face", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # A merge sets this and nothing else, so that undoing it can clear it.
    merged_into_id: int | None
    merged_into = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="merged"
    )
    # Where following `merged_into` ends, null where it is null: kept by `services.people`, so that
    # a read needs one join.
    root_id: int | None
    root = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    user = models.OneToOneField(User, models.SET_NULL, null=True, blank=True, related_name="person")
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (models.Index(fields=["name"], name="person_name"),)

    def __str__(self) -> str:
        return self.name or f"person {self.pk}"


class Decision(models.Model):
    """One thing that a human said about faces. Rows are only ever added; undo adds one, too."""

    class Verb(models.TextChoices):
        """What was said."""

        CONFIRM = "confirm"  # these faces are this person
        # These faces are not this person; `text` is "guess" where that took a guess away.
        REJECT = "reject"
        NOT_A_FACE = "not_a_face"
        MERGE = "merge"  # `person` is `other`
        RENAME = "rename"  # `person` is called `text`; `before` is what it was called
        HIDE = "hide"  # `text` is 1 or 0
        COVER = "cover"  # the face of `person` to show
        DRAW = "draw"  # a face that was overlooked
        BOX = "box"  # the box of the face, as it was, is `text`: four fractions
        ABSENT = "absent"  # `person` is in the media with no visible face
        REVOKE = "revoke"  # takes back the decision `revokes`

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    actor_id: int | None
    actor = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    verb = models.CharField(max_length=12, choices=Verb.choices)
    person_id: int | None
    person = models.ForeignKey(
        Person, models.CASCADE, null=True, blank=True, related_name="decisions"
    )
    other_id: int | None
    other = models.ForeignKey(Person, models.CASCADE, null=True, blank=True, related_name="+")
    text = models.CharField(max_length=200, blank=True)
    before = models.CharField(max_length=200, blank=True)
    batch = models.UUIDField(default=uuid4, db_index=True)  # one act of a user
    revokes_id: int | None
    revokes = models.OneToOneField(
        "self", models.CASCADE, null=True, blank=True, related_name="revoked_by"
    )
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)


class DecisionFace(Placed):
    """A face that a decision is about, told so that it is found again after a new analysis."""

    id: int
    decision_id: int
    face_id: int | None
    decision = models.ForeignKey(Decision, models.CASCADE, related_name="faces")
    face: models.ForeignKey[Face | None] = models.ForeignKey(
        "Face", models.SET_NULL, null=True, blank=True, related_name="decisions"
    )
