import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookwho.core.image import read
from lookwho.core.turn import turn_between, turned_box, turned_landmarks
from tests.pictures import CORNERS, ORIENTATION, corners_of, encode, rotated

orientations = st.integers(1, 8)
fractions = st.floats(0, 1)
points = st.lists(st.tuples(fractions, fractions), min_size=5, max_size=5)


@st.composite
def boxes(draw):
    x1, x2 = sorted((draw(fractions), draw(fractions)))
    y1, y2 = sorted((draw(fractions), draw(fractions)))
    return x1, y1, x2, y2


@given(boxes(), points, orientations, orientations)
def test_turning_there_and_back_changes_nothing(box, landmarks, before, after):
    there, back = turn_between(before, after), turn_between(after, before)

    assert turned_box(turned_box(box, there), back) == pytest.approx(box)
    assert np.allclose(turned_landmarks(turned_landmarks(landmarks, there), back), landmarks)


@given(boxes(), points, orientations, orientations, orientations)
def test_two_turns_are_as_good_as_one(box, landmarks, first, second, third):
    turns = turn_between(first, second), turn_between(second, third)
    once = turn_between(first, third)

    assert turned_box(turned_box(box, turns[0]), turns[1]) == pytest.approx(turned_box(box, once))
    twice = turned_landmarks(turned_landmarks(landmarks, turns[0]), turns[1])
    assert np.allclose(twice, turned_landmarks(landmarks, once))


@given(boxes(), orientations)
def test_a_box_stays_a_box_inside_the_picture(box, turn):
    x1, y1, x2, y2 = turned_box(box, turn)

    assert 0 <= x1 <= x2 <= 1
    assert 0 <= y1 <= y2 <= 1


@pytest.mark.parametrize("after", range(1, 9))
@pytest.mark.parametrize("before", range(1, 9))
def test_a_box_follows_the_pixels_that_it_frames(before, after):
    exif = Image.Exif()
    exif[ORIENTATION] = after
    with Image.open(io.BytesIO(rotated("PNG", before))) as stored:
        shown = corners_of(read(encode(stored, "PNG", exif=exif)).pixels)

    for index, colour in enumerate(CORNERS):
        x, y = index % 2 / 2, index // 2 / 2
        x1, y1, _, _ = turned_box((x, y, x + 0.5, y + 0.5), turn_between(before, after))
        assert np.abs(shown[int(y1 * 2) * 2 + int(x1 * 2)] - colour).max() < 30


@pytest.mark.parametrize("turn", range(1, 9))
def test_landmarks_of_an_upright_face_stay_left_and_right_as_its_own_eyes_see_it(turn):
    """Seen from the nose, the left eye comes before the right one, clockwise, in every picture."""
    face = [[0.3, 0.4], [0.5, 0.4], [0.4, 0.5], [0.3, 0.6], [0.5, 0.6]]
    left, right, nose, corner, other = np.array(turned_landmarks(face, turn))

    def clockwise(a, b):
        return np.linalg.det([a - nose, b - nose]) > 0

    assert clockwise(left, right)
    assert clockwise(other, corner)


def test_a_face_without_landmarks_has_none_afterwards():
    assert turned_landmarks([], 2) == []
