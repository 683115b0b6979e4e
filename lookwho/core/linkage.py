"""Linkage: groups that resemble each other become one, the most similar first.

Two groups are compared by the directions of their mean vectors. How far apart those of one person
may lie follows from how many faces each is the mean of, how common the person is, and how densely
others lie around them.

Every round unites all pairs that are each other's closest, as many as there are at once. Two that
are not close enough are not looked at again, unless by others of their faces.

Source: Sumengen et al., Scaling hierarchical agglomerative clustering to billion-sized datasets,
2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookwho.core.types import FloatArray, IntArray

BoolArray = NDArray[np.bool_]

# The mean of many faces lies where the person is, that of few beside it: the limit shrinks with
# the mean of 1 / size, to this power. And a person of whom there are many faces is more probably
# the one in the next: it grows with the size of the larger group, up to so many faces, to that.
# On people A-E of identities/ (1,612 faces) B-cubed F is 0.976 to 0.978 for powers of sizes from
# 0.3 to 0.6, and 0.955 where the limit is the same for all. Persons with hundreds of faces break
# up if the other power is 0: by 13,000 faces drawn like those of A-E it was chosen.
SIZE_POWER = 0.5
COMMON_POWER = 0.08
COMMON_MOST = 1024.0
# Where others lie densely, two have to be closer. On the same faces B-cubed and pairwise F are
# 0.978 and 0.974 for 0, 0.979 and 0.976 for 0.4, 0.980 and 0.976 for 1.0, 0.981 and 0.976 for 1.2.
DENSITY_WEIGHT = 1.0
# What is so many times smaller joins a group although others are a little closer to that.
MUCH = 8.0
NEARLY = 0.1
# Odd numbers that scatter the order of what is equal.
_MIX = (0x9E3779B97F4A7C1, 0x2545F4914F6CDD1)
# Closeness is compared in steps: what differs by less is equal, whatever the order of sums.
_STEPS = 1 << 16
# Pairs compared at once: 64 MB at 128 numbers a vector.
_PAIRS = 1 << 16


@dataclass(slots=True)
class Units:
    """Groups that grow; what was united with another is no unit any more.

    Attributes:
        sums: (u, d) float32, of the vectors of its faces that count.
        norms: (u,) float32, the lengths of these.
        sizes: (u,) float32, how many faces count: good ones, or all where none is good.
        densities: (u,) float32, the sums of `core.density` of these.
        people: (u,) int64, whom a human said that it is, or -1. Two people stay two.
        holders, tokens: (t,) int64 each, which unit holds which token. Two that hold the same one
            stay two, so none is held twice: a photo is one, and so is what a human took apart.
        parents: (u,) int64, with whom each was united, or itself.
    """

    sums: FloatArray
    norms: FloatArray
    sizes: FloatArray
    densities: FloatArray
    people: IntArray
    holders: IntArray
    tokens: IntArray
    parents: IntArray

    def closeness(self, a: IntArray, b: IntArray, limit: float) -> FloatArray:
        """Return (m,) float32 how close pairs are: 1 the same vector, 0 just close enough.

        Args:
            a: (m,) units.
            b: (m,) units.
            limit: the greatest distance (1 - cosine) of two single faces that are one person.
        """
        found = np.empty(len(a), np.float32)
        for start in range(0, len(a), _PAIRS):
            some = slice(start, start + _PAIRS)
            one, two = a[some], b[some]
            product = np.einsum("ij,ij->i", self.sums[one], self.sums[two])
            cosine = product / np.maximum(self.norms[one] * self.norms[two], 1e-12)
            n, m = self.sizes[one], self.sizes[two]
            common = np.minimum(np.maximum(n, m), COMMON_MOST) ** COMMON_POWER
            reach = limit * common * ((1 / n + 1 / m) / 2) ** SIZE_POWER
            density = self.densities[one] / n + self.densities[two] / m
            found[some] = 1 - (1 - cosine) * np.exp(DENSITY_WEIGHT * density) / reach
        return np.round(found * _STEPS) / _STEPS

    def forbidden(self, a: IntArray, b: IntArray) -> BoolArray:
        """Return which pairs (m,) must stay two; no unit is in two pairs."""
        apart = (self.people[a] >= 0) & (self.people[b] >= 0)
        pair = np.full(len(self.sizes), -1)
        pair[a] = pair[b] = np.arange(len(a))
        pairs = pair[self.holders]
        held = pairs >= 0
        codes, which = pairs[held], self.tokens[held]
        order = np.lexsort((which, codes))
        again = (np.diff(codes[order]) == 0) & (np.diff(which[order]) == 0)
        apart[codes[order][1:][again]] = True
        return apart

    def clashes(self, joining: IntArray, to: IntArray) -> tuple[BoolArray, BoolArray]:
        """Return which (m,) may not join: a token is held there, or an earlier one has it.

        Args:
            joining: (m,) units, each once.
            to: (m,) what each would join.
        """
        place = np.full(len(self.sizes), -1)
        place[joining] = np.arange(len(joining))
        who = place[self.holders]
        own = who >= 0
        who, tokens = who[own], self.tokens[own]
        span = int(self.tokens.max(initial=0)) + 1
        wanted = to[who] * span + tokens
        held = np.zeros(len(joining), bool)
        held[who[np.isin(wanted, self.holders * span + self.tokens)]] = True
        order = np.lexsort((who, wanted))
        beaten = np.zeros(len(joining), bool)
        beaten[who[order][1:][np.diff(wanted[order]) == 0]] = True
        return held, beaten

    def unite(self, into: IntArray, gone: IntArray, *, counting: bool = True) -> None:
        """Unite pairs.

        Args:
            into: (m,) units that stay.
            gone: (m,) units that become part of those, each in one pair.
            counting: whether the faces of these count in what they join.
        """
        if counting:
            order = np.argsort(into, kind="stable")
            into, gone = into[order], gone[order]
            starts = np.flatnonzero(np.diff(into, prepend=-1))
            grown = into[starts]
            self.sums[grown] += np.add.reduceat(self.sums[gone], starts, axis=0)
            self.norms[grown] = np.linalg.norm(self.sums[grown], axis=1)
            self.sizes[grown] += np.add.reduceat(self.sizes[gone], starts)
            self.densities[grown] += np.add.reduceat(self.densities[gone], starts)
        named = self.people[gone] >= 0
        self.people[into[named]] = self.people[gone[named]]
        self.parents[gone] = into
        self.holders = self.parents[self.holders]

    def roots(self) -> IntArray:
        """Return (u,) what each unit is a part of now."""
        return roots(self.parents)


def roots(parents: IntArray) -> IntArray:
    """Return the root of each place in trees of parents."""
    while True:
        above = parents[parents]
        if np.array_equal(above, parents):
            return above
        parents = above


def link(units: Units, low: IntArray, high: IntArray, limit: float) -> None:
    """Unite the units that are close enough, the closest first.

    Args:
        units: changed in place.
        low: (m,) the lower unit of each pair that may be united, each pair once.
        high: (m,) the higher one.
        limit: as for `Units.closeness`.
    """
    near = units.closeness(low, high, limit)
    while True:
        kept = near >= 0
        low, high, near = low[kept], high[kept], near[kept]
        if not len(low):
            return
        best = _best(low, high, near, len(units.sizes))
        chosen = _mutual(low, high, near, best)
        a, b = low[chosen], high[chosen]
        apart = units.forbidden(a, b)
        near[chosen[apart]] = -np.inf
        a, b = a[~apart], b[~apart]
        units.unite(a, b)
        paired = np.zeros(len(units.sizes), bool)
        paired[low[chosen]] = paired[high[chosen]] = True
        edges, small, large = _joining(units, low, high, near, best, paired)
        large = units.parents[large]
        held, beaten = units.clashes(small, large)
        held |= (units.people[small] >= 0) & (units.people[large] >= 0)
        near[edges[held]] = -np.inf
        free = ~held & ~beaten
        units.unite(large[free], small[free])
        a = np.concatenate([a, b, large[free], small[free]])
        if not len(a):
            continue
        touched = np.zeros(len(units.sizes), bool)
        touched[a] = True
        moved = touched[low] | touched[high]
        still = ~moved & (near >= 0)
        first, second = between(units.roots(), low[moved], high[moved])
        low = np.concatenate([low[still], first])
        high = np.concatenate([high[still], second])
        near = np.concatenate([near[still], units.closeness(first, second, limit)])


def join(units: Units, poor: IntArray, to: IntArray, limit: float) -> None:
    """Let units join others without counting there, each the one that it is closest to.

    Args:
        units: changed in place.
        poor: (m,) the units that join.
        to: (m,) what each may join; none of these joins itself.
        limit: as for `Units.closeness`.
    """
    near = units.closeness(poor, to, limit)
    kept = near >= 0
    order = np.lexsort((to[kept], poor[kept], -near[kept]))
    poor, to = poor[kept][order], to[kept][order]
    while len(poor):
        best = np.sort(np.unique(poor, return_index=True)[1])
        held, beaten = units.clashes(poor[best], to[best])
        winners = best[~held & ~beaten]
        units.unite(to[winners], poor[winners], counting=False)
        left = units.parents[poor] == poor
        left[best[held]] = False
        poor, to = poor[left], to[left]


def between(of: IntArray, low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
    """Return the pairs of what the ends of edges belong to, each pair once, in order."""
    a, b = of[low], of[high]
    a, b = a[a != b], b[a != b]
    span = int(of.max(initial=0)) + 1
    return np.divmod(once(np.minimum(a, b) * span + np.maximum(a, b)), span)


def once(values: IntArray) -> IntArray:
    """Return each value once, in order; `np.unique` takes ten times as long."""
    values = np.sort(values)
    return values[np.diff(values, prepend=values[:1] - 1) != 0]


def _best(low: IntArray, high: IntArray, near: FloatArray, count: int) -> FloatArray:
    """Return (count,) the closeness of the closest that each has."""
    best = np.full(count, -np.inf, np.float32)
    np.maximum.at(best, low, near)
    np.maximum.at(best, high, near)
    return best


def _mutual(low: IntArray, high: IntArray, near: FloatArray, best: FloatArray) -> IntArray:
    """Return the edges that are the best of both their ends, no two with an end in common."""
    found = np.flatnonzero((near == best[low]) & (near == best[high]))
    # Of edges that are equally good some that lie scattered, or it would take as many rounds as
    # there are equal faces.
    mixed = (low[found] * _MIX[0]) ^ (high[found] * _MIX[1])
    found = found[np.lexsort((high[found], low[found], mixed))]
    first = np.full(len(best), len(found))
    place = np.arange(len(found))
    np.minimum.at(first, low[found], place)
    np.minimum.at(first, high[found], place)
    return found[(first[low[found]] == place) & (first[high[found]] == place)]


def _joining(
    units: Units,
    low: IntArray,
    high: IntArray,
    near: FloatArray,
    best: FloatArray,
    paired: BoolArray,
) -> tuple[IntArray, IntArray, IntArray]:
    """Return edges whose one end joins the other right away, and these ends: small and large.

    Thousands of faces of one person would otherwise join their group one after the other, each
    waiting for all that are closer, which it hardly changes.
    """
    found: list[tuple[IntArray, IntArray, IntArray]] = []
    for small, large in ((low, high), (high, low)):
        edges = np.flatnonzero(near == best[small])
        one, other = small[edges], large[edges]
        sizes = units.sizes
        joins = ~paired[one] & (sizes[one] * MUCH <= sizes[other])
        joins &= near[edges] >= best[other] - NEARLY
        found.append((edges[joins], one[joins], other[joins]))
    edges, small, large = (np.concatenate(part) for part in zip(*found, strict=True))
    first = np.unique(small, return_index=True)[1]
    edges, small, large = edges[first], small[first], large[first]
    moving = np.zeros(len(best), bool)
    moving[small] = True
    stays = ~moving[large]
    return edges[stays], small[stays], large[stays]
