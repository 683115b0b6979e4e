"""Watches: folders that are looked through again and again, for photos that join an album.

A camera's software, or somebody at a desk, puts photos into a folder while the event goes on. A
look compares the folder with what is known of it, and lets only what is new be imported. A file
that is still being written is left until it looks the same for a while, told by our own clock:
those of network storage and of copied files tell nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeAlias, TypeVar

from django.db import transaction
from django.utils import timezone

from lookwho.core.errors import Forbidden, Invalid, NotFound
from lookwho.files.walk import walk
from lookwho.library.models import Album, AlbumItem, Collection, Job, Location, User, Watch
from lookwho.library.paths import escaped
from lookwho.services import intake, work

LEAST, MOST = 10, 24 * 3600  # seconds between two looks
EVERY = 60
# A file must look the same for so long.
REST = 4.0
# A look at a large folder may take long: so many times as long passes before the next.
SHARE = 20
_AT_ONCE = 500

# The size of a file, and when it was changed (ns).
Looks: TypeAlias = tuple[int, int]
Item = TypeVar("Item")


@dataclass(slots=True)
class _Seen:
    """What this process knows of a folder since its last look.

    Attributes:
        unrested: files that are new, how they looked, and since when.
        due: before which no look is worth its time.
    """

    unrested: dict[str, tuple[Looks, float]] = field(default_factory=dict[str, tuple[Looks, float]])
    due: float = 0.0


_seen: dict[int, _Seen] = {}


def make_watch(by: User, path: str, album: Album, *, every: int = EVERY) -> Watch:
    """Watch a folder of the machine that Lookwho runs on, for photos that join an album.

    Raises:
        Forbidden: only owners watch folders.
        Invalid: the time between two looks cannot be, or the folder holds Lookwho's own files.
        FileMissing: there is no such folder, or it may not be read.
    """
    if not by.is_owner:
        raise Forbidden("only an owner can have folders watched")
    if not LEAST <= every <= MOST:
        raise Invalid(f"a folder is looked at every {LEAST} to {MOST:,} seconds, not {every:,}")
    with transaction.atomic():
        collection, _ = intake.add_folder(path, by=by)
        intake.enqueue_import(collection, album)
        watch, _ = Watch.objects.update_or_create(
            collection=collection, album=album, defaults={"every": every}
        )
        return watch


def remove_watch(by: User, watch: int) -> None:
    """Watch a folder no longer; its photos stay.

    Raises:
        Forbidden: only owners do.
        NotFound: there is no such watch.
    """
    if not by.is_owner:
        raise Forbidden("only an owner can have folders watched")
    if not Watch.objects.filter(pk=watch).delete()[0]:
        raise NotFound("this folder is not watched")
    _seen.pop(watch, None)


def look(*, now: datetime | None = None) -> int:
    """Look at the folders that are due; return how many imports wait for it."""
    now = now or timezone.now()
    imports = 0
    for watch in Watch.objects.select_related("collection", "album"):
        seen = _seen.setdefault(watch.pk, _Seen())
        if not _is_due(watch, seen, now):
            continue
        began = time.monotonic()
        imports += _look_at(watch, seen)
        Watch.objects.filter(pk=watch.pk).update(looked_at=now)
        ended = time.monotonic()
        seen.due = ended + SHARE * (ended - began)
    return imports


def _is_due(watch: Watch, seen: _Seen, now: datetime) -> bool:
    if time.monotonic() < seen.due:
        return False
    if seen.unrested:  # something is being written: it is soon complete
        return True
    looked_at = watch.looked_at
    return looked_at is None or looked_at + timedelta(seconds=watch.every) <= now


def _look_at(watch: Watch, seen: _Seen) -> int:
    """Let what is new in a folder, and at rest, be imported; return how many imports that makes."""
    collection = watch.collection
    before, seen.unrested = seen.unrested, {}
    rested: list[str] = []
    now = time.monotonic()
    for path, looks in _new_in(collection, watch.album):
        was, since = before.get(path, (None, now))
        if was == looks and now - since >= REST:
            rested.append(path)
        else:
            seen.unrested[path] = (looks, since if was == looks else now)
    imports = 0
    for some in _some(rested):
        payload = {"collection": collection.pk, "album": watch.album and watch.album.pk}
        work.enqueue(Job.Kind.IMPORT, {**payload, "paths": some})
        imports += 1
    return imports


def _new_in(collection: Collection, album: Album | None) -> Iterator[tuple[str, Looks]]:
    """Yield the files of a folder that are not known as they look, or not in the album."""
    awaited = _awaited(collection, album)
    if None in awaited:  # all of it will be looked at
        return
    for some in _some(_files(collection.folder)):
        found = {path: looks for path, looks in some if path not in awaited}
        rows = Location.objects.filter(
            collection=collection, path__in=list(found), missing_since=None
        )
        known = list(rows.values_list("path", "size", "mtime_ns", "media_id"))
        inside = {media for *_, media in known if media is not None}
        if album is not None:
            items = AlbumItem.objects.filter(album=album, media__in=inside)
            inside = set(items.values_list("media_id", flat=True))
        for path, size, mtime_ns, media in known:
            # Of a photo with an XMP file beside it the later time counts: see `services.intake`.
            same = found[path][0] == size and found[path][1] <= mtime_ns
            if same and (media is None or media in inside):
                del found[path]
        yield from found.items()


def _awaited(collection: Collection, album: Album | None) -> set[str | None]:
    """Return the files that an import will look at already; None among them stands for all."""
    jobs = Job.objects.filter(
        kind=Job.Kind.IMPORT,
        state__in=(Job.State.WAITING, Job.State.LEASED),
        payload__collection=collection.pk,
    )
    awaited: set[str | None] = set()
    for payload in jobs.values_list("payload", flat=True):
        if payload.get("album") == (album and album.pk):
            paths = payload.get("paths")
            awaited.update([None] if paths is None else paths)
    return awaited


def _files(folder: Path) -> Iterator[tuple[str, Looks]]:
    root = os.path.join(folder, "")
    for found in walk([folder]):
        if not isinstance(found, str):
            continue  # a folder that may not be read: an import of all says so
        try:
            told = os.stat(found)
        except OSError:
            continue
        below = found.removeprefix(root)
        yield escaped(below.replace(os.sep, "/")), (told.st_size, told.st_mtime_ns)


def _some(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while some := list(islice(iterator, _AT_ONCE)):
        yield some
