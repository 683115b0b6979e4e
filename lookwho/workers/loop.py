"""The loop of a process that carries out jobs: claim one, carry it out, end it, and again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Event, Thread

from django.db import DatabaseError, connection

from lookwho.core.errors import (
    Cancelled,
    InputError,
    LookwhoError,
    RequestError,
    StaleTicket,
    WorkError,
)
from lookwho.library.models import Job, Worker
from lookwho.services import crew, work
from lookwho.workers import kinds
from lookwho.workers.attempt import Attempt, Engine
from lookwho.workers.patience import PASSING, patiently, told

# How often an idle worker looks for work, in seconds. It only reads.
LOOK = 0.25
# How often a worker says that it lives, and extends the leases of what it has in hand.
PULSE = 10.0
# How long what is in hand may take when the worker is to end, in seconds; then it is dropped.
GRACE = 3.0
# How often whoever groups also tidies, when idle, in seconds.
TIDY = 600.0
# How often whoever imports looks after watched folders and albums that fill, when idle, in seconds.
TEND = 5.0
# When what failed is tried again.
SOON, LATER = timedelta(seconds=5), timedelta(seconds=60)
# Jobs by which photos come in: when one ends, somebody may be waiting to see them.
_TAKES_IN = (Job.Kind.IMPORT, Job.Kind.UNPACK)

_log = logging.getLogger(__name__)


class Loop:
    """Carries out jobs of some kinds, one at a time, until it is told to stop.

    Attributes:
        attempt: what it has in hand.
    """

    def __init__(self, worker: Worker, kinds: Sequence[str], engine: Engine, stop: Event) -> None:
        self.attempt: Attempt | None = None
        self._worker = worker
        self._kinds = kinds
        self._engine = engine
        self._stop = stop
        self._pause = 0.0
        # Not at the start, when everybody waits for something to happen.
        self._tidied = time.monotonic() - TIDY + 60
        self._tended = 0.0

    def run(self) -> None:
        """Go on until `stop` is set."""
        while not self._stop.is_set():
            try:
                if not self.step():
                    self._tidy()
                    self._stop.wait(LOOK)
            except PASSING:
                pass  # it is to stop, and the lease will end by itself
            except Exception:
                _log.exception("a worker met what it does not know, and goes on")
                self._stop.wait(1)
        connection.close()

    def step(self) -> bool:
        """Claim a job and carry it out; return whether there was one."""
        claimed = patiently(lambda: work.claim(self._worker, self._kinds), self._stop)
        if claimed is None:
            return False
        attempt = self.attempt = Attempt(claimed, self._engine, self._stop)
        try:
            end = self._tried(attempt)
            with suppress(StaleTicket):  # it is another worker's by now
                patiently(lambda: end(claimed.pk, claimed.ticket), self._stop)
        finally:
            self.attempt = None
        if claimed.kind in _TAKES_IN:
            patiently(kinds.settle, self._stop)
        self._stop.wait(self._pause)
        return True

    def _tidy(self) -> None:
        if Job.Kind.GROUP in self._kinds and time.monotonic() - self._tidied > TIDY:
            self._tidied = time.monotonic()
            kinds.tidy()
        if Job.Kind.IMPORT in self._kinds and time.monotonic() - self._tended > TEND:
            self._tended = time.monotonic()
            kinds.tend()

    def _tried(self, attempt: Attempt) -> Callable[[int, str], None]:
        """Carry a job out, and return how it is to be ended."""
        pause, self._pause = self._pause, 0.0
        try:
            kinds.carry_out(attempt)
        except Cancelled:
            return work.give_back
        except StaleTicket:
            return _leave
        except Exception as error:
            reason = told(error)
            retry_in = _when_again(attempt.job, reason)
            if type(reason) is LookwhoError or isinstance(error, DatabaseError):
                _log.exception("job %d (%s) failed", attempt.job.pk, attempt.job.kind)
            else:
                _log.warning("job %d (%s): %s", attempt.job.pk, attempt.job.kind, reason)
            if retry_in is not None:
                # The next job may meet the same: it would be a pity to try them all.
                self._pause = min(2 * pause or 1.0, LATER.total_seconds())
            return partial(work.fail, error=reason, retry_in=retry_in)
        return work.finish


def _leave(job_id: int, ticket: str) -> None:
    """Do nothing with a job that is another worker's."""


def _when_again(job: Job, error: LookwhoError) -> timedelta | None:
    """Return when a job that failed is tried again; None if it never is."""
    if job.kind == Job.Kind.ANALYSE:
        return LATER  # none of its media is at fault: those get their errors one by one
    if isinstance(error, (InputError, RequestError)):
        return None
    if isinstance(error, WorkError) or type(error) is LookwhoError:
        return SOON * job.attempts if job.attempts < work.MOST_ATTEMPTS else None
    return LATER  # the machine is at fault


def carry(loops: Sequence[Sequence[str]], stop: Event) -> None:
    """Carry out jobs until `stop` is set: one loop for each sequence of kinds."""
    flat = [kind for each in loops for kind in each]
    worker = patiently(lambda: crew.register_worker(flat), stop)
    engine = Engine()
    running = [Loop(worker, each, engine, stop) for each in loops]
    # Daemons: one that hangs, on a share that is gone say, does not keep the process from ending.
    threads = [Thread(target=loop.run, daemon=True) for loop in running]
    threads.append(Thread(target=_pulse, args=(worker, running, stop), daemon=True))
    for thread in threads:
        thread.start()
    stop.wait()
    end = time.monotonic() + GRACE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    engine.stop()
    for thread in threads:
        thread.join(1.0)
    with suppress(*PASSING):
        crew.stop_worker(worker)
    connection.close()


def _pulse(worker: Worker, loops: Sequence[Loop], stop: Event) -> None:
    while not stop.wait(PULSE):
        for loop in loops:
            if attempt := loop.attempt:
                attempt.keep()
        try:
            crew.see(worker)
        except PASSING:
            connection.close()
    connection.close()
