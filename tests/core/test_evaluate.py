import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core import evaluate
from lookwho.core.vectors import unit

labels = st.lists(st.integers(0, 5), min_size=2, max_size=30).map(np.array)


def test_the_true_accept_rate_counts_pairs_within_the_limit():
    found = evaluate.Pairs(
        same=np.array([0.1, 0.2, 0.3, 0.9]),
        same_person=np.array([0, 0, 1, 1]),
        different=np.linspace(0.25, 1.24, 100),
    )

    assert evaluate.limit_at(found.different, 0.01) == pytest.approx(0.25)
    assert evaluate.tar_at_far(found, 0.01) == 0.5
    assert evaluate.tar_at_far(found, 1) == 1
    # No false accept at all is allowed: only what is nearer than every stranger.
    assert evaluate.tar_at_far(found, 0.001) == 0.5


def test_all_pairs_are_compared_once():
    vectors = unit(np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32))
    people = np.array([0, 0, 0, 1, 1, 2, 3])

    found = evaluate.pairs(vectors, people)

    assert (len(found.same), len(found.different)) == (4, 17)
    assert found.same[0] == pytest.approx(1 - vectors[0] @ vectors[1], abs=1e-6)


def test_euclidean_pairs_are_those_of_the_plain_vectors():
    vectors = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)

    found = evaluate.pairs(vectors, np.zeros(5, int), euclidean=True)

    assert found.same[0] == pytest.approx(np.linalg.norm(vectors[0] - vectors[1]), abs=1e-4)


def test_accepted_pairs_are_told_by_person():
    found = evaluate.Pairs(np.array([0.1, 0.5, 0.2]), np.array([3, 3, 8]), np.array([1.0]))

    accepted, pairs = evaluate.by_person(found, 0.3)

    assert (accepted.tolist(), pairs.tolist()) == ([1, 1], [2, 1])


@given(labels)
def test_a_grouping_equal_to_the_people_is_perfect(people):
    found = evaluate.grouping(people + 7, people)

    assert found.bcubed == found.pairwise == 1


@given(labels)
def test_everybody_in_one_group_recalls_all(people):
    found = evaluate.grouping(np.zeros_like(people), people)

    assert found.bcubed_recall == found.pairwise_recall == 1


def test_b_cubed_and_pairwise_figures_of_a_known_case():
    # Two people of three; one face of the second sits in the first one's group.
    found = evaluate.grouping(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 1]))

    assert found.bcubed_precision == pytest.approx((3 * 3 / 4 + 1 / 4 + 2) / 6)
    assert found.bcubed_recall == pytest.approx((3 + 1 / 3 + 2 * 2 / 3) / 6)
    assert found.pairwise_precision == pytest.approx(4 / 7)
    assert found.pairwise_recall == pytest.approx(4 / 6)


def test_detection_counts_wanted_faces_and_boxes_on_nothing():
    labelled = np.float32([[0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]])
    boxes = np.float32([[1, 0, 10, 10], [21, 1, 29, 9], [80, 80, 90, 90], [58, 58, 70, 70]])

    found = evaluate.detection(boxes, labelled, [True, False, True])

    assert found == evaluate.DetectionCount(labelled=2, found=1, stray=1)


def test_detection_without_boxes_or_labels_works():
    none, some = np.zeros((0, 4), np.float32), np.float32([[0, 0, 1, 1]])

    assert evaluate.detection(none, some, [True]) == evaluate.DetectionCount(1, 0, 0)
    assert evaluate.detection(some, none, []) == evaluate.DetectionCount(0, 0, 1)


def test_the_bootstrap_covers_the_mean_and_narrows_with_more_people():
    values = np.random.default_rng(1).standard_normal(400)

    few = evaluate.bootstrap(lambda drawn: values[:50][drawn].mean(), 50)
    many = evaluate.bootstrap(lambda drawn: values[drawn].mean(), 400)

    assert few[0] < values[:50].mean() < few[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert many == evaluate.bootstrap(lambda drawn: values[drawn].mean(), 400)
