"""The worker processes that run at the moment."""

import os
from pathlib import Path

import pytest

see_processes = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="sees processes in /proc, which Linux has"
)


def workers(module="lookwho.core.worker"):
    """The ids of the worker processes that this process has started and that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if int(parent) == os.getpid() and module.encode() in command:
            found.append(int(folder.name))
    return found
