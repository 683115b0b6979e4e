"""Resembling: who among the named people a face may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from django.db.models import Q
from django.db.models.functions import Coalesce

from lookwho.core.errors import NotFound
from lookwho.core.match import SAME, reach, score_nearest
from lookwho.library import vectors
from lookwho.library.models import Decision, DecisionFace, Embedding, Face, Person, User
from lookwho.library.queries import tracks
from lookwho.library.scope import Scope
from lookwho.services import searched

# Of the faces near one that somebody asks about, as many are enough to tell who it may be.
NEIGHBOURS = 500


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Who a face may be.

    Attributes:
        person: named, and not merged into another.
        face: theirs, the one that is most likely the same person.
        distance: 1 - cosine.
        probability: that it is this person.
    """

    person: Person
    face: Face
    distance: float
    probability: float


def find_by_face(
    scope: Scope, face: Face, *, limit: int = 5, by: User | None = None
) -> list[Suggestion]:
    """Return the named people that a face may be, the likeliest first.

    By the likeliest face of each: confirmed as theirs, or guessed, which counts for as much as the
    guess does. Left out are people who are in the same photo, and whom somebody said it is not.

    Args:
        scope: where to look; without names nobody is suggested.
        face: in this scope.
        limit: the most.
        by: whose search this is, for the log; None where Lookwho itself asks.

    Raises:
        NotFound: the face is not in the scope.
    """
    if not scope.faces().filter(pk=face.pk).exists():
        raise NotFound("there is no such face")
    own = Embedding.objects.filter(face=face).select_related("pack").order_by("-pack").first()
    if own is None or not scope.names:
        return []
    vector = np.frombuffer(own.vector, "<f4")
    near = vectors.nearest(scope, vector, own.pack, limit=NEIGHBOURS, within=reach())
    total = max(vectors.searched(scope), len(near.face_ids))
    scores = score_nearest(near.distances, total)
    told = dict(
        zip(
            near.face_ids.tolist(),
            zip(near.distances.tolist(), scores.probabilities.tolist(), strict=True),
            strict=True,
        )
    )
    refused = _refused(face)
    best: dict[int, Suggestion] = {}
    others = Face.objects.filter(pk__in=list(told)).exclude(_beside(face)).exclude(pk=face.pk)
    for other in others.select_related("person__root", "guess__root"):
        person = other.person or other.guess
        person = person and (person.root or person)
        if not person or not person.name or person.hidden or person.pk in refused:
            continue
        distance, probability = told[other.pk]
        probability *= 1.0 if other.person else other.probability or 0.0
        found = Suggestion(person, other, distance, probability)
        best[person.pk] = min(found, best.get(person.pk, found), key=_likeliest)
    found = sorted(best.values(), key=_likeliest)[:limit]
    if by is not None:
        # Who is found with some certainty, and has an account, may know that they were looked for.
        sure = [each.person for each in found if each.probability >= SAME]
        linked = Person.objects.filter(user__isnull=False).exclude(user=by.pk)
        whose = linked.annotate(top=Coalesce("root", "pk")).filter(
            top__in=[person.pk for person in sure]
        )
        tops = set(whose.values_list("top", flat=True)) if sure else set[int]()
        searched.note(by, searched.BY_FACE, None, dict.fromkeys(tops, 1))
    return found


def _refused(face: Face) -> set[int]:
    """Return the root people that somebody said a face is not, and those who are beside it."""
    said = DecisionFace.objects.filter(
        face=face, decision__verb=Decision.Verb.REJECT, decision__revoked_by=None
    )
    beside = Face.objects.filter(_beside(face), dismissed=False).exclude(pk=face.pk)
    return {
        *said.values_list(Coalesce("decision__person__root", "decision__person"), flat=True),
        *beside.exclude(person=None).values_list(Coalesce("person__root", "person"), flat=True),
    }


def _beside(face: Face) -> Q:
    """Say of faces that they are somebody else than a face by where they are.

    In the same photo, or seen at the same time in the same video.
    """
    if face.time is None:
        return Q(media=face.media_id)
    return Q(pk__in=tracks.in_company([face.pk]).get(face.pk, ()))


def _likeliest(found: Suggestion) -> tuple[float, float]:
    """Put the likeliest first; of those that are as sure as can be, the nearest."""
    return -found.probability, found.distance
