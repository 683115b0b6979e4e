"""The commands that need no database: faces, compare, find, group."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from lookwho.cli import DONE, NO
from lookwho.cli.engine import engine_options, json_option, paths_argument
from lookwho.cli.progress import Progress, clock, say, shown
from lookwho.core import packs
from lookwho.core.batch import Outcome
from lookwho.core.types import Faces, FloatArray
from lookwho.files import people
from lookwho.files.analysis import analyze_files
from lookwho.files.walk import walk


@click.command()
@paths_argument
@json_option
@engine_options
def faces(
    paths: tuple[str, ...], as_json: bool, engine: dict[str, Any], work: dict[str, Any]
) -> int:
    """Find the faces in photos and folders.

    With --json one object a photo: path, width, height, faces (box, score, landmarks, quality),
    reason (why there is no face: code, message) or null, error (code, message) or null.
    """
    settings = packs.settings(**engine)
    with _progress(paths) as (items, progress):
        for outcome in analyze_files(items, settings, **work):
            progress.told(outcome)
            if as_json:
                progress.say(_as_json(outcome))
            elif outcome.faces is not None:
                progress.say(_as_text(outcome.path, outcome.faces))
    return progress.status()


@click.command()
@click.argument("a", type=click.Path())
@click.argument("b", type=click.Path())
@json_option
@engine_options
def compare(a: str, b: str, as_json: bool, engine: dict[str, Any], work: dict[str, Any]) -> int:
    """Tell whether two photos show the same person.

    Each photo shows one face, or one that is much larger than all others. The probability is at
    even odds. Exit status 0: the same; 1: not.
    """
    comparison = people.compare_files(a, b, **work, **engine)
    if as_json:
        values = {
            "distance": _distance(comparison.distance, 6),
            "probability": round(comparison.probability, 6),
            "same": comparison.same,
        }
        say(json.dumps(values))
    else:
        verdict = "same person" if comparison.same else "not the same person"
        percent = _percent(comparison.probability)
        distance = _distance(comparison.distance, 4)
        say(f"{verdict}: {percent} at even odds, distance {distance:.4f}")
    return DONE if comparison.same else NO


@click.command()
@click.option(
    "-r",
    "--reference",
    "references",
    multiple=True,
    required=True,
    type=click.Path(),
    help="A photo of the person, one face; give several for a better search.",
)
@paths_argument
@click.option("--all", "everything", is_flag=True, help="Every face, not only the matches.")
@json_option
@engine_options
def find(
    references: tuple[str, ...],
    paths: tuple[str, ...],
    everything: bool,
    as_json: bool,
    engine: dict[str, Any],
    work: dict[str, Any],
) -> int:
    """Find a person in photos, videos and folders, best first.

    With --json one object a face: path, box, distance, probability, same (whether it is called a
    match), time (null in photos; in videos, seconds at which the face is in the box) and
    appearances (of the person in a video: start, end). The probability is among all the faces that
    were searched. Exit status 1: no match.
    """
    with _progress(paths, videos=True) as (items, progress):
        matches = people.find(
            references,
            items,
            everything=everything,
            told=progress.told,
            on_progress=progress.watched,
            **work,
            **engine,
        )
    for match in matches:
        if as_json:
            values = {
                "path": match.path,
                "box": _rounded(match.box),
                "distance": _distance(match.distance, 6),
                "probability": round(match.probability, 6),
                "same": match.same,
                "time": None if match.time is None else round(match.time, 2),
                "appearances": spans_as_values(match.appearances),
            }
            say(json.dumps(values))
        else:
            distance = _distance(match.distance, 4)
            line = f"{_percent(match.probability):>6}  {distance:.4f}  {shown(match.path)}"
            times = spans_as_text(match.appearances)
            say(f"{line}  {times}" if times else line)
    if not as_json:
        found = sum(match.same for match in matches)
        click.echo(f"Matches: {found} of {progress.faces} faces.", err=True)
    return progress.status() or (DONE if any(match.same for match in matches) else NO)


@click.command()
@paths_argument
@json_option
@engine_options
def group(
    paths: tuple[str, ...], as_json: bool, engine: dict[str, Any], work: dict[str, Any]
) -> int:
    """Group the faces in photos and folders into people.

    With --json one object a face: path, box, group (a number, 0 the largest group; null for a face
    that stays alone).
    """
    with _progress(paths) as (items, progress):
        grouped = people.group(items, told=progress.told, **work, **engine)
    if as_json:
        for face in grouped:
            values = {"path": face.path, "box": _rounded(face.box), "group": face.group}
            say(json.dumps(values))
        return progress.status()
    groups: dict[int, list[str]] = {}
    for face in grouped:
        if face.group is not None:
            groups.setdefault(face.group, []).append(face.path)
    for number, photos in sorted(groups.items()):
        say(f"Person {number + 1}: {len(photos)} faces")
        for path in photos:
            say(f"  {shown(path)}")
    alone = sum(face.group is None for face in grouped)
    people_found = "1 person" if len(groups) == 1 else f"{len(groups)} people"
    click.echo(f"{people_found} in {len(grouped) - alone} faces; {alone} alone.", err=True)
    return progress.status()


def spans_as_values(spans: Sequence[tuple[float, float]]) -> list[dict[str, float]]:
    """Return appearances as they are told to programs."""
    return [{"start": round(start, 2), "end": round(end, 2)} for start, end in spans]


def spans_as_text(spans: Sequence[tuple[float, float]]) -> str:
    """Return appearances as they are told to people.

    >>> spans_as_text([(0, 4.2), (61, 70)])
    '0:00:00–0:00:04, 0:01:01–0:01:10'
    """
    return ", ".join(f"{clock(start)}–{clock(end)}" for start, end in spans)


@contextmanager
def _progress(
    paths: tuple[str, ...], *, videos: bool = False
) -> Generator[tuple[list[str | Outcome], Progress]]:
    """Find the photos, then show progress over them on standard error."""
    items = list(walk(paths, videos=videos))
    if not items:
        what, more = ("photo or video", ", and for videos") if videos else ("photo", "")
        kinds = f"folders are searched for JPEG, PNG, WebP, TIFF, HEIC and such{more}"
        raise click.UsageError(f"{', '.join(map(shown, paths))}: no {what} in there: {kinds}")
    with Progress(len(items), "files" if videos else "photos") as progress:
        yield items, progress


def _as_json(outcome: Outcome) -> str:
    error = outcome.error and {"code": outcome.error.code, "message": outcome.error.message}
    found = outcome.faces
    reason = None if found is None else found.reason
    values = {
        "path": outcome.path,
        "width": None if found is None else found.width,
        "height": None if found is None else found.height,
        "faces": [] if found is None else _faces_as_values(found),
        "reason": reason and {"code": reason, "message": reason.message},
        "error": error,
    }
    return json.dumps(values)


def _faces_as_values(found: Faces) -> list[dict[str, Any]]:
    return [
        {
            "box": _rounded(face.box),
            "score": round(face.score, 4),
            "landmarks": [_rounded(point) for point in face.landmarks],
            "quality": round(face.quality, 3),
        }
        for face in found
    ]


def _as_text(path: str, found: Faces) -> str:
    if found.reason:
        return f"{shown(path)}: no face: {found.reason.message}"
    lines = [f"{shown(path)}: {len(found)} face{'s' * (len(found) > 1)}"]
    for face in found:
        x1, y1, x2, y2 = (round(float(side)) for side in face.box)
        lines.append(
            f"  {x2 - x1} x {y2 - y1} at {x1}, {y1}; "
            f"score {face.score:.3f}, quality {face.quality:.2f}"
        )
    return "\n".join(lines)


def _rounded(numbers: FloatArray) -> list[float]:
    return [round(float(number), 1) for number in numbers]


def _distance(distance: float, digits: int) -> float:
    """Round, and let no rounding error make it negative."""
    return round(max(distance, 0.0), digits)


def _percent(probability: float) -> str:
    """In words that never claim certainty: 99.95 % stays below 100."""
    return f"{min(max(100 * probability, 0.1), 99.9):.1f} %"
