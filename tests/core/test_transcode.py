import os
import re
from fractions import Fraction

import av
import numpy as np
import pytest

from lookwho.core import copied_sound
from lookwho.core import transcode as module
from lookwho.core.errors import (
    BrokenVideo,
    Cancelled,
    FileMissing,
    NotAVideo,
)
from lookwho.core.transcode import MP4, WEBM, best_format, copied, transcode
from lookwho.core.video import Reader, probe
from tests.pictures import assert_looks_like_corners
from tests.videos import (
    KINDS,
    clip_of,
    cut_off,
    damaged,
    drawn,
    eight_k,
    make_clip,
    sound_only,
    without_pictures,
)


def copy(source, target, form=MP4, **options):
    """Transcode here; return what is said of the copy."""
    work = transcode(str(source), str(target), form, **options)
    try:
        while True:
            next(work)
    except StopIteration as over:
        return over.value


def pictures_of(path):
    with Reader(path, side=4000) as reader:
        return [(round(frame.time, 3), frame.pixels()) for frame in reader.frames()]


def sound_of(path):
    """How many seconds are heard, and from when on."""
    with av.open(str(path)) as file:
        frames = list(file.decode(audio=0))
    return sum(frame.samples for frame in frames) / 48_000, float(frames[0].time)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_every_kind_becomes_what_browsers_play(kind, tmp_path):
    source = clip_of(kind, tmp_path, count=12, audio=True)

    told = copy(source, tmp_path / "copy.mp4")

    found = probe(tmp_path / "copy.mp4")
    assert found.plays
    assert found.has_audio
    assert (found.width, found.height) == (told["width"], told["height"])
    before, after = pictures_of(source), pictures_of(tmp_path / "copy.mp4")
    assert [time for time, _ in after] == [time for time, _ in before]
    assert before[0][1].shape[0] == after[0][1].shape[0]
    assert_looks_like_corners(after[0][1])
    assert_looks_like_corners(after[-1][1])
    heard, first = sound_of(tmp_path / "copy.mp4")
    assert first == pytest.approx(0, abs=0.05)
    assert heard == pytest.approx(12 / 25 / (2 if kind.interlaced else 1), abs=0.1)


def test_where_there_is_no_h264_it_is_vp9_and_opus(tmp_path):
    source = make_clip(tmp_path / "clip.avi", codec="mpeg4", audio=True)

    copy(source, tmp_path / "copy.webm", WEBM)

    with av.open(str(tmp_path / "copy.webm")) as file:
        codecs = {stream.codec_context.name.removeprefix("lib") for stream in file.streams}
    assert codecs == {"vp9", "opus"}
    assert probe(tmp_path / "copy.webm").plays
    assert_looks_like_corners(pictures_of(tmp_path / "copy.webm")[0][1])


def test_h264_is_chosen_where_this_ffmpeg_writes_it(monkeypatch):
    assert best_format() == MP4

    monkeypatch.setattr(module, "MP4", MP4._replace(video="no such encoder"))
    assert best_format() == WEBM


