"""Entries: what an archive holds, and what of it is never unpacked.

Nothing is believed: not what a file is called, not how large it says it is. What is refused for
itself (a link, an encrypted file) is told, and the others go on; what is refused of the archive as
a whole (too many files, more bytes than any album has) ends it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from lookwho.core.errors import ArchiveTooLarge, EntryRefused, LookwhoError

# Of the archive as a whole. An album of a camera's largest files is a tenth of that.
MAX_ENTRIES = 200_000
MAX_UNPACKED = 256 << 30
# Photos hardly shrink. What unpacks to so many times its size is a bomb, beyond so many bytes:
# drawings and empty files may.
MAX_RATIO = 100
MIN_BOMB = 64 << 20
# Of one file, before anybody knows what it is; `core.limits` has those of pictures.
MAX_FILE = 1 << 30
MAX_NAME = 4096  # bytes

_JUNK = frozenset({"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".spotlight-v100"})
_DRIVE = re.compile(r"[A-Za-z]:")


class Readable(Protocol):
    """The bytes of an entry, until the next one is asked for."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive.

    Attributes:
        name: as the archive says, with / between folders; anything but text that can be trusted.
        size: in bytes, as the archive says.
        file: its bytes, once, until the next entry is asked for; None where it is refused.
        error: why it is refused.
    """

    name: str
    size: int
    file: Readable | None
    error: LookwhoError | None = None


def _largest(name: str) -> int:
    return MAX_FILE


@dataclass(slots=True)
class Budget:
    """What an archive may still unpack to.

    Attributes:
        packed: bytes of the archive itself.
        most: bytes that there is room for.
        largest: is given a name, and returns how many bytes one file of that name may have.
    """

    packed: int
    most: int = MAX_UNPACKED
    largest: Callable[[str], int] = _largest
    unpacked: int = 0
    entries: int = 0

    def count(self) -> None:
        """Take note of one more entry, of whatever sort.

        Raises:
            ArchiveTooLarge: there are too many.
        """
        self.entries += 1
        if self.entries > MAX_ENTRIES:
            raise ArchiveTooLarge(
                f"the archive holds more than {MAX_ENTRIES:,} files: split it into several"
            )

    def spend(self, count: int) -> None:
        """Take note of so many unpacked bytes.

        Raises:
            ArchiveTooLarge: there are too many.
        """
        self.unpacked += count
        if self.unpacked > max(MIN_BOMB, MAX_RATIO * self.packed):
            raise ArchiveTooLarge(
                f"the archive unpacks to more than {MAX_RATIO} times its size, which photos never "
                "do: it is not unpacked any further"
            )
        if self.unpacked > self.most:
            raise ArchiveTooLarge(
                f"the archive unpacks to more than the {self.most >> 20:,} MB that there is room "
                "for: split it into several"
            )


def is_junk(name: str) -> bool:
    """Return whether an entry is what a system leaves behind, and no file of anybody's."""
    parts = name.lower().split("/")
    return any(part in _JUNK for part in parts) or parts[-1].startswith("._")


def refused_name(name: str) -> EntryRefused | None:
    """Refuse a name that leads out of the folder that it is unpacked into; None for others."""
    if not name.strip() or "\0" in name:
        return EntryRefused("the file has no name")
    if name.startswith("/") or _DRIVE.match(name):
        return EntryRefused("its name says where on a disk it is to lie: such files are not taken")
    if ".." in name.split("/"):
        return EntryRefused("its name leads out of the archive: such files are not taken")
    if len(name.encode(errors="replace")) > MAX_NAME:
        return EntryRefused("its name has thousands of letters")
    return None


def refused_size(name: str, size: int, budget: Budget) -> EntryRefused | None:
    """Refuse a file that is larger than any of its name that is read; None for others."""
    most = budget.largest(name)
    if size <= most:
        return None
    return EntryRefused(
        f"it has {size / 1e6:,.0f} million bytes, and at most {most / 1e6:,.0f} million are taken"
    )


def text_of(raw: bytes, *, utf8: bool = False) -> str:
    """Return a name as text: UTF-8 where it is that, else as old archives wrote it.

    >>> text_of("Zoë".encode()), text_of("Zoë".encode("cp437"))
    ('Zoë', 'Zoë')
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace") if utf8 else raw.decode("cp437")


class Peeked:
    """A file whose first bytes were looked at."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes; none at the end."""
        return self._head.read(size) or self._rest.read(size)


def read_exactly(file: BinaryIO | Readable, size: int) -> bytes:
    """Return so many bytes, or fewer where the file ends."""
    found = b""
    while len(found) < size and (piece := file.read(size - len(found))):
        found += piece
    return found
