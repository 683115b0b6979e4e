"""Crew: the processes that carry out jobs, and what becomes of their jobs when they end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from lookwho.library.models import Job, Worker
from lookwho.services import processes, work

_FORGOTTEN = timedelta(days=30)


def register_worker(kinds: Sequence[str]) -> Worker:
    """Write down that this process carries out jobs of these kinds."""
    pid = os.getpid()
    return Worker.objects.create(
        host=processes.host(), pid=pid, born=processes.born(pid), kinds=list(kinds)
    )


def see(worker: Worker, *, now: datetime | None = None) -> None:
    """Write down that a worker is alive."""
    Worker.objects.filter(pk=worker.pk).update(seen_at=now or timezone.now())


def stop_worker(worker: Worker, *, now: datetime | None = None) -> int:
    """Write down that a worker ends as it should; return how many jobs it gives back."""
    now = now or timezone.now()
    Worker.objects.filter(pk=worker.pk).update(stopped_at=now)
    held = list(Job.objects.filter(work.LEASED, worker=worker))
    return sum(_given_back(job, now) for job in held)


def free(worker: Worker, *, now: datetime | None = None) -> int:
    """Take back at once what a dead worker had leased; return how many jobs that are."""
    now = now or timezone.now()
    Worker.objects.filter(pk=worker.pk).update(stopped_at=now)
    return sum(work.lose(job, Q(), now) for job in Job.objects.filter(work.LEASED, worker=worker))


def sweep(*, now: datetime | None = None) -> int:
    """Take back what dead processes of this machine had leased; return how many jobs that are.

    What machines had that are gone is claimed again when the lease has expired.
    """
    now = now or timezone.now()
    Worker.objects.filter(seen_at__lt=now - _FORGOTTEN).delete()
    workers = Worker.objects.filter(host=processes.host(), stopped_at=None)
    return sum(free(each, now=now) for each in workers if processes.is_dead(each.pid, each.born))


def _given_back(job: Job, now: datetime) -> int:
    return work.put_back(work.holding(job.pk, job.ticket), now, attempts=F("attempts") - 1)
