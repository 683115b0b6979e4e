"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

# More than this runs beside the bench, and figures taken then are not worth keeping.
BUSY = 0.5


def cores() -> list[int]:
    """Return the numbers of the cores that this process may use; none where that is unknown."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no such call
        return []


def load() -> float:
    """Return how many processes ran over the last minute, on average."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0


def description(*versions: Mapping[str, str]) -> list[str]:
    """Return when, on what and with which versions."""
    count = len(cores()) or os.cpu_count() or 1
    kind = f"{_processor()}, {count} core{'s' if count > 1 else ''}"
    installed = "; ".join(
        ", ".join(f"{name} {number}" for name, number in side.items()) for side in versions
    )
    lines = [
        f"{datetime.now():%Y-%m-%d %H:%M}, {kind}{_memory()}, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}; {installed}.",
    ]
    if cores():
        lines.append("Each process stays on one core; the sides work in turn, never both at once.")
    else:
        lines.append("This system cannot keep a process on one core: figures vary more.")
    return lines


def warning(before: float) -> list[str]:
    """Return a warning if the machine was busy before anything was measured."""
    if before <= BUSY:
        return [f"Load average before: {before:.2f}."]
    return [
        f"**WARNING: the load average before was {before:.2f}: something else is running, "
        "and these times cannot be trusted.**"
    ]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"
    except (AttributeError, ValueError, OSError):
        return ""
