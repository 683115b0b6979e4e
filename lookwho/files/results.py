"""The results cache: what was found in a file is remembered by the file's content.

One SQLite file in the user's cache folder, readable by its owner alone, since it holds biometric
data. It can be deleted at any time. A file that was renamed or copied is known by its content; one
whose path, size and time of change are as before is not even read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from lookwho.core import quantize, record, weights
from lookwho.core.batch import Outcome
from lookwho.core.errors import (
    FileMissing,
    FormatNotInstalled,
    InputError,
    LookwhoError,
    from_code,
)
from lookwho.core.weights import default_cache

# To be raised with each change to what the engine finds, so that old results are not used.
REVISION = 2

# Work that a kill -9 may lose; Ctrl-C loses nothing.
SECONDS_BETWEEN_COMMITS = 2.0
# A larger file is no photo that can be read, and to know it by its content would take long.
MAX_BYTES = 1 << 30

# Size in bytes, and time of change in nanoseconds.
_Stamp: TypeAlias = tuple[int, int]

_SCHEMA = """
create table if not exists file (
    path blob primary key, size integer not null, mtime_ns integer not null, digest blob not null
) without rowid;
create table if not exists result (
    digest blob not null, settings text not null, faces blob, code text, message text,
    primary key (digest, settings)
) without rowid;
"""


class Results:
    """Remembers outcomes by the content of files.

    A cache that cannot be opened, read or written is done without; `problem` then says why.

    Args:
        settings: what the `Analyzer` is made with; results of other settings are kept apart.
        folder: where the cache lies; None for this user's own.
    """

    def __init__(self, settings: Mapping[str, Any], folder: Path | None = None) -> None:
        relevant = {name: settings[name] for name in ("pack", "preset", "int8")}
        revisions = {
            "results": REVISION,
            "models": weights.REVISION,
            "ranges": quantize.shipped_digest(),
        }
        self._settings = json.dumps({**relevant, **revisions}, sort_keys=True)
        self._path = (folder or default_cache()) / "results.sqlite3"
        # What `get` did not know, by path: the file's stamp and digest.
        self._unknown: dict[str, tuple[_Stamp, bytes]] = {}
        # Rows not yet written. Written one by one they would lock out other processes for seconds.
        self._files: dict[bytes, tuple[bytes, int, int, bytes]] = {}
        self._results: dict[bytes, tuple[Any, ...]] = {}
        self._committed = time.monotonic()
        self.problem: str | None = None
        self._database = self._opened()

    def get(self, path: str) -> Outcome | None:
        """Return what is remembered of the file at `path`, or None."""
        try:
            stamp = _stamp(path)
            digest = self._digest(path, stamp)
        except (OSError, ValueError):
            return None  # whoever reads the file says what is wrong with it
        rows = self._query(
            "select faces, code, message from result where digest = ? and settings = ?",
            (digest, self._settings),
        )
        for faces, code, message in rows:
            if code:
                return Outcome(path, None, from_code(code, message))
            with contextlib.suppress(InputError):  # damaged: to be made again
                return Outcome(path, record.load(faces), None)
        self._unknown[path] = stamp, digest
        return None

    def put(self, outcome: Outcome) -> None:
        """Remember an outcome that `get` did not know, unless it may be another one next time."""
        if outcome.path not in self._unknown:
            return
        stamp, digest = self._unknown.pop(outcome.path)
        try:
            changed = _stamp(outcome.path) != stamp
        except (OSError, ValueError):
            changed = True
        # Of a file that was changed meanwhile nobody knows which content was read.
        if changed or not _lasting(outcome.error):
            return
        faces = None if outcome.faces is None else record.dump(outcome.faces)
        code = message = None
        if outcome.error:
            code, message = outcome.error.code, outcome.error.message
        self._results[digest] = (digest, self._settings, faces, code, message)
        if time.monotonic() - self._committed > SECONDS_BETWEEN_COMMITS:
            self.commit()

    def commit(self) -> None:
        """Write what was remembered to the disk."""
        with self._tolerance():
            if self._database:
                with self._database:
                    self._database.executemany(
                        "insert or replace into file values (?, ?, ?, ?)", self._files.values()
                    )
                    self._database.executemany(
                        "insert or replace into result values (?, ?, ?, ?, ?)",
                        self._results.values(),
                    )
        self._files.clear()
        self._results.clear()
        self._committed = time.monotonic()

    def close(self) -> None:
        """Write what was remembered and let go of the file."""
        self.commit()
        if self._database:
            self._database.close()
            self._database = None

    def _digest(self, path: str, stamp: _Stamp) -> bytes:
        key = _key(path)
        rows = self._query(
            "select digest from file where path = ? and size = ? and mtime_ns = ?", (key, *stamp)
        )
        if rows:
            return rows[0][0]
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        self._files[key] = (key, *stamp, digest)
        return digest

    def _query(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        if self._database:
            with self._tolerance():
                return self._database.execute(statement, values).fetchall()
        return []

    def _opened(self) -> sqlite3.Connection | None:
        with self._tolerance():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return self._connected()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:  # not a database, or a damaged one
                self._path.unlink()
                return self._connected()
        return None

    def _connected(self) -> sqlite3.Connection:
        self._path.touch(mode=0o600)
        database = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
        try:
            database.execute("pragma journal_mode = wal")
            database.execute("pragma synchronous = normal")
            database.executescript(_SCHEMA)
        except BaseException:
            database.close()
            raise
        return database

    @contextlib.contextmanager
    def _tolerance(self):  # type: ignore[no-untyped-def]
        """Go on without the cache when it fails: a full or read-only disk must stop nothing."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            self.problem = f"results are not remembered: {self._path}: {error}"
            database, self._database = getattr(self, "_database", None), None
            if database:
                with contextlib.suppress(sqlite3.Error):
                    database.close()
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CORRUPT:
                with contextlib.suppress(OSError):
                    self._path.unlink()  # damaged deep inside: made anew next time


def _lasting(error: LookwhoError | None) -> bool:
    """Say whether another try would end in the same way."""
    if isinstance(error, FileMissing | FormatNotInstalled):
        return False
    return error is None or isinstance(error, InputError)


def _stamp(path: str) -> _Stamp:
    """Return size and time of change.

    Raises:
        OSError: there is none, or it is nothing that is worth remembering.
    """
    status = os.stat(path)
    # A pipe would be waited on for ever, a device never ends.
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
        raise OSError("no ordinary file")
    return status.st_size, status.st_mtime_ns


def _key(path: str) -> bytes:
    # As bytes, since a file's name need not be text.
    return os.fsencode(os.path.abspath(path))
