"""My photos among 100,000 faces: the page at the server, beside the scan of the two older sites.

They keep each face as 128 columns and compare all of them in SQL, row by row. That scan alone, with
nothing around it, is timed here on the same vectors and in the same run. The library is made
(`bench.population`), in a folder that is thrown away, with SQLite; all photos lie in the visible
albums of ten years.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from bench import machine, tables
from lookwho.core.types import FloatArray

FACES = 100_000
ALBUMS = 300
ROUNDS = 20
SCANS = 5
# Members with about so many photos of themselves.
PHOTOS = (10, 100, 1000)
OLD_LIMIT = 0.49


def report(*, faces: int = FACES, rounds: int = ROUNDS) -> Iterator[str]:
    """Yield the lines of the table."""
    load = machine.load()
    with tempfile.TemporaryDirectory(prefix="lookwho-bench-") as home:
        os.environ["LOOKWHO_HOME"] = home
        os.environ.pop("LOOKWHO_DATABASE_URL", None)
        os.environ["LOOKWHO_HOSTS"] = "testserver"
        os.environ["DJANGO_SETTINGS_MODULE"] = "lookwho.config.settings"
        rows = _rows(faces, rounds, Path(home))
    yield from machine.warning(load)
    yield (
        f"{faces:,} faces in {ALBUMS} albums, SQLite; the page asked {rounds} times and the scan "
        f"{SCANS} times, each after once"
    )
    yield ""
    heads = ["what", "ms, median", "ms, most", "queries", "photos", "of the scan"]
    yield from tables.markdown(heads, rows)


def _rows(faces: int, rounds: int, home: Path) -> list[list[str]]:
    # Here, since Django must be set up before models are imported, and that reads the settings.
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from bench.population import Population
    from lookwho.library.models import Embedding, Face
    from lookwho.services import grouping, search

    call_command("migrate", verbosity=0)
    made = Population(faces, named=1)
    made.add(faces)
    put_in_albums(Path("/made/photos"))
    grouping.regroup(beat=lambda _: None, whole=True)
    vectors = np.frombuffer(
        b"".join(Embedding.objects.order_by("face").values_list("vector", flat=True)), "<f4"
    ).reshape(faces, -1)
    scan = _scan(home / "columns.sqlite3", vectors)
    rows = [
        ["the scan of 128 columns alone", f"{scan[0]:.0f}", f"{scan[1]:.0f}", "1", "", "1"],
    ]
    counts = np.bincount(made.owners)
    for wanted in PHOTOS:
        owner = int(np.argmin(np.abs(counts - wanted)))
        places = np.flatnonzero(made.owners == owner)
        user = member(f"member {wanted}", vectors[places[:2]])
        client = Client()
        client.force_login(user)
        client.get("/me")
        with CaptureQueriesContext(connection) as queries:
            answer = client.get("/me")
        if answer.status_code != 200:
            raise RuntimeError(f"/me answered {answer.status_code}")
        asked = len(queries)
        times: list[float] = []
        for _ in range(rounds):
            began = time.perf_counter()
            client.get("/me")
            times.append(1000 * (time.perf_counter() - began))
        found = len([match for match in search.my_photos(user) if match.mine])
        median = statistics.median(times)
        rows.append(
            [
                f"My photos of a member in about {wanted:,}", f"{median:.0f}", f"{max(times):.0f}",
                str(asked), f"{found:,}", f"1/{scan[0] / median:.0f}",
            ]
        )  # fmt: skip
    if Face.objects.count() != faces:
        raise RuntimeError("the library is not as large as it was to be")
    connection.close()
    return rows


def put_in_albums(folder: Path) -> None:
    """Put the photos into visible albums, those of neighbouring days together, and in a folder."""
    from datetime import date, timedelta

    from lookwho.library.models import Album, AlbumItem, Collection, Location, Media

    collection = Collection.objects.create(title="Photos", root=str(folder))
    media = list(Media.objects.order_by("-day", "pk").values_list("pk", flat=True))
    albums = Album.objects.bulk_create(
        Album(
            title=f"Event {number}",
            slug=f"event-{number}",
            date=date(2025, 11, 1) - timedelta(days=12 * number),
        )
        for number in range(ALBUMS)
    )
    each = -(-len(media) // ALBUMS)
    for number, album in enumerate(albums):
        inside = media[number * each : (number + 1) * each]
        AlbumItem.objects.bulk_create(AlbumItem(album=album, media_id=pk) for pk in inside)
        Location.objects.bulk_create(
            Location(collection=collection, media_id=pk, path=f"{pk}.jpg", size=1) for pk in inside
        )


def member(name: str, vectors: FloatArray):
    """Make a member with these selfies."""
    from lookwho.library.models import Consent, Embedding, Reference
    from lookwho.services import accounts, analysis, consents

    user = accounts.make_user(name)
    version = str(consents.newest(consents.FIND).version)
    Consent.objects.create(user=user, purpose=consents.FIND, version=version)
    for vector in vectors:
        reference = Reference.objects.create(user=user, state=Reference.State.DONE)
        Embedding.objects.create(
            reference=reference,
            pack=analysis.current_pack(),
            vector=np.ascontiguousarray(vector, "<f4").tobytes(),
        )
    return user


def _scan(path: Path, vectors: FloatArray) -> tuple[float, float]:
    """Return the median and the longest time of a scan in milliseconds."""
    columns = [f"field{number}" for number in range(vectors.shape[1])]
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            f"create table face (id integer primary key, {' real,'.join(columns)} real)"
        )
        marks = ",".join("?" * (len(columns) + 1))
        database.executemany(
            f"insert into face values ({marks})",
            ([number, *row] for number, row in enumerate(vectors.tolist())),
        )
        database.commit()
        apart = " + ".join(f"({column} - ?) * ({column} - ?)" for column in columns)
        statement = f"select id from face where {apart} < ?"
        query = [value for one in vectors[0].tolist() for value in (one, one)]
        times: list[float] = []
        for _ in range(SCANS + 1):
            began = time.perf_counter()
            database.execute(statement, [*query, OLD_LIMIT**2]).fetchall()
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[1:]), max(times[1:])
