"""Search: who is found in which photos, and what somebody may see for being in them.

Somebody is found by their own selfies (`services.selfies`), in what they may search, and gets only
photos that are probably theirs: from `SAME` on as theirs, from `MAYBE` on as perhaps theirs. What
is only perhaps theirs is offered where they may see the photo anyway. A member is found by what
humans said of their faces, too; a guest, whom nobody knows, by selfies alone.

Nothing of an answer is kept but in memory, and there only which face to ask for: what is shown is
computed from what is stored at that moment.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from lookwho.core.match import SAME, Query, reach, score_nearest
from lookwho.core.types import FloatArray
from lookwho.library import vectors
from lookwho.library.models import (
    Decision,
    DecisionFace,
    Embedding,
    Face,
    Guest,
    Media,
    Pack,
    Person,
    Reference,
)
from lookwho.library.queries import passes
from lookwho.library.scope import Purpose, Scope, scope_of, scope_of_share
from lookwho.library.vectors.listing import listed
from lookwho.services import searched
from lookwho.services.hits import Hit, How, Match, times_in
from lookwho.services.resembling import Suggestion, find_by_face
from lookwho.services.selfies import (
    Seeker,
    add_selfie,
    remove_selfie,
    run_reference,
    sweep_selfies,
)

__all__ = [
    "MAYBE",
    "Hit",
    "Match",
    "Seeker",
    "Suggestion",
    "add_selfie",
    "find_by_face",
    "hits",
    "may_see",
    "my_photos",
    "own_face",
    "remove_selfie",
    "run_reference",
    "scope_for",
    "sweep_selfies",
]

# From here on a photo is offered as perhaps one's own.
MAYBE = 0.1
# The most faces that one search looks at. Of more, all of them near, the rest counts as strangers.
MOST = 2000
# For how many seconds somebody's photos are taken to be all there are: a page of thumbnails asks
# for each of them. Those that are known are looked up afresh each time.
REFUSAL_LASTS = 2.0
REMEMBERED = 1000


def my_photos(seeker: Seeker, *, limit: int = MOST) -> list[Match]:
    """Return the photos that somebody is in, or may be in, the newest first; one match a photo.

    They are sought by their selfies. Faces that were confirmed as the person this user is are
    theirs, and faces that were confirmed as somebody else are not.
    """
    found = hits(seeker, limit=limit)
    rows = Face.objects.filter(pk__in=listed([hit.face for hit in found])).select_related("media")
    faces = {face.pk: face for face in rows}
    return [
        Match(faces[hit.face], faces[hit.face].media, hit.distance, hit.probability, hit.times)
        for hit in found
        if hit.face in faces  # gone since a moment
    ]


def hits(
    seeker: Seeker, *, limit: int = MOST, scope: Scope | None = None, log: bool = True
) -> list[Hit]:
    """Return what `my_photos` returns as ids: for pages that show a few of many.

    Args:
        seeker: who is sought.
        limit: the most faces to look at.
        scope: what `scope_for` says that they may search, if that was just asked.
        log: whether to write the search down: not where Lookwho itself asks.
    """
    scope = scope or scope_for(seeker, Purpose.FIND_SELF)
    if scope is None:
        return []
    asked = _asked(seeker, scope)
    if not (asked.references or asked.mine):
        return []
    found, others = _hits(seeker, asked, limit)
    _remember(seeker, asked, found)
    if log and asked.references:
        searched.note(seeker, scope.purpose, sum(hit.mine for hit in found), others)
    return found


def may_see(seeker: Seeker, media: Media) -> bool:
    """Return whether somebody may see a photo: pages, pictures and API all ask here.

    They may see what they may browse, and what is theirs in what they may search.
    """
    scope = scope_for(seeker, Purpose.BROWSE)
    if scope is None:
        return False
    if scope.media().filter(pk=media.pk).exists():
        return True
    return own_face(seeker, media) is not None


def own_face(seeker: Seeker, media: Media) -> int | None:
    """Return the id of the face that makes a photo somebody's, or None where it is not theirs."""
    scope = scope_for(seeker, Purpose.FIND_SELF)
    if scope is None:
        return None
    asked = _asked(seeker, scope)
    if not (asked.references or asked.mine):
        return None
    known = _found.get(_key(seeker))
    face = known.faces.get(media.pk) if known and known.asked == asked else None
    if face is None:
        if known and known.asked == asked and time.monotonic() < known.until:
            return None
        found, _ = _hits(seeker, asked, MOST)
        face = _remember(seeker, asked, found).get(media.pk)
    # What is remembered only tells which face to ask for. Whether it may be seen is asked now.
    if face is None or not asked.faces().filter(pk=face, media=media.pk).exists():
        return None
    return None if asked.rejected([face]) else face


