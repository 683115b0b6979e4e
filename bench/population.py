"""A made library with vectors: who everybody in it is is known, and faces come part by part.

As in real ones many people have one face or two, and some hundreds; those with most are named. The
vectors are spread like real ones (`bench.scale`).

Importing this needs Django to be set up.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

import numpy as np

from bench.library import NEWEST
from bench.scale import faces as made_faces
from lookwho.core.types import IntArray
from lookwho.library.models import Embedding, Face, Media, Person, User
from lookwho.services import accounts, analysis, people

_CHUNK = 2000
_GOOD = (0.45, 0.95)


class Population:
    """Faces of many people, of which more and more are in the library.

    Attributes:
        owners: (n,) whose each face is, of those that are there and those to come.
        ids: of the faces that are in the library, in the same order.
    """

    def __init__(self, faces: int, *, named: int, seed: int = 0) -> None:
        """Draw the faces, in the order in which they come, and give the people names."""
        self._random = np.random.default_rng(seed)
        self._vectors, self.owners, self._photos = made_faces(faces, seed)
        self._quality = self._random.uniform(*_GOOD, size=faces)
        often = np.argsort(-np.bincount(self.owners), kind="stable")[:named]
        rows = Person.objects.bulk_create(Person(name=f"Person {owner}") for owner in often)
        self._named = dict(zip(often.tolist(), rows, strict=True))
        self._media: dict[int, Media] = {}
        self._pack = analysis.current_pack()
        self._by = accounts.make_user("population", User.Role.OWNER)
        self.ids: list[int] = []

    def add(self, count: int, *, confirmed: int = 0) -> None:
        """Let more faces come, of which so many are confirmed already, or all of named people."""
        start = len(self.ids)
        coming = np.arange(start, start + count)
        theirs = coming[np.isin(self.owners[coming], list(self._named))]
        known = set(
            self._random.choice(theirs, min(confirmed, len(theirs)), replace=False).tolist()
        )
        for first in range(start, start + count, _CHUNK):
            self._add(np.arange(first, min(first + _CHUNK, start + count)), known)

    def confirm(self, count: int) -> None:
        """Let somebody name so many faces, one after the other."""
        nobodys = list(Face.objects.filter(person=None).values_list("pk", flat=True))
        chosen = set(self._random.choice(nobodys, count, replace=False).tolist())
        places = {face: place for place, face in enumerate(self.ids)}
        for face in Face.objects.filter(pk__in=chosen).order_by("pk"):
            people.assign(self._by, [face], f"Person {self.owners[places[face.pk]]}")

    def _add(self, coming: IntArray, known: set[int]) -> None:
        photos = sorted(set(self._photos[coming].tolist()) - set(self._media))
        rows = Media.objects.bulk_create(
            Media(
                payload_hash=hashlib.sha256(b"%d" % photo).digest(),
                width=4000,
                height=3000,
                taken_at=NEWEST - timedelta(hours=photo),
                day=(NEWEST - timedelta(hours=photo)).date(),
            )
            for photo in photos
        )
        self._media |= dict(zip(photos, rows, strict=True))
        faces = Face.objects.bulk_create(
            Face(
                media=self._media[int(self._photos[place])],
                x1=0.1,
                y1=0.1,
                x2=0.3,
                y2=0.4,
                score=0.99,
                quality=float(self._quality[place]),
                person=self._named[int(self.owners[place])] if place in known else None,
            )
            for place in coming.tolist()
        )
        Embedding.objects.bulk_create(
            Embedding(face=face, pack=self._pack, vector=vector.astype("<f4").tobytes())
            for face, vector in zip(faces, self._vectors[coming], strict=True)
        )
        self.ids += [face.pk for face in faces]
