"""The pool: processes beside the web server that carry out all jobs. No service is needed.

Analysing processes look for faces, in photos and in selfies, and beside that in videos; each has
its engines in processes of their own, which may die. One clerk does the rest. The pool sees when
one dies, gives its jobs back at once and starts another. When the pool itself dies, they end.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from django.conf import settings
from django.db import connection
from django.utils import timezone

from lookwho.core.child import fresh_interpreter, same_modules
from lookwho.library.models import Job, Worker
from lookwho.services import crew
from lookwho.services import processes as this_machine
from lookwho.workers.child import stopped_by_signals
from lookwho.workers.loop import GRACE
from lookwho.workers.patience import PASSING

# A walk through a large folder takes long, and learning too: the clerk does each beside the rest.
CLERK = (
    (Job.Kind.IMPORT,),
    (Job.Kind.SITE,),
    (Job.Kind.UNPACK,),
    (Job.Kind.GROUP, Job.Kind.ERASE, Job.Kind.NAMES, Job.Kind.MAIL),
    (Job.Kind.LEARN,),
    (Job.Kind.PROXY, Job.Kind.MONTAGE),
)
# A stretch of a video takes long: it is interrupted while photos wait.
ANALYSER = (
    (Job.Kind.REFERENCE, Job.Kind.EMBED, Job.Kind.ANALYSE),
    (Job.Kind.JOIN, Job.Kind.VIDEO, Job.Kind.SEGMENT),
)
# So that pages are answered first.
NICE = 10
WATCH = 0.25
SWEEP = 10.0
# The pause before a process that died while starting is started again doubles up to this.
LONGEST_PAUSE = 60.0

_COMMAND = "from lookwho.workers.child import main; main()"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Place:
    """A process of the pool, or the next one in its place."""

    kinds: tuple[tuple[str, ...], ...]
    nice: int
    process: subprocess.Popen[bytes] | None = None
    started_at: datetime | None = None
    failures: int = 0  # starts in a row of which no worker came
    not_before: float = 0.0


class Pool:
    """Processes that carry out jobs.

    Args:
        processes: how many analyse.
        clerk: whether one more does everything else.
    """

    def __init__(self, processes: int, *, clerk: bool = True) -> None:
        self._places = [_Place(ANALYSER, NICE) for _ in range(processes)]
        if clerk:
            self._places.append(_Place(CLERK, 0))
        self._swept = float("-inf")

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        found = (place.process for place in self._places)
        return [process.pid for process in found if process and process.poll() is None]

    def start(self) -> None:
        """Start the processes; those that run already are left alone."""
        self.watch_once()

    def watch_once(self) -> None:
        """Give back what dead processes had in hand, and start others in their place."""
        dead = [each for each in self._places if each.process and each.process.poll() is not None]
        if dead or time.monotonic() - self._swept > SWEEP:
            try:
                # This also finds what an earlier pool left behind that was killed.
                crew.sweep()
                self._swept = time.monotonic()
            except PASSING as error:
                connection.close()
                self._swept = float("-inf")  # the next time, then
                _log.warning("the leases of dead workers are not freed yet: %s", error)
        for place in dead:
            _bury(place)
        for place in self._places:
            if place.process is None and time.monotonic() >= place.not_before:
                _spawn(place)

    def run(self, stop: Event) -> None:
        """Start the processes, watch them until `stop` is set, and end them."""
        try:
            while not stop.is_set():
                self.watch_once()
                stop.wait(WATCH)
        finally:
            self.stop()

    def stop(self) -> None:
        """End the processes: each finishes or drops what it has in hand, and gives it back."""
        running = [place.process for place in self._places if place.process]
        for place in self._places:
            place.process = None
            place.not_before = float("inf")
        for process in running:
            process.terminate()
            if process.stdin:
                process.stdin.close()
        end = time.monotonic() + 2 * GRACE + 2
        for process in running:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        try:
            crew.sweep()
        except PASSING as error:
            _log.warning("leases were not given back and end by themselves: %s", error)
        connection.close()


def run_pool(processes: int, *, clerk: bool = True) -> None:
    """Carry out jobs until this process is told to end, by Ctrl-C or SIGTERM."""
    Pool(processes, clerk=clerk).run(stopped_by_signals())


def _spawn(place: _Place) -> None:
    arguments = json.dumps({"kinds": place.kinds, "nice": place.nice})
    environment = {"DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE, **os.environ}
    # There is a process for each core: threads inside one would only fight for them.
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    place.started_at = timezone.now()
    try:
        place.process = subprocess.Popen(
            [*fresh_interpreter(_COMMAND), arguments],
            # It ends when we do: whoever reads here then reads nothing more.
            stdin=subprocess.PIPE,
            env={**environment, **same_modules()},
        )
    except OSError as error:  # no memory for one more process
        _log.warning("a worker cannot be started: %s", error)
        _wait_longer(place)


def _bury(place: _Place) -> None:
    process = place.process
    if process is None:
        return
    if process.stdin:
        process.stdin.close()
    place.process = None
    _log.warning("worker %d ended with status %s", process.pid, process.returncode)
    if _came_to_work(process.pid, place.started_at):
        place.failures = 0
    else:
        _wait_longer(place)


def _came_to_work(pid: int, started_at: datetime | None) -> bool:
    try:
        workers = Worker.objects.filter(host=this_machine.host(), pid=pid)
        return started_at is not None and workers.filter(started_at__gte=started_at).exists()
    except PASSING:
        connection.close()
        return False


def _wait_longer(place: _Place) -> None:
    place.failures += 1
    place.not_before = time.monotonic() + min(2.0 ** (place.failures - 1), LONGEST_PAUSE)
