"""Videos: what people ask of them while they wait, are looked at, or have been.

How they are looked at is told by `services.video_segments` and `services.viewing`.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Min, Q
from django.utils import timezone

from lookwho.core.errors import Conflict, NotFound
from lookwho.library.models import Analysis, Job, Media, Segment, User, Video
from lookwho.services import filmed, video_segments, work
from lookwho.services.decisions import one_at_a_time
from lookwho.services.video_segments import OPEN


def cancel_video(by: User | None, media: Media) -> bool:
    """Look no further at a video; return whether it was still being looked at or waited.

    What was found so far is gone at once, and whoever looks at it stops within a second or so.

    Raises:
        NotFound: this user may not.
    """
    _check(by)
    with transaction.atomic():
        jobs = _open_jobs(media)
        roots = {job.parent_id if job.kind != Job.Kind.VIDEO else job.pk for job in jobs}
        for root in sorted(filter(None, roots)):
            work.cancel(root)
    return bool(jobs)


def retry_video(by: User | None, media: Media) -> Job:
    """Look at a video again: one that failed, was cancelled, or of which a part could not be read.

    Returns:
        The job that reads it; what else there is to do comes below it.

    Raises:
        NotFound: this user may not, or the video was never to be looked at.
        Conflict: it waits already, or there is nothing to do.
    """
    _check(by)
    with transaction.atomic():
        rows = Analysis.objects.select_for_update(of=("self",)).filter(
            media=media, pack__active=True
        )
        analysis = rows.order_by("-pk").first()
        if analysis is None or media.kind != Media.Kind.VIDEO:
            raise NotFound("this video was never to be looked at: import its folder again")
        if _open_jobs(media):
            raise Conflict("this video waits already, or is being looked at")
        warned = Video.objects.filter(media=media).exclude(warning="").exists()
        if analysis.state == Analysis.State.DONE and not warned:
            raise Conflict("all of this video was looked at")
        return again(analysis)


def again(analysis: Analysis) -> Job:
    """Let a video wait to be looked at again; in a transaction that holds its analysis."""
    analysis.state, analysis.attempts, analysis.finished_at = Analysis.State.WAITING, 0, None
    analysis.error_code = analysis.error = ""
    analysis.save()
    jobs = video_segments.jobs_of(analysis.media_id, analysis.pack_id)
    old = jobs.filter(kind=Job.Kind.VIDEO).order_by("-pk").first()
    if old is None:
        video_segments.make_jobs([analysis.media_id], analysis.pack_id)
        work.ring(Job.Kind.VIDEO)
        old = jobs.get(kind=Job.Kind.VIDEO)
    else:  # the same row, so that its import still counts every video once
        work.let_wait_again(old, timezone.now())
    old.refresh_from_db()
    return old


def move_video(by: User | None, media: Media, to: Media | str) -> None:
    """Give a video another place in the queue. What is being looked at goes on.

    Args:
        by: who asks.
        media: the video.
        to: "first", "last", or the video that it comes right after.

    Raises:
        NotFound: this user may not, or one of the videos does not wait any more.
    """
    _check(by)
    with transaction.atomic():
        order = _queue()
        waiting = {job.payload["media"]: job for job in order}
        target = None if isinstance(to, str) else waiting.get(to.pk)
        job = waiting.get(media.pk)
        if job is None or (target is None and to not in ("first", "last")):
            raise NotFound("that video does not wait any more: load the page again")
        if job == target:
            return
        order.remove(job)
        at = {"first": 0, "last": len(order)}.get(to) if isinstance(to, str) else None
        order.insert(order.index(target) + 1 if at is None and target else at or 0, job)
        # All get a place of their own, below that of videos which come later.
        first = max(video_segments.FIRST, video_segments.PLACE - len(order))
        for place, each in enumerate(order, first):
            if each.priority != place:
                video_segments.place([each.pk], min(place, video_segments.LAST))


def remove_analysis(by: User | None, media: Media) -> None:
    """Forget whom a video shows, and look no further at it; the video itself stays.

    What humans said of it stays, and holds again once it is looked at again.

    Raises:
        NotFound: this user may not.
    """
    _check(by)
    with transaction.atomic(), one_at_a_time():
        cancel_video(by, media)
        analyses = Analysis.objects.select_for_update().filter(media=media)
        list(analyses)
        filmed.clear([media.pk])
        Segment.objects.filter(video__media=media).delete()
        Video.objects.filter(media=media).update(cuts=b"", warning="")
        analyses.update(
            state=Analysis.State.WAITING, reason="", error_code="", error="", finished_at=None
        )


# --- parts ---


def _check(by: User | None) -> None:
    if by is not None and not by.sees_everything:
        raise NotFound("there is no such page, or it is not for you to see")


def _open_jobs(media: Media) -> list[Job]:
    jobs = Job.objects.filter(
        kind__in=video_segments.KINDS, state__in=OPEN, payload__media=media.pk
    )
    return list(jobs.filter(cancel_requested=False).order_by("pk"))


def _queue() -> list[Job]:
    """Return the VIDEO jobs of videos that still wait, in the order in which they come."""
    below = Q(children__kind=Job.Kind.SEGMENT, children__state__in=OPEN)
    jobs = list(video_segments.queued().annotate(first=Min("children__pk", filter=below)))
    last = video_segments.last_place()

    def place(job: Job) -> tuple[int, float, int]:
        first: int | None = vars(job)["first"]
        return job.priority if job.priority > 0 else last, first or float("inf"), job.pk

    return sorted(jobs, key=place)
