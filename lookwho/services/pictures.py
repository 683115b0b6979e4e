"""Thumbnails and crops of faces: made when first asked for, then kept until they are in the way.

They lie in a cache folder by the payload of their media, never beside an original:

    ab/cdef…/6-320.webp                             orientation 6, longer side of 320 pixels
    ab/cdef…/6-160-40000-30000-48000-41000.webp     a face, its box in hundred thousandths

Several web servers may share the folder, and all of it may be deleted at any time.
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
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import numpy as np

from lookwho.core import render
from lookwho.core.errors import InputError, StorageReadOnly, TimedOut
from lookwho.core.render import Box, Renderers

# Sides in pixels: of pictures in a grid and of one alone; of a face in a row and of one alone.
SIDES = (320, 640, 1600)
CROP_SIDES = (160, 480)
# How long somebody waits for a picture that is made for somebody else already.
SECONDS_TO_WAIT = 20.0

# A file, or what fetches one that lies elsewhere and removes it once it was read.
Original: TypeAlias = Path | Callable[[], AbstractContextManager[Path]]

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


class Pictures:
    """Makes pictures of media, and keeps them in `folder` as long as there is room.

    A folder that is full or may not be written to costs time and nothing else; `problem` then says
    what is wrong with it.

    Args:
        folder: where they are kept; made when first needed, for this user alone.
        limit_bytes: on the disk; above it, those that were not used for longest are removed. Every
            process that uses the folder may exceed it by a sixteenth.
        processes: how many pictures are made at once.
    """

    def __init__(self, folder: Path, *, limit_bytes: int = 2 << 30, processes: int = 2) -> None:
        self._kept = _Kept(folder, limit_bytes)
        self._renderers = Renderers(processes)
        self._making: dict[Path, Future[bytes]] = {}
        self._lock = threading.Lock()

    @property
    def problem(self) -> str | None:
        """Why pictures are not kept at the moment, or None."""
        return self._kept.problem

    def thumbnail(
        self, payload: bytes, path: Original, *, orientation: int = 1, side: int
    ) -> bytes:
        """Return a photo, upright, at most `side` pixels along its longer side, as WebP.

        Args:
            payload: the sha256 of the photo's image data.
            path: a file that has this payload; read only where the picture is not kept already.
            orientation: what that file says, 1 to 8: another file of this payload may say
                something else, and must not be shown turned as this one is.
            side: one of `SIDES`.

        Raises:
            InputError: there is no such side; or the file is missing, broken, too large.
            WorkError: it took too much time or memory, or crashed its process.
        """
        if side not in SIDES:
            raise InputError(f"thumbnails have a side of {_either(SIDES)} pixels, not {side}")
        return self._picture(payload, path, orientation, side, None)

    def crop(
        self, payload: bytes, path: Original, *, box: Box, side: int = 160, orientation: int = 1
    ) -> bytes:
        """Return the square around a face, at most `side` pixels wide, as WebP.

        Args:
            payload: see `thumbnail`, as for `path` and `orientation`.
            path: see there.
            box: x1, y1, x2, y2 of the face, 0..1 of the upright photo.
            side: one of `CROP_SIDES`.
            orientation: see there.

        Raises:
            InputError: there is no such side or box; or the file is missing, broken, too large.
            WorkError: it took too much time or memory, or crashed its process.
        """
        if side not in CROP_SIDES:
            raise InputError(f"crops have a side of {_either(CROP_SIDES)} pixels, not {side}")
        return self._picture(payload, path, orientation, side, render.inside(box))

    def forget(self, payload: bytes) -> None:
        """Remove all pictures of this media, also those that are being made at the moment.

        Raises:
            StorageReadOnly: they could not be removed.
        """
        self._kept.forget(payload)

    def close(self) -> None:
        """End all processes, now and for good."""
        self._renderers.close()
        self._kept.close()

    def _picture(
        self, payload: bytes, path: Original, orientation: int, side: int, box: Box | None
    ) -> bytes:
        if orientation not in range(1, 9):
            raise InputError(f"an orientation is 1 to 8, not {orientation}")
        name = f"{orientation}-{side}"
        if box:
            edges = [round(edge * 100_000) for edge in box]
            name = "-".join(map(str, (name, *edges)))
            x1, y1, x2, y2 = (edge / 100_000 for edge in edges)
            box = x1, y1, x2, y2
        place = self._kept.place(payload, name)
        return self._kept.get(place) or self._once(place, lambda: self._rendered(path, side, box))

    def _rendered(self, path: Original, side: int, box: Box | None) -> bytes:
        if isinstance(path, Path):
            return self._renderers.render(path, side=side, box=box)
        with path() as fetched:
            return self._renderers.render(fetched, side=side, box=box)

    def _once(self, place: Path, make: Callable[[], bytes]) -> bytes:
        """Make a picture, or wait for it where it is being made already."""
        with self._lock:
            made = self._making.get(place)
            mine = None if made else self._making.setdefault(place, Future())
        if made:
            try:
                return made.result(SECONDS_TO_WAIT)
            except TimeoutError:
                raise TimedOut("the picture is still being made: try again") from None
        assert mine
        try:
            # Between the first look and now somebody else may have finished it.
            data = self._kept.get(place) or self._kept.put(place, make)
            mine.set_result(data)
            return data
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._making[place]


class _Kept:
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
        return self._unkept or self._untrimmed

    def place(self, payload: bytes, name: str) -> Path:
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


def _either(sides: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, sides[:-1]))} or {sides[-1]}"
