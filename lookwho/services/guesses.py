"""Guesses: who Lookwho thinks each face is, worked out from arrays; nothing is read or written.

What humans confirmed and rejected is taken as it is. Everything else follows from the vectors:

- Faces are grouped, those that a human confirmed to be one person together (`core.group`).
- A face in the company of somebody confirmed, one that no group took and that resembles somebody
  enough, and a group that as a whole does: they are guessed to be that person, with a probability.
- Any other group is a person without a name, the same one as in the last pass.

The same person is never guessed twice in one photo, nor twice at the same time in one video, nor
where somebody has said that it is not them. Faces of the audit are guessed like others, but nothing
follows from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lookwho.core.group import ALONE, NEW, group
from lookwho.core.identify import Settings
from lookwho.core.looks import Looks, looks_of, nearest
from lookwho.core.match import SAME
from lookwho.core.types import DoubleArray, FloatArray, IntArray
from lookwho.services.company import NOBODY, UNNAMED, Companies, nearness, weighed

__all__ = ["NOBODY", "Evidence", "Guesses", "guess"]

LEAST_FOUNDERS = 2
# Who was guessed to be somebody remains so down to this, or a face at the threshold would come and
# go from pass to pass.
STAYS = 0.4
# A face of which this much speaks for one person is worth a question.
WORTH_ASKING = 0.05


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a guess is made from. A person's root is where their merges lead.

    Attributes:
        embeddings: (n, d) float32 of unit length.
        media: (n,) int64 ids. Two faces of one medium are two people; so each face of a video has a
            number of its own.
        quality: (n,) float32.
        confirmed: (n,) int64, the root of whom a human said that the face is, or NOBODY.
        guesses: (n,) int64, whom the last pass took it for, not their root, or NOBODY.
        roots: the root of each person who was merged.
        unnamed: ids of people without a name and without confirmed faces.
        rejected: pairs of a face's place and a root that it is not.
        taken: pairs of a medium and a root who is in it, by a face without a vector.
        audited: (n,) bool, from which nothing may follow; None where there are none.
        seen: (n,) bool, at which a pass has looked since anything was said of them; None where
            those are the faces with a guess.
        settings: of `Identifier`; None for those shipped.
        threshold: the least probability at which a face is guessed to be somebody whose company
            it is not in yet.
        whole: whether all is to be grouped anew, and not only what is new or was touched.
        apart: pairs of places of faces that are two people: seen at the same time in one video.
    """

    embeddings: FloatArray
    media: IntArray
    quality: FloatArray
    confirmed: IntArray
    guesses: IntArray
    roots: Mapping[int, int]
    unnamed: frozenset[int]
    rejected: frozenset[tuple[int, int]]
    taken: frozenset[tuple[int, int]]
    audited: NDArray[np.bool_] | None = None
    seen: NDArray[np.bool_] | None = None
    settings: Settings | None = None
    threshold: float = SAME
    whole: bool = False
    apart: frozenset[tuple[int, int]] = frozenset()

    @property
    def settled(self) -> NDArray[np.bool_]:
        """(n,), faces of which a human said who they are: nothing is said of them."""
        return self.confirmed != NOBODY

    @property
    def known(self) -> IntArray:
        """(n,) int64, who each face is as far as anything may follow from it, or NOBODY."""
        return self.confirmed if self.audited is None else self.confirmed * ~self.audited


@dataclass(frozen=True, slots=True)
class Guesses:
    """What follows from the evidence; of confirmed faces nothing is said.

    Attributes:
        people: (n,) int64 ids, or NOBODY; -1, -2, … for people who are not there yet.
        probabilities: (n,) float64 that a guess is right, or that a face belongs to its group; of a
            face without a guess that it is whom it resembles most, too little to guess so. NaN
            where it is confirmed.
        fresh: how many people are not there yet.
        churn: the share of the faces looked at before, and not confirmed, whose guess changed.
        likely: of groups without a name, by the id in `people`, the root of whom they may be as a
            whole, and how probable that is: below the threshold, or they would be guessed to be.
        doubts: the same of faces without a guess, by their place.
    """

    people: IntArray
    probabilities: DoubleArray
    fresh: int
    churn: float = 0.0
    likely: Mapping[int, tuple[int, float]] = field(default_factory=dict[int, tuple[int, float]])
    doubts: Mapping[int, tuple[int, float]] = field(default_factory=dict[int, tuple[int, float]])


def guess(evidence: Evidence) -> Guesses:
    """Return who each face is thought to be; the same evidence always gives the same guesses."""
    return _Pass(evidence).run()


