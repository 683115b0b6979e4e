"""Downloads: photos to keep, one by one or many in one zip, as they are or without what they say.

Videos are given as they are; without what they say, the copy for browsers is, if there is one.

A zip is made while it is sent: nothing lies on the disk, and no more than a piece of one photo is
in memory. What vanished meanwhile is left out, and a text file in the zip tells which and why.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import threading
import time
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from lookwho.core.errors import FileMissing, LookwhoError, NotFound, TimedOut, TooMany
from lookwho.core.kinds import kind_of
from lookwho.core.opening import opened
from lookwho.core.stripping import Copier, stripped_jpeg
from lookwho.library.models import Location, Media, User
from lookwho.library.scope import Scope
from lookwho.services import proxies, site_visits, uploads

# One user, or one guest, may have so many under way at once.
AT_ONCE = 2
# Processes that make copies, for all downloads together.
COPIERS = 2
LEFT_OUT = "left out.txt"
_CHUNK = 256 << 10
_LOOK = 100
_PATIENCE = 120.0
_IDLE = 60.0
_FIRST_YEAR, _LAST_YEAR = 1980, 2107  # of the dates that a zip can hold
# A stored file of unknown length beyond 2 GB needs another header, which old programs do not read.
_LARGE = 1 << 30

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Copy:
    """A photo to keep.

    Attributes:
        name: what to call it.
        kind: as `core.kinds` names it.
        size: in bytes; None where nobody knows before it is made.
        chunks: its bytes, once.
    """

    name: str
    kind: str
    size: int | None
    chunks: Iterator[bytes]


def copy_of(
    media: Media, *, side: int | None = None, strip: bool = False, asker: User | None = None
) -> Copy:
    """Return a photo to keep. The caller has asked whether it may be seen.

    Args:
        media: the photo.
        side: the longer side in pixels; None or 0 for as it is. A smaller copy is made anew, and
            says nothing but its picture.
        strip: whether what the file says is left out: place, time, names.
        asker: for whom. Of a photo that lies on another website, an account of theirs there then
            decides.

    Raises:
        FileMissing: it lies nowhere any more, or cannot be read.
        NotFound: it is not for the asker to have.
        InputError, WorkError: no copy of it can be made.
    """
    places = _places([media.pk])
    return _copy(media, places.get(media.pk, []), side or 0, strip=strip, asker=asker)


def stripped(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Yield a photo's file without what it says besides its picture.

    A JPEG keeps its pixels to the bit; all others become a JPEG.

    Raises:
        FileMissing: there is no such file.
        InputError, WorkError: no copy of it can be made.
    """
    if _kind(path) == "JPEG":
        yield from stripped_jpeg(path)
    else:
        yield _made_anew(path, 0)


def zip_of(
    media: Iterable[Media],
    *,
    side: int | None = None,
    strip: bool = False,
    asker: User | None = None,
) -> Iterator[bytes]:
    """Yield a zip of photos, piece by piece.

    Args:
        media: which; only those that the asker may see. They are asked for as the zip gets on.
        side: see `copy_of`.
        strip: likewise.
        asker: likewise.
    """
    sink = _Sink()
    names: set[str] = set()
    left_out: list[str] = []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for some in _some(media):
            places = _places([each.pk for each in some])
            for each in some:
                there = places.get(each.pk, [])
                copy = partial(_copy, each, there, side or 0, strip=strip, asker=asker)
                yield from _added(archive, sink, each, there, names, left_out, copy)
        if left_out:
            note = "These photos could not be put into this zip:\n\n" + "\n".join(left_out) + "\n"
            archive.writestr(zipfile.ZipInfo(LEFT_OUT), note.encode())
    yield sink.taken()


def still_seen(media: Iterable[int], scope: Callable[[], Scope]) -> Iterator[Media]:
    """Yield media by their ids, those that may be seen at the time that they are asked for.

    Args:
        media: ids, in the order wanted.
        scope: what may be seen, asked anew for every hundred.
    """
    for some in _some(media):
        found = scope().media().in_bulk(some)
        yield from (found[pk] for pk in some if pk in found)


# --- how many at once ---

_under_way: dict[str, int] = {}
_counting = threading.Lock()


