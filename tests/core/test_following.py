import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.following import Spot, Stretch, best_share, framed, shares, spots

LEFT, RIGHT = (0.1, 0.2, 0.3, 0.5), (0.6, 0.2, 0.8, 0.5)


def moving(start=0.0, end=10.0, frm=LEFT, to=RIGHT, step=0.5):
    times = np.arange(start, end + step / 2, step)
    share = ((times - start) / (end - start))[:, None]
    boxes = np.array(frm) * (1 - share) + np.array(to) * share
    middle = tuple((np.array(frm) + np.array(to)) / 2)
    path = np.column_stack([times, boxes]).astype(np.float32)
    return Stretch(start, end, Spot((start + end) / 2, middle), path)


def share(stretch, time, box):
    return float(shares(stretch, np.array([time]), np.array([box]))[0])


def test_between_two_looks_a_face_is_on_the_way():
    where = moving().where(np.array([0.0, 0.25, 5.0, 10.0]))
    assert np.allclose(where[:, 0], [0.1, 0.1125, 0.35, 0.6], atol=1e-6)


def test_a_place_is_a_face_only_at_its_time():
    stretch = moving()
    assert share(stretch, 0, LEFT) == pytest.approx(1, abs=1e-5)
    assert share(stretch, 10, RIGHT) == pytest.approx(1, abs=1e-5)
    assert share(stretch, 10, LEFT) == share(stretch, 0, RIGHT) == 0
    assert share(stretch, 10.4, RIGHT) == pytest.approx(1, abs=1e-5)
    assert share(stretch, 10.6, RIGHT) == 0


def test_a_fast_face_may_be_a_quarter_of_a_second_ahead():
    stretch = moving(end=1.0)
    assert share(stretch, 0.25, tuple(stretch.where(np.array([0.5]))[0])) == pytest.approx(1)
    assert share(stretch, 0.0, tuple(stretch.where(np.array([0.6]))[0])) < 0.5


def test_without_a_path_only_the_best_picture_tells():
    stretch = Stretch(0, 60, Spot(30, LEFT), np.zeros((0, 5), np.float32))
    assert share(stretch, 30.4, LEFT) == pytest.approx(1)
    assert share(stretch, 20, LEFT) == 0
    assert spots(stretch) == [Spot(30, LEFT)]


def test_another_detector_frames_a_head_where_one_frames_a_face():
    stretch = moving(to=LEFT)
    head = np.array([[0.05, 0.05, 0.35, 0.65]])
    beside = np.array([[0.31, 0.2, 0.51, 0.5]])
    at = np.array([4.0])
    assert shares(stretch, at, head)[0] < 0.5
    assert framed(stretch, at, head, 0.5).tolist() == [True]
    assert framed(stretch, at, beside, 0.5).tolist() == [False]
    assert framed(stretch, np.array([12.0]), head, 0.5).tolist() == [False]


@given(st.floats(0.1, 200), st.floats(0, 1000))
def test_the_spots_of_a_stretch_pass_every_part_of_it(length, start):
    stretch = moving(start, start + length, step=length / 7)
    told = spots(stretch)
    times = sorted(spot.time for spot in told[1:])

    assert told[0] == stretch.best
    assert times[0] == pytest.approx(stretch.start)
    assert times[-1] == pytest.approx(stretch.end)
    assert max(np.diff(times)) <= 2 + 1e-6
    assert all(share(stretch, spot.time, spot.box) > 0.99 for spot in told)


def test_of_several_stretches_the_one_that_passes_most_closely_is_meant():
    one, other, later = moving(to=LEFT), moving(frm=RIGHT), moving(20, 30, to=LEFT)
    nearly = tuple(np.array(LEFT) + 0.02)
    assert best_share([other, one, later], Spot(3, nearly))[0] == 1
    assert best_share([other, one, later], Spot(25, nearly))[0] == 2
    assert best_share([other, one, later], Spot(15, nearly)) == (-1, 0)
    assert best_share([], Spot(15, nearly)) == (-1, 0)
