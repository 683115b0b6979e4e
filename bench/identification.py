"""Identifying people who are known by a few photos, among strangers: fitted, and beside others.

A draw makes a library: half of the people with more than k photos are known by k of them; all
others are strangers, a half of whom is there to learn from, and the other half must not be taken
for anybody. What counts is how many faces of known people are given their name where so many of a
hundred strangers are given any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.svm import LinearSVC  # type: ignore[import-untyped]

from bench import calibration, tables, verification
from bench.people import BoolArray, People
from lookwho.core import calibrate
from lookwho.core.identify import Identifier, Settings
from lookwho.core.resemblance import Crowd
from lookwho.core.types import DoubleArray, FloatArray, IntArray
from lookwho.core.vectors import unit

REFERENCES = (1, 2, 3, 5)
SHOWN = (1, 3, 5)
RATES = (0.01, 0.05)
DRAWS, FEW_DRAWS = 20, 4
FIT_DRAWS = 10
RESAMPLES = 1000
# So many faces at most of each person who is known, of each stranger, and to learn from of each.
PROBES, STRANGER_PROBES, NEGATIVES = 10, 5, 3
# One face in so many is a person's, where the evidence is fitted: what tells strangers apart that
# lie nearest, not those whom everything does.
PRIOR = 0.001
# What is fitted has to hold for libraries with many strangers, with some and with none to learn
# from: so many at most.
_NEGATIVES = (10_000, 60, 0)
_DIGITS = 5
# A line so flat that everybody near is looked at while lines are fitted.
EVERYBODY = np.array([0.0, 100.0])
_SVM_WEIGHT = 0.15

# From faces (n, d) to scores (n, people).
Scores = Callable[[FloatArray], DoubleArray]


@dataclass(frozen=True, slots=True)
class Draw:
    """A library, by the places of faces in `People`.

    Attributes:
        references: (people, k) of those who are known.
        negatives: (s,) of strangers.
        asked: (n,) of known people and of other strangers.
        truth: (n,) which of the known people each is, -1 for none.
        weights: (n,) how much each counts; the faces of a stranger count for one together.
    """

    references: IntArray
    negatives: IntArray
    asked: IntArray
    truth: IntArray
    weights: DoubleArray

    @property
    def owners(self) -> IntArray:
        """Whose the references are."""
        return np.repeat(np.arange(len(self.references)), self.references.shape[1])


def draw(faces: People, references: int, seed: int) -> Draw:
    """Draw a library of people known by so many photos, and strangers."""
    generator = np.random.default_rng([references, seed])
    own = {
        int(person): generator.permutation(np.flatnonzero(faces.owners == person))
        for person in np.unique(faces.owners)
    }
    able = generator.permutation([person for person in own if len(own[person]) > references])
    known = able[: len(able) // 2]
    strangers = generator.permutation(np.setdiff1d(np.array(list(own)), known))
    taught, asked = np.array_split(strangers, 2)
    parts = [(own[person][references:][:PROBES], place) for place, person in enumerate(known)]
    parts += [(own[person][:STRANGER_PROBES], -1) for person in asked]
    return Draw(
        np.array([own[person][:references] for person in known]),
        np.concatenate([own[person][:NEGATIVES] for person in taught]),
        np.concatenate([part for part, _ in parts]),
        np.concatenate([np.full(len(part), place) for part, place in parts]),
        np.concatenate([_weights(len(part), place) for part, place in parts]),
    )


def _weights(count: int, place: int) -> DoubleArray:
    return np.full(count, 1.0 if place >= 0 else 1 / count)


# --- fitting ---


def fit(faces: People) -> Settings:
    """Fit lines and planes for each number of references, then shift and scale of them all."""
    lines: list[tuple[float, ...]] = []
    planes: list[tuple[float, ...]] = []
    for references in REFERENCES:
        found = [
            _judged(faces, replace(drawn, negatives=drawn.negatives[:most]))
            for drawn in (draw(faces, references, seed) for seed in range(FIT_DRAWS))
            for most in _NEGATIVES
        ]
        features, same, weights = (np.concatenate(part) for part in zip(*found, strict=True))
        lines.append(_short(calibration.plane(features[:, :1], same, weights, PRIOR)))
        planes.append(_short(calibration.plane(features, same, weights, PRIOR)))
    settings = Settings(REFERENCES, tuple(lines), tuple(planes))
    trials = [
        trial
        for references in REFERENCES
        for seed in range(FIT_DRAWS)
        for trial in _trials(faces, draw(faces, references, seed), settings)
    ]
    shift, scale = calibrate.settle(calibrate.Trials.joined(trials), 0.0, 1.0)
    return replace(settings, shift=_short([shift])[0], scale=_short([scale])[0])


def _judged(faces: People, drawn: Draw) -> tuple[DoubleArray, BoolArray, DoubleArray]:
    """Return the features of pairs, whether they are one person, and their weights.

    Those of the same person weigh 1 together, and those of all strangers with everybody known.
    """
    means = unit(faces.embeddings[drawn.references].mean(axis=1))
    none = np.zeros(0, np.int64)
    crowd = Crowd(means, faces.embeddings[drawn.negatives], means[:0], none)
    blocks = list(crowd.pairs(faces.embeddings[drawn.asked], np.tile(EVERYBODY, (len(means), 1))))
    pairs, columns, features = (np.concatenate(part) for part in zip(*blocks, strict=True))
    same = drawn.truth[pairs] == columns
    weights = drawn.weights[pairs]
    weights = np.where(
        same, weights / weights[same].sum(), weights / drawn.weights.sum() / len(means)
    )
    return features, same, weights


def _trials(faces: People, drawn: Draw, settings: Settings) -> Iterator[calibrate.Trials]:
    persons = faces.owners[drawn.asked]
    for most in _NEGATIVES:
        identifier = _fitted(faces, replace(drawn, negatives=drawn.negatives[:most]), settings)
        evidence = identifier.evidence(faces.embeddings[drawn.asked])
        yield calibrate.Trials.of(*evidence, drawn.truth, persons, len(drawn.references))


def _fitted(faces: People, drawn: Draw, settings: Settings | None) -> Identifier:
    vectors = faces.embeddings[drawn.references].reshape(-1, faces.embeddings.shape[1])
    negatives = faces.embeddings[drawn.negatives]
    return Identifier.fit(vectors, drawn.owners, negatives=negatives, settings=settings)


def _short(numbers: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(f"{number:.{_DIGITS}g}") for number in numbers)


# --- measuring ---


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method says of the faces of a draw.

    Attributes:
        right: (n,) whether the best person is the one.
        scores: (n,) of the best person.
    """

    right: BoolArray
    scores: DoubleArray


