"""Finds the photos in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from lookwho.core.batch import Outcome
from lookwho.core.errors import FileMissing

# What is looked at inside a folder. A file that is named itself may be called anything.
ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp"}
    | {".tif", ".tiff", ".gif", ".bmp", ".dib", ".heic", ".heif", ".avif"}
)
# Thumbnails that network storage leaves beside the photos.
_SKIPPED = frozenset({"@eaDir", "#recycle", "lost+found"})


def walk(paths: Iterable[str | os.PathLike[str] | Outcome]) -> Iterator[str | Outcome]:
    """Yield the photos at `paths`, those in folders in order of their names.

    Hidden files and folders are passed over, and links to folders are not followed. A path that
    leads nowhere, or a folder that may not be read, is yielded as an outcome with its error.
    """
    seen: set[str] = set()
    for found in _found(paths):
        if isinstance(found, str):
            place = os.path.abspath(found)
            if place in seen:  # folders that overlap: a photo counts once
                continue
            seen.add(place)
        yield found


def _found(paths: Iterable[str | os.PathLike[str] | Outcome]) -> Iterator[str | Outcome]:
    for path in paths:
        if isinstance(path, Outcome):
            yield path
            continue
        # By os.path, which refuses no name, however odd: whoever reads it says what is wrong.
        path = os.path.expanduser(path)
        if os.path.isdir(path):
            yield from _walk_folder(path)
        else:
            yield path


def _walk_folder(folder: str) -> Iterator[str | Outcome]:
    refused: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=refused.append):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in sorted(names):
            if not _hidden(name) and os.path.splitext(name)[1].lower() in ENDINGS:
                yield os.path.join(parent, name)
        while refused:
            yield _refusal(refused.pop(0))
    while refused:
        yield _refusal(refused.pop(0))


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED


def _refusal(error: OSError) -> Outcome:
    folder = os.fspath(error.filename)
    return Outcome(folder, None, FileMissing(f"the folder cannot be read: {error.strerror}"))
