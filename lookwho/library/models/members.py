"""What members and guests bring and are told: references, consents, searches, links, requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import models

from lookwho.library.models.accounts import User
from lookwho.library.models.media import Album, Collection, Media
from lookwho.library.models.people import Person


class Share(models.Model):
    """A link that lets others in, until it expires or is revoked. Its token is kept as a sha256."""

    class Kind(models.TextChoices):
        """What the link opens."""

        INVITATION = "invitation"  # whoever follows it becomes a user
        ALBUM = "album"
        PERSON = "person"  # the photos of one person
        COLLECTION = "collection"

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    token_hash = models.BinaryField(max_length=32, unique=True)
    # Of an invitation: for whom, what they become, and where it was sent.
    name = models.CharField(max_length=150, blank=True)
    email = models.EmailField(blank=True)
    role = models.CharField(max_length=12, choices=User.Role.choices, default=User.Role.MEMBER)
    album_id: int | None
    person_id: int | None
    collection_id: int | None
    album = models.ForeignKey(Album, models.CASCADE, null=True, blank=True, related_name="shares")
    person = models.ForeignKey(Person, models.CASCADE, null=True, blank=True, related_name="shares")
    collection = models.ForeignKey(
        Collection, models.CASCADE, null=True, blank=True, related_name="shares"
    )
    # Whoever follows it sees nothing but the photos that they are in themselves.
    only_mine = models.BooleanField(default=False)
    password = models.CharField(max_length=128, blank=True)  # as Django hashes them
    # The longest side of a photo that may be downloaded, in pixels; 0 is the photo as it is, and
    # None is none.
    download_side = models.PositiveIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    expires_at: models.DateTimeField[datetime] = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)


class Guest(models.Model):
    """Who follows a link and looks for themselves: no user, known by a cookie or a mailed link."""

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    share_id: int
    share = models.ForeignKey(Share, models.CASCADE, related_name="guests")
    token_hash = models.BinaryField(max_length=32, unique=True)
    # Blank: searched and forgotten. Else told of new photos until the day on which all goes.
    email = models.EmailField(blank=True)
    keep_until: models.DateTimeField[datetime] = models.DateTimeField()
    mailed_until = models.DateTimeField(null=True, blank=True)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (models.Index(fields=["keep_until"], name="guest_until"),)


class Reference(models.Model):
    """What a member or a guest is found by; on pages: a selfie. Exactly one face."""

    class State(models.TextChoices):
        """How far it is."""

        PROCESSING = "processing"
        DONE = "done"
        REJECTED = "rejected"

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user_id: int | None
    guest_id: int | None
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="references")
    guest = models.ForeignKey(
        Guest, models.CASCADE, null=True, blank=True, related_name="references"
    )
    file = models.CharField(max_length=100)  # below settings.SELFIES
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROCESSING)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    approved = models.BooleanField(default=True)
    approved_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    # Shown to nobody and used no more, until it is removed for good.
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(user=None) ^ models.Q(guest=None), name="reference_of_one"
            ),
        )


class ConsentText(models.Model):
    """What people are asked to agree to, in one of its versions. Never changed once it is used."""

    id: int
    purpose = models.CharField(max_length=40)
    version = models.PositiveIntegerField()
    text = models.TextField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["purpose", "version"], name="consent_text_once"),
        )


class Consent(models.Model):
    """Who agreed to what, when, and in which version of the text."""

    id: int
    user_id: int
    user = models.ForeignKey(User, models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=40)
    version = models.CharField(max_length=40)
    # Who agreed for a minor: their name and address.
    guardian = models.CharField(max_length=200, blank=True)
    guardian_email = models.EmailField(blank=True)
    given_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["user", "purpose"],
                condition=models.Q(withdrawn_at=None),
                name="consent_holds_once",
            ),
        )


class SearchLog(models.Model):
    """That somebody searched by a face, and whose. Not what was found."""

    id: int
    user_id: int | None
    person_id: int | None
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="searches")
    guest = models.ForeignKey(
        Guest, models.SET_NULL, null=True, blank=True, related_name="searches"
    )
    purpose = models.CharField(max_length=40)
    matches = models.PositiveIntegerField(default=0)
    # Whose face it was, where that is a person who has an account.
    person = models.ForeignKey(
        Person, models.CASCADE, null=True, blank=True, related_name="searches"
    )
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (models.Index(fields=["person", "-created_at"], name="search_person"),)


class Request(models.Model):
    """That somebody asks to have a photo removed."""

    class State(models.TextChoices):
        """What became of it."""

        OPEN = "open"
        HIDDEN = "hidden"  # the photo is hidden everywhere
        DECLINED = "declined"

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    media_id: int
    media = models.ForeignKey(Media, models.CASCADE, related_name="requests")
    # Who asks: a user, or a guest by an address for the answer.
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="requests")
    guest = models.ForeignKey(
        Guest, models.SET_NULL, null=True, blank=True, related_name="requests"
    )
    email = models.EmailField(blank=True)
    message = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    answer = models.TextField(blank=True)
    answered_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (models.Index(fields=["state", "created_at"], name="request_state"),)


class Erasure(models.Model):
    """That all about somebody was erased. It says how much, and not who it was.

    The same entry stands in the ledger, a file outside the backups (`services.ledger`), so that a
    restored backup is told what to erase again.
    """

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        DONE = "done"

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    # The uuids of the user, the person or both, and where the faces were: what is needed to do it
    # once more, and nothing that tells who it was.
    of_user = models.UUIDField(null=True, blank=True)
    of_person = models.UUIDField(null=True, blank=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    counts: models.JSONField[Any] = models.JSONField(default=dict)
    receipt = models.TextField(blank=True)  # signed
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True, blank=True)


class SiteAccount(models.Model):
    """What a user signs in with at the site that a collection comes from."""

    id: int
    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="site_accounts"
    )  # None: Lookwho's own, for imports
    collection = models.ForeignKey(Collection, models.CASCADE, related_name="site_accounts")
    token = models.TextField()  # signed in with, so kept encrypted: `services.sites`
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["user", "collection"], name="site_account_once"),
            models.UniqueConstraint(
                fields=["collection"],
                condition=models.Q(user=None),
                name="site_account_own_once",
            ),
        )