def scope_for(seeker: Seeker, purpose: Purpose) -> Scope | None:
    """Return what somebody may see; None for nobody, and for a guest whose time is over."""
    if isinstance(seeker, Guest):
        # Read anew: the link may have been revoked since.
        guests = Guest.objects.filter(pk=seeker.pk, keep_until__gt=timezone.now())
        guest = guests.select_related("share").first()
        return None if guest is None else scope_of_share(guest.share, purpose)
    if not (seeker.is_authenticated and seeker.is_active):
        return None
    return scope_of(seeker, purpose)


@dataclass(frozen=True, slots=True)
class _Asked:
    """All that somebody's photos depend on, but for what is looked up afresh each time.

    Attributes:
        scope: where they may be found.
        references: ids of the selfies' embeddings that count.
        mine: root people that this user is: one, or none.
        named: whether that one has a name, so that whoever names faces knows who they are.
        others: root people that other users are.
        version: of the vectors.
    """

    scope: Scope
    references: frozenset[int]
    mine: frozenset[int]
    named: bool
    others: frozenset[int]
    version: tuple[int, int]

    def confirmed(self) -> QuerySet[Face]:
        """Return the faces that were confirmed as this user."""
        return self.scope.faces().filter(_of(self.mine))

    def faces(self) -> QuerySet[Face]:
        """Return the faces that can be theirs, as far as people have confirmed."""
        faces = self.scope.faces()
        if self.mine and self.named:
            return faces.filter(Q(person=None) | _of(self.mine))
        return faces.exclude(_of(self.others))

    def is_mine(self, root: int | None) -> bool:
        """Return whether a face of this root person was confirmed as theirs."""
        return root in self.mine

    def may_be_mine(self, root: int | None) -> bool:
        """Return what `faces` asks, of whom a face was confirmed as."""
        if root is None or root in self.mine:
            return True
        return not (self.mine and self.named) and root not in self.others

    def rejected(self, faces: Iterable[int]) -> set[int]:
        """Return those of the faces of which somebody said, and still says, that it is not them."""
        if not self.mine:
            return set()
        # By their ids first, so that the database begins with the few that were said about them.
        family = Person.objects.filter(Q(pk__in=self.mine) | Q(root__in=self.mine)).values("pk")
        said = DecisionFace.objects.filter(
            decision__verb=Decision.Verb.REJECT,
            decision__revoked_by=None,
            decision__person__in=family,
            face__in=listed(faces),
        ).exclude(_of(self.mine, "face__"))
        return {face for face in said.values_list("face_id", flat=True) if face is not None}


@dataclass(frozen=True, slots=True)
class _Found:
    """Which face makes a photo somebody's, by id, and until when there is no other."""

    asked: _Asked
    faces: dict[int, int]
    until: float


_found: OrderedDict[tuple[str, int], _Found] = OrderedDict()
_keeping = threading.Lock()


def _asked(seeker: Seeker, scope: Scope) -> _Asked:
    references = Reference.objects.filter(
        state=Reference.State.DONE, approved=True, deleted_at=None
    )
    guest = isinstance(seeker, Guest)
    theirs = references.filter(guest=seeker.pk) if guest else references.filter(user=seeker.pk)
    embeddings = Embedding.objects.filter(reference__in=theirs)
    linked = Person.objects.exclude(user=None).annotate(top=Coalesce("root", "pk"))
    people = list(linked.values_list("user", "top", Coalesce("root__name", "name")))
    own = [] if guest else [(root, name) for whose, root, name in people if whose == seeker.pk]
    mine = frozenset(root for root, _ in own)
    return _Asked(
        scope=scope,
        references=frozenset(embeddings.values_list("pk", flat=True)),
        mine=mine,
        named=any(name for _, name in own),
        others=frozenset(root for _, root, _ in people) - mine,
        version=vectors.version(),
    )


