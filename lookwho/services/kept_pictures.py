"""Kept pictures: those that were made once, in a folder, as long as there is room.

Several processes share the folder without talking to one another, and each part of it may vanish
at any time. `services.pictures` says what lies where.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from lookwho.core.errors import InputError, StorageReadOnly

# To be raised with each change to what `render` makes, so that old pictures are not used.
_REVISION = 1
_SEAL = 16
_BLOCK = 4096
# When a picture was used is noted once a day: reading must not mean writing.
_DAY = 86_400.0
# What was being written for so long belongs to a process that is gone.
_HOUR = 3600.0
# Of a picture that is kept; there may be half a million.
_ROW = np.dtype([("used", np.int64), ("size", np.int64)])


class Kept:
    """Pictures in a folder. None is believed: each carries a seal over its place and its bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        # What may be written before it is counted what there is: other processes write as well.
        self._allowance = 0
        self._trimmer: threading.Thread | None = None
        self._unkept: str | None = None
        self._untrimmed: str | None = None

    @property
    def problem(self) -> str | None:
        """Why pictures are not kept at the moment, or None."""
        return self._unkept or self._untrimmed

    def place(self, payload: bytes, name: str) -> Path:
        """Return where a picture of this media is kept, or would be."""
        return self._home(payload) / f"{name}.webp"

    def get(self, place: Path) -> bytes | None:
        """Return the picture that was put in this place, if it is there unharmed."""
        try:
            with place.open("rb") as file:
                data, used = file.read(), os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        if data[-_SEAL:] != self._seal(place, data[:-_SEAL]):
            return None
        if time.time() - used > _DAY:
            with contextlib.suppress(OSError):
                os.utime(place)
        return data[:-_SEAL]

    def put(self, place: Path, make: Callable[[], bytes]) -> bytes:
        """Make a picture and keep it, unless it is forgotten meanwhile."""
        # It is begun before the picture is made: `forget`, here or in another process, then takes
        # the file away together with the folder, and nothing is left to be put in its place.
        begun = self._begun(place.parent)
        try:
            data = make()
            if begun:
                self._finish(begun, place, data + self._seal(place, data))
            return data
        finally:
            if begun:
                with contextlib.suppress(OSError):
                    begun.unlink(missing_ok=True)

    def forget(self, payload: bytes) -> None:
        """Remove all pictures of this media, also those that are being made at the moment.

        Raises:
            StorageReadOnly: they could not be removed.
        """
        home = self._home(payload)
        # By one rename all is gone at once; only then the files are removed, one by one.
        trash = self._folder / "forgotten"
        try:
            if home.exists():
                trash.mkdir(mode=0o700, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):  # somebody else just forgot it
                    home.rename(trash / secrets.token_hex(8))
            # Those too that a process which died meanwhile has left.
            doomed = list(trash.iterdir()) if trash.exists() else []
            for folder in doomed:
                shutil.rmtree(folder, ignore_errors=True)  # others may be at it as well
                if folder.exists():
                    shutil.rmtree(folder)  # which says why it stays
        except OSError as error:
            raise StorageReadOnly(
                f"pictures cannot be removed from {self._folder}: {error}: remove them yourself"
            ) from error

    def close(self) -> None:
        """Wait until what is being removed is gone."""
        with self._lock:
            trimmer = self._trimmer
        if trimmer:
            trimmer.join()

    def _home(self, payload: bytes) -> Path:
        if len(payload) != 32:  # anything shorter would name a folder with other media in it
            raise InputError(f"a payload is a sha256 of 32 bytes, not of {len(payload)}")
        digits = payload.hex()
        return self._folder / digits[:2] / digits[2:]

    def _seal(self, place: Path, data: bytes) -> bytes:
        whose = f"{_REVISION}/{place.relative_to(self._folder)}/".encode()
        return hashlib.blake2b(whose + data, digest_size=_SEAL).digest()

    def _begun(self, home: Path) -> Path | None:
        for again in (True, True, False):
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                home.mkdir(parents=True, exist_ok=True)
                handle, name = tempfile.mkstemp(prefix=".new-", dir=home)
                os.close(handle)
                return Path(name)
            except FileNotFoundError as error:  # it was removed while it was still empty
                if not again:
                    self._complain(error)
            except OSError as error:
                self._complain(error)
                break
        return None

    def _finish(self, begun: Path, place: Path, data: bytes) -> None:
        try:
            with begun.open("r+b") as file:  # not "wb": it is not made anew where it is gone
                file.write(data)
            begun.replace(place)
        except FileNotFoundError:
            return  # forgotten
        except OSError as error:
            self._complain(error)
            return
        self._unkept = None
        with self._lock:
            self._allowance -= _size(len(data))
            if self._allowance < 0 and not self._trimmer:
                self._trimmer = threading.Thread(target=self._trim, daemon=True)
                self._trimmer.start()

    def _complain(self, error: OSError) -> None:
        self._unkept = f"pictures are made anew each time: {self._folder}: {error}"

    def _trim(self) -> None:
        """Count what there is; where it is too much, remove what was not used for longest."""
        try:
            self._remove_excess()
            self._untrimmed = None
        except OSError as error:
            self._untrimmed = f"old pictures cannot be removed: {self._folder}: {error}"
        finally:
            with self._lock:
                self._allowance = self._limit // 16
                self._trimmer = None

    def _remove_excess(self) -> None:
        found = np.fromiter(((used, size) for _, used, size in self._files()), _ROW)
        found.sort(order="used")
        removed = np.cumsum(found["size"])
        if not len(removed) or removed[-1] <= self._limit:
            return
        excess = removed[-1] - self._limit * 9 // 10
        last = found["used"][np.searchsorted(removed, excess)]
        # What was used meanwhile is newer now, and stays.
        for path, used, _ in self._files():
            if used <= last:
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # the folder holds others
                    path.parent.rmdir()

    def _files(self) -> Iterator[tuple[Path, int, int]]:
        """Yield each picture, when it was used (ns) and its bytes; nothing that we did not make."""
        for first in _folders(self._folder, 2):
            for home in _folders(first, 62):
                with contextlib.suppress(FileNotFoundError), os.scandir(home) as entries:
                    for entry in entries:
                        stat = entry.stat(follow_symlinks=False)
                        if entry.name.endswith(".webp"):
                            yield Path(entry.path), stat.st_mtime_ns, _size(stat.st_size)
                        elif entry.name.startswith(".new-") and _abandoned(stat.st_mtime):
                            Path(entry.path).unlink(missing_ok=True)


def _folders(folder: str | Path, digits: int) -> list[str]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        name = re.compile(f"[0-9a-f]{{{digits}}}")
        return [entry.path for entry in entries if name.fullmatch(entry.name)]
    return []


def _abandoned(since: float) -> bool:
    return time.time() - since > _HOUR


def _size(length: int) -> int:
    """Return the bytes that a file of so many takes on a disk."""
    return -(-length // _BLOCK) * _BLOCK
