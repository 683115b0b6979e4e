"""Places: where a medium lies, and the first of them at which it still does."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any, TypeVar

from django.utils.module_loading import import_string

from lookwho.core import inspect
from lookwho.core.errors import FileMissing, LookwhoError
from lookwho.library.models import Collection, Location

Result = TypeVar("Result")


def places_of(media: Sequence[int]) -> dict[int, list[Location]]:
    """Return where each medium lies; the first place is the one to read."""
    places: dict[int, list[Location]] = {}
    locations = Location.objects.filter(media__in=media, missing_since=None)
    for location in locations.select_related("collection", "media").order_by("pk"):
        if location.media_id is not None:
            places.setdefault(location.media_id, []).append(location)
    return places


def first_found(look: Callable[[str], Result], places: Sequence[Location]) -> Result | LookwhoError:
    """Return what is seen at the first place where a medium still lies, or why nothing is.

    Args:
        look: is given a path; where it raises FileMissing, the next place is tried.
        places: where the medium lies.

    Raises:
        FileMissing: a whole folder is not there: a disk that was unplugged, say.
        LookwhoError: whatever else `look` raises.
    """
    missing: LookwhoError = FileMissing("it lies nowhere any more: it was moved or removed")
    with closing(_files(places)) as files:
        for found in files:
            if isinstance(found, LookwhoError):
                if not isinstance(found, FileMissing):
                    return found
                missing = found
                continue
            try:
                return look(found)
            except FileMissing as error:
                missing = error
    for location in places:
        folder = location.collection.folder
        if location.collection.kind != Collection.Kind.SITE and not folder.is_dir():
            raise FileMissing(f"the folder {os.fspath(folder)!r} is not there")
    return missing


def _files(places: Sequence[Location]) -> Generator[str | LookwhoError]:
    """Yield the files at which a medium still lies, and what is wrong with other places."""
    for location in places:
        if location.collection.kind == Collection.Kind.SITE:
            try:
                # It is here only for as long as somebody looks at it.
                with named("lookwho.services.site_visits.fetched")(location) as path:
                    yield os.fspath(path)
            except LookwhoError as error:
                yield error
            continue
        path = os.fspath(location.file)
        try:
            same = _is_same(location)
        except LookwhoError as error:
            yield FileMissing(error.message)
            continue
        what = "another video" if location.media and location.media.duration else "another photo"
        yield path if same else FileMissing(f"{path!r} holds {what} now: read the folder again")


def _is_same(location: Location) -> bool:
    """Return whether the file holds the photo that it held when its folder was read."""
    path = location.file
    try:
        found = path.stat()
    except OSError as error:
        raise FileMissing(f"{os.fspath(path)!r} cannot be read: {error.strerror}") from error
    if (found.st_size, found.st_mtime_ns) == (location.size, location.mtime_ns):
        return True
    # Another program may have written a tag, which changes nothing in the picture.
    media = location.media
    payload = _payload(os.fspath(path), found.st_size, found.st_mtime_ns)
    return media is not None and payload == bytes(media.payload_hash)


@lru_cache(maxsize=256)
def _payload(path: str, size: int, mtime_ns: int) -> bytes:
    """Return the payload of a file; kept, since each segment of a long video asks for it."""
    return inspect.inspect(path).payload


def named(name: str) -> Callable[..., Any]:
    """Return a function by its dotted name: a process loads only what its own kinds need."""
    try:
        return import_string(name)
    except ImportError as error:
        raise LookwhoError(f"{name} is not installed: {error}") from error
