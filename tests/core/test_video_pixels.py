"""The pictures of a video: upright, with square pixels, in their colours."""

from fractions import Fraction

import av
import numpy as np
import pytest

from lookwho.core.video import Reader, probe
from tests.core.watching import BLUE, GREEN, RED, UPRIGHT, YELLOW, alike, corners, read
from tests.videos import (
    clip_of,
    drawn,
    kind_named,
    make_clip,
)

# --- colours ---


@pytest.mark.parametrize(
    ("suffix", "codec", "form"),
    (
        (".mp4", "libx264", "yuv420p10le"),
        (".mp4", "libx264", "yuv444p"),
        (".mov", "prores_ks", "yuv422p10le"),
        (".mov", "prores_ks", "yuva444p10le"),
        (".avi", "mjpeg", "yuvj444p"),
        (".mkv", "ffv1", "yuva420p"),
        (".mkv", "ffv1", "bgra"),
        (".mkv", "ffv1", "gbrp10le"),
        (".mkv", "ffv1", "yuv420p16le"),
        (".mkv", "ffv1", "yuv410p"),
        (".mkv", "rawvideo", "yuyv422"),
        (".mkv", "rawvideo", "nv12"),
        (".mov", "rawvideo", "rgb24"),
        (".mov", "png", "rgba"),
    ),
)
@pytest.mark.parametrize("side", (96, 40))
def test_colours_are_right_however_they_are_stored(suffix, codec, form, side, tmp_path):
    clip = make_clip(tmp_path / f"a{suffix}", drawn(2), codec=codec, pixel_format=form)
    _, (first, _), _ = read(clip, side=side)
    assert first.shape == (round(side * 64 / 96), side, 3)
    assert alike(corners(first), UPRIGHT)


