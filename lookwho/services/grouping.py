"""Grouping: a pass over all faces, after which each says who it may be.

What a pass writes are guesses, and rows of people without a name. What humans say always wins: a
face that somebody decided about while the pass computed is left as they want it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from lookwho.core.types import IntArray
from lookwho.library.models import Decision, DecisionFace, Embedding, Face, Job, Pack, Person
from lookwho.services import work
from lookwho.services.decisions import one_at_a_time
from lookwho.services.guesses import NOBODY, Evidence, guess

# Of the passes one waits at a time.
KEY = "group"
# A pass begins so long after it was asked for, since faces come in many at a time; and passes take
# at most a sixth of the time, however large the library.
PAUSE = timedelta(seconds=2)
REST = 5
# Rows in a transaction: a page waits for no more than some hundredths of a second.
ROWS = 500
# A probability that differs by less is not worth writing.
SAME_PROBABILITY = 0.01

Beat = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The faces that have a vector of one pack, as they were when they were read.

    Attributes:
        ids: (n,) int64, ascending.
        confirmed: (n,) int64, the person, or NOBODY.
        probabilities: (n,) float64, or NaN.
        evidence: the rest.
    """

    ids: IntArray
    confirmed: IntArray
    probabilities: np.ndarray[Any, np.dtype[np.float64]]
    evidence: Evidence


def regroup(*, beat: Beat) -> None:
    """Guess anew who each face is that no human has confirmed.

    Args:
        beat: called with the number of rows written so far; raises Cancelled to stop the pass,
            which leaves what was written.
    """
    for pack in Pack.objects.order_by("pk"):
        beat(0)
        rows = _read(pack)
        if len(rows.ids):
            beat(0)
            _write(rows, beat)
    _remove_empty()


def ask_for_a_pass() -> None:
    """Let a pass wait, unless one does already."""
    work.enqueue(Job.Kind.GROUP, {}, dedupe_key=KEY, run_at=regroup_due())


def regroup_due(*, now: datetime | None = None) -> datetime:
    """Return when the next pass may begin: soon, or later where passes take long."""
    soon = (now or timezone.now()) + PAUSE
    passes = Job.objects.filter(kind=Job.Kind.GROUP, state=Job.State.DONE)
    last = passes.order_by("-finished_at").first()
    if last is None or last.started_at is None or last.finished_at is None:
        return soon
    return max(soon, last.finished_at + REST * (last.finished_at - last.started_at))


def _read(pack: Pack) -> _Rows:
    """Read all faces that have a vector of this pack."""
    fields = ("media_id", "quality", "person_id", "guess_id", "probability")
    found = Embedding.objects.filter(pack=pack, face__dismissed=False).order_by("face_id")
    numbers: list[tuple[Any, ...]] = []
    vectors: list[np.ndarray[Any, np.dtype[np.float32]]] = []
    some: list[bytes] = []
    for *row, vector in found.values_list(
        "face_id", *(f"face__{field}" for field in fields), "vector"
    ).iterator(chunk_size=2000):
        numbers.append(tuple(row))
        some.append(vector)
        if len(some) == 2000:  # bytes become an array in parts, so that few are there twice
            vectors.append(np.frombuffer(b"".join(some), "<f4"))
            some.clear()
    vectors.append(np.frombuffer(b"".join(some), "<f4"))
    ids, media, quality, people, guesses, probabilities = (
        zip(*numbers, strict=True) if numbers else [()] * 6
    )
    merged = Person.objects.exclude(root=None).values_list("pk", "root_id")
    roots = {person: root for person, root in merged if root is not None}
    confirmed = np.array([who or NOBODY for who in people], np.int64)
    places: dict[int, int] = {face: place for place, face in enumerate(ids)}
    evidence = Evidence(
        embeddings=np.concatenate(vectors).reshape(len(ids), pack.dim),
        media=np.array(media, np.int64),
        quality=np.array(quality, np.float32),
        confirmed=np.array([roots.get(who, who) for who in confirmed.tolist()], np.int64),
        guesses=np.array([who or NOBODY for who in guesses], np.int64),
        roots=roots,
        unnamed=frozenset(Person.objects.filter(name="", faces=None).values_list("pk", flat=True)),
        rejected=_rejected(places, roots),
        taken=_taken(pack, roots),
    )
    shown = np.array([np.nan if p is None else p for p in probabilities], np.float64)
    return _Rows(np.array(ids, np.int64), confirmed, shown, evidence)


def _rejected(places: Mapping[int, int], roots: Mapping[int, int]) -> frozenset[tuple[int, int]]:
    said = DecisionFace.objects.filter(
        decision__verb=Decision.Verb.REJECT, decision__revoked_by=None
    )
    pairs = {
        (places[face], roots.get(who, who))
        for face, who in said.values_list("face_id", "decision__person_id")
        if face in places and who is not None
    }
    return frozenset(pairs)


def _taken(pack: Pack, roots: Mapping[int, int]) -> frozenset[tuple[int, int]]:
    """Return who is in which medium by a face that has no vector of this pack."""
    theirs = Embedding.objects.filter(pack=pack, face=OuterRef("pk"))
    others = Face.objects.filter(~Exists(theirs), dismissed=False)
    people = {
        (medium, who)
        for medium, person, guessed in others.values_list("media_id", "person_id", "guess_id")
        if (who := person or guessed) is not None
    }
    return frozenset((medium, roots.get(who, who)) for medium, who in people)


def _write(rows: _Rows, beat: Beat) -> None:
    before = rows.evidence.guesses
    guesses = guess(rows.evidence)
    beat(0)
    fresh = [
        person.pk
        for person in Person.objects.bulk_create(
            [Person() for _ in range(guesses.fresh)], batch_size=ROWS
        )
    ]
    people = guesses.people.copy()
    people[people < 0] = [fresh[-person - 1] for person in people[people < 0]]
    now, then = (
        np.nan_to_num(guesses.probabilities, nan=-1),
        np.nan_to_num(rows.probabilities, nan=-1),
    )
    changed = (people != before) | (np.abs(now - then) >= SAME_PROBABILITY)
    changed &= rows.confirmed == NOBODY
    places = np.flatnonzero(changed)
    for start in range(0, len(places), ROWS):
        _guess_rows(
            [
                (
                    int(people[place]) or None,
                    None if now[place] < 0 else round(float(now[place]), 4),
                    int(rows.ids[place]),
                    int(before[place]),
                )
                for place in places[start : start + ROWS]
            ]
        )
        beat(min(start + ROWS, len(places)))


def _guess_rows(rows: Sequence[tuple[int | None, float | None, int, int]]) -> None:
    # Each row says what it was when the pass began. One that a human has changed since is not
    # found, and so stays. (`bulk_update` knows no such condition, and is ten times as slow.)
    table = connection.ops.quote_name(Face._meta.db_table)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET guess_id = %s, probability = %s WHERE id = %s "
            f"AND person_id IS NULL AND NOT dismissed AND coalesce(guess_id, {NOBODY}) = %s",
            rows,
        )


def _remove_empty() -> None:
    """Remove people without a name whom no face and no decision is about."""
    said = Decision.objects.filter(Q(person=OuterRef("pk")) | Q(other=OuterRef("pk")))
    faces = Face.objects.filter(Q(person=OuterRef("pk")) | Q(guess=OuterRef("pk")))
    merged = Person.objects.filter(merged_into=OuterRef("pk"))
    with one_at_a_time():  # or somebody might name one while it goes
        Person.objects.filter(
            ~Exists(said), ~Exists(faces), ~Exists(merged), name="", user=None
        ).delete()
