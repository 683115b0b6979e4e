"""A made library: as many photos, faces and people as are wanted, without a file behind them.

What is made is alike each time, and as uneven as real libraries are: most days have one photo or
none, some weekends hundreds; a few people are everywhere and most are seen a few times.

Importing this needs Django to be set up.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np

from lookwho.library.models import (
    Album,
    AlbumItem,
    Analysis,
    Collection,
    Face,
    Location,
    Media,
    Pack,
    Person,
)

SHAPES = ((4000, 3000), (3000, 4000), (6000, 4000), (4000, 6000), (1920, 1080), (9000, 3000))
_OFTEN = (0.5, 0.2, 0.15, 0.08, 0.05, 0.02)
NEWEST = datetime(2025, 11, 15, 20, tzinfo=UTC)
_CHUNK = 2000

Row = TypeVar("Row")


def fill(photos: int, *, faces: int = 0, people: int = 0, years: int = 15, seed: int = 1) -> None:
    """Make a library in the empty database: photos of some years, faces, and people with names.

    Of the faces a third are confirmed, a third guessed, and a third nobody's.
    """
    random = np.random.default_rng(seed)
    folder = Collection.objects.create(title="Pictures", root="/made/pictures")
    album = Album.objects.create(title="The first thousand", slug="the-first-thousand")
    pack = Pack.objects.create(name="made", dim=128)
    known = Person.objects.bulk_create(
        Person(name=f"Person {number:04}") for number in range(people)
    )
    shapes = random.choice(len(SHAPES), size=photos, p=_OFTEN)
    rows = (
        Media(
            payload_hash=hashlib.sha256(b"%d" % number).digest(),
            format="JPEG",
            width=SHAPES[shapes[number]][0],
            height=SHAPES[shapes[number]][1],
            taken_at=taken,
            day=taken.date(),
        )
        for number, taken in enumerate(times(photos, years, random))
    )
    for number, media in enumerate(_in_chunks(rows)):
        Media.objects.bulk_create(media)
        Location.objects.bulk_create(
            Location(collection=folder, media=one, path=f"{one.day:%Y/%m}/{one.pk}.jpg", size=1)
            for one in media
        )
        Analysis.objects.bulk_create(
            Analysis(media=one, pack=pack, state=Analysis.State.DONE) for one in media
        )
        if not number:
            AlbumItem.objects.bulk_create(AlbumItem(album=album, media=one) for one in media[:1000])
    if faces:
        _add_faces(faces, known, random)


def groups(sizes: Sequence[int]) -> list[Person]:
    """Make groups without a name of so many faces that are nobody's yet, each in its own photo."""
    nobodys = Face.objects.filter(person=None, guess=None).order_by("pk")
    free: dict[int, int] = {}
    for face, medium in nobodys.values_list("pk", "media_id").iterator():
        free.setdefault(medium, face)
    faces = iter(free.values())
    made: list[Person] = []
    for size in sizes:
        group = Person.objects.create()
        for some in _in_chunks(itertools.islice(faces, size)):
            Face.objects.filter(pk__in=some).update(guess=group, probability=0.9)
        made.append(group)
    return made


def times(count: int, years: int, random: np.random.Generator) -> list[datetime]:
    """Return when so many photos were taken: half on a few days, half on any day."""
    span = 365 * years
    events = random.choice(span, size=max(count // 400, 1))
    on_events = random.choice(events, size=count // 2)
    anyhow = random.integers(0, span, size=count - len(on_events))
    earlier = np.sort(np.concatenate([on_events, anyhow]))
    minutes = random.integers(0, 12 * 60, size=count)
    return [
        NEWEST - timedelta(days=int(day), minutes=int(minute))
        for day, minute in zip(earlier, minutes, strict=True)
    ]


def _add_faces(count: int, people: list[Person], random: np.random.Generator) -> None:
    media = list(Media.objects.values_list("pk", flat=True))
    where = random.integers(0, len(media), size=count)
    # As in real libraries: the second is seen half as often as the first, the third a third, …
    often = 1 / np.arange(1, len(people) + 1)
    who = random.choice(len(people), size=count, p=often / often.sum()) if people else None
    how = random.integers(0, 3, size=count)
    corners = random.uniform(0, 0.8, size=(count, 2))

    def rows() -> Iterator[Face]:
        for number in range(count):
            person = people[who[number]] if who is not None else None
            x, y = (float(edge) for edge in corners[number])
            yield Face(
                media_id=media[where[number]],
                x1=x,
                y1=y,
                x2=x + 0.15,
                y2=y + 0.2,
                score=0.99,
                quality=0.5,
                person=person if how[number] == 0 else None,
                guess=person if how[number] == 1 else None,
                probability=0.9 if how[number] == 1 else None,
            )

    for chunk in _in_chunks(rows()):
        Face.objects.bulk_create(chunk)


def _in_chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(itertools.islice(rows, _CHUNK)):
        yield chunk