@pytest.mark.parametrize(
    ("size", "matrix", "told"),
    (
        ((1280, 720), "ITU709", True),
        ((1280, 720), "ITU709", False),  # as everybody stores HD
        ((720, 576), "ITU601", False),
        ((96, 64), "ITU709", True),
        ((1280, 720), "ITU601", True),
    ),
)
@pytest.mark.parametrize("side", (1280, 320))
def test_colours_are_right_by_whatever_matrix(size, matrix, told, side, tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        if told:
            stream.codec_context.colorspace = {"ITU709": 1, "ITU601": 5}[matrix]
        frame = av.VideoFrame.from_ndarray(next(drawn(1, size)), "rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    _, (picture,), _ = read(path, side=side)
    assert alike(corners(picture), UPRIGHT, 5)


@pytest.mark.parametrize("form", ("gray", "gray16le"))
def test_grey_stays_grey(form, tmp_path):
    clip = make_clip(tmp_path / "a.mkv", drawn(1), codec="ffv1", pixel_format=form)
    _, (picture,), _ = read(clip)
    luma = [[round(np.dot(colour, (0.299, 0.587, 0.114)))] * 3 for colour in UPRIGHT]
    assert alike(corners(picture), luma, 3)


def test_transparent_videos_lie_on_white(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgra"
        picture = np.zeros((32, 32, 4), np.uint8)
        picture[:16] = (0, 0, 200, 255)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgra")))
        file.mux(stream.encode(None))
    _, (shown,), _ = read(path)
    assert shown[4, 16].tolist() == [200, 0, 0]
    assert shown[28, 16].tolist() == [255, 255, 255]


def test_hdr_is_as_bright_as_other_video(tmp_path):
    # 203 candela, a white page, is 58 % of what PQ can tell; skin of 50 candela is 44 %.
    greys = [np.full((64, 96, 3), round(255 * told), np.uint8) for told in (0.581, 0.44, 0.0)]
    params = {"x264-params": "colormatrix=bt2020nc:transfer=smpte2084:colorprim=bt2020"}
    clip = make_clip(tmp_path / "a.mp4", greys, pixel_format="yuv420p10le", options=params)
    _, (page, skin, black), _ = read(clip)
    assert page.min() > 245
    assert 115 < skin.mean() < 150  # (50 / 203) ** (1 / 2.2) is 135
    assert black.max() <= 3


# --- upright ---


@pytest.mark.parametrize(
    ("rotation", "quarters"),
    (
        (0, UPRIGHT),
        (90, (BLUE, RED, YELLOW, GREEN)),
        (180, (YELLOW, BLUE, GREEN, RED)),
        (270, (GREEN, YELLOW, RED, BLUE)),
    ),
)
def test_a_turned_video_is_upright(rotation, quarters, tmp_path):
    clip = make_clip(tmp_path / "a.mov", drawn(2), rotation=rotation)
    _, (picture, _), _ = read(clip)
    assert alike(corners(picture), quarters)
    info = probe(clip)
    assert info.rotation == rotation
    assert picture.shape[:2] == (info.height, info.width)


def test_a_mirrored_video_is_mirrored_back(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(0, hflip=True)
        for picture in drawn(2):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))
    _, (picture, _), _ = read(path)
    assert alike(corners(picture), (GREEN, RED, YELLOW, BLUE), 25)


def test_pixels_that_are_not_square_become_square(tmp_path):
    clip = make_clip(tmp_path / "a.mkv", drawn(1), pixel_aspect=Fraction(4, 3), rotation=90)
    _, (picture,), _ = read(clip)
    assert picture.shape == (128, 64, 3)
    info = probe(clip)
    assert (info.width, info.height) == (64, 128)


def test_a_pixel_of_an_impossible_shape_is_taken_for_square(tmp_path):
    clip = make_clip(tmp_path / "a.mkv", drawn(1), pixel_aspect=Fraction(200, 1))
    assert read(clip)[1][0].shape == (64, 96, 3)


@pytest.mark.parametrize("name", ("H.264 in MTS, interlaced", "DV in AVI"))
def test_interlaced_pictures_show_one_moment(name, tmp_path):
    kind = kind_named(name)
    _, pictures, _ = read(clip_of(kind, tmp_path, count=8))
    picture = pictures[1].astype(int)
    bar = picture[picture.shape[0] * 15 // 32 : picture.shape[0] * 17 // 32]
    # In a comb, lines differ from their neighbours more than from the lines after these.
    next_lines = np.abs(bar[1:-1] - bar[2:]).mean()
    assert next_lines <= np.abs(bar[:-2] - bar[2:]).mean() + 1


# --- thumbnails of light ---


@pytest.mark.parametrize(
    ("codec", "form", "tolerance"),
    (
        ("ffv1", "yuv420p", 0),
        ("ffv1", "yuv420p10le", 1),
        ("ffv1", "gray", 22),  # full range, as the next two
        ("ffv1", "gray16le", 22),
        ("ffv1", "bgra", 22),
        ("rawvideo", "nv12", 1),
    ),
)
def test_thumbnails_are_alike_however_pixels_are_stored(codec, form, tolerance, tmp_path):
    plain = make_clip(tmp_path / "plain.mkv", drawn(1), codec="ffv1")
    other = make_clip(tmp_path / "other.mkv", drawn(1), codec=codec, pixel_format=form)
    with Reader(plain) as one, Reader(other) as two:
        left, right = next(one.frames()).thumb, next(two.frames()).thumb
    assert left.shape == right.shape == (18, 32)
    assert left.dtype == right.dtype == np.uint8
    assert alike(left, right, tolerance)
    assert left[4, 8] < left[4, 24]  # red is darker than green


def test_thumbnails_are_upright(tmp_path):
    plain = make_clip(tmp_path / "plain.mp4", drawn(1, (64, 64)))
    turned = make_clip(tmp_path / "turned.mp4", drawn(1, (64, 64)), rotation=180)
    with Reader(plain) as one, Reader(turned) as two:
        left, right = next(one.frames()).thumb, next(two.frames()).thumb
    assert alike(left, right[::-1, ::-1], 30)  # the bar is thin
    assert not alike(left, right, 30)
