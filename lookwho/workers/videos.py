"""Videos: what is done for the jobs in which they are read, looked at and joined."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TypeVar

from django.db import connection

from lookwho.core.errors import (
    Cancelled,
    FileMissing,
    LookwhoError,
    SetupError,
    StaleTicket,
)
from lookwho.core.segments import SegmentResult
from lookwho.library.models import Job, Pack
from lookwho.services import viewing, work
from lookwho.workers.attempt import BEAT, Attempt
from lookwho.workers.patience import PASSING, told
from lookwho.workers.places import first_found, places_of

# How often is looked whether a video is to be given up, in seconds.
LOOK = 1.0
# While any of these waits, no video is looked at: photos come first.
_BEFORE_VIDEOS = (Job.Kind.REFERENCE, Job.Kind.EMBED, Job.Kind.ANALYSE)

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def _video_of(attempt: Attempt) -> None:
    job = attempt.job
    if viewing.is_wanted(job):
        process = attempt.engine.video(Pack.objects.get(pk=job.payload["pack"]))
        with _stoppable(attempt):
            info = _seen(attempt, process.probe)
        attempt.write(lambda: viewing.record_info(job.pk, job.ticket, info))


def _segment_of(attempt: Attempt) -> None:
    job = attempt.job
    stretch = viewing.stretch_of(job)
    if stretch is None:
        return
    process = attempt.engine.video(Pack.objects.get(pk=job.payload["pack"]))
    noted = time.monotonic()

    def step(reached: float, people: int) -> None:
        nonlocal noted
        attempt.check()
        while time.monotonic() - noted >= BEAT:
            noted = time.monotonic()
            if attempt.write(lambda: viewing.note(job, stretch, reached, people)):
                attempt.over.set()
                attempt.check()
            if work.is_due(_BEFORE_VIDEOS):
                attempt.stop.wait(BEAT)
                attempt.check()

    def look(path: str) -> SegmentResult:
        return process.segment(path, stretch.duration, stretch.part, on_step=step)

    with _stoppable(attempt):
        result = _seen(attempt, look)
    attempt.write(lambda: viewing.record_segment(job.pk, job.ticket, result))


def _join_of(attempt: Attempt) -> None:
    viewing.run_join(attempt.job)


def _seen(attempt: Attempt, look: Callable[[str], Result]) -> Result:
    """Return what is seen in the video that a job is about.

    Raises:
        SetupError: the folder that it lies in is not there.
        LookwhoError: nothing is, and why.
    """
    media: int = attempt.job.payload["media"]
    try:
        found = first_found(look, places_of([media]).get(media, ()))
    except FileMissing as error:
        raise SetupError(error.message) from error
    if isinstance(found, LookwhoError):
        raise found
    return found


@contextmanager
def _stoppable(attempt: Attempt) -> Generator[None]:
    """See to it that whatever is asked of the process for videos can be stopped at any moment.

    It answers several times a second; but to find a place in a damaged file may take it minutes.
    """
    done = Event()

    def watch() -> None:
        while not done.wait(LOOK):
            attempt.look()
            if attempt.over.is_set() or attempt.stop.is_set():
                if not done.wait(LOOK):  # it did not stop by itself
                    attempt.engine.drop_video()
                break
        connection.close()

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _or_why(work_on: Callable[[Attempt], None]) -> Callable[[Attempt], None]:
    """Return what is done for a job of a video, which says itself why that could not be done."""

    def carried_out(attempt: Attempt) -> None:
        try:
            work_on(attempt)
        except (Cancelled, StaleTicket, *PASSING):
            raise
        except Exception as error:
            attempt.check()  # what was stopped did not fail
            reason, job = told(error), attempt.job
            if not attempt.write(lambda: viewing.record_error(job.pk, job.ticket, reason)):
                raise
            unexpected = error if type(reason) is LookwhoError else None
            _log.warning("job %d (%s): %s", job.pk, job.kind, reason, exc_info=unexpected)

    return carried_out


video = _or_why(_video_of)
segment = _or_why(_segment_of)
join = _or_why(_join_of)
