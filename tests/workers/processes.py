"""What a pool's processes do, seen from outside."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

SECONDS = 120


def below(pid):
    """The processes that a process has started, and those that these have, from top to bottom."""
    found = []
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, file.read_text().split()):
                found += [child, *below(child)]
    return found


def command(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    return ""


def analysers(pid):
    return [each for each in below(pid) if '["reference", "embed", "analyse"],' in command(each)]


def engines(pid):
    return [each for each in below(pid) if "lookwho.core.worker" in command(each)]


def is_gone(pid):
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def kill(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def until(condition, watch=lambda: None, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        watch()
        time.sleep(0.05)
