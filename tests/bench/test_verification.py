import numpy as np
import pytest

from bench import verification
from lookwho.core.vectors import unit


def people(seed=0, persons=60, spread=0.9):
    generator = np.random.default_rng(seed)
    owners = np.repeat(np.arange(persons), generator.integers(1, 7, persons))
    centres = generator.standard_normal((persons, 16))
    vectors = centres[owners] + spread * generator.standard_normal((len(owners), 16))
    return unit(vectors.astype(np.float32)), owners


@pytest.mark.parametrize("euclidean", (False, True))
def test_rates_are_those_of_all_pairs(euclidean):
    vectors, owners = people()
    pairs = verification.compare(vectors, owners, euclidean=euclidean)
    away = vectors[:, None] - vectors[None]
    distances = np.linalg.norm(away, axis=2) if euclidean else 1 - vectors @ vectors.T
    first, second = np.triu_indices(len(owners), 1)
    distances, one = distances[first, second], owners[first] == owners[second]

    rates = verification.rates(pairs, np.ones(60, np.int64))

    assert len(pairs.same) == one.sum()
    others = np.sort(distances[~one])
    for rate, far in zip(rates, verification.FARS, strict=True):
        false = int(far * len(others))
        limit = others[false - 1] if false else others[0] - 1e-6
        assert rate == pytest.approx((distances[one] <= limit).mean())


def test_a_person_drawn_twice_counts_like_two_people():
    vectors, owners = people(persons=12)
    twice = np.ones(12, np.int64)
    twice[3] = 2
    again = owners == 3
    copies = verification.compare(
        np.concatenate([vectors, vectors[again]]), np.concatenate([owners, owners[again] + 90])
    )
    fars = (0.01, 0.03)

    weighted = verification.rates(verification.compare(vectors, owners), twice, fars)

    # Their own pairs would be false ones at distance 0; in the bootstrap they are no pairs.
    true_of_copies = [d > 1e-6 for d in copies.near]
    near, whose = copies.near[true_of_copies], copies.near_people[true_of_copies]
    crossed = {3, 12}
    outside = [set(pair) != crossed for pair in whose.tolist()]
    total = (copies.sizes.sum() ** 2 - (copies.sizes**2).sum()) / 2 - again.sum() ** 2
    for rate, far in zip(weighted, fars, strict=True):
        limit = near[outside][int(far * total) - 1]
        assert rate == pytest.approx((copies.same <= limit).mean())


def test_the_bootstrap_of_equal_people_knows_its_spread():
    # 100 people with one pair each, of which half are accepted at any limit there is.
    same = np.where(np.arange(100) % 2, 0.0, 1.0)
    pairs = verification.Pairs(
        np.sort(same), np.argsort(same), np.array([0.5]), np.array([[0, 1]]), np.full(100, 2)
    )

    rates = [verification.accepted(pairs, one, np.array([0.5]))[0]
             for one in verification.draw(100, 4000)]  # fmt: skip
    low, high = verification.interval(np.array(rates))

    # A share of 0.5 among 100 varies by 0.05; 1.96 times that to either side.
    assert (low, high) == pytest.approx((0.402, 0.598), abs=0.012)


def test_by_face_nobody_outweighs_the_others():
    # One person with 5 faces, all pairs accepted; one with 2 faces, whose pair is not.
    pairs = verification.Pairs(
        np.array([0.1] * 10 + [0.9]),
        np.array([0] * 10 + [1]),
        np.array([0.5]),
        np.array([[0, 1]]),
        np.array([5, 2]),
    )
    once, at = np.ones(2, np.int64), np.array([0.5])

    assert verification.accepted(pairs, once, at) == pytest.approx(10 / 11)
    assert verification.accepted(pairs, once, at, by_face=True) == pytest.approx(5 / 7)


def test_no_distance_is_accepted_where_one_false_pair_is_too_many():
    vectors, owners = people(persons=8)
    pairs = verification.compare(vectors, owners)

    (limit,) = verification.limits(pairs, np.ones(8, np.int64), (1e-6,))

    assert limit < pairs.near[0]
