import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lookwho.core import boxes

corners = arrays(np.float32, (12, 2), elements=st.floats(0, 100, width=16))
sizes = arrays(np.float32, (12, 2), elements=st.floats(1, 50, width=16))
scores = arrays(np.float32, 12, elements=st.floats(0, 1, width=16), unique=True)


def made(corner, size):
    return np.concatenate([corner, corner + size], axis=1)


@given(corners, sizes)
def test_a_box_overlaps_itself_wholly_and_others_the_same_both_ways(corner, size):
    found = boxes.iou(made(corner, size), made(corner, size))

    np.testing.assert_allclose(np.diag(found), 1, rtol=1e-5)
    np.testing.assert_array_equal(found, found.T)
    assert found.min() >= 0


def test_boxes_that_only_touch_do_not_overlap():
    a, b = np.float32([[0, 0, 2, 2]]), np.float32([[2, 0, 4, 2]])

    assert boxes.iou(a, b)[0, 0] == 0


def test_boxes_turned_inside_out_have_no_area():
    assert boxes.area(np.float32([[5, 5, 1, 9]]))[0] == 0
    assert boxes.iou(np.float32([[5, 5, 1, 9]]), np.float32([[5, 5, 1, 9]]))[0, 0] == 0


@given(corners, sizes, scores, st.floats(0.1, 0.9))
def test_suppression_keeps_the_best_and_nothing_that_overlaps_it_too_much(
    corner, size, score, limit
):
    some = made(corner, size)

    kept = boxes.suppress(some, score, limit)

    assert kept[0] == np.argmax(score)
    assert list(score[kept]) == sorted(score[kept], reverse=True)
    overlap = boxes.iou(some[kept], some[kept]) - np.eye(len(kept))
    assert overlap.max() <= limit + 1e-5
    for dropped in set(range(12)) - set(kept.tolist()):
        better = kept[score[kept] > score[dropped]]
        assert boxes.iou(some[[dropped]], some[better]).max() >= limit - 1e-5


def test_nothing_is_suppressed_of_nothing():
    nothing = np.zeros((0, 4), np.float32)

    assert len(boxes.suppress(nothing, np.zeros(0, np.float32), 0.5)) == 0
    assert len(boxes.suppress_nested(nothing, np.zeros(0, np.float32), 0.5)) == 0


def test_a_box_inside_a_better_one_goes_though_the_overlap_over_union_is_small():
    some = np.float32([[0, 0, 100, 100], [40, 40, 60, 60], [200, 0, 300, 100]])

    np.testing.assert_array_equal(
        boxes.suppress_nested(some, np.float32([0.9, 0.8, 0.7]), 0.7), [0, 2]
    )


@given(corners, sizes)
def test_a_squared_box_keeps_its_centre_and_its_longer_side(corner, size):
    squared = boxes.square(made(corner, size))

    sides = squared[:, 2:] - squared[:, :2]
    np.testing.assert_allclose(sides[:, 0], sides[:, 1], atol=1e-3)
    np.testing.assert_allclose(sides[:, 0], size.max(axis=1), atol=1e-3)
    np.testing.assert_allclose((squared[:, :2] + squared[:, 2:]) / 2, corner + size / 2, atol=1e-3)
