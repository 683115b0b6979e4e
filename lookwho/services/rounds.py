"""Rounds: what would be said of the audit's faces, with all that is known, or that once was.

Decisions are only ever added, so that what was known at any of them can be worked out again. So
each round is judged on the same faces, those of today's audit, and rounds can be compared.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from lookwho.core import trial
from lookwho.core.identify import Settings
from lookwho.core.reliability import NOBODY, Bools, Outcomes
from lookwho.core.trial import Faces
from lookwho.core.types import FloatArray, IntArray
from lookwho.library.models import Audit, Decision, DecisionFace, Embedding, Face, Pack, Person
from lookwho.library.queries import fits

Verb = Decision.Verb
State = Audit.State
Beat = Callable[[], object]

# How common people are is estimated from so many faces beside the audit's.
AROUND = 2000
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Audited:
    """The answers of the audit, in the order of their rows.

    Attributes:
        rows: the id of each row.
        faces: with who they are; a stranger is NOBODY.
        answered_at: when.
    """

    rows: IntArray
    faces: Faces
    answered_at: Sequence[datetime]

    def only(self, which: Bools) -> Audited:
        """Return some of them."""
        places = np.flatnonzero(which)
        times = [self.answered_at[place] for place in places.tolist()]
        return Audited(self.rows[places], self.faces.only(places), times)


def audited(pack: Pack) -> Audited:
    """Return the faces of the audit of which is known whose they are.

    Whose they are is what stands now: who was named has perhaps been corrected since, and where
    the answer was taken back nothing is known.
    """
    told = Audit.objects.filter(state__in=(State.NAMED, State.STRANGER), face__dismissed=False)
    told = told.exclude(state=State.NAMED, face__person=None)
    fields = ("face_id", "pk", "face__person_id", "event", "answered_at", "drawn_at")
    people: dict[int, int] = {}
    rest: dict[int, tuple[int, str, datetime]] = {}
    for face, pk, who, event, answered_at, drawn_at in told.values_list(*fields):
        if face is not None:
            people[face] = who or NOBODY
            rest[face] = pk, event, answered_at or drawn_at
    found = _faces(pack, people)
    rows = [rest[face] for face in found.ids]
    # As it was when it was drawn, too: nothing of either event may help.
    keys = [now | {event} for now, (_, event, _) in zip(found.faces.events, rows, strict=True)]
    return Audited(
        np.array([pk for pk, _, _ in rows], np.int64),
        replace(found.faces, events=keys),
        [at for _, _, at in rows],
    )


def known(pack: Pack) -> Faces:
    """Return the faces by which people are recognised: confirmed, and none of the audit's."""
    faces = Face.objects.filter(dismissed=False).exclude(person=None)
    return _evidence(pack, faces.values_list("pk", "person_id").iterator())


def known_at(pack: Pack, decision: int) -> Faces:
    """Return those that were confirmed once this decision had been made, and none later.

    Who was merged since is who they are now, and so are faces that an analysis has replaced.
    """
    said = DecisionFace.objects.filter(
        decision_id__lte=decision,
        decision__verb__in=(Verb.CONFIRM, Verb.REJECT, Verb.NOT_A_FACE),
        face__dismissed=False,
    ).exclude(decision__revoked_by__pk__lte=decision)
    people: dict[int, int] = {}
    fields = ("face_id", "decision__verb", "decision__person_id")
    for face, verb, who in said.order_by("decision_id").values_list(*fields):
        if face is None:
            continue
        if verb == Verb.CONFIRM and who is not None:
            people[face] = who
        elif verb == Verb.NOT_A_FACE or people.get(face) == who:
            people.pop(face, None)
    return _evidence(pack, people.items())


def around(pack: Pack) -> FloatArray:
    """Return (m, d) vectors of some faces, drawn at random from all: the same ones every time."""
    theirs = Embedding.objects.filter(pack=pack, face__dismissed=False)
    ids = list(theirs.order_by("pk").values_list("pk", flat=True).iterator())
    some = random.Random(len(ids)).sample(ids, min(AROUND, len(ids)))
    found: list[bytes] = []
    for start in range(0, len(some), _CHUNK):
        part = Embedding.objects.filter(pk__in=some[start : start + _CHUNK]).order_by("pk")
        found += part.values_list("vector", flat=True)
    return np.frombuffer(b"".join(found), "<f4").reshape(-1, pack.dim)


def judge(
    evidence: Faces, audit: Faces, settings: Settings | None, near: FloatArray, beat: Beat
) -> Outcomes:
    """Return what is said of the audit's faces, without those of the same event (`core.trial`)."""
    return trial.judge(evidence, audit, settings, around=near, beat=beat)


def outdated(audit: Audited, said: Outcomes, least: float) -> Bools:
    """Return which strangers are to be asked about again.

    "Nobody who has a name here" was true when it was said. Where somebody who was named later is
    suggested now, it may no longer be.
    """
    strangers = (said.truth == NOBODY) & (said.probabilities >= least)
    since = _named_since(set(said.people[strangers].tolist()))
    return np.array(
        [
            bool(stranger) and since[who] > at
            for stranger, who, at in zip(
                strangers, said.people.tolist(), audit.answered_at, strict=True
            )
        ],
        np.bool_,
    )


# --- what they are made of ---


@dataclass(frozen=True, slots=True)
class _Rows:
    ids: list[int]
    faces: Faces


def _evidence(pack: Pack, people: Iterable[tuple[int, int | None]]) -> Faces:
    never = fits.audited()
    return _faces(pack, {face: who for face, who in people if who and face not in never}).faces


def _faces(pack: Pack, people: dict[int, int]) -> _Rows:
    """Return those of the faces that have a vector, by id; people by the root of each.

    Whoever has no name is left out: nobody would be suggested by it.
    """
    roots = {
        pk: root or pk
        for pk, root, name, root_name in Person.objects.values_list(
            "pk", "root_id", "name", "root__name"
        )
        if (root_name if root else name)
    }
    wanted = [face for face, who in sorted(people.items()) if not who or who in roots]
    ids: list[int] = []
    media: list[int] = []
    quality: list[float] = []
    vectors: list[bytes] = []
    for start in range(0, len(wanted), _CHUNK):
        rows = Embedding.objects.filter(pack=pack, face__in=wanted[start : start + _CHUNK])
        for face, medium, good, vector in rows.order_by("face").values_list(
            "face_id", "face__media_id", "face__quality", "vector"
        ):
            if face is not None:
                ids.append(face)
                media.append(medium)
                quality.append(good)
                vectors.append(bytes(vector))
    events = fits.events(media)
    return _Rows(
        ids,
        Faces(
            np.frombuffer(b"".join(vectors), "<f4").reshape(-1, pack.dim),
            np.array(quality, np.float32),
            np.array([roots.get(people[face], NOBODY) for face in ids], np.int64),
            [events[medium] for medium in media],
        ),
    )


def _named_since(people: set[int]) -> dict[int, datetime]:
    """Return when each of these people first had a name."""
    rows = Person.objects.filter(pk__in=people).values_list("pk", "created_at")
    since = dict(rows)
    said = Decision.objects.filter(person__in=people, verb=Verb.RENAME, before="")
    for who, at in said.order_by("-pk").values_list("person_id", "created_at"):
        if who is not None:
            since[who] = at
    return since
