"""Guessing: how probable it is that a guess is right, fitted on some people, checked on others.

Libraries are drawn from labelled photos: some of the people, of whom some are known by a few
confirmed faces, and the rest are strangers. What `services.company` weighs of each face and group
is taken down with the truth, and lines are fitted to it. Of the people held out the same is drawn,
and the guesses of a whole pass are compared with the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import tables
from bench.people import People
from lookwho.core.types import DoubleArray, FloatArray, IntArray
from lookwho.services import company
from lookwho.services.company import Asked, Companies, Weights, nearness
from lookwho.services.guesses import NOBODY, Evidence, companies_of, guess

# So many libraries are drawn; a quick look makes do with fewer.
LIBRARIES, FEW = 60, 12
# So many confirmed faces of somebody known, as often as they stand here.
CONFIRMED = (1, 1, 2, 3, 5, 8)
BINS = 15
DRAWS = 1000
_SETTLED = 1e-9
_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Library:
    """Faces, whose they are, and what is known of that.

    Attributes:
        embeddings, owners, quality: (n, d), (n,) and (n,).
        confirmed: (n,) int64, the owner where that is known, or NOBODY; owners are greater.
    """

    embeddings: FloatArray
    owners: IntArray
    quality: FloatArray
    confirmed: IntArray

    @property
    def evidence(self) -> Evidence:
        """What a first pass is made from: every face has a photo of its own."""
        count = len(self.owners)
        return Evidence(
            embeddings=self.embeddings,
            media=np.arange(count),
            quality=self.quality,
            confirmed=self.confirmed,
            guesses=np.full(count, NOBODY),
            roots={},
            unnamed=frozenset(),
            rejected=frozenset(),
            taken=frozenset(),
        )


def libraries(people: People, count: int, *, seed: int = 0) -> Iterator[Library]:
    """Draw libraries: a third to all of the people, of whom a tenth to nine tenths are known."""
    random = np.random.default_rng(seed)
    owners = people.owners + 1
    for _ in range(count):
        everybody = np.unique(owners)
        there = everybody[random.random(len(everybody)) < random.uniform(1 / 3, 1)]
        some = np.flatnonzero(np.isin(owners, there))
        confirmed = np.full(len(some), NOBODY)
        known = random.uniform(0.1, 0.9)
        for owner in there:
            theirs = np.flatnonzero(owners[some] == owner)
            if len(theirs) > 1 and random.random() < known:
                faces = min(int(random.choice(CONFIRMED)), len(theirs) - 1)
                confirmed[random.choice(theirs, faces, replace=False)] = owner
        yield Library(people.embeddings[some], owners[some], people.quality[some], confirmed)


@dataclass(frozen=True, slots=True)
class Lines:
    """What `services.company` weighs by; see there."""

    member: Weights
    lone: Weights
    group: Weights
    unnamed: Weights


SHIPPED = Lines(company.MEMBER, company.LONE, company.GROUP, company.UNNAMED)


def fitted(drawn: Iterable[Library]) -> Lines:
    """Fit the lines: of single faces and groups first, since these decide who is a member."""
    read = [(library, companies_of(library.evidence)) for library in drawn]
    lone, group = _Sample(), _Sample()
    for library, known in read:
        asked = known.lone()
        lone.add(asked.features, library.owners[asked.places] == known.roots[asked.owners])
        asked = known.groups()
        group.add(asked.features, _of_groups(library, known, asked))
    lines = {"lone": lone.line(), "group": group.line()}
    member, unnamed = _Sample(), _Sample()
    for library, known in read:
        known.gather(0.5, **lines)
        asked = known.members()
        theirs = asked.owners == known.owner[asked.places]
        right = library.owners[asked.places] == known.roots[asked.owners]
        member.add(asked.features[theirs], right[theirs])
        faces = np.flatnonzero((known.labels >= 0) & (known.owner < 0) & ~library.evidence.settled)
        _, groups = np.unique(known.labels[faces], return_inverse=True)
        near = nearness(library.embeddings, faces, groups)
        unnamed.add(near, _belong(groups, library.owners[faces]))
    return Lines(member.line(), lines["lone"], lines["group"], unnamed.line())


class _Sample:
    def __init__(self) -> None:
        self._features: list[DoubleArray] = []
        self._right: list[NDArray[np.bool_]] = []

    def add(self, features: DoubleArray, right: NDArray[np.bool_]) -> None:
        self._features.append(features)
        self._right.append(right)

    def line(self) -> Weights:
        return logistic(np.concatenate(self._features), np.concatenate(self._right))


def logistic(features: DoubleArray, right: NDArray[np.bool_]) -> Weights:
    """Return a constant and three weights, by Newton's method.

    What never varies weighs nothing, and of nothing follows nothing. The last digits mean nothing
    and are left out.
    """
    if not len(right):
        return 0.0, 0.0, 0.0, 0.0
    mean, spread = features.mean(axis=0), features.std(axis=0)
    varies = spread > 0
    scaled = np.where(varies, (features - mean) / np.where(varies, spread, 1), 0)
    columns = np.column_stack([np.ones(len(scaled)), scaled])
    weights = np.zeros(4)
    ridge = np.diag([0.0, 1.0, 1.0, 1.0])  # one face in thousands: it keeps a perfect line finite
    for _ in range(_ROUNDS):
        chances = 1 / (1 + np.exp(-(columns @ weights)))
        slope = columns.T @ (right - chances) - ridge @ weights
        curve = (columns * (chances * (1 - chances))[:, None]).T @ columns + ridge
        step = np.linalg.solve(curve + 1e-9 * np.eye(4), slope)
        weights += step
        if np.abs(step).max() < _SETTLED:
            break
    slopes = weights[1:] / np.where(varies, spread, 1)
    a, b, c, d = (round(float(x), 3) for x in (weights[0] - slopes @ mean, *slopes))
    return a, b, c, d


def _of_groups(library: Library, known: Companies, asked: Asked) -> NDArray[np.bool_]:
    """Return whether more than half of each group's open faces are of whom it may be."""
    open_ = ~library.evidence.settled & (known.labels >= 0)
    labels, owners = known.labels[open_], library.owners[open_]
    sizes = np.bincount(labels, minlength=int(asked.places.max(initial=0)) + 1)
    pairs, counts = np.unique(np.stack([labels, owners]), axis=1, return_counts=True)
    found = {(a, b): c for (a, b), c in zip(pairs.T.tolist(), counts.tolist(), strict=True)}
    return np.array(
        [
            2 * found.get((label, root), 0) > sizes[label]
            for label, root in zip(
                asked.places.tolist(), known.roots[asked.owners].tolist(), strict=True
            )
        ],
        np.bool_,
    )


