"""Tries: how often something may be tried in a stretch of time.

Counted in Django's cache: a list in memory that a restart empties, which costs whoever guesses a
password no less time than it costs us.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress

from django.core.cache import cache

from lookwho.core.errors import TooMany


def count(*whose: object, most: int, seconds: int) -> None:
    """Count a try; refuse it where there were too many since the first.

    Args:
        whose: what is tried, and by whom.
        most: so many are let through.
        seconds: after so long it begins anew.

    Raises:
        TooMany: there were as many already.
    """
    key = _key(whose)
    cache.add(key, 0, seconds)
    try:
        tried = cache.incr(key)
    except ValueError:  # it ended in between
        cache.set(key, 1, seconds)
        tried = 1
    if tried > most:
        minutes = max(1, round(seconds / 60))
        raise TooMany(
            f"that was tried too often: try again in {minutes} minute{'s' if minutes > 1 else ''}"
        )


def forget(*whose: object) -> None:
    """Begin anew: it succeeded."""
    cache.delete(_key(whose))


def take_back(*whose: object) -> None:
    """Let a try not count: it succeeded, and those before it, which did not, still do."""
    with suppress(ValueError):  # it ended in between
        cache.decr(_key(whose))


def _key(whose: tuple[object, ...]) -> str:
    told = "\0".join(map(str, whose)).encode(errors="surrogatepass")
    return f"lookwho-tries-{hashlib.sha256(told).hexdigest()}"
