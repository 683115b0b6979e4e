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
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from lookwho.core import footage, quantize, record, weights
from lookwho.core.batch import Outcome
from lookwho.core.errors import (
    FileMissing,
    FormatNotInstalled,
    InputError,
    LookwhoError,
    from_code,
)
from lookwho.core.video_batch import VideoOutcome
from lookwho.core.weights import default_cache

# To be raised with each change to what the engine finds, so that old results are not used: in
# photos, and in videos besides.
REVISION, VIDEO_REVISION = 2, 1

# Work that a kill -9 may lose; Ctrl-C loses nothing.
SECONDS_BETWEEN_COMMITS = 2.0
# A larger file is no photo that can be read, and to know it by its content would take long. A video
# of any size is soon known beside what looking at it takes.
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
        revisions["videos"] = VIDEO_REVISION
        self._video_settings = json.dumps({**relevant, **revisions}, sort_keys=True)
        self._path = (folder or default_cache()) / "results.sqlite3"
        # What was asked for and not known, by path: the file's stamp and digest.
        self._unknown: dict[str, tuple[_Stamp, bytes]] = {}
        # Rows not yet written. Written one by one they would lock out other processes for seconds.
        self._files: dict[bytes, tuple[bytes, int, int, bytes]] = {}
        self._results: dict[tuple[bytes, str], tuple[Any, ...]] = {}
        self._committed = time.monotonic()
        self.problem: str | None = None
        self._database = self._opened()

    def get(self, path: str) -> Outcome | None:
        """Return what is remembered of the photo at `path`, or None."""
        for found, error in self._known(path, self._settings, MAX_BYTES):
            if error:
                return Outcome(path, None, error)
            with contextlib.suppress(InputError):  # damaged: to be made again
                return Outcome(path, record.load(found), None)
        return None

    def get_video(self, path: str) -> VideoOutcome | None:
        """Return what is remembered of the video at `path`, or None."""
        for found, error in self._known(path, self._video_settings, None):
            if error:
                return VideoOutcome(path, None, None, error)
            with contextlib.suppress(InputError):
                info, _, cast = found.partition(b"\n")
                return VideoOutcome(path, footage.load_info(info), footage.load_cast(cast), None)
        return None

    def put(self, outcome: Outcome) -> None:
        """Remember an outcome that `get` did not know, unless it may be another one next time."""
        found = None if outcome.faces is None else record.dump(outcome.faces)
        self._remember(outcome.path, self._settings, MAX_BYTES, found, outcome.error)

    def put_video(self, outcome: VideoOutcome) -> None:
        """Remember an outcome that `get_video` did not know, likewise.

        Where a part could not be looked at, another try may do better.
        """
        found = None
        if outcome.cast and outcome.cast.problem:
            return
        if outcome.info and outcome.cast:
            found = footage.dump_info(outcome.info) + b"\n" + footage.dump_cast(outcome.cast)
        self._remember(outcome.path, self._video_settings, None, found, outcome.error)

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

    def _known(
        self, path: str, settings: str, most: int | None
    ) -> Iterator[tuple[bytes, LookwhoError | None]]:
        """Yield what is remembered of a file, if anything: a result, or the error in its place."""
        try:
            stamp = _stamp(path, most)
            digest = self._digest(path, stamp)
        except (OSError, ValueError):
            return  # whoever reads the file says what is wrong with it
        rows = self._query(
            "select faces, code, message from result where digest = ? and settings = ?",
            (digest, settings),
        )
        for found, code, message in rows:
            yield found or b"", from_code(code, message) if code else None
        self._unknown[path] = stamp, digest

    def _remember(
        self,
        path: str,
        settings: str,
        most: int | None,
        found: bytes | None,
        error: LookwhoError | None,
    ) -> None:
        if path not in self._unknown:
            return
        stamp, digest = self._unknown.pop(path)
        try:
            changed = _stamp(path, most) != stamp
        except (OSError, ValueError):
            changed = True
        # Of a file that was changed meanwhile nobody knows which content was read.
        if changed or not _lasting(error):
            return
        code = message = None
        if error:
            code, message = error.code, error.message
        self._results[digest, settings] = (digest, settings, found, code, message)
        if time.monotonic() - self._committed > SECONDS_BETWEEN_COMMITS:
            self.commit()

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


def _stamp(path: str, most: int | None) -> _Stamp:
    """Return size and time of change.

    Raises:
        OSError: there is none, or it is nothing that is worth remembering: `most` bytes are.
    """
    status = os.stat(path)
    # A pipe would be waited on for ever, a device never ends.
    if not stat.S_ISREG(status.st_mode) or (most is not None and status.st_size > most):
        raise OSError("no ordinary file")
    return status.st_size, status.st_mtime_ns


def _key(path: str) -> bytes:
    # As bytes, since a file's name need not be text.
    return os.fsencode(os.path.abspath(path))
