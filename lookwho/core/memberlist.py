"""Member list: a file of who was a member from when to when, as other programs export it.

CSV with a line of headings, whatever its delimiter and its encoding: spreadsheets write both as
their country has it. What a row says is not judged here, except for its days.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from lookwho.core.errors import Invalid

MOST_BYTES = 20 << 20
MOST_ROWS = 100_000
# A day of membership is none before this: it is a slip, or another calendar.
FIRST_DAY = date(1900, 1, 1)
# A day that many programs write for "without an end".
LAST_YEAR = 9999

# What headings are called elsewhere, in small letters, without spaces and signs.
_HEADINGS = {
    "user": ("user", "username", "login", "account", "member"),
    "email": ("email", "mail", "emailaddress"),
    "external_id": ("externalid", "id", "number", "membernumber", "memberid", "membernr"),
    "name": ("name", "fullname", "displayname", "calledhere"),
    "since": ("since", "from", "start", "begin", "startdate", "membersince"),
    "until": ("until", "to", "end", "till", "enddate", "memberuntil"),
}
_MEANT = {written: heading for heading, ways in _HEADINGS.items() for written in ways}
_WHO = ("user", "email", "external_id")
_DELIMITERS = ",;\t|"
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?")
_DAY_BY_DOTS = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one line says of somebody; blank for what it does not say.

    Attributes:
        line: where in the list it is; the first is 1.
        user: their name here.
        email: their address.
        external_id: what they are called where the list comes from.
        name: what to call them here, where they are new.
        since: the first day of a membership.
        until: its last day.
    """

    line: int
    user: str = ""
    email: str = ""
    external_id: str = ""
    name: str = ""
    since: str = ""
    until: str = ""

    @property
    def who(self) -> str:
        """Whom it is about, as the list calls them."""
        return self.user or self.name or self.email or self.external_id


def rows_of(data: bytes) -> list[Row]:
    r"""Return the rows of a file, in its order; rows without any text are left out.

    Raises:
        Invalid: it is no such list, or it is too long.

    >>> rows_of(b"E-mail;Since;Until\nanna@example.org;1.9.2024;")[0].since
    '1.9.2024'
    """
    if len(data) > MOST_BYTES:
        raise Invalid(f"a list of members has at most {MOST_BYTES >> 20} MB")
    return list(_rows(_text(data)))


def day_of(text: str) -> date | None:
    """Return the day that a text names; None for a blank one.

    The year comes first, as in 2024-09-01, or dots stand between, as in 1.9.2024. With slashes one
    country's day is another's month, so those are refused.

    Raises:
        Invalid: it is no day.
    """
    text = text.strip()
    if not text:
        return None
    if found := _DAY.fullmatch(text):
        year, month, day = map(int, found.groups())
    elif found := _DAY_BY_DOTS.fullmatch(text):
        day, month, year = map(int, found.groups())
    else:
        raise Invalid(f"{text[:40]!r} is no day: write it as 2024-09-01")
    try:
        return date(year, month, day)
    except ValueError as error:
        raise Invalid(f"{text[:40]!r} is no day: there is none like it") from error


def days_of(since: str, until: str) -> tuple[date | None, date | None]:
    """Return the first and the last day of a membership; None for one that is not told.

    Raises:
        Invalid: they are no days, or no time of membership.
    """
    first, last = day_of(since), day_of(until)
    if last is not None and last.year == LAST_YEAR:
        last = None
    check_days(first, last)
    return first, last


def check_days(first: date | None, last: date | None) -> None:
    """Return if these days can be those of a membership.

    Raises:
        Invalid: they cannot.
    """
    for told in (first, last):
        if told is not None and told < FIRST_DAY:
            raise Invalid(f"{told} is too long ago for a membership")
    if first is not None and last is not None and last < first:
        raise Invalid(f"it ends on {last}, before it begins on {first}")


def _rows(text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    columns: dict[str, int] | None = None
    line = 0
    count = 0
    try:
        for cells in reader:
            begins, line = line + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                if begins == 1 and cells[0].casefold().startswith("sep="):
                    continue  # a spreadsheet's own note
                columns = _columns(cells)
                continue
            count += 1
            if count > MOST_ROWS:
                raise Invalid(f"a list of members has at most {MOST_ROWS} rows")
            told = {
                heading: " ".join(cells[at].split())
                for heading, at in columns.items()
                if at < len(cells)
            }
            yield Row(line=begins, **told)
    except csv.Error as error:
        raise Invalid(f"line {line + 1} of the list cannot be read as CSV: {error}") from error
    if columns is None:
        raise Invalid("the list is empty: it needs a line of headings, such as user,since,until")


def _columns(cells: Sequence[str]) -> dict[str, int]:
    """Return in which column each heading is."""
    found: dict[str, int] = {}
    for at, cell in enumerate(cells):
        heading = _MEANT.get(re.sub(r"[\W_]", "", cell).casefold())
        if heading is None:
            continue
        if heading in found:
            raise Invalid(f"two columns of the list are called {heading}")
        found[heading] = at
    if not any(heading in found for heading in _WHO):
        raise Invalid(
            "the first line of the list names none of the columns user, email or external id: "
            "say there which column is which, as in user,since,until"
        )
    return found


def _text(data: bytes) -> str:
    """Return a file's text, by what it says of its encoding, else by trying."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ("utf-16",)
    else:
        # Whatever is no UTF-8 is most often Windows' own of western countries.
        encodings = ("utf-8-sig", "cp1252", "latin-1")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text
    raise Invalid("this is no list of members: it must be text, CSV")


def _delimiter(text: str) -> str:
    """Return what stands between the columns: what the first line has most of, outside quotes."""
    for line in text.splitlines():
        if line.casefold().startswith("sep=") and len(line) > 4:
            return line[4] if line[4] in _DELIMITERS else ","
        if line.strip():
            counts = Counter(re.sub(r'"[^"]*"', "", line))
            return max(_DELIMITERS, key=lambda sign: counts[sign])
    return ","
