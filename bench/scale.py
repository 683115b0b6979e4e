"""Time and memory of grouping at many faces; they are made, so nothing is said about accuracy."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from bench import tables
from lookwho.core.group import NEW, group
from lookwho.core.types import FloatArray, IntArray
from lookwho.core.vectors import unit

SIZES = (13_000, 100_000, 1_000_000)
# So many faces are added to a library that was grouped already.
ADDED = 1000
# What dlib's vectors of people A-E of identities/ are like: the length of the mean of all; the
# variance between people and within one, and how fast it falls over the directions.
MEAN, BETWEEN, WITHIN = 0.915, 0.146, 0.0425
BETWEEN_FALL, WITHIN_FALL = 24.0, 60.0
# Faces of a person: many have one or two, a few have thousands.
_PARETO, _MOST = 0.9, 0.003
_DIM = 128
_PHOTO = 2  # faces a photo has, on average


def report(sizes: Sequence[int] = SIZES) -> Iterator[str]:
    """Yield a table: seconds and peak memory, each size in a process of its own."""
    heads = ["faces", "people", "grouped, s", "peak MB", f"{ADDED:,} more, s", "groups"]
    rows: list[list[str]] = []
    for size in sizes:
        found = subprocess.run(
            [sys.executable, "-m", "bench.scale", str(size)],
            stdout=subprocess.PIPE, check=True, text=True,
        )  # fmt: skip
        one = json.loads(found.stdout)
        rows.append([
            f"{size:,}", f"{one['people']:,}", f"{one['seconds']:.1f}", f"{one['megabytes']:,.0f}",
            f"{one['added']:.2f}", f"{one['groups']:,}",
        ])  # fmt: skip
    yield "Faces are made: time and memory only. Peak memory is of the whole process."
    yield ""
    yield from tables.markdown(heads, rows)


def faces(count: int, seed: int = 0) -> tuple[FloatArray, IntArray, IntArray]:
    """Make faces whose vectors are spread like real ones.

    Returns:
        (n, 128) float32 of unit length, (n,) whose each is, (n,) the photo of each.
    """
    generator = np.random.default_rng(seed)
    sizes: list[int] = []
    while sum(sizes) < count:
        some = (1 + generator.pareto(_PARETO, count // 4 + 1)).astype(np.int64)
        sizes += np.minimum(some, max(2, int(count * _MOST))).tolist()
    owners = np.repeat(np.arange(len(sizes)), sizes)[:count]
    owners = np.unique(generator.permutation(owners), return_inverse=True)[1]
    centres = generator.standard_normal((int(owners.max()) + 1, _DIM), np.float32)
    centres *= _spread(BETWEEN, BETWEEN_FALL)
    vectors = centres[owners]
    del centres
    vectors[:, -1] += MEAN
    spread = _spread(WITHIN, WITHIN_FALL)
    for start in range(0, count, 1 << 16):
        part = vectors[start : start + (1 << 16)]
        part += generator.standard_normal(part.shape, np.float32) * spread
        part[:] = unit(part)
    return vectors, owners, generator.integers(0, max(1, count // _PHOTO), count)


def measure(count: int) -> dict[str, float]:
    """Group so many faces, then add more to them."""
    vectors, owners, photos = faces(count + ADDED)
    old = slice(0, count)
    start = time.perf_counter()
    labels = group(vectors[old], photos=photos[old])
    grouped = time.perf_counter()
    before = np.concatenate([labels, np.full(ADDED, NEW)])
    again = time.perf_counter()
    group(vectors, photos=photos, before=before)
    added = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "people": int(owners.max()) + 1,
        "seconds": grouped - start,
        "added": added - again,
        "megabytes": peak / (1 << 20 if sys.platform == "darwin" else 1 << 10),
        "groups": int(labels.max()) + 1,
    }


def _spread(variance: float, fall: float) -> FloatArray:
    """Return (128,) standard deviations that fall over the directions, of so much variance."""
    falling = np.exp(-np.arange(_DIM) / fall)
    return np.sqrt(variance * falling / falling.sum()).astype(np.float32)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
