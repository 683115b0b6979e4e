"""The processes that this one has started, whatever they run."""

import time
from pathlib import Path

import pytest

see_children = pytest.mark.skipif(
    not list(Path("/proc/self/task").glob("*/children")),
    reason="sees child processes in /proc, which Linux has",
)


def children(parent="self"):
    """The ids of the processes that a process, this one if not told, has started and that run."""
    return sorted(
        int(child)
        for file in Path(f"/proc/{parent}/task").glob("*/children")
        for child in file.read_text().split()
    )


def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
