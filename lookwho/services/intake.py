"""Intake: a folder becomes a collection, and what lies in it, photos and videos, becomes media.

Nothing is ever written into or beside originals. A file that looks as it did when it was last read
is not read again; all others are, and are registered in batches (`register`), each of which is
analysed while the walk goes on. An import that dies is run again from the start, quickly.

What was not met is missing only if the system itself says that it is not there. A folder that may
not be read, a disk that answers with errors, or an empty place where a disk used to be: none of
these makes a photo vanish.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from lookwho.core.batch import Outcome
from lookwho.core.errors import FileMissing, Forbidden, Invalid, LookwhoError, NotFound, WorkError
from lookwho.core.inspect import inspect
from lookwho.files.walk import walk
from lookwho.library.models import Album, Collection, Job, Location, User
from lookwho.library.paths import escaped, unescaped
from lookwho.services import accounts, albums, work
from lookwho.services.register import Reading, Registered, join, keep_present, lock, register

Item = TypeVar("Item")

# Files that are registered in one transaction, and that are compared with what is known of them.
_BATCH = 100
_LOOK = 500
# What is read for one batch has about so many bytes at most: videos are large.
_BATCH_BYTES = 1 << 30
# PostgreSQL indexes no text of more than 2,704 bytes.
_LONGEST_PATH = 2_000

_log = logging.getLogger(__name__)


# --- adding ---


def add_folder(
    path: str | os.PathLike[str], *, by: User | None, title: str = "", album_title: str = ""
) -> tuple[Collection, Job]:
    """Add a folder to the library, or look through one again; return it and the import that waits.

    Args:
        path: the folder.
        by: who asks; None for whoever has the command line.
        title: what to call it, if not as the folder; what it is called already stays.
        album_title: the album that its media join, made if there is none.

    Raises:
        Forbidden: only owners add folders.
        FileMissing: there is no such folder, or it may not be read.
        Invalid: it holds Lookwho's own files, or a title cannot be.
    """
    if by is not None and not by.is_owner:
        raise Forbidden("only an owner can add folders")
    folder = _checked_folder(path)
    title = albums.checked_title(title) if title else _title_of(folder)
    with transaction.atomic():
        collection, _ = Collection.objects.get_or_create(
            root=escaped(folder),
            defaults={"title": title, "policy": accounts.policy_for_new_collections()},
        )
        album = albums.album_titled(album_title, by=by) if album_title else None
        return collection, enqueue_import(collection, album)


def enqueue_import(
    collection: Collection, album: Album | None, paths: Sequence[str] | None = None
) -> Job:
    """Let an import wait, or return the same one that waits already.

    Args:
        collection: what is looked through.
        album: what its media join.
        paths: files and folders below its root, as stored; None for everything.
    """
    key = f"import:{collection.pk}"
    key += f":album:{album.pk}" if album else ""
    payload = {
        "collection": collection.pk,
        "album": album and album.pk,
        "paths": None if paths is None else list(paths),
    }
    with transaction.atomic():
        # What is only a part of a collection comes once, and is no twin of anything.
        key = key if paths is None else ""
        job = work.enqueue(Job.Kind.IMPORT, payload, dedupe_key=key)
        return job or Job.objects.get(dedupe_key=key, state=Job.State.WAITING)


def _checked_folder(path: str | os.PathLike[str]) -> str:
    told = os.fspath(path)
    if not told.strip() or "\0" in told:
        raise Invalid("type the path of a folder, such as /home/anna/Pictures")
    folder = os.path.realpath(os.path.expanduser(told))
    if not os.path.lexists(folder):
        raise FileMissing(f"there is no folder {told!r} on the machine that Lookwho runs on")
    home = os.path.realpath(settings.HOME)
    if folder == home or folder.startswith(home + os.sep):
        raise Invalid(f"{told!r} holds Lookwho's own files: choose a folder with photos")
    _first_in(folder)
    return folder


def _title_of(folder: str) -> str:
    name = os.path.basename(folder) or folder
    return escaped(name)[: albums.TITLE_LENGTH]


# --- the job ---


@dataclass(frozen=True, slots=True)
class _Import:
    """An import: what it looks through, and where that is."""

    job: Job
    collection: Collection
    album: int | None
    paths: tuple[str, ...] | None  # what is looked through; None for everything
    root: str
    # When the XMP files in a folder were written; of the last folder, since files come in order.
    written: Callable[[str], dict[str, int]]

    @property
    def whole(self) -> bool:
        """Whether it looks through everything, and so can tell what is gone."""
        return self.paths is None

    def absolute(self, path: str) -> str:
        """Return where a path that is stored is."""
        return os.path.join(self.root, unescaped(path))


def run_import(job: Job, *, beat: Callable[[int], None]) -> None:
    """Look through a collection, or a part of it, and register what lies there.

    Args:
        job: the import.
        beat: told now and then how many files were looked at. It raises Cancelled.

    Raises:
        NotFound: the collection is gone.
        FileMissing: its folder is gone, may not be read, or looks as if its disk were unplugged.
        Cancelled: by `beat`; what is registered stays.
    """
    run = _prepared(job)
    _refuse_unplugged(run)
    total = 0
    for chunk in _chunks(_paths(run), 10 * _LOOK):
        total += len(chunk)
        beat(0)
    Job.objects.filter(pk=job.pk).update(total=total)
    met: set[int] = set()
    again: list[str] = []
    done = 0
    for chunk in _chunks(_looked_at(run), _LOOK):
        known = _known(run, chunk)
        join(run.album, [media for _, media in known.values()])
        met.update(location for location, _ in known.values())
        beat(done := done + len(known))
        for batch in _batches(look for look in chunk if look.path not in known):
            registered = _read(run, batch)
            met.update(registered.locations)
            again += registered.again
            beat(done := done + len(batch))
    if run.whole:
        _sweep(run, met, lambda: beat(done))
    # Their medium may follow them, now that it is known what is gone.
    for some in _chunks(again, _BATCH):
        _read(run, [look for path in some if (look := _look(run, run.absolute(path)))])
        beat(done)
    if run.whole:
        Collection.objects.filter(pk=run.collection.pk).update(scanned_at=timezone.now())


def _prepared(job: Job) -> _Import:
    collection = Collection.objects.filter(pk=job.payload["collection"]).first()
    album = job.payload.get("album")
    if collection is None or (album and not Album.objects.filter(pk=album).exists()):
        raise NotFound("what was to be imported was removed from the library")
    paths = job.payload.get("paths")
    return _Import(
        job=job,
        collection=collection,
        album=album,
        paths=None if paths is None else tuple(paths),
        root=os.fspath(collection.folder),
        written=lru_cache(maxsize=1)(_xmp_in),
    )


def _first_in(folder: str) -> str | None:
    """Return the name of something in a folder, None where it is empty.

    Raises:
        FileMissing: there is no such folder, or it may not be read.
    """
    try:
        with os.scandir(folder) as entries:
            entry = next(entries, None)
    except OSError as error:
        raise FileMissing(f"the folder {folder!r} cannot be read: {error.strerror}") from error
    return entry and entry.name


def _refuse_unplugged(run: _Import) -> None:
    """Refuse a folder that is gone, or empty where photos were: their disk is elsewhere."""
    lie = Location.objects.filter(collection=run.collection, missing_since=None)
    if _first_in(run.root) is None and run.whole and (count := lie.exclude(media=None).count()):
        raise FileMissing(
            f"the folder {run.root!r} is empty, and {count} photos were in it. If its disk is not "
            "connected, connect it and import the folder again. Nothing was changed"
        )


# --- looking ---


def _paths(run: _Import) -> Iterator[str | Outcome]:
    """Yield the files of the collection, and outcomes for folders that may not be read."""
    places = [run.root] if run.paths is None else [run.absolute(path) for path in run.paths]
    own = os.path.join(os.path.realpath(settings.HOME), "")
    guarded = own.startswith(os.path.join(run.root, ""))  # Lookwho's own files lie in this folder
    for found in walk(places, videos=True):
        path = found.path if isinstance(found, Outcome) else found
        if not (guarded and path.startswith(own)):
            yield found


def _looked_at(run: _Import) -> Iterator[Reading]:
    """Yield what can be told of each file without reading it."""
    for found in _paths(run):
        if isinstance(found, Outcome):
            if found.path == run.root:
                raise found.error or FileMissing(f"the folder {run.root!r} cannot be read")
            yield Reading(_stored(run, found.path), 0, 0, error=found.error)
        elif look := _look(run, found):
            yield look


def _look(run: _Import, path: str) -> Reading | None:
    """Return what can be told of a file without reading it, None where it is gone."""
    stored = _stored(run, path)
    try:
        told = os.stat(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not os.path.islink(path):
            return None
        reason = FileMissing(f"{path!r} cannot be read: {error.strerror}")
        return Reading(stored, 0, 0, error=reason)
    if len(stored.encode()) > _LONGEST_PATH:
        mark = hashlib.sha256(stored.encode()).hexdigest()[:16]
        long = FileMissing(f"the path {path!r} is longer than {_LONGEST_PATH} bytes: move the file")
        return Reading(f"{stored[:400]}… {mark}", 0, 0, error=long)
    return Reading(stored, told.st_size, max(told.st_mtime_ns, _beside(run, path)))


def _stored(run: _Import, path: str) -> str:
    below = path.removeprefix(os.path.join(run.root, ""))
    return escaped(below if os.sep == "/" else below.replace(os.sep, "/"))


def _beside(run: _Import, path: str) -> int:
    """Return when the XMP file beside a photo was put there or changed; 0 where there is none.

    By the time that copying does not keep: an old one may come beside a photo that is known.
    """
    folder, name = os.path.split(path)
    written = run.written(folder)
    if not written:
        return 0
    stems = (name, os.path.splitext(name)[0])
    return max(written.get(stem + ending, 0) for stem in stems for ending in (".xmp", ".XMP"))


def _xmp_in(folder: str) -> dict[str, int]:
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.name[-4:].lower() == ".xmp"]
        return {entry.name: entry.stat().st_ctime_ns for entry in found}
    except OSError:
        return {}


def _known(run: _Import, looks: Iterable[Reading]) -> dict[str, tuple[int, int]]:
    """Return location and medium of the files that look as they did when they were read."""
    paths = {look.path: (look.size, look.mtime_ns) for look in looks if look.error is None}
    rows = Location.objects.filter(
        collection=run.collection, path__in=list(paths), missing_since=None, error_code=""
    ).exclude(media=None)
    return {
        path: (pk, media)
        for path, pk, media, size, mtime in rows.values_list(
            "path", "pk", "media_id", "size", "mtime_ns"
        )
        if paths[path] == (size, mtime)
    }


def _read(run: _Import, looks: Iterable[Reading]) -> Registered:
    readings = [_inspected(run, look) for look in looks]
    there = [reading for reading in readings if reading is not None]
    return register(there, collection=run.collection, job=run.job, album=run.album)


def _inspected(run: _Import, look: Reading) -> Reading | None:
    """Return what a file says, or why it cannot be read; None where it is gone meanwhile."""
    if look.error is not None:
        return look
    path = run.absolute(look.path)
    try:
        return replace(look, said=inspect(path))
    except LookwhoError as error:
        return replace(look, error=error) if os.path.lexists(path) else None
    except Exception as error:
        # A mistake of ours over one odd file must not keep the others out for ever.
        _log.exception("%r could not be inspected", path)
        return replace(look, error=WorkError(f"{path!r} could not be inspected: {error!r}"))


# --- what is gone ---


def _sweep(run: _Import, met: set[int], beat: Callable[[], None]) -> None:
    """Write down which files are missing: those that were not met and are not there.

    Raises:
        FileMissing: the whole folder is gone meanwhile; nothing of it is missing then.
    """
    _refuse_unplugged(run)
    last = 0
    rows = Location.objects.filter(collection=run.collection, missing_since=None).order_by("pk")
    while some := list(rows.filter(pk__gt=last).values_list("pk", "media_id", "path")[:_LOOK]):
        last = some[-1][0]
        unmet = [row for row in some if row[0] not in met]
        gone = {pk: media for pk, media, path in unmet if media and _is_gone(run.absolute(path))}
        nothing = [pk for pk, media, _ in unmet if not media]
        if gone or nothing:
            _refuse_unplugged(run)
            with transaction.atomic():
                lock(Q(pk__in=set(gone.values())))
                missing = Location.objects.filter(pk__in=list(gone), missing_since=None)
                missing.update(missing_since=timezone.now())
                Location.objects.filter(pk__in=nothing, media=None).delete()
                keep_present(gone.values())
        beat()


def _is_gone(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it may be there, and cannot be asked
        return False
    return False


def _batches(looks: Iterable[Reading]) -> Iterator[list[Reading]]:
    """Yield files that are registered together: not many, and not many bytes."""
    batch: list[Reading] = []
    size = 0
    for look in looks:
        batch.append(look)
        size += look.size
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
