"""Grouping: a pass over all faces, after which each says who it may be.

What a pass writes are guesses, and rows of people without a name. What humans say always wins: a
face that somebody decided about while the pass computed is left as they want it.

Most passes are about what is new: who was guessed to be whom last time is where they begin, and
only faces that came since or that somebody decided about are grouped anew. `_is_due_whole` says
when all are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from lookwho.core.types import DoubleArray, IntArray
from lookwho.library.models import Decision, DecisionFace, Embedding, Face, Job, Pack, Person
from lookwho.library.queries import fits, passes, tracks
from lookwho.services import work
from lookwho.services.decisions import one_at_a_time
from lookwho.services.guesses import NOBODY, Evidence, guess

# Of the passes one waits at a time.
KEY = "group"
# A pass begins so long after it was asked for, since faces come in many at a time; and passes take
# at most a sixth of the time, however large the library.
PAUSE = timedelta(seconds=2)
REST = 5
# All is grouped anew when the last time is so long ago, or when the library has grown by so much:
# how strict grouping is follows its size.
WHOLE_EVERY = timedelta(days=1)
GROWTH = 1.2
# Rows in a transaction: a page waits for no more than some hundredths of a second.
ROWS = 500
# A probability that differs by less is not worth writing.
SAME_PROBABILITY = 0.01
# So many of whom a face or a group may be are kept for questions, the likeliest.
MOST_LIKELY = 2000

Beat = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Report:
    """What a pass did; kept in the payload of its job.

    Attributes:
        faces: how many have a vector.
        people: how many people they are of: those known, groups, and faces alone.
        fresh: how many of them no pass had looked at yet.
        moved: how many guesses were written.
        churn: the share of faces with another guess than before, of those not confirmed.
        seconds: how long it took.
        whole: whether all were grouped anew.
        fits: those that guesses were made with, where any was learned.
        likely: groups without a name that may be somebody known: person, whom, how probably.
        doubts: the same of faces without a guess.
    """

    faces: int = 0
    people: int = 0
    fresh: int = 0
    moved: int = 0
    churn: float = 0.0
    seconds: float = 0.0
    whole: bool = False
    fits: tuple[int, ...] = ()
    likely: tuple[tuple[int, int, float], ...] = ()
    doubts: tuple[tuple[int, int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class _Rows:
    """The faces that have a vector of one pack, as they were when they were read.

    Attributes:
        ids: (n,) int64, ascending.
        confirmed: (n,) int64, the person, or NOBODY.
        probabilities: (n,) float64, or NaN where no pass has looked at the face yet.
        fits: (n,) int64, the fit that the guess was made with, or 0.
        fit: the one that is active now, or 0.
        said: the newest decision that was read.
        evidence: the rest.
    """

    ids: IntArray
    confirmed: IntArray
    probabilities: DoubleArray
    fits: IntArray
    fit: int
    said: int
    evidence: Evidence


class _Row(NamedTuple):
    guess: int | None
    probability: float | None
    fit: int | None
    face: int
    before: int


def run_group(job: Job, *, beat: Beat) -> None:
    """Carry out a job that asks for a pass, and keep the report in its payload.

    Raises:
        Cancelled: it is to stop; what was written stays.
    """
    whole = bool(job.payload.get("whole")) or _is_due_whole()
    report = regroup(beat=beat, whole=whole)
    Job.objects.filter(pk=job.pk).update(payload=asdict(report))
    # Whom others may be is asked of the last pass alone.
    old = Job.objects.filter(kind=Job.Kind.GROUP, payload__has_key="likely").exclude(pk=job.pk)
    for each in old.exclude(payload__likely=[], payload__doubts=[]):
        Job.objects.filter(pk=each.pk).update(payload=each.payload | {"likely": [], "doubts": []})


def regroup(*, beat: Beat, whole: bool = False) -> Report:
    """Guess anew who each face is that no human has confirmed.

    Args:
        beat: called with the number of rows written so far; raises Cancelled to stop the pass,
            which leaves what was written.
        whole: whether all faces are grouped anew, and not only what is new or was touched.
    """
    began = time.monotonic()
    report = Report(whole=whole)
    for pack in Pack.objects.order_by("pk"):
        beat(0)
        rows = _read(pack, whole)
        if len(rows.ids):
            beat(0)
            report = _write(rows, report, beat)
    _remove_empty()
    return replace(report, seconds=round(time.monotonic() - began, 3))


def ask_for_a_pass(*, whole: bool = False) -> None:
    """Let a pass wait, unless one does already.

    Args:
        whole: whether it is to group all faces anew, as after a change of what guesses are made
            with.
    """
    asked = work.enqueue(
        Job.Kind.GROUP, {"whole": True} if whole else {}, dedupe_key=KEY, run_at=regroup_due()
    )
    if whole and asked is None:
        waiting = Job.objects.filter(dedupe_key=KEY, state=Job.State.WAITING)
        waiting.update(payload={"whole": True})


def regroup_due(*, now: datetime | None = None) -> datetime:
    """Return when the next pass may begin: soon, or later where passes take long."""
    soon = (now or timezone.now()) + PAUSE
    passes = Job.objects.filter(kind=Job.Kind.GROUP, state=Job.State.DONE)
    last = passes.order_by("-finished_at").first()
    if last is None or last.started_at is None or last.finished_at is None:
        return soon
    return max(soon, last.finished_at + REST * (last.finished_at - last.started_at))


def _is_due_whole(*, now: datetime | None = None) -> bool:
    """Return whether all faces are to be grouped anew.

    So they are the first time, once a day while anything happens, when the library has grown by a
    fifth since, and when guesses are made with something new.
    """
    since = (now or timezone.now()) - WHOLE_EVERY
    passes = Job.objects.filter(kind=Job.Kind.GROUP, state=Job.State.DONE, finished_at__gte=since)
    last = passes.filter(payload__whole=True, payload__has_key="faces").order_by("-finished_at")
    payload = last.values_list("payload", flat=True).first()
    if payload is None:
        return True
    if payload["fits"] != _active_fits():
        return True
    return Embedding.objects.exclude(face=None).count() > GROWTH * payload["faces"]


def _active_fits() -> list[int]:
    packs = Pack.objects.order_by("pk").values_list("pk", flat=True)
    return [fit.pk for pack in packs if (fit := fits.active_fit(pack))]


# --- reading ---


def _read(pack: Pack, whole: bool) -> _Rows:
    """Read all faces that have a vector of this pack."""
    said = _newest_decision()
    fields = ("media_id", "time", "quality", "person_id", "guess_id", "probability", "fit_id")
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
    ids, media, times, quality, people, guesses, probabilities, made = (
        zip(*numbers, strict=True) if numbers else [()] * 8
    )
    roots = _roots()
    confirmed = np.array([who or NOBODY for who in people], np.int64)
    places: dict[int, int] = {face: place for place, face in enumerate(ids)}
    audited = fits.audited()
    fit = fits.active_fit(pack.pk)
    together = tracks.meeting()
    # Two faces of one video may be one person, unless both are seen at once.
    rows = zip(ids, media, times, strict=True)
    media = [medium if at is None else -face for face, medium, at in rows]
    shown = np.array([np.nan if p is None else p for p in probabilities], np.float64)
    evidence = Evidence(
        embeddings=np.concatenate(vectors).reshape(len(ids), pack.dim),
        media=np.array(media, np.int64),
        quality=np.array(quality, np.float32),
        confirmed=np.array([roots.get(who, who) for who in confirmed.tolist()], np.int64),
        guesses=np.array([who or NOBODY for who in guesses], np.int64),
        roots=roots,
        unnamed=frozenset(Person.objects.filter(name="", faces=None).values_list("pk", flat=True)),
        rejected=frozenset((places[face], who) for face, who in _rejected(roots) if face in places),
        taken=passes.taken(pack, roots, together),
        audited=np.array([face in audited for face in ids], np.bool_),
        seen=~np.isnan(shown),
        settings=None if fit is None else fits.settings_of(fit),
        threshold=fits.threshold(),
        whole=whole,
        apart=frozenset(
            (places[one], places[other])
            for one, other in together
            if one in places and other in places
        ),
    )
    return _Rows(
        ids=np.array(ids, np.int64),
        confirmed=confirmed,
        probabilities=shown,
        fits=np.array([each or 0 for each in made], np.int64),
        fit=0 if fit is None else fit.pk,
        said=said,
        evidence=evidence,
    )


def _newest_decision() -> int:
    return Decision.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _roots() -> dict[int, int]:
    merged = Person.objects.exclude(root=None).values_list("pk", "root_id")
    return {person: root for person, root in merged if root is not None}


def _rejected(roots: Mapping[int, int], faces: Sequence[int] | None = None) -> set[tuple[int, int]]:
    """Return faces, and the roots that they are not, as somebody said."""
    said = DecisionFace.objects.filter(
        decision__verb=Decision.Verb.REJECT, decision__revoked_by=None
    )
    if faces is not None:
        said = said.filter(face__in=faces)
    return {
        (face, roots.get(who, who))
        for face, who in said.values_list("face_id", "decision__person_id")
        if face is not None and who is not None
    }


# --- writing ---


def _write(rows: _Rows, report: Report, beat: Beat) -> Report:
    before = rows.evidence.guesses
    guesses = guess(rows.evidence)
    beat(0)
    fresh = [
        person.pk
        for person in Person.objects.bulk_create(
            [Person() for _ in range(guesses.fresh)], batch_size=ROWS
        )
    ]
    ids = {-number: person for number, person in enumerate(fresh, 1)}
    people = guesses.people.copy()
    people[people < 0] = [ids[person] for person in people[people < 0].tolist()]
    made = np.where(np.isin(people, [NOBODY, *rows.evidence.unnamed, *fresh]), 0, rows.fit)
    then, now = rows.probabilities, guesses.probabilities
    changed = (people != before) | (made != rows.fits) | (np.isnan(then) != np.isnan(now))
    changed |= np.abs(np.nan_to_num(now) - np.nan_to_num(then)) >= SAME_PROBABILITY
    places = np.flatnonzero(changed & (rows.confirmed == NOBODY))
    for start in range(0, len(places), ROWS):
        began = time.monotonic()
        _guess_rows(
            [
                _Row(
                    int(people[place]) or None,
                    None if np.isnan(now[place]) else round(float(now[place]), 4),
                    int(made[place]) or None,
                    int(rows.ids[place]),
                    int(before[place]),
                )
                for place in places[start : start + ROWS]
            ],
            rows.said,
        )
        beat(min(start + ROWS, len(places)))
        # SQLite lets those wait who ask again now and then, not in the order in which they came:
        # so half of the time nobody writes here.
        time.sleep(time.monotonic() - began)
    looked = rows.confirmed == NOBODY
    likely = ((ids.get(group, group), *whom) for group, whom in guesses.likely.items())
    doubts = ((int(rows.ids[face]), *whom) for face, whom in guesses.doubts.items())
    return replace(
        report,
        faces=report.faces + len(rows.ids),
        people=report.people + _count(np.where(looked, people, rows.confirmed)),
        fresh=report.fresh + int((looked & np.isnan(then)).sum()),
        moved=report.moved + len(places),
        churn=max(report.churn, round(guesses.churn, 5)),
        fits=(*report.fits, rows.fit) if rows.fit else report.fits,
        likely=_likeliest((*report.likely, *likely)),
        doubts=_likeliest((*report.doubts, *doubts)),
    )


def _count(people: IntArray) -> int:
    """Return how many people faces are of, where each face of nobody is one of its own."""
    alone = people == NOBODY
    return len(np.unique(people[~alone])) + int(alone.sum())


def _likeliest(rows: Iterable[tuple[int, int, float]]) -> tuple[tuple[int, int, float], ...]:
    best = sorted(rows, key=lambda row: (-row[2], row[0]))[:MOST_LIKELY]
    return tuple((what, whom, round(chance, 4)) for what, whom, chance in best)


def _guess_rows(rows: Sequence[_Row], said: int) -> None:
    # Each row says what it was when the pass began. One that a human has changed since is not
    # found, and so stays. (`bulk_update` knows no such condition, and is ten times as slow.)
    table = connection.ops.quote_name(Face._meta.db_table)
    with one_at_a_time(), connection.cursor() as cursor:
        if _newest_decision() > said:
            rows = _standing(rows)
        cursor.executemany(
            f"UPDATE {table} SET guess_id = %s, probability = %s, fit_id = %s WHERE id = %s "
            f"AND person_id IS NULL AND NOT dismissed AND coalesce(guess_id, {NOBODY}) = %s",
            rows,
        )


def _standing(rows: Sequence[_Row]) -> list[_Row]:
    """Return the rows but those that somebody has contradicted since they were read.

    A rejection changes no row where nobody was guessed yet, and who a person is changes by merges.
    """
    roots = _roots()
    rejected = _rejected(roots, [row.face for row in rows])
    return [
        row
        for row in rows
        if row.guess is None or (row.face, roots.get(row.guess, row.guess)) not in rejected
    ]


def _remove_empty() -> None:
    """Remove people without a name whom no face and no decision is about."""
    said = Decision.objects.filter(Q(person=OuterRef("pk")) | Q(other=OuterRef("pk")))
    faces = Face.objects.filter(Q(person=OuterRef("pk")) | Q(guess=OuterRef("pk")))
    merged = Person.objects.filter(merged_into=OuterRef("pk"))
    with one_at_a_time():  # or somebody might name one while it goes
        Person.objects.filter(
            ~Exists(said), ~Exists(faces), ~Exists(merged), name="", user=None
        ).delete()
