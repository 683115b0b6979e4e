"""The pictures of a video in time: the same ones, wherever one begins."""

import itertools
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from lookwho.core.errors import (
    FormatNotInstalled,
    InputError,
)
from lookwho.core.video import Reader, frame_at, probe
from lookwho.core.video_file import VideoFile
from tests.core.watching import read, same
from tests.videos import (
    drawn,
    make_clip,
)

# Pictures that refer to later ones, and key frames that do not begin anew.
OPEN = {
    "preset": "medium",
    "x264-params": "keyint=24:min-keyint=24:bframes=3:open-gop=1:b-pyramid=normal:scenecut=0",
}
REFRESHED = {"preset": "medium", "x264-params": "keyint=24:intra-refresh=1:bframes=2"}

# --- times ---


def test_a_variable_rate_keeps_its_times(tmp_path):
    times = [0, 0.1, 0.15, 0.9, 1.0, 2.5]
    clip = make_clip(tmp_path / "a.mp4", drawn(6), times=times)
    assert read(clip)[0] == pytest.approx(times)
    assert read(clip, 0.15, 1.0)[0] == pytest.approx([0.15, 0.9])


def test_pictures_without_times_are_counted(tmp_path):
    clip = make_clip(tmp_path / "a.h264", drawn(50), keyframes_every=10)
    assert read(clip)[0] == pytest.approx([number / 25 for number in range(50)])
    assert read(clip, 1.0, 1.1)[0] == pytest.approx([1.0, 1.04, 1.08])
    assert probe(clip).duration == pytest.approx(2.0)


def test_times_of_decoding_are_not_taken_for_times_of_showing(tmp_path):
    clip = make_clip(tmp_path / "a.avi", drawn(60), options=OPEN)
    assert read(clip)[0] == pytest.approx([number / 25 for number in range(60)])


def test_times_that_go_back_are_passed_over(tmp_path):
    # The index of a small VOB gives some pictures the times of earlier ones.
    options = {"g": "12", "bf": "2"}
    clip = make_clip(
        tmp_path / "a.vob", drawn(100), codec="mpeg2video", options=options, audio=True
    )
    with VideoFile(clip) as file:
        told = [frame.pts for frame in file.frames()]
    assert told != sorted(set(told))
    times = read(clip)[0]
    assert times == sorted(set(times))
    assert len(times) > 90


