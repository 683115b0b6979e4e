"""How long a grouping pass takes in a large library: reading, computing and writing, and memory.

The library is made, in a folder that is thrown away, with SQLite: many people of few faces, some of
hundreds, two thousand of them named and by a third of all faces confirmed. Its vectors are spread
like real ones (`bench.scale`), but nothing is said about accuracy.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench import machine, tables

FACES, NAMED, CONFIRMED = 100_000, 2_000, 30_000
# So many faces come, and are confirmed, between passes.
ADDED, SAID = 1_000, 100


def report(*, faces: int = FACES) -> Iterator[str]:
    """Yield the lines of the table."""
    load = machine.load()
    with tempfile.TemporaryDirectory(prefix="lookwho-bench-") as home:
        found = subprocess.run(
            [sys.executable, "-m", "bench.passes", str(faces), home],
            stdout=subprocess.PIPE, check=True, text=True,
        )  # fmt: skip
    one = json.loads(found.stdout)
    yield from machine.warning(load)
    yield (
        f"{faces:,} faces, {one['named']:,} people with a name and {one['confirmed']:,} confirmed "
        f"faces, SQLite; peak memory of the whole process {one['megabytes']:,.0f} MB"
    )
    yield ""
    yield from tables.markdown(
        ["pass", "s", "s of processor", "guesses written", "a writer waited, ms at most"],
        [
            [
                each["what"], f"{each['seconds']:.1f}", f"{each['processor']:.1f}",
                f"{each['moved']:,}", f"{each['waited']:.0f}",
            ]
            for each in one["passes"]
        ],
    )  # fmt: skip


@dataclass(slots=True)
class _Waits:
    """How long somebody who writes all the time has to wait."""

    most: float = 0.0
    over: bool = False

    def write(self) -> None:
        from django.db import connection

        from lookwho.services.decisions import one_at_a_time

        while not self.over:
            began = time.perf_counter()
            with one_at_a_time():
                pass
            self.most = max(self.most, time.perf_counter() - began)
            time.sleep(0.02)
        connection.close()


def measure(faces: int, home: str) -> dict[str, Any]:
    """Make the library and time the passes, one after the other."""
    os.environ["LOOKWHO_HOME"] = home
    os.environ.pop("LOOKWHO_DATABASE_URL", None)
    os.environ["DJANGO_SETTINGS_MODULE"] = "lookwho.config.settings"
    import django

    django.setup()
    from django.core.management import call_command

    from bench.population import Population
    from lookwho.library.models import Face, Person

    call_command("migrate", verbosity=0)
    made = Population(faces + 2 * ADDED, named=NAMED * faces // FACES)
    made.add(faces, confirmed=CONFIRMED * faces // FACES)
    named = Person.objects.exclude(name="").count()
    confirmed = Face.objects.exclude(person=None).count()
    passes = [_timed("the first, of everything", whole=True), _timed("nothing new", whole=False)]
    made.add(ADDED)
    passes.append(_timed(f"{ADDED:,} faces more", whole=False))
    made.confirm(SAID)
    passes.append(_timed(f"{SAID} faces confirmed", whole=False))
    made.add(ADDED)
    passes.append(_timed(f"everything anew, with {ADDED:,} more", whole=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "named": named,
        "confirmed": confirmed,
        "passes": passes,
        "megabytes": peak / (1 << 20 if sys.platform == "darwin" else 1 << 10),
    }


def _timed(what: str, *, whole: bool) -> dict[str, Any]:
    from lookwho.services import grouping

    waits = _Waits()
    writer = threading.Thread(target=waits.write)
    writer.start()
    began, processor = time.perf_counter(), time.process_time()
    try:
        done = grouping.regroup(beat=lambda _: None, whole=whole)
        seconds, spent = time.perf_counter() - began, time.process_time() - processor
    finally:
        waits.over = True
        writer.join()
    return {
        "what": what,
        "seconds": seconds,
        "processor": spent,
        "moved": done.moved,
        "waited": 1000 * waits.most,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