def companies_of(evidence: Evidence) -> Companies:
    """Group the faces, and return the companies of everybody known, before more is added."""
    known = looks_of(evidence.embeddings, evidence.quality, evidence.known)
    return Companies(
        evidence.embeddings,
        evidence.quality,
        known,
        evidence.settled,
        _labels(evidence, known),
        evidence.rejected,
        evidence.settings,
    )


def _labels(evidence: Evidence, known: Looks) -> IntArray:
    """Return (n,) groups; confirmed faces of the audit are in none."""
    quality = evidence.quality
    if evidence.audited is not None:  # none of these founds a group, nor connects two
        quality = np.where(evidence.audited, 0, quality).astype(np.float32)
    some = np.flatnonzero((known.of >= 0) | ~evidence.settled)
    labels = np.full(len(known.of), ALONE, np.int64)
    at = {face: place for place, face in enumerate(some.tolist())} if evidence.apart else {}
    labels[some] = group(
        evidence.embeddings[some],
        photos=evidence.media[some],
        quality=quality[some],
        people=known.of[some],
        cannot=[
            (at[one], at[other])
            for one, other in sorted(evidence.apart)
            if one in at and other in at
        ],
        before=None if evidence.whole else _before(evidence, known)[some],
    )
    return labels


def _before(evidence: Evidence, known: Looks) -> IntArray:
    """Return (n,) in which company each face was: a number, `ALONE`, or `NEW`.

    First come the looks of those known, then the groups without a name.
    """
    guesses, confirmed = evidence.guesses, evidence.known
    # A group of which some faces were confirmed to be somebody is looked at anew, and so is who
    # was guessed to be somebody of whom nothing is confirmed any more.
    parted = set(guesses[(confirmed != NOBODY) & (guesses != confirmed)].tolist())
    seen = guesses != NOBODY if evidence.seen is None else evidence.seen
    ids, places = np.unique(guesses, return_inverse=True)
    roots = np.array([evidence.roots.get(person, person) for person in ids.tolist()], np.int64)
    numbers = np.full(len(ids), NEW)
    for place, person in enumerate(ids.tolist()):
        if person in evidence.unnamed and person not in parted:
            numbers[place] = len(known.roots) + place
    before = numbers[places]
    before[guesses == NOBODY] = np.where(seen, ALONE, NEW)[guesses == NOBODY]
    named = np.isin(roots, known.roots) & ~np.isin(ids, list(evidence.unnamed))
    theirs = np.flatnonzero(named[places] & (confirmed == NOBODY))
    before[theirs] = nearest(evidence.embeddings, known, theirs, roots[places[theirs]])
    before[known.of >= 0] = known.of[known.of >= 0]
    for face, root in evidence.rejected:
        if root == roots[places[face]] and confirmed[face] == NOBODY:
            before[face] = NEW
    return before


