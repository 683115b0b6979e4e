"""Ledger: what was erased, in a file outside the backups, to be erased again after a restore.

One line of JSON for each erasure: its number, the numbers of the user and the people, of selfies,
and where faces were, as the hash of the photo and a box. No name, no address, no vector and nothing
computed from one. Lines are only added, and each is on the disk before anything is erased; so an
erasure that was cut short is gone on with, and one that a backup has brought back is done again.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from lookwho.core.errors import StorageFull, StorageReadOnly

Place = tuple[float, float, float, float, float | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One erasure.

    Attributes:
        uuid: its number, also that of its row.
        at: when it was asked for.
        user: the number of the user who goes, or of whom something goes.
        people: the numbers of the people who go.
        purposes: of a consent that was withdrawn; then the user stays.
        faces: by the photo's payload, in hex, the boxes of faces that go, and the time in a video.
    """

    uuid: UUID
    at: datetime
    user: UUID | None = None
    people: tuple[UUID, ...] = ()
    purposes: tuple[str, ...] = ()
    faces: dict[str, list[Place]] = field(default_factory=dict[str, list[Place]])

    def line(self) -> str:
        """Return the entry as the file has it."""
        told = asdict(self) | {
            "uuid": str(self.uuid),
            "at": self.at.isoformat(),
            "user": None if self.user is None else str(self.user),
            "people": [str(person) for person in self.people],
        }
        return json.dumps(told, separators=(",", ":"))

    @classmethod
    def of_line(cls, line: str) -> Entry:
        """Return the entry that `line` wrote."""
        told: dict[str, Any] = json.loads(line)
        return cls(
            uuid=UUID(told["uuid"]),
            at=datetime.fromisoformat(told["at"]),
            user=None if told["user"] is None else UUID(told["user"]),
            people=tuple(UUID(person) for person in told["people"]),
            purposes=tuple(told["purposes"]),
            faces={
                payload: [(x1, y1, x2, y2, time) for x1, y1, x2, y2, time in places]
                for payload, places in told["faces"].items()
            },
        )


def path() -> Path:
    """Return where the ledger lies: see LOOKWHO_LEDGER."""
    return Path(settings.LEDGER)


def append(entry: Entry) -> None:
    """Write an entry down, for good: it is on the disk when this returns.

    Raises:
        StorageReadOnly, StorageFull: it is not; then nothing may be erased.
    """
    file = path()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = not file.exists()
        handle = os.open(file, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            # A line that was cut short by a crash ends here, and is passed over when read.
            broken = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            # In one call, so that two processes do not write into each other's lines.
            line = (b"\n" if broken else b"") + entry.line().encode() + b"\n"
            if os.write(handle, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        finally:
            os.close(handle)
        if fresh:
            _sync_folder(file.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        kind = StorageFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StorageReadOnly
        raise kind(
            f"the ledger of erasures {file} cannot be written ({reason}), and without it nothing "
            "is erased: see LOOKWHO_LEDGER"
        ) from error


def entries() -> Iterator[Entry]:
    """Yield all entries, the oldest first; lines that were cut short are passed over.

    Raises:
        StorageReadOnly: the file is there and cannot be read.
    """
    try:
        lines = path().read_text("utf-8").splitlines()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise StorageReadOnly(f"the ledger of erasures {path()} cannot be read: {error}") from error
    for line in lines:
        try:
            yield Entry.of_line(line)
        except (ValueError, LookupError, TypeError):
            continue


def entry_of(uuid: UUID) -> Entry | None:
    """Return the entry of an erasure, or None where the ledger has none."""
    return next((entry for entry in entries() if entry.uuid == uuid), None)


def places(
    rows: Iterable[tuple[bytes, float, float, float, float, float | None]],
) -> dict[str, list[Place]]:
    """Return where faces were, as an entry tells it: payload, box, and time in a video."""
    found: dict[str, list[Place]] = {}
    for payload, x1, y1, x2, y2, time in rows:
        found.setdefault(bytes(payload).hex(), []).append((x1, y1, x2, y2, time))
    return found


def _sync_folder(folder: Path) -> None:
    """Let the name of a new file be on the disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
