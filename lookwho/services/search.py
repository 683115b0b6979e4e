"""Search: who is near a face, and what a member may see for being in it.

A member is found by their own selfies (`services.selfies`), in what they may search, and gets
only photos that are probably theirs: from `SAME` on as theirs, from `MAYBE` on as perhaps theirs.
What is only perhaps theirs is offered where they may see the photo anyway.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from lookwho.core.errors import NotFound
from lookwho.core.match import SAME, Query, reach, score_nearest
from lookwho.core.types import FloatArray
from lookwho.library import vectors
from lookwho.library.models import (
    Decision,
    DecisionFace,
    Embedding,
    Face,
    Media,
    Pack,
    Person,
    Reference,
    SearchLog,
    User,
)
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services.selfies import add_selfie, remove_selfie, run_reference, sweep_selfies

__all__ = [
    "MAYBE",
    "Match",
    "Suggestion",
    "add_selfie",
    "find_by_face",
    "may_see",
    "my_photos",
    "own_face",
    "remove_selfie",
    "run_reference",
    "sweep_selfies",
]

# From here on a photo is offered as perhaps the member's own.
MAYBE = 0.1
# The most faces that one search looks at. Of more, all of them near, the rest counts as strangers.
MOST = 2000
# Of the faces near one that somebody asks about, as many are enough to tell who it may be.
NEIGHBOURS = 500
# A search is logged once in so long.
LOG_EVERY = timedelta(hours=1)
# For how many seconds a member's photos are taken to be all there are: a page of thumbnails asks
# for each of them. Those that are known are looked up afresh each time.
REFUSAL_LASTS = 2.0
REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Match:
    """A photo that is probably the member's.

    Attributes:
        face: the face that is theirs.
        media: the photo, also as `face.media`.
        distance: 1 - cosine to their selfies; None for one that was confirmed, too far to be found.
        probability: that it is theirs, among so many faces; 1 where that was confirmed.
    """

    face: Face
    media: Media
    distance: float | None
    probability: float

    @property
    def face_id(self) -> int:
        """The face's id."""
        return self.face.pk

    @property
    def mine(self) -> bool:
        """Whether Lookwho says that it is theirs, and not only that it may be."""
        return self.probability >= SAME


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


def my_photos(user: User, *, limit: int = MOST) -> list[Match]:
    """Return the photos that a user is in, or may be in, the newest first; one match a photo.

    They are sought by the user's selfies. Faces that were confirmed as the person this user is
    are theirs, and faces that were confirmed as somebody else are not.
    """
    if not (user.is_authenticated and user.is_active):
        return []
    scope = scope_of(user, Purpose.FIND_SELF)
    asked = _asked(user, scope)
    matches = _matches(user, asked, limit)
    _remember(user, asked, matches)
    if asked.references:
        _log(user, scope.purpose, sum(match.mine for match in matches))
    return matches


def may_see(user: User, media: Media) -> bool:
    """Return whether a user may see a photo: pages, pictures and API all ask here.

    They may see what they may browse, and what is theirs in what they may search.
    """
    if not (user.is_authenticated and user.is_active):
        return False
    if scope_of(user, Purpose.BROWSE).media().filter(pk=media.pk).exists():
        return True
    return own_face(user, media) is not None


def own_face(user: User, media: Media) -> int | None:
    """Return the id of the face that makes a photo this user's, or None where it is not theirs."""
    if not (user.is_authenticated and user.is_active):
        return None
    asked = _asked(user, scope_of(user, Purpose.FIND_SELF))
    if not (asked.references or asked.mine):
        return None
    known = _found.get(user.pk)
    face = known.faces.get(media.pk) if known and known.asked == asked else None
    if face is None:
        if known and known.asked == asked and time.monotonic() < known.until:
            return None
        face = _remember(user, asked, _matches(user, asked, MOST)).get(media.pk)
    # What is remembered only tells which face to ask for. Whether it may be seen is asked now.
    allowed = face and asked.faces().filter(pk=face, media=media.pk).exists()
    return face if allowed else None


def find_by_face(scope: Scope, face: Face, *, limit: int = 5) -> list[Suggestion]:
    """Return the named people that a face may be, the likeliest first.

    By the likeliest face of each: confirmed as theirs, or guessed, which counts for as much as the
    guess does. Left out are people who are in the same photo, and whom somebody said it is not.

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
    others = Face.objects.filter(pk__in=list(told)).exclude(media=face.media_id)
    for other in others.select_related("person__root", "guess__root"):
        person = other.person or other.guess
        person = person and (person.root or person)
        if not person or not person.name or person.hidden or person.pk in refused:
            continue
        distance, probability = told[other.pk]
        probability *= 1.0 if other.person else other.probability or 0.0
        found = Suggestion(person, other, distance, probability)
        best[person.pk] = min(found, best.get(person.pk, found), key=_likeliest)
    return sorted(best.values(), key=_likeliest)[:limit]


def _refused(face: Face) -> set[int]:
    """Return the root people that somebody said a face is not, and those who are beside it."""
    said = DecisionFace.objects.filter(
        face=face, decision__verb=Decision.Verb.REJECT, decision__revoked_by=None
    )
    beside = Face.objects.filter(media=face.media_id, dismissed=False).exclude(pk=face.pk)
    return {
        *said.values_list(Coalesce("decision__person__root", "decision__person"), flat=True),
        *beside.exclude(person=None).values_list(Coalesce("person__root", "person"), flat=True),
    }


@dataclass(frozen=True, slots=True)
class _Asked:
    """All that a member's photos depend on, but for what is looked up afresh each time.

    Attributes:
        scope: what may be searched.
        references: ids of the selfies' embeddings that count.
        mine: root people that this user is: one, or none.
        others: root people that other users are.
        version: of the vectors.
    """

    scope: Scope
    references: frozenset[int]
    mine: frozenset[int]
    others: frozenset[int]
    version: tuple[int, int]

    def confirmed(self) -> QuerySet[Face]:
        """Return the faces that were confirmed as this user."""
        return self.scope.faces().filter(_of(self.mine))

    def faces(self) -> QuerySet[Face]:
        """Return the faces that can be this user's, as far as people have said."""
        if self.mine:
            return self.scope.faces().filter(Q(person=None) | _of(self.mine))
        return self.scope.faces().exclude(_of(self.others))


