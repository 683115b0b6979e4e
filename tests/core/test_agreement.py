"""Agreement, against the formulas written out and the examples of the paper."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lookwho.core.agreement import MISSING, Pairs, alpha, interval, same_or_different

# Krippendorff 2011: sections A (two values), B (any number of values) and C (missing values).
A = ["0100000010", "1110010000"]
B = ["aabbdcccedda", "babbbcccEddd".lower()]
C = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]

tables = arrays(
    np.int64, st.tuples(st.integers(0, 7), st.integers(1, 4)), elements=st.integers(-1, 3)
)


def table(observers):
    """(units, observers): a dot is a value that is missing."""
    return np.array([[MISSING if v == "." else ord(v) for v in row] for row in observers]).T


def alpha_by_hand(labels):
    """Observed and expected disagreement, pair by pair."""
    units = [[v for v in row if v != MISSING] for row in labels.tolist()]
    units = [unit for unit in units if len(unit) > 1]
    values = [v for unit in units for v in unit]
    n = len(values)
    observed = sum(
        sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units
    )
    expected = sum(a != b for a, b in permutations(values, 2))
    return None if not expected else 1 - (observed / n) / (expected / (n * (n - 1)))


def pairs_by_hand(people):
    pairs = agreed = same = either = 0
    for one, other in combinations(range(people.shape[1]), 2):
        for i, j in combinations(range(len(people)), 2):
            if MISSING in people[[i, i, j, j], [one, other, one, other]]:
                continue
            a, b = people[i, one] == people[j, one], people[i, other] == people[j, other]
            pairs += 1
            agreed += bool(a == b)
            same += bool(a and b)
            either += bool(a or b)
    return Pairs(pairs, agreed, same, either)


@pytest.mark.parametrize(
    ("observers", "value"), ((A, 0.095), (B, 0.692), (C, 0.743)), ids=("A", "B", "C")
)
def test_the_examples_of_the_paper_come_out_as_printed_there(observers, value):
    assert round(alpha(table(observers)), 3) == value


@given(tables)
def test_alpha_is_what_counting_every_pair_gives(labels):
    assert alpha(labels) == pytest.approx(alpha_by_hand(labels))


@given(tables)
def test_same_and_different_are_what_looking_at_every_pair_of_faces_gives(people):
    assert same_or_different(people) == pairs_by_hand(people)


@given(tables, st.permutations(range(4)))
def test_what_the_answers_are_called_makes_no_difference(labels, names):
    renamed = np.where(labels == MISSING, MISSING, np.array(names)[labels])

    assert alpha(renamed) == pytest.approx(alpha(labels))
    assert same_or_different(renamed) == same_or_different(labels)


@given(tables)
def test_one_annotator_who_calls_everybody_otherwise_agrees_all_the_same(people):
    first = people[:, :1]
    other = np.where(first == MISSING, MISSING, 10 - first)

    found = same_or_different(np.hstack([first, other]))

    assert found.agreed == found.pairs
    assert found.same == found.either


def test_full_agreement_is_one_and_always_differing_less_than_chance():
    labels = np.array([[1, 1], [2, 2], [3, 3]])

    assert alpha(labels) == 1
    assert alpha(np.array([[1, 2], [2, 1]])) < 0


@pytest.mark.parametrize(
    "labels",
    (
        np.zeros((0, 2), np.int64),
        np.full((3, 2), MISSING),
        np.array([[1, MISSING], [MISSING, 2]]),
        np.array([[1, 1], [1, 1]]),
    ),
    ids=("no face", "no label", "one label each", "all alike"),
)
def test_where_nothing_can_be_compared_there_is_no_figure(labels):
    assert alpha(labels) is None
    assert interval(labels) is None


def test_without_pairs_there_are_no_shares():
    found = same_or_different(np.array([[1, 1]]))

    assert (found.agreement, found.sameness) == (None, None)


def test_the_interval_holds_alpha_and_narrows_with_more_faces():
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 5, 900)
    wrong = generator.random((900, 2)) < 0.1
    labels = np.where(wrong, generator.integers(0, 5, (900, 2)), truth[:, None])

    few, many = interval(labels[:60]), interval(labels)

    assert few[0] <= alpha(labels[:60]) <= few[1]
    assert many[0] <= alpha(labels) <= many[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert interval(labels) == many  # the same faces are drawn


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    def labels(seed, n):
        generator = np.random.default_rng(seed)
        truth = generator.integers(0, 4, n)
        wrong = generator.random((n, 2)) < 0.2
        return np.where(wrong, generator.integers(0, 4, (n, 2)), truth[:, None])

    true = alpha(labels(0, 200_000))
    within = 0
    for seed in range(1, 101):
        low, high = interval(labels(seed, 120), draws=200, level=0.9)
        within += low <= true <= high

    assert 78 <= within <= 98
