"""What a process of the pool runs.

It ends when a signal tells it to, and when the process that started it is gone: then its standard
input ends, which works alike on every system.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from threading import Event, Thread

import django


def main() -> None:
    """Carry out jobs of the kinds that the command line tells, until it is time to end."""
    told = json.loads(sys.argv[1])
    stop = stopped_by_signals()
    Thread(target=_watch_parent, args=(stop,), daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(told["nice"])
    django.setup()
    # Here, since models can be imported only once Django is set up.
    from lookwho.workers.loop import carry

    carry(told["kinds"], stop)


def stopped_by_signals() -> Event:
    """Return an event that Ctrl-C and SIGTERM set."""
    stop = Event()

    def end(*_: object) -> None:
        # In a thread: the one that is interrupted may just be holding the lock of the event.
        Thread(target=stop.set, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return stop


def _watch_parent(stop: Event) -> None:
    # Not by `sys.stdin`, whose lock would keep the process from ending.
    with suppress(OSError):
        while os.read(0, 1):
            pass
    stop.set()
