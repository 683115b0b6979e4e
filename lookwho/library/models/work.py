"""Work: the job row is the record, whoever carries the job."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import models
from django.utils import timezone


class Job(models.Model):
    """One piece of work.

    Claiming is one conditional UPDATE that sets a lease and a random ticket. Only that ticket
    hands in results, until the lease is freed or has expired and somebody else claims the job.
    """

    class Kind(models.TextChoices):
        """What is to be done; `payload` says with what."""

        IMPORT = "import"  # {"collection": id, "album": id or null, "paths": [..] or null}
        ANALYSE = "analyse"  # {"pack": id, "media": [ids, at most 20]}
        REFERENCE = "reference"  # {"reference": id}
        GROUP = "group"  # {}
        EMBED = "embed"  # {"pack": id, "faces": [ids]}: faces whose boxes a human drew
        LEARN = "learn"  # {}
        UNPACK = "unpack"  # {"upload": id}: an archive that was uploaded
        SITE = "site"  # {"collection": id}: another site's albums, photos, likes and members
        MAIL = "mail"  # {"user": id or "guest": id}: new photos of them, if there are any
        ERASE = "erase"  # {"erasure": id}
        NAMES = "names"  # {"user": id}: take over the names that the files carry
        VIDEO = "video"  # {"pack": id, "media": id}: read what a video says, and make its segments
        SEGMENT = "segment"  # {"pack": id, "media": id, "part": n}
        JOIN = "join"  # {"pack": id, "media": id}: its segments are all settled
        PROXY = "proxy"  # {"media": id}: make a copy that browsers play
        MONTAGE = "montage"  # {"user": id, "person": id, "uuid": …}: moments of one person

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        LEASED = "leased"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id: int
    parent_id: int | None
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="children"
    )
    part = models.PositiveIntegerField(default=0)
    parts = models.PositiveIntegerField(default=0)
    payload: models.JSONField[Any] = models.JSONField(default=dict)
    # Of the waiting jobs only one may have the same key, unless the key is blank.
    dedupe_key = models.CharField(max_length=100, blank=True)
    priority = models.SmallIntegerField(default=0)  # the smallest first
    run_at: models.DateTimeField[datetime] = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    worker_id: int | None
    worker: models.ForeignKey[Worker | None] = models.ForeignKey(
        "Worker", models.SET_NULL, null=True, blank=True, related_name="jobs"
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    ticket = models.CharField(max_length=43, blank=True)
    cancel_requested = models.BooleanField(default=False)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    created_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["dedupe_key"],
                condition=models.Q(state="waiting") & ~models.Q(dedupe_key=""),
                name="job_waits_once",
            ),
        )
        indexes = (
            models.Index(fields=["kind", "state", "priority", "id"], name="job_due"),
            models.Index(fields=["parent", "state"], name="job_children"),
            models.Index(fields=["state", "finished_at"], name="job_finished"),
        )


class Worker(models.Model):
    """A process that carries out jobs: who it is, and when it was last seen."""

    id: int
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    # When the process began, in the system's own ticks: a pid alone may be used again.
    born = models.CharField(max_length=40, blank=True)
    kinds: models.JSONField[Any] = models.JSONField(default=list)
    started_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now_add=True)
    seen_at: models.DateTimeField[datetime] = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True, blank=True)
