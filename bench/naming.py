"""Faces named against answers given: Lookwho's questions beside other ways to name a library.

An answer is one act: a name typed for a face or for a group, a yes or a no, one face tapped because
it does not belong, or one put right. Each person needs one name, whatever the way; what differs is
how many answers there are beyond that. A face is named when it bears the right name, be it that a
human said so or that Lookwho guesses it; names that are wrong are counted beside.

The groups of the others are those that take the fewest such answers for these very people, out of a
row of limits; their largest groups are named first, and faces that do not belong are put right at
once. Lookwho has the settings that a site has.

Intervals are a bootstrap over people at the questions as they were asked: the answers, the faces
and the name of a person count as often as that person is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.cluster import DBSCAN

from bench import tables, verification
from bench.annotator import Annotator, Habits, Step
from bench.grouping import Agreement, chinese_whispers
from bench.people import People
from bench.progress import shown
from lookwho.core.types import DoubleArray, IntArray

SHARES = (0.5, 0.8, 0.9, 0.95)
GOAL = 0.9
# Errors of the groups are looked at again after so many answers.
ANSWERS = 200
# Faces that are in no group are named in a random order; so many are tried.
ORDERS = 5
# A pass after so many answers, at three seconds each: every ten seconds as on a site, or fifteen.
ROUNDS, QUICK_ROUNDS = 3, 5
SLIPS = 0.02
BLURRED = 0.5
_WHISPERS = tuple(np.arange(0.28, 0.365, 0.01).round(3).tolist())
_WHISPERS_RAW = tuple(np.arange(0.38, 0.505, 0.01).round(3).tolist())
_DBSCAN = tuple(np.arange(0.22, 0.345, 0.01).round(3).tolist())
_WIDTH, _HEIGHT = 66, 14

Grouper = Callable[[People, float], IntArray]


@dataclass(frozen=True, slots=True)
class Course:
    """What stood after each act, by whose faces and name it was about.

    Attributes:
        answers: (steps, people) acts so far.
        named: (steps, people) whether anything bears their name: 0 or 1.
        right: (steps, people) faces that bear the right name.
        wrong: (steps, people) faces that bear another's.
        sizes: (people,) how many faces there are of each.
    """

    answers: IntArray
    named: IntArray
    right: IntArray
    wrong: IntArray
    sizes: IntArray

    @classmethod
    def of(cls, steps: Sequence[Step], sizes: IntArray) -> Course:
        """Put steps on one another."""
        return cls(
            np.stack([step.answers for step in steps]),
            np.stack([step.named for step in steps]),
            np.stack([step.right for step in steps]),
            np.stack([step.wrong for step in steps]),
            sizes,
        )

    def at(self, share: float, counts: IntArray) -> DoubleArray:
        """Return what it took to name a share of the faces (draws, 3).

        Args:
            share: of the faces that bear the right name.
            counts: (draws, people) how often each person counts.

        Returns:
            The answers, those beyond a name for each person, and the wrong names that were left;
            NaN where so many faces were never named.
        """
        draws = counts.T.astype(np.float64)
        reached = self.right @ draws >= share * (self.sizes @ draws) - 1e-9
        step = reached.argmax(axis=0)
        each = np.arange(len(counts))
        answers, names, wrong = (
            (table @ draws)[step, each] for table in (self.answers, self.named, self.wrong)
        )
        found = np.stack([answers, answers - names, wrong], axis=1)
        found[~reached[step, each]] = np.nan
        return found


def by_groups(groups: IntArray, owners: IntArray, people: int, *, seed: int = 0) -> Course:
    """Return how naming groups goes, the largest first, and one face after the other at last.

    Args:
        groups: (n,) labels; -1 for a face in none.
        owners: (n,) whose face each is.
        people: how many there are.
        seed: of the order of groups that are equally large.
    """
    alone = groups < 0
    labels = np.where(alone, groups.max(initial=-1) + 1 + np.arange(len(groups)), groups)
    _, labels, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    faces = np.argsort(labels, kind="stable")
    parts = np.split(owners[faces], np.cumsum(sizes)[:-1])
    acts: list[tuple[int, int]] = []  # whose name was told, for how many faces
    begins: list[tuple[int, IntArray]] = []  # the act at which faces got the name of another
    for label in shuffled[np.argsort(-sizes[shuffled], kind="stable")].tolist():
        theirs = parts[label]
        owner = int(np.bincount(theirs).argmax())
        odd = theirs[theirs != owner]
        begins.append((len(acts) + 1, odd))
        acts.append((owner, len(theirs) - len(odd)))
        acts += [(other, 1) for other in odd.tolist()]
    told = np.zeros((len(acts) + 1, people), np.int64)
    right = np.zeros_like(told)
    wrong = np.zeros_like(told)
    for step, (owner, count) in enumerate(acts, 1):
        told[step, owner] = 1
        right[step, owner] = count
    for step, odd in begins:
        np.add.at(wrong[step], odd, 1)
        for place, other in enumerate(odd.tolist(), step + 1):
            wrong[place, other] -= 1
    answers = told.cumsum(axis=0)
    return Course(
        answers,
        np.minimum(answers, 1),
        right.cumsum(axis=0),
        wrong.cumsum(axis=0),
        np.bincount(owners, minlength=people),
    )


def simulate(faces: People, habits: Habits, *, until: float = max(SHARES)) -> list[Step]:
    """Return what each answer of a simulated annotator left, until so many faces are named."""
    steps: list[Step] = []
    for step in shown(Annotator(faces, habits).answer_all(), "answers"):
        steps.append(step)
        if step.right.sum() >= until * len(faces.owners) and step.answers.sum() >= ANSWERS:
            break
    return steps


def report(faces: People, *, quick: bool) -> Iterator[str]:
    """Yield tables for all people and for those held out.

    Args:
        faces: with labels.
        quick: only the held-out people, and fewer passes.
    """
    yield "An answer is a name, a yes or a no, or one face tapped or put right. " + (
        "Columns tell how many it takes until so many of the faces bear the right name; *beyond* "
        "are answers beyond one name for each person, *wrong* faces that bear another's name then."
    )
    everyone = np.ones(len(faces.names), np.bool_)
    halves = [("Held-out people", faces.held_out)]
    if not quick:
        halves.insert(0, ("All people, those for calibration among them", everyone))
    for title, chosen in halves:
        part = faces.part(chosen)
        yield ""
        yield f"{title}: {len(part.owners)} faces of {len(np.unique(part.owners))} people."
        yield ""
        yield from _table(part, quick=quick)


def _table(faces: People, *, quick: bool) -> Iterator[str]:
    people = len(faces.names)
    sizes = np.bincount(faces.owners, minlength=people)
    rivals = _rivals(faces)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    steps = simulate(faces, Habits(rounds=rounds))
    ours = [("Lookwho", Course.of(steps, sizes))]
    if not quick:
        for told, habits in (
            (f"Lookwho, {SLIPS:.0%} slips", Habits(slips=SLIPS, rounds=rounds)),
            (f"Lookwho, faces under {BLURRED} not told", Habits(blurred=BLURRED, rounds=rounds)),
        ):
            ours.append((told, Course.of(simulate(faces, habits), sizes)))
    drawn = _draws(sizes)
    once = (sizes > 0).astype(np.int64)[None]
    rows = [
        _row(title, courses, once, drawn)
        for title, courses in (*rivals, *((title, [course]) for title, course in ours))
    ]
    heads = [
        "", *(f"{share:.0%}" for share in SHARES), f"beyond, at {GOAL:.0%}", "wrong",
        "beyond and wrong",
    ]  # fmt: skip
    yield from tables.markdown(heads, rows)
    yield ""
    yield _compared(rivals[1:], ours[0][1], once, drawn)
    yield ""
    yield from _curve([(title, courses[0]) for title, courses in rivals] + ours[:1], once[0])
    yield ""
    yield from _errors(faces, steps, drawn)


def _rivals(faces: People) -> list[tuple[str, list[Course]]]:
    """Return the other ways, each at its best, in several orders of what is left to chance."""
    people = len(faces.names)
    each = np.full(len(faces.owners), -1)
    found = [("face by face", each)]
    for title, grouper, limits in (
        ("Chinese whispers, raw Euclidean", partial(_whispers, raw=True), _WHISPERS_RAW),
        ("Chinese whispers, embeddings", _whispers, _WHISPERS),
        ("DBSCAN, embeddings", _dbscan, _DBSCAN),
    ):
        limit, groups = _best(faces, grouper, limits)
        found.append((f"{title} {limit}", groups))
    return [
        (title, [by_groups(groups, faces.owners, people, seed=seed) for seed in range(ORDERS)])
        for title, groups in found
    ]


def _best(faces: People, grouper: Grouper, limits: Sequence[float]) -> tuple[float, IntArray]:
    """Return the limit whose groups take the fewest answers beyond a name for each person."""
    people = len(faces.names)
    once = np.ones((1, people), np.int64)
    tried: list[tuple[float, float, IntArray]] = []
    for limit in shown(limits, "limits"):
        groups = grouper(faces, limit)
        beyond = by_groups(groups, faces.owners, people).at(GOAL, once)[0, 1]
        tried.append((float(beyond), limit, groups))
    _, limit, groups = min(tried, key=lambda one: one[:2])
    return limit, groups


def _whispers(faces: People, limit: float, *, raw: bool = False) -> IntArray:
    return chinese_whispers(faces.encodings if raw else faces.embeddings, limit)


def _dbscan(faces: People, limit: float) -> IntArray:
    # With two faces a core, what is in no group of two is noise: at three there are more answers.
    found = DBSCAN(eps=limit, min_samples=2).fit(faces.embeddings)
    return np.asarray(found.labels_, np.int64)


def _draws(sizes: IntArray) -> IntArray:
    """Return how often each person is drawn (draws, people), of those who are there."""
    there = np.flatnonzero(sizes)
    drawn = np.zeros((verification.DRAWS, len(sizes)), np.int64)
    drawn[:, there] = verification.draw(len(there))
    return drawn


def _mean(courses: Iterable[Course], share: float, counts: IntArray) -> DoubleArray:
    return np.mean([course.at(share, counts) for course in courses], axis=0)


def _row(title: str, courses: list[Course], once: IntArray, drawn: IntArray) -> list[str]:
    cells = [_number(_mean(courses, share, once)[0, 0]) for share in SHARES]
    _, beyond, wrong = _mean(courses, GOAL, once)[0].tolist()
    found = _mean(courses, GOAL, drawn)
    return [
        title,
        *cells,
        f"{_number(beyond)} {_span(found[:, 1])}",
        _number(wrong),
        f"{_number(beyond + wrong)} {_span(found[:, 1] + found[:, 2])}",
    ]


def _compared(
    rivals: list[tuple[str, list[Course]]], ours: Course, once: IntArray, drawn: IntArray
) -> str:
    """Return in words how many answers beyond the names there are, against each rival's groups."""
    told: list[str] = []
    for title, courses in rivals:
        values: list[str] = []
        for wrong_names in (0, 1):
            (share,), shares = (
                _shares(ours.at(GOAL, counts), _mean(courses, GOAL, counts), wrong_names)
                for counts in (once, drawn)
            )
            low, high = verification.interval(shares)
            values.append(f"{share:.2f} ({low:.2f}–{high:.2f})")
        told.append(f"{values[0]} of those with {title} ({values[1]} with wrong names as answers)")
    return f"Answers beyond one name a person, at {GOAL:.0%}: " + "; ".join(told) + "."


