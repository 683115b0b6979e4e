"""Review through the API: questions, answers, and taking them back."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from lookwho.api.app import user_of
from lookwho.api.gate import gate, names_faces
from lookwho.api.schemas import Box, PersonBrief, Suggestion
from lookwho.core.errors import NotFound
from lookwho.library.models import Person
from lookwho.library.queries import photos
from lookwho.library.queries.people import person as person_of
from lookwho.library.queries.showing import ShownFace
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import review as services
from lookwho.services.review import Asked, Part, Slip

router = Router(tags=["review"], auth=gate(names_faces))


class AskedFace(Schema):
    """A face of a question; its crop is /faces/{uuid}/480.webp."""

    uuid: UUID
    photo: UUID
    day: date
    box: Box
    probability: float | None


class QuestionOut(Schema):
    """A question, claimed for whoever asked for it."""

    kind: str = Field(description="group, face, mixed or audit")
    uuid: UUID = Field(description="what is claimed: give it to renew and release")
    slip: str = Field(description="what was asked: give it back with the answer")
    faces: list[AskedFace] = Field(description="those to be shown")
    count: int = Field(description="how many faces it is about")
    person: PersonBrief | None = Field(description="are these them? null: who is this?")
    probability: float | None = Field(description="that the guess is right")
    beside: list[AskedFace] = Field(description="confirmed faces of that person")
    offered: list[Suggestion] = Field(description="who else it may be")


class NextIn(Schema):
    """What one wants to be asked about, and what one was asked already."""

    person: UUID | None = Field(None, description="only guesses that are this person")
    album: UUID | None = Field(None, description="only photos of this album")
    audit: bool = Field(False, description="only faces drawn at random, without a guess")
    held: list[UUID] = Field([], max_length=100, description="questions without an answer yet")


class NextOut(Schema):
    """The next question, or none."""

    question: QuestionOut | None
    others: bool = Field(description="whether something is open that others look at just now")


class AnswerIn(Schema):
    """An answer to a question."""

    slip: str = ""
    verdict: str = Field("", description="yes, no, name, not_a_face, stranger, cannot_tell or skip")
    name: str = Field("", description="with the verdict name")
    odd: list[UUID] = Field([], description="faces that were shown and do not belong")
    seconds: float | None = Field(None, description="from question to answer")


class AnswerOut(Schema):
    """What an answer did."""

    answer: UUID = Field(description="by which it is taken back")
    batch: UUID
    message: str
    settled: int = Field(description="faces that it resolved")
    corrected: bool = Field(description="whether somebody else had been confirmed until now")


class UndoIn(Schema):
    """Which of one's own answers to take back."""

    answer: UUID | None = Field(None, description="null: the last one that stands")


class UndoOut(Schema):
    """What was taken back, and the question once more."""

    message: str
    question: QuestionOut | None


class Held(Schema):
    """Questions that one was given and has not answered."""

    held: list[UUID] = Field([], max_length=100)


class Claims(Schema):
    """How many claims it was."""

    claims: int


class CountsOut(Schema):
    """How far naming is."""

    faces: int
    confirmed: int = Field(description="given to somebody with a name by humans")
    guessed: int = Field(description="guessed to be somebody with a name")
    answers: int = Field(description="of your last answers, how many these are")
    settled: int = Field(description="how many faces those resolved")
    audited: int = Field(description="answers about faces drawn at random, of all users")
    audits_needed: int = Field(description="so many it takes to say how often guesses are right")


@router.get("/review", response=CountsOut)
def counts(request: HttpRequest) -> CountsOut:
    """Return how far naming is, and what your last answers were worth."""
    _scope(request)
    told = services.counts(user_of(request))
    audited, needed = services.audited()
    return CountsOut(
        faces=told.faces,
        confirmed=told.confirmed,
        guessed=told.guessed,
        answers=told.answers,
        settled=told.settled,
        audited=audited,
        audits_needed=needed,
    )


@router.get("/review/next", response=NextOut)
def next_question(request: HttpRequest, asked: Query[NextIn]) -> NextOut:
    """Claim the best question that nobody is looking at, for two minutes, and return it.

    Tell which you hold already, so that they are not asked again.
    """
    scope, user = _scope(request), user_of(request)
    person = asked.person and person_of(scope, asked.person)
    part = Part(person=person, album=_album(scope, asked.album), audit=asked.audit)
    found = services.next_question(user, part=part, holding=asked.held)
    others = found is None and not asked.held and services.left(user, part=part)
    return NextOut(question=found and _told(found), others=others)


@router.post("/review/answers", response=AnswerOut)
def answer(request: HttpRequest, asked: AnswerIn) -> AnswerOut:
    """Answer a question. 409: somebody was faster, and nothing was changed."""
    _scope(request)
    done = services.answer(
        user_of(request),
        Slip.read(asked.slip),
        asked.verdict,
        name=asked.name,
        odd=asked.odd,
        seconds=asked.seconds,
    )
    return AnswerOut(
        answer=done.answer,
        batch=done.batch,
        message=done.message,
        settled=done.settled,
        corrected=done.corrected,
    )


@router.post("/review/undo", response=UndoOut)
def undo(request: HttpRequest, asked: UndoIn) -> UndoOut:
    """Take one of your answers back, and be asked again."""
    _scope(request)
    undone = services.undo(user_of(request), asked.answer)
    return UndoOut(message=undone.message, question=undone.asked and _told(undone.asked))


@router.post("/review/renew", response=Claims)
def renew(request: HttpRequest, asked: Held) -> Claims:
    """Hold questions for another two minutes."""
    _scope(request)
    return Claims(claims=services.renew(user_of(request), asked.held))


@router.post("/review/release", response=Claims)
def release(request: HttpRequest, asked: Held) -> Claims:
    """Leave questions to others at once."""
    _scope(request)
    return Claims(claims=services.release(user_of(request), asked.held))


def _scope(request: HttpRequest) -> Scope:
    """Return what the asker may name.

    Raises:
        NotFound: nothing: to them there are no questions.
    """
    scope = scope_of(user_of(request), Purpose.NAME)
    if not scope.names:
        raise NotFound("there is no such page, or it is not for you to see")
    return scope


def _album(scope: Scope, uuid: UUID | None) -> photos.Album | None:
    if uuid is None:
        return None
    found = photos.choices(scope).albums.filter(uuid=uuid).first()
    if found is None:
        raise NotFound("there is no such album, or it is not for you to see")
    return found


def _told(asked: Asked) -> QuestionOut:
    return QuestionOut(
        kind=asked.kind,
        uuid=asked.uuid,
        slip=str(asked.slip),
        faces=[_face(each) for each in asked.faces],
        count=asked.count,
        person=asked.person and _brief(asked.person),
        probability=asked.slip.probability,
        beside=[_face(each) for each in asked.beside],
        offered=[
            Suggestion(person=_brief(each.person), probability=each.probability)
            for each in asked.offered
        ],
    )


def _brief(person: Person) -> PersonBrief:
    return PersonBrief(uuid=person.uuid, name=person.name)


def _face(face: ShownFace) -> AskedFace:
    return AskedFace(
        uuid=face.uuid, photo=face.media, day=face.day, box=face.box, probability=face.probability
    )
