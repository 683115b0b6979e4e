"""Zip archives, read entry by entry in little memory, however long their list of files is.

The list at the end (the central directory) is what counts, as for every program that unpacks.
Where it is missing, since the archive was cut short, the files are read one after the other as far
as they go. Python's own `zipfile` holds the whole list in memory, and reads nothing of such an
archive.

Source: PKWARE, APPNOTE.TXT 6.3.10.
"""

from __future__ import annotations

import io
import struct
import zlib
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from stat import S_IFMT, S_IFREG
from typing import BinaryIO

from lookwho.core.entries import (
    Budget,
    Entry,
    is_junk,
    read_exactly,
    refused_name,
    refused_size,
    text_of,
)
from lookwho.core.errors import ArchiveTooLarge, BrokenArchive, EntryRefused

_END, _END64, _AT64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
_LISTED, _LOCAL = b"PK\1\2", b"PK\3\4"
_CHUNK = 1 << 16
_STORED, _DEFLATED, _AES = 0, 8, 99
_ENCRYPTED, _LATER, _MASKED, _UTF8 = 0x1, 0x8, 0x2000, 0x800
_UNIX = (3, 19)  # systems whose file types stand in the upper half of the attributes
_ZIP64, _UNICODE_NAME = 0x0001, 0x7075
_ALL = 0xFFFFFFFF
_CUT_SHORT = "the archive is cut short: what came before the cut was taken. Send it again"


@dataclass(slots=True)
class _Listed:
    """What the archive says of one entry."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    at: int  # where its own header stands in the file
    mode: int = 0  # of Unix; 0 where that is not told


def read_zip(file: BinaryIO, budget: Budget) -> Iterator[Entry]:
    """Yield the files of a zip archive; folders and what systems leave behind are passed over.

    Args:
        file: that can be searched; its position is ours until the end.
        budget: what it may unpack to.

    Raises:
        BrokenArchive: it is damaged or cut short; what could be read was yielded before.
        ArchiveTooLarge: it is a bomb.
    """
    size = file.seek(0, io.SEEK_END)
    found = _directory(file, size)
    if found is None:
        yield from _one_after_another(file, size, budget)
        return
    start, end, shift = found
    taken = _Taken()
    for listed in _listed(file, start, end, shift):
        budget.count()
        if listed.name.endswith("/") or is_junk(listed.name):
            continue
        refusal = _refusal(listed, budget)
        begin = 0 if refusal else _data_of(file, listed)
        if refusal or not begin:
            refusal = refusal or BrokenArchive("it is not where the archive says that it is")
            yield Entry(listed.name, listed.size, None, refusal)
            continue
        taken.take(listed.at, begin + listed.packed)
        yield Entry(listed.name, listed.size, _Unpacked(file, begin, listed, budget))


def _refusal(listed: _Listed, budget: Budget) -> EntryRefused | None:
    """Return why an entry is not unpacked, None where it is."""
    if S_IFMT(listed.mode) not in (0, S_IFREG):
        return EntryRefused("it is a link or a device, and no file")
    if listed.flags & (_ENCRYPTED | _MASKED) or listed.method == _AES:
        return EntryRefused("it is encrypted: make the archive without a password")
    if listed.method not in (_STORED, _DEFLATED):
        return EntryRefused(
            f"it is packed by method {listed.method}, which is not read: make the archive anew, as "
            "a plain zip"
        )
    return refused_name(listed.name) or refused_size(listed.name, listed.size, budget)


class _Taken:
    """The stretches of the file that entries lie in. No two may share any: that is how bombs work.

    Source: D. Fifield, "A better zip bomb", WOOT 2019.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def take(self, start: int, end: int) -> None:
        at = bisect(self._starts, start)
        before = at and self._ends[at - 1] > start
        after = at < len(self._starts) and self._starts[at] < end
        if before or after:
            raise ArchiveTooLarge(
                "files in the archive share their bytes, as no program writes them: it is not "
                "unpacked any further"
            )
        self._starts.insert(at, start)
        self._ends.insert(at, end)


# --- the list at the end ---


def _directory(file: BinaryIO, size: int) -> tuple[int, int, int] | None:
    """Return where the list begins and ends, and by how much all places are moved; None without."""
    back = min(size, 22 + 0xFFFF)
    file.seek(size - back)
    tail = read_exactly(file, back)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        return None
    disk, first, _, _, length, start = struct.unpack_from("<HHHHII", tail, at + 4)
    if (disk, first) not in ((0, 0), (0xFFFF, 0), (0xFFFF, 0xFFFF)):
        raise BrokenArchive("the archive is one of several parts: put them together first")
    end = size - back + at
    if at >= 20 and tail[at - 20 : at - 16] == _AT64:
        (place,) = struct.unpack_from("<Q", tail, at - 12)
        file.seek(min(place, size))
        record = read_exactly(file, 56)
        if record[:4] == _END64 and len(record) == 56:
            length, start = struct.unpack_from("<QQ", record, 40)
            end = place
    # Whatever was put before the archive, such as a program that unpacks it, moves all places.
    shift = end - length - start
    if shift < 0 or length > size:
        return None
    return start + shift, end, shift


