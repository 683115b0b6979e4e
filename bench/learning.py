"""Learning, simulated: people are named round by round, and an audit says what that has brought.

A part of the faces is drawn for the audit and never learned from. The rest is confirmed person by
person, as somebody names the largest groups first. After each round the same faces of the audit
are judged. At the end settings are learned, and others that are worse on purpose are put beside
them: those must be refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from bench import tables
from bench.people import People
from lookwho.core.identify import Settings, learn
from lookwho.core.reliability import NOBODY, Cost, Outcomes, Share, costs, difference
from lookwho.core.trial import LEAST_ANSWERS, Faces, Verdict, compare, judge
from lookwho.core.types import IntArray

# How many of the faces are drawn for the audit, and how many of the people get a name in the end.
AUDIT, NAMED = 0.35, 0.6
ROUNDS, FEW_ROUNDS = 5, 3
THRESHOLD = 0.5
# Settings that are worse on purpose: too bold, too timid, and sure of everything.
WORSE = (("too bold", 6.0, 1.0), ("too timid", -6.0, 1.0), ("overconfident", 0.0, 3.0))


def report(people: People, *, quick: bool = False, seed: int = 0) -> Iterable[str]:
    """Yield the lines of the tables, about the held-out people alone."""
    part = people.part(people.held_out)
    rounds, audit = _rounds(part, FEW_ROUNDS if quick else ROUNDS, seed)
    evidence = rounds[-1]
    yield (
        f"{len(audit)} faces of {np.unique(part.owners).size} people in the audit; no two photos "
        f"count as one event. People {people.split}; the held-out ones are used here."
    )
    yield ""
    said = [judge(each, audit, None) for each in rounds]
    said = [each.counting(said[-1].known) for each in said]
    yield from tables.markdown(
        ("Round", "Confirmed", "People", "Right", "Wrong", "Missed", "Names right", "Missed",
         "Fewer errors than before, of 100"),
        [
            (str(number), str(len(known)), str(np.unique(known.people).size), *_told(now), gain)
            for number, (known, now, gain) in enumerate(
                zip(rounds, said, _gains(said), strict=True), 1
            )
        ],
    )  # fmt: skip
    yield ""
    if len(audit) < LEAST_ANSWERS:
        yield f"Not enough yet: {len(audit)} of {LEAST_ANSWERS} faces in the audit."
        return
    yield from tables.markdown(
        (
            "Settings",
            "Right",
            "Wrong",
            "Missed",
            "Names right",
            "Missed",
            "Gain, of 100",
            "Verdict",
        ),
        _settings(evidence, audit, said[-1]),
    )


def _rounds(part: People, count: int, seed: int) -> tuple[list[Faces], Faces]:
    """Return what is known after each round, and the audit."""
    generator = np.random.default_rng(seed)
    total = len(part.owners)
    drawn = np.zeros(total, np.bool_)
    drawn[generator.permutation(total)[: round(AUDIT * total)]] = True
    owners, sizes = np.unique(part.owners[~drawn], return_counts=True)
    order = owners[np.argsort(-sizes, kind="stable")]
    named = order[: round(NAMED * len(order))]
    # From 1, since 0 is nobody.
    truth = np.where(np.isin(part.owners, named), part.owners + 1, NOBODY)
    known: list[Faces] = []
    for number in range(1, count + 1):
        # Somebody who was named early has more and more faces confirmed.
        some = named[: round(len(named) * number / count)]
        faces = np.flatnonzero(~drawn & np.isin(part.owners, some))
        known.append(_faces(part, truth, faces[: round(len(faces) * (number + 1) / (count + 1))]))
    return known, _faces(part, truth, np.flatnonzero(drawn))


def _faces(part: People, truth: IntArray, places: IntArray) -> Faces:
    events = [frozenset([f"photo {place}"]) for place in places.tolist()]
    return Faces(part.embeddings[places], part.quality[places], truth[places], events)


def _settings(evidence: Faces, audit: Faces, now: Outcomes) -> list[tuple[str, ...]]:
    shipped = Settings.default()
    learned = learn(evidence.embeddings, evidence.people, quality=evidence.quality)
    rows = [("as shipped", *_told(now), "", "in use")]
    tried = [("learned here", learned)]
    tried += [
        (name, replace(shipped, shift=shipped.shift * scale + shift, scale=shipped.scale * scale))
        for name, shift, scale in WORSE
    ]
    for name, settings in tried:
        found = judge(evidence, audit, settings)
        against = compare(now, found, THRESHOLD)
        verdict = "comes into use" if against.verdict == Verdict.USED else "refused"
        rows.append((name, *_told(found), _of_100(against.gain), verdict))
    return rows


def _gains(said: Sequence[Outcomes]) -> list[str]:
    losses = [each.losses(THRESHOLD) for each in said]
    gains = [
        _of_100(difference(before, after, said[0].events)) for before, after in pairwise(losses)
    ]
    return ["", *gains]


def _told(said: Outcomes) -> tuple[str, ...]:
    cost: Cost = costs(said, (THRESHOLD,))[0]
    return (
        str(cost.right),
        str(cost.wrong),
        str(cost.missed),
        _share(cost.precise),
        _share(cost.lost),
    )


def _share(share: Share) -> str:
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _of_100(gain: tuple[float, float, float]) -> str:
    mean, low, high = (100 * each for each in gain)
    return f"{mean:.1f} ({low:.1f} to {high:.1f})"
