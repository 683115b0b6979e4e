"""Known: what humans said about who is who, and earlier groups, as units that grouping starts from.

Of what contradicts itself the stronger counts: confirmed people, then must, then cannot, then that
two faces of one photo are two people. A must that would unite two confirmed people, also by a chain
of others, is not followed; of several such the earlier ones are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lookwho.core.errors import InputError
from lookwho.core.linkage import BoolArray, Units, once, roots
from lookwho.core.types import FloatArray, IntArray

Links = Sequence[tuple[int, int]] | IntArray

ALONE = -1
NEW = -2


class Known:
    """What is known of n faces.

    Attributes:
        people: (n,) int64, whom a human said that each is, or -1.
        base: (n,) int64, a face of what each is one with because a human said so.
        whose: (n,) int64, the person of each base, at its place.
        faces, tokens: (t,) int64, which face holds which token; see `Units`.
    """

    def __init__(
        self,
        count: int,
        photos: IntArray | None,
        people: IntArray | None,
        must: Links,
        cannot: Links,
    ) -> None:
        """Check what was said, and follow it as far as it does not contradict itself."""
        self.people = column("people", people, count, -1)
        self.people = np.maximum(self.people, -1)
        self.base, self.whose = _said(self.people, pairs("must", must, count))
        parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
        if photos is not None:
            shown = np.unique(column("photos", photos, count, 0), return_inverse=True)[1]
            shared = np.flatnonzero(np.bincount(shown)[shown] > 1)
            parts.append((shared, shown[shared]))
        apart = pairs("cannot", cannot, count)
        apart = apart[self.base[apart[:, 0]] != self.base[apart[:, 1]]]
        parts.append((apart.ravel(), count + np.repeat(np.arange(len(apart)), 2)))
        self.faces, self.tokens = (np.concatenate(part) for part in zip(*parts, strict=True))

    def kept(self, before: IntArray) -> IntArray:
        """Return (n,) a face of what each is one with, counting earlier groups too.

        A group that contradicts what is known is none any more, nor is what it was united with.
        """
        parents = self.base.copy()
        held = np.flatnonzero(before >= 0)
        first = np.unique(before[held], return_index=True, return_inverse=True)
        _unite(parents, held, held[first[1]][first[2]])
        parents = roots(parents)
        broken = np.zeros(len(parents), bool)
        named = np.flatnonzero(self.people >= 0)
        who = distinct(parents[named], self.people[named])[0]
        broken[who[1:][np.diff(who) == 0]] = True
        # Who holds a token, each base once; then twice the same is a conflict.
        base, tokens = distinct(self.base[self.faces], self.tokens)
        order = np.lexsort((tokens, parents[base]))
        one, token = parents[base][order], tokens[order]
        broken[one[1:][(np.diff(one) == 0) & (np.diff(token) == 0)]] = True
        return np.where(broken[parents], self.base, parents)

    def units(
        self, vectors: FloatArray, dense: FloatArray, good: BoolArray, whole: IntArray
    ) -> tuple[Units, IntArray]:
        """Return the units to start from, and which of them each face is in.

        Args:
            vectors: (n, d) float32.
            dense: (n,) float32, how densely others lie around each (`lookwho.core.density`).
            good: (n,) which faces count; where a unit has none all of its faces do.
            whole: (n,) a face of the unit of each, as `base` or `kept`.
        """
        of: IntArray
        places, of = np.unique(whole, return_inverse=True)
        count = len(places)
        counts = good | (np.bincount(of, good, count)[of] == 0)
        order = np.argsort(of[counts], kind="stable")
        starts = np.searchsorted(of[counts][order], np.arange(count))
        some = np.flatnonzero(counts)[order]
        sums = np.add.reduceat(vectors[some], starts, axis=0) if count else vectors[:0]
        whose = np.full(count, -1)
        known = self.people >= 0
        whose[of[known]] = self.people[known]
        holders, tokens = distinct(of[self.faces], self.tokens)
        units = Units(
            sums=sums,
            norms=np.linalg.norm(sums, axis=1),
            sizes=np.bincount(of[counts], minlength=count).astype(np.float32),
            densities=np.bincount(of[counts], dense[counts], count).astype(np.float32),
            people=whose,
            holders=holders,
            tokens=tokens,
            parents=np.arange(count),
        )
        return units, of


def column(name: str, values: IntArray | None, count: int, otherwise: int) -> IntArray:
    """Return (n,) int64, one value a face."""
    if values is None:
        return np.full(count, otherwise)
    found = np.asarray(values)
    if found.shape != (count,) or (count and found.dtype.kind not in "iub"):
        raise InputError(
            f"{name} must be {count} whole numbers, one for each face, and is {found.shape} "
            f"{found.dtype}"
        )
    return found.astype(np.int64)


def pairs(name: str, values: Links, count: int) -> IntArray:
    """Return (m, 2) int64, places of faces."""
    found = np.asarray(values)
    if not found.size:
        return np.zeros((0, 2), np.int64)
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu":
        raise InputError(f"{name} must be pairs of faces, by their places, and is {found.shape}")
    if found.min() < 0 or found.max() >= count:
        raise InputError(f"{name} names a face that is not there: places are 0 to {count - 1}")
    return found.astype(np.int64)


def distinct(a: IntArray, b: IntArray) -> tuple[IntArray, IntArray]:
    """Return the pairs of a and b, neither below 0, each once, in order."""
    span = int(b.max(initial=0)) + 1
    return np.divmod(once(a * span + b), span)


def _said(people: IntArray, must: IntArray) -> tuple[IntArray, IntArray]:
    """Return a face of what each is one with, and whose that is, at its place."""
    parents = np.arange(len(people))
    known = np.flatnonzero(people >= 0)
    first = np.unique(people[known], return_index=True, return_inverse=True)
    parents[known] = known[first[1]][first[2]]
    whose = people.copy()
    for pair in must:
        a, b = sorted(_root(parents, int(face)) for face in pair)
        if a != b and (whose[a] < 0 or whose[b] < 0):
            parents[b] = a
            whose[a] = max(whose[a], whose[b])
    return roots(parents), whose


def _root(parents: IntArray, face: int) -> int:
    while parents[face] != face:
        parents[face] = parents[parents[face]]
        face = int(parents[face])
    return face


def _unite(parents: IntArray, a: IntArray, b: IntArray) -> None:
    """Give the trees of each pair one root, the lower; all pairs at once, until nothing moves."""
    while len(a):
        parents[:] = roots(parents)
        low, high = np.minimum(parents[a], parents[b]), np.maximum(parents[a], parents[b])
        apart = low != high
        a, b, low, high = a[apart], b[apart], low[apart], high[apart]
        np.minimum.at(parents, high, low)
