"""Narrowing: what of the photos an address asks for, and the same said back in words.

    person=…&person=…   who is in the photo; together=all, any or only says how
    without=…           who is not
    album=…, folder=…   where it is
    since=…, until=…    the first and the last day, as 2025-08-23
    faces=none          only photos in which no face was found

People, albums and folders are told by their uuids. Whatever the asker may not know of is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.formats import date_format

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Album, Collection, Person
from lookwho.library.queries import photos as queries
from lookwho.library.queries.photos import Together, Wanted
from lookwho.library.scope import Scope

NAMES = ("person", "together", "without", "album", "folder", "since", "until", "faces")

Row = TypeVar("Row", Person, Album, Collection)
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing that was asked for.

    Attributes:
        text: it, in words.
        without: the query that asks for all but it.
    """

    text: str
    without: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """A part of what a scope holds.

    Attributes:
        scope: narrowed by albums, folders and days.
        wanted: who must and must not be in the photos.
        pairs: what was asked for, as the names and values of a query.
        people: who must be in the photos.
        without: who must not be.
        album: the album, if one was asked for.
        folder: the folder, if one was.
    """

    scope: Scope
    wanted: Wanted
    pairs: Pairs = ()
    people: tuple[Person, ...] = ()
    without: tuple[Person, ...] = ()
    album: Album | None = None
    folder: Collection | None = None

    @property
    def query(self) -> str:
        """What was asked for, as a query."""
        return urlencode(self.pairs)

    @property
    def chips(self) -> list[Chip]:
        """What was asked for, in words, each with a way to ask for all but it."""
        chips = [self._chip(called(person), ("person", person)) for person in self.people]
        if len(chips) > 1 and self.wanted.together == Together.ANY:
            chips[1:] = [replace(chip, text=f"or {chip.text}") for chip in chips[1:]]
        elif chips and self.wanted.together == Together.ONLY:
            chips.append(Chip("nobody else", self._but("together")))
        chips += [
            self._chip(f"not {called(person)}", ("without", person)) for person in self.without
        ]
        chips += [self._chip(row.title, (name, row)) for name, row in self._places() if row]
        told = dict(self.pairs)
        for name, word in (("since", "from"), ("until", "to")):
            if name in told:
                day = date_format(date.fromisoformat(told[name]), "j F Y")
                chips.append(Chip(f"{word} {day}", self._but(name)))
        if self.wanted.faceless:
            chips.append(Chip("no face found", self._but("faces")))
        return chips

    def _places(self) -> tuple[tuple[str, Album | Collection | None], ...]:
        return ("album", self.album), ("folder", self.folder)

    def _chip(self, text: str, pair: tuple[str, Person | Album | Collection]) -> Chip:
        name, row = pair
        return Chip(text, self._but(name, str(row.uuid)))

    def _but(self, name: str, value: str | None = None) -> str:
        return urlencode(
            [pair for pair in self.pairs if pair[0] != name or value not in (None, pair[1])]
        )


def narrowed(scope: Scope, asked: QueryDict) -> Narrowing:
    """Return the part of a scope that a query asks for; what it says of other things is left alone.

    Raises:
        NotFound: a person, an album or a folder that is not, or that the asker may not know of.
        Invalid: a day that is none.
    """
    if not any(asked.get(name) for name in NAMES):
        return Narrowing(scope=scope, wanted=queries.EVERYTHING)
    choices = queries.choices(scope)
    people = _people(scope, asked.getlist("person"))
    without = _people(scope, asked.getlist("without"))
    album = _chosen(asked.getlist("album")[:1], choices.albums, "album")
    folder = _chosen(asked.getlist("folder")[:1], choices.collections, "folder")
    since, until = _day(asked.get("since", "")), _day(asked.get("until", ""))
    together = asked.get("together", "")
    if together not in list(Together) or not people:
        together = Together.ALL
    faceless = asked.get("faces") == "none"
    pairs = [("person", str(row.uuid)) for row in people]
    pairs += [("together", str(together))] if together != Together.ALL else []
    pairs += [("without", str(row.uuid)) for row in without]
    pairs += [("album", str(row.uuid)) for row in album]
    pairs += [("folder", str(row.uuid)) for row in folder]
    pairs += [("since", since.isoformat())] if since else []
    pairs += [("until", until.isoformat())] if until else []
    pairs += [("faces", "none")] if faceless else []
    return Narrowing(
        scope=scope.within(
            albums=frozenset(row.pk for row in album) if album else None,
            collections=frozenset(row.pk for row in folder) if folder else None,
            since=since,
            until=until,
        ),
        wanted=Wanted(
            people=frozenset(row.pk for row in people),
            together=Together(together),
            without=frozenset(row.pk for row in without),
            faceless=faceless,
        ),
        pairs=tuple(pairs),
        people=people,
        without=without,
        album=next(iter(album), None),
        folder=next(iter(folder), None),
    )


def called(person: Person) -> str:
    """Return what to call somebody who may have no name yet."""
    return person.name or "somebody without a name"


def _people(scope: Scope, told: Sequence[str]) -> tuple[Person, ...]:
    """Return the people of these uuids; of somebody who was merged, whom they were merged into."""
    known = Person.objects.all() if scope.names else Person.objects.none()
    found = _chosen(told, known.select_related("root"), "person")
    return tuple(dict.fromkeys(person.root or person for person in found))


def _chosen(told: Sequence[str], rows: QuerySet[Row], what: str) -> tuple[Row, ...]:
    wanted = [text for text in told if text]
    if not wanted:
        return ()
    try:
        uuids = list(dict.fromkeys(UUID(text) for text in wanted))
    except ValueError:
        uuids = []
    found = {row.uuid: row for row in rows.filter(uuid__in=uuids)}
    if not uuids or len(found) < len(uuids):
        raise NotFound(f"there is no such {what}, or it is not for you to see")
    return tuple(found[uuid] for uuid in uuids)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise Invalid(f"{text[:40]!r} is no day: write it as 2025-08-23") from None
