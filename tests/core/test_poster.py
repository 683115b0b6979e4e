"""The picture that stands for a video shows something."""

import itertools

import numpy as np
import pytest

from lookwho.core.errors import BrokenVideo
from lookwho.core.poster import poster
from tests.core.watching import UPRIGHT, alike, corners
from tests.videos import drawn, make_clip, without_pictures

BLACK = np.zeros((64, 96, 3), np.uint8)


@pytest.mark.parametrize("suffix", (".mp4", ".mkv", ".mts", ".h264"))
def test_a_poster_is_not_black_though_the_video_begins_so(suffix, tmp_path):
    pictures = itertools.chain([BLACK] * 60, drawn(60))
    clip = make_clip(tmp_path / f"a{suffix}", pictures, keyframes_every=25)
    assert alike(corners(poster(clip, 320)), UPRIGHT)


def test_a_poster_is_not_black_though_there_is_one_key_frame(tmp_path):
    pictures = itertools.chain([BLACK] * 30, drawn(100))
    clip = make_clip(tmp_path / "a.mp4", pictures, keyframes_every=1000)
    assert alike(corners(poster(clip, 320)), UPRIGHT)


def test_a_poster_is_not_black_though_the_video_is_so_for_long(tmp_path):
    pictures = itertools.chain([BLACK] * 70, drawn(230))
    clip = make_clip(tmp_path / "a.mp4", pictures, rate=5, keyframes_every=10)
    assert alike(corners(poster(clip, 320)), UPRIGHT)


def test_of_a_black_video_the_lightest_picture_is_taken(tmp_path):
    pictures = [BLACK.copy() for _ in range(20)]
    pictures[7][:32] = 24
    clip = make_clip(tmp_path / "a.mp4", pictures, options={"crf": "1"})
    assert poster(clip, 320)[:20].mean() > 10


def test_a_poster_has_the_side_that_was_asked_for(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(5), rotation=90)
    assert poster(clip, 48).shape == (48, 32, 3)
    assert poster(clip, 1000).shape == (96, 64, 3)


def test_a_video_without_a_picture_has_no_poster(tmp_path):
    with pytest.raises(BrokenVideo):
        poster(without_pictures(tmp_path / "a.mp4", tmp_path), 320)