def _shares(ours: DoubleArray, theirs: DoubleArray, wrong_names: int) -> DoubleArray:
    own, their = (beyond + wrong_names * wrong for _, beyond, wrong in (ours.T, theirs.T))
    return _part(own, their)


def _part(some: DoubleArray, whole: DoubleArray) -> DoubleArray:
    """Return some / whole, and 1 where there is nothing."""
    return np.divide(some, whole, out=np.ones_like(whole), where=whole > 0)


def _curve(courses: Sequence[tuple[str, Course]], once: IntArray) -> Iterator[str]:
    """Yield a drawing of the faces named against the answers given."""
    last = max(int(course.answers[-1] @ once) for _, course in courses[1:])
    letters = "FRCDL"
    grid = [[" "] * _WIDTH for _ in range(_HEIGHT + 1)]
    for letter, (_, course) in zip(letters, courses, strict=True):
        answers = course.answers @ once
        named = course.right @ once / (course.sizes @ once)
        for column in range(_WIDTH):
            at = np.searchsorted(answers, last * column / (_WIDTH - 1), side="right") - 1
            if at + 1 < len(answers) or answers[-1] >= last * column / (_WIDTH - 1):
                grid[round(_HEIGHT * float(named[at]))][column] = letter
    yield "Faces named, by answers; " + ", ".join(
        f"{letter} {title}" for letter, (title, _) in zip(letters, courses, strict=True)
    )
    yield ""
    for row in range(_HEIGHT, -1, -1):
        mark = f"{100 * row / _HEIGHT:3.0f} %" if row % 7 == 0 else ""
        yield f"    {mark:>5} |" + "".join(grid[row]).rstrip()
    yield "          +" + "-" * _WIDTH
    yield f"           0{last:>{_WIDTH - 1}}"


