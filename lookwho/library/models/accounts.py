"""Users: who may do what, and since when."""

from __future__ import annotations

from datetime import date, datetime
from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    """What a user may do. Each may do what those below it may."""

    OWNER = "owner"  # everything
    CURATOR = "curator"  # all photos and people, no users and settings
    ANNOTATOR = "annotator"  # answers questions about faces
    MEMBER = "member"  # finds themselves


class User(AbstractUser):
    """Someone who signs in, with a password or by a link."""

    Role = Role

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.MEMBER)
    # What another system knows them by: the list of members, or who signs them in.
    external_id = models.CharField(max_length=200, blank=True, db_index=True)
    birth_date = models.DateField(null=True, blank=True)
    # When they last looked at their photos, and the time before: what came since then is new.
    visited_at = models.DateTimeField(null=True, blank=True)
    visited_before = models.DateTimeField(null=True, blank=True)
    # Whether they want a mail when new photos of them appear, and until when that was told.
    wants_mail = models.BooleanField(default=False)
    mailed_until = models.DateTimeField(null=True, blank=True)

    @property
    def sees_everything(self) -> bool:
        """Whether all media and all names are open to this user."""
        return self.is_active and self.role in (Role.OWNER, Role.CURATOR)

    @property
    def is_owner(self) -> bool:
        """Whether this user may change users, folders and settings."""
        return self.is_active and self.role == Role.OWNER


class Team(models.Model):
    """Users with the same rights."""

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    title = models.CharField(max_length=100, unique=True)
    users: models.ManyToManyField[User, models.Model] = models.ManyToManyField(
        User, related_name="teams", blank=True
    )

    def __str__(self) -> str:
        return self.title


class Membership(models.Model):
    """A stretch of time in which a user was a member; both days count.

    A member without any was never given periods and is taken to be one all the time.
    """

    class Source(models.TextChoices):
        """Who says so."""

        HAND = "hand"  # an owner, on the page
        LIST = "list"  # a list of members: a file or the API
        CLAIM = "claim"  # who signs them in
        SITE = "site"  # the site that a collection comes from

    id: int
    user_id: int
    source = models.CharField(max_length=5, choices=Source.choices, default=Source.HAND)
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    since: models.DateField[date] = models.DateField()
    until = models.DateField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(until=None) | models.Q(until__gte=models.F("since")),
                name="membership_ends_after_it_begins",
            ),
        )


class EntryLink(models.Model):
    """A link that signs one user in, once. Only the sha256 of its token is kept."""

    id: int
    user_id: int
    user = models.ForeignKey(User, models.CASCADE, related_name="entry_links")
    token_hash = models.BinaryField(max_length=32, unique=True)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    expires_at: models.DateTimeField[datetime] = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)


class ApiToken(models.Model):
    """What a program signs in with, as its user. Only the sha256 of it is kept."""

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user_id: int
    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    title = models.CharField(max_length=100)
    token_hash = models.BinaryField(max_length=32, unique=True)
    # Such as "photos:read"; none: whatever its user may do.
    scopes: models.JSONField[list[str]] = models.JSONField(default=list)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
