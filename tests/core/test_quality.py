import cv2
import numpy as np
import pytest

from lookwho.core import quality

FRONTAL = np.float32([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]])


@pytest.fixture(scope="module")
def chip(photos):
    pixels = cv2.cvtColor(cv2.imread(str(photos[0])), cv2.COLOR_BGR2RGB)
    return cv2.resize(pixels, (150, 150), interpolation=cv2.INTER_AREA)


def test_a_larger_face_is_worth_more_and_one_of_20_pixels_nothing():
    sides = np.float32([5, 20, 24, 40, 100, 400])
    boxes = np.stack([np.zeros(6), np.zeros(6), sides, sides], axis=1).astype(np.float32)

    worth = quality.of_size(boxes)

    assert worth[0] == worth[1] == 0
    assert list(worth) == sorted(worth)
    assert worth[3] == pytest.approx(0.5)
    assert worth[-1] < 1


def test_the_more_a_face_is_blurred_the_less_it_is_worth(chip):
    blurred = [chip] + [cv2.GaussianBlur(chip, (0, 0), sigma) for sigma in (1, 2, 4, 8)]

    worth = quality.of_sharpness(np.stack(blurred))

    assert list(worth) == sorted(worth, reverse=True)
    assert worth[0] > 0.8
    assert worth[-1] < 0.3


def test_a_chip_of_one_tone_is_worth_nothing():
    assert quality.of_sharpness(np.full((1, 150, 150, 3), 90, np.uint8))[0] == 0


def test_the_further_a_face_turns_away_the_less_it_is_worth():
    turned = np.stack([FRONTAL] * 4)
    turned[:, 2, 0] += [0, 8, 15, 30]

    worth = quality.of_pose(turned)

    assert worth[0] == 1
    assert list(worth) == sorted(worth, reverse=True)
    assert worth[-1] == 0


def test_tilting_the_head_or_mirroring_the_face_costs_nothing():
    turn = np.float32([[0.8, -0.6], [0.6, 0.8]])
    mirrored = (FRONTAL * [-1, 1] + [100, 0])[[1, 0, 2, 4, 3]]

    worth = quality.of_pose(np.stack([FRONTAL @ turn.T, mirrored, FRONTAL * 3]))

    np.testing.assert_allclose(worth, 1)


def test_landmarks_that_all_lie_in_one_place_do_not_break_it():
    assert np.isfinite(quality.of_pose(np.ones((1, 5, 2), np.float32))).all()


def test_the_weakest_of_size_sharpness_and_pose_decides(chip):
    boxes = np.float32([[0, 0, 40, 40], [0, 0, 400, 400]])
    landmarks, chips = np.stack([FRONTAL] * 2), np.stack([chip] * 2)

    worth = quality.assess(boxes, landmarks, chips)

    assert worth[0] == pytest.approx(0.5)
    assert worth[1] == pytest.approx(min(quality.of_sharpness(chips)[1], 0.95))
    assert worth.dtype == np.float32


def test_no_faces_have_no_quality():
    nothing = np.zeros((0, 150, 150, 3), np.uint8)

    assert quality.assess(np.zeros((0, 4)), np.zeros((0, 5, 2)), nothing).shape == (0,)
