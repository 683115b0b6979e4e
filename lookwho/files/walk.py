"""Finds the photos, and where they are asked for the videos, in folders."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator

from lookwho.core import kinds
from lookwho.core.batch import Outcome
from lookwho.core.errors import FileMissing

# What is looked at inside a folder. A file that is named itself may be called anything.
ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp"}
    | {".tif", ".tiff", ".gif", ".bmp", ".dib", ".heic", ".heif", ".avif"}
)
VIDEO_ENDINGS = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx"}
    | {".mts", ".m2ts", ".m2t", ".ts", ".mpg", ".mpeg", ".mpe", ".m2p", ".vob", ".mod", ".tod"}
    | {".mxf", ".dv", ".flv", ".f4v", ".wmv", ".asf", ".ogv", ".h264", ".264", ".h265", ".hevc"}
)
# Programs and music are called so, too: what is inside decides.
_SHARED = frozenset({".ts", ".mod", ".264"})
# Enough of a file to know its kind by.
_HEAD = 512
# Thumbnails that network storage leaves beside the photos.
_SKIPPED = frozenset({"@eaDir", "#recycle", "lost+found"})


def walk(
    paths: Iterable[str | os.PathLike[str] | Outcome], *, videos: bool = False
) -> Iterator[str | Outcome]:
    """Yield the photos at `paths`, and the videos if asked to, in folders in order of their names.

    Hidden files and folders are passed over, and links to folders are not followed. A path that
    leads nowhere, or a folder that may not be read, is yielded as an outcome with its error.
    """
    seen: set[str] = set()
    for found in _found(paths, ENDINGS | VIDEO_ENDINGS if videos else ENDINGS):
        if isinstance(found, str):
            place = os.path.abspath(found)
            if place in seen:  # folders that overlap: each counts once
                continue
            seen.add(place)
        yield found


def _found(
    paths: Iterable[str | os.PathLike[str] | Outcome], endings: Collection[str]
) -> Iterator[str | Outcome]:
    for path in paths:
        if isinstance(path, Outcome):
            yield path
            continue
        # By os.path, which refuses no name, however odd: whoever reads it says what is wrong.
        path = os.path.expanduser(path)
        if os.path.isdir(path):
            yield from _walk_folder(path, endings)
        else:
            yield path


def _walk_folder(folder: str, endings: Collection[str]) -> Iterator[str | Outcome]:
    refused: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=refused.append):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in sorted(names):
            ending = os.path.splitext(name)[1].lower()
            if _hidden(name) or ending not in endings:
                continue
            path = os.path.join(parent, name)
            if ending not in _SHARED or is_video(path):
                yield path
        while refused:
            yield _refusal(refused.pop(0))
    while refused:
        yield _refusal(refused.pop(0))


def is_video(path: str) -> bool:
    """Say whether a file is a video, by its first bytes; what cannot be read is none."""
    try:
        # A pipe would be waited on for ever.
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return kinds.is_video(file.read(_HEAD))
    except (OSError, ValueError):
        return False


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED


def _refusal(error: OSError) -> Outcome:
    folder = os.fspath(error.filename)
    return Outcome(folder, None, FileMissing(f"the folder cannot be read: {error.strerror}"))
