"""Many files over all cores, in processes that may die.

Each worker is a child (see `child`) with one thread, which is given a path and answers with faces
or an error.
"""

from __future__ import annotations

import contextlib
import os
import queue
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookwho.core import record
from lookwho.core.child import BYTES_PER_FILE, SECONDS_PER_FILE, Child
from lookwho.core.errors import LookwhoError
from lookwho.core.types import Faces, FloatArray

# Files handed out beyond the one whose result is due next, for each process: enough that a slow
# file keeps no other process waiting, few enough that results do not pile up.
AHEAD = 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: its faces, or the error that took their place."""

    path: str
    faces: Faces | None
    error: LookwhoError | None


def run(
    items: Iterable[str | os.PathLike[str] | Outcome],
    settings: Mapping[str, Any],
    *,
    processes: int | None = None,
    cache: Path | None = None,
    seconds: float = SECONDS_PER_FILE,
    memory: int = BYTES_PER_FILE,
) -> Iterator[Outcome]:
    """Analyse files over several processes and yield an outcome for each, in their order.

    Args:
        items: paths, or outcomes that are known already and only keep their place.
        settings: what `Analyzer` is made with.
        processes: how many; None for one a core.
        cache: the folder of the model cache.
        seconds: the most that one file may take.
        memory: the most bytes that one file may take, beyond those of the models; kept on Linux.

    Raises:
        InputError: there is no such pack or preset.
        ModelError: the models cannot be loaded.
        WorkerDied: no worker starts.
    """
    count = processes or usable_cores()
    workers = [Worker(settings, cache, seconds, memory) for _ in range(count)]
    idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def analyze(path: str) -> Outcome:
        worker = idle.get()
        try:
            return worker.analyze(path)
        finally:
            idle.put(worker)

    threads = ThreadPoolExecutor(count, "lookwho")
    due: deque[Future[Outcome]] = deque()
    try:
        for item in items:
            due.append(
                _known(item)
                if isinstance(item, Outcome)
                else threads.submit(analyze, os.fspath(item))
            )
            while due and (due[0].done() or len(due) > AHEAD * count):
                yield due.popleft().result()
        while due:
            yield due.popleft().result()
    finally:
        for worker in workers:
            worker.stop()
        threads.shutdown(cancel_futures=True)


def usable_cores() -> int:
    """Return how many cores this process may use: a container may have fewer than the machine."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no such call
        cores = os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # no quota, or none that is told in this way
        quota, period = map(int, Path("/sys/fs/cgroup/cpu.max").read_text().split())
        cores = min(cores, max(1, quota // period))
    return cores


class Worker:
    """A process that analyses one file at a time; started when first needed, and after a crash."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        cache: Path | None = None,
        seconds: float = SECONDS_PER_FILE,
        memory: int = BYTES_PER_FILE,
    ) -> None:
        self._child = Child(
            "lookwho.core.worker",
            {**settings, "cache": cache and os.fspath(cache)},
            seconds=seconds,
            memory=memory,
        )

    def analyze(self, path: str) -> Outcome:
        """Analyse one file; whatever goes wrong with it is in the outcome.

        Raises:
            LookwhoError: the worker does not start.
        """
        return self._asked(path, None)

    def embed(
        self, path: str, boxes: FloatArray, *, times: Sequence[float] | None = None
    ) -> Outcome:
        """Embed the faces in boxes of one file: (n, 4) in pixels of the upright photo.

        Args:
            path: of the file.
            boxes: where the faces are.
            times: of a video, when each of them is there, in seconds; None for a photo.

        Raises:
            LookwhoError: the worker does not start.
        """
        return self._asked(path, boxes, times)

    def _asked(
        self, path: str, boxes: FloatArray | None, times: Sequence[float] | None = None
    ) -> Outcome:
        self._child.start()
        try:
            answer = self._child.ask(record.question(path, boxes, times))
            return Outcome(path, record.load(answer), None)
        except LookwhoError as error:
            return Outcome(path, None, error.with_traceback(None))

    def stop(self) -> None:
        """End the process, now and for good."""
        self._child.stop()


def _known(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future
