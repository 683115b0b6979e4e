"""Quality: how far guesses can be trusted, what was learned, and the threshold."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema, Status

from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.core.errors import NotFound
from lookwho.core.reliability import Cost, Difference, Share
from lookwho.library.models import User
from lookwho.library.queries import quality as queries
from lookwho.library.queries.quality import Named, Quality, Round
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import analysis, learning

router = Router(tags=["quality"], auth=gate(lambda user: user.sees_everything))


class ShareOut(Schema):
    """A share from 0 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float


class CostOut(Schema):
    """Of the audit's faces, what a threshold costs."""

    threshold: float
    right: int
    wrong: int
    missed: int
    precision: ShareOut
    missed_share: ShareOut


class BinOut(Schema):
    """Faces of about the same probability: what was said, and the share that was right."""

    faces: int
    said: float
    right: float


class GainOut(Schema):
    """By how much losses became smaller, with its 95 % interval; from -1 to 1."""

    mean: float
    low: float
    high: float


class FitEvent(Schema):
    """That a fit came into use ("learned", "put back") or went out of it ("put away")."""

    what: str
    at: datetime
    by: str


class FitOut(Schema):
    """What was learned in one round, and how it was judged."""

    id: int
    round: int
    made_at: datetime
    active: bool
    verdict: str
    gain: GainOut | None
    cost: CostOut | None
    better: GainOut | None
    events: list[FitEvent]


class PassOut(Schema):
    """One grouping of all faces."""

    finished_at: datetime
    faces: int
    fresh: int
    moved: int
    churn: float
    seconds: float
    whole: bool


class PersonFigures(Schema):
    """How somebody fares in the audit."""

    uuid: UUID
    name: str
    faces: int
    right: int
    wrong: int
    missed: int
    taken: int


class QualityOut(Schema):
    """How far guesses can be trusted; `enough` is false while the audit has too few answers."""

    enough: bool
    answers: int
    needed: int
    waiting: int
    untold: int
    threshold: float
    measuring: bool
    measured_at: datetime | None
    faces: int
    known: int
    cost: CostOut | None
    costs: list[CostOut]
    bins: list[BinOut]
    calibration_error: float
    people: list[PersonFigures]
    passes: list[PassOut]


class ThresholdIn(Schema):
    """From which probability on a face gets a name by itself."""

    threshold: float


class ThresholdOut(Schema):
    """The threshold, and the one before it, with which a change is taken back."""

    threshold: float
    before: float | None
    message: str = ""


class Told(Schema):
    """What was done."""

    message: str


@router.get("/quality", response=QualityOut)
def quality(request: HttpRequest, skip: int = 0) -> QualityOut:
    """Say how good Lookwho is here; people in pages of 25, those with the most errors first."""
    _, scope = _curator(request)
    found = queries.quality(scope, analysis.current_pack())
    return _told(found, queries.people(found, skip=max(0, skip)))


@router.get("/quality/fits", response=list[FitOut])
def fits(request: HttpRequest) -> list[FitOut]:
    """List what was learned, the first round first, each judged on the faces of today."""
    _, scope = _curator(request)
    return [_fit(each) for each in queries.quality(scope, analysis.current_pack()).rounds]


@router.post("/quality/measure", response={202: Told})
def measure(request: HttpRequest) -> Status[Told]:
    """Let the figures be worked out anew."""
    _curator(request)
    learning.ask()
    return Status(202, Told(message="The figures are worked out anew."))


@router.post("/quality/fits/{pk}/use", response=Told)
def use(request: HttpRequest, pk: int) -> Told:
    """Put an older fit into use again; 0 for what is shipped."""
    user, scope = _curator(request)
    fit = queries.fit(scope, pk) if pk else None
    return Told(message=learning.roll_back(user, fit))


@router.put("/quality/threshold", response=ThresholdOut)
def set_threshold(request: HttpRequest, asked: ThresholdIn) -> ThresholdOut:
    """Choose from which probability on a face gets a name by itself."""
    user, scope = _curator(request)
    told = learning.set_threshold(user, asked.threshold)
    found = queries.quality(scope, analysis.current_pack())
    return ThresholdOut(threshold=found.threshold, before=found.threshold_before, message=told)


def _curator(request: HttpRequest) -> tuple[User, Scope]:
    """Return who asks, and what they see.

    Raises:
        NotFound: they do not see everything: to them there is no such thing.
    """
    user = user_of(request)
    if not user.sees_everything:
        raise NotFound("there is no such page, or it is not for you to see")
    return user, scope_of(user, Purpose.NAME)


def _told(found: Quality, people: list[Named]) -> QualityOut:
    figures = found.figures
    return QualityOut(
        enough=found.enough,
        answers=found.answers,
        needed=found.needed,
        waiting=found.waiting,
        untold=found.untold,
        threshold=found.threshold,
        measuring=found.measuring,
        measured_at=found.measured_at,
        faces=figures.faces if figures else 0,
        known=figures.known if figures else 0,
        cost=_cost(found.cost) if found.cost else None,
        costs=[_cost(each) for each in figures.costs] if figures else [],
        bins=[BinOut(faces=n, said=said, right=right) for n, said, right in found.bins],
        calibration_error=found.calibration_error,
        people=[_person(each) for each in people],
        passes=[
            PassOut(
                finished_at=each.finished_at,
                faces=each.faces,
                fresh=each.fresh,
                moved=each.moved,
                churn=each.churn,
                seconds=each.seconds,
                whole=each.whole,
            )
            for each in found.passes
        ],
    )


def _person(named: Named) -> PersonFigures:
    standing = named.standing
    return PersonFigures(
        uuid=named.uuid,
        name=named.name,
        faces=standing.faces,
        right=standing.right,
        wrong=standing.wrong,
        missed=standing.missed,
        taken=standing.taken,
    )


def _fit(each: Round) -> FitOut:
    return FitOut(
        id=each.fit,
        round=each.number,
        made_at=each.made_at,
        active=each.active,
        verdict=each.verdict,
        gain=_gain(each.gain),
        cost=_cost(each.cost) if each.cost else None,
        better=_gain(each.better),
        events=[FitEvent(what=event.what, at=event.at, by=event.by) for event in each.events],
    )


def _cost(cost: Cost) -> CostOut:
    return CostOut(
        threshold=cost.threshold,
        right=cost.right,
        wrong=cost.wrong,
        missed=cost.missed,
        precision=_share(cost.precise),
        missed_share=_share(cost.lost),
    )


def _share(share: Share) -> ShareOut:
    return ShareOut(value=share.value, low=share.low, high=share.high)


def _gain(gain: Difference | None) -> GainOut | None:
    return gain and GainOut(mean=gain.mean, low=gain.low, high=gain.high)
