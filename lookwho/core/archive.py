"""Archives: zip, tar and tar.gz, read file by file, with nothing believed and little in memory.

An archive comes from outside. It may claim to hold files above its own folder, links, devices, more
bytes than any disk, or archives within archives without end. `core.entries` says what is refused;
`core.unzip` and `core.untar` read the two formats.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

from lookwho.core.entries import (
    MAX_UNPACKED,
    Budget,
    Entry,
    Peeked,
    Readable,
    read_exactly,
)
from lookwho.core.errors import (
    ArchiveTooLarge,
    BrokenArchive,
    EntryRefused,
    InputError,
    NotAnArchive,
)
from lookwho.core.untar import BLOCK, is_tar, read_tar
from lookwho.core.unzip import read_zip

__all__ = ["ENDINGS", "HEAD", "Entry", "archive_kind", "foreign", "read"]

# By which archives are told before their bytes are there.
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
HEAD = BLOCK  # bytes that tell what a file is
_ZIP, _EMPTY_ZIP = b"PK\3\4", b"PK\5\6"
_GZIP = b"\x1f\x8b"
_OTHERS = (
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
)


def archive_kind(head: bytes) -> str:
    """Return what archive begins with these bytes: "zip", "gzip", "tar", or "" for none.

    Args:
        head: the first `HEAD` bytes, or all where there are fewer.
    """
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        return "zip"
    if head.startswith(_GZIP):
        return "gzip"
    return "tar" if is_tar(head) else ""


def foreign(head: bytes) -> str:
    """Return what archive that is not unpacked here begins with these bytes, "" for none."""
    return next((what for begin, what in _OTHERS if head.startswith(begin)), "")


def read(
    file: BinaryIO, *, most: int = MAX_UNPACKED, largest: Callable[[str], int] | None = None
) -> Iterator[Entry]:
    """Yield the plain files of an archive, and those that are refused with the reason.

    The bytes of an entry are read before the next one is asked for, or not at all. What is wrong
    with one file is raised by reading it (`BrokenArchive`), and the next one may be sound.

    Args:
        file: the archive, that can be searched.
        most: bytes that there is room for.
        largest: is given a name, and returns how many bytes one file of that name may have; None
            for what is right for pictures.

    Raises:
        NotAnArchive: it is none, or of another kind.
        BrokenArchive: it is damaged or cut short; what could be read was yielded before.
        ArchiveTooLarge: it is a bomb, or does not fit; also raised by reading an entry.
    """
    size = file.seek(0, 2)
    budget = Budget(size, min(most, MAX_UNPACKED))
    if largest:
        budget.largest = largest
    file.seek(0)
    head = read_exactly(file, HEAD)
    file.seek(0)
    match archive_kind(head):
        case "zip":
            entries = read_zip(file, budget)
        case "gzip":
            entries = _read_tar_gz(file, budget)
        case "tar":
            entries = read_tar(file, budget)
        case _:
            what = (foreign(head) or "no archive") if head else "an empty file"
            raise NotAnArchive(f"this is {what}; what can be unpacked is zip, tar and tar.gz")
    for entry in entries:
        yield _looked_into(entry)


def _looked_into(entry: Entry) -> Entry:
    """Refuse an archive within the archive: it might hold another, and so on for ever."""
    if entry.file is None:
        return entry
    try:
        head = read_exactly(entry.file, HEAD)
    except ArchiveTooLarge:
        raise
    except InputError as error:
        return replace(entry, file=None, error=error)
    if archive_kind(head) or foreign(head):
        error = EntryRefused("it is an archive within the archive: send it by itself")
        return replace(entry, file=None, error=error)
    return replace(entry, file=Peeked(head, entry.file))


def _read_tar_gz(file: BinaryIO, budget: Budget) -> Iterator[Entry]:
    with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
        stream = _Gunzipped(unpacked)
        head = read_exactly(stream, HEAD)
        if not is_tar(head):
            raise NotAnArchive(
                "this is a single packed file; what can be unpacked is zip, tar and tar.gz"
            )
        yield from read_tar(Peeked(head, stream), budget)


class _Gunzipped:
    """What was packed by gzip; what goes wrong with it is an error of ours."""

    def __init__(self, file: Readable) -> None:
        self._file = file

    def read(self, size: int, /) -> bytes:
        try:
            return self._file.read(size)
        except EOFError as error:
            raise BrokenArchive(
                "the archive is cut short: what came before the cut was taken. Send it again"
            ) from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise BrokenArchive(
                f"the archive is damaged ({error}): what came before the damage was taken. "
                "Make it anew"
            ) from error
