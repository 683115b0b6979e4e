"""A site with 100,000 faces that is served, while 100 members open a page each every 5 seconds.

The library is made (`bench.population`), in a folder that is thrown away, with SQLite; behind its
photos lies one picture that is drawn. Members have two selfies; their visits come from another
process (`bench.visitors`) on the same machine. Each begins at some other moment within the first
seconds, and opens My photos, Albums, an Album and Photos in turn.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import machine, mine, tables, visitors
from bench.served import serving

FACES, MEMBERS, SECONDS, EVERY = 100_000, 100, 60, 5.0
# Processes that answer pages.
WEB = 2
# Members are some of those who are in most photos: one of so many.
AMONG = 4
# What was asked: no error, and of 100 answers 95 within so many milliseconds.
ASKED = 500
_SIDE = 640


def report(
    *,
    faces: int = FACES,
    members: int = MEMBERS,
    seconds: int = SECONDS,
    every: float = EVERY,
    pictures: bool = True,
    web: int = WEB,
) -> Iterator[str]:
    """Yield the lines of the table."""
    load = machine.load()
    with tempfile.TemporaryDirectory(prefix="lookwho-bench-") as made:
        home = Path(made)
        os.environ["LOOKWHO_HOME"] = str(home / "site")
        os.environ.pop("LOOKWHO_DATABASE_URL", None)
        os.environ["DJANGO_SETTINGS_MODULE"] = "lookwho.config.settings"
        sessions, photos = _library(faces, members, home / "photos")
        with serving(home / "site", "--no-workers", "--web", str(web)) as link:
            host = link.split("/")[2]
            seen = _visits(host, sessions, seconds=seconds, every=every, pictures=pictures)
    yield from machine.warning(load)
    yield (
        f"{faces:,} faces in {mine.ALBUMS} albums; {members} members, in {photos[0]:,} photos each "
        f"(median; {photos[1]:,} at most), open a page every {every:g} s for {seconds} s. "
        f"SQLite, {web} processes that answer, and none that works; the visitors' process took "
        f"{100 * seen['share']:.0f} % of a core."
    )
    yield ""
    yield from tables.markdown(*table(seen["times"], seen["seconds"]))
    yield ""
    yield f"{len(seen['errors'])} errors. Asked: none, and 95 of 100 answers within {ASKED} ms."
    for error in seen["errors"][:5]:
        yield f"- {error}"
    if not pictures:
        yield "No pictures were asked for."


def table(
    times: Mapping[str, Sequence[float]], seconds: float
) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows: milliseconds by kind of request, of pages together, and of all."""
    pages = [kind for kind in times if kind != visitors.PICTURE]
    groups = {kind: times[kind] for kind in sorted(times, key=visitors.KINDS.index)}
    groups["all pages"] = list(itertools.chain.from_iterable(times[kind] for kind in pages))
    if len(pages) < len(times):
        groups["all requests"] = list(itertools.chain.from_iterable(times.values()))
    rows: list[list[str]] = []
    for kind, some in groups.items():
        ordered = sorted(some)
        if not ordered:
            continue
        slow = ordered[math.ceil(0.95 * len(ordered)) - 1]
        cells = (statistics.median(ordered), slow, ordered[-1])
        rate = len(ordered) / seconds
        rows.append([kind, f"{len(ordered):,}", f"{rate:.1f}", *(f"{cell:.0f}" for cell in cells)])
    return ["request", "answers", "a second", "ms, median", "ms, 95 of 100", "ms, most"], rows


def _visits(host: str, sessions: Sequence[str], **asked: object) -> dict[str, Any]:
    """Let members visit from another process; return what they saw, see `bench.visitors`."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.visitors"],
        input=json.dumps({"host": host, "sessions": sessions, **asked}),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def _library(faces: int, count: int, folder: Path) -> tuple[list[str], tuple[int, int]]:
    """Make the library with its members; return their sessions, and in how many photos they are.

    Of the photos it is the median and the most.
    """
    # Here, since Django must be set up before models are imported, and that reads the settings.
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections
    from django.test import Client

    from bench.population import Population
    from lookwho.library.models import Embedding, Media
    from lookwho.services import grouping

    call_command("migrate", verbosity=0)
    made = Population(faces, named=1)
    made.add(faces)
    mine.put_in_albums(folder)
    _draw(folder, Media.objects.values_list("pk", flat=True))
    grouping.regroup(beat=lambda _: None, whole=True)
    vectors = np.frombuffer(
        b"".join(Embedding.objects.order_by("face").values_list("vector", flat=True)), "<f4"
    ).reshape(faces, -1)
    counts = np.bincount(made.owners)
    able = np.argsort(-counts, kind="stable")[: AMONG * count]
    chosen = np.random.default_rng(0).permutation(able)[:count]
    sessions: list[str] = []
    for number, owner in enumerate(chosen.tolist()):
        own = np.flatnonzero(made.owners == owner)
        client = Client()
        client.force_login(mine.member(f"member {number}", vectors[own[:2]]))
        sessions.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    connections.close_all()
    return sessions, (int(np.median(counts[chosen])), int(counts[chosen].max()))


def _draw(folder: Path, media: Iterable[int]) -> None:
    """Draw one picture, and let it lie where each photo does."""
    from PIL import Image

    folder.mkdir()
    drawn = folder / "drawn.jpg"
    across = np.arange(_SIDE)
    waves = 127 + 60 * np.sin(across / 23)[:, None] + 60 * np.sin(across / 31)[None]
    Image.fromarray(waves[: _SIDE * 3 // 4].astype(np.uint8)).convert("RGB").save(drawn)
    for pk in media:
        (folder / f"{pk}.jpg").symlink_to(drawn)
