"""Identify: which of the people that are known already may each face be, or is it a stranger?

A known person is found by the mean of their confirmed faces. How much likelier a face is theirs
than a stranger's follows from `lookwho.core.resemblance`, weighed by numbers that were fitted on
labelled photos (`python -m bench calibrate`) and can be fitted anew to a library: `learn`. All who
are known are sought at once, and compete for each face: of two who resemble each other, neither is
sure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookwho.core import calibrate
from lookwho.core.errors import InputError
from lookwho.core.looks import means_of, several
from lookwho.core.match import SAME
from lookwho.core.measured import measured
from lookwho.core.resemblance import SAME_FACE, Crowd
from lookwho.core.types import DoubleArray, FloatArray, IntArray
from lookwho.core.vectors import checked, finite, spread

# A crowd of so many tells as much as it leaves open: the cosine alone then counts for half.
SMALL_CROWD = 30
# More strangers tell hardly more, and cost time.
MOST_STRANGERS = 1500
# What is less probable is not listed.
LEAST_PROBABILITY = 1e-5
# With less to learn from, `learn` changes nothing: faces left out, and people with two events.
LEAST_FACES, LEAST_PEOPLE = 100, 20
FOLDS = 5
# Evidence that is behind the best for a face by so much, as a logarithm, adds nothing to it.
_BEHIND = 14.0
_ROUNDS = 60
_WORST = 0.05


@dataclass(frozen=True, slots=True)
class Settings:
    """The numbers that make evidence of resemblance; no vector of anybody.

    Attributes:
        references: numbers of confirmed faces that the others were fitted for, ascending.
        lines: for each of them, a constant and the weight of the cosine: where the crowd is small.
        planes: for each of them, a constant and the weights of `resemblance.FEATURES`.
        shift, scale: what all evidence is moved and stretched by.
    """

    references: tuple[int, ...]
    lines: tuple[tuple[float, ...], ...]
    planes: tuple[tuple[float, ...], ...]
    shift: float = 0.0
    scale: float = 1.0

    @classmethod
    def default(cls) -> Settings:
        """Return what is shipped."""
        return cls.from_json(measured()["identify"])

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Settings:
        """Read what `to_json` returned."""
        return cls(
            tuple(content["references"]),
            tuple(tuple(row) for row in content["lines"]),
            tuple(tuple(row) for row in content["planes"]),
            float(content["shift"]),
            float(content["scale"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)


class Prediction(NamedTuple):
    """The likeliest person for each of n faces.

    Attributes:
        people: (n,) the best person always, of the dtype that was given; where nobody is known,
            the dtype's zero.
        probabilities: (n,) float64, that it is them.
        accepted: (n,) bool, whether that is enough to suggest: likelier than not, so likelier
            than anybody else, too.
    """

    people: NDArray[Any]
    probabilities: DoubleArray
    accepted: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who may be who; what is not listed has a probability of nearly nothing.

    Attributes:
        faces: (c,) int64, in order.
        owners: (c,) int64, which of `Identifier.people`, in order for each face.
        probabilities: (c,) float64; those of one face sum up to 1 at most, the rest is that it is
            none of them.
    """

    faces: IntArray
    owners: IntArray
    probabilities: DoubleArray


class Evidence(NamedTuple):
    """How much likelier faces are people's than strangers', as logarithms.

    Attributes:
        faces, owners: (c,) int64, in order; everybody near to each face, the nearest always.
        values: (c,) float64.
    """

    faces: IntArray
    owners: IntArray
    values: DoubleArray


