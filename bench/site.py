"""How fast pages are answered where there are 100,000 photos: the server's time, pages and queries.

The library is made (`bench.library`) in a folder that is thrown away, with SQLite. What a browser
then does with a page is not in the figures.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator

from bench import machine, tables
from bench.progress import shown

PHOTOS, FACES, PEOPLE = 100_000, 150_000, 2_000
ROUNDS = 20


def report(*, photos: int = PHOTOS, rounds: int = ROUNDS) -> Iterator[str]:
    """Yield the lines of the table."""
    load = machine.load()
    with tempfile.TemporaryDirectory(prefix="lookwho-bench-") as home:
        os.environ["LOOKWHO_HOME"] = home
        os.environ.pop("LOOKWHO_DATABASE_URL", None)
        os.environ["LOOKWHO_HOSTS"] = "testserver"
        os.environ["DJANGO_SETTINGS_MODULE"] = "lookwho.config.settings"
        rows = _rows(photos, rounds)
    yield from machine.warning(load)
    yield (
        f"{photos:,} photos, {FACES * photos // PHOTOS:,} faces, {PEOPLE:,} people with a name, "
        f"SQLite; each page asked {rounds} times, after once"
    )
    yield ""
    yield from tables.markdown(["page", "ms, median", "ms, most", "queries", "KB"], rows)


def _rows(photos: int, rounds: int) -> list[list[str]]:
    # Here, since Django must be set up before models are imported, and that reads the settings.
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from bench import library
    from lookwho.library.models import Album, Face, Media, User
    from lookwho.services import accounts

    call_command("migrate", verbosity=0)
    library.fill(photos, faces=FACES * photos // PHOTOS, people=PEOPLE)
    client = Client()
    client.force_login(accounts.make_user("owner", User.Role.OWNER))
    person = Face.objects.exclude(person=None).select_related("person").order_by("person").first()
    assert person
    assert person.person
    middle = Media.objects.order_by("day", "pk")[photos // 2]
    album = Album.objects.get()
    stretch = f"from={middle.day}&to={middle.day}&skip=0&take=120"
    pages = {
        "Photos, the first answer": "/photos",
        "Photos, further down": f"/photos/tiles?{stretch}",
        "Photos of the person seen most": f"/photos?person={person.person.uuid}",
        "Photos of that person and nobody else": (
            f"/photos?person={person.person.uuid}&together=only"
        ),
        "Photos of an album": f"/photos?album={album.uuid}",
        "Photos in which there is no face": "/photos?faces=none",
        "one Photo": f"/photos/{middle.uuid}",
        "People": "/people",
        "the Person seen most": f"/people/{person.person.uuid}",
        "Progress": "/progress",
    }
    rows: list[list[str]] = []
    for name, address in shown(pages.items(), "pages"):
        times: list[float] = []
        with CaptureQueriesContext(connection) as queries:
            first = client.get(address)
        if first.status_code != 200:
            raise RuntimeError(f"{address} answered {first.status_code}")
        asked = len(queries)
        for _ in range(rounds):
            began = time.perf_counter()
            client.get(address)
            times.append(1000 * (time.perf_counter() - began))
        rows.append([
            name, f"{statistics.median(times):.0f}", f"{max(times):.0f}", str(asked),
            f"{len(first.content) / 1000:.0f}",
        ])  # fmt: skip
    connection.close()
    return rows