def rates(drawn: Draw, outcome: Outcome, counts: DoubleArray) -> DoubleArray:
    """Return how many faces of known people are named, where so many of the strangers are.

    Args:
        drawn: the draw.
        outcome: of a method.
        counts: (n,) how often each face is drawn.
    """
    weights = drawn.weights * counts
    strange = drawn.truth < 0
    order = np.argsort(-outcome.scores[strange], kind="stable")
    scores, passed = outcome.scores[strange][order], np.cumsum(weights[strange][order])
    known, right = ~strange, outcome.right & ~strange
    found: list[float] = []
    for rate in RATES:
        # The first stranger who would be one too many.
        place = int(np.searchsorted(passed, rate * passed[-1] + 1e-9, side="right"))
        accepted = right & (outcome.scores > scores[min(place, len(scores) - 1)])
        found.append(float(weights[accepted].sum() / weights[known].sum()))
    return np.array(found)


def nearest(vectors: FloatArray, negatives: FloatArray) -> Scores:
    """Score by the nearest of (people, k, d) references."""
    del negatives
    return lambda faces: np.einsum("nd,pkd->npk", faces, vectors, optimize=True).max(axis=2)


def mean_cosine(vectors: FloatArray, negatives: FloatArray) -> Scores:
    """Score by the mean of the references."""
    del negatives
    means = unit(vectors.mean(axis=1))
    return lambda faces: (faces @ means.T).astype(np.float64)


def support(vectors: FloatArray, negatives: FloatArray) -> Scores:
    """Score by a linear support vector machine for each person, and the cosine of the mean."""
    people, each, width = vectors.shape
    everybody = np.concatenate([vectors.reshape(-1, width), negatives])
    owners = np.concatenate([np.repeat(np.arange(people), each), np.full(len(negatives), -1)])
    planes = np.zeros((people, width + 1))
    for person in range(people):
        machine = LinearSVC(C=10.0, class_weight="balanced", tol=1e-3, random_state=0)
        machine.fit(everybody, owners == person)
        planes[person] = np.append(machine.coef_, machine.intercept_)
    cosine = mean_cosine(vectors, negatives)
    return lambda faces: cosine(faces) + _SVM_WEIGHT * (faces @ planes[:, :-1].T + planes[:, -1])