class Identifier:
    """People who are known by confirmed faces.

    Attributes:
        people: (p,) of the dtype that was given, in order.
        references: (p,) int64, how many confirmed faces each has.
        settings: what evidence is made with.
    """

    def __init__(
        self,
        people: NDArray[Any],
        references: IntArray,
        crowd: Crowd,
        counts: IntArray,
        rejected: tuple[FloatArray, IntArray],
        settings: Settings,
    ) -> None:
        """Use `fit`."""
        self.people, self.references, self.settings = people, references, settings
        self._crowd, self._counts, self._rejected = crowd, counts, rejected
        self._lines = _between(settings.references, settings.lines, counts)
        self._planes = _between(settings.references, settings.planes, counts)

    @classmethod
    def fit(
        cls,
        embeddings: FloatArray,
        people: Any,
        *,
        quality: FloatArray | None = None,
        negatives: FloatArray | Sequence[Any] = (),
        rejected: Iterable[tuple[FloatArray, Any]] = (),
        settings: Settings | None = None,
    ) -> Identifier:
        """Learn to know people.

        Args:
            embeddings: (n, d) of unit length, confirmed faces.
            people: (n,) whose they are, numbers or strings.
            quality: (n,) from 0 to 1; a bad face counts for less. None for all the same.
            negatives: (s, d) faces of people who are not known. They tell whose resemblance means
                little. Where some turn out to be a known person after all, they are left out.
            rejected: pairs of a vector (d,) and a person who it is not. Whatever resembles it more
                than the person is not them either, and nobody else for that.
            settings: None for those that are shipped.

        Raises:
            InputError: vectors with something else than numbers in them, or that do not match.
        """
        settings = settings or Settings.default()
        names, owners = np.unique(np.asarray(people), return_inverse=True)
        vectors = checked(embeddings, "confirmed faces")
        if len(vectors) != len(owners):
            raise InputError(
                f"{len(vectors)} confirmed faces of {len(owners)} people: give one each"
            )
        width = vectors.shape[1] or None
        strangers = checked(negatives, "negatives", width)
        weights = np.ones(len(vectors)) if quality is None else finite(quality, "quality")
        weights = np.clip(weights, _WORST, 1)
        means = means_of(vectors, owners, len(names), weights)
        more, whose, sizes = several(vectors, weights, owners)
        references = np.bincount(owners, minlength=len(names))
        counts = np.concatenate([references, sizes])
        barred = _rejected(rejected, names, width or 0)

        def known(strangers: FloatArray) -> Identifier:
            crowd = Crowd(means, strangers, more, whose)
            return cls(names, references, crowd, counts, barred, settings)

        alone = known(strangers[:0])
        if not len(strangers):
            return alone
        strangers = spread(strangers, MOST_STRANGERS)
        return known(strangers[~alone.predict(strangers).accepted])

    def predict(self, embeddings: FloatArray, *, share: float | None = None) -> Prediction:
        """Return the best person for each face, and how probable that is.

        Args:
            embeddings: (n, d) of unit length.
            share: how many of such faces are of known people, from 0 to 1. None to estimate it
                from these.
        """
        vectors = self._faces(embeddings)
        people = np.zeros(len(vectors), self.people.dtype)
        probabilities = np.zeros(len(vectors))
        found = self._likely(vectors, share)
        order = np.lexsort((found.owners, -found.probabilities, found.faces))
        best = order[np.flatnonzero(np.diff(found.faces[order], prepend=-1))]
        people[found.faces[best]] = self.people[found.owners[best]]
        probabilities[found.faces[best]] = found.probabilities[best]
        return Prediction(people, probabilities, probabilities >= SAME)

    def candidates(self, embeddings: FloatArray, *, share: float | None = None) -> Candidates:
        """Return who of the known people each face may be; the arguments are those of `predict`."""
        found = self._likely(self._faces(embeddings), share)
        kept = found.probabilities >= LEAST_PROBABILITY
        return Candidates(found.faces[kept], found.owners[kept], found.probabilities[kept])

    def evidence(self, embeddings: FloatArray) -> Evidence:
        """Return what speaks for each face (n, d) being of the people who are near to it."""
        vectors = self._faces(embeddings)
        blocks = [Evidence(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
        for faces, columns, features in self._crowd.pairs(vectors, self._lines):
            owners = self._crowd.owners[columns]
            values = self._weigh(features, columns)
            # Nobody is more than one of their looks.
            order = np.lexsort((-values, owners, faces))
            new = np.diff(faces[order] * (len(self.people) + 1) + owners[order], prepend=-1) > 0
            first = order[new]
            blocks.append(Evidence(faces[first], owners[first], values[first]))
        return Evidence(*(np.concatenate(part) for part in zip(*blocks, strict=True)))

    def _weigh(self, features: DoubleArray, columns: IntArray) -> DoubleArray:
        trust = self._crowd.size / (self._crowd.size + SMALL_CROWD)
        lines, planes = self._lines[columns], self._planes[columns]
        alone = lines[:, 0] + lines[:, 1] * features[:, 0]
        crowded = planes[:, 0] + (planes[:, 1:] * features).sum(axis=1)
        return self.settings.shift + self.settings.scale * (alone + trust * (crowded - alone))

    def _likely(self, vectors: FloatArray, share: float | None) -> Candidates:
        found = self.evidence(vectors)
        faces, owners, values = found
        count = len(vectors)
        # Whoever is known is as likely to be met as another.
        values = values - np.log(max(len(self.people), 1))
        best = np.full(count, -np.inf)
        np.maximum.at(best, faces, values)
        kept = values >= best[faces] - _BEHIND
        faces, owners, values = faces[kept], owners[kept], values[kept]
        level = np.maximum(best, 0)
        odds = np.exp(values - level[faces])
        sums = np.bincount(faces, odds, minlength=count).astype(np.float64)
        if share is None:
            share = _share(sums, level)
        strange = (1 - share) * np.exp(-level)
        probabilities = share * odds / (strange + share * sums)[faces]
        return Candidates(faces, owners, probabilities * self._unbarred(vectors, faces, owners))

    def _unbarred(self, vectors: FloatArray, faces: IntArray, owners: IntArray) -> DoubleArray:
        """Return (c,) what rejections leave of the probability of each pair."""
        left = np.ones(len(faces))
        barred, whose = self._rejected
        for person in np.unique(whose):
            pairs = np.flatnonzero(owners == person)
            if not len(pairs):
                continue
            theirs = vectors[faces[pairs]]
            rejected = (theirs @ barred[whose == person].T).max(axis=1)
            line = _between(self.settings.references, self.settings.lines, np.ones(1, np.int64))[0]
            against = line[0] + line[1] * rejected
            known = np.flatnonzero(self._crowd.owners == person)
            cosines = theirs @ self._crowd.columns[known].T
            lines = self._lines[known]
            for_them = (lines[:, 0] + lines[:, 1] * cosines).max(axis=1)
            left[pairs] = np.exp(-np.logaddexp(0, against - for_them))
            left[pairs[rejected >= SAME_FACE]] = 0
        return left

    def _faces(self, embeddings: FloatArray) -> FloatArray:
        return checked(embeddings, "faces", self._crowd.width if len(self.people) else None)


def learn(
    embeddings: FloatArray,
    people: Any,
    *,
    events: Any = None,
    quality: FloatArray | None = None,
    negatives: FloatArray | Sequence[Any] = (),
    base: Settings | None = None,
) -> Settings:
    """Fit shift and scale to a library's own confirmed faces, leaving events out in turn.

    Of each fifth of the events the faces are identified by those of the others, while a fifth of
    the people are strangers. With fewer than `LEAST_FACES` faces left out that way, or of fewer
    than `LEAST_PEOPLE` people, the settings stay as they are; with few more, near to it. A few
    wrong names do no harm: the loss of one face is bounded.

    Args:
        embeddings: (n, d) of unit length.
        people: (n,) whose they are.
        events: (n,) on which occasion each was taken; None if no two were on the same.
        quality: as for `Identifier.fit`.
        negatives: as for `Identifier.fit`.
        base: settings to begin with; None for those that are shipped.
    """
    base = base or Settings.default()
    vectors = checked(embeddings, "confirmed faces")
    _, owners = np.unique(np.asarray(people), return_inverse=True)
    if not len(vectors):
        return base
    order = np.lexsort((*vectors.T[:3], owners))
    vectors, owners = vectors[order], owners[order]
    weights = None if quality is None else np.asarray(quality)[order]
    if events is None:
        turns = np.arange(len(vectors)) % FOLDS
    else:
        turns = np.unique(np.asarray(events), return_inverse=True)[1][order] % FOLDS
    raw = replace(base, shift=0.0, scale=1.0)
    found: list[calibrate.Trials] = []
    for turn in range(FOLDS):
        strange = (owners % FOLDS) == turn
        known = ~strange & (turns != turn)
        if not known.any():
            continue
        identifier = Identifier.fit(
            vectors[known],
            owners[known],
            quality=None if weights is None else weights[known],
            negatives=negatives,
            settings=raw,
        )
        asked = strange | (~known & np.isin(owners, identifier.people))
        truth = np.where(strange, -1, np.searchsorted(identifier.people, owners))[asked]
        evidence = identifier.evidence(vectors[asked])
        found.append(calibrate.Trials.of(*evidence, truth, owners[asked], len(identifier.people)))
    trials = calibrate.Trials.joined(found)
    if trials.known < LEAST_FACES or trials.people < LEAST_PEOPLE:
        return base
    shift, scale = calibrate.settle(trials, base.shift, base.scale)
    return replace(base, shift=shift, scale=scale)


def _share(sums: DoubleArray, level: DoubleArray) -> float:
    """Return how many of the faces are of known people, by expectation maximisation.

    Args:
        sums: (n,) how much likelier each face is of somebody known than of a stranger, times
        level: (n,) e to the minus this.
    """
    share = 0.5
    strange = np.exp(-level)
    for _ in range(_ROUNDS):
        known = share * sums
        # As if one face more were known, and one more strange: of few faces little can be told.
        share = (1 + float((known / (known + (1 - share) * strange)).sum())) / (len(sums) + 2)
    return share


def _between(
    references: Sequence[int], rows: Sequence[Sequence[float]], counts: IntArray
) -> DoubleArray:
    """Return (c, w) the rows for these counts of references, between those that were fitted.

    What a mean tells grows with one over the count; beyond the last nothing changes.
    """
    fitted = 1 / np.array(references[::-1], np.float64)
    table = np.array(rows[::-1], np.float64)
    asked = 1 / np.maximum(counts, 1)
    return np.stack([np.interp(asked, fitted, column) for column in table.T], axis=1)


def _rejected(
    given: Iterable[tuple[FloatArray, Any]], names: NDArray[Any], width: int
) -> tuple[FloatArray, IntArray]:
    """Return vectors (r, d) and the places of those they are not; of people unknown nothing."""
    places = {name: place for place, name in enumerate(names.tolist())}
    kept = [
        (vector, places[name])
        for vector, person in given
        if (name := np.asarray(person).item()) in places
    ]
    vectors = checked([vector for vector, _ in kept], "rejected faces", width)
    return vectors, np.array([place for _, place in kept], np.int64)
