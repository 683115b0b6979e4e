import numpy as np
import pytest

from bench.grouping import Agreement, chinese_whispers
from lookwho.core import evaluate


def clusters(seed=0, people=20, faces=6, spread=0.02):
    generator = np.random.default_rng(seed)
    owners = np.repeat(np.arange(people), faces)
    centres = generator.standard_normal((people, 8))
    noise = generator.standard_normal((len(owners), 8)) * spread
    return (centres[owners] + noise).astype(np.float32), owners


def test_whispers_find_clusters_that_lie_apart():
    vectors, owners = clusters()

    labels = chinese_whispers(vectors, 0.5)

    assert len(np.unique(labels)) == 20
    assert all(len(np.unique(labels[owners == person])) == 1 for person in range(20))


def test_a_face_without_neighbours_keeps_its_own_label():
    vectors = np.array([[0, 0], [0.1, 0], [5, 5], [9, 9]], np.float32)

    labels = chinese_whispers(vectors, 0.5)

    assert labels[0] == labels[1]
    assert len(set(labels[1:].tolist())) == 3


def test_whispers_agree_with_dlib():
    dlib = pytest.importorskip("dlib")
    vectors, owners = clusters(people=60, faces=5, spread=0.15)

    ours = chinese_whispers(vectors, 0.6)
    rows = [dlib.vector(row.tolist()) for row in vectors]
    theirs = np.array(dlib.chinese_whispers_clustering(rows, 0.6))

    scores = [evaluate.grouping(labels, owners) for labels in (ours, theirs)]
    assert 0.3 < scores[1].bcubed < 1
    assert scores[0].bcubed == pytest.approx(scores[1].bcubed, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_the_field(seed):
    generator = np.random.default_rng(seed)
    groups, owners = generator.integers(-1, 6, (2, 40))
    owners += 1
    alone = np.where(groups < 0, 100 + np.arange(40), groups)
    expected = evaluate.grouping(alone, owners)

    agreement = Agreement.of(groups, owners)
    scores = agreement.scores(np.ones(len(agreement.sizes), np.int64))

    assert scores == pytest.approx([
        expected.bcubed, expected.bcubed_precision, expected.bcubed_recall,
        expected.pairwise, expected.pairwise_precision, expected.pairwise_recall,
    ])  # fmt: skip


def test_drawing_everyone_twice_changes_no_share_by_face():
    generator = np.random.default_rng(0)
    groups, owners = generator.integers(0, 6, (2, 40))
    agreement = Agreement.of(groups, owners)
    once = np.ones(len(agreement.sizes), np.int64)

    assert agreement.scores(2 * once)[:3] == pytest.approx(agreement.scores(once)[:3])
    assert agreement.scores(2 * once)[5] == pytest.approx(agreement.scores(once)[5])


def test_someone_who_is_not_drawn_does_not_count():
    # Person 1 is mixed with person 0; without them person 0's group is right in pairs.
    agreement = Agreement.of(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))

    scores = agreement.scores(np.array([1, 0]))

    assert scores[3:].tolist() == [1, 1, 1]
    assert scores[2] == 1
