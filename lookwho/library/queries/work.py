"""Work: what is being done, how fast, by whom, and what went wrong. Only who sees all is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

from django.db.models import (
    Case,
    Count,
    IntegerField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from lookwho.core.errors import NotFound
from lookwho.library.models import Analysis, Collection, Job, Location, Media, Worker
from lookwho.library.queries.video_work import Estimate, estimate
from lookwho.library.scope import Scope

OPEN = (Job.State.WAITING, Job.State.LEASED)
# A worker that was not seen for so long is taken for dead.
SILENT = timedelta(seconds=30)
# The rate is that of the last while, so that it follows what happens.
LATELY = timedelta(seconds=60)
BARS = 60


class State(StrEnum):
    """How far an import is, as a whole: its walk through the folder and the photos it found."""

    WAITING = "waiting"
    READING = "reading"  # walking through the folder; photos are analysed meanwhile
    ANALYSING = "analysing"  # the walk is over
    STOPPING = "stopping"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DONE = "done"


RUNNING = (State.WAITING, State.READING, State.ANALYSING, State.STOPPING)


@dataclass(frozen=True, slots=True)
class Import:
    """One import.

    Attributes:
        job: its row, about the walk alone.
        state: how far it is as a whole.
        done: photos and videos that were analysed or failed.
        total: photos and videos that are known so far.
        title: of the collection.
    """

    job: Job
    state: State
    done: int
    total: int
    title: str

    @property
    def running(self) -> bool:
        """Whether anything is still to be done."""
        return self.state in RUNNING


@dataclass(frozen=True, slots=True)
class Pace:
    """How work as a whole gets on.

    Attributes:
        done: photos and videos analysed of what runs now.
        total: photos and videos known of it so far.
        rate: photos a second, lately.
        seconds: what is left, at that rate, and for videos; None where nothing tells.
        reading: whether folders are still being read, so that the total grows.
        running: whether anything waits or is being done.
        stuck: whether work waits and no worker was seen lately.
        videos: how much of videos is still to be looked at.
    """

    done: int = 0
    total: int = 0
    rate: float = 0.0
    seconds: float | None = None
    reading: bool = False
    running: bool = False
    stuck: bool = False
    videos: Estimate = field(default_factory=Estimate)


class Trouble(StrEnum):
    """What failed."""

    JOB = "job"
    MEDIA = "media"  # a photo or a video could not be analysed
    FILE = "file"  # a file could not be read as one


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that failed: what, its name, why, and by what it is tried again."""

    trouble: Trouble
    id: int
    what: str
    code: str
    reason: str
    media: UUID | None = None


@dataclass(frozen=True, slots=True)
class Throughput:
    """Photos analysed in each of `BARS` stretches of `step` seconds, the latest last."""

    counts: list[int]
    step: int


def imports(scope: Scope, *, take: int = 20) -> list[Import]:
    """Return imports, those under way first, then the latest."""
    if not scope.everything:
        return []
    jobs = Job.objects.filter(kind=Job.Kind.IMPORT).annotate(
        open=_below(Count("pk"), state__in=OPEN) + _two_below(state__in=OPEN),
        stopped=_below(Count("pk"), state=Job.State.CANCELLED),
        known=_below(Sum("total")),
        settled=_below(Sum("done")),
    )
    under_way = Case(When(Q(state__in=OPEN) | Q(open__gt=0), then=Value(0)), default=Value(1))
    rows = list(jobs.order_by(under_way, "-pk")[:take])
    titles = dict(
        Collection.objects.filter(pk__in={row.payload.get("collection") for row in rows})
        .order_by()
        .values_list("pk", "title")
    )
    return [_import(row, titles.get(row.payload.get("collection"), "")) for row in rows]


