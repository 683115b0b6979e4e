"""Progress: how far a job is as a whole, for whoever waits for it.

The row of an import tells of its walk through the folder alone. So the figures are those of
the jobs below it, and it is over when its walk is, none of them waits or is leased, nor the
segments of its videos, and the faces that were found have been grouped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, Sum
from django.utils import timezone

from lookwho.core.errors import NotFound
from lookwho.library.models import Analysis, Face, Job, Person, Worker
from lookwho.library.queries.work import SILENT

_OPEN = Q(state__in=(Job.State.WAITING, Job.State.LEASED))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Attributes:
        state: of its row; of an import that is of its walk.
        done: media that are settled, analysed or failed; of a job with none below it, its own.
        total: media that are known so far.
        over: whether nothing of it is still to be done.
        failed: of the library's photos and videos, how many could not be analysed.
        faces: in the library.
        people: in the library, groups without a name included.
        error_code: why the job itself failed.
        error: the same in words.
    """

    state: str
    done: int
    total: int
    over: bool
    failed: int
    faces: int
    people: int
    error_code: str
    error: str


def progress(job_id: int) -> Progress:
    """Return how far a job is.

    Raises:
        NotFound: there is no such job.
    """
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise NotFound(f"there is no job {job_id}")
    below = Job.objects.filter(parent=job).aggregate(
        jobs=Count("pk"), open=Count("pk", filter=_OPEN), done=Sum("done"), total=Sum("total")
    )
    family = Q(pk=job.pk) | Q(parent__parent=job.pk)
    is_open = Job.objects.filter(_OPEN, family | Q(kind=Job.Kind.GROUP)).exists()
    return Progress(
        state=job.state,
        done=below["done"] if below["jobs"] else job.done,
        total=below["total"] if below["jobs"] else job.total,
        over=not is_open and not below["open"],
        failed=Analysis.objects.filter(state=Analysis.State.FAILED, pack__active=True).count(),
        faces=Face.objects.filter(dismissed=False).exclude(source=Face.Source.ABSENT).count(),
        people=Person.objects.filter(merged_into=None, hidden=False).count(),
        error_code=job.error_code,
        error=job.error,
    )


def workers_seen(*, now: datetime | None = None) -> bool:
    """Return whether any worker was seen lately."""
    since = (now or timezone.now()) - SILENT
    return Worker.objects.filter(stopped_at=None, seen_at__gte=since).exists()
