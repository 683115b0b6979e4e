"""Sentences: what somebody types to find photos, as what the timeline can be narrowed to.

    Anna and Ben, summer 2025       Anna or Ben since 2020
    only Anna                       Anna without Ben in June 2024

Nothing is guessed: a text in which a word is left over, or a name that two people share, is no
sentence. Seasons are those of the northern half of the earth; a winter begins in its year.
"""

from __future__ import annotations

import re
from calendar import month_abbr, month_name, monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode
from uuid import UUID

from lookwho.library.queries.people import Portrait, matching
from lookwho.library.queries.photos import Together

_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_MONTHS = {
    name.lower(): number
    for names in (month_name, month_abbr)
    for number, name in enumerate(names)
    if name
}
_WHEN = "|".join(sorted({*_SEASONS, *_MONTHS}, key=len, reverse=True))
_SPAN = rf"(?:(?P<{{0}}>{_WHEN})\.?\s+)?(?P<{{1}}>(?:19|20)\d\d)"
_FROM_TO = re.compile(
    r"\b(?:(?:from|between)\s+)?"
    + _SPAN.format("when", "year")
    + r"\s*(?:-|–|to|until|till|and)\s*"
    + _SPAN.format("end_when", "end_year")
    + r"\b"
)
_ONE = re.compile(
    r"\b(?:(?P<side>since|from|after|until|till|before)\s+|(?:in|during|of)\s+)?"
    + _SPAN.format("when", "year")
    + r"\b"
)
_ONLY = re.compile(r"\b(?:only|alone|nobody else|no one else)\b")
_WORDS = re.compile(r"\s*(?:,|;|&|\+|\b(?:and|or|but|not|without|with)\b)\s*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was asked for.

    Attributes:
        people: uuids of those who must be in the photos.
        together: how.
        without: uuids of those who must not.
        since: the first day.
        until: the last day.
    """

    people: tuple[UUID, ...] = ()
    together: Together = Together.ALL
    without: tuple[UUID, ...] = ()
    since: date | None = None
    until: date | None = None

    @property
    def query(self) -> str:
        """The same as the query of an address (`narrowing`)."""
        pairs = [("person", str(uuid)) for uuid in self.people]
        pairs += [("together", str(self.together))] if self.together != Together.ALL else []
        pairs += [("without", str(uuid)) for uuid in self.without]
        pairs += [("since", self.since.isoformat())] if self.since else []
        pairs += [("until", self.until.isoformat())] if self.until else []
        return urlencode(pairs)


def read(text: str, people: Sequence[Portrait]) -> Sentence | None:
    """Return what a text asks for; None where it is no such sentence.

    Args:
        text: as it was typed.
        people: who may be meant, with their names.

    >>> anna, ben = (Portrait(i, UUID(int=i), name, 1) for i, name in enumerate(["Anna", "Ben"]))
    >>> found = read("anna and not Ben, summer 2025", [anna, ben])
    >>> (found.people == (anna.uuid,), found.without == (ben.uuid,), found.until.isoformat())
    (True, True, '2025-08-31')
    """
    words = " ".join(text.casefold().split())
    rest, since, until = _days(words)
    rest, alone = _ONLY.subn(" ", rest)
    found = _people(rest, people)
    if found is None or (since and until and since > until):
        return None
    wanted, without, anyone = found
    if not (wanted or without or since or until) or (alone and (anyone or not wanted)):
        return None
    together = Together.ONLY if alone else Together.ANY if anyone else Together.ALL
    return Sentence(wanted, together, without, since, until)


def _days(text: str) -> tuple[str, date | None, date | None]:
    """Return a text without what it says of time, and the first and the last day."""
    if found := _FROM_TO.search(text):
        since, _ = _span(found["when"], int(found["year"]))
        _, until = _span(found["end_when"], int(found["end_year"]))
    elif found := _ONE.search(text):
        first, last = _span(found["when"], int(found["year"]))
        side = found["side"]
        since = {"after": _next(last), "until": None, "till": None, "before": None}.get(
            side or "", first
        )
        until = {"since": None, "from": None, "after": None, "before": _before(first)}.get(
            side or "", last
        )
    else:
        return text, None, None
    return f"{text[: found.start()]} , {text[found.end() :]}", since, until


def _span(when: str | None, year: int) -> tuple[date, date]:
    """Return the first and the last day of a year, or of a month or a season that begins in it."""
    if when is None:
        return date(year, 1, 1), date(year, 12, 31)
    if when in _MONTHS:
        month = _MONTHS[when]
        return date(year, month, 1), date(year, month, monthrange(year, month)[1])
    month = _SEASONS[when]
    year_of_end, end = (year, month + 2) if month < 12 else (year + 1, 2)
    return date(year, month, 1), date(year_of_end, end, monthrange(year_of_end, end)[1])


def _next(day: date) -> date:
    return date.fromordinal(day.toordinal() + 1)


def _before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


def _people(
    text: str, people: Sequence[Portrait]
) -> tuple[tuple[UUID, ...], tuple[UUID, ...], bool] | None:
    """Return who is wanted, who is not, and whether any of them will do; None where not clear."""
    wanted: dict[UUID, None] = {}
    without: dict[UUID, None] = {}
    joined: set[str] = set()
    start, said = 0, ""
    for end in [*_WORDS.finditer(text), None]:
        name = text[start : end.start() if end else None].strip(" .")
        if name:
            who = _called(name, people)
            if who is None:
                return None
            no = "not" in said.split() or "without" in said.split()
            if wanted and not no:
                joined.add("or" if "or" in said.split() else "and")
            (without if no else wanted)[who] = None
            said = ""
        if end:
            said = f"{said} {end.group().strip()}"
            start = end.end()
    if said.strip(" ,;") or wanted.keys() & without.keys() or len(joined) > 1:
        return None
    return tuple(wanted), tuple(without), "or" in joined


def _called(name: str, people: Sequence[Portrait]) -> UUID | None:
    """Return who has this name, or else the only one whose name holds its words."""
    exact = [each for each in people if each.name.casefold() == name]
    found = exact or matching(people, name)
    return found[0].uuid if len(found) == 1 else None
