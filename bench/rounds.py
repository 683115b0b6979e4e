"""Rounds: every side does the same work, one after the other, and each round gives ratios.

What else a machine does comes and goes; within a round it meets all sides alike. The tables show
the median of the rounds, and of the ratios the least and the greatest too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.photos import Photo, Tally
from bench.progress import shown
from bench.sides import Found
from lookwho.core.types import DoubleArray

THEIRS = "face_recognition"
# Our ways, as the tables call them, and what `Analyzer` is made with.
WAYS: dict[str, dict[str, Any]] = {
    "balanced, float32": {},
    "balanced, int8": {"int8": True},
    "fast (int8)": {"preset": "fast"},
}


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Attributes:
        photos: how many at most.
        rounds: of each table.
        starts: of each program.
        groups: photos on which detectors are compared.
    """

    photos: int
    rounds: int
    starts: int
    groups: int


FULL = Effort(photos=1000, rounds=5, starts=5, groups=6)
QUICK = Effort(photos=4, rounds=2, starts=3, groups=1)


@dataclass(slots=True)
class Times:
    """What one side did.

    Attributes:
        totals: (rounds,) milliseconds for all the work of a round.
        tally: the boxes of the first round; later ones find the same.
    """

    totals: list[float] = field(default_factory=list[float])
    tally: Tally = field(default_factory=Tally)

    def median(self) -> float:
        """Return the milliseconds of the round in the middle."""
        return float(np.median(self.totals))


def measured(
    asks: Mapping[str, Callable[[Path], Found]],
    chosen: Sequence[Photo],
    paths: Sequence[Path],
    rounds: int,
    what: str,
) -> dict[str, Times]:
    """Ask all sides in turn for every photo, in so many rounds, after one that does not count."""
    found = {name: Times() for name in asks}
    for ask in asks.values():
        ask(paths[0])
    for number in shown(range(rounds), what):
        sums = dict.fromkeys(asks, 0.0)
        for photo, path in zip(chosen, paths, strict=True):
            for name in in_turn(asks, number):
                answer = asks[name](path)
                sums[name] += answer.milliseconds
                if number == 0:
                    found[name].tally.add(photo, answer.boxes)
        for name, total in sums.items():
            found[name].totals.append(total)
    return found


def in_turn(names: Mapping[str, Any], number: int) -> list[str]:
    """Let another side begin in every round.

    >>> in_turn({"a": 0, "b": 0, "c": 0}, 4)
    ['b', 'c', 'a']
    """
    order = list(names)
    first = number % len(order)
    return order[first:] + order[:first]


def with_ratios(found: Mapping[str, Times]) -> Iterator[tuple[str, Times, str]]:
    """Yield each side with how many times as fast it is as the first."""
    first = np.array(next(iter(found.values())).totals)
    for number, (name, times) in enumerate(found.items()):
        yield name, times, ratio(first / np.array(times.totals)) if number else ""


def ratio(values: DoubleArray) -> str:
    """Return the median of the rounds, the least and the greatest, as text.

    >>> ratio(np.array([5.0, 4.0, 7.0]))
    '5.0 (4.0–7.0)'
    """
    return f"{np.median(values):.1f} ({values.min():.1f}–{values.max():.1f})"


def count_heads(chosen: Sequence[Photo]) -> list[str]:
    """Return the heads of the columns that `counts` fills."""
    labelled = all(photo.faces is not None for photo in chosen)
    return ["boxes", "true faces", "false boxes"] if labelled else ["boxes"]


def counts(tally: Tally) -> list[str]:
    """Return boxes, and where faces are labelled true and false ones."""
    return [str(n) for n in (tally.boxes, tally.true, tally.false) if n is not None]
