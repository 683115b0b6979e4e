"""Site shapes: what other websites tell of albums, photos and members, whatever their API is.

An adapter makes these of one API's answers. What is not as it should be is refused by name, so that
whoever reads the message knows what to change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, cast

from lookwho.core.errors import SiteUnreachable
from lookwho.services.memberships import Period
from lookwho.services.site_client import Client

# Ids are kept in paths and in columns.
LONGEST_ID = 150


@dataclass(frozen=True, slots=True)
class RemoteAlbum:
    """An album of another website.

    Attributes:
        id: which one it is there.
        title: as it is called there.
        date: the day of the event, if it is told.
        event: what it was.
        hidden: whether it is kept from members there.
        open: whether this account may see it.
        cover: the id of the photo that stands for it.
    """

    id: str
    title: str
    date: date | None = None
    event: str = ""
    hidden: bool = False
    open: bool = True
    cover: str = ""


@dataclass(frozen=True, slots=True)
class RemotePhoto:
    """A photo of another website.

    Attributes:
        id: which one it is there; no other photo of the website has it.
        url: where its file is, now.
        taken_at: when it was taken, for files that do not tell.
    """

    id: str
    url: str
    taken_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RemoteMember:
    """A member of another website.

    Attributes:
        id: who it is there.
        email: their address, if it is told.
        periods: all the time in which they were members; None where that is not told.
    """

    id: str
    email: str
    periods: tuple[Period, ...] | None


class Adapter(Protocol):
    """One API. Each function raises what `Client.json` raises."""

    def albums(self, client: Client) -> Iterator[RemoteAlbum]:
        """Yield all albums that the account knows of."""
        ...

    def photos(self, client: Client, album: str) -> Iterator[RemotePhoto]:
        """Yield the photos of an album."""
        ...

    def members(self, client: Client) -> Iterator[RemoteMember]:
        """Yield the members."""
        ...

    def liked(self, client: Client) -> Iterator[str]:
        """Yield the ids of the photos that the account's own user likes."""
        ...


# --- reading ---


def row(told: object, what: str) -> dict[str, Any]:
    """Return an object of an answer.

    Raises:
        SiteUnreachable: it is none.
    """
    if not isinstance(told, dict):
        raise _odd(what, "an object", told)
    return cast(dict[str, Any], told)


def rows(told: object, what: str) -> list[dict[str, Any]]:
    """Return a list of objects of an answer.

    Raises:
        SiteUnreachable: it is none.
    """
    if not isinstance(told, list):
        raise _odd(what, "a list", told)
    return [row(each, what) for each in cast(list[object], told)]


def identity(told: object, what: str) -> str:
    """Return an id as text.

    Raises:
        SiteUnreachable: it is none, or too long.
    """
    if isinstance(told, bool) or not isinstance(told, (int, str)):
        raise _odd(what, "a number or a text", told)
    text = str(told)
    if not text or len(text) > LONGEST_ID or not text.isprintable():
        raise _odd(what, f"1 to {LONGEST_ID} characters", told)
    return text


def text(told: object) -> str:
    """Return a text, blank where there is none that can be shown."""
    if not isinstance(told, str):
        return ""
    return "".join(each if each.isprintable() else " " for each in told).strip()


def day(told: object) -> date | None:
    """Return a day, None where there is none.

    >>> day("2024-06-01T18:00:00+02:00"), day(None), day("2024-06")
    (datetime.date(2024, 6, 1), None, None)
    """
    found = moment(told)
    return found and found.date()


def moment(told: object) -> datetime | None:
    """Return a time, None where there is none or it cannot be read."""
    if not isinstance(told, str):
        return None
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        return None
    return found if 1800 <= found.year <= 2200 else None


def period(told: dict[str, Any], what: str) -> Period:
    """Return a stretch of time, `{"since": day, "until": day or null}`.

    Raises:
        SiteUnreachable: it is none.
    """
    since, until = day(told.get("since")), day(told.get("until"))
    if since is None or (until is None and told.get("until") is not None):
        raise _odd(what, "days such as 2024-09-01 for since and until", told)
    return Period(since, until)


def _odd(what: str, wanted: str, told: object) -> SiteUnreachable:
    kind = type(told).__name__ if isinstance(told, (dict, list)) else repr(told)[:60]
    return SiteUnreachable(f"the website's answer is odd: {what} should be {wanted}, not {kind}")
