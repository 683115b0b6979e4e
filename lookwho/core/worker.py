"""A worker: the process at the other end of `batch`, which analyses one file after another."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from lookwho.core import record
from lookwho.core.errors import LookwhoError, OutOfMemory
from lookwho.core.pipeline import Analyzer


def serve() -> None:
    """Be a worker: read paths from standard input and answer on standard output."""
    # The terminal sends Ctrl-C to all processes; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not talk into the answers
    try:
        arguments: dict[str, Any] = json.loads(sys.argv[1])
        cache, memory = arguments.pop("cache"), arguments.pop("memory")
        analyzer = Analyzer(**arguments, cache=cache and Path(cache))
    except LookwhoError as error:
        record.send(answers, _refusal(error))
        return
    record.send(answers, record.OK)
    _limit_memory(memory)
    while True:
        try:
            path = os.fsdecode(record.receive(sys.stdin.buffer))
        except OSError:
            return  # the parent is gone
        record.send(answers, _answer(analyzer, path, memory))


def _answer(analyzer: Analyzer, path: str, memory: int) -> bytes:
    try:
        return record.OK + record.dump(analyzer(path))
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


def _refusal(error: LookwhoError) -> bytes:
    return record.ERROR + json.dumps({"code": error.code, "message": error.message}).encode()
