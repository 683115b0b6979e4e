"""Quality: how far the guesses can be trusted, and what each round of decisions has brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from lookwho.core.errors import NotFound
from lookwho.core.reliability import Bin, Cost, Difference, Figures, Standing, calibration_error
from lookwho.core.trial import LEAST_ANSWERS
from lookwho.library.models import Audit, Fit, Job, Pack, Person, Setting
from lookwho.library.queries import fits, passes
from lookwho.library.queries.passes import Pass
from lookwho.library.scope import Scope

# So many people at a time, the worst first.
PEOPLE = 25
PASSES = 10


@dataclass(frozen=True, slots=True)
class Event:
    """That a fit came into use, or went out of it.

    Attributes:
        what: "learned", "put back" or "put away".
        at: when.
        by: the name of who did it; blank where Lookwho did.
    """

    what: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Round:
    """What was known and in use once a fit had been made, judged on the audit of today.

    Attributes:
        number: from 1.
        fit: the id of its row.
        made_at: when.
        active: whether the fit is in use.
        verdict: "used", "refused" or "too_few"; what became of it when it was made.
        gain: by how much its losses were smaller than those of what was in use, when it was made.
        cost: of what was known then, on the audit of today; None if it was not judged.
        better: by how much the losses became smaller since the round before, on the same faces.
        events: when it came into use, and went out of it.
    """

    number: int
    fit: int
    made_at: datetime
    active: bool
    verdict: str
    gain: Difference | None
    cost: Cost | None
    better: Difference | None
    events: list[Event]


@dataclass(frozen=True, slots=True)
class Named:
    """How somebody fares."""

    uuid: UUID
    name: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Quality:
    """All that the page tells.

    Attributes:
        answers: of the audit, so far.
        needed: so many it takes before anything can be said.
        waiting: faces that were drawn and that nobody has answered.
        untold: faces of which nobody could tell whose they are.
        threshold: in use.
        threshold_before: that was in use before it was changed last; None if it never was.
        measuring: whether figures are being worked out.
        figures: of the last time; None where there are none.
        measured_at: when that was.
        rounds: the first one first.
        passes: what the last groupings did, the newest first.
        evidence: faces and people that others were recognised by.
        undecided: decisions since the last round.
    """

    answers: int
    needed: int
    waiting: int
    untold: int
    threshold: float
    threshold_before: float | None
    measuring: bool
    figures: Figures | None = None
    measured_at: datetime | None = None
    rounds: list[Round] = field(default_factory=list[Round])
    passes: list[Pass] = field(default_factory=list[Pass])
    evidence: tuple[int, int] = (0, 0)
    undecided: int = 0

    @property
    def enough(self) -> bool:
        """Whether there are answers enough to say how good it is."""
        return self.figures is not None and self.figures.faces >= self.needed

    @property
    def missing(self) -> int:
        """How many answers are still needed."""
        return max(0, self.needed - self.answers)

    @property
    def cost(self) -> Cost | None:
        """What the threshold in use costs."""
        return self.figures and self.figures.at(self.threshold)

    @property
    def bins(self) -> list[Bin]:
        """What was said and what was true, the least probable first."""
        return self.figures.bins if self.figures else []

    @property
    def calibration_error(self) -> float:
        """How far off a probability is, on the average."""
        return calibration_error(self.bins)


def quality(scope: Scope, pack: Pack) -> Quality:
    """Return how far guesses can be trusted.

    Raises:
        NotFound: the asker may not be told.
    """
    _check(scope)
    rows = list(Fit.objects.filter(pack=pack).order_by("pk"))
    told: dict[str, Any] = rows[-1].figures if rows else {}
    asked = Job.objects.filter(kind=Job.Kind.LEARN, state__in=(Job.State.WAITING, Job.State.LEASED))
    setting = Setting.objects.filter(name=fits.THRESHOLD).first()
    drawn = Audit.objects.filter(face__dismissed=False, state=Audit.State.DRAWN)
    threshold = fits.threshold()
    return Quality(
        answers=fits.answers(),
        needed=LEAST_ANSWERS,
        waiting=drawn.count(),
        untold=Audit.objects.filter(state=Audit.State.UNKNOWN).count(),
        threshold=threshold,
        threshold_before=setting and setting.value["before"],
        measuring=asked.exists(),
        figures=Figures.from_json(told["now"]) if "now" in told else None,
        measured_at=_time(told.get("measured_at")),
        rounds=_rounds(rows, told),
        passes=passes.recent(PASSES),
        evidence=tuple(told.get("evidence", (0, 0))),
        undecided=fits.decisions_since(rows[-1] if rows else None),
    )


def people(found: Quality, *, skip: int = 0, take: int = PEOPLE) -> list[Named]:
    """Return how each person fares, the worst first; nobody who has no name any more."""
    standings = found.figures.people if found.figures else {}
    ordered = sorted(standings.items(), key=lambda row: (_trouble(row[1]), row[0]))
    rows = Person.objects.filter(pk__in=standings).exclude(name="").filter(root=None, hidden=False)
    named = {pk: (uuid, name) for pk, uuid, name in rows.values_list("pk", "uuid", "name")}
    there = [Named(*named[who], standing) for who, standing in ordered if who in named]
    return there[skip : skip + take]


def fit(scope: Scope, pk: int) -> Fit:
    """Return a fit.

    Raises:
        NotFound: there is none, or the asker may not be told.
    """
    _check(scope)
    found = Fit.objects.filter(pk=pk).first()
    if found is None:
        raise NotFound("there is no such fit")
    return found


def _check(scope: Scope) -> None:
    if not scope.names:
        raise NotFound("there is no such page, or it is not for you to see")


def _rounds(rows: list[Fit], told: Mapping[str, Any]) -> list[Round]:
    judged = {each["fit"]: each for each in told.get("rounds", ())}
    return [
        Round(
            number=number,
            fit=row.pk,
            made_at=row.created_at,
            active=row.active,
            verdict=row.figures.get("verdict", ""),
            gain=_difference(row.figures.get("gain")),
            cost=Cost.of(judged[row.pk]["cost"]) if row.pk in judged else None,
            better=_difference(judged.get(row.pk, {}).get("gain")),
            events=[
                Event(each["what"], datetime.fromisoformat(each["at"]), each["by"])
                for each in row.figures.get("history", ())
            ],
        )
        for number, row in enumerate(rows, 1)
    ]


def _trouble(standing: Standing) -> tuple[int, int, int]:
    return (-(standing.wrong + standing.taken + standing.missed), -standing.taken, -standing.faces)


def _difference(told: list[float] | None) -> Difference | None:
    return Difference(*told) if told else None


def _time(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None
