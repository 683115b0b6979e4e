"""Media: photos and videos, where they lie, and the albums they are in."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db import models

from lookwho.library.models.accounts import Team, User
from lookwho.library.paths import unescaped

if TYPE_CHECKING:
    from lookwho.library.models.work import Job


class Collection(models.Model):
    """Where media come from. Originals are never modified."""

    class Kind(models.TextChoices):
        """How the media are reached."""

        FOLDER = "folder"
        UPLOADS = "uploads"
        BUCKET = "bucket"
        SITE = "site"

    class Policy(models.TextChoices):
        """What members may do with media that are in no visible album."""

        CLOSED = "closed"  # nothing
        OWN = "own"  # find those that they are in themselves, and see no others
        OPEN = "open"  # see all

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.FOLDER)
    policy = models.CharField(max_length=8, choices=Policy.choices, default=Policy.CLOSED)
    # The folder's absolute path, as `library.paths` stores it; for a bucket or a site its address.
    root = models.TextField(unique=True)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    scanned_at = models.DateTimeField(null=True, blank=True)

    @property
    def folder(self) -> Path:
        """Where it lies on this machine."""
        return Path(unescaped(self.root))

    def __str__(self) -> str:
        return self.title


class Media(models.Model):
    """One photo or video, known by its image data without metadata."""

    class Kind(models.TextChoices):
        """What it is."""

        PHOTO = "photo"
        VIDEO = "video"

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    payload_hash = models.BinaryField(max_length=32, unique=True)
    kind = models.CharField(max_length=5, choices=Kind.choices, default=Kind.PHOTO)
    format = models.CharField(max_length=12, blank=True)
    # Upright, in pixels; 0 where not even the header tells.
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    orientation = models.PositiveSmallIntegerField(default=1)
    # What the camera's clock said, kept as if it were UTC; else when the file was last changed.
    taken_at: models.DateTimeField[datetime] = models.DateTimeField()
    day: models.DateField[date] = models.DateField()  # of taken_at, for the timeline
    duration = models.FloatField(null=True, blank=True)  # of a video, in seconds
    # Whether it lies anywhere and is not hidden: kept by `services.register`, so that a list needs
    # no second table, and what is hidden is hidden everywhere.
    present = models.BooleanField(default=True)
    hidden = models.BooleanField(default=False)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (
            # One that holds all that the timeline asks for, so that the table is not read.
            models.Index(fields=["present", "-day", "-taken_at", "-id"], name="media_timeline"),
            # Of all media few are videos. SQLite takes no partial index where the kind comes as a
            # parameter, so it is a whole one.
            models.Index(fields=["kind", "-day", "-taken_at", "-id"], name="media_kinds"),
        )


class Location(models.Model):
    """A place where a medium lies: the same photo may lie in several.

    `media` is null where the file cannot be read at all; `error_code` then says why.
    """

    id: int
    collection_id: int
    media_id: int | None
    collection = models.ForeignKey(Collection, models.CASCADE, related_name="locations")
    media = models.ForeignKey(
        Media, models.CASCADE, null=True, blank=True, related_name="locations"
    )
    # Relative to the collection's root, with /, as `library.paths` stores it.
    path = models.TextField()
    # What the file was when it was last read; `services.intake` reads it again when they differ.
    size = models.BigIntegerField(default=0)
    mtime_ns = models.BigIntegerField(default=0)
    file_hash = models.BinaryField(max_length=32, null=True, blank=True)
    missing_since = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["collection", "path"], name="location_once"),
        )
        indexes = (models.Index(fields=["media", "collection"], name="location_media"),)

    @property
    def file(self) -> Path:
        """The file itself. Of several that are there, the one with the smallest id is to be read.

        Only that one is sure to be turned as `Media.orientation` says.
        """
        return self.collection.folder / unescaped(self.path)


class Album(models.Model):
    """A titled, dated set of media: an event."""

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    title = models.CharField(max_length=200)
    slug = models.SlugField(max_length=220, unique=True)
    date = models.DateField(null=True, blank=True)
    event = models.CharField(max_length=200, blank=True)
    hidden = models.BooleanField(default=False)
    # While what was uploaded first is still taken in: members see it once that is done.
    processing = models.BooleanField(default=False)
    # Where these are given, only their users see it, beside owners and curators.
    teams: models.ManyToManyField[Team, models.Model] = models.ManyToManyField(
        Team, related_name="albums", blank=True
    )
    # Of faces in its media only those of people who consented get a lasting vector.
    consenting_only = models.BooleanField(default=False)
    # Of an album of another site: which one it is there.
    source = models.ForeignKey(
        Collection, models.SET_NULL, null=True, blank=True, related_name="albums"
    )
    external_id = models.CharField(max_length=200, blank=True)
    cover = models.ForeignKey(Media, models.SET_NULL, null=True, blank=True, related_name="+")
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    media: models.ManyToManyField[Media, AlbumItem] = models.ManyToManyField(
        Media, through="AlbumItem", related_name="albums"
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["source", "external_id"],
                condition=models.Q(source__isnull=False),
                name="album_of_site_once",
            ),
        )
        indexes = (models.Index(fields=["hidden", "-date", "-id"], name="album_dates"),)

    def __str__(self) -> str:
        return self.title


class Watch(models.Model):
    """A folder that is looked through again and again, for photos that join an album."""

    id: int
    collection = models.ForeignKey(Collection, models.CASCADE, related_name="watches")
    album = models.ForeignKey(Album, models.CASCADE, null=True, blank=True, related_name="watches")
    every = models.PositiveIntegerField(default=60)  # seconds
    looked_at = models.DateTimeField(null=True, blank=True)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["collection", "album"], name="watch_once"),)


class Like(models.Model):
    """That a user likes a photo."""

    id: int
    user_id: int
    media_id: int
    user = models.ForeignKey(User, models.CASCADE, related_name="likes")
    media = models.ForeignKey(Media, models.CASCADE, related_name="likes")
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "media"], name="like_once"),)
        indexes = (models.Index(fields=["media"], name="like_media"),)


class Upload(models.Model):
    """A file that comes in pieces: photos, or an archive of them. It lies in settings.UPLOADS."""

    class State(models.TextChoices):
        """How far it is."""

        RECEIVING = "receiving"
        UNPACKING = "unpacking"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user_id: int | None
    album_id: int | None
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="uploads")
    album = models.ForeignKey(Album, models.CASCADE, null=True, blank=True, related_name="uploads")
    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    received = models.BigIntegerField(default=0)
    state = models.CharField(max_length=9, choices=State.choices, default=State.RECEIVING)
    # Of an archive: photos kept, photos that the album had already, and what was refused and why.
    kept = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    refused: models.JSONField[Any] = models.JSONField(default=list)  # [{name, code, message}]
    # That unpacks or imports it.
    job_id: int | None
    job: models.ForeignKey[Job | None] = models.ForeignKey(
        "Job", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    touched_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = (models.Index(fields=["state", "touched_at"], name="upload_open"),)


class AlbumItem(models.Model):
    """A medium in an album."""

    id: int
    album_id: int
    media_id: int
    album = models.ForeignKey(Album, models.CASCADE, related_name="items")
    media = models.ForeignKey(Media, models.CASCADE, related_name="album_items")
    added_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["album", "media"], name="album_item_once"),)
