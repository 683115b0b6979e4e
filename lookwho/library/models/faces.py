"""Faces, their embeddings, and what the models and the files said of each medium.

Boxes are x1, y1, x2, y2 and landmarks five points x, y, as fractions 0..1 of the upright image.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import models

from lookwho.library.models.media import Media
from lookwho.library.models.members import Reference
from lookwho.library.models.people import Person
from lookwho.library.models.placed import Placed


class Pack(models.Model):
    """Models that work together, with the settings that change what they find."""

    id: int
    name = models.CharField(max_length=60)
    preset = models.CharField(max_length=20, default="balanced")
    revision = models.PositiveIntegerField(default=1)
    dim = models.PositiveIntegerField()
    active = models.BooleanField(default=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["name", "preset", "revision"], name="pack_once"),
        )


class Analysis(models.Model):
    """What became of one medium under one pack."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    id: int
    media_id: int
    pack_id: int
    media = models.ForeignKey(Media, models.CASCADE, related_name="analyses")
    pack = models.ForeignKey(Pack, models.CASCADE, related_name="+")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Why there is no face, as core.types.Reason; blank where there is one.
    reason = models.CharField(max_length=20, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["media", "pack"], name="analysis_once"),)
        indexes = (models.Index(fields=["state", "finished_at"], name="analysis_state"),)


class Face(models.Model):
    """One face in one medium; of a video the best picture of one person in it."""

    class Source(models.TextChoices):
        """Who found it."""

        DETECTOR = "detector"
        HUMAN = "human"
        METADATA = "metadata"
        # Somebody is in the photo, as a human said, but no face of theirs shows: the box is empty.
        ABSENT = "absent"

    id: int
    media_id: int
    person_id: int | None
    guess_id: int | None
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    media = models.ForeignKey(Media, models.CASCADE, related_name="faces")
    time = models.FloatField(null=True, blank=True)  # in a video, in seconds
    x1 = models.FloatField()
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()
    landmarks: models.JSONField[Any] = models.JSONField(default=list)  # [[x, y] × 5], or []
    score = models.FloatField(default=0)
    quality = models.FloatField(default=0)
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.DETECTOR)
    # Confirmed by a human, and never otherwise.
    person = models.ForeignKey(Person, models.SET_NULL, null=True, blank=True, related_name="faces")
    # What Lookwho thinks: a named person, or a group that has no name yet.
    guess = models.ForeignKey(
        Person, models.SET_NULL, null=True, blank=True, related_name="guessed_faces"
    )
    probability = models.FloatField(null=True, blank=True)  # that the guess is right
    fit = models.ForeignKey("Fit", models.SET_NULL, null=True, blank=True, related_name="+")
    # "Not a face", said by a human: kept, so that saying so can be taken back.
    dismissed = models.BooleanField(default=False)

    class Meta:
        indexes = (
            # All that it takes to count everybody's photos, without the rows themselves.
            models.Index(
                fields=["person", "guess", "media"],
                condition=models.Q(dismissed=False),
                name="face_who",
            ),
            # What nobody has said anything about, by how sure Lookwho is of it. `person` is in it
            # and not in its condition, or SQLite would rather take the index of `person` alone.
            models.Index(
                fields=["person", "probability"],
                condition=models.Q(dismissed=False),
                name="face_open",
            ),
        )

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2 as fractions of the upright image."""
        return self.x1, self.y1, self.x2, self.y2


class Embedding(models.Model):
    """The vector of a face or of a reference: float32 bytes, little-endian, of unit length.

    These bytes are the truth; what searches them is a copy (`library.vectors`).
    """

    id: int
    face_id: int | None
    reference_id: int | None
    pack_id: int
    face = models.ForeignKey(Face, models.CASCADE, null=True, blank=True, related_name="embeddings")
    reference = models.ForeignKey(
        Reference, models.CASCADE, null=True, blank=True, related_name="embeddings"
    )
    pack = models.ForeignKey(Pack, models.CASCADE, related_name="+")
    vector = models.BinaryField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["face", "pack"], name="embedding_face_once"),
            models.UniqueConstraint(fields=["reference", "pack"], name="embedding_reference_once"),
            models.CheckConstraint(
                condition=models.Q(face=None) ^ models.Q(reference=None), name="embedding_of_one"
            ),
        )


class VectorChange(models.Model):
    """A vector that came or went; followed by what searches in memory."""

    class Verb(models.TextChoices):
        """What happened."""

        ADD = "add"
        REMOVE = "remove"

    seq = models.BigAutoField(primary_key=True)
    verb = models.CharField(max_length=6, choices=Verb.choices)
    face_id = models.BigIntegerField()  # no foreign key: it outlives the face
    pack_id = models.BigIntegerField()


class Region(models.Model):
    """A name that the file itself carries, at a box; used only once the owner says so."""

    class State(models.TextChoices):
        """What the owner said."""

        OFFERED = "offered"
        ACCEPTED = "accepted"  # and, where `face` is set, done
        DECLINED = "declined"

    id: int
    media_id: int
    face_id: int | None
    media = models.ForeignKey(Media, models.CASCADE, related_name="regions")
    face = models.ForeignKey(Face, models.SET_NULL, null=True, blank=True, related_name="regions")
    name = models.CharField(max_length=200)
    source = models.CharField(max_length=12)  # mwg or microsoft
    x1 = models.FloatField()
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.OFFERED)
    accepted_by = models.ForeignKey(
        "lookwho.User", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # The batch of the decisions that accepting it made or will make, so that undo finds it.
    batch = models.UUIDField(null=True, blank=True, db_index=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["media", "name", "x1", "y1", "x2", "y2"], name="region_once"
            ),
        )
        indexes = (models.Index(fields=["state", "name"], name="region_state"),)


class Suppression(Placed):
    """A box that must not become a face again: "not a face", or erased."""

    id: int
    erased = models.BooleanField(default=False)
    decision = models.ForeignKey(
        "Decision", models.CASCADE, null=True, blank=True, related_name="suppressions"
    )


class Fit(models.Model):
    """A learned state, and the figures that it was judged by."""

    id: int
    pack_id: int
    pack = models.ForeignKey(Pack, models.CASCADE, related_name="+")
    state = models.BinaryField(default=bytes)
    figures: models.JSONField[Any] = models.JSONField(default=dict)
    active = models.BooleanField(default=False)
    # The newest decision that was there to learn from.
    learned_until = models.PositiveBigIntegerField(default=0)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["pack"], condition=models.Q(active=True), name="fit_active_once"
            ),
        )
