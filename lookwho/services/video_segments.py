"""Video segments: the jobs in which a video is looked at, and what becomes of each stretch.

A video has one VIDEO job, which reads what the file says and makes a SEGMENT job for each stretch
of a grid that is the same for any number of workers. Whoever settles the last of them lets a JOIN
job wait. All of that happens under the lock of the video's `Analysis`: so of two that end at once,
one is the last.

A job that dies or fails costs its own stretch alone, and only when it did so again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from lookwho.core.errors import LookwhoError
from lookwho.library.models import Analysis, Job, Segment
from lookwho.services.storage import storable

KINDS = (Job.Kind.VIDEO, Job.Kind.SEGMENT, Job.Kind.JOIN)
OPEN = (Job.State.WAITING, Job.State.LEASED)
# Of a file that fails to be read, a process of which dies over it, and the like. A worker that is
# lost is another matter: see `services.work`.
MOST_ATTEMPTS = 3
# The place in the queue of a video that nobody has moved, as the priority of its segments. All are
# above those of photos, which come first.
PLACE, FIRST, LAST = 1000, 1, 32_000


def make_jobs(media: Sequence[int], pack: int, parent: Job | None = None) -> None:
    """Let videos wait to be read, each in a job of its own that counts as one medium."""
    Job.objects.bulk_create(
        Job(
            kind=Job.Kind.VIDEO,
            payload={"pack": pack, "media": each},
            parent=parent,
            priority=-5,  # reading takes a moment, and tells how long the rest will take
            total=1,
        )
        for each in media
    )


def jobs_of(media: int, pack: int) -> QuerySet[Job]:
    """Return all jobs that a video ever had."""
    return Job.objects.filter(kind__in=KINDS, payload__media=media, payload__pack=pack)


def held(pack: int) -> set[int]:
    """Return the videos for which a job waits or is being done."""
    jobs = Job.objects.filter(kind__in=KINDS, state__in=OPEN, cancel_requested=False)
    found = jobs.values_list("payload", flat=True).iterator()
    return {payload["media"] for payload in found if payload["pack"] == pack}


def locked(media: int, pack: int) -> Analysis | None:
    """Return the analysis of a video if it still waits; nobody else changes it or its segments."""
    rows = Analysis.objects.select_for_update(of=("self",)).select_related("media", "pack")
    return rows.filter(media=media, pack=pack, state=Analysis.State.WAITING).first()


def of(media: int, pack: int) -> QuerySet[Segment]:
    """Return the segments of a video."""
    return Segment.objects.filter(video__media=media, pack=pack).order_by("part")


def settle(segment: Segment, job: Job, now: datetime) -> bool:
    """Write down what became of a stretch; return whether the video is to be joined now.

    In a transaction that holds the `locked` analysis.
    """
    segment.finished_at = now
    segment.save()
    media, pack = job.payload["media"], job.payload["pack"]
    if of(media, pack).filter(state=Segment.State.WAITING).exists():
        return False
    key = f"join:{media}:{pack}"
    if not Job.objects.filter(state=Job.State.WAITING, dedupe_key=key).exists():
        Job.objects.create(
            kind=Job.Kind.JOIN,
            payload={"pack": pack, "media": media},
            parent_id=job.parent_id,
            priority=-10,
            dedupe_key=key,
        )
    return True


def fail(job: Job, error: LookwhoError, now: datetime) -> bool:
    """Write down why a job of a video could not be done; return whether that changes anything.

    What a SEGMENT job could not do costs its stretch, all else the video. In a transaction that
    holds the job's row.
    """
    media, pack = job.payload["media"], job.payload["pack"]
    analysis = locked(media, pack)
    if analysis is None:
        return False
    code, reason = error.code, storable(error.message)
    if job.kind == Job.Kind.SEGMENT:
        segment = of(media, pack).filter(part=job.payload["part"]).first()
        if segment is None or segment.state != Segment.State.WAITING:
            return False
        segment.state, segment.people = Segment.State.FAILED, 0
        segment.error_code, segment.error = code, reason
        settle(segment, job, now)
        return True
    analysis.state, analysis.attempts = Analysis.State.FAILED, job.attempts
    analysis.error_code, analysis.error, analysis.finished_at = code, reason, now
    analysis.save()
    of(media, pack).delete()
    counted(job)
    return True


def counted(job: Job) -> None:
    """Count a video as one medium of its import that nothing more is to be done for."""
    video = job.pk if job.kind == Job.Kind.VIDEO else job.parent_id
    Job.objects.filter(pk=video, kind=Job.Kind.VIDEO).update(done=F("total"))


def left(jobs: QuerySet[Job]) -> list[Job]:
    """Return those of some VIDEO jobs that were read, but whose video nobody looks at any more."""
    below = Job.objects.filter(parent=OuterRef("pk"), state__in=OPEN, cancel_requested=False)
    read = jobs.filter(~Exists(below), kind=Job.Kind.VIDEO, state=Job.State.DONE)
    waiting = Analysis.objects.filter(state=Analysis.State.WAITING)
    return [
        job
        for job in read
        if waiting.filter(media=job.payload["media"], pack=job.payload["pack"]).exists()
        and not jobs_of(job.payload["media"], job.payload["pack"])
        .filter(state__in=OPEN, cancel_requested=False)
        .exists()
    ]


def wipe(jobs: QuerySet[Job]) -> None:
    """Remove what was found so far of the videos that these jobs are about, and not yet joined.

    In the transaction that cancels them. Whoever is at one of them finds nothing to write to.
    """
    about = jobs.filter(kind__in=KINDS).order_by()
    found = {(each["media"], each["pack"]) for each in about.values_list("payload", flat=True)}
    for media, pack in sorted(found):
        if locked(media, pack) is not None:
            of(media, pack).delete()


# --- the queue ---


def queued() -> QuerySet[Job]:
    """Return the VIDEO jobs of the videos that still wait or are being looked at."""
    below = Job.objects.filter(parent=OuterRef("pk"), state__in=OPEN)
    jobs = Job.objects.filter(kind=Job.Kind.VIDEO, cancel_requested=False)
    return jobs.filter(Q(state__in=OPEN) | Exists(below))


def last_place() -> int:
    """Return where in the queue a video comes that comes now."""
    most = queued().aggregate(most=Max("priority"))["most"]
    return min(max(PLACE, most or PLACE), LAST)


def place(jobs: Iterable[int], priority: int) -> None:
    """Give the videos of these VIDEO jobs a place in the queue, and so their segments."""
    some = list(jobs)
    Job.objects.filter(pk__in=some).update(priority=priority)
    segments = Job.objects.filter(parent__in=some, kind=Job.Kind.SEGMENT, state__in=OPEN)
    segments.update(priority=priority)