def test_the_index_comes_before_the_pictures_so_that_playing_begins_at_once(tmp_path):
    copy(make_clip(tmp_path / "clip.mkv"), tmp_path / "copy.mp4")

    data = (tmp_path / "copy.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("rotation", (90, 180, 270))
def test_a_video_that_is_to_be_turned_is_turned_once(rotation, tmp_path):
    source = make_clip(tmp_path / "clip.mp4", rotation=rotation)

    copy(source, tmp_path / "copy.mp4")

    before, after = pictures_of(source)[0][1], pictures_of(tmp_path / "copy.mp4")[0][1]
    assert after.shape == before.shape
    assert abs(before.astype(int) - after).mean() < 8
    assert probe(tmp_path / "copy.mp4").rotation == 0


def test_pixels_become_square(tmp_path):
    source = make_clip(
        tmp_path / "clip.mpg",
        drawn(3, (72, 58)),
        codec="mpeg2video",
        pixel_aspect=Fraction(16, 11),
    )

    told = copy(source, tmp_path / "copy.mp4")

    assert (told["width"], told["height"]) == (104, 58)


@pytest.mark.parametrize(
    ("size", "becomes"),
    (
        ((1, 1), (2, 2)),
        ((97, 33), (96, 32)),
        ((2560, 1440), (1920, 1080)),
        ((1440, 2560), (1080, 1920)),
        ((3000, 400), (1920, 256)),
    ),
)
def test_it_is_at_most_1080_lines_and_of_even_sides(size, becomes, tmp_path):
    source = make_clip(tmp_path / "clip.mp4", drawn(2, size), pixel_format="yuv444p")

    told = copy(source, tmp_path / "copy.mp4")

    assert (told["width"], told["height"]) == becomes
    assert pictures_of(tmp_path / "copy.mp4")[0][1].shape == (becomes[1], becomes[0], 3)


def test_every_picture_keeps_its_time_however_uneven(tmp_path):
    times = [0, 0.1, 0.15, 0.5, 2]
    source = make_clip(tmp_path / "clip.mp4", drawn(5), times=times, audio=True)

    told = copy(source, tmp_path / "copy.mp4")

    assert [time for time, _ in pictures_of(tmp_path / "copy.mp4")] == times
    assert told["seconds"] == 2


def test_pictures_without_times_are_counted(tmp_path):
    source = make_clip(tmp_path / "clip.h264", drawn(5))

    copy(source, tmp_path / "copy.mp4")

    times = [time for time, _ in pictures_of(tmp_path / "copy.mp4")]
    assert times == [0, 0.04, 0.08, 0.12, 0.16]


def test_interlaced_pictures_show_one_moment_each(tmp_path):
    """A bar that moves: its edges are combed in the source, and straight in the copy."""
    source = make_clip(
        tmp_path / "clip.mpg",
        drawn(40, (192, 128)),
        codec="mpeg2video",
        interlaced=True,
    )

    copy(source, tmp_path / "copy.mp4")

    with av.open(str(source)) as file:
        stored = [frame.to_ndarray(format="gray") for frame in file.decode(video=0)][10]
    with av.open(str(tmp_path / "copy.mp4")) as file:
        frames = list(file.decode(video=0))
        shown = frames[10].to_ndarray(format="gray")
    assert not any(frame.interlaced_frame for frame in frames)
    assert combed(stored) > 4 * combed(shown)


def combed(gray):
    """How much rows differ from both neighbours, where the bar is and nothing else changes."""
    rows = gray[57:64].astype(int)
    return abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean()


def test_what_the_file_says_of_place_and_day_is_not_in_the_copy(tmp_path):
    told = {
        "location": "+52.1-004.5/",
        "creation_time": "2019-03-04T05:06:07Z",
        "comment": "Zoe's party",
    }
    source = make_clip(tmp_path / "clip.mov", drawn(3), metadata=told)
    assert b"52.1" in source.read_bytes()

    copy(source, tmp_path / "copy.mp4")

    data = (tmp_path / "copy.mp4").read_bytes()
    assert not re.search(rb"52\.1|2019|party", data)
    with av.open(str(tmp_path / "copy.mp4")) as file:
        assert not file.metadata.keys() & {"location", "creation_time", "comment"}


def test_a_broken_end_ends_the_copy(tmp_path):
    whole = make_clip(tmp_path / "whole.mkv", drawn(50), audio=True, keyframes_every=5)

    told = copy(cut_off(whole, tmp_path / "cut.mkv"), tmp_path / "copy.mp4")

    assert 0.5 < told["seconds"] < 1.9
    assert probe(tmp_path / "copy.mp4").plays


def test_what_is_damaged_is_left_out(tmp_path):
    whole = make_clip(tmp_path / "whole.mp4", drawn(100), index_first=True, keyframes_every=5)

    told = copy(damaged(whole, tmp_path / "bad.mp4"), tmp_path / "copy.mp4")

    assert told["seconds"] == pytest.approx(3.96)
    assert len(pictures_of(tmp_path / "copy.mp4")) < 100


def test_sound_of_an_unknown_codec_is_left_out(tmp_path, monkeypatch):
    source = make_clip(tmp_path / "clip.mp4", audio=True)
    assert copy(source, tmp_path / "copy.mp4")["sound"] is True
    monkeypatch.setattr(copied_sound, "SOUND_CODECS", frozenset())

    assert copy(source, tmp_path / "copy.mp4")["sound"] is False
    assert not probe(tmp_path / "copy.mp4").has_audio


def a_file(name, data, folder):
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("make", "error"),
    (
        (lambda folder: folder / "none.mp4", FileMissing),
        (lambda folder: a_file("empty.mp4", b"", folder), NotAVideo),
        (lambda folder: a_file("text.mp4", b"#EXTM3U\nfile:///etc/passwd\n", folder), NotAVideo),
        (lambda folder: sound_only(folder / "sound.mp4"), NotAVideo),
        (lambda folder: sound_only(folder / "sound.mkv"), NotAVideo),
        (lambda folder: without_pictures(folder / "zero.mp4", folder), BrokenVideo),
        (lambda folder: cut_off(make_clip(folder / "a.mp4"), folder / "b.mp4", 0.4), BrokenVideo),
        (lambda folder: a_file("noise.mp4", b"\0\0\0\x18ftypmp42" + os.urandom(9999), folder),
         BrokenVideo),
    ),
)  # fmt: skip
def test_what_is_no_video_is_told_in_words_and_nothing_hangs(make, error, tmp_path):
    with pytest.raises(error) as caught:
        copied(make(tmp_path), tmp_path / "copy.mp4", lambda share: None)
    assert re.search(
        r"empty|sound|picture|video|no file|damaged or cut short", caught.value.message
    )