OTHERS = {
    "nearest reference": nearest,
    "mean cosine": mean_cosine,
    "linear SVM x 0.15 + mean cosine": support,
}
SIMPLE = ("nearest reference", "mean cosine")
OURS, ALONE = "Lookwho", "Lookwho, without strangers to learn from"


def outcomes(
    faces: People, drawn: Draw, names: Sequence[str], settings: Settings | None = None
) -> dict[str, Outcome]:
    """Return what each method says; the scores of ours are probabilities."""
    asked, vectors = faces.embeddings[drawn.asked], faces.embeddings[drawn.references]
    found: dict[str, Outcome] = {}
    for name in names:
        scores = OTHERS[name](vectors, faces.embeddings[drawn.negatives])(asked)
        found[name] = Outcome(scores.argmax(axis=1) == drawn.truth, scores.max(axis=1))
    for name, kept in ((ALONE, replace(drawn, negatives=drawn.negatives[:0])), (OURS, drawn)):
        said = _fitted(faces, kept, settings).predict(asked)
        found[name] = Outcome(said.people == drawn.truth, said.probabilities)
    return found


def report(people: People, *, quick: bool) -> Iterable[str]:
    """Yield tables of naming known people among strangers; the support vectors take minutes."""
    held_out = people.part(people.held_out)
    for faces, whose in (
        (held_out, "held-out people"),
        (people, "all people, also those fitted on"),
    ):
        yield from _table(faces, whose, quick=quick)
        yield ""


def _table(faces: People, whose: str, *, quick: bool) -> Iterator[str]:
    names = [name for name in OTHERS if not (quick and OTHERS[name] is support)]
    rows: dict[str, list[str]] = {name: [] for name in [*names, ALONE, OURS]}
    gains: dict[str, list[str]] = {name: [] for name in SIMPLE}
    errors: list[str] = []
    sizes: list[str] = []
    count, resamples = (FEW_DRAWS, RESAMPLES // 10) if quick else (DRAWS, RESAMPLES)
    again = verification.draw(int(faces.owners.max()) + 1, resamples).astype(np.float64)
    for references in SHOWN:
        drawn = [draw(faces, references, seed) for seed in range(count)]
        found = [outcomes(faces, each, names) for each in drawn]
        values: dict[str, DoubleArray] = {}
        for name in rows:
            pairs = [(each, said[name]) for each, said in zip(drawn, found, strict=True)]
            mean = _mean(faces, pairs, np.ones(again.shape[1]))
            values[name] = np.array([_mean(faces, pairs, counts) for counts in again])
            rows[name] += _cells("", mean, values[name])
        for name in gains:
            gain = values[OURS] - values[name]
            gains[name] += _cells("+", gain.mean(axis=0), gain)
        ours = [said[OURS] for said in found]
        error = calibration.calibration_error(
            np.concatenate([each.scores for each in ours]),
            np.concatenate([each.right for each in ours]),
        )
        errors.append(f"{references}: {error:.4f}")
        known = np.mean([len(each.references) for each in drawn])
        others = np.mean([each.weights[each.truth < 0].sum() for each in drawn])
        sizes.append(f"{references}: {known:.0f} known, {others:.0f} strangers")
    heads = [
        f"{references} photo{'s' * (references > 1)}, {rate:.0%}"
        for references in SHOWN
        for rate in RATES
    ]
    yield (
        f"Identification, {whose} ({faces.split}): how many faces of known people are named where "
        f"1 % and 5 % of the strangers are. {count} draws; by photos of each known person, "
        f"{'; '.join(sizes)}. Intervals of 95 %, by drawing people anew."
    )
    yield ""
    yield from tables.markdown(["method", *heads], [[name, *cells] for name, cells in rows.items()])
    yield ""
    yield "What Lookwho gains on the simple methods, in pairs:"
    yield ""
    yield from tables.markdown(["than", *heads], [[name, *cells] for name, cells in gains.items()])
    yield ""
    yield f"Expected calibration error, by photos of each known person: {', '.join(errors)}."


def _mean(faces: People, pairs: Sequence[tuple[Draw, Outcome]], counts: DoubleArray) -> DoubleArray:
    """Return the mean rates over draws, where people (people,) are drawn so often."""
    found = [rates(drawn, said, counts[faces.owners[drawn.asked]]) for drawn, said in pairs]
    return np.mean(found, axis=0)


def _cells(sign: str, middle: DoubleArray, values: DoubleArray) -> list[str]:
    low, high = verification.interval(values)
    return [
        f"{m:{sign}.3f} [{a:{sign}.3f}, {b:{sign}.3f}]"
        for m, a, b in zip(middle, low, high, strict=True)
    ]
