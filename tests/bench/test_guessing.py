from dataclasses import replace

import numpy as np
import pytest

from bench.guessing import (
    SHIPPED,
    Library,
    calibration_error,
    fitted,
    guessed,
    libraries,
    logistic,
    report,
)
from lookwho.core.vectors import unit
from lookwho.services.guesses import NOBODY
from tests.bench.test_annotator import some_people

PEOPLE = some_people([1, 2, 2, 3, 3, 4, 5, 6, 8, 9, 1, 2, 3, 4, 5, 6, 1, 1, 2, 7])


def siblings():
    """People of whom each has one who is as hard to tell apart as real people can be."""
    generator = np.random.default_rng(3)

    def directions(*shape):
        return unit(generator.standard_normal(shape))

    people = some_people([1, 2, 2, 3, 4, 5, 6, 8] * 12)
    centres = unit(2 * directions(1, 128) + directions(len(people.names) // 2, 128))
    centres = np.concatenate([centres, unit(centres + 0.3 * directions(*centres.shape))])
    noise = directions(len(people.owners), 128)
    return replace(
        people, embeddings=unit(centres[people.owners] + 0.28 * noise).astype(np.float32)
    )


def test_libraries_are_of_some_people_of_whom_some_are_known_and_none_by_all_their_faces():
    shares = []
    for library in libraries(PEOPLE, 30):
        known = library.confirmed != NOBODY
        assert (library.confirmed[known] == library.owners[known]).all()
        assert library.owners.min() >= 1
        for owner in np.unique(library.owners):
            assert not known[library.owners == owner].all()
        shares.append(len(np.unique(library.confirmed[known])) / len(np.unique(library.owners)))

    assert min(shares) < 0.2
    assert max(shares) > 0.4


def test_the_same_libraries_are_drawn_each_time():
    first, again, other = (
        [library.confirmed.tolist() for library in libraries(PEOPLE, 3, seed=seed)]
        for seed in (0, 0, 1)
    )

    assert first == again
    assert first != other


def test_a_line_is_found_by_what_came_of_it():
    generator = np.random.default_rng(0)
    features = generator.standard_normal((20_000, 3))
    features[:, 2] = 7  # never varies: it says nothing
    true = 1 / (1 + np.exp(-(0.5 + 2 * features[:, 0] - features[:, 1])))

    found = logistic(features, generator.random(20_000) < true)

    assert found == pytest.approx((0.5, 2, -1, 0), abs=0.1)


def test_a_line_stays_finite_where_all_is_clear():
    features = np.stack([np.arange(20.0), np.zeros(20), np.zeros(20)], axis=1)

    constant, slope, *_ = logistic(features, np.arange(20) >= 10)
    assert logistic(features[:0], np.zeros(0, np.bool_)) == (0, 0, 0, 0)

    assert 0 < slope < 100
    assert constant + 9.5 * slope == pytest.approx(0, abs=0.5)


def test_guesses_are_compared_with_the_truth():
    vectors, owners = PEOPLE.embeddings, PEOPLE.owners + 1
    confirmed = np.where(np.arange(len(owners)) % 3 == 0, owners, NOBODY)
    told = np.where(owners == 10, 9, owners)  # of whom a human says that they are somebody else
    confirmed = np.where(confirmed != NOBODY, told, NOBODY)

    named, unnamed = guessed([Library(vectors, owners, PEOPLE.quality, confirmed)])

    assert named.right[named.owners != 10].all()
    assert not named.right[named.owners == 10].any()
    assert len(named.right) > 20
    assert ((unnamed.chances > 0) & (unnamed.chances <= 1)).all()


def test_the_error_is_how_far_what_was_said_is_from_what_came():
    chances = np.repeat([0.2, 0.8], 10)
    right = np.tile([True, False], 10)  # half of either

    assert calibration_error(chances, right, bins=2) == pytest.approx(0.3)
    assert calibration_error(chances, np.arange(20) % 10 < chances * 10, bins=2) == pytest.approx(0)
    assert calibration_error(chances[:0], right[:0]) == 0


def test_lines_are_fitted_for_each_kind_of_guess():
    lines = fitted(libraries(siblings(), 6))

    assert lines != SHIPPED
    # The nearer to the company, the more probable.
    assert min(lines.lone[2], lines.group[2]) > 0


def test_the_report_has_every_line_and_both_errors():
    told = "\n".join(report(siblings(), quick=True))

    for name in ("member", "lone", "group", "unnamed"):
        assert told.count(f"| {name} ") == 2
    assert told.count("expected calibration error") == 2
