"""Review: the next question for somebody, what they answer, and how they take it back.

The order is that of `questions`, and every now and then the audit asks (`audit`). A question is
claimed while somebody looks at it. An answer is one act, that `people.undo` takes back; it is
refused, and nothing is written, where what its author was shown no longer holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lookwho.core.errors import Forbidden, NotFound
from lookwho.core.trial import LEAST_ANSWERS
from lookwho.library.models import Album, Answer, Audit, Claim, Decision, Person, User
from lookwho.library.queries import fits
from lookwho.library.queries import review as queries
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import asking, audit, claims, people
from lookwho.services.agenda import Agenda, key_of
from lookwho.services.answering import Answered, answer
from lookwho.services.asking import AUDIT, Asked, Slip
from lookwho.services.claims import Key
from lookwho.services.questions import Kind, Question

__all__ = [
    "EVERYTHING",
    "Answered",
    "Asked",
    "Part",
    "Slip",
    "Undone",
    "answer",
    "audited",
    "counts",
    "left",
    "next_question",
    "release",
    "renew",
    "undo",
]

Verdict = Answer.Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the library that somebody wants to be asked about.

    Attributes:
        person: only guesses that are this root person.
        album: only photos of this album.
        audit: only the audit's faces, now; this goes with neither of the others.
    """

    person: Person | None = None
    album: Album | None = None
    audit: bool = False


EVERYTHING = Part()


@dataclass(frozen=True, slots=True)
class Undone:
    """What is shown after an answer was taken back.

    Attributes:
        message: what people are told.
        asked: the question once more; None where somebody else is looking at it, or it is gone.
    """

    message: str
    asked: Asked | None


# --- asking ---


def next_question(
    by: User,
    *,
    part: Part = EVERYTHING,
    holding: Collection[UUID] = (),
    now: datetime | None = None,
) -> Asked | None:
    """Claim the best question that nobody is looking at, and return it.

    Args:
        by: who is asked.
        part: what they want to be asked about; the audit asks only where that is everything.
        holding: what they were asked already and have not answered: uuids of `Asked`. Other claims
            of theirs, of a page that was left, do not count where nothing else is open.
        now: for tests.

    Raises:
        Forbidden: this user may not name people.
    """
    scope = _scope(by, part)
    now = now or timezone.now()
    if part.audit or part == EVERYTHING:
        found = _audit(by, part, holding, now)
        if found or part.audit:
            return found
    # Also those that are answered while this computes, whose claims end meanwhile.
    skipped = set(claims.keys(holding))
    agenda = Agenda(by, scope, part.person, now)
    for questions, left in ((agenda.first, False), (agenda.all, False), (agenda.all, True)):
        while question := _claim(by, questions(), agenda, holding if left else None, skipped, now):
            asked = asking.about(by, scope, question, agenda.likely(question))
            if asked and asked.belongs == agenda.belongs(question):
                return asked
            # Answered, gone, or taken for somebody else since the questions were read.
            skipped.add(key_of(question))
            claims.drop(by, key_of(question))
    return None


def left(by: User, *, part: Part = EVERYTHING) -> bool:
    """Return whether anything is open at all, though others may be looking at it just now."""
    scope = _scope(by, part)
    if part.audit:
        return audit.unanswered().exists()
    return bool(Agenda(by, scope, part.person, timezone.now()).all())


def counts(by: User) -> queries.Counts:
    """Return how far naming is, and what this user's last answers were worth.

    Raises:
        Forbidden: this user may not name people.
    """
    return queries.counts(_scope(by, EVERYTHING), by)


def audited() -> tuple[int, int]:
    """Return how many answers the audit has, and how many it takes to say anything."""
    return fits.answers(), LEAST_ANSWERS


def renew(by: User, held: Iterable[UUID]) -> int:
    """Hold claims longer, as somebody still looks at them; return how many there still are.

    Raises:
        Forbidden: this user may not name people.
    """
    _scope(by, EVERYTHING)
    return claims.renew(by, held)


def release(by: User, held: Iterable[UUID]) -> int:
    """Give claims up, so that others may be asked at once; return how many there were.

    Raises:
        Forbidden: this user may not name people.
    """
    _scope(by, EVERYTHING)
    return claims.release(by, held)


# --- taking back ---


