"""Viewing: how a video is read, looked at in segments, and joined.

What was found in a segment is kept until all are there, and what becomes of the video is then
written at once: so whoever cancels, or dies, leaves no half of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from django.db import transaction
from django.utils import timezone

from lookwho.core import footage, segments
from lookwho.core.errors import Cancelled, InputError, LookwhoError, SetupError
from lookwho.core.segments import SegmentResult
from lookwho.core.tracks import Track, View
from lookwho.library.models import Analysis, Job, Media, Segment, Video
from lookwho.services import casting, filmed, video_segments, work
from lookwho.services.decisions import one_at_a_time
from lookwho.services.guarding import allowed, guarded
from lookwho.services.storage import storable
from lookwho.services.video_segments import MOST_ATTEMPTS, OPEN, locked

if TYPE_CHECKING:
    from lookwho.core.video import VideoInfo

_WAITING = Segment.State.WAITING
# Time as jobs count it, in their `done` and `total`.
TENTHS = 10


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a SEGMENT job is to look at.

    Attributes:
        media: the video.
        duration: of the whole video, in seconds.
        part: of `core.segments.grid`.
        start: of the stretch.
    """

    media: int
    duration: float
    part: int
    start: float


def is_wanted(job: Job) -> bool:
    """Return whether the video of a job still waits to be looked at."""
    waits = Analysis.objects.filter(state=Analysis.State.WAITING)
    return waits.filter(media=job.payload["media"], pack=job.payload["pack"]).exists()


def record_info(job_id: int, ticket: str, info: VideoInfo, *, now: datetime | None = None) -> int:
    """Write down what a video's file says, and let its segments wait; return how many they are.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
        Cancelled: it is to be cancelled.
    """
    now = now or timezone.now()
    media: int = Job.objects.get(pk=job_id).payload["media"]
    # By itself: a transaction that holds the job must not wait for whoever holds the medium.
    _write_size(media, info)
    with transaction.atomic():
        job = _held(job_id, ticket, now)
        analysis = locked(media, job.payload["pack"])
        if analysis is None:
            return 0
        video, _ = Video.objects.update_or_create(
            media_id=media,
            defaults={
                "container": info.container[:40],
                "codec": info.codec[:40],
                "frame_rate": info.frame_rate,
                "has_audio": info.has_audio,
                "plays": info.plays,
            },
        )
        # Of an earlier attempt that was cancelled or failed.
        video_segments.of(media, analysis.pack_id).delete()
        Job.objects.filter(parent=job).exclude(state__in=OPEN).delete()
        Job.objects.filter(parent=job).update(parent=None)
        stretches = segments.grid(info.duration)
        Segment.objects.bulk_create(
            Segment(
                video=video,
                pack_id=analysis.pack_id,
                part=part,
                start=start,
                end=end,
                reached=start,
            )
            for part, (start, end) in enumerate(stretches)
        )
        place = job.priority if job.priority > 0 else video_segments.last_place()
        Job.objects.filter(pk=job.pk).update(priority=place)
        Job.objects.bulk_create(
            Job(
                kind=Job.Kind.SEGMENT,
                payload={**job.payload, "part": part},
                parent=job,
                part=part,
                parts=len(stretches),
                priority=place,
                total=max(round(TENTHS * (end - start)), 1),
            )
            for part, (start, end) in enumerate(stretches)
        )
        work.ring(Job.Kind.SEGMENT)
        return len(stretches)


def stretch_of(job: Job) -> Stretch | None:
    """Return what a SEGMENT job is to look at; None where nothing waits for it any more."""
    found = video_segments.of(job.payload["media"], job.payload["pack"])
    segment = found.filter(part=job.payload["part"], state=_WAITING).first()
    media = Media.objects.filter(pk=job.payload["media"]).first()
    if segment is None or media is None or media.duration is None:
        return None
    return Stretch(media.pk, media.duration, segment.part, segment.start)


def note(job: Job, stretch: Stretch, reached: float, people: int) -> bool:
    """Write down how far a segment is, and extend the lease; return whether it is to be cancelled.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
    """
    seconds = max(reached - stretch.start, 0.0)
    done = min(round(TENTHS * seconds), job.total)
    cancelled = work.heartbeat(job.pk, job.ticket, done=done)
    if not cancelled:
        found = video_segments.of(stretch.media, job.payload["pack"])
        found.filter(part=stretch.part, state=_WAITING).update(reached=reached, people=people)
    return cancelled


def record_segment(
    job_id: int, ticket: str, result: SegmentResult, *, now: datetime | None = None
) -> None:
    """Store what was found in a segment; whoever stores the last one lets the joining wait.

    The only door: what is handed in for a segment that is settled, or of a video that is cancelled,
    changes nothing.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
        Cancelled: it is to be cancelled.
    """
    now = now or timezone.now()
    with transaction.atomic():
        job = _held(job_id, ticket, now)
        media, pack = job.payload["media"], job.payload["pack"]
        if locked(media, pack) is None:
            return
        found = video_segments.of(media, pack)
        segment = found.filter(part=job.payload["part"], state=_WAITING).first()
        if segment is None:
            return
        result = casting.spared(result, bytes(segment.video.media.payload_hash))
        result = _only_theirs(result, media, pack)
        segment.state, segment.reached = Segment.State.DONE, segment.end
        segment.people = len(result.tracks)
        segment.result = footage.dump_segment(result)
        if video_segments.settle(segment, job, now):
            work.ring(Job.Kind.JOIN)


