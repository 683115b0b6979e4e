"""Settling: what was sent comes to an end, whatever died on the way.

Nothing here is told by anybody that it is time: the tables are asked what is still under way. So no
process that dies leaves an album hidden, or an upload that never ends.
"""

from __future__ import annotations

import contextlib
import time
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from lookwho.core.errors import LookwhoError, WorkError
from lookwho.library.models import Album, Job, Upload
from lookwho.services import events, uploads
from lookwho.services.receiving import LIVE, discard, end, fail, finish, job_of, offset_of

# What nobody went on with for so long is given up; what has ended is told for so long.
DEAD_AFTER = timedelta(days=1)
TOLD_FOR = timedelta(days=30)
# A file of which nothing came for so long does not keep its album from members.
QUIET = timedelta(seconds=60)
# All was there, and the process died that was to take it in.
LOST_AFTER = timedelta(minutes=10)
_ORPHAN_SECONDS = 3600.0
_OPEN = (Job.State.WAITING, Job.State.LEASED)


def settle(*, now: datetime | None = None) -> int:
    """End what has ended: uploads whose job did, and the hiding of albums that are complete.

    An album is complete once nothing that was sent for it is being received, unpacked or read.
    Its photos may still wait to be analysed: members see them, and find themselves as it gets on.

    Returns:
        How many albums members see now.
    """
    now = now or timezone.now()
    for upload in Upload.objects.filter(state=Upload.State.UNPACKING).select_related("job"):
        _end_with_job(upload)
    shown = 0
    for album in Album.objects.filter(processing=True, source=None):
        if not _is_coming(album, now):
            shown += Album.objects.filter(pk=album.pk, processing=True).update(processing=False)
    return shown


def imported(job: Job) -> None:
    """Do what follows when photos have joined an album."""
    album = Album.objects.filter(pk=job.payload.get("album"), consenting_only=True).first()
    if album is not None:
        events.album_changed(album)


def sweep(*, now: datetime | None = None) -> int:
    """Give up what nobody went on with for a day, and remove files that no row knows of.

    Returns:
        How many uploads were given up or taken in after all.
    """
    now = now or timezone.now()
    swept = 0
    complete = Q(received=F("size"), touched_at__lt=now - LOST_AFTER)
    old = Upload.objects.filter(
        complete | Q(touched_at__lt=now - DEAD_AFTER), state=Upload.State.RECEIVING
    )
    for upload in old:
        if offset_of(upload) == upload.size:
            finish(upload)
        else:
            fail(upload, WorkError("nothing more of it came for a day: send it again"))
        swept += 1
    Upload.objects.filter(touched_at__lt=now - TOLD_FOR).exclude(state__in=LIVE).delete()
    folder = Path(settings.UPLOADS) / uploads.RECEIVING
    live = Upload.objects.filter(state__in=LIVE)
    entries = list(folder.iterdir()) if folder.is_dir() else []
    known = {uuid.hex for uuid in live.values_list("uuid", flat=True)}  # listed before it is asked
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):
            aged = time.time() - entry.stat().st_mtime > _ORPHAN_SECONDS
            if aged and entry.name not in known:
                entry.unlink()
    settle(now=now)
    return swept


def _end_with_job(upload: Upload) -> None:
    """Say of an upload whose job will do nothing more that it has ended, and why."""
    job = job_of(upload)
    if job is None:
        fail(upload, WorkError("the job that was to unpack it is gone: send it again"))
    elif job.state == Job.State.FAILED:
        if fail(upload, LookwhoError(job.error)):
            Upload.objects.filter(pk=upload.pk).update(error_code=job.error_code)
    elif job.state == Job.State.CANCELLED and end(upload, Upload.State.CANCELLED):
        discard(upload.uuid)


def _is_coming(album: Album, now: datetime) -> bool:
    """Return whether anything that was sent for an album is still on its way into it."""
    sent = Upload.objects.filter(album=album)
    receiving = sent.filter(state=Upload.State.RECEIVING, touched_at__gt=now - QUIET)
    if receiving.exists():
        return True
    # What is tried again and again, on a full disk say, keeps nobody from the rest.
    jobs = Job.objects.filter(state__in=_OPEN, error_code="")
    unpacking = sent.filter(state=Upload.State.UNPACKING, job__in=jobs)
    reading = jobs.filter(kind=Job.Kind.IMPORT, payload__album=album.pk)
    return unpacking.exists() or reading.exists()
