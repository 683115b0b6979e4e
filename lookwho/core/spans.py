"""Spans: stretches of time from a start to an end in seconds, and what several have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from lookwho.core.cast import united

__all__ = ["Span", "common", "length", "shots", "united"]

Span = tuple[float, float]


def common(*several: Sequence[Span]) -> list[Span]:
    """Return the stretches that lie in every one of several lists.

    >>> common([(0.0, 5.0), (8.0, 9.0)], [(3.0, 8.5)])
    [(3.0, 5.0), (8.0, 8.5)]
    """
    if not several:
        return []
    first, *others = several
    found = united(list(first), gap=0.0)
    for other in others:
        found = _in_both(found, united(list(other), gap=0.0))
    return found


def shots(cuts: Iterable[float], duration: float) -> list[Span]:
    """Return the stretches between cuts, the first and the last included.

    >>> shots([4.0, 7.5], 10.0)
    [(0.0, 4.0), (4.0, 7.5), (7.5, 10.0)]

    A cut that is none, because nothing lies before or behind it, makes no shot.

    >>> shots([0.0, 12.0], 10.0)
    [(0.0, 10.0)]
    """
    inside = sorted({float(cut) for cut in cuts if 0.0 < cut < duration})
    edges = [0.0, *inside, duration]
    return list(pairwise(edges))


def length(spans: Iterable[Span]) -> float:
    """Return for how many seconds stretches last that do not overlap."""
    return sum(end - start for start, end in spans)


def _in_both(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """Return what two lists have in common, each in order and without overlaps."""
    found: list[Span] = []
    here = there = 0
    while here < len(one) and there < len(other):
        start = max(one[here][0], other[there][0])
        end = min(one[here][1], other[there][1])
        if start < end:
            found.append((start, end))
        if one[here][1] < other[there][1]:
            here += 1
        else:
            there += 1
    return found
