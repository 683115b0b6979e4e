"""How fast pages and answers are where there are 100,000 photos: the server's time, and queries.

The library is made (`bench.library`) in a folder that is thrown away, with SQLite. What a browser
then does with a page is not in the figures.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bench import machine, tables
from bench.progress import shown

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from lookwho.library.models import Person

PHOTOS, FACES, PEOPLE = 100_000, 150_000, 2_000
ROUNDS = 20
# Faces of the groups that are given a name.
GROUPS = (50, 500, 5_000)


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
        f"SQLite; each asked {rounds} times, after once"
    )
    yield ""
    yield from tables.markdown(["page or answer", "ms, median", "ms, most", "queries", "KB"], rows)


def _rows(photos: int, rounds: int) -> list[list[str]]:
    # Here, since Django must be set up before models are imported, and that reads the settings.
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

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
        rows.append(_timed(name, rounds, lambda address=address: client.get(address)))
    sizes = [size * photos // PHOTOS for size in GROUPS]
    for group, size in zip(library.groups(sizes), sizes, strict=True):
        rows += _naming(client, group, size, rounds)
    connection.close()
    return rows


def _naming(client: Client, group: Person, size: int, rounds: int) -> list[list[str]]:
    """Time giving a group a name, by the page, and taking that back; each time it is one again."""
    from lookwho.library.models import Decision

    def undo() -> HttpResponse:
        newest = Decision.objects.order_by("-pk").values_list("batch", flat=True).first()
        return client.post(f"/people/undo/{newest}")

    def name() -> HttpResponse:
        return client.post(f"/people/{group.uuid}/name", {"name": "Somebody Else"})

    return [
        _timed(f"naming a group of {size:,} faces", rounds, name, after=undo),
        _timed("taking that back", rounds, undo, before=name),
    ]


def _timed(
    name: str,
    rounds: int,
    ask: Callable[[], HttpResponse],
    *,
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
) -> list[str]:
    """Return a row: how long an answer takes, with nothing else of what is done around it."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    times: list[float] = []
    before()
    with CaptureQueriesContext(connection) as queries:
        first = ask()
    if first.status_code >= 400:
        raise RuntimeError(f"{name}: answered {first.status_code}")
    asked = len(queries)
    after()
    for _ in range(rounds):
        before()
        began = time.perf_counter()
        ask()
        times.append(1000 * (time.perf_counter() - began))
        after()
    return [
        name, f"{statistics.median(times):.0f}", f"{max(times):.0f}", str(asked),
        f"{len(first.content) / 1000:.0f}",
    ]  # fmt: skip
