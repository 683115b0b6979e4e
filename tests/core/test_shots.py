from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.shots import AROUND, Changes, difference, marked

RATE = 25
SIZE = (18, 32)


@dataclass
class Frame:
    """A frame of 25 a second."""

    number: int
    thumb: np.ndarray

    @property
    def time(self):
        return self.number / RATE


def scene(seed, size=SIZE, bright=128.0, contrast=45.0):
    """Something like a small picture of a scene: large shapes, light and dark."""
    noise = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return bright + contrast * smooth / smooth.std()


def frames_of(pictures, seed=0):
    """Frames of pictures as a camera with a little noise would give them."""
    noise = np.random.default_rng(seed)
    return [
        Frame(number, np.clip(each + noise.normal(0, 1, SIZE), 0, 255).astype(np.uint8))
        for number, each in enumerate(pictures)
    ]


def cuts_in(pictures):
    return [frame.number for frame, cut in marked(frames_of(pictures)) if cut]


def changes_in(pictures):
    changes = Changes()
    for frame, cut in marked(frames_of(pictures)):
        if cut:
            changes.cut(frame.time)
        changes.add(frame.time, frame.thumb)
    return changes.end()


def panned(seed, count, speed):
    """A camera that pans over a wide scene, by so many pixels of the small picture a frame."""
    wide = scene(seed, (18, 400))
    shift = np.float32([[1, 0, 0], [0, 1, 0]])
    found = []
    for number in range(count):
        shift[0, 2] = -number * speed
        found.append(cv2.warpAffine(wide, shift, (400, 18))[:, :32])
    return found


def dissolved(seed, other, count=20, still=30):
    one, two = scene(seed), scene(other)
    shares = np.linspace(0, 1, count + 2)[1:-1]
    return [
        *[one] * still,
        *((1 - share) * one + share * two for share in shares),
        *[two] * still,
    ]


@pytest.mark.parametrize("seed", range(8))
def test_a_cut_is_the_first_frame_of_the_next_shot(seed):
    assert cuts_in([scene(seed)] * 20 + [scene(100 + seed)] * 30) == [20]


def test_there_are_as_many_cuts_as_there_are_and_short_shots_count():
    pictures = [scene(seed) for seed in range(6) for _ in range(5)]

    assert cuts_in(pictures) == [5, 10, 15, 20, 25]


def test_a_still_picture_and_one_without_contrast_have_no_cut():
    assert cuts_in([scene(1)] * 60) == []
    assert cuts_in([np.zeros(SIZE)] * 60) == []


@pytest.mark.parametrize("length", (1, 2))
def test_a_flash_is_no_cut(length):
    flash = [np.minimum(scene(3) + 110, 255)] * length

    assert cuts_in([*[scene(3)] * 20, *flash, *[scene(3)] * 20]) == []


@pytest.mark.parametrize("speed", (0.3, 1.0, 2.0, 4.0))
def test_a_pan_is_no_cut(speed):
    assert cuts_in([*[panned(4, 1, 0)[0]] * 10, *panned(4, 60, speed)]) == []


@pytest.mark.parametrize("speed", (0.5, 2.0))
def test_a_cut_in_a_pan_is_found(speed):
    assert cuts_in([*panned(5, 30, speed), *panned(6, 30, speed)]) == [30]


def test_light_that_comes_on_slowly_is_no_cut():
    assert cuts_in([scene(7) * share for share in np.linspace(0.3, 1.2, 40)]) == []


def test_a_cut_to_black_and_back_is_two():
    black = [np.full(SIZE, 16.0)] * 10

    assert cuts_in([*[scene(8)] * 20, *black, *[scene(8)] * 20]) == [20, 30]


def test_only_a_few_frames_are_read_ahead():
    read = []

    def stream():
        for frame in frames_of([scene(9)] * 20):
            read.append(frame.number)
            yield frame

    for frame, _ in marked(stream()):
        assert read[-1] <= frame.number + AROUND


@given(st.lists(st.integers(0, 4), max_size=40))
def test_every_frame_comes_once_and_in_order_and_the_first_is_no_cut(seeds):
    found = list(marked(frames_of([scene(seed) for seed in seeds])))

    assert [frame.number for frame, _ in found] == list(range(len(seeds)))
    assert not any(cut for _, cut in found[:1])


def test_pictures_that_only_moved_a_little_are_alike():
    one, two = (picture.astype(np.uint8) for picture in panned(10, 3, 1.0)[::2])
    other = scene(11).astype(np.uint8)

    assert difference(one, two) < 2 < 15 < difference(one, other)


@pytest.mark.parametrize("count", (10, 15, 20))
@pytest.mark.parametrize("seed", range(4))
def test_a_dissolve_is_one_change_in_its_middle(seed, count):
    pictures = dissolved(seed, 50 + seed, count)
    (when,) = changes_in(pictures)

    assert abs(when - (30 + (count - 1) / 2) / RATE) <= 0.12
    assert cuts_in(pictures) == []


def test_a_fade_to_black_and_out_of_it_are_two_changes():
    down = [scene(12) * share for share in np.linspace(1, 0, 14)]
    pictures = [*[scene(12)] * 30, *down, *[np.zeros(SIZE)] * 30, *down[::-1], *[scene(12)] * 30]

    assert len(changes_in(pictures)) == 2


@pytest.mark.parametrize("speed", (0.1, 0.3, 1.0, 2.0))
def test_a_pan_is_no_gradual_change(speed):
    assert changes_in(panned(13, 80, speed)) == []


def test_a_cut_is_no_gradual_change_as_well():
    assert changes_in([scene(14)] * 30 + [scene(15)] * 30) == []