_TOLD = ("pk", "media", "time", "root")


def _hits(seeker: Seeker, asked: _Asked, limit: int) -> tuple[list[Hit], Counter[int]]:
    """Return somebody's photos, and how many faces that look the same are which other user's."""
    scored = _scored(asked, limit)
    # In one query each, however many they are; whether they are in the scope was just asked.
    near = Face.objects.filter(pk__in=listed(scored), dismissed=False)
    known = asked.confirmed() if asked.mine else Face.objects.none()
    rows = [
        row
        for faces in (near, known)
        for row in faces.annotate(root=Coalesce(F("person__root"), F("person"))).values_list(*_TOLD)
    ]
    rejected = asked.rejected(scored)
    best: dict[int, How] = {}
    videos: dict[int, list[How]] = {}
    others: Counter[int] = Counter()
    for face, media, at, root in rows:
        distance, probability = scored.get(face, (np.inf, 1.0))
        if asked.is_mine(root):
            probability = 1.0
        elif face in rejected or not asked.may_be_mine(root):
            if root in asked.others and probability >= SAME:
                others[root] += 1
            continue
        # The likeliest first; of those that are as sure as can be, the nearest.
        how = -probability, distance, face
        best[media] = min(how, best.get(media, how))
        if at is not None:
            videos.setdefault(media, []).append(how)
    doubtful = [media for media, (sure, *_) in best.items() if -sure < SAME]
    browsed = scope_for(seeker, Purpose.BROWSE)
    offered = best.keys() - doubtful
    if browsed is not None:
        # Asked of each of these few: else the database would walk through all that may be seen.
        may = Exists(browsed.media().filter(pk=OuterRef("pk")))
        few = Media.objects.filter(may, pk__in=listed(doubtful))
        offered |= set(few.values_list("pk", flat=True))
    # The database puts them in order: reading 1,000 dates would take longer than all of that.
    days = Media.objects.filter(pk__in=listed(offered)).order_by("-taken_at", "-pk")
    times = times_in(videos)
    found: list[Hit] = []
    for media, day in days.values_list("pk", "day"):
        sure, distance, face = best[media]
        away = None if distance == np.inf else distance
        found.append(Hit(face, media, day, away, -sure, times.get(media, ())))
    return found, others


def _scored(asked: _Asked, limit: int) -> dict[int, tuple[float, float]]:
    """Return distance and probability of the faces near the selfies, by id."""
    scored: dict[int, tuple[float, float]] = {}
    rows = Embedding.objects.filter(pk__in=asked.references).select_related("pack").order_by("pk")
    by_pack: dict[Pack, list[FloatArray]] = {}
    for row in rows:
        by_pack.setdefault(row.pack, []).append(np.frombuffer(row.vector, "<f4"))
    people = passes.people() if by_pack else None
    for pack, references in by_pack.items():
        query = Query.of(np.stack(references))
        within = reach(query.references)
        near = vectors.nearest(asked.scope, query.vector, pack, limit=limit, within=within)
        total = max(vectors.searched(asked.scope), len(near.face_ids))
        scores = score_nearest(near.distances, total, query.references, people)
        for face, distance, probability in zip(
            near.face_ids.tolist(), near.distances.tolist(), scores.probabilities, strict=True
        ):
            if probability >= MAYBE:
                scored[face] = distance, float(probability)
    return scored


def _remember(seeker: Seeker, asked: _Asked, found: Iterable[Hit]) -> dict[int, int]:
    """Remember which photos are somebody's, for `may_see`; return the face of each, by id."""
    faces = {hit.media: hit.face for hit in found if hit.mine}
    if connection.in_atomic_block:
        return faces  # what it depends on may never be committed
    key = _key(seeker)
    with _keeping:
        _found[key] = _Found(asked, faces, time.monotonic() + REFUSAL_LASTS)
        _found.move_to_end(key)
        while len(_found) > REMEMBERED:
            _found.popitem(last=False)
    return faces


def _key(seeker: Seeker) -> tuple[str, int]:
    return type(seeker).__name__, seeker.pk


def _of(people: frozenset[int], prefix: str = "") -> Q:
    """Confirmed as one of these root people, or as somebody merged into them."""
    return Q(**{f"{prefix}person__in": people}) | Q(**{f"{prefix}person__root__in": people})
