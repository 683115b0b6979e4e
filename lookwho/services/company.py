"""Company: in whose company a face is, and how probable it is that it belongs there.

A company are the faces that humans confirmed to be somebody, and those that Lookwho adds: what
`core.group` put together with these, single faces that resemble them enough, and whole groups that
do. Somebody of several looks (`core.looks`) has a company for each. How probable it is that a
face belongs follows from what `core.identify` says of it, and from how near it is to all of the
company: four photos of one evening speak for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookwho.core.group import LEAST_QUALITY
from lookwho.core.identify import Identifier, Settings
from lookwho.core.looks import Looks, sums_of
from lookwho.core.types import DoubleArray, FloatArray, IntArray

NOBODY = 0  # no row of the database has this id

Weights = tuple[float, float, float, float]

# Lines in the logarithm of the odds: a constant, and the weights of three things: the odds that
# identifying gives, by their logarithm; the mean cosine to the company; the logarithm of its size.
# For a face that is in the company, a face that no group took, and a group; the last for a face in
# a group without a name, of which nothing can be identified. Fitted by logistic regression on
# people A-E of identities/, of whom some were known by 1 to 8 faces: `python -m bench guessing`.
MEMBER: Weights = (-79.212, 0.371, 86.143, 0.392)
LONE: Weights = (-110.125, 0.387, 118.402, -0.236)
GROUP: Weights = (-74.963, 0.536, 83.888, -2.737)
UNNAMED: Weights = (-152.015, 0.0, 161.795, 2.332)
# Larger companies than the labelled ones count as so large.
MOST_COMPANY = 20
# Whom identifying does not name among those who may be a face has these odds, by the logarithm.
LEAST_ODDS = -9.0


class Asked(NamedTuple):
    """Who may belong to whose company.

    Attributes:
        places: (c,) int64, faces, or groups by their labels.
        owners: (c,) int64, which company, by its place in `Companies.roots`.
        people: (c,) int64, whose that is, by a number.
        features: (c, 3) float64, what is weighed: see `MEMBER`.
    """

    places: IntArray
    owners: IntArray
    people: IntArray
    features: DoubleArray

    def chances(self, weights: Weights) -> DoubleArray:
        """Return (c,) how probably each belongs, where all whose it may be compete."""
        odds = np.exp(np.clip(_line(self.features, weights), -30, 30))
        codes = self.places * (int(self.people.max(initial=0)) + 1) + self.people
        _, first, at = np.unique(codes, return_index=True, return_inverse=True)
        most = np.zeros(len(first))
        np.maximum.at(most, at, odds)  # the looks of one person do not compete
        everybody = np.bincount(self.places[first], most)[self.places] if len(first) else odds
        return odds / (1 + odds + np.maximum(everybody - most[at], 0))

    def best(self, chances: DoubleArray) -> IntArray:
        """Return which are the likeliest of their place, by the place."""
        order = np.lexsort((self.owners, -chances, self.places))
        return order[np.flatnonzero(np.diff(self.places[order], prepend=-1))]

    def told(self, chances: DoubleArray, some: IntArray) -> dict[int, tuple[int, float]]:
        """Return the owners and chances of some by their places."""
        columns = (self.places[some], self.owners[some], chances[some])
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return {place: (owner, chance) for place, owner, chance in rows}


class Companies:
    """The companies of the known people.

    Attributes:
        roots: (m,) int64, whose each company is, ascending.
        owner: (n,) int64, in which company each face is; -1 for none.
        labels: (n,) int64, the groups as they were given; negative for faces in none.
        likely_groups: by label, of groups in no company, to which they may belong and how probably.
        likely_faces: the same by the place of faces that are in no group.
    """

    def __init__(
        self,
        embeddings: FloatArray,
        quality: FloatArray,
        known: Looks,
        settled: NDArray[np.bool_],
        labels: IntArray,
        rejected: Iterable[tuple[int, int]],
        settings: Settings | None,
    ) -> None:
        """Learn who is known, add who was grouped with them, and see who others may be.

        Args:
            embeddings: (n, d) float32 of unit length.
            quality: (n,) float32.
            known: whose look each face shows, as far as that is known.
            settled: (n,) bool, faces of which nothing is to be said.
            labels: (n,) int64, groups; negative for faces in none.
            rejected: pairs of a face's place and whom of the people it is not.
            settings: of `Identifier`.
        """
        self.embeddings, self.quality, self.labels = embeddings, quality, labels
        self.roots = known.roots
        self.owner = known.of.copy()
        self.likely_groups: dict[int, tuple[int, float]] = {}
        self.likely_faces: dict[int, tuple[int, float]] = {}
        self._open = ~settled
        self._sums = np.zeros((len(self.roots), embeddings.shape[1]))
        self._sizes = np.zeros(len(self.roots))
        some = np.flatnonzero(known.of >= 0)
        self._join(some)
        # People are told by numbers from 0; the companies of each follow each other.
        people, self._first, self._person = np.unique(
            self.roots, return_index=True, return_inverse=True
        )
        self._count = np.bincount(self._person, minlength=len(people))
        places = {root: place for place, root in enumerate(people.tolist())}
        barred = [(face, places[root]) for face, root in rejected if root in places]
        faces, barred_people = np.array(barred, np.int64).reshape(-1, 2).T
        self._barred = np.unique(self._code(faces, barred_people))
        self._add_grouped()
        self._identify(some, settings)

    def gather(self, threshold: float, *, lone: Weights = LONE, group: Weights = GROUP) -> None:
        """Add to the companies the faces and groups that belong to one at least so probably."""
        # Both are asked before any is added, or the order would matter.
        faces, groups = self.lone(), self.groups()
        self.likely_faces = self._add_faces(faces, faces.chances(lone), threshold)
        self.likely_groups = self._add_groups(groups, groups.chances(group), threshold)

    def wishes(self, least: float) -> tuple[IntArray, IntArray, DoubleArray]:
        """Return the faces in a company, whose it is, and how probably they belong.

        Args:
            least: faces that belong less probably are let go.
        """
        asked = self.members()
        theirs = asked.owners == self.owner[asked.places]
        faces, owners = asked.places[theirs], asked.owners[theirs]
        probabilities = asked.chances(MEMBER)[theirs]
        kept = probabilities >= least
        self.owner[faces[~kept]] = -1
        return faces[kept], self.roots[owners[kept]], probabilities[kept]

    # --- who may belong to whom ---

    def members(self) -> Asked:
        """Return the faces that nobody confirmed and that are in a company, with all others."""
        rivals = self.owner[self._faces] >= 0
        at, others = self._companies(self._people[rivals])
        faces, odds = self._faces[rivals][at], self._odds[rivals][at]
        rivals = self._person[others] != self._person[self.owner[faces]]
        faces, others, odds = faces[rivals], others[rivals], odds[rivals]
        mine = np.flatnonzero((self.owner >= 0) & self._open)
        owners = self.owner[mine]
        return self._asked(
            np.concatenate([mine, faces]),
            np.concatenate([owners, others]),
            np.concatenate([self._odds_of(mine, self._person[owners]), odds]),
        )

    def lone(self) -> Asked:
        """Return the faces that no group took, with all who they may be."""
        # Worse ones resemble everybody, and are drawn by nobody.
        some = self._lone[self._faces] & (self.quality[self._faces] >= LEAST_QUALITY)
        at, owners = self._companies(self._people[some])
        return self._asked(self._faces[some][at], owners, self._odds[some][at])

    def groups(self) -> Asked:
        """Return the groups in no company, with all who their faces may be."""
        free = self._free()
        count = len(self._led)
        sizes = np.maximum(np.bincount(self.labels[free], minlength=count), 1)
        sums = sums_of(self.embeddings[free], self.labels[free], count)
        mine = self._grouped(self._faces)
        codes = self._code(self.labels[self._faces[mine]], self._people[mine])
        codes, at = np.unique(codes, return_inverse=True)
        # Whom one of them is not, as somebody said, the group is not, either.
        faces, people = self._pairs(self._barred)
        kept = ~_within(codes, np.unique(self._code(self.labels[faces], people)))
        raised = np.bincount(at, self._odds[mine] - LEAST_ODDS, minlength=len(codes))[kept]
        labels, people = self._pairs(codes[kept])
        at, owners = self._companies(people)
        labels, raised = labels[at], raised[at]
        odds = LEAST_ODDS + raised / sizes[labels]
        near = _dot(sums, labels, self._sums, owners) / (sizes[labels] * self._sizes[owners])
        features = _features(odds, near, self._sizes[owners])
        return Asked(labels, owners, self._person[owners], features)

    def _asked(self, faces: IntArray, owners: IntArray, odds: DoubleArray) -> Asked:
        own = self.owner[faces] == owners  # in one's own company one does not speak for oneself
        others = self._sizes[owners] - own
        near = (_dot(self.embeddings, faces, self._sums, owners) - own) / np.maximum(others, 1)
        return Asked(faces, owners, self._person[owners], _features(odds, near, others))

    def _odds_of(self, faces: IntArray, people: IntArray) -> DoubleArray:
        odds = np.full(len(faces), LEAST_ODDS)
        if len(self._faces):
            codes, wanted = self._code(self._faces, self._people), self._code(faces, people)
            at = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
            found = codes[at] == wanted
            odds[found] = self._odds[at[found]]
        return odds

    # --- what is known ---

    def _identify(self, known: IntArray, settings: Settings | None) -> None:
        self._faces = self._people = np.zeros(0, np.int64)
        self._odds = np.zeros(0)
        if not len(known):
            return
        # Whoever is known by poor faces alone draws nobody: such faces resemble everybody's.
        owners = self._person[self.owner[known]]
        good = self.quality[known] >= LEAST_QUALITY
        drawing = np.isin(owners, owners[good])
        known, owners = known[drawing], owners[drawing]
        if not len(known):
            return
        faces, people = self._pairs(self._barred)
        identifier = Identifier.fit(
            self.embeddings[known],
            owners,
            quality=self.quality[known],
            rejected=list(zip(self.embeddings[faces], people.tolist(), strict=True)),
            settings=settings,
        )
        asked = np.flatnonzero(self._open)
        found = identifier.candidates(self.embeddings[asked])
        faces, people = asked[found.faces], found.owners
        kept = ~_within(self._code(faces, people), self._barred)
        self._faces, self._people = faces[kept], people[kept]
        self._odds = np.maximum(_odds(found.probabilities[kept]), LEAST_ODDS)

    def _companies(self, people: IntArray) -> tuple[IntArray, IntArray]:
        """Return all companies of each of these people, and for each of them at which place."""
        counts = self._count[people]
        at = np.repeat(np.arange(len(people)), counts)
        ends = np.cumsum(counts)
        return at, np.arange(len(at)) - (ends - counts)[at] + self._first[people][at]

    def _code(self, places: IntArray, people: IntArray) -> IntArray:
        return places * max(len(self._count), 1) + people

    def _pairs(self, codes: IntArray) -> tuple[IntArray, IntArray]:
        return codes // max(len(self._count), 1), codes % max(len(self._count), 1)

    def _grouped(self, faces: IntArray) -> NDArray[np.bool_]:
        """Return which faces are in a group that is in no company."""
        labels = self.labels[faces]
        return (labels >= 0) & (self._led[labels] < 0)

    def _free(self) -> IntArray:
        free = np.flatnonzero(self._open & (self.labels >= 0))
        return free[self._grouped(free)]

    # --- who is added ---

    def _join(self, faces: IntArray) -> None:
        owners = self.owner[faces]
        self._sums += sums_of(self.embeddings[faces], owners, len(self._sums))
        self._sizes += np.bincount(owners, minlength=len(self._sizes))

    def _add(self, faces: IntArray, owners: IntArray) -> None:
        free = ~_within(self._code(faces, self._person[owners]), self._barred)
        self.owner[faces[free]] = owners[free]
        self._join(faces[free])

    def _add_grouped(self) -> None:
        """Add who was grouped with somebody known."""
        # One more than there are labels: where faces in no group look.
        self._led = np.full(int(self.labels.max(initial=-1)) + 2, -1)
        leaders = np.flatnonzero((self.owner >= 0) & (self.labels >= 0))
        self._led[self.labels[leaders]] = self.owner[leaders]
        grouped = np.flatnonzero(self._open & (self.labels >= 0))
        grouped = grouped[self._led[self.labels[grouped]] >= 0]
        self._add(grouped, self._led[self.labels[grouped]])
        # Who was grouped with somebody whom it is not, as was said, is taken by itself.
        self._lone = (self.labels < 0) & self._open
        self._lone[grouped] = self.owner[grouped] < 0

    def _add_faces(
        self, asked: Asked, chances: DoubleArray, threshold: float
    ) -> dict[int, tuple[int, float]]:
        """Add faces to whom they resemble most, if that is enough; return the others."""
        best = asked.best(chances)
        sure = best[chances[best] >= threshold]
        self._add(asked.places[sure], asked.owners[sure])
        return asked.told(chances, best[chances[best] < threshold])

    def _add_groups(
        self, asked: Asked, chances: DoubleArray, threshold: float
    ) -> dict[int, tuple[int, float]]:
        """Add the faces of groups in the same way."""
        best = asked.best(chances)
        sure = best[chances[best] >= threshold]
        joined = np.full(len(self._led), -1)
        joined[asked.places[sure]] = asked.owners[sure]
        faces = self._free()
        faces = faces[joined[self.labels[faces]] >= 0]
        self._add(faces, joined[self.labels[faces]])
        return asked.told(chances, best[chances[best] < threshold])


def nearness(embeddings: FloatArray, faces: IntArray, groups: IntArray) -> DoubleArray:
    """Return (c, 3) what speaks for faces to belong to their group, which has no name.

    Args:
        embeddings: (n, d) float32 of unit length.
        faces: (c,) places of faces.
        groups: (c,) from 0, the group of each of these faces, which holds no others.
    """
    count = int(groups.max(initial=-1)) + 1
    sums = sums_of(embeddings[faces], groups, count)
    others = (np.bincount(groups, minlength=count)[groups] - 1).astype(np.float64)
    near = (_dot(embeddings, faces, sums, groups) - 1) / np.maximum(others, 1)
    return _features(np.zeros(len(faces)), near, others)


def weighed(features: DoubleArray, weights: Weights) -> DoubleArray:
    """Return (c,) probabilities of (c, 3) features."""
    return 1 / (1 + np.exp(-_line(features, weights)))


def _line(features: DoubleArray, weights: Weights) -> DoubleArray:
    return weights[0] + features @ np.array(weights[1:])


def _features(odds: DoubleArray, near: DoubleArray, sizes: DoubleArray) -> DoubleArray:
    return np.stack([odds, near, np.log(np.clip(sizes, 1, MOST_COMPANY))], axis=1)


def _odds(probabilities: DoubleArray) -> DoubleArray:
    inside = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside))


def _dot(a: FloatArray, rows: IntArray, b: FloatArray, others: IntArray) -> DoubleArray:
    """Return (c,) the products of a[rows] and b[others], a few thousand at a time."""
    found = np.empty(len(rows))
    for start in range(0, len(rows), 4096):
        some = slice(start, start + 4096)
        found[some] = np.einsum("ij,ij->i", a[rows[some]], b[others[some]])
    return found


def _within(keys: IntArray, some: IntArray) -> NDArray[np.bool_]:
    """Return which keys are among some that ascend."""
    if not len(some):
        return np.zeros(len(keys), np.bool_)
    return some[np.minimum(np.searchsorted(some, keys), len(some) - 1)] == keys
