"""A process that does one thing over and over for its parent, and may die of it.

Whatever reads files from outside does so in one of these: a fresh interpreter that imports one
function, takes one request at a time, and has a limit on time and on memory for each. One that
crashes or hangs is replaced, and only the request in hand gets an error. Not `multiprocessing`:
that would run the caller's script again in every process, unless the caller guards it.

What crosses is JSON and raw bytes, never pickle: what reads hostile files must not be able to run
code in its parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from lookwho.core import record
from lookwho.core.errors import LookwhoError, OutOfMemory, TimedOut, WorkerDied, from_code

# What one file may take. A picture of 400 million pixels needs 10 s and 800 MB.
SECONDS_PER_FILE = 60.0
BYTES_PER_FILE = 1 << 30


class Child:
    """A process that answers requests, one at a time; started when first needed, and after a crash.

    Args:
        module: the module whose function `serve` the process runs; that calls `serve` below.
        arguments: what the process is told when it starts; plain JSON.
        seconds: the most that one request may take.
        memory: the most bytes that one request may take, beyond those that the process took to
            start; kept on Linux.
    """

    def __init__(
        self,
        module: str,
        arguments: Mapping[str, Any],
        *,
        seconds: float = SECONDS_PER_FILE,
        memory: int = BYTES_PER_FILE,
    ) -> None:
        self._command = f"from {module} import serve; serve()"
        self._arguments = [json.dumps(arguments), str(memory)]
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        """Start the process, unless it runs already.

        Raises:
            LookwhoError: it does not start.
        """
        self._started()

    def ask(self, request: bytes) -> bytes:
        """Return the process's answer.

        Raises:
            TimedOut: it took too long.
            OutOfMemory: it needed too much memory.
            WorkerDied: it died of the request, does not start, or was stopped.
            LookwhoError: whatever else it answered with.
        """
        process = self._started()
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(self._seconds, give_up)
        timer.start()
        answer = how = None
        try:
            record.send(process.stdin, request)
            answer = record.receive(process.stdout)
        except (OSError, ValueError):  # it died, or `stop` closed what leads to it
            how = _death(process.wait())
        finally:
            timer.cancel()
            timer.join()
            # Whatever came between, be it Ctrl-C: an answer that is still under way would be taken
            # for that to the next request, so the next request needs another process.
            if answer is None or timed_out.is_set():
                _kill(process)
        if answer is None:
            if timed_out.is_set():
                raise TimedOut(f"reading the file took longer than {self._seconds:g} seconds")
            raise WorkerDied(f"reading the file crashed its process: {how}")
        try:
            return _body(answer)
        except OutOfMemory:
            _kill(process)  # what libraries leave behind then need not be sound
            raise

    def stop(self) -> None:
        """End the process, now and for good; from any thread."""
        with self._lock:
            self._stopped = True
            if self._process:
                _end(self._process)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process and self._process.poll() is None:
            return self._process
        try:
            with tempfile.TemporaryFile() as complaints:
                # `stop` must find every process, also one that is only just starting.
                with self._lock:
                    if self._stopped:
                        raise WorkerDied("the work was stopped")
                    if self._process:
                        _end(self._process)
                    process = self._process = self._spawned(complaints)
                try:
                    answer = record.receive(process.stdout)
                except (OSError, ValueError):
                    how = _death(process.wait())
                    complaints.seek(0)
                    last = complaints.read()[-2000:].decode(errors="replace").strip()
                    raise WorkerDied(f"a worker did not start: {how}\n{last}") from None
        except OSError as error:  # no memory for one more process, or no place for its complaints
            raise WorkerDied(f"a worker did not start: {error}") from error
        _body(answer)
        return process

    def _spawned(self, complaints: BinaryIO | Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*fresh_interpreter(self._command), *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env={**os.environ, **same_modules()},
        )


def fresh_interpreter(code: str) -> list[str]:
    """Return the command that runs some code, with no module from the folder we are in: -P."""
    return [sys.executable, "-P", "-c", code]


def same_modules() -> dict[str, str]:
    """Return what the environment must say to find the modules found here, however that was."""
    return {"PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}


def _body(answer: bytes) -> bytes:
    """Return what an answer holds, or raise the error that it tells."""
    kind, body = answer[:1], answer[1:]
    if kind == record.OK:
        return body
    try:
        problem = json.loads(body)
        error = from_code(str(problem["code"]), str(problem["message"]))
    except (ValueError, LookupError, TypeError, RecursionError):
        error = WorkerDied("the process that read the file answered nonsense")
    raise error


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    _kill(process)
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if stream:
                stream.close()


def _death(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


# --- the other end ---


def serve(prepare: Callable[..., Callable[[bytes], bytes]]) -> None:
    """Be a child: read requests from standard input and answer on standard output.

    Args:
        prepare: is given the arguments of the `Child` by their names, and returns the function
            that turns a request into an answer. What either raises is what the parent raises.
    """
    # The terminal sends Ctrl-C to all processes; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not talk into the answers
    memory = int(sys.argv[2])
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        answer = prepare(**json.loads(sys.argv[1]))
    except LookwhoError as error:
        record.send(answers, _refusal(error))
        return
    record.send(answers, record.OK)
    _limit_memory(memory)
    while True:
        try:
            request = record.receive(sys.stdin.buffer)
        except OSError:
            return  # the parent is gone
        record.send(answers, _answer(answer, request, memory))


def _end_with(parent: int) -> None:
    """End when the parent is gone, also in the middle of a file that never ends."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _answer(answer: Callable[[bytes], bytes], request: bytes, memory: int) -> bytes:
    try:
        return record.OK + answer(request)
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


def _limit_memory(more: int) -> None:
    """Let this process take so many bytes more than it took for its models and libraries."""
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


def _refusal(error: LookwhoError) -> bytes:
    return record.ERROR + json.dumps({"code": error.code, "message": error.message}).encode()
