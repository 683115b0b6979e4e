"""Made people: vectors that are spread like those of real faces, as many as are wanted.

Where somebody lies is mixed from where a few real people lie, and how their faces differ is how
real faces of others do. So distances are like real ones, and so is how some people and some faces
lie farther out than others; what made people cannot show is what only a real collection has.
"""

from __future__ import annotations

import numpy as np

from bench.people import People
from lookwho.core.types import FloatArray, IntArray
from lookwho.core.vectors import unit

# So many real people are mixed. Of pairs of people A-E of identities/, a face of each, the closest
# 1e-5, 1e-4 and 1e-3 lie within 0.046, 0.059 and 0.072; of made ones within 0.051, 0.061, 0.076.
PARENTS = 6
# So many faces of somebody say how their faces differ.
LEAST_FACES = 3
# So many people have 1, 2, 3 … faces in Labeled Faces in the Wild (13,233 photos of 5,749 people),
# roughly: somebody has 530 there, and so has one here.
SIZES = (
    *((1, 4069), (2, 779), (3, 291), (4, 187), (5, 112), (6, 55), (7, 39), (8, 33), (9, 26)),
    *((10, 41), (12, 31), (15, 32), (18, 20), (22, 22), (28, 15), (34, 12), (42, 10), (53, 8)),
    *((71, 1), (77, 1), (109, 1), (121, 1), (144, 1), (236, 1), (530, 1)),
)


def made(real: People, seed: int = 0) -> tuple[FloatArray, IntArray]:
    """Return faces of made people, as many and as unevenly as in Labeled Faces in the Wild.

    Args:
        real: whom to make them of.
        seed: of the generator.

    Returns:
        (n, d) float32 of unit length, (n,) whose each is.
    """
    generator = np.random.default_rng(seed)
    sizes = np.concatenate([np.full(people, faces) for faces, people in SIZES])
    means, apart = _varied(real)
    middle = means.mean(axis=0)
    mixed = generator.standard_normal((len(sizes), PARENTS))
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    parents = generator.integers(0, len(means), mixed.shape)
    places = middle + np.einsum("np,npd->nd", mixed, (means - middle)[parents])
    owners = np.repeat(np.arange(len(sizes)), sizes)
    vectors = places[owners] + apart[generator.integers(0, len(apart), len(owners))]
    return unit(vectors.astype(np.float32)), owners


def _varied(real: People) -> tuple[FloatArray, FloatArray]:
    """Return where people lie, and how far their faces lie from there."""
    sizes = np.bincount(real.owners)
    some = sizes[real.owners] >= LEAST_FACES
    _, owners = np.unique(real.owners[some], return_inverse=True)
    sizes = np.bincount(owners)
    means = np.zeros((len(sizes), real.embeddings.shape[1]))
    np.add.at(means, owners, real.embeddings[some])
    means /= sizes[:, None]
    # Of n faces the mean lies nearer to each of them than the person does.
    nearer = np.sqrt(sizes / (sizes - 1))[owners, None]
    return means, (real.embeddings[some] - means[owners]) * nearer
