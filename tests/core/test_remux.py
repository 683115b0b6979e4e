import re
from fractions import Fraction

import av
import pytest

from lookwho.core.errors import NotAVideo
from lookwho.core.remux import plays_as_it_is, remux
from lookwho.core.transcode import copied
from lookwho.core.video import Reader, probe
from tests.videos import damaged, drawn, make_clip, sound_only

TOLD = {"location": "+52.1-004.5/", "creation_time": "2019-03-04T05:06:07Z"}


def copy(source, target):
    work = remux(str(source), str(target))
    shares = []
    try:
        while True:
            shares.append(next(work))
    except StopIteration as over:
        assert shares == sorted(shares)
        return over.value


def pictures_of(path):
    with Reader(path) as reader:
        return [(frame.time, frame.pixels().tobytes()) for frame in reader.frames()]


@pytest.mark.parametrize(
    "more",
    (
        {},
        {"audio": True},
        {"options": {"preset": "medium", "bf": "3"}},
        {"rotation": 90},
        {"rotation": 180, "audio": True},
        {"times": [each**2 / 100 for each in range(30)]},
    ),
)
def test_the_copy_shows_the_same_pictures_at_the_same_times(more, tmp_path):
    source = make_clip(tmp_path / "clip.mov", drawn(30), metadata=TOLD, **more)
    assert plays_as_it_is(str(source))

    told = copy(source, tmp_path / "copy.mp4")

    assert pictures_of(tmp_path / "copy.mp4") == pictures_of(source)
    before, after = probe(source), probe(tmp_path / "copy.mp4")
    assert after.plays
    assert (after.rotation, after.has_audio) == (before.rotation, before.has_audio)
    assert told["seconds"] == pytest.approx(pictures_of(source)[-1][0])
    assert (told["width"], told["height"], told["sound"]) == (96, 64, before.has_audio)


def test_it_says_nothing_of_place_day_and_camera(tmp_path):
    source = make_clip(tmp_path / "clip.mov", metadata=TOLD, audio=True)
    notes = rb"52\.1|2019|x264"  # the last is written between the pictures
    assert len(set(re.findall(notes, source.read_bytes()))) >= 2

    copy(source, tmp_path / "copy.mp4")

    data = (tmp_path / "copy.mp4").read_bytes()
    assert not re.search(notes, data)
    assert data.index(b"moov") < data.index(b"mdat")


def test_tracks_of_anything_else_stay_behind(tmp_path):
    plain = make_clip(tmp_path / "plain.mp4", audio=True)
    source = tmp_path / "clip.mov"
    with av.open(str(plain)) as file, av.open(str(source), "w") as written:
        streams = {each.index: written.add_stream_from_template(each) for each in file.streams}
        notes = written.add_stream("pcm_s16le", rate=8000, layout="mono")
        for packet in file.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                written.mux(packet)
        packet = av.Packet(b"+52.1-004.5/" * 100)
        packet.stream, packet.pts, packet.dts, packet.time_base = notes, 0, 0, Fraction(1, 8000)
        written.mux(packet)
    assert b"52.1" in source.read_bytes()

    copy(source, tmp_path / "copy.mp4")

    assert b"52.1" not in (tmp_path / "copy.mp4").read_bytes()
    with av.open(str(tmp_path / "copy.mp4")) as file:
        assert [stream.type for stream in file.streams] == ["video", "audio"]


@pytest.mark.parametrize(
    ("name", "more"),
    (
        ("clip.mov", {"codec": "libx265"}),
        ("clip.mov", {"codec": "mjpeg"}),
        ("clip.mov", {"pixel_format": "yuv444p"}),
        ("clip.mov", {"interlaced": True}),
        ("clip.mov", {"pixel_aspect": Fraction(16, 11)}),
        ("clip.mov", {"frames": "4K"}),
        ("clip.mkv", {}),
        ("clip.mts", {}),
        ("clip.avi", {}),
        ("clip.h264", {}),
    ),
)
def test_anything_else_has_to_be_encoded(name, more, tmp_path):
    if more.get("frames"):
        more = {"frames": drawn(2, (3840, 2160))}

    assert not plays_as_it_is(str(make_clip(tmp_path / name, **more)))


def test_what_is_no_video_is_refused(tmp_path):
    with pytest.raises(NotAVideo):
        plays_as_it_is(str(sound_only(tmp_path / "sound.mp4")))


def test_it_is_what_is_done_where_it_can_be(tmp_path):
    source = make_clip(tmp_path / "clip.mov", metadata=TOLD)

    copied(source, tmp_path / "copy.mp4", lambda share: None)

    assert pictures_of(tmp_path / "copy.mp4") == pictures_of(source)


def test_what_is_damaged_still_becomes_a_copy(tmp_path):
    whole = make_clip(tmp_path / "whole.mp4", drawn(100), index_first=True, keyframes_every=5)

    told = copied(damaged(whole, tmp_path / "bad.mp4"), tmp_path / "copy.mp4", lambda share: None)

    assert told["seconds"] == pytest.approx(3.96)
    assert probe(tmp_path / "copy.mp4").plays
