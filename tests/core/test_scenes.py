from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.scenes import Scene, around, caption, drawn, window

share = st.floats(0, 1)


def scene(box=(0.4, 0.3, 0.6, 0.6), holds=None):
    return Scene("clip.mp4", 0.0, 1.0, 0.5, box, holds or box, "2024-05-01  0:00")


@st.composite
def boxes(draw):
    x1, x2 = sorted(draw(st.tuples(share, share)))
    y1, y2 = sorted(draw(st.tuples(share, share)))
    return x1, y1, x2, y2


@given(boxes(), st.integers(1, 4000), st.integers(1, 4000))
def test_what_is_shown_is_never_empty_and_inside_the_picture(box, width, height):
    left, top, right, bottom = window(scene(box), width, height)

    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


@given(boxes(), boxes())
def test_it_holds_the_face_wherever_it_goes(box, other):
    holds = (
        min(box[0], other[0]),
        min(box[1], other[1]),
        max(box[2], other[2]),
        max(box[3], other[3]),
    )

    left, top, right, bottom = window(scene(box, holds), 1600, 900)

    assert left - 1 <= holds[0] * 1600
    assert right + 1 >= holds[2] * 1600
    assert top - 1 <= holds[1] * 900
    assert bottom + 1 >= holds[3] * 900


def test_it_is_three_faces_high_and_in_the_shape_of_a_screen():
    left, top, right, bottom = window(scene((0.45, 0.4, 0.55, 0.6)), 1600, 900)

    assert bottom - top == 540
    assert right - left == 960


def test_a_portrait_is_shown_as_wide_as_it_is():
    left, _, right, bottom = window(scene((0.1, 0.4, 0.9, 0.6)), 1080, 1920)

    assert (left, right) == (0, 1080)
    assert bottom <= 1920


def test_what_holds_a_face_is_made_of_the_times_that_are_shown():
    path = np.float32([[0, 0.1, 0.1, 0.2, 0.2], [1, 0.3, 0.2, 0.4, 0.3], [5, 0.8, 0.8, 0.95, 0.9]])

    assert around(path, 0.5, 2, (0.3, 0.2, 0.4, 0.3)) == pytest.approx((0.3, 0.2, 0.4, 0.3))
    assert around(path, 0, 2, (0.3, 0.2, 0.4, 0.3)) == pytest.approx((0.1, 0.1, 0.4, 0.3))
    assert around(path[:0], 0, 2, (-0.1, 0.2, 0.4, 1.3)) == pytest.approx((0, 0.2, 0.4, 1))


@pytest.mark.parametrize(
    ("seconds", "told"),
    ((0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3600, "1:00:00"), (36_000, "10:00:00")),
)
def test_below_it_stands_when_it_was(seconds, told):
    assert caption(date(1999, 12, 31), seconds) == f"1999-12-31  {told}"


def test_the_caption_is_drawn_at_the_foot_and_nowhere_else():
    picture = np.full((360, 640, 3), 200, np.uint8)

    shown = drawn(picture, "2024-05-01  0:12")

    assert (shown[:320] == 200).all()
    assert shown[335:].max() > 180
    assert shown[335:].mean() < 100
    assert (picture == 200).all()


def test_a_picture_too_small_for_a_caption_has_none():
    picture = np.full((9, 9, 3), 200, np.uint8)

    assert (drawn(picture, "2024-05-01") == 200).all()


def test_scenes_cross_to_another_process_as_json():
    given = scene(holds=(0.1, 0.2, 0.9, 0.8))

    assert Scene.of(given.told()) == given