def pace(scope: Scope, *, now: datetime | None = None) -> Pace:
    """Return how work as a whole gets on."""
    if not scope.everything:
        return Pace()
    now = now or timezone.now()
    under_way = [each for each in imports(scope) if each.running]
    # Photos that are tried again belong to no import; of what else waits there is nothing to count.
    alone = Job.objects.filter(state__in=OPEN, parent=None)
    kinds = {
        kind: (total, done, due)
        for kind, total, done, due in alone.values_list("kind").annotate(
            Sum("total"), Sum("done"), Min("run_at")
        )
    }
    again = kinds.get(Job.Kind.ANALYSE, (0, 0, now))
    done = sum(each.done for each in under_way) + again[1]
    total = sum(each.total for each in under_way) + again[0]
    rate = _rate(now)
    films = estimate(scope, now=now)
    # A video counts as one of its import, and takes as long as many photos.
    photos = max(total - done - films.videos, 0)
    due = bool(under_way) or any(when <= now - SILENT for _, _, when in kinds.values())
    return Pace(
        done=done,
        total=total,
        rate=rate,
        seconds=_seconds(photos, rate, films),
        reading=any(each.state in (State.WAITING, State.READING) for each in under_way),
        running=bool(under_way) or bool(kinds) or bool(films.videos),
        stuck=(due or films.videos > films.unread) and not _alive(now).exists(),
        videos=films,
    )


def workers(scope: Scope, *, now: datetime | None = None) -> list[Worker]:
    """Return the workers that were seen within a day and have not ended, the latest first."""
    if not scope.everything:
        return []
    seen = Worker.objects.filter(
        stopped_at=None, seen_at__gte=(now or timezone.now()) - timedelta(days=1)
    )
    return list(seen.order_by("-seen_at", "-pk")[:64])


def throughput(scope: Scope, *, now: datetime | None = None) -> Throughput:
    """Return how many photos were analysed lately: in the last ten minutes, or in the last hour."""
    now = now or timezone.now()
    if not scope.everything:
        return Throughput([0] * BARS, 60)
    hour = Analysis.objects.filter(
        state__in=_SETTLED, finished_at__gte=now - timedelta(hours=1), finished_at__lt=now
    )
    first = hour.aggregate(first=Min("finished_at"))["first"]
    step = 60 if first and first < now - timedelta(minutes=10) else 10
    # A count of each stretch of the index: to sort rows into stretches would take a call of
    # Python's for each on SQLite.
    edges = [now - timedelta(seconds=step * (BARS - bar)) for bar in range(BARS + 1)]
    counts = [
        Analysis.objects.filter(state__in=_SETTLED, finished_at__gte=since, finished_at__lt=until)
        .order_by()
        .annotate(bar=Value(bar, IntegerField()))
        .values_list("bar")
        .annotate(Count("pk"))
        for bar, (since, until) in enumerate(pairwise(edges))
    ]
    told = dict(counts[0].union(*counts[1:], all=True))
    return Throughput([told.get(bar, 0) for bar in range(BARS)], step)


def failures(scope: Scope, *, skip: int = 0, take: int = 50) -> tuple[list[Failure], int]:
    """Return what failed, in one list, and how much that is."""
    if not scope.everything:
        return [], 0
    jobs = failed_jobs(scope).order_by("-pk")
    media = _failed_media().order_by("-finished_at", "-pk")
    files = unreadable_files(scope).order_by("collection", "path")
    parts: tuple[tuple[int, Callable[[slice], list[Failure]]], ...] = (
        (jobs.count(), lambda part: _of_jobs(jobs[part])),
        (media.count(), lambda part: _of_media(media[part])),
        (files.count(), lambda part: _of_files(files[part])),
    )
    found: list[Failure] = []
    total = 0
    for count, told in parts:
        begin = max(0, skip - total)
        found += told(slice(begin, max(begin, skip + take - total)))
        total += count
    return found, total


def failed_jobs(scope: Scope) -> QuerySet[Job]:
    """Return the jobs that failed as a whole."""
    jobs = Job.objects.filter(state=Job.State.FAILED)
    return jobs if scope.everything else jobs.none()


def unreadable_files(scope: Scope) -> QuerySet[Location]:
    """Return the files that could not be read as photos or videos."""
    files = Location.objects.filter(media=None, missing_since=None).exclude(error_code="")
    return files if scope.everything else files.none()


def job(scope: Scope, uuid: UUID) -> Job:
    """Return a job.

    Raises:
        NotFound: there is none, or it is not for the asker.
    """
    found = Job.objects.filter(uuid=uuid).first() if scope.everything else None
    if found is None:
        raise NotFound("there is no such work any more")
    return found