def test_8k_becomes_a_copy_within_the_memory_that_it_may_take(tmp_path):
    told = copied(eight_k(tmp_path / "8k.mp4"), tmp_path / "copy.mp4", lambda share: None)

    assert (told["width"], told["height"]) == (1920, 1080)


def test_a_copy_that_would_fill_the_disk_ends(tmp_path):
    noisy = make_clip(tmp_path / "clip.mp4", moving_noise(40), options={"crf": "10"})

    with pytest.raises(BrokenVideo, match="more than is kept"):
        copy(noisy, tmp_path / "copy.mp4", limit=50_000)


def moving_noise(count, size=(320, 240)):
    for number in range(count):
        random = np.random.default_rng(number)
        yield random.integers(0, 256, (size[1], size[0], 3), np.uint8)


def test_how_far_it_is_is_told_and_it_stops_when_it_is_to(tmp_path):
    source = make_clip(tmp_path / "clip.mp4", moving_noise(60), options={"g": "5"})
    shares = []

    def stop(share):
        shares.append(share)
        if len(shares) == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        copied(make_long(source, tmp_path), tmp_path / "copy.mp4", stop)
    assert shares == sorted(shares)
    assert shares[-1] < 1


def make_long(clip, folder):
    """The same again and again: packets are copied, so that it takes no time."""
    path = folder / "long.mkv"
    with av.open(str(path), "w") as written:
        with av.open(str(clip)) as file:
            stream = written.add_stream_from_template(file.streams.video[0])
            packets = [(bytes(each), each.pts, each.dts, each.is_keyframe, each.time_base)
                       for each in file.demux(video=0) if each.dts is not None]  # fmt: skip
        length = max(pts for _, pts, *_ in packets) + packets[1][1] - packets[0][1]
        for again in range(100):
            for data, pts, dts, key, base in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, base
                packet.pts, packet.dts = pts + again * length, dts + again * length
                packet.is_keyframe = key
                written.mux(packet)
    return path
