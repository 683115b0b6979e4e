"""Group: faces in, people out, with nothing known about them, or with all that humans have said.

Groups are united by what their mean vectors have in common (`lookwho.core.linkage`), so one
look-alike cannot chain two people together, as it does where the nearest pair decides. How alike
two faces must be follows from the number of faces: the more strangers, the more look-alikes.
"""

from __future__ import annotations

import numpy as np

from lookwho.core.density import densities
from lookwho.core.errors import InputError
from lookwho.core.known import ALONE, NEW, Known, Links, column, distinct
from lookwho.core.linkage import BoolArray, Units, between, join, link
from lookwho.core.neighbours import similar
from lookwho.core.types import FloatArray, IntArray

__all__ = ["ALONE", "LEAST_QUALITY", "NEW", "Links", "churn", "group", "suitable_limit"]

# The greatest distance (1 - cosine) of two single faces that are one person, in a library of so
# many faces, and the power of their number that it shrinks by. Of limits in steps of 0.004 the
# best are 0.070 and 0.074 on a quarter of people A-E of identities/ (400 faces), 0.062 and 0.066
# on all of them (1,612); on made faces 0.052 among 13,000 and 0.046 among 40,000.
# That was without `core.density`; with it 0.063 and 0.064 are equally good, and the stricter one
# leaves fewer faces in groups that they do not belong to.
LIMIT = 0.063
LIMIT_FACES = 1612
LIMIT_POWER = 0.1
LIMIT_MOST = 0.075
# A worse face resembles everybody: it may join a group, but neither found nor bridge one. On
# identities/ (3,251 labelled faces) and crowds/ together: B-cubed of neither half of the names
# falls up to 0.45, while groups of street faces fall from 97 to 45 at 0.4.
LEAST_QUALITY = 0.4
# Whom a poor face may join: a group with so many good faces, or with a name.
LEAST_FOUNDERS = 2
# Faces that are farther apart than so many limits are not compared, nor more than the nearest so
# many of each: a group that they belong to is found by others of its faces.
REACH = 1.2
NEIGHBOURS = 40


def group(
    embeddings: FloatArray,
    *,
    photos: IntArray | None = None,
    quality: FloatArray | None = None,
    people: IntArray | None = None,
    must: Links = (),
    cannot: Links = (),
    before: IntArray | None = None,
    limit: float | None = None,
) -> IntArray:
    """Group faces by person.

    What is known is kept, the stronger where it contradicts itself: people, then must, then
    cannot, then photos (`lookwho.core.known`).

    Args:
        embeddings: (n, d) float32 of unit length.
        photos: (n,) which photo each face is from; None where every face has its own. Two faces of
            one photo are two people.
        quality: (n,) from 0 to 1; None where all are good.
        people: (n,) whom a human said that each face is, -1 for unknown. Faces of one person are
            one group, and of two people two.
        must: (m, 2) pairs of faces that are one person.
        cannot: (m, 2) pairs of faces that are two people.
        before: (n,) labels of an earlier call, `NEW` for a face that was not there. Groups keep
            their labels, new faces join them, and only what these touch, or what contradicts what
            is known now, is grouped anew. A label that is new is greater than all before.
        limit: the greatest distance (1 - cosine) of two single faces that are one person; None for
            one that suits the number of faces.

    Returns:
        (n,) int64, the group of each face: without `before`, 0 the largest group, 1 the next;
        `ALONE` for a face that resembles no other. The same faces always give the same groups.

    Raises:
        InputError: an embedding is not finite, or an argument does not fit the faces.
    """
    vectors = _checked(embeddings)
    count = len(vectors)
    known = Known(count, photos, people, must, cannot)
    was = column("before", before, count, NEW)
    good = _good(quality, count)
    if not count:
        return was
    limit = suitable_limit(count) if limit is None else limit
    whole = known.base if before is None else known.kept(was)
    loose = _loose(was, whole)
    low, high = similar(vectors, 1 - REACH * limit, NEIGHBOURS, np.flatnonzero(loose))
    looked = loose[low] | loose[high]
    low, high = low[looked], high[looked]
    compared = np.zeros(count, bool)
    compared[whole[low]] = compared[whole[high]] = True
    compared = compared[whole]
    dense = np.zeros(count, np.float32)
    dense[compared] = densities(vectors[compared], vectors[good], limit)
    units, of = known.units(vectors, dense, good, whole)
    _link(units, *between(of, low, high), _founding(units, of, good), limit)
    return _labelled(units.roots()[of], was, known.people)


