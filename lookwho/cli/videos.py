"""The command video: who appears in videos, and when. It needs no database."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import click

from lookwho.cli.engine import engine_options, json_option, paths_argument
from lookwho.cli.files import spans_as_text, spans_as_values
from lookwho.cli.progress import Progress, clock, shown
from lookwho.core import packs
from lookwho.core.batch import Outcome
from lookwho.core.cast import Cast
from lookwho.core.errors import SetupError, StorageFull, StorageReadOnly
from lookwho.core.video_batch import VideoOutcome
from lookwho.files.videos import analyze_videos
from lookwho.files.walk import VIDEO_ENDINGS, walk

# What a file's name may take, in bytes, before what is put behind it.
_LONGEST_STEM = 200


@click.command()
@paths_argument
@json_option
@click.option(
    "--crops",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder that gets the best picture of each person; made if need be.",
)
@engine_options
def video(
    paths: tuple[str, ...],
    as_json: bool,
    crops: Path | None,
    engine: dict[str, Any],
    work: dict[str, Any],
) -> int:
    """Tell who appears in videos, and when.

    With --json one object a video: path, duration (in seconds), people (id, appearances: start and
    end in seconds, crop: the path of a picture, or null without --crops), error (code, message) or
    null. The ids count the people of one video, the one seen most being 1.
    """
    settings = packs.settings(**engine)
    items = list(_videos(paths))
    if not items:
        kinds = "folders are searched for MP4, MOV, MKV, WebM, AVI, MTS and such"
        raise click.UsageError(f"{', '.join(map(shown, paths))}: no video in there: {kinds}")
    pictures = _Crops(crops) if crops else None
    with Progress(len(items), "videos") as progress:
        for outcome in analyze_videos(items, settings, on_progress=progress.watched, **work):
            progress.told(outcome)
            written = pictures.write(outcome) if pictures else []
            if as_json:
                progress.say(_as_json(outcome, written))
            elif outcome.cast:
                progress.say(_as_text(outcome, outcome.cast))
    return progress.status()


def _videos(paths: tuple[str, ...]) -> Iterator[str | VideoOutcome]:
    """Yield the videos in folders, and whatever is named itself."""
    named = {os.path.abspath(os.path.expanduser(path)) for path in paths}
    for found in walk(paths, videos=True):
        if isinstance(found, Outcome):  # a folder that cannot be read
            yield VideoOutcome(found.path, None, None, found.error)
        elif os.path.abspath(found) in named or _ending(found) in VIDEO_ENDINGS:
            yield found


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _as_json(outcome: VideoOutcome, crops: list[Path]) -> str:
    error = outcome.error and {"code": outcome.error.code, "message": outcome.error.message}
    people = outcome.cast.people if outcome.cast else ()
    values = {
        "path": outcome.path,
        "duration": None if outcome.info is None else round(outcome.info.duration, 2),
        "people": [
            {
                "id": number,
                "appearances": spans_as_values(person.appearances),
                "crop": os.fspath(crops[number - 1]) if crops else None,
            }
            for number, person in enumerate(people, 1)
        ],
        "error": error,
    }
    return json.dumps(values)


def _as_text(outcome: VideoOutcome, cast: Cast) -> str:
    count = len(cast.people)
    found = f"{count} people" if count > 1 else "1 person" if count else "nobody"
    length = f" in {clock(outcome.info.duration)}" if outcome.info else ""
    lines = [f"{shown(outcome.path)}: {found}{length}"]
    for number, person in enumerate(cast.people, 1):
        lines.append(f"  Person {number}: {spans_as_text(person.appearances)}")
    return "\n".join(lines)


class _Crops:
    """A folder of pictures, one for each person of each video.

    Args:
        folder: where they go; made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: set[str] = set()
        with _told_well(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, outcome: VideoOutcome) -> list[Path]:
        """Write the pictures of a video's people, and return where they are.

        They are called after the video; of a second one of that name in this run, `name~2`.

        Raises:
            SetupError: the folder cannot be written to.
        """
        if not outcome.cast:
            return []
        base = name = _short(os.path.basename(outcome.path))
        number = 1
        while name in self._names:
            number += 1
            name = f"{base}~{number}"
        self._names.add(name)
        written: list[Path] = []
        for number, person in enumerate(outcome.cast.people, 1):
            path = self._folder / f"{name}-{number}.jpg"
            with _told_well(path):
                part = path.with_name(f".{path.name}")
                part.write_bytes(person.crop)
                part.replace(path)
            written.append(path)
        return written


def _short(name: str) -> str:
    """Return a name of a length that leaves room for more."""
    return os.fsdecode(os.fsencode(name)[:_LONGEST_STEM])


@contextlib.contextmanager
def _told_well(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"{path} cannot be written: the disk is full") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageReadOnly(f"{path} cannot be written: {error.strerror}") from error
        raise SetupError(f"{path} cannot be written: {error.strerror}") from error
