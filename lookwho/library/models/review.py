"""Review: questions that people are asked, what they answered, and the audit among them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from django.db import models

from lookwho.library.models.accounts import User
from lookwho.library.models.people import Person
from lookwho.library.models.placed import Placed

if TYPE_CHECKING:
    from lookwho.library.models.faces import Face


class Claim(models.Model):
    """A face or a group that somebody is looking at, so that nobody else is asked about it."""

    id: int
    user_id: int
    face_id: int | None
    person_id: int | None
    user = models.ForeignKey(User, models.CASCADE, related_name="claims")
    face: models.OneToOneField[Face | None] = models.OneToOneField(
        "Face", models.CASCADE, null=True, blank=True, related_name="claim"
    )
    person = models.OneToOneField(
        Person, models.CASCADE, null=True, blank=True, related_name="claim"
    )
    until: models.DateTimeField[datetime] = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(face=None) ^ models.Q(person=None), name="claim_of_one"
            ),
        )


class Answer(models.Model):
    """What somebody answered to one question, or that they passed it on. Rows are only added."""

    class Question(models.TextChoices):
        """What was asked."""

        GROUP = "group"  # who is this group?
        FACE = "face"  # is this face that person?
        MIXED = "mixed"  # who of this group does not belong?
        AUDIT = "audit"  # who is this? without a guess

    class Verdict(models.TextChoices):
        """What was answered."""

        YES = "yes"
        NO = "no"
        NAME = "name"  # somebody else, by name
        NOT_A_FACE = "not_a_face"
        STRANGER = "stranger"  # nobody who has a name here
        CANNOT_TELL = "cannot_tell"
        SKIP = "skip"

    id: int
    user_id: int | None
    face_id: int | None
    person_id: int | None
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="answers")
    question = models.CharField(max_length=5, choices=Question.choices)
    verdict = models.CharField(max_length=11, choices=Verdict.choices)
    face: models.ForeignKey[Face | None] = models.ForeignKey(
        "Face", models.SET_NULL, null=True, blank=True, related_name="answers"
    )
    # Whom it was asked about: the group, or the guess.
    person = models.ForeignKey(Person, models.SET_NULL, null=True, blank=True, related_name="+")
    # Of the decisions that followed; null where none did.
    batch = models.UUIDField(null=True, blank=True, db_index=True)
    settled = models.PositiveIntegerField(default=0)  # faces that it resolved
    probability = models.FloatField(null=True, blank=True)  # of the guess that was shown
    seconds = models.FloatField(null=True, blank=True)  # from question to answer
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (models.Index(fields=["user", "-id"], name="answer_of_user"),)


class Audit(Placed):
    """A face drawn at random from all, to be named by a human who is shown no guess.

    Nothing is ever learned from these faces: what Lookwho would say of them without that shows how
    often it is right. Told like the face of a decision, so that it is found again.
    """

    class State(models.TextChoices):
        """What was answered."""

        DRAWN = "drawn"  # nothing yet
        NAMED = "named"
        STRANGER = "stranger"  # nobody who has a name here
        UNKNOWN = "unknown"  # nobody can tell, or it is no face

    id: int
    face_id: int | None
    person_id: int | None
    face: models.OneToOneField[Face | None] = models.OneToOneField(
        "Face", models.SET_NULL, null=True, blank=True, related_name="audit"
    )
    # What the photo belongs to: nothing of the same event may help to recognise the face.
    event = models.CharField(max_length=100)
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAWN)
    person = models.ForeignKey(Person, models.SET_NULL, null=True, blank=True, related_name="+")
    answered_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    # Of the decision that followed; taking that back takes the answer back.
    batch = models.UUIDField(null=True, blank=True, db_index=True)
    drawn_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta(Placed.Meta):
        indexes = (models.Index(fields=["state"], name="audit_state"),)
