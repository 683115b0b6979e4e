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
import struct
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
from lookwho.core.errors import (
    LookwhoError,
    OutOfMemory,
    TimedOut,
    WorkerDied,
    from_code,
)
from lookwho.core.types import Faces

# What one file may take. A picture of 400 million pixels needs 10 s and 800 MB.
SECONDS_PER_FILE = 60.0
BYTES_PER_FILE = 1 << 30
# Files handed out beyond the one whose result is due next, for each process: enough that a slow
# file keeps no other process waiting, few enough that results do not pile up.
AHEAD = 16

_LENGTH = struct.Struct("<I")
_OK, _ERROR = b"+", b"-"


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
    """Return how many cores this process may use, which a container can limit."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no such call
        return os.cpu_count() or 1


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
            _send(process.stdin, os.fsencode(path))
            outcome = _outcome(path, _receive(process.stdout))
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
                answer = _receive(process.stdout)
            except OSError:
                how = _death(process.wait())
                complaints.seek(0)
                last = complaints.read()[-2000:].decode(errors="replace").strip()
                raise WorkerDied(f"a worker did not start: {how}\n{last}") from None
        if error := _outcome("", answer, ready=True).error:
            raise error
        return process


def serve() -> None:
    """Be a worker: read paths from standard input and answer on standard output."""
    import signal

    # The terminal sends Ctrl-C to all processes; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not talk into the answers
    try:
        arguments: dict[str, Any] = json.loads(sys.argv[1])
        cache, memory = arguments.pop("cache"), arguments.pop("memory")
        from lookwho.core.pipeline import Analyzer

        analyzer = Analyzer(**arguments, cache=cache and Path(cache))
    except LookwhoError as error:
        _send(answers, _refusal(error))
        return
    _send(answers, _OK)
    _limit_memory(memory)
    while True:
        try:
            path = os.fsdecode(_receive(sys.stdin.buffer))
        except OSError:
            return  # the parent is gone
        _send(answers, _answer(analyzer, path, memory))


def _answer(analyzer: Any, path: str, memory: int) -> bytes:
    try:
        return _OK + record.dump(analyzer(path))
    except (MemoryError, OutOfMemory):
        return _refusal(_out_of_memory(memory))
    except LookwhoError as error:
        return _refusal(error)
    except Exception as error:
        # onnxruntime and OpenCV raise their own classes when memory is short.
        if "alloc" in str(error).lower() or "insufficient memory" in str(error).lower():
            return _refusal(_out_of_memory(memory))
        return _refusal(LookwhoError(f"unexpected {type(error).__name__}: {error}"))


def _out_of_memory(memory: int) -> OutOfMemory:
    limit = f"{memory >> 20} MB"
    return OutOfMemory(f"the file needs more memory than the {limit} that one file may take")


def _known(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future


def _start(arguments: str, complaints: BinaryIO | Any) -> subprocess.Popen[bytes]:
    # The same modules as here, however they were found, and none from the folder we are in: -P.
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", "from lookwho.core.batch import serve; serve()", arguments],
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


def _limit_memory(more: int) -> None:
    """Let this process take so many bytes more than it has taken for its models and libraries."""
    try:
        import resource

        # What can be written to, not what is mapped to read, such as files and libraries' code.
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except (ImportError, OSError):  # only Linux counts and limits in this way
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = pages * resource.getpagesize() + more
    limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def _outcome(path: str, answer: bytes, *, ready: bool = False) -> Outcome:
    kind, body = answer[:1], answer[1:]
    if kind == _ERROR:
        problem = json.loads(body)
        return Outcome(path, None, from_code(problem["code"], problem["message"]))
    return Outcome(path, None if ready else record.load(body), None)


def _refusal(error: LookwhoError) -> bytes:
    return _ERROR + json.dumps({"code": error.code, "message": error.message}).encode()


def _send(stream: Any, message: bytes) -> None:
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def _receive(stream: Any) -> bytes:
    """Read one message.

    Raises:
        ConnectionError: the other process is gone.
    """
    head = stream.read(_LENGTH.size)
    if len(head) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        message = stream.read(length)
        if len(message) == length:
            return message
    raise ConnectionError("the other process is gone")
