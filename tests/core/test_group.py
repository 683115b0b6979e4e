import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.group import ALONE, group, suitable_limit
from lookwho.core.vectors import unit


def crowd(seed, people=8, faces=5, spread=0.25, dim=16):
    """Unit vectors around so many random directions, and whose each is."""
    generator = np.random.default_rng(seed)
    centres = unit(generator.standard_normal((people, dim)).astype(np.float32))
    whose = np.repeat(np.arange(people), faces)
    noise = generator.standard_normal((people * faces, dim)) * spread / np.sqrt(dim)
    return unit((centres[whose] + noise).astype(np.float32)), whose


def partition(labels):
    """The groups as sets, faces alone as sets of one."""
    sets = {}
    for index, label in enumerate(labels.tolist()):
        sets.setdefault(label if label != ALONE else f"alone {index}", set()).add(index)
    return {frozenset(members) for members in sets.values()}


def nearest_first(embeddings, limit, photos=None):
    """Average linkage as its definition says: of all pairs of groups merge the most similar."""
    similar = embeddings.astype(np.float64) @ embeddings.T.astype(np.float64)
    groups = [[index] for index in range(len(embeddings))]

    def allowed(a, b):
        return photos is None or not {photos[i] for i in a} & {photos[i] for i in b}

    while True:
        scored = [
            (similar[np.ix_(a, b)].mean(), i, j)
            for i, a in enumerate(groups)
            for j, b in enumerate(groups)
            if i < j and allowed(a, b)
        ]
        best = max(scored, default=(-1, 0, 0))
        if best[0] < 1 - limit:
            return {frozenset(members) for members in groups}
        groups[best[1]] += groups.pop(best[2])


@given(st.integers(0, 10_000), st.floats(0.02, 0.6))
def test_the_groups_are_those_of_average_linkage(seed, limit):
    embeddings, _ = crowd(seed, people=4, faces=4, spread=0.6)

    assert partition(group(embeddings, limit=limit)) == nearest_first(embeddings, limit)


@given(st.integers(0, 10_000))
def test_two_faces_of_one_photo_are_two_people(seed):
    embeddings, _ = crowd(seed, people=3, faces=6, spread=0.4)
    photos = np.random.default_rng(seed).integers(0, 6, len(embeddings))

    labels = group(embeddings, photos=photos, limit=0.5)

    assert partition(labels) == nearest_first(embeddings, 0.5, photos)
    for members in partition(labels):
        shown = photos[sorted(members)]
        assert len(set(shown)) == len(shown)


def test_people_who_are_far_apart_are_found_exactly():
    embeddings, whose = crowd(1, people=30, faces=7, dim=128)

    labels = group(embeddings, limit=0.2)

    assert partition(labels) == partition(whose)


@given(st.integers(0, 10_000))
def test_the_order_of_the_faces_changes_nothing(seed):
    embeddings, _ = crowd(seed, spread=0.5)
    order = np.random.default_rng(seed).permutation(len(embeddings))

    shuffled = group(embeddings[order], limit=0.2)

    there = {frozenset(order[sorted(members)].tolist()) for members in partition(shuffled)}
    assert there == partition(group(embeddings, limit=0.2))


def test_the_largest_group_is_number_nought_and_faces_alone_have_no_number():
    embeddings = unit(
        np.float32([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0.01], [0, 1, 0.02], [1, 0.01, 0]])
    )

    assert group(embeddings, limit=0.1).tolist() == [ALONE, 1, 0, 0, 0, 1]


def test_one_look_alike_does_not_chain_two_people_together():
    angles = np.concatenate([np.full(5, 0.0), [0.35], np.full(5, 0.7)])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    labels = group(embeddings, limit=0.1)

    assert labels[0] != labels[-1]


def test_equal_faces_are_grouped_whatever_their_number():
    labels = group(np.tile(np.float32([[1, 0]]), (300, 1)))

    assert labels.tolist() == [0] * 300


@pytest.mark.parametrize("count", (0, 1))
def test_no_face_and_one_face_make_no_group(count):
    assert group(np.ones((count, 4), np.float32) / 2).tolist() == [ALONE] * count


def test_a_larger_library_is_grouped_more_strictly():
    limits = [suitable_limit(faces) for faces in (0, 1, 100, 3_252, 13_233, 100_000, 10**9)]

    assert limits == sorted(limits, reverse=True)
    assert limits[-1] > 0


def test_real_people_are_told_apart(media, analyzer):
    folders = sorted(
        path for path in (media / "identities").iterdir() if len(list(path.iterdir())) >= 6
    )
    photos = [
        (folder.name, path) for folder in folders[:4] for path in sorted(folder.iterdir())[:6]
    ]
    vectors = np.stack([analyzer(path)[0].embedding for _, path in photos])

    labels = group(vectors)

    names = np.unique([name for name, _ in photos], return_inverse=True)[1]
    for label in set(labels.tolist()) - {ALONE}:
        assert len(set(names[labels == label])) == 1
    assert (labels == ALONE).mean() < 0.2
