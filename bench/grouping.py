"""Groups of faces against people, with nothing known: Lookwho beside the usual ways.

Each other way has the settings that are best for the very people who are scored, by B-cubed and
pairwise F together; Lookwho has those it is shipped with. Intervals are a bootstrap over people,
and differences are paired: every way is scored on the same draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench import decided, tables, verification
from bench.made import made
from bench.people import People
from bench.progress import shown
from bench.ways import Rival, chinese_whispers, rivals
from lookwho.core.group import NEW, churn, group
from lookwho.core.types import DoubleArray, IntArray

__all__ = ["Agreement", "chinese_whispers", "report"]

# Libraries of so many faces are drawn from the people, so often.
SMALL, DRAWN = 1000, 3
# As many as in Labeled Faces in the Wild, most of them made.
LARGE = 13_233
# So many faces are added to a library that is grouped.
ADDED = 1000
_HEADS = ["", "B³ F", "precision", "recall", "pair F", "precision", "recall"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How groups and people overlap, counted so that people can be drawn anew.

    A cell is the faces that one person has in one group.

    Attributes:
        person, group, faces: (cells,) of each cell.
        sizes: (people,) faces of each person.
    """

    person: IntArray
    group: IntArray
    faces: DoubleArray
    sizes: DoubleArray

    @classmethod
    def of(cls, groups: IntArray, owners: IntArray) -> Agreement:
        """Count; groups (n,) with -1 for a face alone, owners (n,)."""
        alone = groups < 0
        groups = np.where(alone, groups.max(initial=0) + 1 + np.arange(len(groups)), groups)
        _, owners = np.unique(owners, return_inverse=True)
        _, groups = np.unique(groups, return_inverse=True)
        cells, faces = np.unique(np.stack([owners, groups]), axis=1, return_counts=True)
        sizes = np.bincount(owners).astype(np.float64)
        return cls(cells[0], cells[1], faces.astype(np.float64), sizes)

    def scores(self, counts: IntArray) -> DoubleArray:
        """Return B-cubed F, precision and recall, and the same by pairs (6,).

        Args:
            counts: (people,) how often each person is drawn. Two copies of a person are not
                compared with each other: their faces would always lie in the same group. How
                precise a group is for a face, of which B-cubed is the mean, stays as it is.
        """
        often = counts[self.person].astype(np.float64)
        mass = often * self.faces
        precise = self.faces / np.bincount(self.group, self.faces)[self.group]
        precision = float(mass @ precise / mass.sum())
        recall = float(mass @ (self.faces / self.sizes[self.person]) / mass.sum())
        others = np.bincount(self.group, mass)[self.group] - mass
        shared = float(mass @ (self.faces - 1))
        grouped = shared + float(mass @ others)
        people = float(counts @ (self.sizes * (self.sizes - 1)))
        pair_precision = shared / grouped if grouped else 1.0
        pair_recall = shared / people if people else 1.0
        return np.array([
            _f(precision, recall), precision, recall,
            _f(pair_precision, pair_recall), pair_precision, pair_recall,
        ])  # fmt: skip


def _f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def report(people: People, *, quick: bool) -> Iterator[str]:
    """Yield tables about held-out people, all people, small libraries and large ones.

    Args:
        people: with their faces.
        quick: the held-out people only, fewer settings and draws.
    """
    everyone = np.ones(len(people.names), np.bool_)
    halves = [("Held-out people", people.part(people.held_out))]
    if not quick:
        halves.append(("All people, those for calibration among them", people.part(everyone)))
    yield (
        "Lookwho with the settings shipped, each other way with those that are best for the very "
        "people who are scored. Differences: Lookwho less the other, on the same draws of people; "
        f"95 % intervals, {verification.DRAWS} draws."
    )
    for title, part in halves:
        yield from ["", f"{title}: {_told(part)}.", ""]
        yield from _table(part, rivals(quick=quick))
        yield from ["", f"The same, after the {decided.ANSWERS} answers worth most:", ""]
        yield from _after_answers(part)
        yield ""
        yield _after_more(part)
    if quick:
        return
    yield from ["", f"Libraries of {SMALL:,} faces, drawn by person {DRAWN} times:", ""]
    yield from _drawn(halves[-1][1])
    large = with_made(people)
    yield from ["", f"With people who are made of those for calibration: {_told(large)}.", ""]
    yield from _table(large, [rival for rival in rivals(quick=False) if rival.made])
    yield ""
    yield _after_more(large)


def _told(people: People) -> str:
    return f"{len(people.owners):,} faces of {len(np.unique(people.owners)):,} people"


def ours(people: People) -> IntArray:
    """Group as Lookwho does."""
    return group(people.embeddings, quality=people.quality)


def _best(rival: Rival, people: People) -> tuple[str, Agreement]:
    """Return the setting that is best for these people, and its groups."""
    tried = [
        (setting, Agreement.of(way(people), people.owners))
        for setting, way in shown(rival.tries, rival.title)
    ]
    return max(tried, key=lambda one: float(_scores(one[1])[[0, 3]].sum()))


def _scores(agreement: Agreement) -> DoubleArray:
    return agreement.scores(np.ones(len(agreement.sizes), np.int64))


