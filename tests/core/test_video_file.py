"""Videos that are broken: what is there is shown, and the rest is told."""

import pytest

from lookwho.core.errors import (
    BrokenVideo,
    FileMissing,
)
from lookwho.core.video import probe
from tests.core.watching import read, same
from tests.videos import (
    cut_off,
    damaged,
    drawn,
    make_clip,
)


def test_a_video_that_breaks_off_gives_what_is_there(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(100), keyframes_every=10, index_first=True)
    cut = cut_off(clip, tmp_path / "cut.mp4", 0.6)
    times, pictures, problem = read(cut)
    assert 40 < len(times) < 70
    assert same(pictures[:40], read(clip)[1][:40])
    assert "breaks off after" in problem
    info = probe(cut)
    assert info.duration == pytest.approx(times[-1] + 0.04, abs=0.1)
    assert info.problem.startswith("the video breaks off after 2.")
    assert info.problem.endswith("of 4.0 seconds")
    assert read(cut, 3.5, 3.9)[0] == []


def test_a_video_without_its_table_of_contents_is_refused(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(50))
    with pytest.raises(BrokenVideo, match="damaged or cut short: its table of contents"):
        probe(cut_off(clip, tmp_path / "cut.mp4"))


@pytest.mark.parametrize("suffix", (".mp4", ".mts"))
def test_what_is_damaged_in_the_middle_is_skipped(suffix, tmp_path):
    clip = make_clip(tmp_path / f"a{suffix}", drawn(100), keyframes_every=10, index_first=True)
    times, pictures, _ = read(damaged(clip, tmp_path / f"damaged{suffix}"))
    assert times[-1] == pytest.approx(3.96)
    assert same(pictures[-10:], read(clip)[1][-10:])
    assert same(pictures[:40], read(clip)[1][:40])


def test_what_is_damaged_is_told(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(100), keyframes_every=10, index_first=True)
    broken = damaged(clip, tmp_path / "damaged.mp4")
    assert "damaged were skipped" in read(broken)[2]
    assert read(broken, 0.0, 1.0)[2] == ""


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileMissing, match="there is no file"):
        probe(tmp_path / "a.mp4")


def test_no_name_passes_for_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "concat:a").mkdir()
    clip = make_clip(tmp_path / "a.mp4", drawn(3))
    named = clip.rename(tmp_path / "concat:a" / "b%d|é.mp4")
    assert len(read(named)[0]) == 3
    assert len(read("concat:a/b%d|é.mp4")[0]) == 3
