"""Guesses: who Lookwho thinks each face is, worked out from arrays; nothing is read or written.

What humans confirmed and rejected is taken as it is. Everything else follows from the vectors:

- A face in a group that holds confirmed faces of one person is that person.
- Where a group holds confirmed faces of several, each face is the likeliest of them, or nobody.
- A face that no group took is whom it resembles enough, if it is good enough to resemble anybody.
- A group without confirmed faces is a person without a name, the same one as in the last pass.

The same person is never guessed twice in one medium, nor where somebody has said that it is not
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lookwho.core.group import ALONE, group
from lookwho.core.identify import Known, identify
from lookwho.core.match import SAME
from lookwho.core.types import DoubleArray, FloatArray, IntArray

NOBODY = 0  # no row of the database has this id

# Worse faces resemble everybody. A group needs two that are better to be one, and no single one is
# taken for a person. On identities/ (3,251 labelled faces) and crowds/ together: B-cubed of neither
# half of the names falls up to 0.45, while groups of street faces fall from 97 to 45 at 0.4.
LEAST_QUALITY = 0.4
LEAST_FOUNDERS = 2
# A person needs so many confirmed faces to draw one that no group took. With a single one, 3 of 10
# such guesses at a probability over a half were right; with two, 8 of 10; with five, 9.
LEAST_CONFIRMED = 2
# What a group adds to the probability that a face in it is the one person confirmed in it: a line
# in the logarithm of the odds, fitted by logistic regression on people A-E of identities/, of whom
# 1 to 8 faces were confirmed. On people F-J guesses at 0.71 are right in 0.79 of the cases, at
# 0.91 in 0.88, at 0.98 in 0.97.
GROUP_INTERCEPT, GROUP_SLOPE = 2.2, 0.38
_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a guess is made from. A person's root is where their merges lead.

    Attributes:
        embeddings: (n, d) float32 of unit length.
        media: (n,) int64 ids.
        quality: (n,) float32.
        confirmed: (n,) int64, the root of whom a human said that the face is, or NOBODY.
        guesses: (n,) int64, whom the last pass took it for, not their root, or NOBODY.
        roots: the root of each person who was merged.
        unnamed: ids of people without a name and without confirmed faces.
        rejected: pairs of a face's place and a root that it is not.
        taken: pairs of a medium and a root who is in it, by a face without a vector.
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


@dataclass(frozen=True, slots=True)
class Guesses:
    """What follows from the evidence; of confirmed faces nothing is said.

    Attributes:
        people: (n,) int64 ids, or NOBODY; -1, -2, … for people who are not there yet.
        probabilities: (n,) float64 that a guess of a known person is right; else NaN.
        fresh: how many people are not there yet.
    """

    people: IntArray
    probabilities: DoubleArray
    fresh: int


def guess(evidence: Evidence) -> Guesses:
    """Return who each face is thought to be; the same evidence always gives the same guesses."""
    return _Pass(evidence).run()


class _Pass:
    """One pass, with what it has found so far."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        count = len(evidence.media)
        self.people = np.full(count, NOBODY, np.int64)
        self.probabilities = np.full(count, np.nan)
        self.likely, self.references = _likely(evidence)
        # Who is in a medium already: pairs of a medium and a root.
        named = np.flatnonzero(evidence.confirmed)
        pairs = zip(evidence.media[named], evidence.confirmed[named], strict=True)
        self.taken = {(int(medium), int(root)) for medium, root in pairs} | evidence.taken

    def run(self) -> Guesses:
        evidence = self.evidence
        labels = group(evidence.embeddings, photos=evidence.media)
        good = evidence.quality >= LEAST_QUALITY
        order = np.argsort(labels, kind="stable")
        starts = np.flatnonzero(np.diff(labels[order], prepend=ALONE - 1))
        unnamed: list[list[int]] = []
        wishes: list[tuple[float, int, int]] = []
        for members in np.split(order, starts[1:]):
            roots = {int(root) for root in evidence.confirmed[members]} - {NOBODY}
            faces = [int(face) for face in members if not evidence.confirmed[face]]
            alone = bool(len(members)) and labels[members[0]] == ALONE
            if roots and not alone:
                wishes += self._of_known(faces, roots)
                others = [face for face in faces if self._is_none_of(face, roots)]
                if len(others) >= LEAST_FOUNDERS:
                    unnamed.append(others)
            elif alone or good[members].sum() < LEAST_FOUNDERS:
                wishes += self._of_magnets([face for face in faces if good[face]])
            else:
                unnamed.append(faces)
        # The surest first: of two faces of one medium the likelier one is the person.
        for probability, face, root in sorted(wishes, key=lambda wish: (-wish[0], *wish[1:])):
            if self._take(face, root, root):
                self.probabilities[face] = probability
        fresh = self._keep_ids(unnamed)
        return Guesses(self.people, self.probabilities, fresh)

    def _of_known(self, faces: list[int], roots: set[int]) -> list[tuple[float, int, int]]:
        """Return who of the people confirmed in a group its other faces are."""
        wishes: list[tuple[float, int, int]] = []
        for face in faces:
            if len(roots) == 1:
                (root,) = roots
                wishes.append((_in_group(self.likely.get(face, {}).get(root, 0.0)), face, root))
            elif wish := self._likeliest(face, roots):
                wishes.append(wish)
        return wishes

    def _of_magnets(self, faces: list[int]) -> list[tuple[float, int, int]]:
        magnets = {root for root, count in self.references.items() if count >= LEAST_CONFIRMED}
        return [wish for face in faces if (wish := self._likeliest(face, magnets))]

    def _likeliest(self, face: int, roots: set[int]) -> tuple[float, int, int] | None:
        likely = [
            (probability, -root)
            for root, probability in self.likely.get(face, {}).items()
            if root in roots and (face, root) not in self.evidence.rejected
        ]
        probability, root = max(likely, default=(0.0, NOBODY))
        return (probability, face, -root) if probability >= SAME else None

    def _take(self, face: int, person: int, root: int) -> bool:
        """Guess that the face is the person, unless they are in the medium or were rejected."""
        place = int(self.evidence.media[face]), root
        if place in self.taken or (face, root) in self.evidence.rejected:
            return False
        self.taken.add(place)
        self.people[face] = person
        return True

    def _is_none_of(self, face: int, roots: set[int]) -> bool:
        return all((face, root) in self.evidence.rejected for root in roots)

    def _keep_ids(self, groups: list[list[int]]) -> int:
        """Give each group the person that most of its faces were, or else a new one.

        Faces that are not that person, as somebody has said, are left over and make a group of
        their own: so a group is split by rejecting those who do not belong.
        """
        used: set[int] = set()
        fresh = 0
        while groups:
            left: list[list[int]] = []
            kept = self._kept(groups, used)
            used.update(kept.values())
            for index, faces in enumerate(groups):
                person = kept.get(index)
                if person is None:
                    fresh += 1
                    person = -fresh
                root = self.evidence.roots.get(person, person)
                for face in faces:
                    self._take(face, person, root)
                others = [face for face in faces if (face, root) in self.evidence.rejected]
                if len(others) >= LEAST_FOUNDERS:
                    left.append(others)
            groups = left
        return fresh

    def _kept(self, groups: list[list[int]], used: set[int]) -> dict[int, int]:
        """Return the person whom each group keeps, by its place; a person is kept once."""
        evidence = self.evidence
        overlaps: list[tuple[bool, int, int, int]] = []
        for index, faces in enumerate(groups):
            were, counts = np.unique(evidence.guesses[faces], return_counts=True)
            for person, count in zip(were.tolist(), counts.tolist(), strict=True):
                if person in evidence.unnamed and person not in used:
                    root = evidence.roots.get(person, person)
                    # Where a group was split by hand the part that remained comes first, or the
                    # larger part that left would swallow it.
                    whole = not any((face, root) in evidence.rejected for face in faces)
                    overlaps.append((whole, -count, person, index))
        kept: dict[int, int] = {}
        people: set[int] = set()
        for _, _, person, index in sorted(overlaps):
            if index not in kept and person not in people:
                kept[index] = person
                people.add(person)
        return kept


def _likely(evidence: Evidence) -> tuple[dict[int, dict[int, float]], dict[int, int]]:
    """Return the probabilities of known people by face and root, and how many faces each has."""
    named = np.flatnonzero(evidence.confirmed)
    roots, owners = np.unique(evidence.confirmed[named], return_inverse=True)
    known = Known.of(evidence.embeddings[named], evidence.quality[named], owners)
    found = identify(evidence.embeddings, known)
    likely: dict[int, dict[int, float]] = {}
    ids = roots.tolist()
    for face, owner, probability in zip(
        found.faces.tolist(), found.owners.tolist(), found.probabilities.tolist(), strict=True
    ):
        likely.setdefault(face, {})[ids[owner]] = probability
    return likely, dict(zip(ids, known.references.tolist(), strict=True))


def _in_group(probability: float) -> float:
    probability = min(max(probability, _LEAST_PROBABILITY), 1 - _LEAST_PROBABILITY)
    odds = np.log(probability / (1 - probability))
    return float(1 / (1 + np.exp(-(GROUP_INTERCEPT + GROUP_SLOPE * odds))))
