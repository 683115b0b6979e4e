"""Video states: how far videos are, and in which order those that wait will be looked at.

Put together from their analyses, their segments and the jobs that are open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Count, F, Min, Q

from lookwho.core.types import Reason
from lookwho.library.models import Analysis, Job, Media, Segment
from lookwho.library.vectors.listing import listed

_OPEN = (Job.State.WAITING, Job.State.LEASED)
_SETTLED = (Analysis.State.DONE, Analysis.State.FAILED)
# The place of a video that was not read yet: behind any that a segment can have.
_UNREAD = 1 << 15
_KINDS = (Job.Kind.VIDEO, Job.Kind.SEGMENT, Job.Kind.JOIN)


class State(StrEnum):
    """How far a video is, as a whole."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DONE = "done"


SETTLED = (State.CANCELLED, State.FAILED, State.DONE)


@dataclass(frozen=True, slots=True)
class Part:
    """A segment: from when to when it lasts, in seconds, and how far it is.

    Attributes:
        part: its number, from 0.
        start: of it.
        end: of it.
        reached: up to where it was looked at.
        state: waiting, done or failed.
        people: how many were followed in it.
        error: why it failed.
    """

    part: int
    start: float
    end: float
    reached: float
    state: str
    people: int
    error: str

    @property
    def looked_at(self) -> float:
        """How many seconds of it are over."""
        if self.state != Segment.State.WAITING:
            return self.end - self.start
        return min(max(self.reached - self.start, 0.0), self.end - self.start)


@dataclass(frozen=True, slots=True)
class Open:
    """The jobs of a video that are open: where in the queue, and what is happening with them."""

    order: tuple[int, int]
    leased: bool = False
    stopping: bool = False
    joining: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one video is.

    Attributes:
        state: as a whole.
        code: of what went wrong.
        error: why it failed, or why nobody was found.
        share: how much of it was looked at, 0 to 1.
        segments: while it is not done.
    """

    state: State
    code: str = ""
    error: str = ""
    share: float = 0.0
    segments: tuple[Part, ...] = ()


def standing(media: Sequence[Media], open_jobs: Mapping[int, Open]) -> dict[int, Standing]:
    """Return how far each of some videos is, by their ids."""
    ids = [row.pk for row in media]
    analyses = Analysis.objects.filter(media__in=listed(ids)).order_by("pack__active", "pack")
    told = {row.media_id: row for row in analyses}
    over = {pk for pk, row in told.items() if row.state in _SETTLED}
    parts = segments_by_video([pk for pk in ids if pk not in over])
    found: dict[int, Standing] = {}
    for row in media:
        analysis, segments = told.get(row.pk), parts.get(row.pk, ())
        state = _state(analysis, open_jobs.get(row.pk), segments)
        code = error = ""
        share = 1.0 if state == State.DONE else 0.0
        if analysis is not None and state in (State.DONE, State.FAILED):
            code = analysis.error_code
            error = Reason(analysis.reason).message if analysis.reason else analysis.error
        elif whole := sum(part.end - part.start for part in segments):
            share = sum(part.looked_at for part in segments) / whole
        found[row.pk] = Standing(state, code, error, share, segments)
    return found


def all_open() -> dict[int, Open]:
    """Return what is open of all videos, by their ids."""
    jobs = Job.objects.filter(kind__in=_KINDS, state__in=_OPEN)
    leased = Count("pk", filter=Q(state=Job.State.LEASED))
    stopping = Count("pk", filter=Q(state=Job.State.LEASED, cancel_requested=True))
    figures = (
        jobs.order_by()
        .values_list("payload__media", "kind")
        .annotate(place=Min("priority"), first=Min("pk"), leased=leased, stopping=stopping)
    )
    kinds: defaultdict[int, dict[str, tuple[int, int, int, int]]] = defaultdict(dict)
    for medium, kind, place, first, held, ending in figures:
        kinds[medium][kind] = place, first, held, ending
    return {
        medium: Open(
            order=_order(of_it),
            leased=any(held for _, _, held, _ in of_it.values()),
            stopping=any(ending for _, _, _, ending in of_it.values()),
            joining=Job.Kind.JOIN in of_it,
        )
        for medium, of_it in kinds.items()
    }


def _order(kinds: Mapping[str, tuple[int, int, int, int]]) -> tuple[int, int]:
    """Return by what a video is put into the queue: the place and the age of its segments."""
    if segments := kinds.get(Job.Kind.SEGMENT):
        return segments[0], segments[1]
    if video := kinds.get(Job.Kind.VIDEO):
        # It was not read yet: unless it was moved, it comes behind all that were.
        return video[0] if video[0] > 0 else _UNREAD, video[1]
    return 0, kinds[Job.Kind.JOIN][1]


def segments_by_video(media: Collection[int]) -> dict[int, tuple[Part, ...]]:
    """Return the segments of videos, by their ids: those of the models in use."""
    told = ("video__media", "part", "start", "end", "reached", "state", "people", "error")
    rows = Segment.objects.filter(video__media__in=listed(media), pack__active=True)
    found: defaultdict[int, list[Part]] = defaultdict(list)
    for pk, *rest in rows.order_by("part").values_list(*told):
        found[pk].append(Part(*rest))
    return {pk: tuple(parts) for pk, parts in found.items()}


def places(open_jobs: Mapping[int, Open]) -> dict[int, int]:
    """Return which each video that waits is in the queue, by its id."""
    begun = Segment.objects.filter(video__media__in=listed(open_jobs), pack__active=True)
    begun = begun.filter(~Q(state=Segment.State.WAITING) | Q(reached__gt=F("start")))
    under_way = set(begun.values_list("video__media", flat=True))
    waiting = [
        (job.order, pk)
        for pk, job in open_jobs.items()
        if not (job.leased or job.stopping or job.joining or pk in under_way)
    ]
    return {pk: place for place, (_, pk) in enumerate(sorted(waiting), 1)}


def _state(analysis: Analysis | None, job: Open | None, segments: Sequence[Part]) -> State:
    if analysis is not None and analysis.state in _SETTLED:
        return State(analysis.state)
    if job is None:
        return State.CANCELLED if analysis is not None else State.WAITING
    if job.stopping:
        return State.STOPPING
    begun = job.leased or job.joining or any(part.looked_at for part in segments)
    return State.RUNNING if begun else State.WAITING
