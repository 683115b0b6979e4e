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
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lookwho.core import record, weights
from lookwho.core.batch import Outcome
from lookwho.core.errors import FormatNotInstalled, InputError, from_code
from lookwho.core.weights import default_cache

# To be raised with each change to what the engine finds, so that old results are not used.
REVISION = 1

# Work that a kill -9 may lose; Ctrl-C loses nothing.
SECONDS_BETWEEN_COMMITS = 2.0

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
        revisions = {"results": REVISION, "models": weights.REVISION}
        self._settings = json.dumps({**relevant, **revisions}, sort_keys=True)
        self._path = (folder or default_cache()) / "results.sqlite3"
        self._digests: dict[str, tuple[int, int, bytes]] = {}
        self._committed = time.monotonic()
        self.problem: str | None = None
        self._database = self._opened()

    def get(self, path: str) -> Outcome | None:
        """Return what is remembered of the file at `path`, or None."""
        try:
            status = os.stat(path)
            digest = self._digest(path, status)
        except (OSError, ValueError):
            return None  # whoever reads the file says what is wrong with it
        self._digests[path] = (status.st_size, status.st_mtime_ns, digest)
        rows = self._query(
            "select faces, code, message from result where digest = ? and settings = ?",
            (digest, self._settings),
        )
        if not rows:
            return None
        faces, code, message = rows[0]
        if code:
            return Outcome(path, None, from_code(code, message))
        with contextlib.suppress(InputError):  # damaged: to be made again
            return Outcome(path, record.load(faces), None)
        return None

    def put(self, outcome: Outcome) -> None:
        """Remember an outcome that `get` did not know, unless it may be another one next time."""
        known = self._digests.pop(outcome.path, None)
        if known is None:
            return
        size, mtime_ns, digest = known
        error = outcome.error
        if error and (not isinstance(error, InputError) or isinstance(error, FormatNotInstalled)):
            return
        faces = outcome.faces and record.dump(outcome.faces)
        row = (digest, self._settings, faces, error and error.code, error and error.message)
        self._query("insert or replace into result values (?, ?, ?, ?, ?)", row)
        self._remember(outcome.path, size, mtime_ns, digest)
        if time.monotonic() - self._committed > SECONDS_BETWEEN_COMMITS:
            self.commit()

    def commit(self) -> None:
        """Write what was remembered to the disk."""
        self._committed = time.monotonic()
        with self._tolerance():
            if self._database:
                self._database.commit()

    def close(self) -> None:
        """Write what was remembered and let go of the file."""
        self.commit()
        if self._database:
            self._database.close()
            self._database = None

    def _digest(self, path: str, status: os.stat_result) -> bytes:
        key = _key(path)
        stamp = (status.st_size, status.st_mtime_ns)
        rows = self._query("select digest from file where path = ? and size = ? and mtime_ns = ?",
                           (key, *stamp))  # fmt: skip
        if rows:
            return rows[0][0]
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        self._remember(path, *stamp, digest)
        return digest

    def _remember(self, path: str, size: int, mtime_ns: int, digest: bytes) -> None:
        self._query(
            "insert or replace into file values (?, ?, ?, ?)",
            (_key(path), size, mtime_ns, digest),
        )

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


def _key(path: str) -> bytes:
    # As bytes, since a file's name need not be text.
    return os.fsencode(os.path.abspath(path))