def _listed(file: BinaryIO, start: int, end: int, shift: int) -> Iterator[_Listed]:
    at = start
    while at + 46 <= end:
        file.seek(at)
        head = read_exactly(file, 46)
        if head[:4] != _LISTED or len(head) < 46:
            raise BrokenArchive("the archive's list of files is damaged. Make it anew")
        made, flags, method = struct.unpack_from("<4xH2xHH", head)
        crc, packed, size, named, extra, said = struct.unpack_from("<16xIIIHHH", head)
        attributes, place = struct.unpack_from("<38xII", head)
        raw = read_exactly(file, named)
        fields = _fields(read_exactly(file, extra))
        at += 46 + named + extra + said
        size, packed, place = _long(fields.get(_ZIP64, b""), size, packed, place)
        yield _Listed(
            name=_name(raw, flags, fields),
            flags=flags,
            method=method,
            crc=crc,
            packed=packed,
            size=size,
            at=place + shift,
            mode=attributes >> 16 if made >> 8 in _UNIX else 0,
        )


def _fields(extra: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        fields.setdefault(kind, extra[at + 4 : at + 4 + length])
        at += 4 + length
    return fields


def _long(field: bytes, *numbers: int) -> list[int]:
    """Return the numbers, those that did not fit into 32 bits from the field that has them."""
    found: list[int] = []
    for number in numbers:
        if number == _ALL and len(field) >= 8:
            number, field = int.from_bytes(field[:8], "little"), field[8:]
        found.append(number)
    return found


def _name(raw: bytes, flags: int, fields: dict[int, bytes]) -> str:
    told = fields.get(_UNICODE_NAME, b"")
    if len(told) > 5 and int.from_bytes(told[1:5], "little") == zlib.crc32(raw):
        raw, flags = told[5:], _UTF8
    # Some programs on Windows write \, which no name can hold there.
    return text_of(raw, utf8=bool(flags & _UTF8)).replace("\\", "/")


# --- entries ---


def _data_of(file: BinaryIO, listed: _Listed) -> int:
    """Return where the bytes of an entry begin; 0 where its own header is not."""
    file.seek(listed.at)
    head = read_exactly(file, 30)
    if head[:4] != _LOCAL or len(head) < 30:
        return 0
    named, extra = struct.unpack_from("<26xHH", head)
    return listed.at + 30 + named + extra


class _Unpacked:
    """The bytes of one entry, which must be as many as were told, and the ones that were meant."""

    def __init__(self, file: BinaryIO, begin: int, listed: _Listed, budget: Budget) -> None:
        self._file = file
        self._listed = listed
        self._budget = budget
        self._unzip = zlib.decompressobj(-15) if listed.method == _DEFLATED else None
        self._crc = 0
        self._done = 0
        self._at = begin
        self._end = begin + listed.packed

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes; none at the end.

        Raises:
            BrokenArchive: they are damaged, cut short or too many.
            ArchiveTooLarge: that makes too many altogether.
        """
        if size <= 0:
            return b""
        try:
            piece = self._next(size)
        except zlib.error as error:
            raise BrokenArchive(f"its bytes in the archive are damaged ({error})") from error
        self._budget.spend(len(piece))
        self._done += len(piece)
        self._crc = zlib.crc32(piece, self._crc)
        if self._done > self._listed.size:
            raise BrokenArchive("it is larger than the archive says that it is")
        if not piece and self._done < self._listed.size:
            raise BrokenArchive(_CUT_SHORT)
        if not piece and self._crc != self._listed.crc:
            raise BrokenArchive("its bytes in the archive are damaged (they fail their checksum)")
        return piece

    def _next(self, size: int) -> bytes:
        unzip = self._unzip
        if unzip is None:
            return self._taken(min(size, _CHUNK))
        while not unzip.eof:
            packed = unzip.unconsumed_tail or self._taken(_CHUNK)
            if piece := unzip.decompress(packed, size):
                return piece
            if not packed:
                break
        return b""

    def _taken(self, size: int) -> bytes:
        # Others may have read from the file meanwhile.
        self._file.seek(self._at)
        piece = self._file.read(max(0, min(size, self._end - self._at)))
        self._at += len(piece)
        return piece


# --- without a list ---


def _one_after_another(file: BinaryIO, size: int, budget: Budget) -> Iterator[Entry]:
    """Yield what can be read of an archive that was cut short, and then say so.

    Raises:
        BrokenArchive: always, at the end.
    """
    at = 0
    while at + 30 <= size:
        file.seek(at)
        head = read_exactly(file, 30)
        if head[:4] != _LOCAL:
            break
        flags, method = struct.unpack_from("<6xHH", head)
        crc, packed, length, named, extra = struct.unpack_from("<14xIIIHH", head)
        raw = read_exactly(file, named)
        fields = _fields(read_exactly(file, extra))
        length, packed = _long(fields.get(_ZIP64, b""), length, packed)
        if flags & _LATER:  # its size stands behind it, which nobody can find
            break
        begin = at + 30 + named + extra
        listed = _Listed(_name(raw, flags, fields), flags, method, crc, packed, length, at)
        at = begin + packed
        if at > size:
            break
        budget.count()
        if listed.name.endswith("/") or is_junk(listed.name):
            continue
        if refusal := _refusal(listed, budget):
            yield Entry(listed.name, listed.size, None, refusal)
        else:
            yield Entry(listed.name, listed.size, _Unpacked(file, begin, listed, budget))
    raise BrokenArchive(_CUT_SHORT)