def _table(people: People, others: Sequence[Rival]) -> list[str]:
    own = Agreement.of(ours(people), people.owners)
    drawn = verification.draw(len(own.sizes))
    many = np.array([own.scores(one) for one in drawn])
    rows = [["Lookwho", *_with_spans(_scores(own), many), "", ""]]
    for rival in others:
        setting, agreement = _best(rival, people)
        theirs = np.array([agreement.scores(one) for one in drawn])
        value = _scores(agreement)
        less = [
            f"{a:+.3f} ({b:+.3f} to {c:+.3f})"
            for a, b, c in zip(
                (_scores(own) - value)[[0, 3]],
                *verification.interval((many - theirs)[:, [0, 3]]),
                strict=True,
            )
        ]
        rows.append([f"{rival.title} {setting}", *_with_spans(value, theirs), *less])
    return tables.markdown([*_HEADS, "difference of B³ F", "of pair F"], rows)


def _with_spans(value: DoubleArray, many: DoubleArray) -> list[str]:
    cells = [f"{score:.3f}" for score in value]
    a, b = verification.interval(many)
    for place in (0, 3):
        cells[place] += f" ({a[place]:.3f}–{b[place]:.3f})"
    return cells


def _after_answers(people: People) -> list[str]:
    """Return a table of how many errors of the groups are left after answers."""
    before, after = decided.by_answers(people)
    agreements = [Agreement.of(groups, people.owners) for groups in (before, after)]
    values = [_scores(agreement) for agreement in agreements]
    drawn = verification.draw(len(agreements[0].sizes))
    many = [np.array([agreement.scores(one) for one in drawn]) for agreement in agreements]
    rows = [
        [title, *_with_spans(value, spread)]
        for title, value, spread in zip(("before", "after"), values, many, strict=True)
    ]
    left = [(1 - after) / np.maximum(1 - before, 1e-9) for before, after in (values, many)]
    cells = [f"{score:.2f}" for score in left[0]]
    a, b = verification.interval(left[1])
    for place in (0, 3):
        cells[place] += f" ({a[place]:.2f}–{b[place]:.2f})"
    rows.append(["part of the errors (1 - F) that is left", *cells])
    return tables.markdown(
        ["", "B³ F", "precision", "recall", "pair F", "precision", "recall"], rows
    )


def _after_more(people: People) -> str:
    """Return in words what adding faces to grouped ones changes."""
    count = len(people.owners)
    added = min(ADDED, count // 2)
    new = np.zeros(count, np.bool_)
    new[np.random.default_rng(0).permutation(count)[:added]] = True
    before = np.full(count, NEW, np.int64)
    before[~new] = group(people.embeddings[~new], quality=people.quality[~new])
    after = group(people.embeddings, quality=people.quality, before=before)
    whole = ours(people)
    score, at_once = (_scores(Agreement.of(one, people.owners)) for one in (after, whole))
    return (
        f"When {added:,} of these faces come later: {churn(before, after):.1%} of the others "
        f"change company, against {churn(before, whole):.1%} if all are grouped anew; "
        f"B³ F {score[0]:.3f} ({at_once[0]:.3f} anew), pair F {score[3]:.3f} ({at_once[3]:.3f})."
    )


def _drawn(people: People) -> list[str]:
    """Return a table of means over small libraries; each is tuned on by itself."""
    generator = np.random.default_rng(0)
    parts: list[People] = []
    for _ in range(DRAWN):
        order = generator.permutation(len(people.names))
        sizes = np.bincount(people.owners, minlength=len(order))[order]
        chosen = np.zeros(len(order), np.bool_)
        chosen[order[: int(np.searchsorted(sizes.cumsum(), SMALL)) + 1]] = True
        parts.append(people.part(chosen))
    own = np.mean([_scores(Agreement.of(ours(part), part.owners)) for part in parts], axis=0)
    rows = [["Lookwho", *(f"{score:.3f}" for score in own), "", ""]]
    for rival in rivals(quick=False):
        value = np.mean([_scores(_best(rival, part)[1]) for part in parts], axis=0)
        less = [f"{score:+.3f}" for score in (own - value)[[0, 3]]]
        rows.append([rival.title, *(f"{score:.3f}" for score in value), *less])
    return tables.markdown([*_HEADS, "difference of B³ F", "of pair F"], rows)


def with_made(people: People) -> People:
    """Add people who are made, until there are as many faces as in Labeled Faces in the Wild."""
    vectors, owners = made(people.part(~people.held_out))
    room = LARGE - len(people.owners)
    order = np.random.default_rng(0).permutation(int(owners.max()) + 1)
    sizes = np.bincount(owners)[order]
    kept = np.zeros(len(order), np.bool_)
    kept[order[np.cumsum(sizes) <= room]] = True
    there = kept[owners]
    count = int(there.sum())
    width = people.encodings.shape[1]
    return replace(
        people,
        owners=np.concatenate([people.owners, len(people.names) + owners[there]]),
        embeddings=np.concatenate([people.embeddings, vectors[there]]),
        encodings=np.concatenate([people.encodings, np.zeros((count, width), np.float32)]),
        quality=np.concatenate([people.quality, np.ones(count, np.float32)]),
    )