_JOBS = {
    Job.Kind.IMPORT: "Reading a folder",
    Job.Kind.ANALYSE: "Looking for faces",
    Job.Kind.REFERENCE: "Looking at a selfie",
    Job.Kind.EMBED: "Looking at faces drawn by hand",
    Job.Kind.GROUP: "Putting faces together",
    Job.Kind.NAMES: "Taking over names",
    Job.Kind.LEARN: "Learning from what was said",
    Job.Kind.ERASE: "Overwriting what was erased",
    Job.Kind.MAIL: "Writing a mail about new photos",
    Job.Kind.SITE: "Reading another website",
    Job.Kind.UNPACK: "Unpacking an archive",
    Job.Kind.VIDEO: "Reading a video",
    Job.Kind.SEGMENT: "Looking for faces in a video",
    Job.Kind.JOIN: "Putting the faces of a video together",
    Job.Kind.PROXY: "Making a copy of a video that browsers play",
    Job.Kind.MONTAGE: "Making a montage",
}
_SETTLED = (Analysis.State.DONE, Analysis.State.FAILED)


def _below(figure: Count | Sum, **which: object) -> Coalesce:
    """Return a figure of the jobs below each job."""
    children = Job.objects.filter(parent=OuterRef("pk"), **which).order_by().values("parent")
    return Coalesce(Subquery(children.annotate(figure=figure).values("figure")), 0)


def _two_below(**which: object) -> Coalesce:
    """Return how many such jobs are below those below each job: the segments of its videos."""
    children = Job.objects.filter(parent__parent=OuterRef("pk"), **which).order_by()
    count = children.values("parent__parent").annotate(figure=Count("pk")).values("figure")
    return Coalesce(Subquery(count), 0)


def _import(job: Job, title: str) -> Import:
    told = vars(job)
    state = _state(job, told["open"], told["stopped"])
    return Import(job, state, told["settled"], told["known"], title or "a removed folder")


def _state(job: Job, open_below: int, stopped: int) -> State:
    if job.cancel_requested and (open_below or job.state == Job.State.LEASED):
        return State.STOPPING
    if job.state == Job.State.WAITING:
        return State.WAITING
    if job.state == Job.State.LEASED:
        return State.READING
    if job.state == Job.State.FAILED:
        return State.FAILED
    if open_below:
        return State.ANALYSING
    return State.CANCELLED if stopped or job.state == Job.State.CANCELLED else State.DONE


def _rate(now: datetime) -> float:
    lately = Analysis.objects.filter(
        state__in=_SETTLED,
        finished_at__gte=now - LATELY,
        finished_at__lte=now,
        media__kind=Media.Kind.PHOTO,
    ).aggregate(count=Count("pk"), first=Min("finished_at"))
    if not lately["count"]:
        return 0.0
    return lately["count"] / max(5.0, (now - lately["first"]).total_seconds())


def _seconds(photos: int, rate: float, films: Estimate) -> float | None:
    """Return how long it takes from now, None where nothing tells."""
    if films.unread or (photos and not rate) or not (rate or films.videos):
        return None
    return (photos / rate if photos else 0.0) + films.needed


def _alive(now: datetime) -> QuerySet[Worker]:
    return Worker.objects.filter(stopped_at=None, seen_at__gte=now - SILENT)


def _failed_media() -> QuerySet[Analysis]:
    return Analysis.objects.filter(state=Analysis.State.FAILED, pack__active=True)


def _of_jobs(rows: QuerySet[Job]) -> list[Failure]:
    return [
        Failure(Trouble.JOB, row.pk, _JOBS[Job.Kind(row.kind)], row.error_code, row.error)
        for row in rows
    ]


def _of_media(rows: QuerySet[Analysis]) -> list[Failure]:
    places = Location.objects.filter(media=OuterRef("media")).order_by("missing_since", "pk")
    told = rows.annotate(path=Subquery(places.values("path")[:1])).select_related("media")
    return [
        Failure(
            Trouble.MEDIA,
            row.media_id,
            vars(row)["path"] or f"a {row.media.kind} that is no longer there",
            row.error_code,
            row.error,
            row.media.uuid,
        )
        for row in told
    ]


def _of_files(rows: QuerySet[Location]) -> list[Failure]:
    return [Failure(Trouble.FILE, row.pk, row.path, row.error_code, row.error) for row in rows]
