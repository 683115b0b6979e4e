"""One attempt at a job: what a handler is given besides the job itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import TypeVar

from django.db import DatabaseError

from lookwho.core import batch, packs
from lookwho.core.batch import Outcome
from lookwho.core.errors import Cancelled, LookwhoError, StaleTicket
from lookwho.core.video_batch import VideoWorker
from lookwho.library.models import Job, Pack
from lookwho.services import analysis, work
from lookwho.workers.patience import PASSING, patiently

# How often at most a handler's beats are written down, in seconds.
BEAT = 0.5
# How long results are kept that a full disk does not take, in seconds.
FULL_DISK = 10.0

Written = TypeVar("Written")


class Engine:
    """The processes that analyse, with the models of the packs that were last asked for.

    One looks at photos and one at videos, each asked by one thread.
    """

    def __init__(self) -> None:
        self._pack: int | None = None
        self._process: batch.Worker | None = None
        self._video_pack: int | None = None
        self._video: VideoWorker | None = None
        self._stopped = False

    def of(self, pack: Pack) -> batch.Worker:
        """Return the process that analyses by this pack."""
        if self._process is None or self._pack != pack.pk:
            if self._process:
                self._process.stop()
            self._process = batch.Worker(packs.settings(pack.name, pack.preset))
            self._pack = pack.pk
        if self._stopped:
            self._process.stop()
        return self._process

    def video(self, pack: Pack) -> VideoWorker:
        """Return the process that looks at videos by this pack."""
        if self._video is None or self._video_pack != pack.pk:
            if self._video:
                self._video.stop()
            self._video = VideoWorker(packs.settings(pack.name, pack.preset))
            self._video_pack = pack.pk
        if self._stopped:
            self._video.stop()
        return self._video

    def drop_video(self) -> None:
        """End the process that looks at videos, whatever it does; the next one is another."""
        process, self._video = self._video, None
        if process:
            process.stop()

    def stop(self) -> None:
        """End the processes, now and for good; from any thread."""
        self._stopped = True
        for process in (self._process, self._video):
            if process:
                process.stop()


class Attempt:
    """A job that was claimed.

    Attributes:
        job: its row, as it was when it was claimed.
        engine: what analyses.
        stop: set when the worker is to end.
        over: set when the job is to be cancelled, or is another worker's by now.
    """

    def __init__(self, job: Job, engine: Engine, stop: Event) -> None:
        self.job = job
        self.engine = engine
        self.stop = stop
        self.over = Event()
        self._beaten = 0.0

    def check(self) -> None:
        """Return if the work is to go on.

        Raises:
            Cancelled: it is not: the job goes back, or ends.
        """
        if self.stop.is_set() or self.over.is_set():
            raise Cancelled(f"job {self.job.pk} is to stop")

    def beat(self, done: int | None = None) -> None:
        """Say that the work goes on, and how far it is; cheap enough to be called at every step.

        Raises:
            Cancelled: it is to stop.
            StaleTicket: the job is another worker's.
        """
        self.check()
        if time.monotonic() - self._beaten >= BEAT:
            self._beaten = time.monotonic()
            if work.heartbeat(self.job.pk, self.job.ticket, done=done):
                self.over.set()
                self.check()

    def keep(self) -> None:
        """Extend the lease, beside the work and whatever it does meanwhile; never raises."""
        try:
            if work.heartbeat(self.job.pk, self.job.ticket):
                self.over.set()
        except StaleTicket:
            self.over.set()
        except PASSING:
            pass  # the next time, or the work itself meets it

    def look(self) -> None:
        """Find out whether the job is to be cancelled; only reads."""
        try:
            if work.is_cancelled(self.job.pk):
                self.over.set()
        except PASSING:
            pass

    def write(self, action: Callable[[], Written]) -> Written:
        """Write something down, however long the database takes; return what the action does.

        Raises:
            StaleTicket: the job is another worker's.
            OperationalError: the database cannot, and there is no time left.
        """
        return patiently(action, self.stop, full=FULL_DISK)

    def record(self, results: Sequence[tuple[int, Outcome]]) -> None:
        """Hand results in, however long the database takes.

        Raises:
            StaleTicket: the job is another worker's, and the results are his affair.
            OperationalError: the database cannot, and there is no time left.
        """
        job = self.job
        try:
            self.write(lambda: analysis.record_faces(job.pk, job.ticket, results))
        except PASSING:
            raise
        except DatabaseError as error:  # something in them that no database takes
            if len(results) > 1:
                for result in results:
                    self.record([result])
                return
            ((media, outcome),) = results
            if outcome.faces is None:
                raise
            refused = LookwhoError(f"what was found in it cannot be stored: {error}")
            self.record([(media, Outcome(outcome.path, None, refused))])
