"""Spans: the years of a person's photos, so that a heading stands over more than a photo or two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from lookwho.library.queries.photos import Tile

# A heading for each year, or for as many years as it takes for so many photos.
ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Span:
    """Years that stand under one heading."""

    first: int
    last: int

    @property
    def years(self) -> str:
        """The heading."""
        return str(self.last) if self.first == self.last else f"{self.first} to {self.last}"


def spans(years: Iterable[tuple[int, int]]) -> list[Span]:
    """Return stretches of years with enough photos for a heading each, the newest first.

    >>> [span.years for span in spans([(2024, 1), (2023, 2), (2022, 9), (2021, 8), (2019, 2)])]
    ['2022 to 2024', '2019 to 2021']
    """
    found: list[Span] = []
    last = first = photos = 0
    for year, count in years:
        last, first, photos = last or year, year, photos + count
        if photos >= ENOUGH:
            found.append(Span(first, last))
            last = photos = 0
    if last and found:  # too few for a heading of their own
        found[-1] = Span(first, found[-1].last)
    elif last:
        found.append(Span(first, last))
    return found


def by_span(tiles: Iterable[Tile], all_spans: Sequence[Span]) -> Iterator[tuple[Span, list[Tile]]]:
    """Yield these photos under their headings, in their order."""
    at = {year: span for span in all_spans for year in range(span.first, span.last + 1)}

    def span_of(tile: Tile) -> Span:
        # A photo of a year that came while this was asked for stands by itself.
        return at.get(tile.day.year) or Span(tile.day.year, tile.day.year)

    for span, some in groupby(tiles, span_of):
        yield span, list(some)