@dataclass(frozen=True, slots=True)
class _Found:
    """Which face makes a photo a member's, by id, and until when there is no other."""

    asked: _Asked
    faces: dict[int, int]
    until: float


_found: OrderedDict[int, _Found] = OrderedDict()
_keeping = threading.Lock()


def _asked(user: User, scope: Scope) -> _Asked:
    embeddings = Embedding.objects.filter(
        reference__user=user,
        reference__state=Reference.State.DONE,
        reference__approved=True,
        reference__deleted_at=None,
    )
    linked = Person.objects.exclude(user=None).values_list("user", Coalesce("root", "pk"))
    roots = list(linked)
    mine = frozenset(root for whose, root in roots if whose == user.pk)
    return _Asked(
        scope=scope,
        references=frozenset(embeddings.values_list("pk", flat=True)),
        mine=mine,
        others=frozenset(root for _, root in roots) - mine,
        version=vectors.version(),
    )


def _matches(user: User, asked: _Asked, limit: int) -> list[Match]:
    scored = _scored(asked, limit)
    best: dict[int, Match] = {}
    # In one query each, however many they are.
    near = asked.faces().filter(pk__in=list(scored)).select_related("media", "person")
    confirmed = asked.confirmed().select_related("media", "person") if asked.mine else ()
    for face in (*near, *confirmed):
        distance, probability = scored.get(face.pk, (None, 1.0))
        # Not confirmed as anybody else: `asked` tells so.
        sure = face.person is not None and _root(face.person) in asked.mine
        match = Match(face, face.media, distance, 1.0 if sure else probability)
        best[face.media_id] = min(match, best.get(face.media_id, match), key=_likeliest)
    doubtful = [media for media, match in best.items() if not match.mine]
    browsed = scope_of(user, Purpose.BROWSE).media().filter(pk__in=doubtful)
    open_ = set(browsed.values_list("pk", flat=True))
    matches = [match for media, match in best.items() if match.mine or media in open_]
    return sorted(matches, key=lambda match: (match.media.taken_at, match.media.pk), reverse=True)


def _scored(asked: _Asked, limit: int) -> dict[int, tuple[float, float]]:
    """Return distance and probability of the faces near the selfies, by id."""
    scored: dict[int, tuple[float, float]] = {}
    rows = Embedding.objects.filter(pk__in=asked.references).select_related("pack").order_by("pk")
    by_pack: dict[Pack, list[FloatArray]] = {}
    for row in rows:
        by_pack.setdefault(row.pack, []).append(np.frombuffer(row.vector, "<f4"))
    for pack, references in by_pack.items():
        query = Query.of(np.stack(references))
        within = reach(query.references)
        near = vectors.nearest(asked.scope, query.vector, pack, limit=limit, within=within)
        total = max(vectors.searched(asked.scope), len(near.face_ids))
        scores = score_nearest(near.distances, total, query.references)
        for face, distance, probability in zip(
            near.face_ids.tolist(), near.distances.tolist(), scores.probabilities, strict=True
        ):
            if probability >= MAYBE:
                scored[face] = distance, float(probability)
    return scored


def _remember(user: User, asked: _Asked, matches: list[Match]) -> dict[int, int]:
    """Remember which photos are a member's, for `may_see`; return the face of each, by id."""
    faces = {match.media.pk: match.face_id for match in matches if match.mine}
    if connection.in_atomic_block:
        return faces  # what it depends on may never be committed
    with _keeping:
        _found[user.pk] = _Found(asked, faces, time.monotonic() + REFUSAL_LASTS)
        _found.move_to_end(user.pk)
        while len(_found) > REMEMBERED:
            _found.popitem(last=False)
    return faces


def _log(user: User, purpose: Purpose, matches: int) -> None:
    recent = SearchLog.objects.filter(
        user=user, purpose=purpose, created_at__gt=timezone.now() - LOG_EVERY
    )
    if recent.exists():
        return
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # of two at once, one logs
        if not recent.exists():
            SearchLog.objects.create(user=user, purpose=purpose, matches=matches)


def _likeliest(found: Match | Suggestion) -> tuple[float, float]:
    """Put the likeliest first; of those that are as sure as can be, the nearest."""
    far = np.inf if found.distance is None else found.distance
    return -found.probability, far


def _of(people: frozenset[int]) -> Q:
    """Confirmed as one of these root people, or as somebody merged into them."""
    return Q(person__in=people) | Q(person__root__in=people)


def _root(person: Person) -> int:
    return person.root_id or person.pk
