"""Many files over all cores, in processes that may die.

Each worker is a fresh interpreter with one thread, which reads a path, answers with faces or an
error, and is replaced when it crashes or hangs. Not `multiprocessing`: that would run the caller's
script again in every worker, unless the caller guards it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lookwho.core import record
from lookwho.core.errors import LookwhoError, OutOfMemory, TimedOut, WorkerDied, from_code
from lookwho.core.types import Faces

# What one file may take. A picture of 400 million pixels needs 10 s and 800 MB.
SECONDS_PER_FILE = 60.0
BYTES_PER_FILE = 1 << 30
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
        folder = cache and os.fspath(cache)
        self._arguments = json.dumps({**settings, "cache": folder, "memory": memory})
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def analyze(self, path: str) -> Outcome:
        """Analyse one file; whatever goes wrong with it is in the outcome.

        Raises:
            LookwhoError: the worker does not start.
        """
        process = self._started()
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(self._seconds, give_up)
        timer.start()
        try:
            record.send(process.stdin, os.fsencode(path))
            outcome = _outcome(path, record.receive(process.stdout))
            if isinstance(outcome.error, OutOfMemory):
                process.kill()  # what libraries leave behind then need not be sound
                process.wait()
            return outcome
        except OSError:
            how = _death(process.wait())
            error: LookwhoError = WorkerDied(f"reading the file crashed its process: {how}")
            if timed_out.is_set():
                error = TimedOut(f"reading the file took longer than {self._seconds:g} seconds")
            return Outcome(path, None, error)
        finally:
            timer.cancel()
            timer.join()
            if timed_out.is_set():
                process.wait()  # it was killed, be it after its answer: the next file needs another

    def stop(self) -> None:
        """End the process, now and for good."""
        with self._lock:
            self._stopped = True
            if self._process:
                _end(self._process)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process and self._process.poll() is None:
            return self._process
        with tempfile.TemporaryFile() as complaints:
            # `stop` must find every process, also one that is only just starting.
            with self._lock:
                if self._stopped:
                    raise WorkerDied("the work was stopped")
                if self._process:
                    _end(self._process)
                process = self._process = _start(self._arguments, complaints)
            try:
                answer = record.receive(process.stdout)
            except OSError:
                how = _death(process.wait())
                complaints.seek(0)
                last = complaints.read()[-2000:].decode(errors="replace").strip()
                raise WorkerDied(f"a worker did not start: {how}\n{last}") from None
        if error := _outcome("", answer, ready=True).error:
            raise error
        return process


def _known(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future


def _start(arguments: str, complaints: BinaryIO | Any) -> subprocess.Popen[bytes]:
    # The same modules as here, however they were found, and none from the folder we are in: -P.
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", "from lookwho.core.worker import serve; serve()", arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env={**os.environ, "PYTHONPATH": path},
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if stream:
                stream.close()


def _death(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    import signal

    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _outcome(path: str, answer: bytes, *, ready: bool = False) -> Outcome:
    kind, body = answer[:1], answer[1:]
    if kind == record.ERROR:
        problem = json.loads(body)
        return Outcome(path, None, from_code(problem["code"], problem["message"]))
    return Outcome(path, None if ready else record.load(body), None)
