"""Videos: who is found in them and how fast, beside the older system, in turn.

That system looks at every picture at full size with `face_recognition`, and takes for somebody new
whose vector is farther than 0.50 from the first vector of everybody known (`bench.rival`). Where
its way takes too long, it is given the beginning of a clip, and so is Lookwho in one more row;
times as fast are then for each second of video.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import clips, engine, footprint, listing, machine, rival_environment, tables
from bench.clips import Clip, Scene
from bench.progress import shown
from bench.sides import Side
from bench.sightings import TOLERANCE, Found, score, told
from lookwho.core import packs
from lookwho.core.batch import usable_cores
from lookwho.core.video_batch import analyze_videos

PARTS = ("clips", "hour", "listing")
HOUR = 3600.0
_THEIRS, _OURS, _DECODING = "face_recognition, every picture", "Lookwho", "decoding alone"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: of Lookwho and of decoding; the older way is taken once.
        seconds: of each clip, at most.
        stretch: seconds of a clip for the older way, by the height of its picture.
        scene: the clip that is made.
        hour: seconds that a clip is repeated to.
    """

    rounds: int
    seconds: float
    stretch: tuple[tuple[int, float], ...]
    scene: Scene
    hour: float

    def stretch_of(self, height: int) -> float:
        """Return how many seconds of a clip the older way is given."""
        return next(seconds for most, seconds in self.stretch if height <= most)


FULL = Effort(3, 1e9, ((360, 30.0), (432, 30.0), (10_000, 6.0)), Scene(), HOUR)
QUICK = Effort(1, 4.0, ((432, 0.5), (10_000, 0.2)), Scene(seconds=4.0, people=3, shot=2.0), 12.0)


@dataclass(slots=True)
class Row:
    """What one side did with a clip, or with its beginning.

    Attributes:
        name: of the side.
        clip: what it was given.
        processes: how many it works in.
        seconds: that it took, each round.
        people: whom it found; None where nobody is looked for.
    """

    name: str
    clip: Clip
    processes: int
    seconds: list[float] = field(default_factory=list[float])
    people: list[Found] | None = None

    def per_second(self) -> float:
        """Return the seconds for each second of video."""
        return float(np.median(self.seconds)) / self.clip.seconds


def report(
    parts: Sequence[str] = PARTS, *, processes: int | None = None, quick: bool = False
) -> Iterator[str]:
    """Yield the lines of the tables of these parts.

    Raises:
        NoRival: `face_recognition` cannot be installed here.
    """
    load = machine.load()
    effort, count = QUICK if quick else FULL, processes or usable_cores()
    if "clips" in parts:
        yield from _clips([*clips.of_media(), clips.made(effort.scene)], effort, count, load)
    if "hour" in parts:
        yield from _heading("Peak memory of a long video")
        yield from _hour([*clips.of_media()[-1:], clips.made(effort.scene)], effort, count)
    if "listing" in parts:
        yield from _heading("People with their videos, by the API")
        yield from listing.report(quick=quick)


def _heading(title: str) -> list[str]:
    return ["", f"### {title}", ""]


def _clips(chosen: Sequence[Clip], effort: Effort, count: int, load: float) -> Iterator[str]:
    rival_environment.python()
    core = next(iter(reversed(machine.cores())), None)
    with ExitStack() as stack:
        ours = stack.enter_context(Side.ours(core))
        theirs = stack.enter_context(Side.theirs(core))
        yield from machine.description(ours.versions(), theirs.versions())
        yield from machine.warning(load)
        yield (
            f"Medians of {effort.rounds} rounds, the older way once. Lookwho with several "
            "processes includes their start. Merged and split: people too few, and too many. "
            f"Starts and ends of appearances within {TOLERANCE} s; the older way tells none."
        )
        for whole in chosen:
            clip = whole.begun(effort.seconds)
            size = clips.size_of(clip.path)
            part = clip.begun(effort.stretch_of(size[1]))
            rows = _measured(clip, part, ours, theirs, effort.rounds, count)
            yield from _heading(f"{whole.name}: {size[0]} x {size[1]}, {clip.seconds:g} s")
            yield from _table(rows)
            yield from _wrong(rows)


