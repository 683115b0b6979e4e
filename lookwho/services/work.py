"""Work: the job row is the record, whoever carries the job.

Claiming is one conditional UPDATE that sets a lease and a random ticket. Whoever has the ticket
extends the lease, hands in results and ends the job, until the lease is freed, or has expired and
somebody else claims the job. Then all of that raises StaleTicket and changes nothing.

An import's row is about the walk through the folder: its state, and how many files were looked at.
What became of the media is told by the jobs below it: see `progress`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, F, PositiveIntegerField, Q, QuerySet, When
from django.utils import timezone
from django.utils.module_loading import import_string

from lookwho.core.errors import LookwhoError, NotFound, StaleTicket, WorkerDied
from lookwho.library.models import Job, Worker
from lookwho.services import portions, video_segments
from lookwho.services.storage import storable

LEASE = timedelta(seconds=60)
# So often a job is given to a worker without getting any further. Jobs that analyse are not
# counted: there each item is (`portions`).
MOST_ATTEMPTS = 5
PRIORITY = {  # the smallest first
    Job.Kind.REFERENCE: -20,
    Job.Kind.ERASE: -15,
    Job.Kind.IMPORT: -10,
    Job.Kind.UNPACK: -10,
    Job.Kind.SITE: -10,
    Job.Kind.EMBED: -10,
    Job.Kind.JOIN: -10,
    Job.Kind.GROUP: -5,
    Job.Kind.NAMES: -5,
    Job.Kind.VIDEO: -5,
    Job.Kind.ANALYSE: 0,
    Job.Kind.PROXY: 0,
    Job.Kind.LEARN: 5,
    Job.Kind.MAIL: 5,
    Job.Kind.MONTAGE: 5,
    Job.Kind.SEGMENT: video_segments.PLACE,
}
# How many jobs a claim looks at, so that one lost to a faster worker costs no second look.
_AHEAD = 8

_WAITING = Q(state=Job.State.WAITING)
LEASED = Q(state=Job.State.LEASED)


def enqueue(
    kind: str,
    payload: Mapping[str, Any],
    *,
    parent: Job | None = None,
    priority: int | None = None,
    dedupe_key: str = "",
    run_at: datetime | None = None,
    total: int = 0,
) -> Job | None:
    """Let a job wait for a worker; return None where one with that key waits already.

    The one that waits already will see what the caller has changed: see `waits`.
    """
    job = Job(
        kind=kind,
        payload=dict(payload),
        parent=parent,
        priority=PRIORITY[Job.Kind(kind)] if priority is None else priority,
        dedupe_key=dedupe_key,
        run_at=run_at or timezone.now(),
        total=total,
    )
    with transaction.atomic():
        if dedupe_key and waits(dedupe_key):
            return None
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError:
            if not dedupe_key:
                raise
            return None  # another one was faster, just now
        ring(kind)
    return job


def waits(dedupe_key: str) -> bool:
    """Return whether a job with this key waits; to be called inside a transaction.

    It is locked until that ends. So nobody can claim it and look at the tables before they show
    what the caller has changed.
    """
    jobs = Job.objects.filter(_WAITING, dedupe_key=dedupe_key)
    return jobs.select_for_update(no_key=True).first() is not None


def ring(kind: str) -> None:
    """Wake whoever carries jobs of a kind, once the transaction is over."""
    if settings.DOORBELL:
        bell = import_string(settings.DOORBELL)
        transaction.on_commit(lambda: bell(kind), robust=True)


def is_due(kinds: Sequence[str], *, now: datetime | None = None) -> bool:
    """Return whether a job of these kinds waits to be claimed; only reads."""
    due = Job.objects.filter(_WAITING, kind__in=kinds, run_at__lte=now or timezone.now())
    return due.exists()


# --- with a ticket ---


def claim(worker: Worker, kinds: Sequence[str], *, now: datetime | None = None) -> Job | None:
    """Give a worker the next job of these kinds, or None; where there is none, nothing is written.

    A job whose lease has expired was lost by its worker, and is given away again.
    """
    now = now or timezone.now()
    silent = Job.objects.filter(LEASED, kind__in=kinds, lease_until__lt=now)
    for job in silent.order_by("pk"):
        lose(job, Q(lease_until__lt=now), now)
    while found := _due(kinds, now):
        for job in found:
            given = Job.objects.filter(_WAITING, pk=job.pk).update(
                state=Job.State.LEASED,
                ticket=secrets.token_urlsafe(32),
                worker=worker,
                lease_until=now + LEASE,
                attempts=F("attempts") + 1,
                started_at=now,  # of this attempt
            )
            if given:
                job.refresh_from_db()
                return job
    return None


def hold(job_id: int, ticket: str, *, settled: int = 0, now: datetime | None = None) -> Job:
    """Extend the lease, and return the job: nobody else changes it until the transaction ends.

    Args:
        job_id: the job.
        ticket: what `claim` gave.
        settled: how many more of its items are done.
        now: the time, if not the present.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
    """
    # One conditional UPDATE decides the race, and keeps the row.
    until = (now or timezone.now()) + LEASE
    _only(holding(job_id, ticket).update(lease_until=until, done=F("done") + settled), job_id)
    return Job.objects.get(pk=job_id)


def heartbeat(
    job_id: int, ticket: str, *, done: int | None = None, now: datetime | None = None
) -> bool:
    """Extend the lease, tell how far the job is, and return whether it is to be cancelled.

    A job that gets further than ever before begins to count its attempts afresh.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
    """
    told: dict[str, Any] = {"lease_until": (now or timezone.now()) + LEASE}
    if done is not None:
        further = Q(done__lt=done)
        number = PositiveIntegerField()
        told["attempts"] = Case(When(further, 1), default=F("attempts"), output_field=number)
        told["done"] = Case(When(further, done), default=F("done"), output_field=number)
    _only(holding(job_id, ticket).update(**told), job_id)
    return is_cancelled(job_id)


def is_cancelled(job_id: int) -> bool:
    """Return whether somebody asked for the job to be cancelled; only reads."""
    return Job.objects.filter(pk=job_id, cancel_requested=True).exists()


def finish(job_id: int, ticket: str, *, now: datetime | None = None) -> None:
    """End a job that is done.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
    """
    ended = holding(job_id, ticket).update(
        **_ended(Job.State.DONE, now or timezone.now()),
        # A video is done once it is joined.
        done=Case(When(~Q(kind=Job.Kind.VIDEO), total__gt=0, then=F("total")), default=F("done")),
        error_code="",
        error="",
    )
    _only(ended, job_id)


def fail(
    job_id: int,
    ticket: str,
    error: LookwhoError,
    *,
    retry_in: timedelta | None,
    now: datetime | None = None,
) -> None:
    """Say why a job could not be done; it waits for another attempt, or has failed for good.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
    """
    now = now or timezone.now()
    reason = {"error_code": error.code, "error": storable(error.message)}
    held = holding(job_id, ticket)
    if retry_in is None:
        _only(held.update(**_ended(Job.State.FAILED, now), **reason), job_id)
    else:
        _only(put_back(held, now, run_at=now + retry_in, **reason), job_id)


def give_back(job_id: int, ticket: str, *, now: datetime | None = None) -> None:
    """End an attempt that is nobody's fault: the worker stops, or the job is to be cancelled.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
    """
    held = holding(job_id, ticket)
    _only(put_back(held, now or timezone.now(), attempts=F("attempts") - 1), job_id)


# --- from outside ---


def cancel(job_id: int, *, now: datetime | None = None) -> None:
    """Cancel a job and those below it: at once where they wait, else as soon as they can stop.

    Media that were not analysed yet keep waiting: `retry` goes on with them, and so does
    `services.analysis.resume`. What was found so far of a video is gone.

    Raises:
        NotFound: there is no such job.
    """
    now = now or timezone.now()
    with transaction.atomic():
        job = _locked(job_id)
        family = _family(job_id)
        under_way = list(family.filter(LEASED | _WAITING).values_list("pk", flat=True))
        # The leased ones first: they may put an item into a job of its own until we have them.
        asked = family.filter(LEASED).update(cancel_requested=True)
        asked += family.filter(_WAITING).update(
            **_ended(Job.State.CANCELLED, now), cancel_requested=True
        )
        if asked and job.state == Job.State.DONE:  # the walk is over, but not the import
            Job.objects.filter(pk=job_id).update(cancel_requested=True)
        video_segments.wipe(Job.objects.filter(pk__in=under_way))


def retry(job_id: int, *, now: datetime | None = None) -> None:
    """Let a job that failed or was cancelled wait again, and those below it.

    Raises:
        NotFound: there is no such job.
    """
    now = now or timezone.now()
    with transaction.atomic():
        _locked(job_id)
        family = _family(job_id)
        family.filter(state=Job.State.DONE).update(cancel_requested=False)
        # What is below a video is made anew once that is read again.
        again = family.exclude(kind__in=(Job.Kind.SEGMENT, Job.Kind.JOIN))
        ended = list(again.filter(state__in=(Job.State.FAILED, Job.State.CANCELLED)))
        for job in [*ended, *video_segments.left(again)]:
            let_wait_again(job, now)


def let_wait_again(job: Job, now: datetime) -> None:
    """Let a job that has ended wait as if it were new; in a transaction."""
    _let_wait(
        Job.objects.filter(pk=job.pk, state=job.state),
        run_at=now,
        attempts=0,
        done=0 if job.kind == Job.Kind.VIDEO else F("done"),
        cancel_requested=False,
        error_code="",
        error="",
        finished_at=None,
    )
    ring(job.kind)


# --- what the row goes through ---


def _due(kinds: Sequence[str], now: datetime) -> list[Job]:
    """Return some of the jobs that may be claimed, the most urgent first."""
    found: list[Job] = []
    # One query for each kind, which the index answers without looking at all that waits.
    for kind in kinds:
        waiting = Job.objects.filter(_WAITING, kind=kind, run_at__lte=now)
        found += waiting.order_by("priority", "pk")[:_AHEAD]
    return sorted(found, key=lambda job: (job.priority, job.pk))


def holding(job_id: int, ticket: str) -> QuerySet[Job]:
    """Return the job if that ticket holds it; a blank one holds none."""
    return Job.objects.filter(LEASED, ~Q(ticket=""), pk=job_id, ticket=ticket)


def _only(changed: int, job_id: int) -> None:
    if not changed:
        raise StaleTicket(f"job {job_id} is no longer waiting for this result")


def _locked(job_id: int) -> Job:
    job = Job.objects.select_for_update(no_key=True).filter(pk=job_id).first()
    if job is None:
        raise NotFound(f"there is no job {job_id}")
    return job


def _family(job_id: int) -> QuerySet[Job]:
    """Return a job and those below it, and below these: the segments of an import's videos."""
    return Job.objects.filter(Q(pk=job_id) | Q(parent=job_id) | Q(parent__parent=job_id))


