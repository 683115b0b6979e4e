import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.reliability import (
    UNSURE,
    Figures,
    Outcomes,
    Standing,
    calibration_error,
    costs,
    difference,
    reliability,
    shares,
)

ANNA, BEN, NOBODY = 1, 2, 0


def outcomes(*rows, events=None):
    """Rows of: the likeliest person, how probable, who it is, and whether they could be known."""
    people, sure, truth, known = zip(*rows, strict=True)
    numbers = np.arange(len(rows)) if events is None else np.array(events)
    return Outcomes(
        np.array(people), np.array(sure), np.array(truth), np.array(known, bool), numbers
    )


SOME = (
    (ANNA, 0.9, ANNA, True),  # right
    (BEN, 0.8, ANNA, True),  # wrong
    (BEN, 0.4, BEN, True),  # missed, with the right person in mind
    (ANNA, 0.3, BEN, True),  # missed
    (ANNA, 0.7, NOBODY, False),  # a stranger with a name
    (ANNA, 0.1, NOBODY, False),  # a stranger without
    (BEN, 0.2, ANNA, False),  # nothing to know her by
)


@st.composite
def any_outcomes(draw):
    count = draw(st.integers(1, 40))
    people = st.lists(st.integers(1, 4), min_size=count, max_size=count)
    truth = np.array(draw(st.lists(st.integers(0, 4), min_size=count, max_size=count)))
    sure = draw(st.lists(st.floats(0, 1), min_size=count, max_size=count))
    known = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count))) & (truth > 0)
    _, events = np.unique(
        draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)), return_inverse=True
    )
    return Outcomes(np.array(draw(people)), np.array(sure), truth, known, events)


def test_each_face_is_right_wrong_missed_or_rightly_without_a_name():
    found = outcomes(*SOME)

    assert np.flatnonzero(found.right(0.5)).tolist() == [0]
    assert np.flatnonzero(found.wrong(0.5)).tolist() == [1, 4]
    assert np.flatnonzero(found.missed(0.5)).tolist() == [2, 3]
    assert found.losses(0.5).tolist() == [0, 1, 1, 1, 1, 0, 0]


@given(any_outcomes(), st.floats(0, 1))
def test_no_face_is_two_of_these_at_once(found, threshold):
    told = [which(threshold).astype(int) for which in (found.right, found.wrong, found.missed)]

    assert sum(told).max() <= 1
    assert (found.losses(threshold) == told[1] + told[2]).all()


@given(any_outcomes())
def test_a_higher_threshold_gives_fewer_names_and_misses_more(found):
    for low, high in zip((0.5, 0.7), (0.7, 0.99), strict=True):
        assert found.wrong(high).sum() <= found.wrong(low).sum()
        assert found.right(high).sum() <= found.right(low).sum()
        assert found.missed(high).sum() >= found.missed(low).sum()


def test_what_was_sure_and_wrong_is_the_greatest_surprise():
    found = outcomes(
        (ANNA, 1.0, BEN, True),
        (ANNA, 0.6, BEN, True),
        (ANNA, 0.6, ANNA, True),
        (ANNA, 1.0, ANNA, True),
    )
    surprise = found.surprise()

    assert np.isfinite(surprise).all()
    assert (np.diff(surprise) < 0).all()
    assert surprise[1] == pytest.approx(-np.log(0.4))


# --- intervals ---


def whole(count):
    return np.ones((count, 1), bool)


def test_a_share_lies_in_its_interval_which_narrows_with_the_number():
    generator, widths = np.random.default_rng(3), []
    for count in (50, 5000):
        part = generator.random((count, 1)) < 0.2
        [found] = shares(part, whole(count), np.arange(count))
        assert found.value == pytest.approx(part.mean())
        assert found.low < 0.2 < found.high
        widths.append(found.high - found.low)

    assert widths[0] / widths[1] == pytest.approx(10, rel=0.3)


def test_faces_of_one_event_count_as_one_in_the_interval():
    part = np.repeat(np.random.default_rng(1).random(20) < 0.5, 50)[:, None]
    [apart] = shares(part, whole(1000), np.arange(1000))
    [together] = shares(part, whole(1000), np.repeat(np.arange(20), 50))

    assert apart.value == together.value
    assert together.high - together.low > 5 * (apart.high - apart.low)


