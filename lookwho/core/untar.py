"""Tar archives, read as a stream: entry by entry, in little memory.

Python's own `tarfile` reads headers of any length that an archive asks for into memory, and some of
its versions never come to an end of negative sizes. Here a header has a limit, and a size is a
size.

Source: POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lookwho.core.entries import (
    Budget,
    Entry,
    Readable,
    is_junk,
    read_exactly,
    refused_name,
    refused_size,
    text_of,
)
from lookwho.core.errors import BrokenArchive, EntryRefused

BLOCK = 512
# Of all that is said about one entry before it; names have 4,096 bytes at most.
MAX_SAID = 1 << 20
_CHUNK = 1 << 16
_FILES = frozenset(b"0\0" + b"7")
_FOLDER = ord("5")
_LINKS = frozenset(b"12")
_LONG_NAME, _LONG_LINK, _PAX, _PAX_ALL = b"LKxg"
_CUT_SHORT = "the archive is cut short: what came before the cut was taken. Send it again"
_DAMAGED = "the archive is damaged: what came before the damage was taken. Make it anew"


@dataclass(slots=True)
class _Said:
    """What stands before an entry about it, and holds over its own header."""

    name: str | None = None
    size: int | None = None
    sparse: bool = False


def is_tar(head: bytes) -> bool:
    """Return whether bytes begin like a tar archive: by the sum over its first header."""
    return len(head) >= BLOCK and any(head[:BLOCK]) and _sum_is_right(head[:BLOCK])


def read_tar(stream: Readable, budget: Budget) -> Iterator[Entry]:
    """Yield the files of a tar archive; folders and what systems leave behind are passed over.

    Args:
        stream: read once, from its start.
        budget: what it may unpack to.

    Raises:
        BrokenArchive: it is damaged or cut short; what could be read was yielded before.
        ArchiveTooLarge: it is a bomb.
    """
    counted = _Counted(stream, budget)
    said = _Said()
    spoken = 0
    while True:
        head = read_exactly(counted, BLOCK)
        if not any(head):
            # Two empty blocks are the end, or one, or none: programs differ.
            return
        if len(head) < BLOCK:
            raise BrokenArchive(_CUT_SHORT)
        if not _sum_is_right(head):
            raise BrokenArchive(_DAMAGED)
        kind = head[156]
        size = _number(head[124:136])
        if kind in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_ALL):
            budget.count()
            spoken += size
            if not 0 <= size <= MAX_SAID or spoken > MAX_SAID:
                raise BrokenArchive(_DAMAGED)
            body = read_exactly(counted, size)
            if len(body) < size:
                raise BrokenArchive(_CUT_SHORT)
            counted.skip(-size % BLOCK)
            _listen(kind, body, said)
            continue
        name = said.name if said.name is not None else _name_of(head)
        size = said.size if said.size is not None else size
        sparse, said, spoken = said.sparse, _Said(), 0
        if size < 0:
            raise BrokenArchive(_DAMAGED)
        budget.count()
        length = 0 if kind == _FOLDER or kind in _LINKS else size
        body = _Body(counted, length)
        if not (kind == _FOLDER or name.endswith("/") or is_junk(name)):
            refusal = _refusal(name, kind, size, budget, sparse=sparse)
            yield Entry(name, size, None if refusal else body, refusal)
        body.skip()
        counted.skip(-length % BLOCK)


def _refusal(
    name: str, kind: int, size: int, budget: Budget, *, sparse: bool
) -> EntryRefused | None:
    """Return why an entry is not unpacked, None where it is."""
    if kind in _LINKS:
        return EntryRefused("it is a link, and no file")
    if kind not in _FILES or sparse:
        return EntryRefused("it is a device, or a file with holes, and no plain file")
    return refused_name(name) or refused_size(name, size, budget)


def _listen(kind: int, body: bytes, said: _Said) -> None:
    """Take in what a header says about the entry after it."""
    if kind == _LONG_NAME:
        said.name = text_of(body.partition(b"\0")[0])
    if kind != _PAX:  # what is said of all files is of no use here, and links are not made
        return
    at = 0
    while at < len(body):
        digits = body[at : at + 12].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        field = body[at + len(digits) + 1 : at + length]
        if length <= len(digits) + 1 or at + length > len(body) or field[-1:] != b"\n":
            raise BrokenArchive(_DAMAGED)
        key, _, value = field[:-1].partition(b"=")
        at += length
        if key == b"path":
            said.name = text_of(value)
        elif key == b"size":
            if not value.isdigit() or len(value) > 19:
                raise BrokenArchive(_DAMAGED)
            said.size = int(value)
        elif key.startswith(b"GNU.sparse."):
            said.sparse = True


def _name_of(head: bytes) -> str:
    name = head[:100].partition(b"\0")[0]
    prefix = head[345:500].partition(b"\0")[0] if head[257:263] == b"ustar\0" else b""
    return text_of(prefix + b"/" + name if prefix else name)


def _number(field: bytes) -> int:
    """Return a number of a header: digits to the base 8, or bytes where it is marked so.

    Raises:
        BrokenArchive: it is neither.
    """
    if field[0] & 0x80:
        number = int.from_bytes(field, "big", signed=True) if field[0] == 0xFF else 0
        return number or int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b" \0") or b"0"
    if digits.strip(b"01234567"):
        raise BrokenArchive(_DAMAGED)
    return int(digits, 8)


def _sum_is_right(head: bytes) -> bool:
    digits = head[148:156].strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        return False
    told, blank = int(digits, 8), head[:148] + b" " * 8 + head[156:]
    if told == sum(blank):
        return True
    return told == sum(blank) - 256 * sum(byte > 127 for byte in blank)  # as some old programs did


class _Counted:
    """A stream of which every byte counts, those too that nobody wants."""

    def __init__(self, stream: Readable, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, size: int, /) -> bytes:
        piece = self._stream.read(size)
        self._budget.spend(len(piece))
        return piece

    def skip(self, count: int) -> None:
        while count > 0 and (piece := self.read(min(count, _CHUNK))):
            count -= len(piece)


class _Body:
    """The bytes of one entry."""

    def __init__(self, stream: _Counted, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes; none at the end.

        Raises:
            BrokenArchive: the archive ends before.
        """
        wanted = min(size, self._left, _CHUNK)
        if wanted <= 0:
            return b""
        piece = self._stream.read(wanted)
        if not piece:
            raise BrokenArchive(_CUT_SHORT)
        self._left -= len(piece)
        return piece

    def skip(self) -> None:
        while self.read(_CHUNK):
            pass
