"""Showing: the faces of a question, and confirmed ones to compare them with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
from django.db.models import Q, QuerySet

from lookwho.core.types import FloatArray
from lookwho.library.models import Embedding, Face, Person
from lookwho.library.scope import Scope, family_of


@dataclass(frozen=True, slots=True)
class ShownFace:
    """A face as a question shows it.

    Attributes:
        id: of its row.
        uuid: of the face.
        media: the uuid of its photo.
        day: of the photo.
        box: x1, y1, x2, y2 as fractions of the upright photo.
        width: of the photo in pixels, 0 where that is not known.
        height: of the photo.
        probability: of the guess, or None.
        time: of a video, when the face is there, in seconds.
    """

    id: int
    uuid: UUID
    media: UUID
    day: date
    box: tuple[float, float, float, float]
    width: int
    height: int
    probability: float | None
    time: float | None = None


def guessed(person: Person) -> Q:
    """Say of faces that they are guessed to be a root person, or somebody merged into them."""
    return Q(guess__in=family_of(person.pk))


def shown(faces: QuerySet[Face]) -> list[ShownFace]:
    """Return faces as a question shows them."""
    fields = ("pk", "uuid", "media__uuid", "media__day", "x1", "y1", "x2", "y2")
    rows = faces.values_list(*fields, "media__width", "media__height", "probability", "time")
    return [
        ShownFace(pk, uuid, media, day, (x1, y1, x2, y2), *rest)
        for pk, uuid, media, day, x1, y1, x2, y2, *rest in rows
    ]


def vectors_of(faces: Collection[int]) -> tuple[list[int], FloatArray]:
    """Return the ids of those of some faces that have a vector, and the vectors, (n, d).

    All of one pack: of the newest that any of them has.
    """
    rows = Embedding.objects.filter(face__in=list(faces)).order_by("-pack", "face")
    found = list(rows.values_list("pack", "face", "vector"))
    newest = [(face, vector) for pack, face, vector in found if pack == found[0][0] and face]
    vectors = np.frombuffer(b"".join(bytes(vector) for _, vector in newest), "<f4")
    return [face for face, _ in newest], vectors.reshape(len(newest), -1 if newest else 0)


def confirmed_beside(scope: Scope, person: Person, *, most: int = 3) -> list[ShownFace]:
    """Return good confirmed faces of a person, of different years as far as there are, by year."""
    theirs = (
        scope.all_faces().filter(person__in=family_of(person.pk)).exclude(source=Face.Source.ABSENT)
    )
    found = shown(theirs.order_by("-quality", "pk")[:200])
    chosen: list[ShownFace] = []
    for again in (False, True):
        for face in found:
            years = {other.day.year for other in chosen}
            if len(chosen) < most and face not in chosen and (again or face.day.year not in years):
                chosen.append(face)
    return sorted(chosen, key=lambda face: (face.day, face.id))
