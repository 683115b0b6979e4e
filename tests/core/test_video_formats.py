"""Every kind of video that people have, and what is none."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from lookwho.core.errors import (
    BrokenVideo,
    ImageTooLarge,
    InputError,
    NotAVideo,
)
from lookwho.core.video import Reader, probe
from tests.core.watching import UPRIGHT, alike, corners, read
from tests.videos import (
    KINDS,
    clip_of,
    drawn,
    eight_k,
    make_clip,
    sound_only,
    without_pictures,
)

# --- kinds ---


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_video_is_read(kind, tmp_path):
    clip = clip_of(kind, tmp_path)
    times, pictures, problem = read(clip)
    count = 13 if kind.interlaced else 25
    assert times == pytest.approx([number / 25 for number in range(count)], abs=0.002)
    assert all(alike(corners(picture), UPRIGHT, 25) for picture in pictures[:3])
    assert problem == ""


@pytest.mark.parametrize(
    ("size", "codec", "form"), (((1, 1), "libx264", "yuv444p"), ((2, 1), "ffv1", "yuv420p"))
)
def test_a_pixel_is_a_picture(size, codec, form, tmp_path):
    clip = make_clip(tmp_path / "a.mkv", drawn(3, size), codec=codec, pixel_format=form)
    times, (first, *_), _ = read(clip)
    assert first.shape == (size[1], size[0], 3)
    assert len(times) == 3
    info = probe(clip)
    assert (info.width, info.height) == size


def test_8k_is_read_small(tmp_path):
    clip = eight_k(tmp_path / "a.mp4", count=1)
    info = probe(clip)
    assert (info.width, info.height) == (7680, 4320)
    times, (picture,), _ = read(clip, side=640)
    assert (times, picture.shape) == ([0.0], (360, 640, 3))


def test_larger_than_8k_is_refused(tmp_path):
    clip = make_clip(tmp_path / "a.mkv", drawn(1, (8200, 5000)), codec="ffv1")
    with pytest.raises(ImageTooLarge, match="8200 x 5000 pixels"):
        Reader(clip)


# --- what is refused ---


@pytest.mark.parametrize(
    ("content", "said"),
    (
        (b"", "the file is empty"),
        (b"\xff\xd8\xff\xe0" + bytes(600), "a picture \\(JPEG\\)"),
        (b"just a few words\n" * 9, "a text file"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n", "a text file"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "a text file"),
        (b"\x1aE\xdf\xa3" + bytes(600), None),
        (b"\0\0\0\x18ftypisom" + bytes(600), None),
        (b"RIFF\xff\xff\0\0AVI " + bytes(600), None),
        (b"\0\0\x01\xba" + bytes(600), None),
        ((b"G" + bytes(187)) * 20, None),
        (b"FLV\x01\x05\0\0\0\x09" + bytes(600), None),
        (b"OggS" + bytes(24) + b"\x80theora" + bytes(600), None),
        (b"\0\0\0\x01\x67" + bytes(600), None),
    ),
)
def test_what_is_no_video_is_refused_in_words(content, said, tmp_path):
    path = tmp_path / "holiday.mp4"
    path.write_bytes(content)
    with pytest.raises(NotAVideo if said else InputError, match=said):
        probe(path)
    with pytest.raises(InputError):
        Reader(path)


@pytest.mark.parametrize("suffix", (".mp4", ".mkv", ".mts"))
def test_sound_alone_is_no_video(suffix, tmp_path):
    with pytest.raises(NotAVideo, match="holds sound and no video"):
        probe(sound_only(tmp_path / f"a{suffix}"))


def test_a_video_without_a_picture_is_refused(tmp_path):
    with pytest.raises(BrokenVideo, match="holds no picture"):
        probe(without_pictures(tmp_path / "a.mp4", tmp_path))


def test_a_codec_that_is_not_listed_is_not_decoded(tmp_path):
    clip = make_clip(tmp_path / "a.avi", drawn(3), codec="zmbv", pixel_format="bgr0")
    with pytest.raises(NotAVideo, match="coded as zmbv, which is not read"):
        Reader(clip)


# --- which stream ---


def two_streams(path, sizes, dispositions, codecs=("libx264", "libx264")):
    with av.open(str(path), "w") as file:
        streams = []
        for size, disposition, codec in zip(sizes, dispositions, codecs, strict=True):
            stream = file.add_stream(codec, rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.disposition = disposition
            streams.append(stream)
        for stream, size in zip(streams, sizes, strict=True):
            count = 1 if stream.disposition & Disposition.attached_pic else 5
            for number, picture in enumerate(drawn(count, size)):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    return path


NO, DEFAULT, COVER = Disposition(0), Disposition.default, Disposition.attached_pic


@pytest.mark.parametrize(
    ("sizes", "dispositions", "chosen"),
    (
        (((32, 32), (96, 64)), (DEFAULT, DEFAULT), (96, 64)),
        (((96, 64), (32, 32)), (DEFAULT, DEFAULT), (96, 64)),
        (((96, 64), (32, 32)), (NO, DEFAULT), (32, 32)),
    ),
)
def test_of_several_streams_the_one_that_players_show_is_read(
    sizes, dispositions, chosen, tmp_path
):
    clip = two_streams(tmp_path / "a.mkv", sizes, dispositions)
    info = probe(clip)
    assert (info.width, info.height) == chosen


def test_a_cover_is_no_video(tmp_path):
    sizes, codecs = ((320, 320), (96, 64)), ("mjpeg", "libx264")
    clip = two_streams(tmp_path / "a.mp4", sizes, (COVER, DEFAULT), codecs)
    assert (probe(clip).width, len(read(clip)[0])) == (96, 5)


def test_music_with_a_cover_is_sound(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        cover = file.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        sound = file.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 44100
        file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
        picture = av.VideoFrame.from_ndarray(next(drawn(1, (64, 64))), "rgb24")
        file.mux(cover.encode(picture.reformat(format="yuvj420p")))
        file.mux(cover.encode(None))
    with pytest.raises(NotAVideo, match="sound and no video"):
        probe(path)
