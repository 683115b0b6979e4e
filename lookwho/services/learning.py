"""Learning: a library's own settings of the identifier, and the proof that they are no worse.

When enough was decided, settings are learned from the confirmed faces. What they would say of the
audit's faces is compared with what those in use say of them. They come into use only where that
shows no loss; a fit that shows one is kept with its figures, and an older one can be put back. A
fit holds a few numbers, and no vector of anybody.

What "no loss" means is said by `core.trial.compare`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Max
from django.utils import timezone

from lookwho.core import identify
from lookwho.core.errors import Conflict, Forbidden, Invalid
from lookwho.core.identify import Settings
from lookwho.core.reliability import Figures, Outcomes, costs, difference
from lookwho.core.trial import LEAST_ANSWERS, Faces, Verdict, clusters, compare
from lookwho.core.types import FloatArray
from lookwho.library.models import Audit, Decision, Fit, Job, Pack, Setting, User
from lookwho.library.queries import fits
from lookwho.services import analysis, rounds, work
from lookwho.services.decisions import one_at_a_time
from lookwho.services.grouping import ask_for_a_pass
from lookwho.services.rounds import Audited

KEY = "learn"
# So many decisions make a new fit worth trying.
LEAST_DECISIONS = 50
# So many rounds are judged anew each time: the first, and the last ones.
ROUNDS = 6

Beat = Callable[[int], object]


# --- when ---


def ask_if_due() -> None:
    """Let a fit be made where enough was decided since the last one."""
    last = fits.newest_fit(analysis.current_pack().pk)
    few = last is not None and last.figures.get("verdict") == Verdict.TOO_FEW
    if fits.decisions_since(last) >= LEAST_DECISIONS or (few and fits.answers() >= LEAST_ANSWERS):
        ask()


def ask() -> None:
    """Let the audit be judged anew, and a fit be made where enough was decided."""
    work.enqueue(Job.Kind.LEARN, {}, dedupe_key=KEY)


def run_learn(job: Job, *, beat: Beat) -> None:
    """Learn, compare, and write down what came of it.

    Args:
        job: its row; nothing in it matters.
        beat: called now and then; raises Cancelled to stop, which leaves nothing behind.
    """
    pack = analysis.current_pack()
    until = Decision.objects.aggregate(last=Max("pk"))["last"] or 0  # what follows is new
    trial = _Trial.of(pack, lambda: beat(0))
    last = fits.newest_fit(pack.pk)
    fit: Fit | None = None
    if last is None or fits.decisions_since(last) >= LEAST_DECISIONS:
        fit = Fit(pack=pack, learned_until=until, state=_kept(trial.learn()))
    elif last.figures.get("verdict") == Verdict.TOO_FEW:
        fit = last  # perhaps there are enough answers by now
    row = fit or last
    assert row is not None  # without a last one there is a new one
    judged = trial.judge(fits.settings_of(fit)) if fit else trial.now
    compared = compare(trial.now, judged, trial.threshold)
    used = fit is not None and compared.verdict == Verdict.USED
    figures = trial.figures(judged if used else trial.now, row)
    if fit is not None:
        figures["verdict"] = compared.verdict.value
        figures["gain"] = [round(each, 4) for each in compared.gain]
        figures["sharper"] = [round(each, 4) for each in compared.sharper]
    with one_at_a_time():
        if fits.active_fit(pack.pk) != trial.active:
            ask()  # what this was compared with is in use no more
            return
        if row.pk is not None:
            row = Fit.objects.get(pk=row.pk)  # somebody may have put it back and away meanwhile
        row.figures = {**row.figures, **figures}
        if used:
            _activate(row, trial.active, "learned", None)
        row.save()  # so that it has an id
        in_use = row if row.active else trial.active
        row.figures["used"] = in_use and in_use.pk
        row.figures["rounds"][-1]["fit"] = row.pk
        row.save(update_fields=["figures"])
        Audit.objects.filter(pk__in=trial.outdated).update(
            state=Audit.State.DRAWN, person=None, answered_by=None, answered_at=None, batch=None
        )
        if used:
            ask_for_a_pass()


# --- what owners and curators choose ---


def roll_back(by: User, fit: Fit | None) -> str:
    """Put an older fit into use again, or, with None, what is shipped; return what people are told.

    Raises:
        Forbidden: this user may not.
        Conflict: it is in use.
    """
    _check(by)
    pack = fit.pack if fit else analysis.current_pack()
    with one_at_a_time():
        active = fits.active_fit(pack.pk)
        if active == fit:
            raise Conflict("this is in use already")
        if fit is not None:
            _activate(Fit.objects.get(pk=fit.pk), active, "put back", by)
        elif active is not None:
            active.active = False
            _remember(active, "put away", by)
            active.save()
        ask_for_a_pass()
        ask()
    return "What Lookwho learned then is in use again." if fit else "What is shipped is in use."


def set_threshold(by: User, probability: float) -> str:
    """Choose from which probability on a face gets a name by itself; return what people are told.

    Raises:
        Forbidden: this user may not.
        Invalid: no such threshold can be.
    """
    _check(by)
    least, most = fits.LEAST_THRESHOLD, fits.MOST_THRESHOLD
    if not least <= probability <= most:  # also refuses what is no number
        raise Invalid(f"the threshold is from {least:.0%} to {most:.0%}")
    with one_at_a_time():
        before = fits.threshold()
        if before != probability:
            Setting.objects.update_or_create(
                name=fits.THRESHOLD,
                defaults={
                    "value": {"probability": probability, "before": before},
                    "changed_by": by,
                },
            )
            ask_for_a_pass()
            ask()
    return f"From {probability:.0%} on a face gets a name by itself."


# --- what they are made of ---


@dataclass(slots=True)
class _Trial:
    """The audit of today, and what the settings in use say of it.

    Attributes:
        pack: whose vectors.
        active: the fit in use, or None.
        audit: the faces of the audit, without those that are to be asked about again.
        evidence: what people are recognised by today.
        near: faces at random.
        threshold: of today.
        beat: to be called now and then.
        now: what is said of the audit.
        outdated: rows of the audit that are to be asked about again.
    """

    pack: Pack
    active: Fit | None
    audit: Audited
    evidence: Faces
    near: FloatArray
    threshold: float
    beat: Callable[[], object]
    now: Outcomes
    outdated: list[int]

    @classmethod
    def of(cls, pack: Pack, beat: Callable[[], object]) -> _Trial:
        active = fits.active_fit(pack.pk)
        audit, evidence, near = rounds.audited(pack), rounds.known(pack), rounds.around(pack)
        settings = fits.settings_of(active) if active else None
        now = rounds.judge(evidence, audit.faces, settings, near, beat)
        again = rounds.outdated(audit, now, fits.LEAST_THRESHOLD)
        return cls(
            pack,
            active,
            audit.only(~again),
            evidence,
            near,
            fits.threshold(),
            beat,
            now.only(~again),
            audit.rows[again].tolist(),
        )

    def learn(self) -> Settings:
        """Return settings learned from the evidence; those in use where it is too little."""
        base = fits.settings_of(self.active) if self.active else None
        if not len(self.evidence):
            return base or Settings.default()
        return identify.learn(
            self.evidence.embeddings,
            self.evidence.people,
            events=clusters(self.evidence.events),
            quality=self.evidence.quality,
            base=base,
        )

    def judge(self, settings: Settings | None, evidence: Faces | None = None) -> Outcomes:
        """Return what these settings say of the audit, with what is known today or was once."""
        known = self.evidence if evidence is None else evidence
        return rounds.judge(known, self.audit.faces, settings, self.near, self.beat)

    def figures(self, now: Outcomes, row: Fit) -> dict[str, Any]:
        """Return what is kept: of today, and of the rounds before this one, on the same faces."""
        told: list[dict[str, Any]] = []
        earlier = [fit for fit in Fit.objects.filter(pack=self.pack).order_by("pk") if fit != row]
        before: Outcomes | None = None
        for fit in earlier[:1] + earlier[1:][-ROUNDS:]:
            then = self.judge(_settings_after(fit), rounds.known_at(self.pack, fit.learned_until))
            # The same faces count for all: those of people who can be known today.
            then = then.counting(now.known)
            told.append(self._round(fit, before, then))
            before = then
        told.append(self._round(row, before, now))
        return {
            "answers": len(now.truth),
            "measured_at": timezone.now().isoformat(),
            "threshold": self.threshold,
            "evidence": [len(self.evidence), len(np.unique(self.evidence.people))],
            "now": Figures.of(now, fits.THRESHOLDS, self.threshold).to_json(),
            "rounds": told,
        }

    def _round(self, fit: Fit, before: Outcomes | None, after: Outcomes) -> dict[str, Any]:
        gain = None
        if before is not None:
            then, now = before.losses(self.threshold), after.losses(self.threshold)
            gain = [round(each, 4) for each in difference(then, now, after.events)]
        [cost] = costs(after, (self.threshold,))
        return {"fit": fit.pk, "gain": gain, "cost": cost.to_json()}


def _activate(fit: Fit, before: Fit | None, what: str, by: User | None) -> None:
    if before is not None:
        Fit.objects.filter(pk=before.pk).update(active=False)  # first: one is active at a time
    fit.active = True
    _remember(fit, what, by)
    fit.save()


def _remember(fit: Fit, what: str, by: User | None) -> None:
    told = {"what": what, "at": timezone.now().isoformat(), "by": by.username if by else ""}
    fit.figures = {**fit.figures, "history": [*fit.figures.get("history", ()), told]}


def _settings_after(fit: Fit) -> Settings | None:
    """Return the settings that were in use once this fit had been judged."""
    used = fit.figures.get("used", fit.pk)
    row = fit if used == fit.pk else Fit.objects.filter(pk=used).first()
    return None if row is None else fits.settings_of(row)


def _kept(settings: Settings) -> bytes:
    return json.dumps(settings.to_json(), sort_keys=True).encode()


def _check(by: User) -> None:
    if not by.sees_everything:
        raise Forbidden("what Lookwho has learned is for owners and curators to steer")