def remuxed(clip, path, shift):
    """Copy a clip with all times moved by so many pictures."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        step = round(1 / (stream.average_rate * stream.time_base))
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.pts += shift * step
                packet.dts += shift * step
                packet.stream = copy
                target.mux(packet)
    return path


@pytest.mark.parametrize("suffix", (".mp4", ".mkv", ".mts"))
@pytest.mark.parametrize("shift", (100, 100_000))
def test_the_first_picture_is_at_zero_wherever_the_clock_begins(suffix, shift, tmp_path):
    clip = make_clip(tmp_path / f"a{suffix}", drawn(50), keyframes_every=10)
    moved = remuxed(clip, tmp_path / f"moved{suffix}", shift)
    assert read(moved)[0] == pytest.approx([number / 25 for number in range(50)], abs=0.002)
    assert same(read(moved, 1.0, 1.5)[1], read(clip, 1.0, 1.5)[1])
    assert probe(moved).duration == pytest.approx(2.0, abs=0.01)


def test_what_an_edit_list_leaves_out_is_not_shown(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(50), keyframes_every=25)
    cut = remuxed(clip, tmp_path / "cut.mp4", -10)
    times, pictures, _ = read(cut)
    assert times == pytest.approx([number / 25 for number in range(40)])
    assert same(pictures, read(clip)[1][10:])


# --- from anywhere on ---


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    (
        (".mp4", "libx264", OPEN),
        (".mkv", "libx264", OPEN),
        (".mts", "libx264", OPEN),
        (".mp4", "libx264", REFRESHED),
        (".mts", "libx264", REFRESHED),
        (".vob", "mpeg2video", {"g": "12", "bf": "2"}),
        (".mxf", "mpeg2video", {"g": "12"}),
        (".avi", "mpeg4", {"g": "12"}),
        (".webm", "libvpx-vp9", {"g": "12"}),
        (".wmv", "wmv2", {"g": "12"}),
        (".flv", "libx264", OPEN),
        (".dv", "dvvideo", {}),
    ),
)
def test_a_stretch_is_the_same_wherever_one_begins(suffix, codec, options, tmp_path):
    size = {".dv": (720, 576), ".vob": (352, 288)}.get(suffix, (96, 64))
    count = 30 if codec == "dvvideo" else 100
    pictures = drawn(count, size)
    clip = make_clip(tmp_path / f"a{suffix}", pictures, codec=codec, options=options, audio=True)
    times, pictures, _ = read(clip, side=64)
    assert len(times) == count
    rng = np.random.default_rng(1)
    for start, length in zip(rng.uniform(0, times[-1], 8), rng.uniform(0, 1, 8), strict=True):
        inside = [number for number, time in enumerate(times) if start <= time < start + length]
        some, shown, _ = read(clip, start, start + length, side=64)
        assert some == [times[number] for number in inside]
        assert same(shown, [pictures[number] for number in inside])


def test_stretches_side_by_side_are_the_whole(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(75), options=OPEN)
    times, pictures, _ = read(clip)
    edges = [0.0, times[10], 0.7777, times[24], times[25], 2.0, 99.0]
    parts = [read(clip, *part) for part in itertools.pairwise(edges)]
    assert [time for part in parts for time in part[0]] == times
    assert same([picture for part in parts for picture in part[1]], pictures)


def test_one_reader_reads_stretches_in_any_order(tmp_path):
    clip = make_clip(tmp_path / "a.mkv", drawn(75), options=OPEN)
    times, pictures, _ = read(clip)
    with Reader(clip) as reader:
        for start, end in ((2.0, 2.2), (0.0, 0.2), (2.0, 2.2), (0.5, 0.7)):
            frames = list(reader.frames(start, end))
            inside = [number for number, time in enumerate(times) if start <= time < end]
            assert [frame.time for frame in frames] == [times[number] for number in inside]
            assert same([frame.pixels() for frame in frames], [pictures[n] for n in inside])


def test_threads_change_nothing(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(50), options=OPEN)
    with Reader(clip, threads=3) as reader:
        many = [(frame.time, frame.pixels()) for frame in reader.frames(0.5)]
    times, pictures, _ = read(clip, 0.5)
    assert [time for time, _ in many] == times
    assert same([pixels for _, pixels in many], pictures)


@pytest.mark.parametrize(("suffix", "codec"), ((".mts", "libx264"), (".vob", "mpeg2video")))
def test_a_clock_that_starts_anew_goes_on(suffix, codec, tmp_path):
    # As recorders cut a recording into files, and people put them together again.
    part = make_clip(tmp_path / f"a{suffix}", drawn(50), codec=codec, keyframes_every=10)
    whole = tmp_path / f"whole{suffix}"
    whole.write_bytes(part.read_bytes() * 3)
    assert probe(whole).duration == pytest.approx(6.0)
    times, pictures, _ = read(whole)
    assert times == pytest.approx([number / 25 for number in range(150)], abs=0.001)
    for start in (1.9, 2.5, 4.1):
        some, shown, _ = read(whole, start, start + 0.5)
        inside = [number for number, time in enumerate(times) if start <= time < start + 0.5]
        assert some == [times[number] for number in inside]
        assert same(shown, [pictures[number] for number in inside])


# --- one picture ---


@pytest.mark.parametrize(
    ("time", "number"), ((-1, 0), (0, 0), (0.038, 0), (0.04, 1), (1.0, 25), (1.97, 49), (9e9, 49))
)
def test_the_picture_at_a_time_is_the_last_before_it(time, number, tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(50), options=OPEN)
    assert np.array_equal(frame_at(clip, time), read(clip)[1][number])


def test_a_time_that_was_rounded_still_shows_its_picture(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(10), rate=Fraction(30000, 1001))
    times, pictures, _ = read(clip)
    for time, picture in zip(times, pictures, strict=True):
        assert np.array_equal(frame_at(clip, np.float32(time) - np.float32(1e-4)), picture)


def test_a_picture_may_be_smaller_but_is_never_enlarged(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(2))
    assert frame_at(clip, 0, side=48).shape == (32, 48, 3)
    assert frame_at(clip, 0, side=4000).shape == (64, 96, 3)
    with pytest.raises(InputError, match="1 pixel or more"):
        Reader(clip, side=0)


# --- PyAV ---


def test_without_pyav_the_message_says_what_to_install(tmp_path, monkeypatch):
    clip = make_clip(tmp_path / "a.mp4", drawn(1))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(FormatNotInstalled, match=r"pip install 'lookwho\[video\]'"):
        VideoFile(clip)


def test_photos_do_not_need_pyav():
    code = (
        "import sys, lookwho, lookwho.core.render, lookwho.core.video; print('av' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
