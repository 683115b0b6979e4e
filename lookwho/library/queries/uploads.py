"""Uploads: what was sent to an album lately, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, QuerySet

from lookwho.core.archive import ENDINGS
from lookwho.library.models import Album, Job, Upload, Watch

# Archives are told one by one, so many of them; photos together.
MOST = 20
TOLD = 200


@dataclass(frozen=True, slots=True)
class Sent:
    """An archive.

    Attributes:
        upload: its row.
        percent: how far it is, of what it is at: being received, or unpacked.
    """

    upload: Upload
    percent: int


@dataclass(slots=True)
class Photos:
    """Photos that were sent one by one.

    Attributes:
        kept: those that are new.
        known: those that were there already.
        unfinished: those of which only a part came.
        refused: the others: name, code and message.
    """

    kept: int = 0
    known: int = 0
    unfinished: int = 0
    refused: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page of an album tells of uploads.

    Attributes:
        archives: the newest first.
        photos: all that were sent one by one.
        running: whether anything is being received, unpacked or read into the library.
        watches: folders that are watched for it.
    """

    archives: list[Sent]
    photos: Photos
    running: bool
    watches: list[Watch]

    @property
    def anything(self) -> bool:
        """Whether there is anything to tell."""
        photos = self.photos
        return bool(self.archives or photos.kept or photos.known or self.unhappy)

    @property
    def unhappy(self) -> bool:
        """Whether some photo did not come."""
        return bool(self.photos.unfinished or self.photos.refused)


def shown(album: Album) -> Shown:
    """Return what was sent to an album; the caller has asked who wants to know."""
    archives: list[Sent] = []
    photos = Photos()
    running = False
    rows = _lately(album)
    for row, done, total in ((row, row.job_done, row.job_total) for row in rows):  # pyright: ignore[reportAttributeAccessIssue]
        running |= row.state in (Upload.State.RECEIVING, Upload.State.UNPACKING)
        if row.name.lower().endswith(ENDINGS):
            if len(archives) < MOST:
                archives.append(Sent(row, _percent(row, done, total)))
            continue
        photos.kept += row.kept
        photos.known += row.known
        photos.unfinished += row.state == Upload.State.RECEIVING
        if row.state == Upload.State.FAILED and len(photos.refused) < TOLD:
            photos.refused += row.refused or [_failure(row)]
    reading = Job.objects.filter(
        kind=Job.Kind.IMPORT,
        state__in=(Job.State.WAITING, Job.State.LEASED),
        payload__album=album.pk,
    )
    return Shown(
        archives=archives,
        photos=photos,
        running=running or reading.exists(),
        watches=list(Watch.objects.filter(album=album).select_related("collection").order_by("pk")),
    )


def _lately(album: Album) -> QuerySet[Upload]:
    rows = Upload.objects.filter(album=album).exclude(state=Upload.State.CANCELLED)
    return rows.annotate(job_done=F("job__done"), job_total=F("job__total")).order_by("-pk")


def _percent(row: Upload, done: int | None, total: int | None) -> int:
    match row.state:
        case Upload.State.RECEIVING:
            return int(100 * row.received / row.size)
        case Upload.State.UNPACKING:
            return min(100, int(100 * (done or 0) / max(total or 1, 1)))
        case _:
            return 100


def _failure(row: Upload) -> dict[str, Any]:
    return {"name": row.name, "code": row.error_code, "message": row.error}