def _errors(faces: People, steps: Sequence[Step], drawn: IntArray) -> Iterator[str]:
    """Yield what the groups are like before the first answer, and after many."""
    after = next((step for step in steps if step.answers.sum() >= ANSWERS), steps[-1])
    there = np.flatnonzero(np.bincount(faces.owners, minlength=len(faces.names)))
    rows: list[list[str]] = []
    values: list[DoubleArray] = []
    many: list[DoubleArray] = []
    for title, step in (
        ("without an answer", steps[0]),
        (f"after {int(after.answers.sum())} answers", after),
    ):
        agreement = Agreement.of(np.where(step.company > 0, step.company, -1), faces.owners)
        values.append(agreement.scores(np.ones(len(there), np.int64))[[0, 3]])
        many.append(np.array([agreement.scores(one)[[0, 3]] for one in drawn[:, there]]))
        spans = verification.interval(many[-1]).T
        cells = [f"{v:.3f} ({a:.3f}–{b:.3f})" for v, (a, b) in zip(values[-1], spans, strict=True)]
        rows.append([title, *cells])
    left = _part(1 - values[1], 1 - values[0])
    spans = verification.interval(_part(1 - many[1], 1 - many[0])).T
    cells = [f"{v:.2f} ({a:.2f}–{b:.2f})" for v, (a, b) in zip(left, spans, strict=True)]
    rows.append(["errors that are left", *cells])
    yield from tables.markdown(["Lookwho's groups", "B³ F", "pair F"], rows)


def _number(value: float) -> str:
    return "never" if np.isnan(value) else f"{value:.0f}"


def _span(values: DoubleArray) -> str:
    if np.isnan(values).any():
        return "(–)"
    low, high = verification.interval(values)
    return f"({low:.0f}–{high:.0f})"