def churn(before: IntArray, after: IntArray) -> float:
    """Return the share of faces, of those in both, whose company changed.

    Args:
        before: (n,) labels, `ALONE` for a face alone, `NEW` for one that was not there.
        after: (n,) labels of the same faces; new faces in the company of old ones change nothing.
    """
    there = before != NEW
    old, new = _singled(before[there]), _singled(after[there])
    if not len(old):
        return 0.0
    cells = np.unique(np.stack([old, new]), axis=1, return_inverse=True)[1]
    sizes = [np.bincount(part)[part] for part in (cells, old, new)]
    return float(((sizes[0] != sizes[1]) | (sizes[0] != sizes[2])).mean())


def suitable_limit(faces: int) -> float:
    """Return the greatest distance of two single faces of one person, among so many faces."""
    return float(min(LIMIT * (max(faces, 1) / LIMIT_FACES) ** -LIMIT_POWER, LIMIT_MOST))


def _checked(embeddings: FloatArray) -> FloatArray:
    vectors = np.ascontiguousarray(embeddings, np.float32)
    if vectors.ndim != 2:
        raise InputError(f"embeddings must be a row of numbers for each face: {vectors.shape}")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise InputError(
            f"embedding {int(np.argmin(finite))} holds a number that is not finite: "
            "analyse that face again"
        )
    return vectors


def _good(quality: FloatArray | None, count: int) -> BoolArray:
    if quality is None:
        return np.ones(count, bool)
    if np.shape(quality) != (count,):
        raise InputError(f"quality must be {count} numbers, one for each face")
    return np.asarray(quality) >= LEAST_QUALITY  # what is not a number is not good


def _loose(was: IntArray, whole: IntArray) -> BoolArray:
    """Return which faces have to find their company anew.

    Those that were not there, and those of groups that do not hold any more.
    """
    held = np.flatnonzero(was >= 0)
    labels = distinct(was[held], whole[held])[0]
    torn = np.zeros(int(was.max(initial=-1)) + 1, bool)
    torn[labels[1:][np.diff(labels) == 0]] = True
    loose = was == NEW
    loose[held] = torn[was[held]]
    return loose


def _founding(units: Units, of: IntArray, good: BoolArray) -> BoolArray:
    """Return which units count by themselves: those with a good face, and those with a name."""
    return (np.bincount(of, good, len(units.sizes)) > 0) | (units.people >= 0)


def _link(units: Units, low: IntArray, high: IntArray, founding: BoolArray, limit: float) -> None:
    """Unite units with good faces, then let the poor ones join them."""
    both = founding[low] & founding[high]
    one = founding[low] ^ founding[high]
    link(units, low[both], high[both], limit)
    poor = np.where(founding[low], high, low)[one]
    to = units.roots()[np.where(founding[low], low, high)[one]]
    poor, to = distinct(poor, to)
    open_ = (units.sizes[to] >= LEAST_FOUNDERS) | (units.people[to] >= 0)
    join(units, poor[open_], to[open_], limit)


def _labelled(groups: IntArray, was: IntArray, people: IntArray) -> IntArray:
    """Give groups of two and more labels: that of before, or else new ones, the largest first.

    Of several groups that share a label the one whose confirmed faces had it keeps it, then the
    one with most faces of it.
    """
    _, groups, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    labels = np.full(len(sizes), ALONE)
    held = np.flatnonzero(was >= 0)
    span = int(was.max(initial=0)) + 1
    codes = groups[held] * span + was[held]
    cells, of, counts = np.unique(codes, return_inverse=True, return_counts=True)
    confirmed = np.bincount(of, people[held] >= 0, len(counts))
    places, names = np.divmod(cells, span)
    used = np.zeros(int(was.max(initial=-1)) + 1, bool)
    for cell in np.lexsort((places, names, -counts, -confirmed)).tolist():
        place, name = int(places[cell]), int(names[cell])
        if sizes[place] > 1 and labels[place] == ALONE and not used[name]:
            labels[place] = name
            used[name] = True
    fresh = np.flatnonzero((sizes > 1) & (labels == ALONE))
    fresh = fresh[np.argsort(-sizes[fresh], kind="stable")]
    labels[fresh] = len(used) + np.arange(len(fresh))
    return labels[groups]


def _singled(labels: IntArray) -> IntArray:
    """Give each face alone a label of its own."""
    alone = labels < 0
    return np.where(alone, labels.max(initial=-1) + 1 + np.cumsum(alone), labels)
