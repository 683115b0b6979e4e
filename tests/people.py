"""A library made of vectors: media, faces and embeddings, without a single photo."""

import hashlib
import itertools
from datetime import UTC, datetime, timedelta

import numpy as np

from lookwho.core.vectors import unit
from lookwho.library.models import Embedding, Face, Media, Pack, Person, User

DIM = 128
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
BOX = (0.25, 0.25, 0.5, 0.5)
_numbers = itertools.count()


def a_user(role="owner", **more):
    return User.objects.create(username=f"{role} {next(_numbers)}", role=role, **more)


def a_pack(dim=DIM):
    return Pack.objects.get_or_create(name="default", preset="balanced", dim=dim)[0]


def some_media(count):
    """So many photos, each of its own content."""
    numbers = list(itertools.islice(_numbers, count))
    return Media.objects.bulk_create(
        Media(
            payload_hash=hashlib.sha256(f"photo {number}".encode()).digest(),
            width=1200,
            height=800,
            taken_at=NOON + timedelta(milliseconds=number),
            day=NOON.date(),
        )
        for number in numbers
    )


def some_faces(count, *, media=None, box=BOX, **fields):
    """So many faces, each in a photo of its own unless `media` says which."""
    x1, y1, x2, y2 = box
    fields = {"quality": 0.8, "x1": x1, "y1": y1, "x2": x2, "y2": y2, **fields}
    media = some_media(count) if media is None else media
    return Face.objects.bulk_create(
        Face(media=each, **fields) for each in itertools.islice(media, count)
    )


def with_vectors(faces, vectors):
    """Give faces their embeddings."""
    pack = a_pack(vectors.shape[1])
    Embedding.objects.bulk_create(
        Embedding(face=face, pack=pack, vector=vector.astype("<f4").tobytes())
        for face, vector in zip(faces, vectors, strict=True)
    )
    return faces


def faces_of_vectors(vectors, **more):
    """A face for each vector, and a photo for each face unless `media` says which."""
    return with_vectors(some_faces(len(vectors), **more), vectors)


def a_group(count=3, **more):
    """Faces that Lookwho thinks are one person without a name, and that person."""
    group = Person.objects.create()
    return group, some_faces(count, guess=group, **more)


def a_person(name, count=2):
    """Somebody with a name and so many faces; nobody decided that, so it is not to be undone."""
    person = Person.objects.create(name=name)
    return person, some_faces(count, person=person)


def lookalikes(people, faces, *, seed=0, spread=0.15):
    """(people * faces, DIM) unit vectors: the faces of one person together, no two people alike."""
    generator = np.random.default_rng(seed)
    centres = unit(generator.standard_normal((people, DIM)).astype(np.float32))
    noise = generator.standard_normal((people * faces, DIM)) * spread / np.sqrt(DIM)
    return unit((np.repeat(centres, faces, axis=0) + noise).astype(np.float32))


def fresh(rows):
    """The same rows as they are now."""
    kind = type(rows[0])
    found = kind.objects.in_bulk([row.pk for row in rows])
    return [found[row.pk] for row in rows]


def who(faces):
    """The ids of whom these faces are confirmed to be."""
    return [face.person_id for face in fresh(faces)]


def guessed(faces):
    """The ids of whom these faces are thought to be."""
    return [face.guess_id for face in fresh(faces)]