class _Pass:
    """One pass, with what it has found so far."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        count = len(evidence.media)
        self.people = np.full(count, NOBODY, np.int64)
        self.probabilities = np.full(count, np.nan)
        self.settled = evidence.settled
        # In which media each face cannot meet itself: its own, and in a video those seen with it.
        self.beside: dict[int, list[int]] = {}
        for one, other in evidence.apart:
            self.beside.setdefault(one, []).append(int(evidence.media[other]))
            self.beside.setdefault(other, []).append(int(evidence.media[one]))
        # Who is in a medium already: pairs of a medium and a root.
        self.taken = set(evidence.taken)
        for face in np.flatnonzero(self.settled).tolist():
            self.taken.update(self._places(face, int(evidence.confirmed[face])))
        self.barred = {face for face, _ in evidence.rejected}

    def run(self) -> Guesses:
        evidence = self.evidence
        company = companies_of(evidence)
        company.gather(evidence.threshold)
        faces, roots, probabilities = company.wishes(min(STAYS, evidence.threshold))
        # The surest first: of two faces of one medium the likelier one is the person.
        for at in np.lexsort((roots, faces, -probabilities)).tolist():
            face, root = int(faces[at]), int(roots[at])
            if self._take(face, root, root):
                self.probabilities[face] = probabilities[at]
        groups, labels = self._unnamed(company)
        kept, fresh = self._keep_ids(groups)
        self._say_cohesion()
        owner = company.roots.tolist()
        likely = {
            person: (owner[company.likely_groups[label][0]], company.likely_groups[label][1])
            for person, label in zip(kept, labels, strict=True)
            if label in company.likely_groups and person != NOBODY
        }
        doubts = {
            face: (owner[place], chance)
            for face, (place, chance) in company.likely_faces.items()
            if self.people[face] == NOBODY and chance >= WORTH_ASKING
        }
        self.probabilities[np.isnan(self.probabilities) & ~self.settled] = 0
        for face, (_, chance) in doubts.items():
            self.probabilities[face] = chance
        churn = self._churn()
        return Guesses(self.people, self.probabilities, fresh, churn, likely, doubts)

    def _say_cohesion(self) -> None:
        faces = np.flatnonzero((self.people != NOBODY) & np.isnan(self.probabilities))
        _, groups = np.unique(self.people[faces], return_inverse=True)
        near = nearness(self.evidence.embeddings, faces, groups)
        self.probabilities[faces] = weighed(near, UNNAMED)

    # --- groups ---

    def _unnamed(self, company: Companies) -> tuple[list[list[int]], list[int]]:
        """Return the groups that nobody took, the largest first, and their labels."""
        left = np.flatnonzero((company.labels >= 0) & (self.people == NOBODY) & ~self.settled)
        left = left[np.argsort(company.labels[left], kind="stable")]
        starts = np.flatnonzero(np.diff(company.labels[left], prepend=ALONE))
        parts = [part.tolist() for part in np.split(left, starts[1:])]
        parts = [part for part in parts if len(part) >= LEAST_FOUNDERS]
        parts.sort(key=lambda part: (-len(part), part[0]))
        return parts, [int(company.labels[part[0]]) for part in parts]

    # --- ids ---

    def _take(self, face: int, person: int, root: int) -> bool:
        """Guess that the face is the person, unless they are in the medium or were rejected."""
        place = int(self.evidence.media[face]), root
        if place in self.taken or (face, root) in self.evidence.rejected:
            return False
        self.taken.update(self._places(face, root))
        self.people[face] = person
        return True

    def _let_go(self, faces: list[int], root: int) -> None:
        self.people[faces] = NOBODY
        places = {place for face in faces for place in self._places(face, root)}
        self.taken -= places - self.evidence.taken

    def _places(self, face: int, root: int) -> list[tuple[int, int]]:
        """Return where somebody cannot be as well who is this face."""
        media = [int(self.evidence.media[face]), *self.beside.get(face, ())]
        return [(medium, root) for medium in media]

    def _keep_ids(self, groups: list[list[int]]) -> tuple[list[int], int]:
        """Give each group the person that most of its faces were, or else a new one.

        Faces that are not that person, as somebody has said, are left over and make a group of
        their own: so a group is split by rejecting those who do not belong.

        Returns:
            The person of each group, or NOBODY where it fell apart, and how many are new.
        """
        evidence = self.evidence
        first: list[int] = []
        used: set[int] = set()
        fresh, count = 0, len(groups)
        while groups:
            left: list[list[int]] = []
            kept = self._kept(groups, used)
            used.update(kept.values())
            for index, faces in enumerate(groups):
                person = kept.get(index, -fresh - 1)
                root = evidence.roots.get(person, person)
                taken = [face for face in faces if self._take(face, person, root)]
                # A single one is no group, unless somebody has said that it is somebody else.
                if len(taken) < LEAST_FOUNDERS and person == root:
                    self._let_go(taken, root)
                    person = NOBODY
                fresh = max(fresh, -person)
                if len(first) < count:
                    first.append(person)
                if not self.barred.isdisjoint(faces):
                    others = [face for face in faces if (face, root) in evidence.rejected]
                    if len(others) >= LEAST_FOUNDERS:
                        left.append(others)
            groups = left
        return first, fresh

    def _kept(self, groups: list[list[int]], used: set[int]) -> dict[int, int]:
        """Return the person whom each group keeps, by its place; a person is kept once."""
        evidence = self.evidence
        overlaps: list[tuple[bool, int, int, int]] = []
        for index, faces in enumerate(groups):
            were, counts = np.unique(evidence.guesses[faces], return_counts=True)
            split = not self.barred.isdisjoint(faces)
            for person, count in zip(were.tolist(), counts.tolist(), strict=True):
                if person in evidence.unnamed and person not in used:
                    root = evidence.roots.get(person, person)
                    # Where a group was split by hand the part that remained comes first, or the
                    # larger part that left would swallow it.
                    whole = not (split and any((face, root) in evidence.rejected for face in faces))
                    overlaps.append((whole, -count, person, index))
        kept: dict[int, int] = {}
        people: set[int] = set()
        for _, _, person, index in sorted(overlaps):
            if index not in kept and person not in people:
                kept[index] = person
                people.add(person)
        return kept

    def _churn(self) -> float:
        """Return the share of faces with another guess than before, of those looked at before."""
        were = self.evidence.guesses
        seen = were != NOBODY if self.evidence.seen is None else self.evidence.seen
        there = seen & ~self.settled
        return float((self.people != were)[there].mean()) if there.any() else 0.0