def _belong(groups: IntArray, owners: IntArray) -> NDArray[np.bool_]:
    """Return whether at least half of the others in its group are of each face's owner."""
    codes = groups * (int(owners.max(initial=0)) + 1) + owners
    _, at, counts = np.unique(codes, return_inverse=True, return_counts=True)
    sizes = np.bincount(groups)[groups]
    return (sizes > 1) & (2 * (counts[at] - 1) >= sizes - 1)


@dataclass(frozen=True, slots=True)
class Guessed:
    """Guesses and the truth.

    Attributes:
        owners: (c,) whose face each is.
        chances: (c,) how probable the guess was said to be.
        right: (c,) whether it was.
    """

    owners: IntArray
    chances: DoubleArray
    right: NDArray[np.bool_]


def guessed(drawn: Iterable[Library]) -> tuple[Guessed, Guessed]:
    """Return the guesses of known people, and those that a face belongs to a group."""
    found: tuple[list[tuple[IntArray, DoubleArray, NDArray[np.bool_]]], ...] = ([], [])
    for library in drawn:
        said = guess(library.evidence)
        named = np.flatnonzero(said.people > 0)
        right = said.people[named] == library.owners[named]
        found[0].append((library.owners[named], said.probabilities[named], right))
        others = np.flatnonzero(said.people < 0)
        right = _belong(-said.people[others], library.owners[others])
        found[1].append((library.owners[others], said.probabilities[others], right))
    named, unnamed = (
        Guessed(*(np.concatenate(part) for part in zip(*rows, strict=True))) for rows in found
    )
    return named, unnamed


def calibration_error(chances: DoubleArray, right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Return the expected calibration error: bins hold equally many guesses."""
    order = np.argsort(chances, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    apart = [len(part) * abs(float(chances[part].mean() - right[part].mean())) for part in parts]
    return sum(apart) / max(len(order), 1)


def report(people: People, *, quick: bool) -> Iterator[str]:
    """Yield the lines as fitted and as shipped, and how far guesses can be believed."""
    count = FEW if quick else LIBRARIES
    lines = fitted(libraries(people.part(~people.held_out), count))
    yield f"What is weighed ({people.split}; {count} libraries drawn of the former):"
    yield ""
    rows = [
        [name, told, *(f"{weight:.3f}" for weight in getattr(which, name))]
        for name in ("member", "lone", "group", "unnamed")
        for told, which in (("fitted", lines), ("shipped", SHIPPED))
    ]
    yield from tables.markdown(["of", "line", "constant", "odds", "cosine", "log size"], rows)
    named, unnamed = guessed(libraries(people.part(people.held_out), count, seed=1))
    for told, some in (("that somebody known is", named), ("that a group holds", unnamed)):
        yield ""
        yield from _reliability(told, some)


def _reliability(told: str, some: Guessed) -> Iterator[str]:
    error = calibration_error(some.chances, some.right)
    low, high = _interval(some)
    yield (
        f"Guesses {told}, held-out people: {len(some.right):,}, of which {some.right.mean():.1%} "
        f"are right; expected calibration error {error:.2%} ({low:.2%}-{high:.2%})"
    )
    yield ""
    order = np.argsort(some.chances, kind="stable")
    rows = [
        [
            f"{some.chances[part].min():.3f}-{some.chances[part].max():.3f}",
            f"{len(part):,}",
            f"{some.chances[part].mean():.3f}",
            f"{some.right[part].mean():.3f}",
        ]
        for part in np.array_split(order, BINS)
        if len(part)
    ]
    yield from tables.markdown(["said", "guesses", "said, mean", "right"], rows)


def _interval(some: Guessed) -> tuple[float, float]:
    """Return the middle 95 % of the error, by bootstrap over people."""
    random = np.random.default_rng(0)
    _, owners = np.unique(some.owners, return_inverse=True)
    order = np.argsort(owners, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(owners[order])) + 1)
    found: list[float] = []
    for _ in range(DRAWS):
        drawn = np.concatenate([parts[at] for at in random.integers(0, len(parts), len(parts))])
        found.append(calibration_error(some.chances[drawn], some.right[drawn]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)
