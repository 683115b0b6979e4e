"""Taking in a folder beside the engine alone, on the same photos and cores, while pages are asked.

The site is started as a user starts it. Until every photo is analysed, somebody who is signed in
asks for one page after the other, and how long each takes is noted.
"""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench import machine, served, tables
from lookwho.core import batch, packs
from lookwho.core.errors import LookwhoError
from lookwho.files.walk import walk

PAGES = ("/people", "/photos", "/progress", "/me")
# Between two pages that one person looks at.
PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Import:
    """One import: seconds until everything is analysed, and until the people stand."""

    analysed: float
    grouped: float
    first_people: float
    pages: dict[str, list[float]]
    faces: int


def report(folder: Path, rounds: int = 2) -> Iterator[str]:
    """Yield the lines of the table, for a folder of photos."""
    load = machine.load()
    paths = [path for path in walk([folder]) if isinstance(path, str)]
    cores = batch.usable_cores()
    engine: list[float] = []
    imports: list[Import] = []
    for _ in range(rounds):
        engine.append(_engine_alone(paths, cores))
        imports.append(_imported(folder, len(paths)))
    yield from machine.warning(load)
    yield (
        f"{len(paths)} photos, {imports[0].faces} faces, {cores} processes, "
        f"{rounds} rounds, the engine alone and the import in turn"
    )
    yield ""
    heads = ["", "seconds", "photos/s", "times the engine alone"]
    alone = statistics.median(engine)
    rows = [["the engine alone", f"{alone:.1f}", f"{len(paths) / alone:.1f}", "1"]]
    for what in ("analysed", "grouped"):
        spent = statistics.median(getattr(one, what) for one in imports)
        ratios = [getattr(one, what) / own for one, own in zip(imports, engine, strict=True)]
        times = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        rows.append([f"import, until {what}", f"{spent:.1f}", f"{len(paths) / spent:.1f}", times])
    yield from tables.markdown(heads, rows)
    first = statistics.median(one.first_people for one in imports)
    yield ""
    yield f"First people on screen {first:.1f} s after the command."
    yield ""
    rows = []
    for page in PAGES:
        times = sorted(itertools.chain.from_iterable(one.pages[page] for one in imports))
        slow = times[int(0.95 * (len(times) - 1))]
        cells = (statistics.median(times), slow, times[-1])
        rows.append([page, str(len(times)), *(f"{1000 * cell:.0f}" for cell in cells)])
    heads = [
        "page, while the import runs",
        "times asked",
        "ms, median",
        "ms, 95 of 100",
        "ms, most",
    ]
    yield from tables.markdown(heads, rows)


def _engine_alone(paths: list[str], cores: int) -> float:
    began = time.perf_counter()
    for _ in batch.run(paths, packs.settings(), processes=cores):
        pass
    return time.perf_counter() - began


def _imported(folder: Path, count: int) -> Import:
    with tempfile.TemporaryDirectory(prefix="lookwho-bench-") as home:
        began = time.perf_counter()
        with served.serving(Path(home), "--photos", str(folder)) as link:
            visitor = Visitor(link)
            done = threading.Event()
            looking = threading.Thread(target=visitor.look_around, args=(done,))
            looking.start()
            try:
                times = _watched(Path(home) / "lookwho.sqlite3", count, began)
            finally:
                done.set()
                looking.join()
        if visitor.problem:
            raise RuntimeError(visitor.problem)
        return Import(*times[:3], visitor.times, int(times[3]))


class Visitor:
    """Somebody who is signed in and looks at one page after the other."""

    def __init__(self, link: str) -> None:
        self.times: dict[str, list[float]] = {page: [] for page in PAGES}
        self.problem = ""
        self._visitor = served.Visitor(link)

    def look_around(self, done: threading.Event) -> None:
        """Ask for the pages in turn until it is done."""
        try:
            for page in itertools.cycle(PAGES):
                if done.wait(PAUSE):
                    return
                began = time.perf_counter()
                self._visitor.get(page)
                self.times[page].append(time.perf_counter() - began)
        except (OSError, RuntimeError, LookwhoError) as error:
            self.problem = f"a page could not be read: {error}"


def _watched(database: Path, count: int, began: float) -> tuple[float, float, float, float]:
    """Return when people first stood, all was analysed, all was grouped, and how many faces."""
    first = analysed = 0.0
    while not database.exists():
        time.sleep(0.05)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:

        def number(statement: str) -> int:
            try:
                return int(connection.execute(statement).fetchone()[0])
            except sqlite3.OperationalError:  # the tables are only being made
                return 0

        while True:
            spent = time.perf_counter() - began
            if not first and number("select count(*) from lookwho_person"):
                first = spent
            if not analysed:
                waiting = "select count(*) from lookwho_analysis where state = 'waiting'"
                if number("select count(*) from lookwho_location") >= count and not number(waiting):
                    analysed = spent
            elif not number(
                "select count(*) from lookwho_job where state in ('waiting', 'leased')"
            ):
                faces = number("select count(*) from lookwho_face")
                return analysed, spent, first, faces
            time.sleep(0.1)
