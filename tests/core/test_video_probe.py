"""What a video is: its length by its end, not by its header, and whether browsers play it."""

import datetime as dt
import struct
from fractions import Fraction

import av
import pytest

from lookwho.core.errors import BrokenVideo
from lookwho.core.video import probe
from tests.core.watching import read
from tests.videos import KINDS, clip_of, drawn, kind_named, make_clip

CODECS = ("H.264", "H.265", "AV1", "VP9", "MPEG-2", "DV", "ProRes", "MJPEG", "MPEG-4")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_video_is_what_it_was_made_as(kind, tmp_path):
    info = probe(clip_of(kind, tmp_path, audio=True))
    assert info.duration == pytest.approx(0.52 if kind.interlaced else 1.0, abs=0.03)
    assert info.frame_rate == 25
    assert info.has_audio
    assert info.rotation == 0
    assert info.taken_at is None
    assert info.problem == ""
    told = next((codec for codec in CODECS if kind.name.startswith(codec)), None)
    assert info.codec == (told or kind.codec)
    width = 768 if kind.codec == "dvvideo" else kind.size[0]  # its pixels are wider than high
    assert (info.width, info.height) == (width, kind.size[1])


def test_a_video_without_sound_has_none(tmp_path):
    assert not probe(make_clip(tmp_path / "a.mp4", drawn(2))).has_audio


@pytest.mark.parametrize(
    ("name", "options", "plays"),
    (
        ("a.mp4", {}, True),
        ("a.mp4", {"audio": True, "rotation": 90}, True),
        ("a.mp4", {"pixel_format": "yuv420p10le"}, False),
        ("a.mp4", {"pixel_format": "yuv444p"}, False),
        ("a.mp4", {"codec": "libx265"}, False),
        ("a.mp4", {"codec": "mpeg4"}, False),
        ("a.webm", {"codec": "libvpx-vp9", "audio": True}, True),
        ("a.webm", {"codec": "libsvtav1"}, True),
        ("a.mkv", {}, False),
        ("a.mov", {}, False),
        ("a.avi", {"codec": "mjpeg"}, False),
        ("a.mts", {}, False),
    ),
)
def test_browsers_play_some(name, options, plays, tmp_path):
    assert probe(make_clip(tmp_path / name, drawn(3), **options)).plays is plays


def test_sound_that_browsers_do_not_play_keeps_them_from_playing(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        stream, sound = file.add_stream("libx264", rate=25), file.add_stream("ac3", rate=48000)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        silence = av.AudioFrame(format="fltp", layout="stereo", samples=1536)
        silence.sample_rate = 48000
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        for packet in sound.encode(silence) + sound.encode(None):
            file.mux(packet)
        for picture in drawn(2):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))
    info = probe(path)
    assert info.has_audio
    assert not info.plays


@pytest.mark.parametrize(
    ("metadata", "taken_at"),
    (
        ({}, None),
        ({"creation_time": "2024-05-01T10:00:00.000000Z"}, dt.datetime(2024, 5, 1, 10)),
        ({"creation_time": "1970-01-01T00:00:00.000000Z"}, None),
        ({"creation_time": "2999-01-01T00:00:00.000000Z"}, None),
    ),
)
def test_when_it_was_taken_is_what_the_camera_wrote(metadata, taken_at, tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(2), metadata=metadata)
    assert probe(clip).taken_at == taken_at


def test_the_local_time_holds_before_that_of_greenwich(tmp_path):
    path = tmp_path / "a.mov"
    told = {
        "creation_time": "2024-05-01T10:00:00.000000Z",
        "com.apple.quicktime.creationdate": "2024-05-01T12:00:00+0200",
    }
    with av.open(str(path), "w", container_options={"movflags": "use_metadata_tags"}) as file:
        file.metadata.update(told)
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for picture in drawn(2):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))
    assert probe(path).taken_at == dt.datetime(2024, 5, 1, 12)


def test_a_recording_of_a_browser_has_a_length_though_it_says_none(tmp_path):
    # As MediaRecorder writes it: no duration, no index.
    path = tmp_path / "a.webm"
    with av.open(str(path), "w", container_options={"live": "1"}) as file:
        stream = file.add_stream("libvpx-vp9", rate=25, options={"deadline": "realtime", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number, picture in enumerate(drawn(60)):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with av.open(str(path)) as file:
        assert file.duration is None
    assert probe(path).duration == pytest.approx(2.4, abs=0.01)
    assert read(path, 2.0, 2.1)[0] == pytest.approx([2.0, 2.04, 2.08])


def test_a_length_that_the_header_makes_longer_is_not_believed(tmp_path):
    clip = make_clip(tmp_path / "a.mkv", drawn(50))
    data = clip.read_bytes()
    at = data.index(b"\x44\x89\x88")  # the duration, a double of milliseconds

    clip.write_bytes(data[: at + 3] + struct.pack(">d", 3_600_000.0) + data[at + 11 :])
    info = probe(clip)
    assert info.duration == pytest.approx(2.0)
    assert info.problem == "the video breaks off after 2.0 of 3600.0 seconds"


def test_a_video_cannot_last_for_weeks(tmp_path):
    clip = make_clip(tmp_path / "a.mkv", drawn(2), times=[0, 8 * 86_400])
    with pytest.raises(BrokenVideo, match="it would last 8 days"):
        probe(clip)
    week = make_clip(tmp_path / "b.mkv", drawn(2), times=[0, 6 * 86_400])
    assert probe(week).duration == pytest.approx(6 * 86_400, abs=1)


def test_sound_that_goes_on_is_no_part_of_the_length(tmp_path):
    kind = kind_named("H.264 in MP4")
    clip = clip_of(kind, tmp_path, audio=True)
    with av.open(str(clip)) as file:
        whole = file.duration / 1_000_000
    info = probe(clip)
    assert info.duration == pytest.approx(1.0) != whole
    assert info.problem == ""