def _ended(state: str, now: datetime) -> dict[str, Any]:
    return {"state": state, "ticket": "", "lease_until": None, "finished_at": now}


def put_back(jobs: QuerySet[Job], now: datetime, **changes: Any) -> int:
    """Let a job wait again, or end it if it is to be cancelled; return whether it was there."""
    with transaction.atomic():
        ended = _ended(Job.State.CANCELLED, now)
        return jobs.filter(cancel_requested=True).update(**ended) or _let_wait(jobs, **changes)


def _let_wait(jobs: QuerySet[Job], **changes: Any) -> int:
    changes |= {"state": Job.State.WAITING, "ticket": "", "lease_until": None}
    with transaction.atomic():
        try:
            with transaction.atomic():
                return jobs.update(**changes)
        except IntegrityError:  # another with the same key came to wait meanwhile: keep both
            return jobs.update(**changes, dedupe_key="")


def lose(job: Job, if_still: Q, now: datetime) -> int:
    """Take back a job whose worker died or fell silent; return whether it was still there."""
    held = holding(job.pk, job.ticket).filter(if_still)
    with transaction.atomic():
        if job.kind != Job.Kind.ANALYSE and job.attempts >= MOST_ATTEMPTS:
            return _bury(job, held, now)
        lost = put_back(held, now)
        if lost and job.kind == Job.Kind.ANALYSE:
            portions.charge(job, now)
        return lost


def _bury(job: Job, held: QuerySet[Job], now: datetime) -> int:
    """End a job that keeps killing its workers; return whether it was still there."""
    died = WorkerDied(f"the process that did it died, {job.attempts} times in a row")
    is_video = job.kind in video_segments.KINDS  # which then says itself that it has failed
    state = Job.State.DONE if is_video else Job.State.FAILED
    ended = held.update(**_ended(state, now), error_code=died.code, error=died.message)
    if ended and is_video and video_segments.fail(job, died, now):
        ring(Job.Kind.JOIN)
    return ended