class Slot:
    """One of the few downloads that somebody may have under way; to be closed in the end.

    Raises:
        TooMany: there are as many as there may be.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._open = True
        with _counting:
            if _under_way.get(key, 0) >= AT_ONCE:
                raise TooMany(
                    f"{AT_ONCE} downloads of yours are under way: wait until one has ended"
                )
            _under_way[key] = _under_way.get(key, 0) + 1

    def close(self) -> None:
        """Give it back; more than once does nothing."""
        with _counting:
            if self._open:
                self._open = False
                _under_way[self._key] -= 1
                if not _under_way[self._key]:
                    del _under_way[self._key]


@contextlib.contextmanager
def slot(key: str) -> Generator[None]:
    """Hold a `Slot` for as long as this lasts."""
    held = Slot(key)
    try:
        yield
    finally:
        held.close()


# --- one photo ---


def _copy(
    media: Media, places: list[Path], side: int, *, strip: bool, asker: User | None = None
) -> Copy:
    """Return a copy of the first file that is still there.

    Raises:
        NotFound: it is a video of which no copy was made.
        FileMissing: none is.
        NotFound: it lies on another website, which does not give it to the asker.
        InputError, WorkError: no copy can be made.
    """
    path = next((place for place in places if place.is_file()), None)
    if path is None and (there := site_visits.place_of(media)):
        name = f"{site_visits.ids_of(there.path)[1]}.jpg"
        # Once its first piece is read it stays open, though it is gone from the disk.
        with site_visits.fetched(there, asker=asker) as fetched:
            copy = _copy(media, [fetched], side, strip=strip)
        return replace(copy, name=uploads.safe_name(name, copy.kind))
    if path is None:
        raise FileMissing("its file is no longer in any of the folders")
    if media.kind == Media.Kind.VIDEO:
        return _film(media, path, strip=strip)
    kind = _kind(path)
    name = uploads.safe_name(path.name, kind)
    if side or (strip and kind != "JPEG"):
        made = _made_anew(path, side)
        return Copy(f"{os.path.splitext(name)[0]}.jpg", "JPEG", len(made), iter((made,)))
    if strip:
        return Copy(name, kind, None, _begun(stripped_jpeg(path)))
    size = path.stat().st_size
    return Copy(name, kind, size, _begun(_read(path)))


def _film(media: Media, path: Path, *, strip: bool) -> Copy:
    """Return a video as it is, or the copy of it, which says nothing of place, day or camera.

    Raises:
        NotFound: there is no such copy yet.
    """
    name = os.path.splitext(path.name)[0]
    if strip:
        found = proxies.path_of(media)
        if found is None:
            raise NotFound("there is no copy of this video yet without what its file says")
        path, kind = found, found.suffix[1:].upper()
        name = uploads.safe_name(f"{name}{found.suffix}", kind)
    else:
        kind = media.format
        name = uploads.safe_name(path.name, kind)
    return Copy(name, kind, path.stat().st_size, _begun(_read(path)))


def _begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Read the first piece at once, so that what is wrong with a file is known before it is sent.

    Raises:
        LookwhoError: what is wrong.
    """
    first = next(chunks, b"")
    return chain((first,), chunks)


def _read(path: Path) -> Iterator[bytes]:
    with opened(path) as file:
        try:
            while chunk := file.read(_CHUNK):
                yield chunk
        except OSError as error:
            raise FileMissing(f"its file cannot be read: {error.strerror}") from error


def _kind(path: str | os.PathLike[str]) -> str:
    with opened(path) as file:
        return kind_of(file.read(512))


def _places(media: list[int]) -> dict[int, list[Path]]:
    """Return the files of media; of several the one with the smallest id comes first."""
    places: dict[int, list[Path]] = {}
    rows = Location.objects.filter(media__in=media, missing_since=None)
    for row in rows.select_related("collection").order_by("pk"):
        if row.media_id is not None:
            places.setdefault(row.media_id, []).append(row.file)
    return places


# --- many ---


def _added(
    archive: zipfile.ZipFile,
    sink: _Sink,
    media: Media,
    places: list[Path],
    names: set[str],
    left_out: list[str],
    copy_it: Callable[[], Copy],
) -> Iterator[bytes]:
    """Put one photo into the zip, and yield what is to be sent of it."""
    day = media.taken_at.date().isoformat()
    known_as = uploads.safe_name(places[0].name, "") if places else f"photo {media.uuid}"
    try:
        copy = copy_it()
    except LookwhoError as error:
        left_out.append(f"{day} {known_as}: {error.message}")
        return
    name = uploads.free_name(f"{day} {copy.name}", names)
    about = zipfile.ZipInfo(name, _date(media.taken_at))
    about.external_attr = 0o644 << 16
    large = copy.size is None or copy.size > _LARGE
    try:
        with archive.open(about, "w", force_zip64=large) as entry:
            for chunk in copy.chunks:
                entry.write(chunk)
                yield sink.taken()
    except LookwhoError as error:  # it went away while it was read
        left_out.append(f"{name}: only its beginning is here: {error.message}")
    yield sink.taken()


def _date(taken_at: datetime) -> tuple[int, int, int, int, int, int]:
    year = min(max(taken_at.year, _FIRST_YEAR), _LAST_YEAR)
    return year, taken_at.month, taken_at.day, taken_at.hour, taken_at.minute, taken_at.second


def _some(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while some := list(islice(iterator, _LOOK)):
        yield some


class _Sink(io.RawIOBase):
    """What a zip is written to: it gives away what came, and cannot go back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        piece = bytes(memoryview(data))  # pyright: ignore[reportArgumentType]
        self._pieces.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        """Return what came since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


# --- copies that are made anew ---

_turns = threading.BoundedSemaphore(COPIERS)
_idle: list[tuple[Copier, float]] = []
_resting = threading.Lock()


def _made_anew(path: str | os.PathLike[str], side: int) -> bytes:
    """Return a photo as a new JPEG, made in one of a few processes.

    Raises:
        TimedOut: too many others are waiting.
        InputError, WorkError: it cannot be made.
    """
    if not _turns.acquire(timeout=_PATIENCE):
        raise TimedOut("too many copies are being made: try again later")
    try:
        with _resting:
            copier = _idle.pop()[0] if _idle else Copier()
        try:
            return copier.copy(path, side=side)
        finally:
            with _resting:
                _idle.append((copier, time.monotonic()))
            ender = threading.Timer(_IDLE + 1, rest, (_IDLE,))
            ender.daemon = True  # it must keep no program from ending
            ender.start()
    finally:
        _turns.release()


def rest(seconds: float = 0.0) -> None:
    """End the processes that have had nothing to do for so long."""
    with _resting:
        until = time.monotonic() - seconds
        ended = [each for each in _idle if each[1] <= until]
        _idle[:] = [each for each in _idle if each[1] > until]
    for copier, _ in ended:
        copier.stop()


atexit.register(rest)