def test_where_all_is_right_the_interval_says_how_few_were_asked():
    [found] = shares(whole(100), whole(100), np.arange(100))
    [none] = shares(~whole(100), whole(100), np.arange(100))

    assert found == (1, pytest.approx(0.97), 1)
    assert none == (0, 0, pytest.approx(0.03))


def test_of_nothing_nothing_is_known():
    assert shares(whole(3), ~whole(3), np.arange(3)) == [UNSURE]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    generator, held = np.random.default_rng(0), 0
    for _ in range(100):
        part = generator.random((120, 1)) < 0.3
        [found] = shares(part, whole(120), np.arange(120))
        held += found.low <= 0.3 <= found.high

    assert held >= 88


def test_a_gain_on_every_face_is_certain():
    found = difference(np.ones(30), np.zeros(30), np.arange(30))

    assert found == (1, 1, 1)
    assert difference(np.zeros(30), np.ones(30), np.arange(30)) == (-1, -1, -1)


def test_a_paired_difference_is_narrower_than_two_shares():
    # Both lose on the same faces: what differs is one face.
    before = (np.random.default_rng(5).random(400) < 0.4).astype(float)
    after = before.copy()
    after[np.flatnonzero(before)[0]] = 0
    found = difference(before, after, np.arange(400))

    assert found.mean == pytest.approx(1 / 400)
    assert 0 <= found.low <= found.high < 0.01


def test_of_no_faces_there_is_no_difference():
    assert difference(np.zeros(0), np.zeros(0), np.zeros(0, int)) == (0, 0, 0)


# --- calibration ---


def test_bins_hold_equally_many_faces_the_least_sure_first():
    sure = np.random.default_rng(2).random(1000)
    bins = reliability(sure, sure > 0.5)

    assert len(bins) == 15
    assert {each.faces for each in bins} == {66, 67}
    assert [each.said for each in bins] == sorted(each.said for each in bins)
    assert (bins[0].right, bins[-1].right) == (0, 1)


def test_probabilities_that_are_true_have_a_small_error_and_others_have_not():
    generator = np.random.default_rng(4)
    sure = generator.random(20000)
    right = generator.random(20000) < sure

    assert calibration_error(reliability(sure, right)) < 0.02
    assert calibration_error(reliability(sure**3, right)) > 0.1


def test_few_faces_make_few_bins():
    assert len(reliability(np.array([0.2, 0.9]), np.array([False, True]))) == 2
    assert reliability(np.zeros(0), np.zeros(0, bool)) == []
    assert calibration_error([]) == 0


# --- figures ---


def test_each_person_fares_for_themselves():
    found = Figures.of(outcomes(*SOME), (0.5,), 0.5).people

    assert found[ANNA] == Standing(faces=2, right=1, wrong=1, missed=0, taken=1)
    assert found[BEN] == Standing(faces=2, right=0, wrong=0, missed=2, taken=1)


def test_the_nearest_threshold_that_was_tried_answers():
    figures = Figures.of(outcomes(*SOME), (0.5, 0.75, 0.9), 0.5)

    assert [figures.at(each).threshold for each in (0.1, 0.74, 0.99)] == [0.5, 0.75, 0.9]
    assert figures.at(0.75)[1:4] == (1, 1, 2)


@given(any_outcomes())
def test_figures_are_the_same_after_being_kept(found):
    figures = Figures.of(found, (0.5, 0.9), 0.5)
    again = Figures.from_json(json.loads(json.dumps(figures.to_json())))

    assert again.people == figures.people
    assert (again.faces, again.known) == (figures.faces, figures.known)
    for one, other in zip(again.costs, figures.costs, strict=True):
        assert one[:4] == other[:4]
        np.testing.assert_allclose(
            [*one.precise, *one.lost], [*other.precise, *other.lost], atol=1e-4
        )
    np.testing.assert_allclose(again.bins, figures.bins, atol=1e-4)


def test_nobody_asked_gives_figures_too():
    none = outcomes(SOME[0]).only(np.array([False]))
    figures = Figures.of(none, (0.5, 0.9), 0.5)

    assert (figures.faces, figures.bins, figures.people) == (0, [], {})
    assert figures.at(0.5).precise == UNSURE
    assert costs(none, (0.5,))[0].lost == UNSURE
