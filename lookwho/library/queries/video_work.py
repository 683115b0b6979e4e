"""Work on videos: how much there is of it, how long it takes, and what was found so far.

Only who sees all is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.db.models import F, Q, Sum
from django.utils import timezone

from lookwho.core import cast, footage
from lookwho.core.cast import VideoPerson
from lookwho.core.errors import InputError
from lookwho.library.models import AlbumItem, Job, Media, Segment, Suppression, Worker
from lookwho.library.scope import Scope

# How many seconds of video one worker looks at in a second, as long as none was measured.
USUAL_RATE = 2.0
# So many finished segments tell how fast it goes.
_MEASURED = 50
_SILENT = timedelta(seconds=30)
_OPEN = (Job.State.WAITING, Job.State.LEASED)
_TENTHS = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long it will take to look at the videos that wait.

    Attributes:
        videos: that wait or are being looked at.
        unread: those of them of which nobody knows yet how long they are.
        seconds: of video that were found in the others.
        looked_at: how many of these seconds are done.
        needed: seconds that the rest takes, at this rate.
        rate: seconds of video a second, by all workers.
        measured: whether the rate was measured, or is a guess.
    """

    videos: int = 0
    unread: int = 0
    seconds: float = 0.0
    looked_at: float = 0.0
    needed: float = 0.0
    rate: float = USUAL_RATE
    measured: bool = False


def estimate(scope: Scope, *, now: datetime | None = None) -> Estimate:
    """Return how long it will take to look at the videos that wait."""
    if not scope.everything:
        return Estimate()
    jobs = Job.objects.filter(cancel_requested=False)
    unread = jobs.filter(kind=Job.Kind.VIDEO, state__in=_OPEN).count()
    below = jobs.filter(kind__in=(Job.Kind.SEGMENT, Job.Kind.JOIN), state__in=_OPEN)
    read = below.order_by().values("parent").distinct()
    told = jobs.filter(kind=Job.Kind.SEGMENT, parent__in=read).aggregate(
        total=Sum("total"), done=Sum("done")
    )
    seconds, looked_at = (told["total"] or 0) / _TENTHS, (told["done"] or 0) / _TENTHS
    each = _rate_of_one()
    rate = (each or USUAL_RATE) * _workers(now or timezone.now())
    return Estimate(
        videos=unread + read.count(),
        unread=unread,
        seconds=seconds,
        looked_at=looked_at,
        needed=max(seconds - looked_at, 0.0) / rate,
        rate=rate,
        measured=each is not None,
    )


def partial_people(scope: Scope, media: Media) -> tuple[VideoPerson, ...]:
    """Return who was found so far in a video that is still being looked at, most seen first.

    Nobody where not everybody may be shown: in a video that keeps only people who agreed, or of
    which somebody was erased. That is decided when all of it was looked at.
    """
    if not scope.everything or _is_delicate(media):
        return ()
    done = Segment.objects.filter(video__media=media, state=Segment.State.DONE)
    kept = done.exclude(result=b"").order_by("part").values_list("pk", "finished_at")
    return _joined(tuple(kept))


@lru_cache(maxsize=8)
def _joined(segments: tuple[tuple[int, datetime | None], ...]) -> tuple[VideoPerson, ...]:
    """Return the people of some segments; kept, since pages ask again and again."""
    ids = [pk for pk, _ in segments]
    kept = Segment.objects.filter(pk__in=ids).exclude(result=b"").order_by("part")
    found = [footage.load_segment(bytes(each)) for each in kept.values_list("result", flat=True)]
    try:
        return cast.join(found).people if found else ()
    except InputError:  # whoever joins them says what is wrong
        return ()


def _is_delicate(media: Media) -> bool:
    guards = AlbumItem.objects.filter(media=media, album__consenting_only=True)
    gone = Suppression.objects.filter(payload_hash=bytes(media.payload_hash))
    return media.hidden or guards.exists() or gone.exists()


def _rate_of_one() -> float | None:
    """Return how many seconds of video one worker looks at in a second; None if none has yet."""
    done = Job.objects.filter(
        kind=Job.Kind.SEGMENT, state=Job.State.DONE, error_code="", started_at__isnull=False
    )
    lately = done.filter(finished_at__gt=F("started_at")).order_by("-finished_at")
    rows = list(lately.values_list("total", "started_at", "finished_at")[:_MEASURED])
    took = sum((finished - started).total_seconds() for _, started, finished in rows)
    return sum(total for total, _, _ in rows) / _TENTHS / took if took > 0 else None


def _workers(now: datetime) -> int:
    """Return how many workers look at videos; one at least, for somebody will."""
    seen = Worker.objects.filter(Q(stopped_at=None), seen_at__gte=now - _SILENT)
    return max(sum(Job.Kind.SEGMENT in kinds for kinds in seen.values_list("kinds", flat=True)), 1)
