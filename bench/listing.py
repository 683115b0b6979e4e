"""People with their videos, as the API lists them: the server's time, and how many queries.

A hundred people are in five videos each, with three appearances in every one. The library is made,
in a folder that is thrown away, with SQLite. The older system names 100 ms for the same list.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bench import machine, tables

if TYPE_CHECKING:
    from django.test import Client

PEOPLE, VIDEOS_EACH, APPEARANCES = 100, 5, 3
ROUNDS = 20
# Milliseconds that are asked for.
ASKED = 50
_SECONDS = 600.0
_NEWEST = datetime(2025, 11, 1, tzinfo=UTC)


def report(*, rounds: int = ROUNDS, quick: bool = False) -> Iterator[str]:
    """Yield the lines of the table."""
    load = machine.load()
    rounds = 2 if quick else rounds
    with tempfile.TemporaryDirectory(prefix="lookwho-bench-") as home:
        os.environ["LOOKWHO_HOME"] = home
        os.environ.pop("LOOKWHO_DATABASE_URL", None)
        os.environ["LOOKWHO_HOSTS"] = "testserver"
        os.environ["DJANGO_SETTINGS_MODULE"] = "lookwho.config.settings"
        rows = _rows(rounds)
    yield from machine.warning(load)
    yield (
        f"{PEOPLE} people in {VIDEOS_EACH} videos each, {APPEARANCES} appearances in each, SQLite; "
        f"asked {rounds} times, after once. At most {ASKED} ms was asked of the first row."
    )
    yield ""
    yield from tables.markdown(["answer", "ms, median", "ms, most", "queries", "KB"], rows)


def _rows(rounds: int) -> list[list[str]]:
    # Here, since Django must be set up before models are imported, and that reads the settings.
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from lookwho.library.models import Media, Person, User
    from lookwho.services import accounts

    call_command("migrate", verbosity=0)
    fill()
    client = Client()
    client.force_login(accounts.make_user("owner", User.Role.OWNER))
    person, video = Person.objects.earliest("pk"), Media.objects.earliest("pk")
    addresses = {
        f"{PEOPLE} people with their videos": f"/profiles?limit={PEOPLE}",
        "one person with their videos": "/profiles?limit=1",
        "the videos of one person": f"/people/{person.uuid}/videos",
        "the people of one video": f"/videos/{video.uuid}/people",
        f"{PEOPLE} videos": f"/videos?limit={PEOPLE}",
    }
    rows = [_timed(client, name, path, rounds) for name, path in addresses.items()]
    connection.close()
    return rows


def fill() -> None:
    """Make the videos, the people and what was found; Django is set up, the library is empty."""
    from lookwho.library.models import Analysis, Face, Media, Person, Track, Video
    from lookwho.services import analysis

    pack = analysis.current_pack()
    films = Media.objects.bulk_create(
        Media(
            kind=Media.Kind.VIDEO,
            format="MP4",
            payload_hash=hashlib.sha256(b"%d" % number).digest(),
            width=1920,
            height=1080,
            duration=_SECONDS,
            taken_at=_NEWEST - timedelta(hours=number),
            day=(_NEWEST - timedelta(hours=number)).date(),
        )
        for number in range(PEOPLE)
    )
    Video.objects.bulk_create(
        Video(media=film, container="MP4", codec="H.264", frame_rate=25, plays=True)
        for film in films
    )
    Analysis.objects.bulk_create(
        Analysis(media=film, pack=pack, state=Analysis.State.DONE) for film in films
    )
    people = Person.objects.bulk_create(
        Person(name=f"Person {number}", given_name="Person", family_name=str(number))
        for number in range(PEOPLE)
    )
    place = {"x1": 0.4, "y1": 0.3, "x2": 0.5, "y2": 0.5, "quality": 0.8}
    faces = Face.objects.bulk_create(
        Face(
            # As many people in each video as each person has videos.
            media=films[(number + step * PEOPLE // VIDEOS_EACH) % PEOPLE],
            person=person,
            time=_SECONDS / 2,
            **place,
        )
        for number, person in enumerate(people)
        for step in range(VIDEOS_EACH)
    )
    starts = [number * _SECONDS / APPEARANCES for number in range(APPEARANCES)]
    Track.objects.bulk_create(
        Track(
            media=face.media, face=face, pack=pack, start=start, end=start + 20, time=start, **place
        )
        for face in faces
        for start in starts
    )


def _timed(client: Client, name: str, path: str, rounds: int) -> list[str]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    address = f"/api/v1{path}"
    with CaptureQueriesContext(connection) as queries:
        first = client.get(address)
    asked = len(queries)
    if first.status_code != 200:
        raise RuntimeError(f"{address} answered {first.status_code}")
    times: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        client.get(address)
        times.append(1000 * (time.perf_counter() - began))
    return [
        name, f"{statistics.median(times):.1f}", f"{max(times):.1f}", str(asked),
        f"{len(first.content) / 1000:.0f}",
    ]  # fmt: skip
