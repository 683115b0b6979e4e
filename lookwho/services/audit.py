"""The audit: faces drawn at random, which humans name without being shown a guess.

What Lookwho would say of them tells how often it is right (`services.learning`). So that this is
true, nothing is learned from them and no face is recognised by them: see
`library.queries.fits.audited`. A face stays drawn for good, whatever was answered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from random import Random, SystemRandom
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, Invalid
from lookwho.library.models import Answer, Audit, Claim, Embedding, Face, User
from lookwho.library.models.accounts import Role
from lookwho.library.queries import fits
from lookwho.services import analysis, decisions, faces
from lookwho.services.decisions import Done, Shown, one_at_a_time
from lookwho.services.standing import same_face, ways_of

Verdict = Answer.Verdict
State = Audit.State

# One question of so many is one of the audit.
EVERY = 25
# What somebody skipped is offered to them again after so long; to others at once.
SKIPPED_FOR = timedelta(hours=1)
# Ids tried at once when a face is drawn, and how often, before all are counted instead.
_TRIED, _TRIES = 64, 8


def due(
    user: User, *, waiting: int = 0, now: bool = False, but: Collection[int] = ()
) -> Audit | None:
    """Return the face that this user is to be asked next, if it is time for one of the audit.

    It is time when the last 24 questions were others. One that was drawn before and that nobody
    has answered comes first, unless somebody else is looking at it.

    Args:
        user: who would be asked.
        waiting: questions that they have been handed and not answered yet.
        now: whether or not it is time, as somebody asks for it.
        but: ids of faces that they have been handed.
    """
    if not _may(user) or not (now or _is_time(user, waiting)):
        return None
    moment = timezone.now()
    passed = Answer.objects.filter(
        user=user, face=OuterRef("face"), question=Answer.Question.AUDIT, verdict=Verdict.SKIP
    ).filter(created_at__gt=moment - SKIPPED_FOR)
    taken = Claim.objects.filter(face=OuterRef("face"), until__gt=moment).exclude(user=user)
    open_ones = unanswered().filter(~Exists(passed), ~Exists(taken), face__media__present=True)
    open_ones = open_ones.exclude(face__in=but)
    return open_ones.order_by("pk").first() or draw()


def unanswered() -> QuerySet[Audit]:
    """Return the faces that were drawn, are there, and that nobody has told of."""
    return Audit.objects.filter(
        state=State.DRAWN, face__dismissed=False, face__isnull=False
    ).select_related("face__media")


def draw(*, generator: Random | None = None) -> Audit | None:
    """Draw one of all faces that have a vector, each as likely as any other.

    Returns:
        None where all were drawn already.
    """
    generator = generator or SystemRandom()
    while (face := _drawn(generator)) is not None:
        keys = fits.events([face.media_id])[face.media_id]
        try:
            with transaction.atomic():
                return Audit.objects.create(
                    face_id=face.pk,
                    **face.place(),
                    event=min(keys),  # an album comes before a day
                )
        except IntegrityError:
            continue  # somebody drew the same one just now
    return None


def answer(
    by: User,
    audit: Audit,
    verdict: str,
    name: str | None = None,
    *,
    seconds: float | None = None,
) -> Done:
    """Write down whose face it is: the answer, the decision that follows, and the audit's row.

    A name is a decision like any other, which the batch takes back. `take_back` frees the face
    again; what is skipped stays drawn, and is asked of others.

    Args:
        by: who answers.
        audit: the face that was shown, without a guess.
        verdict: a `Answer.Verdict`: NAME, STRANGER, NOT_A_FACE, CANNOT_TELL or SKIP.
        name: with NAME.
        seconds: from question to answer.

    Raises:
        Forbidden: this user may not.
        Invalid: no such answer, or a name that cannot be.
        Conflict: somebody else has answered it, or the face is gone.
    """
    if not _may(by):
        raise Forbidden("naming and correcting people is for owners, curators and annotators")
    if verdict not in {*_STATES}:
        raise Invalid(f"{verdict!r} is no answer to this question")
    with one_at_a_time():
        row = Audit.objects.select_related("face").filter(pk=audit.pk).first()
        if row is None or row.face is None or row.face.dismissed:
            raise Conflict("this face is gone: somebody has removed it, or said it is none")
        if row.state != State.DRAWN:
            raise Conflict("somebody else has just answered this")
        done = _say(by, row.face, verdict, name)
        row.state = _STATES[Verdict(verdict)]
        if row.state != State.DRAWN:
            row.answered_by, row.answered_at, row.batch = by, timezone.now(), done.batch
            row.person_id = Face.objects.values_list("person_id", flat=True).get(pk=row.face.pk)
            if verdict != Verdict.NAME:
                row.person_id = None
            row.save(update_fields=["state", "person", "answered_by", "answered_at", "batch"])
        Answer.objects.create(
            user=by,
            question=Answer.Question.AUDIT,
            verdict=verdict,
            face=row.face,
            batch=done.batch if row.state != State.DRAWN else None,
            settled=int(verdict in (Verdict.NAME, Verdict.NOT_A_FACE)),
            seconds=seconds,
        )
    return done


def take_back(batch: UUID) -> bool:
    """Free the face of an answer that is taken back, to be asked again.

    Returns whether there is one. What was decided in that batch is taken back by
    `services.people.undo`.
    """
    freed = Audit.objects.filter(batch=batch).update(
        state=State.DRAWN, person=None, answered_by=None, answered_at=None, batch=None
    )
    return freed > 0


def attach(media: Iterable[int]) -> None:
    """Let the audit of faces that an analysis replaced find those that it found instead."""
    ids = list(media)
    payloads = Face.objects.filter(media__in=ids).values("media__payload_hash")
    lost = list(Audit.objects.filter(face=None, payload_hash__in=payloads).order_by("pk"))
    if not lost:
        return
    free: dict[bytes, list[Shown]] = {}
    for face in decisions.shown(Face.objects.filter(media__in=ids, audit=None).order_by("pk")):
        free.setdefault(face.payload_hash, []).append(face)
    ways = ways_of(face for some in free.values() for face in some)
    for each in lost:
        theirs = free.get(bytes(each.payload_hash), [])
        if face := same_face(each, theirs, ways):
            theirs.remove(face)  # of two audits of one face the other stays lost
            each.face_id = face.pk
            each.save(update_fields=["face"])


# --- what they are made of ---

_STATES = {
    Verdict.NAME: State.NAMED,
    Verdict.STRANGER: State.STRANGER,
    Verdict.NOT_A_FACE: State.UNKNOWN,
    Verdict.CANNOT_TELL: State.UNKNOWN,
    Verdict.SKIP: State.DRAWN,
}


def _may(user: User) -> bool:
    return user.is_active and (user.sees_everything or user.role == Role.ANNOTATOR)


def _is_time(user: User, waiting: int) -> bool:
    others = max(0, EVERY - 1 - waiting)
    last = Answer.objects.filter(user=user).order_by("-pk").values_list("question", flat=True)
    asked = list(last[:others])
    return len(asked) == others and Answer.Question.AUDIT not in asked


def _say(by: User, face: Face, verdict: str, name: str | None) -> Done:
    if verdict == Verdict.NAME:
        return faces.assign(by, [face], name or "")
    if verdict == Verdict.NOT_A_FACE:
        return faces.not_a_face(by, [face])
    told = {
        Verdict.STRANGER: "This is nobody who has a name here.",
        Verdict.CANNOT_TELL: "Nobody can tell: it is not counted.",
        Verdict.SKIP: "It is asked again later.",
    }
    return Done(uuid4(), told[Verdict(verdict)])


def _drawn(generator: Random) -> Shown | None:
    """Return a face that can be drawn, each as likely as any other."""
    theirs = Embedding.objects.filter(face=OuterRef("pk"), pack=analysis.current_pack())
    can_be = Face.objects.filter(
        Exists(theirs), ~Q(source=Face.Source.ABSENT), audit=None, dismissed=False
    ).filter(media__present=True)
    ends = Face.objects.aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return None
    # Ids until one is a face that can be: the number of faces is never counted, no row is read.
    for _ in range(_TRIES):
        ids = [generator.randint(ends["first"], ends["last"]) for _ in range(_TRIED)]
        found = {face.pk: face for face in decisions.shown(can_be.filter(pk__in=ids))}
        if hit := next((found[pk] for pk in ids if pk in found), None):
            return hit
    count = can_be.count()
    if not count:
        return None
    place = generator.randrange(count)
    some = decisions.shown(can_be.order_by("pk")[place : place + 1])
    return some[0] if some else None