def record_error(
    job_id: int, ticket: str, error: LookwhoError, *, now: datetime | None = None
) -> bool:
    """Write down why a job of a video failed; return False where it is to be tried again.

    A file that cannot be read is not tried again, what else goes wrong is, `MOST_ATTEMPTS` times;
    a machine that cannot (a full disk, missing models) is no fault of any video.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
        Cancelled: it is to be cancelled.
    """
    now = now or timezone.now()
    with transaction.atomic():
        job = _held(job_id, ticket, now)
        tried = not isinstance(error, SetupError) and job.attempts >= MOST_ATTEMPTS
        if not (tried or isinstance(error, InputError)):
            return False
        if video_segments.fail(job, error, now):
            work.ring(Job.Kind.JOIN)
        return True


def run_join(job: Job, *, now: datetime | None = None) -> None:
    """Make one video of its segments: whom it shows, and when.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
        Cancelled: it is to be cancelled.
        InputError: what was found is damaged, or nothing of the video could be looked at.
    """
    from lookwho.core import cast  # and with it what only this job needs

    media, pack = job.payload["media"], job.payload["pack"]
    parts = list(video_segments.of(media, pack).defer("result"))
    if not parts or not is_wanted(job) or any(part.state == _WAITING for part in parts):
        return  # cancelled, begun anew, or joined by a worker that died of what came after
    results = _results(parts)
    if not results:
        raise _as_told(parts[0])
    found = cast.join(results)
    now = now or timezone.now()
    with transaction.atomic():
        _held(job.pk, job.ticket, now)
        analysis = locked(media, pack)
        if analysis is None:
            return
        video = Video.objects.select_for_update(no_key=True).get(media=media)
        filmed.store_cast(analysis, video, found, analysis.pack)
        Video.objects.filter(pk=video.pk).update(warning=_warning(parts, found.problem))
        # Their rows tell how fast it went; what was found is in the library now.
        video_segments.of(media, pack).update(result=b"")
        video_segments.counted(job)


# --- parts ---


def _held(job_id: int, ticket: str, now: datetime) -> Job:
    job = work.hold(job_id, ticket, now=now)
    if job.cancel_requested:
        raise Cancelled(f"job {job_id} is to stop")
    return job


def _write_size(media: int, info: VideoInfo) -> None:
    told: dict[str, object] = {
        "width": info.width,
        "height": info.height,
        "duration": info.duration,
    }
    if info.taken_at is not None:
        taken_at = info.taken_at.replace(tzinfo=UTC)
        told |= {"taken_at": taken_at, "day": taken_at.date()}
    Media.objects.filter(pk=media).update(**told)


def _results(parts: Sequence[Segment]) -> list[SegmentResult]:
    """Return what was found in the segments that could be looked at, one read at a time."""
    done = [part.pk for part in parts if part.state == Segment.State.DONE]
    kept = (Segment.objects.values_list("result", flat=True).get(pk=pk) for pk in done)
    return [footage.load_segment(bytes(each)) for each in kept]


def _as_told(part: Segment) -> InputError:
    """Return why nothing of a video could be looked at: what was wrong with its first segment."""
    error = InputError(part.error or "nothing of it could be looked at")
    error.code = part.error_code or error.code
    return error


def _warning(parts: Sequence[Segment], problem: str) -> str:
    lost = [
        f"{_clock(part.start)} to {_clock(part.end)} could not be looked at: {part.error}"
        for part in parts
        if part.state == Segment.State.FAILED
    ]
    return storable(". ".join([*lost, *filter(None, [problem])]))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _only_theirs(result: SegmentResult, media: int, pack: int) -> SegmentResult:
    """Return what was found without the vectors that may not be kept, not even until it is joined.

    Of a face of somebody who did not agree there is a vector that nothing is like: so it is nobody
    when the segments are joined.
    """
    if not guarded([media]):
        return result
    with one_at_a_time():  # or somebody withdraws their consent between this look and the end
        may = allowed(pack)
    chance = np.random.default_rng((media, result.part, pack))
    tracks: list[Track] = []
    for track in result.tracks:
        vectors = np.stack([view.embedding for view in track.views])
        theirs = may.theirs(vectors).any()
        tracks.append(
            track
            if theirs
            else replace(track, views=tuple(_nobody(view, chance) for view in track.views))
        )
    return replace(result, tracks=tuple(tracks))


def _nobody(view: View, chance: np.random.Generator) -> View:
    vector = chance.standard_normal(len(view.embedding))
    vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    encoding = None if view.encoding is None else np.zeros_like(view.encoding)
    return replace(view, embedding=vector, encoding=encoding, crop=b"")
