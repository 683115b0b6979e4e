"""Passes: what the last groupings of all faces did, and what they left as questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from lookwho.library.models import Embedding, Face, Job, Pack
from lookwho.library.queries import tracks


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass.

    Attributes:
        finished_at: when it ended.
        faces: how many had a vector.
        fresh: how many of them no pass had looked at before.
        moved: how many guesses were written.
        churn: the share of faces with another guess than before, of those that nobody confirmed.
        seconds: how long it took.
        whole: whether all were grouped anew.
    """

    finished_at: datetime
    faces: int
    fresh: int
    moved: int
    churn: float
    seconds: float
    whole: bool


@dataclass(frozen=True, slots=True)
class Likely:
    """Whom the last pass thought likely, but not likely enough to guess so.

    Attributes:
        groups: by the id of a person without a name, whom the group may be, and how probably.
        faces: the same by the id of a face without a guess.
    """

    groups: Mapping[int, tuple[int, float]]
    faces: Mapping[int, tuple[int, float]]


def recent(take: int = 20) -> list[Pass]:
    """Return the last passes, the newest first."""
    rows = _done().values_list("finished_at", "payload")[:take]
    return [
        Pass(
            finished_at,
            payload["faces"],
            payload["fresh"],
            payload["moved"],
            payload["churn"],
            payload["seconds"],
            payload["whole"],
        )
        for finished_at, payload in rows
    ]


def likely() -> Likely:
    """Return whom groups and faces may be, as the last pass saw it: they may be gone by now."""
    payload: dict[str, Any] = _done().values_list("payload", flat=True).first() or {}
    return Likely(
        {group: (whom, chance) for group, whom, chance in payload.get("likely", ())},
        {face: (whom, chance) for face, whom, chance in payload.get("doubts", ())},
    )


def people() -> int | None:
    """Return how many people the last pass saw, faces alone included; None before the first."""
    return _done().values_list("payload__people", flat=True).first()


def began() -> datetime | None:
    """Return when the last pass began: what was said since, it does not know."""
    return _done().values_list("started_at", flat=True).first()


def taken(
    pack: Pack, roots: Mapping[int, int], together: Iterable[tuple[int, int]]
) -> frozenset[tuple[int, int]]:
    """Return who is in which medium by a face that has no vector of this pack.

    In a video they are that for each face that is seen at the same time, whose medium is told by
    its own id, below 0.

    Args:
        pack: whose vectors are grouped.
        roots: of people who were merged.
        together: pairs of faces that are seen at the same time.
    """
    theirs = Embedding.objects.filter(pack=pack, face=OuterRef("pk"))
    others = Face.objects.filter(~Exists(theirs), dismissed=False)
    others = others.filter(Q(person__isnull=False) | Q(guess__isnull=False))
    beside = tracks.by_face(together)
    people: set[tuple[int, int]] = set()
    told = ("pk", "media_id", "time", "person_id", "guess_id")
    for face, medium, at, person, guessed in others.values_list(*told):
        who = person or guessed
        if at is None:
            people.add((medium, who))
        else:
            people.update((-other, who) for other in beside.get(face, ()))
    return frozenset((medium, roots.get(who, who)) for medium, who in people)


def _done() -> QuerySet[Job]:
    passes = Job.objects.filter(kind=Job.Kind.GROUP, state=Job.State.DONE)
    return passes.filter(payload__has_key="faces").order_by("-finished_at")
