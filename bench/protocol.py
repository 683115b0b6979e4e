"""How the bench talks with the processes that it times: one line of JSON each way.

Both sides answer the same requests and time only their own work. This runs in the rival's
environment too and may import nothing but what Python brings.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Answer = dict[str, Any]


def settle(core: int | None) -> None:
    """Stay on one core from now on, where the system can be told so."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def serve(requests: Mapping[str, Callable[..., Answer]]) -> None:
    """Answer requests from standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints must not talk into the answers
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = requests[request.pop("do")](**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the milliseconds that a piece of work took, and what came of it."""
    start = time.perf_counter()
    result = work()
    return 1000 * (time.perf_counter() - start), result


def peak_memory() -> Answer:
    """Return the most memory that this process has held, in MB."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            (kilobytes,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
        return {"megabytes": int(kilobytes) * 1024 / 1e6}
    except OSError:
        import resource

        # Linux is not asked for this: a child begins there with what its parent held.
        unit = 1 if sys.platform == "darwin" else 1024
        return {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}
