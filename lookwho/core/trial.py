"""A trial: what an identifier would say of faces that it learned nothing from.

Each face is recognised by the confirmed faces of other events alone: not by those of the same day
or party, where clothes and light are the same and a burst holds one face ten times. So the figures
are about the next event, and rather too small than too large for those that were named in part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lookwho.core.identify import Identifier, Settings
from lookwho.core.reliability import NOBODY, Difference, Outcomes, difference
from lookwho.core.types import FloatArray, IntArray

Keys = Sequence[frozenset[str]]

# So many identifiers are fitted at most; each leaves out the events of its part of the audit. One
# for each event would leave out nothing else, and take hours in a large library.
FOLDS = 10
# With fewer answers nothing is compared: at 200 an interval is some points wide already.
LEAST_ANSWERS = 200
# What may be lost without being seen, of all faces of the audit: half a point.
MARGIN = 0.005


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces and whose they are.

    Attributes:
        embeddings: (n, d) float32 of unit length.
        quality: (n,) float32.
        people: (n,) int64, or NOBODY.
        events: for each what its photo belongs to; two that share a key share an event.
    """

    embeddings: FloatArray
    quality: FloatArray
    people: IntArray
    events: Keys

    def __len__(self) -> int:
        return len(self.people)

    def only(self, places: IntArray) -> Faces:
        """Return some of them."""
        return Faces(
            self.embeddings[places],
            self.quality[places],
            self.people[places],
            [self.events[place] for place in places.tolist()],
        )


def judge(
    evidence: Faces,
    audit: Faces,
    settings: Settings | None,
    *,
    around: FloatArray | None = None,
    beat: Callable[[], object] = lambda: None,
) -> Outcomes:
    """Return what is said of the audit's faces by what is known of other events.

    Args:
        evidence: confirmed faces, none of them in the audit.
        audit: faces whose truth is known.
        settings: of the identifier; None for what is shipped.
        around: (m, d) faces of the same library, drawn at random: how common each person is, is
            estimated from those as well as from the audit.
        beat: called now and then.
    """
    count = len(audit)
    people = np.full(count, NOBODY, np.int64)
    probabilities = np.zeros(count)
    known = np.zeros(count, np.bool_)
    asked = audit.embeddings if around is None else np.concatenate([audit.embeddings, around])
    share = _share(evidence, asked, settings) if len(evidence) and count else None
    for places, others in _folds(evidence, audit.events):
        beat()
        seen = evidence.only(others)
        if not len(seen):
            continue
        said = _fit(seen, settings).predict(audit.embeddings[places], share=share)
        people[places] = said.people
        probabilities[places] = said.probabilities
        known[places] = np.isin(audit.people[places], seen.people)
    known &= audit.people != NOBODY
    return Outcomes(people, probabilities, audit.people, known, clusters(audit.events))


class Verdict(StrEnum):
    """What became of a fit."""

    USED = "used"  # no loss is shown: it came into use
    REFUSED = "refused"
    TOO_FEW = "too_few"  # answers, so that nothing could be shown


@dataclass(frozen=True, slots=True)
class Comparison:
    """A fit beside the settings in use, on the same faces.

    Attributes:
        verdict: whether it comes into use.
        gain: by how much the losses became smaller.
        sharper: by how much the logarithmic loss of the probabilities did.
    """

    verdict: Verdict
    gain: Difference
    sharper: Difference


def compare(before: Outcomes, after: Outcomes, threshold: float) -> Comparison:
    """Return whether new settings show no loss beside those in use.

    Each face with a wrong name, or without the name that it should have, is a loss of 1. The mean
    must not grow, and the 95 % interval of what was gained, by a paired bootstrap over events,
    must not begin below minus `MARGIN`: so settings that lose more than that are taken in at most
    one of 40 cases. Nor may the logarithmic loss be shown to be worse, or probabilities that are
    not true would come into use where names stay the same.

    Args:
        before: what those in use say of the audit's faces.
        after: what the new ones say of the same faces.
        threshold: from which probability on a name is given.
    """
    events = before.events
    gain = difference(before.losses(threshold), after.losses(threshold), events)
    sharper = difference(before.surprise(), after.surprise(), events)
    if len(before.truth) < LEAST_ANSWERS:
        verdict = Verdict.TOO_FEW
    elif gain.mean >= 0 and gain.low >= -MARGIN and sharper.high >= 0:
        verdict = Verdict.USED
    else:
        verdict = Verdict.REFUSED
    return Comparison(verdict, gain, sharper)


def clusters(events: Keys) -> IntArray:
    """Return (n,) from 0: the same number for faces that share a key, also by way of others."""
    first: dict[str, int] = {}
    parents = list(range(len(events)))

    def top(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for place, keys in enumerate(events):
        for key in keys:
            parents[top(place)] = top(first.setdefault(key, place))
    tops = np.array([top(place) for place in range(len(events))], np.int64)
    return np.unique(tops, return_inverse=True)[1].astype(np.int64)


def _fit(faces: Faces, settings: Settings | None) -> Identifier:
    return Identifier.fit(faces.embeddings, faces.people, quality=faces.quality, settings=settings)


def _share(evidence: Faces, asked: FloatArray, settings: Settings | None) -> float:
    """Return how many of such faces are of people who are known, as a pass would estimate it."""
    found = _fit(evidence, settings).candidates(asked)
    return float((1 + found.probabilities.sum()) / (len(asked) + 2))


def _folds(evidence: Faces, events: Keys) -> list[tuple[IntArray, IntArray]]:
    """Return places in the audit with the places in the evidence that they are recognised by."""
    where: dict[str, list[int]] = {}
    for place, keys in enumerate(evidence.events):
        for key in keys:
            where.setdefault(key, []).append(place)
    alike: dict[frozenset[int], list[int]] = {}
    for place, keys in enumerate(events):
        same = frozenset(other for key in keys for other in where.get(key, ()))
        alike.setdefault(same, []).append(place)
    # Faces whose event nobody confirmed anything of leave nothing out.
    folds = [(alike.pop(frozenset(), []), frozenset[int]())]
    for turn in range(FOLDS):
        some = list(alike.items())[turn::FOLDS]
        asked = [place for _, places in some for place in places]
        folds.append((asked, frozenset[int]().union(*(same for same, _ in some))))
    every = np.arange(len(evidence))
    return [
        (np.array(asked, np.int64), np.setdiff1d(every, np.array(sorted(without), np.int64)))
        for asked, without in folds
        if asked
    ]