def undo(by: User, uuid: UUID | None = None) -> Undone:
    """Take an answer of one's own back, and be asked again.

    Args:
        by: who answered.
        uuid: the answer; None for the last one that stands.

    Raises:
        Forbidden: this user may not name people.
        NotFound: there is no such answer.
        Conflict: it was taken back already.
    """
    scope = _scope(by, EVERYTHING)
    row = _newest(by) if uuid is None else Answer.objects.filter(user=by, uuid=uuid).first()
    if row is None:
        raise NotFound("there is no answer of yours to take back")
    with transaction.atomic():
        if row.batch and Decision.objects.filter(batch=row.batch).exists():
            people.undo(by, row.batch)
        if row.batch and row.question == AUDIT:
            audit.take_back(row.batch)
        elif row.verdict in (Verdict.CANNOT_TELL, Verdict.STRANGER):
            # Rows are only added: of what somebody said of a face the newest counts.
            Answer.objects.create(
                user=by,
                question=row.question,
                verdict=Verdict.SKIP,
                face_id=row.face_id,
                person_id=row.person_id,
            )
    return Undone("Taken back.", _again(by, scope, row))


# --- which question ---


def _scope(by: User, part: Part) -> Scope:
    scope = scope_of(by, Purpose.NAME)
    if not scope.names:
        raise Forbidden("naming and correcting people is for owners, curators and annotators")
    return scope.within(albums=frozenset([part.album.pk])) if part.album else scope


def _claim(
    by: User,
    questions: Sequence[Question],
    agenda: Agenda,
    holding: Collection[UUID] | None,
    skipped: Collection[Key],
    now: datetime,
) -> Question | None:
    """Claim the first question that nobody looks at.

    Args:
        by: for whom.
        questions: the best first.
        agenda: where they come from.
        holding: what this user does look at: their other claims do not count. None where all do.
        skipped: what is not to be claimed.
        now: the time.
    """
    with claims.one_at_a_time():
        forgotten: list[int] = []
        if holding is not None:
            held = claims.of(by, holding).values("pk")
            mine = Claim.objects.filter(user=by).exclude(pk__in=held)
            forgotten = list(mine.values_list("pk", flat=True))
        taken = claims.taken(now=now, but=forgotten)
        for question in questions:
            key = key_of(question)
            if key not in skipped and not taken.holds(key, agenda.belongs(question)):
                claims.take(by, key, now=now)
                return question
    return None


def _audit(by: User, part: Part, holding: Collection[UUID], now: datetime) -> Asked | None:
    if not part.audit and claims.audits(by, now=now):
        return None  # one at a time among the others
    handed = [key.face for key in claims.keys(holding) if key.face]
    waiting = len(holding)
    while due := audit.due(by, waiting=waiting, now=part.audit, but=handed):
        face = due.face
        if face is None:
            return None
        guess = Person.objects.filter(pk=face.guess_id).first()
        with claims.one_at_a_time():
            own = Claim.objects.filter(user=by, face=face).values_list("pk", flat=True)
            taken = claims.taken(now=now, but=list(own))
            if not taken.holds(Key(face=face.pk), guess and (guess.root_id or guess.pk)):
                claims.take(by, Key(face=face.pk), now=now)
                return asking.audited(by, face, due.pk)
        if not part.audit:
            return None
        handed.append(face.pk)
    return None


def _again(by: User, scope: Scope, row: Answer) -> Asked | None:
    """Return the question that was answered, claimed anew, if it can be asked."""
    now = timezone.now()
    if row.question == AUDIT:
        found = Audit.objects.select_related("face").filter(face=row.face_id).first()
        if found is None or found.face is None or found.state != Audit.State.DRAWN:
            return None
        key = Key(face=found.face.pk)
        asked = asking.audited(by, found.face, found.pk)
    else:
        question = Question(Kind(row.question), row.person_id, row.face_id, None, 0.0)
        key = key_of(question)
        asked = asking.about(by, scope, question)
    if asked is None:
        return None
    with claims.one_at_a_time():
        mine = list(Claim.objects.filter(user=by).values_list("pk", flat=True))
        if claims.taken(now=now, but=mine).holds(key, asked.belongs):
            return None
        claims.take(by, key, now=now)
    return asked


def _newest(by: User) -> Answer | None:
    """Return the last answer of a user that was not taken back; what was skipped is none."""
    rows = list(Answer.objects.filter(user=by).order_by("-pk")[:100])
    batches = [row.batch for row in rows if row.batch]
    undone = queries.taken_back(batches)
    audited = set(Audit.objects.filter(batch__in=batches).values_list("batch", flat=True))
    seen: set[tuple[int | None, int | None]] = set()
    for row in rows:
        about = row.face_id, None if row.face_id else row.person_id
        stands = row.batch not in undone and (row.question != AUDIT or row.batch in audited)
        if row.verdict != Verdict.SKIP and stands and about not in seen:
            return row
        seen.add(about)
    return None
