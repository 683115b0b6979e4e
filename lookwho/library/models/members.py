"""What members and guests bring and are told: references, consents, searches, links."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from django.db import models

from lookwho.library.models.accounts import User
from lookwho.library.models.media import Album, Collection


class Reference(models.Model):
    """What a member is found by; on pages: a selfie. Exactly one face, at most five a member."""

    class State(models.TextChoices):
        """How far it is."""

        PROCESSING = "processing"
        DONE = "done"
        REJECTED = "rejected"

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user_id: int
    user = models.ForeignKey(User, models.CASCADE, related_name="references")
    file = models.CharField(max_length=100)  # below settings.SELFIES
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROCESSING)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    approved = models.BooleanField(default=True)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    # Shown to nobody and used no more, until it is removed for good.
    deleted_at = models.DateTimeField(null=True, blank=True)


class Consent(models.Model):
    """Who agreed to what, when, and in which version of the text."""

    id: int
    user = models.ForeignKey(User, models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=40)
    version = models.CharField(max_length=40)
    given_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)


class SearchLog(models.Model):
    """That somebody searched by a face. Not what was found."""

    id: int
    user = models.ForeignKey(User, models.CASCADE, related_name="searches")
    purpose = models.CharField(max_length=40)
    matches = models.PositiveIntegerField(default=0)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)


class Share(models.Model):
    """A link that lets others in, until it expires or is revoked. Its token is kept as a sha256."""

    class Kind(models.TextChoices):
        """What the link opens."""

        INVITATION = "invitation"  # whoever follows it becomes a member
        ALBUM = "album"
        COLLECTION = "collection"

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    token_hash = models.BinaryField(max_length=32, unique=True)
    # Of an invitation: for whom, and what they become.
    name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=12, choices=User.Role.choices, default=User.Role.MEMBER)
    album = models.ForeignKey(Album, models.CASCADE, null=True, blank=True, related_name="shares")
    collection = models.ForeignKey(
        Collection, models.CASCADE, null=True, blank=True, related_name="shares"
    )
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    expires_at: models.DateTimeField[datetime] = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
