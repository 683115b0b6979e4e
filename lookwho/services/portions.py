"""Portions: the media that one ANALYSE job holds, and which of them answers for a dead worker.

An item is a medium of such a job. It is settled when its analysis is done or has failed. Only an
item that was in hand when something died is charged an attempt, and it then waits in a job of its
own, so that it harms no other again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db.models import F

from lookwho.core.errors import WorkerDied
from lookwho.library.models import Analysis, Job

PORTION = 20
# The first jobs of an import are smaller, so that all workers have something to do at once.
RAMP = (4, 8, 16)
MOST_ATTEMPTS = 3
# What is tried again waits so long for each attempt it had: what killed one may be over by then.
PAUSE = timedelta(seconds=5)


def make_jobs(media: Sequence[int], pack: int, parent: Job | None = None) -> int:
    """Make the jobs in which these media wait to be analysed, in this order."""
    number = Job.objects.filter(parent=parent).count() if parent else 0
    jobs: list[Job] = []
    at = 0
    while at < len(media):
        size = RAMP[number] if number < len(RAMP) else PORTION
        jobs.append(_job(media[at : at + size], pack, parent and parent.pk, number))
        at += size
        number += 1
    Job.objects.bulk_create(jobs)
    return len(jobs)


def unsettled(job: Job) -> list[int]:
    """Return the media of a job that wait for their result, in the job's order."""
    waiting = set(
        Analysis.objects.filter(
            pack=job.payload["pack"],
            media__in=job.payload["media"],
            state=Analysis.State.WAITING,
        ).values_list("media_id", flat=True)
    )
    return [media for media in job.payload["media"] if media in waiting]


def charge(job: Job, now: datetime) -> None:
    """Let the item in hand answer for the worker that died with this job.

    Results of a first attempt are recorded several at once, so that nobody knows which item was
    in hand: nobody is charged, unless only one was left. From the second attempt on each result
    is recorded by itself, so it was the first item without one.
    """
    left = unsettled(job)
    if not left or (job.attempts < 2 and len(left) > 1):
        return
    analysis = Analysis.objects.get(media=left[0], pack=job.payload["pack"])
    analysis.attempts += 1
    if analysis.attempts >= MOST_ATTEMPTS:
        analysis.state = Analysis.State.FAILED
        analysis.error_code = WorkerDied.code
        analysis.error = f"the process that analysed it died {analysis.attempts} times in a row"
        analysis.finished_at = now
    analysis.save()
    if analysis.state == Analysis.State.FAILED:
        Job.objects.filter(pk=job.pk).update(done=F("done") + 1)
    elif len(left) > 1:
        put_aside(job, left[:1], now + PAUSE * analysis.attempts)
    else:
        Job.objects.filter(pk=job.pk).update(run_at=now + PAUSE * analysis.attempts)


def put_aside(job: Job, media: Collection[int], run_at: datetime) -> None:
    """Take some items out of a job, each into a job of its own that waits until then.

    The caller's transaction has the row of the job: what is read here cannot change meanwhile.
    """
    job.refresh_from_db(fields=["payload", "total", "cancel_requested"])
    job.payload["media"] = [item for item in job.payload["media"] if item not in media]
    job.total -= len(media)
    job.save(update_fields=["payload", "total"])
    alone = [_job([item], job.payload["pack"], job.parent_id, job.part) for item in media]
    for other in alone:
        other.run_at = run_at
        other.cancel_requested = job.cancel_requested
        if job.cancel_requested:
            other.state = Job.State.CANCELLED
    Job.objects.bulk_create(alone)


def _job(media: Sequence[int], pack: int, parent: int | None, part: int) -> Job:
    return Job(
        kind=Job.Kind.ANALYSE,
        payload={"pack": pack, "media": list(media)},
        parent_id=parent,
        part=part,
        total=len(media),
    )
