"""Decided: what a few answers about the groups of faces are worth, told to `lookwho.core.group`.

Somebody is asked in turns whether two groups are one person, and whether a face belongs to its
group, whatever is worth most: how many faces it is about, times how doubtful it is. Whose faces
they are is known to the one who answers alone. A yes says that these faces are one person, without
those in them that are seen to be others: each of them is tapped, which is an answer too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.people import People
from lookwho.core.group import group, suitable_limit
from lookwho.core.linkage import COMMON_MOST, COMMON_POWER, SIZE_POWER
from lookwho.core.types import DoubleArray, FloatArray, IntArray
from lookwho.core.vectors import unit

ANSWERS = 200
# Faces are grouped again after so many questions.
ROUND = 10
# The odds that two are one person are this, to the power of how close they are: even where they
# are just close enough.
_SURENESS = 2500.0


def by_answers(people: People, answers: int = ANSWERS) -> tuple[IntArray, IntArray]:
    """Return the groups before and after somebody answers.

    Args:
        people: whose faces they are.
        answers: how many are given.

    Returns:
        (n,) labels, and (n,) labels.
    """
    asked = _Asked(people)
    before = labels = asked.group()
    given = 0
    while given < answers:
        told = 0
        for question in asked.questions(labels)[:ROUND]:
            if given + told >= answers:
                break
            told += asked.answer(*question)
        if not told:
            break
        given += told
        labels = asked.group()
    return before, labels


@dataclass
class _Asked:
    """What was asked and said so far."""

    people: People

    def __post_init__(self) -> None:
        count = len(self.people.owners)
        self.must: list[tuple[int, int]] = []
        self.cannot: list[tuple[int, int]] = []
        self.sure = np.zeros(count, np.bool_)
        self._limit = suitable_limit(count)
        self._apart: set[tuple[int, int]] = set()

    def group(self) -> IntArray:
        """Return (n,) labels, faces alone with one of their own."""
        labels = group(
            self.people.embeddings,
            quality=self.people.quality,
            must=self.must,
            cannot=self.cannot,
        )
        alone = labels < 0
        return np.where(alone, labels.max() + np.cumsum(alone), labels)

    def questions(self, labels: IntArray) -> list[tuple[IntArray, IntArray]]:
        """Return what to ask, the best first: whether these faces are the same person as those."""
        vectors = self.people.embeddings
        order = np.argsort(labels, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
        sums = np.stack([vectors[part].sum(axis=0) for part in parts])
        sizes = np.array([len(part) for part in parts], np.float64)
        found: list[tuple[float, IntArray, IntArray]] = []
        near = self._closeness(unit(sums) @ unit(sums).T, sizes[:, None], sizes[None, :])
        value = _odds(near) * np.minimum(sizes[:, None], sizes[None, :])
        for flat in np.argsort(-np.triu(value, 1), axis=None)[: 20 * ROUND].tolist():
            a, b = divmod(flat, len(parts))
            if (int(parts[a][0]), int(parts[b][0])) not in self._apart:
                found.append((float(value[a, b]), parts[a], parts[b]))
        for part, whole in zip(parts, sums, strict=True):
            if len(part) < 2 or self.sure[part].all():
                continue
            rest = unit(whole - vectors[part])
            cosine = np.einsum("ij,ij->i", rest, vectors[part])
            belongs = self._closeness(cosine, np.ones(1), np.full(1, len(part) - 1.0))
            doubt = np.where(self.sure[part], 0, 1 - _odds(belongs))
            face = int(doubt.argmax())
            found.append((float(doubt[face]), part[face : face + 1], np.delete(part, face)))
        found.sort(key=lambda one: -one[0])
        return _disjoint(found)

    def answer(self, these: IntArray, those: IntArray) -> int:
        """Answer whether these faces are the same person as those; return how many answers."""
        owners = self.people.owners
        one, other = (int(np.bincount(owners[part]).argmax()) for part in (these, those))
        self._apart |= {(int(these[0]), int(those[0])), (int(those[0]), int(these[0]))}
        if one != other:
            own, others = these[owners[these] == one], those[owners[those] == other]
            self.cannot += [(int(face), int(each)) for face in own for each in others]
            return 1
        both = np.concatenate([these, those])
        right = owners[both] == one
        members, odd = both[right], both[~right]
        self.must += [(int(members[0]), int(face)) for face in members[1:]]
        self.cannot += [(int(members[0]), int(face)) for face in odd]
        self.sure[members] = True
        return 1 + len(odd)

    def _closeness(self, cosine: FloatArray, n: DoubleArray, m: DoubleArray) -> DoubleArray:
        common = np.minimum(np.maximum(n, m), COMMON_MOST) ** COMMON_POWER
        return 1 - (1 - cosine) / (self._limit * common * ((1 / n + 1 / m) / 2) ** SIZE_POWER)


def _odds(closeness: DoubleArray) -> DoubleArray:
    """Return how probable it is that two are one person."""
    return 1 / (1 + _SURENESS ** -np.clip(closeness, -4, 4))


def _disjoint(
    found: list[tuple[float, IntArray, IntArray]],
) -> list[tuple[IntArray, IntArray]]:
    """Return questions of which no two are about the same faces: one answer may change the next."""
    taken: set[int] = set()
    kept: list[tuple[IntArray, IntArray]] = []
    for _, these, those in found:
        faces = {*these.tolist(), *those.tolist()}
        if taken.isdisjoint(faces):
            taken |= faces
            kept.append((these, those))
    return kept
