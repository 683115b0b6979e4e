"""Pictures of videos, as the site shows them, made in processes that may die."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from lookwho.core.errors import BrokenVideo, InputError, NotAVideo, OutOfMemory
from lookwho.core.render import Renderer, render
from lookwho.core.video import frame_at
from tests.core.watching import UPRIGHT, alike, corners
from tests.videos import KINDS, clip_of, drawn, make_clip, sound_only

BLACK = np.zeros((64, 96, 3), np.uint8)


def shown(webp):
    return np.asarray(Image.open(io.BytesIO(webp)).convert("RGB"))


@pytest.fixture(scope="module")
def renderer():
    renderer = Renderer(seconds=60, memory=2 << 30)
    yield renderer
    renderer.stop()


def test_a_video_is_shown_by_a_picture_of_it(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", itertools.chain([BLACK] * 20, drawn(30)))
    picture = shown(render(clip, side=64))
    assert picture.shape == (43, 64, 3)
    assert alike(corners(picture), UPRIGHT, 25)


def test_at_a_time_the_picture_of_that_time_is_shown(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", itertools.chain([BLACK] * 20, drawn(30)))
    assert shown(render(clip, side=64, time=0.5)).max() < 20
    assert alike(corners(shown(render(clip, side=64, time=1.0))), UPRIGHT, 25)


def test_a_face_is_cut_out_at_its_time(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", itertools.chain([BLACK] * 20, drawn(30, (96, 64))))
    crop = shown(render(clip, side=160, box=(0.7, 0.1, 0.8, 0.3), time=1.0))
    height, width = crop.shape[:2]
    assert height == width == 40  # 1.6 times the 13 pixels of its height, enlarged twice
    assert alike(crop[height // 2, width // 2], (30, 200, 30), 25)
    assert shown(render(clip, side=160, box=(0.7, 0.1, 0.8, 0.3), time=0.1)).max() < 20


def test_a_small_face_is_cut_out_of_all_pixels(tmp_path):
    # Read at the side of the crop, the pattern would be grey.
    pattern = np.zeros((720, 1280, 3), np.uint8)
    pattern[:, ::4] = pattern[:, 1::4] = 255
    clip = make_clip(tmp_path / "a.mkv", [pattern], codec="ffv1")
    crop = shown(render(clip, side=160, box=(0.5, 0.5, 0.53, 0.55), time=0.0))
    assert crop.std() > 80


def test_a_renderer_makes_what_render_makes_of_videos(renderer, tmp_path):
    clip = make_clip(tmp_path / "a.webm", drawn(30), codec="libvpx-vp9")
    box = (0.1, 0.1, 0.4, 0.6)
    assert renderer.render(clip, side=64) == render(clip, side=64)
    assert renderer.render(clip, side=64, time=0.7) == render(clip, side=64, time=0.7)
    assert renderer.render(clip, side=64, box=box, time=0.7) == render(
        clip, side=64, box=box, time=0.7
    )


def test_why_a_video_cannot_be_shown_is_told(renderer, tmp_path):
    with pytest.raises(NotAVideo, match="sound and no video"):
        renderer.render(sound_only(tmp_path / "a.mp4"), side=64)
    broken = tmp_path / "b.mp4"
    broken.write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isomavc1" + bytes(99))
    with pytest.raises(BrokenVideo, match="damaged or cut short"):
        renderer.render(broken, side=64)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_whatever_is_broken_there_is_a_picture_or_a_reason(kind, renderer, tmp_path):
    data = np.frombuffer(clip_of(kind, tmp_path, count=8).read_bytes(), np.uint8)
    rng = np.random.default_rng(7)
    path = tmp_path / f"broken{kind.suffix}"
    for number in range(12):
        copy = data.copy()
        head = number % 2 == 0  # in headers, a byte does more harm
        places = rng.integers(8, min(len(data), 900 if head else len(data)), 1 + 5 * number)
        copy[places] = rng.integers(0, 256, len(places))
        end = len(data) if number % 3 else rng.integers(1, len(data))
        path.write_bytes(copy[:end].tobytes())
        try:
            picture = shown(renderer.render(path, side=64, time=number * 0.05))
        except (InputError, OutOfMemory) as error:
            assert not error.message.startswith("unexpected")  # noqa: PT017
        else:
            assert max(picture.shape[:2]) <= 64


def test_what_a_renderer_shows_is_what_is_at_that_time(renderer, tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(50), rotation=90)
    picture = shown(renderer.render(clip, side=96, time=1.2))
    assert picture.shape == (96, 64, 3)
    assert np.abs(picture.astype(int) - frame_at(clip, 1.2).astype(int)).mean() < 6
