"""How much memory a command takes at most, with all processes that it starts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a command took.

    Attributes:
        seconds: from its start to its end.
        megabytes: the most that all its processes held at one time, what they share counted once;
            None where the system does not tell.
        processes: the most that there were at one time.
        output: what it wrote.
    """

    seconds: float
    megabytes: float | None
    processes: int
    output: str


def measured(command: Sequence[str], environment: Mapping[str, str]) -> Footprint:
    """Run a command and look at its processes ten times a second.

    Raises:
        CalledProcessError: it fails.
    """
    began = time.perf_counter()
    most, count = 0.0, 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, **environment}, text=True
    ) as process:
        # What it writes is little: the pipe holds it until the end.
        while process.poll() is None:
            processes = family(process.pid)
            most = max(most, sum(map(held, processes)))
            count = max(count, len(processes))
            time.sleep(EVERY)
        assert process.stdout
        output = process.stdout.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return Footprint(time.perf_counter() - began, most or None, count, output)


def family(first: int) -> list[int]:
    """Return a process and all that it started, and so on; those that are there."""
    found = [first]
    for process in found:
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # a thread or a process that has just ended
                found += map(int, children.read_text("ascii").split())
    return found


def held(process: int) -> float:
    """Return the megabytes that a process holds, its share of what others hold too; 0 if unknown.

    Kilobytes are of 1,024 bytes, megabytes of a million.
    """
    try:
        told = Path(f"/proc/{process}/smaps_rollup").read_text("ascii")
    except OSError:
        return 0.0
    return sum(
        int(line.split()[1]) * 1024 / 1e6 for line in told.splitlines() if line.startswith("Pss:")
    )
