from pathlib import Path

import numpy as np
import pytest

from bench.photos import Photo, Tally, on_noses

NOSES = np.array([[0.2, 0.2], [0.7, 0.7]])


@pytest.mark.parametrize(
    ("boxes", "true"),
    (
        ([], 0),
        ([[0.1, 0.1, 0.3, 0.3], [0.6, 0.6, 0.8, 0.8]], 2),
        ([[0.1, 0.1, 0.3, 0.3], [0.15, 0.15, 0.25, 0.25]], 1),  # one face, found twice
        ([[0.4, 0.4, 0.5, 0.5]], 0),  # no nose in it
        ([[0.0, 0.0, 1.0, 1.0]], 1),  # a box around two faces is one box
        ([[0.0, 0.0, 1.0, 1.0], [0.1, 0.1, 0.3, 0.3]], 2),  # the large one takes the nearer nose
    ),
)
def test_each_nose_makes_one_box_true(boxes, true):
    noses = NOSES if len(boxes) != 2 or boxes[0][2] < 1 else np.array([[0.2, 0.2], [0.6, 0.6]])

    assert on_noses(np.array(boxes, float).reshape(-1, 4), noses) == true


def test_a_tally_adds_photos_up():
    tally = Tally()
    tally.add(Photo(Path("a"), 2, NOSES), np.array([[0.1, 0.1, 0.3, 0.3], [0.4, 0.4, 0.5, 0.5]]))
    tally.add(Photo(Path("b"), 1, None), np.array([[0.1, 0.1, 0.3, 0.3], [0.4, 0.4, 0.5, 0.5]]))

    assert (tally.boxes, tally.true, tally.false) == (4, 2, 2)


def test_a_photo_without_labels_leaves_truth_open():
    tally = Tally()
    tally.add(Photo(Path("a"), None, None), np.array([[0.1, 0.1, 0.3, 0.3]]))
    tally.add(Photo(Path("b"), 1, None), np.array([[0.1, 0.1, 0.3, 0.3]]))

    assert (tally.boxes, tally.true, tally.false) == (2, None, None)
