import numpy as np
import pytest

from bench import calibration
from bench.calibration import Trials
from lookwho.core.vectors import unit


def drawn_from(line, pairs=200_000, seed=0):
    """Distances whose log likelihood ratio is exactly a line in r = sqrt(2 * distance).

    Two normal distributions of one width have such a ratio.
    """
    intercept, slope = line
    width = 0.08
    apart = -slope * width**2  # of the two means
    middle = -intercept / slope
    generator = np.random.default_rng(seed)
    same = generator.normal(middle - apart / 2, width, pairs) ** 2 / 2
    different = generator.normal(middle + apart / 2, width, pairs) ** 2 / 2
    even = np.full(pairs, 1 / pairs)
    return Trials(same, even, different, even)


@pytest.mark.parametrize("line", ((20.0, -40.0), (15.0, -30.0)))
def test_the_fit_recovers_a_known_line(line):
    fitted = calibration.fit(drawn_from(line))

    assert fitted == pytest.approx(line, rel=0.03)


def test_the_fit_is_where_the_loss_is_least():
    found = drawn_from((20.0, -40.0), 5000)
    same, different = (calibration.distance_root(x) for x in (found.same, found.different))
    line = np.array(calibration.fit(found))
    least, slope, _ = calibration._loss(line, same, different, found)

    assert np.abs(slope).max() < 1e-7
    for step in ((0.1, 0), (0, 0.1), (-0.1, 0), (0, -0.1)):
        assert calibration._loss(line + step, same, different, found)[0] > least


def test_classes_that_no_line_explains_still_give_a_fit():
    generator = np.random.default_rng(0)
    values, even = generator.uniform(0, 1, 1000), np.full(1000, 1 / 1000)

    line = calibration.fit(Trials(values, even, values, even))

    assert line == pytest.approx((0, 0), abs=1e-6)


def test_a_true_line_is_calibrated_on_new_pairs_and_a_wrong_one_is_not():
    new = drawn_from((20.0, -40.0), seed=1)

    assert calibration.error_of(calibration.along((20.0, -40.0)), new) < 0.005
    assert calibration.error_of(calibration.along((20.0, -40.0)), new, 0.01) < 0.001
    assert calibration.error_of(calibration.along((25.0, -40.0)), new) > 0.05


def test_equal_probabilities_are_judged_together():
    probabilities = np.array([0.25] * 8)

    assert calibration.calibration_error(probabilities, np.arange(8) < 2) == 0
    assert calibration.calibration_error(probabilities, np.arange(8) < 4) == 0.25


def test_weights_count_like_copies():
    probabilities, truth = np.array([0.2, 0.7, 0.9]), np.array([False, True, False])
    copies = np.array([2, 3, 1])

    weighted = calibration.calibration_error(probabilities, truth, copies / 6)
    copied = calibration.calibration_error(np.repeat(probabilities, copies), truth.repeat(copies))

    assert weighted == pytest.approx(copied)


@pytest.mark.parametrize("references", (1, 2, 3))
def test_every_person_weighs_the_same_in_trials(references):
    generator = np.random.default_rng(0)
    owners = np.repeat([0, 1, 2], [4, 9, references])
    vectors = unit(generator.standard_normal((len(owners), 8)).astype(np.float32))

    found = calibration.trials(vectors, owners, references)

    # Someone of whom there are no more photos than references is never asked for.
    sizes = [4 - references, 9 - references]
    queries = [4, 9] if references == 1 else [calibration.DRAWS] * 2
    assert len(found.same) == np.dot(sizes, queries)
    first = queries[0] * sizes[0]
    assert found.same_weights[:first].sum() == pytest.approx(0.5)
    assert found.same_weights.sum() == pytest.approx(1)
    assert found.different_weights.sum() == pytest.approx(1)
    others = queries[0] * (len(owners) - 4)
    assert found.different_weights[:others].sum() == pytest.approx(0.5)


def test_a_plane_finds_what_made_the_pairs():
    generator = np.random.default_rng(0)
    features = generator.standard_normal((100_000, 2)) * [1.0, 3.0] + [5.0, 0.0]
    chances = 1 / (1 + np.exp(-(2 * (features[:, 0] - 5) - 0.5 * features[:, 1])))
    same = generator.random(len(features)) < chances
    weights = np.where(same, 1 / same.sum(), 1 / (~same).sum())

    constant, *slopes = calibration.plane(features, same, weights, 0.5)

    assert slopes == pytest.approx([2, -0.5], rel=0.03)
    assert constant == pytest.approx(-10, abs=0.4)
