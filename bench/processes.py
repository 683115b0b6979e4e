"""Whole processes: photos a second from files, memory, and how soon the first result is there."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from bench import ROOT, engine, machine, rival_environment, tables
from bench.photos import Photo
from bench.progress import shown
from bench.rounds import THEIRS, WAYS, Times, count_heads, counts, in_turn, with_ratios
from bench.sides import Found, Side


def from_files(chosen: Sequence[Photo], rounds: int) -> list[str]:
    """Time files from the bytes on, with one process and with two, each on a core of its own.

    Memory is what a process has held at most when it has seen all files.
    """
    paths = [photo.at_megapixels() for photo in chosen]
    for path in paths:
        path.read_bytes()  # the disk is not measured
    cores: Sequence[int | None] = machine.cores()[::-1][:2] or [None, None]
    one, memory = _streamed(chosen, paths, cores[:1], rounds)
    rows = {name: [name, _rate(times, paths), ratio] for name, times, ratio in with_ratios(one)}
    heads = ["", "photos/s, 1 process", "times as fast"]
    if len(cores) > 1:
        two, _ = _streamed(chosen, paths, cores, rounds)
        for name, times, ratio in with_ratios(two):
            rows[name] += [_rate(times, paths), ratio]
        heads += ["2 processes", "times as fast"]
    heads += ["peak MB of a process", *count_heads(chosen)]
    for name, cells in rows.items():
        tally = one[name].tally
        cells += [f"{memory[name]:.0f}", *counts(tally)]
        if tally.true is not None:
            cells.append(f"{1000 * tally.true / one[name].median():.1f}")
    if len(heads) < len(rows[THEIRS]):
        heads.append("true faces/s, 1 process")
    return tables.markdown(heads, list(rows.values()))


def _rate(times: Times, paths: Sequence[Path]) -> str:
    return f"{1000 * len(paths) / times.median():.2f}"


def _streamed(
    chosen: Sequence[Photo], paths: Sequence[Path], cores: Sequence[int | None], rounds: int
) -> tuple[dict[str, Times], dict[str, float]]:
    """Return times and peak megabytes of each side, with a process on each core."""
    starters: dict[str, Callable[[int | None], Side]] = {THEIRS: Side.theirs}
    starters |= {name: partial(Side.ours, **settings) for name, settings in WAYS.items()}
    with ExitStack() as stack:
        teams = {
            name: [stack.enter_context(start(core)) for core in cores]
            for name, start in starters.items()
        }
        for side in (side for team in teams.values() for side in team):
            side.stream(paths[0])  # a process that is still starting is not measured
        found = {name: Times() for name in teams}
        for number in shown(range(rounds), f"{len(cores)} at a time"):
            for name in in_turn(teams, number):
                start = time.perf_counter()
                answers = _shared(teams[name], paths)
                found[name].totals.append(1000 * (time.perf_counter() - start))
                if number == 0:
                    for photo, answer in zip(chosen, answers, strict=True):
                        found[name].tally.add(photo, answer.boxes)
        memory = {name: max(side.peak_memory() for side in team) for name, team in teams.items()}
    return found, memory


def _shared(team: Sequence[Side], paths: Sequence[Path]) -> list[Found]:
    """Let the processes of one side work through the photos, each taking the next one."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(paths)):
        waiting.put(index)
    answers: dict[int, Found] = {}

    def work(side: Side) -> None:
        while True:
            try:
                index = waiting.get_nowait()
            except queue.Empty:
                return
            answers[index] = side.stream(paths[index])

    threads = [threading.Thread(target=work, args=(side,)) for side in team]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[index] for index in range(len(paths))]


_PIN = "import os, sys; sys.argv[1] and os.sched_setaffinity(0, {int(sys.argv[1])}); "
_THEIRS = _PIN + (
    "import face_recognition as f; print(len(f.face_encodings(f.load_image_file(sys.argv[2]))))"
)
_OURS = _PIN + (
    "import json, pathlib; from lookwho import Analyzer; "
    "analyze = Analyzer(**json.loads(sys.argv[3]), cache=pathlib.Path(sys.argv[4])); "
    "print(len(analyze(sys.argv[2])))"
)


def cold_start(photo: Path, starts: int, core: int | None) -> list[str]:
    """Time processes from start to end; models are built and files are in memory before.

    Args:
        photo: the only one that each of them sees.
        starts: how many count.
        core: where they stay.
    """
    path, pin = str(photo), "" if core is None else str(core)
    commands = {THEIRS: [str(rival_environment.python()), "-W", "ignore", "-c", _THEIRS, pin, path]}
    for name, settings in WAYS.items():
        arguments = [pin, path, json.dumps(settings), str(engine.folder())]
        commands[name] = [sys.executable, "-c", _OURS, *arguments]
    found = {name: Times() for name in commands}
    for number in shown(range(starts + 1), "cold start"):
        for name in in_turn(commands, number):
            start = time.perf_counter()
            subprocess.run(commands[name], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
            if number:  # the first brings files into memory
                found[name].totals.append(1000 * (time.perf_counter() - start))
    return tables.markdown(
        ["", "seconds", "times as fast"],
        [
            [name, f"{np.median(times.totals) / 1000:.2f}", ratio]
            for name, times, ratio in with_ratios(found)
        ],
    )
