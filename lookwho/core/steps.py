"""Work that takes minutes, done in a process that may die, step by step.

A child answers one request at a time within a limit (`core.child`). Here each request is a step of
half a second: so the limit finds what hangs, however long the whole may take, and whoever waits is
told how far it is and can stop it at any moment.
"""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeAlias

from lookwho.core import child
from lookwho.core.child import Child
from lookwho.core.errors import StorageFull, WorkerDied

# So long a step goes on, in seconds; so often whoever waits is asked whether it is to go on.
STEP = 0.5
# The most that a step may take: whatever cannot be interrupted, such as one picture of 8K.
SECONDS_PER_STEP = 120.0
# A video of 8K keeps up to sixteen pictures of 50 MB.
BYTES = 2 << 30

# Yields how much of it is done, 0 to 1, as often as it can, and returns plain JSON.
Steps: TypeAlias = Generator[float, None, Any]


def run(
    module: str,
    request: Mapping[str, Any],
    on_step: Callable[[float], object],
    *,
    seconds: float = SECONDS_PER_STEP,
    memory: int = BYTES,
) -> Any:
    """Do some work in a process of its own, and return what comes of it.

    Args:
        module: the module whose function `serve` the process runs; that calls `serve` below.
        request: what the work is told; plain JSON.
        on_step: is told how much is done, 0 to 1, several times in a few seconds, also while a
            step takes long, and once more at the end. Whatever it raises ends the process at once,
            and is raised here.
        seconds: the most that one step may take.
        memory: the most bytes that the work may take.

    Raises:
        TimedOut: a step took too long.
        OutOfMemory: it needed too much memory.
        WorkerDied: it crashed its process.
        LookwhoError: whatever else the work raised.
    """
    process = Child(module, {}, seconds=seconds, memory=memory)
    try:
        share, result = _step(process, request, 0.0, on_step)
        while share is not None:
            on_step(share)
            share, result = _step(process, None, share, on_step)
        on_step(1.0)
        return result
    finally:
        process.stop()


def _step(
    process: Child,
    request: Mapping[str, Any] | None,
    share: float,
    on_step: Callable[[float], object],
) -> tuple[float | None, Any]:
    """Take a step, and ask meanwhile whether it is to go on."""
    answer: Future[bytes] = Future()

    def ask() -> None:
        try:
            answer.set_result(process.ask(json.dumps(request).encode()))
        except BaseException as error:
            answer.set_exception(error)

    # A daemon: where `on_step` raises, the process is stopped, and this ends by itself.
    Thread(target=ask, daemon=True, name="step").start()
    while True:
        try:
            told = answer.result(2 * STEP)
            break
        except TimeoutError:
            if answer.done():
                raise
            on_step(share)
    try:
        further, result = json.loads(told)
        return None if further is None else float(further), result
    except (ValueError, TypeError, RecursionError):
        raise WorkerDied("the process that read the file answered nonsense") from None


def serve(begin: Callable[..., Steps]) -> None:
    """Be a child that works step by step.

    Args:
        begin: is given the request by its names, and returns the steps.
    """
    child.serve(lambda: _Serving(begin))


class _Serving:
    """Answers a request: the first begins the work, each after it goes on with it."""

    def __init__(self, begin: Callable[..., Steps]) -> None:
        self._begin = begin
        self._steps: Steps | None = None

    def __call__(self, message: bytes) -> bytes:
        request = json.loads(message)
        if request is not None or self._steps is None:
            self._steps = self._begin(**(request or {}))
        until = time.monotonic() + STEP
        share = 0.0
        try:
            while time.monotonic() < until:
                share = next(self._steps)
        except StopIteration as over:
            self._steps = None
            return json.dumps([None, over.value]).encode()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise StorageFull("the disk is full: make room") from error
        return json.dumps([share, None]).encode()
