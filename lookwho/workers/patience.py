"""Patience: what a worker does while the database cannot.

A database that is locked, full or away is no reason to lose a result or to die. So whatever is
written down by a worker goes through here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from math import inf
from threading import Event
from typing import TypeVar

from django.db import connection

from lookwho.core.errors import LookwhoError, StorageFull
from lookwho.services.storage import PASSING, storage_problem

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def patiently(action: Callable[[], _Result], stop: Event, *, full: float = inf) -> _Result:
    """Return what an action on the database returns; while the database cannot, wait and repeat.

    Args:
        action: what may be repeated, such as one transaction.
        stop: ends the waiting.
        full: how many seconds to wait for room on a full disk; for all else, as long as it takes.

    Raises:
        OperationalError: the database still cannot, and the time is up or `stop` is set.
    """
    end = time.monotonic() + full
    pause = FIRST_PAUSE
    while True:
        try:
            return action()
        except PASSING as error:
            if not connection.in_atomic_block:
                connection.close()  # the next attempt makes another
            is_full = isinstance(told(error), StorageFull)
            if stop.is_set() or (is_full and time.monotonic() > end):
                raise
            _log.warning("the database cannot: %s; trying again in %g s", error, pause)
        stop.wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def told(error: Exception) -> LookwhoError:
    """Return an error as the job's row tells it to people."""
    if isinstance(error, LookwhoError):
        return error
    problem = storage_problem(error)
    return problem or LookwhoError(f"unexpected {type(error).__name__}: {str(error).strip()}")