def _measured(
    clip: Clip, part: Clip, ours: Side, theirs: Side, rounds: int, count: int
) -> list[Row]:
    theirs_row, decoding = Row(_THEIRS, part, 1), Row(_DECODING, clip, 1)
    alone, several = Row(_OURS, clip, 1), Row(_OURS, clip, count)
    same = Row(_OURS, part, 1)
    answer = theirs.video(part.path)
    theirs_row.seconds, theirs_row.people = [answer["ms"] / 1000], _sighted(answer["sightings"])
    for _ in shown(range(rounds), clip.name):
        decoding.seconds.append(ours.decode(clip.path)["ms"] / 1000)
        for row in (alone, same):
            answer = ours.video(row.clip.path)
            row.seconds.append(answer["ms"] / 1000)
            row.people = [Found.of(person) for person in answer["people"]]
        began = time.perf_counter()
        several.people = [Found.of(person) for person in _in_processes(clip.path, count)]
        several.seconds.append(time.perf_counter() - began)
    rows = [theirs_row, same, alone, several, decoding]
    return [row for row in rows if row is not same or part is not clip]


def _in_processes(path: Path, count: int) -> list[dict[str, Any]]:
    """Analyse one video as the command does, and return its people."""
    settings = packs.settings()
    (outcome,) = analyze_videos([path], settings, processes=count, cache=engine.folder())
    if outcome.error:
        raise outcome.error
    assert outcome.cast is not None  # an outcome is one or the other
    return told(outcome.cast)


def _sighted(sightings: Sequence[tuple[float, int, list[float]]]) -> list[Found]:
    """Gather the older way's sightings into people: (time, who, box) of each."""
    people: dict[int, list[tuple[float, list[float]]]] = {}
    for at, who, box in sightings:
        people.setdefault(who, []).append((at, box))
    return [
        Found(np.array([at for at, _ in seen]), np.array([box for _, box in seen]))
        for _, seen in sorted(people.items())
    ]


_HEADS = (
    *("", "of the clip", "processes", "seconds", "times real time", "times as fast"),
    *("people", "merged", "split", "nobody", "appearances", "starts and ends"),
)


def _table(rows: Sequence[Row]) -> list[str]:
    first = rows[0]
    lines: list[list[str]] = []
    for row in rows:
        pace = row.per_second()
        lines.append([
            row.name, f"{row.clip.seconds:g} s", str(row.processes),
            f"{np.median(row.seconds):.2f}", f"{1 / pace:.2f}",
            "" if row is first else f"{first.per_second() / pace:.1f}", *_scores(row),
        ])  # fmt: skip
    return tables.markdown(_HEADS, lines)


def _scores(row: Row) -> list[str]:
    if row.people is None:
        return [""] * 6
    if row.clip.labels is None:
        spans = [span for person in row.people for span in person.appearances or ()]
        return [str(len(row.people)), "", "", "", str(len(spans) or ""), ""]
    found = score(row.clip.labels, row.people)
    cells = [f"{found.people} of {found.of}", *map(str, (found.merged, found.split, found.nobody))]
    if found.appearances is None:
        return [*cells, "", ""]
    borders = f"{found.borders} of {2 * found.of_appearances}"
    return [*cells, f"{found.appearances} of {found.of_appearances}", borders]


def _wrong(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.people is not None and row.clip.labels is not None:
            for words in score(row.clip.labels, row.people).wrong:
                yield f"- {row.name}, {row.processes} process{'es' * (row.processes > 1)}: {words}"


def _hour(chosen: Sequence[Clip], effort: Effort, count: int) -> Iterator[str]:
    """Run the command on clips that are repeated, and look at all its processes meanwhile."""
    settings = {"XDG_CACHE_HOME": str(engine.folder())}
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="lookwho-bench-") as folder:
        for clip in chosen:
            long = clip.repeated(effort.hour, Path(folder) / "long.mp4")
            command = [sys.executable, "-m", "lookwho", "video", "--json", "--no-cache"]
            command += ["--processes", str(count)]
            # Models are built once, and that is not measured.
            footprint.measured([*command, str(clip.begun(1.0).path)], settings)
            took = footprint.measured([*command, str(long.path)], settings)
            size = clips.size_of(clip.path)
            rows.append([
                clip.name, f"{size[0]} x {size[1]}", f"{long.seconds:g}",
                f"{long.path.stat().st_size / 1e6:,.0f}", f"{took.seconds:.1f}",
                f"{long.seconds / took.seconds:.2f}", str(took.processes),
                "" if took.megabytes is None else f"{took.megabytes:.0f}",
            ])  # fmt: skip
    yield (
        f"Each clip is repeated, without encoding it again. {count} analyse; the command's own "
        "process counts too, and what processes share counts once."
    )
    yield ""
    heads = ["", "picture", "seconds of video", "MB of the file", "seconds", "times real time"]
    yield from tables.markdown([*heads, "processes", "peak MB of all"], rows)
