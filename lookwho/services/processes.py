"""Processes of this machine: which of them still run, told from others that have their number now.

A number alone does not say who a process is: it is used again, at the latest after the next start
of the machine. So each is known by when it was born, too, and in which container it is counted.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


@cache
def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()[:255]


def born(pid: int) -> str:
    """Return when a process began, or "" where there is no such process or no /proc.

    The start of the machine, the namespace in which processes are counted, and the ticks since
    the start: `1b2c3d4e/4026531836/8271`.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text()[:8]
        # Behind the command, which may hold anything: the state, and 19 fields on the birth.
        fields = (
            (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        )
        space = os.readlink(_PROC / "self/ns/pid").strip("pid:[]")
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot}/{space}/{fields[19]}"


def is_dead(pid: int, birth: str) -> bool:
    """Return whether a process of this machine is certainly gone; False where that is unknown."""
    if birth:
        mine = born(os.getpid()).split("/")
        then = birth.split("/")
        if len(mine) != 3 or len(then) != 3:
            return False
        if then[0] != mine[0]:
            return True  # the machine was started again since
        # Another container counts its processes for itself, and ours says nothing about them.
        return then[1] == mine[1] and born(pid) != birth
    if os.name != "posix":  # elsewhere signal 0 is no question
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
