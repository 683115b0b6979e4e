import numpy as np
import pytest

from lookwho.core.calibrate import Trials, settle


def trials(shift, scale, faces=4000, people=50, seed=0):
    """Evidence for one person a face, which is right as often as it says when moved so."""
    generator = np.random.default_rng(seed)
    log_people = np.log(people)
    # Two normal distributions of one width: the evidence is the logarithm of their ratio.
    apart = 10.0
    truth = np.where(np.arange(faces) % 2 == 0, 7, -1)
    true = generator.normal(np.where(truth == 7, apart / 2, -apart / 2), np.sqrt(apart))
    values = (true + log_people - shift) / scale
    return Trials.of(
        np.arange(faces),
        np.full(faces, 7),
        values,
        truth,
        generator.integers(0, 200, faces),
        people,
    )


@pytest.mark.parametrize(("shift", "scale"), ((0, 1), (2.5, 1.3), (-3, 0.7)))
def test_evidence_that_was_moved_and_stretched_is_set_right(shift, scale):
    found = settle(trials(shift, scale, faces=20_000), 0.0, 1.0)

    true = np.linspace(-6, 6, 25)
    given = (true + np.log(50) - shift) / scale
    again = found[0] + found[1] * given - np.log(50)
    np.testing.assert_allclose(1 / (1 + np.exp(-again)), 1 / (1 + np.exp(-true)), atol=0.07)


def test_with_few_faces_what_was_believed_weighs_more():
    many, few = settle(trials(2.5, 1.0), 0.0, 1.0), settle(trials(2.5, 1.0, faces=20), 0.0, 1.0)

    assert abs(few[0]) < abs(many[0]) - 0.5


def test_wrong_names_hardly_move_it():
    clean = trials(0, 1)
    right = clean.right.copy()
    right[np.flatnonzero(right)[::50]] = False  # the named person is another, who is far off

    spoiled = Trials(
        clean.faces, clean.values, right, clean.strange, clean.persons, clean.rivals, clean.weights
    )

    assert settle(spoiled, 0.0, 1.0) == pytest.approx(settle(clean, 0.0, 1.0), abs=0.3)


def test_trials_are_joined_in_order():
    one, two = trials(0, 1, faces=10), trials(0, 1, faces=6, seed=1)

    both = Trials.joined([one, two])

    assert both.faces.tolist() == list(range(16))
    assert both.strange.tolist() == [*one.strange, *two.strange]
    assert both.known == 8
    assert both.people == len(set(both.persons[::2].tolist()))
    assert Trials.joined([]).known == Trials.joined([]).people == 0
