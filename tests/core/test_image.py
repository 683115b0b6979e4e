import importlib.util
import io
import json
import os
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, features

from lookwho.core import jpeg
from lookwho.core.errors import (
    BrokenImage,
    FileMissing,
    FormatNotInstalled,
    ImageTooLarge,
    InputError,
    NotAnImage,
    WorkError,
)
from lookwho.core.image import Picture, read
from tests.media import MEDIA

ROTATED = {  # how a picture is stored so that this orientation makes it upright
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
CORNERS = ((220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 240, 30))
ORIENTATION = 0x0112


def encode(picture, kind, **options):
    with io.BytesIO() as file:
        picture.save(file, kind, **options)
        return file.getvalue()


def four_corners(width=96, height=64):
    """A picture with a colour of its own in each corner: red, green, blue, yellow."""
    tiny = Image.fromarray(np.array(CORNERS, np.uint8).reshape(2, 2, 3))
    return tiny.resize((width, height), Image.Resampling.NEAREST)


def corners_of(pixels):
    """The middle of each quarter, from left to right and from top to bottom."""
    height, width = pixels.shape[:2]
    ys, xs = (height // 4, height * 3 // 4), (width // 4, width * 3 // 4)
    return np.array([pixels[y, x] for y in ys for x in xs], int)


def noise(width=64, height=48, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


def rotated(kind, orientation):
    stored = four_corners()
    if ROTATED[orientation] is not None:
        stored = stored.transpose(ROTATED[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(stored, kind, exif=exif)


def outcome_of(source):
    try:
        return read(source)
    except (InputError, WorkError) as refusal:
        return refusal


def assert_read_or_refused(outcome):
    if isinstance(outcome, Picture):
        assert outcome.pixels.shape[2:] == (3,)
        assert outcome.pixels.dtype == np.uint8
    else:
        assert outcome.message


def assert_looks_like_corners(pixels, tolerance=30):
    assert np.abs(corners_of(pixels) - np.array(CORNERS)).max() <= tolerance


# --- orientation ---


@pytest.mark.parametrize("kind", ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"))
@pytest.mark.parametrize("orientation", ROTATED)
def test_every_orientation_becomes_upright(kind, orientation):
    if kind == "AVIF" and not features.check("avif"):
        return
    picture = read(rotated(kind, orientation))

    assert (picture.width, picture.height, picture.format) == (96, 64, kind)
    assert picture.pixels.shape == (64, 96, 3)
    assert_looks_like_corners(picture.pixels)


@pytest.mark.parametrize("kind", ("JPEG", "PNG", "TIFF"))
@pytest.mark.parametrize("orientation", (3, 6))
def test_a_pillow_image_is_turned_once_and_left_as_it_was(kind, orientation):
    with Image.open(io.BytesIO(rotated(kind, orientation))) as given_image:
        first, second = read(given_image, target=40), read(given_image)
        again = read(given_image, target=40)

    assert first.pixels.shape == (32, 48, 3)
    assert_looks_like_corners(first.pixels)
    assert_looks_like_corners(second.pixels)
    assert np.array_equal(first.pixels, again.pixels)


@pytest.mark.parametrize("orientation", (0, 9, 65535))
def test_an_orientation_that_does_not_exist_is_ignored(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    for kind in ("JPEG", "PNG"):
        assert_looks_like_corners(read(encode(four_corners(), kind, exif=exif)).pixels)


@pytest.mark.parametrize(
    "exif", (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MMrubbish")
)
@pytest.mark.parametrize("kind", ("JPEG", "PNG", "WEBP"))
def test_damaged_exif_data_do_not_spoil_a_sound_picture(kind, exif):
    assert_looks_like_corners(read(encode(four_corners(), kind, exif=exif)).pixels)


def test_the_orientation_in_xmp_counts_where_exif_has_none():
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    stored = four_corners().transpose(ROTATED[6])

    assert_looks_like_corners(read(encode(stored, "JPEG", xmp=xmp)).pixels)


def test_an_orientation_stored_as_a_long_number_counts():
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1" + struct.pack(">HHII", ORIENTATION, 4, 1, 3) + bytes(4)

    assert_looks_like_corners(read(encode(four_corners().rotate(180), "JPEG", exif=exif)).pixels)


# --- kinds of pixels ---


def ramp(low, high, dtype):
    return np.linspace(low, high, 256).round(6).astype(dtype).reshape(16, 16)


@pytest.mark.parametrize(
    ("values", "kind"),
    (
        (ramp(0, 65535, np.uint16), "PNG"),
        (ramp(0, 65535, np.uint16), "TIFF"),
        (ramp(0, 65535, np.int32), "TIFF"),
        (ramp(0, 255, np.int32), "TIFF"),
        (ramp(-5000, 90000, np.int32), "TIFF"),
        (ramp(0, 1, np.float32), "TIFF"),
        (ramp(0, 255, np.float32), "TIFF"),
        (ramp(-3, 4, np.float32), "TIFF"),
    ),
)
def test_deep_grey_is_scaled_and_not_clipped(values, kind):
    pixels = read(encode(Image.fromarray(values), kind)).pixels

    assert np.abs(pixels[..., 0].ravel() - np.arange(256.0)).max() <= 1
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


def test_floats_that_are_no_numbers_are_black_or_white():
    values = np.array([[np.nan, -np.inf, 0.5, np.inf]], np.float32)

    assert read(encode(Image.fromarray(values), "TIFF")).pixels[0, :, 0].tolist() == [
        0,
        0,
        128,
        255,
    ]


def test_deep_colour_is_scaled_and_not_clipped():
    # A 16-bit RGB PNG by hand, for Pillow cannot write one.
    row = b"\0" + struct.pack(">6H", 0xFFFF, 0x8000, 0, 0x0100, 0xC000, 0x40FF)
    png = png_of(2, 1, depth=16, colour=2, data=zlib.compress(row))

    assert read(png).pixels[0].tolist() == [[255, 128, 0], [1, 192, 64]]


@pytest.mark.parametrize(
    ("picture", "kind"),
    (
        (four_corners().convert("CMYK"), "JPEG"),
        (four_corners().convert("CMYK"), "TIFF"),
        (four_corners().convert("YCbCr"), "TIFF"),
        (four_corners().quantize(4), "PNG"),
        (four_corners().quantize(4), "GIF"),
        (four_corners().quantize(4), "BMP"),
        (four_corners().convert("RGBA"), "WEBP"),
    ),
)
def test_every_colour_space_becomes_rgb(picture, kind):
    assert_looks_like_corners(read(encode(picture, kind)).pixels)


def test_lab_becomes_rgb():
    lab = Image.merge("LAB", [Image.new("L", (8, 8), value) for value in (255, 128, 128)])

    assert read(encode(lab, "TIFF")).pixels.min() >= 250  # white


def test_one_bit_and_grey_become_rgb():
    chess = Image.fromarray(np.array([[255, 0], [0, 255]], np.uint8))
    for picture in (chess, chess.convert("1")):
        assert read(encode(picture, "PNG")).pixels.tolist() == [
            [[255] * 3, [0] * 3],
            [[0] * 3, [255] * 3],
        ]


def transparent(mode):
    """A black picture whose left half is transparent."""
    alpha = Image.new("L", (8, 8), 255)
    alpha.paste(0, (0, 0, 4, 8))
    if mode == "P":
        palette = alpha.point(lambda value: value // 255).convert("P")
        palette.putpalette([0, 0, 0, 0, 0, 0])
        return palette
    black = Image.new(mode, (8, 8), 0)
    black.putalpha(alpha)
    return black


@pytest.mark.parametrize(
    ("mode", "kind"),
    (("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "TIFF"), ("P", "GIF")),
)
def test_transparent_pictures_lie_on_white(mode, kind):
    options = {"WEBP": {"lossless": True}, "GIF": {"transparency": 0}}.get(kind, {})
    pixels = read(encode(transparent(mode), kind, **options)).pixels

    assert pixels[:, :4].min() == 255
    assert pixels[:, 4:].max() == 0


@pytest.mark.parametrize("mode", ("RGB", "L", "P"))
def test_a_colour_that_means_transparent_is_white(mode):
    picture = Image.new(mode, (4, 4), 0)
    colour = (0, 0, 0) if mode == "RGB" else 0

    assert read(encode(picture, "PNG", transparency=colour)).pixels.min() == 255


@pytest.mark.parametrize("kind", ("GIF", "WEBP", "PNG", "TIFF", "MPO"))
def test_only_the_first_picture_is_read(kind):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "lime")]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])

    assert np.abs(read(data).pixels.astype(int) - (255, 0, 0)).max() < 6


def test_a_baseline_jpeg_with_one_scan_a_colour_is_read():
    planes = [
        encode(plane, "JPEG", quality=95) for plane in four_corners().convert("YCbCr").split()
    ]
    scans = [plane[plane.index(b"\xff\xda") : -2] for plane in planes]
    tables = planes[0][: planes[0].index(b"\xff\xda")]
    at = tables.index(b"\xff\xc0")
    frame = tables[at : at + 9]
    parts = b"\1\x11\0\2\x11\0\3\x11\0"
    frame = frame[:3] + b"\x11" + frame[4:] + b"\3" + parts
    scans = [scan[:5] + bytes([n]) + scan[6:] for n, scan in enumerate(scans, 1)]
    jpeg = tables[:at] + frame + tables[at + 13 :] + b"".join(scans) + b"\xff\xd9"

    assert jpeg.read_header(jpeg).coefficients == 3 * 96 * 64
    assert_looks_like_corners(read(jpeg).pixels)


def test_heic_is_turned_once_or_the_extra_is_named(media):
    data = (media / "formats" / "formats" / "heic" / "IMG_2682.heic").read_bytes()
    if importlib.util.find_spec("pi_heif") is None:
        with pytest.raises(FormatNotInstalled):
            read(data)
        return
    # The same picture, stored with a turn to the right as telephones do: twice, in HEIF and EXIF.
    turn, exif = b"irot\0", struct.pack(">HHIH", ORIENTATION, 3, 1, 1)
    assert data.count(turn) == data.count(exif) == 1
    turned = data.replace(turn, b"irot\3").replace(exif, exif[:-1] + b"\6")
    first, second = read(data, target=1000), read(turned, target=1000)

    assert (first.width, first.height, first.format) == (4032, 3024, "HEIF")
    assert first.pixels.shape == (756, 1008, 3)
    assert (second.width, second.height) == (3024, 4032)
    assert np.array_equal(second.pixels, np.rot90(first.pixels, -1))


@pytest.mark.parametrize(
    "brands", (b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1heic", b"msf1\0\0\0\0hevc")
)
def test_without_the_extra_heic_is_known_and_the_extra_named(brands, monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)  # so that importing it fails
    data = struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(100)

    with pytest.raises(FormatNotInstalled, match=r"pip install 'lookwho\[heif\]'"):
        read(data)


# --- size and geometry ---


@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    target=st.integers(1, 250),
    kind=st.sampled_from(("JPEG", "PNG", "array", "Pillow")),
)
def test_the_longest_side_is_the_target_or_less_than_twice_that(width, height, target, kind):
    source = Image.new("RGB", (width, height), "teal")
    if kind == "array":
        source = np.asarray(source)
    elif kind != "Pillow":
        source = encode(source, kind)
    picture = read(source, target=target)
    longest = max(picture.pixels.shape[:2])

    assert (picture.width, picture.height, picture.format) == (width, height, kind)
    assert longest == max(width, height) if max(width, height) < 2 * target else longest >= target
    assert longest < 2 * target
    assert picture.pixels.flags.c_contiguous
    assert picture.scale == longest / max(width, height)


@given(
    width=st.integers(150, 900),
    height=st.integers(150, 900),
    where=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    target=st.integers(40, 500),
    kind=st.sampled_from(("JPEG", "PNG", "CMYK", "array")),
)
def test_what_is_at_a_place_is_found_at_that_place_times_scale(width, height, where, target, kind):
    side = 60
    left, top = int(where[0] * (width - side)), int(where[1] * (height - side))
    source = Image.new("L", (width, height), 0)
    source.paste(255, (left, top, left + side, top + side))
    source = source.convert("RGB")
    if kind == "array":
        source = np.asarray(source)
    else:
        source = encode(source.convert("CMYK"), "JPEG") if kind == "CMYK" else encode(source, kind)
    picture = read(source, target=target)

    bright = picture.pixels[..., 0].astype(float)
    bright[bright < 40] = 0
    ys, xs = np.mgrid[: bright.shape[0], : bright.shape[1]] + 0.5
    found = np.array([(xs * bright).sum(), (ys * bright).sum()]) / bright.sum()
    expected = np.array([left + side / 2, top + side / 2]) * picture.scale

    assert np.abs(found - expected).max() < 1


def test_long_thin_pictures_are_reduced_like_others():
    long, tall = Image.new("RGB", (20_000, 3)), Image.new("RGB", (3, 20_000))

    assert read(encode(long, "JPEG"), target=500).pixels.shape == (1, 500, 3)
    assert read(encode(tall, "PNG"), target=500).pixels.shape == (500, 1, 3)
    assert read(encode(tall, "PNG"), target=500).scale == 1 / 40
    assert read(encode(Image.new("L", (1, 1)), "PNG")).pixels.tolist() == [[[0, 0, 0]]]


def test_blocks_of_a_large_picture_join_without_a_seam():
    values = np.random.default_rng(1).integers(0, 256, (3001, 4100, 3), np.uint8)

    whole = read(Image.fromarray(values), target=4000).pixels
    third = read(Image.fromarray(values), target=1300).pixels

    assert np.array_equal(whole, values)
    assert np.array_equal(third, np.asarray(Image.fromarray(values).reduce(3)))


def test_a_photo_decodes_as_pillow_decodes_it(photos):
    for path in photos[:4]:
        with Image.open(path) as opened:
            theirs = np.asarray(opened.convert("RGB")).astype(np.int16)
        ours = read(path, target=max(theirs.shape)).pixels

        assert np.abs(ours - theirs).max() <= 2


def test_an_array_is_taken_as_it_is():
    array = np.asarray(four_corners())

    assert read(array).pixels is array
    flipped = read(array[:, ::-1])
    assert flipped.pixels.flags.c_contiguous
    assert np.array_equal(flipped.pixels, array[:, ::-1])


@pytest.mark.parametrize(
    "array",
    (
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
    ),
)
def test_other_arrays_are_refused_by_shape_and_type(array):
    with pytest.raises(InputError) as caught:
        read(array)
    assert str(array.shape) in caught.value.message
    assert str(array.dtype) in caught.value.message


def test_other_sources_are_refused_by_type():
    for source in (None, 3, io.BytesIO(b"x"), [[1, 2]]):
        with pytest.raises(InputError, match=type(source).__name__):
            read(source)
    with pytest.raises(ValueError, match="target"):
        read(np.zeros((4, 4, 3), np.uint8), target=0)


# --- paths and kinds of files ---


def test_the_kind_is_found_in_the_content_not_in_the_name(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(four_corners(), "PNG"))

    assert read(path).format == read(str(path)).format == "PNG"


def test_what_is_wrong_with_a_path_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        (tmp_path / "none.jpg", "there is no file"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is not an ordinary file"),
        (tmp_path / "file" / "photo.jpg", "cannot be opened: Not a directory"),
        (tmp_path / ("x" * 300), "cannot be opened: File name too long"),
        ("photo\0.jpg", "cannot be opened: embedded null"),
        ("", "there is no file"),
    ):
        with pytest.raises(FileMissing) as caught:
            read(path)
        assert reason in caught.value.message


@pytest.mark.parametrize(
    ("data", "what"),
    (
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"\xef\xbb\xbf\r\n <HTML lang=de>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "a git-LFS pointer"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "a PostScript drawing"),
        (b"<?xml version='1.0'?><svg>", "an SVG drawing"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomavc1", "a video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a video"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "a video"),
        (b"RIFF\0\0\1\0AVI LIST", "a video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a raw photo"),
        (b"II*\0\x10\0\0\0CR\2\0", "a raw photo"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"dear diary, today", "a text file"),
        (b"\x13\x37\0\1\2\3\4\5\6\7", "no picture"),
        (b"P6 1 1 255\n\0\0\0", "no picture"),
    ),
)
def test_what_is_no_picture_is_named(data, what):
    with pytest.raises(NotAnImage, match=what):
        read(data)


@pytest.mark.parametrize("kind", ("PPM", "TGA", "ICO", "EPS", "PCX", "SGI", "JPEG2000", "PDF"))
def test_no_other_decoder_is_tried(kind):
    with pytest.raises(NotAnImage):
        read(encode(four_corners(), kind))


# --- damage ---


@pytest.mark.parametrize("options", ({}, {"progressive": True}, {"restart_marker_rows": 1}))
def test_a_jpeg_cut_anywhere_is_told_to_be_cut_short(options):
    data = encode(noise(), "JPEG", **options)
    for end in {*range(3, len(data) - 40, 41), *range(len(data) - 40, len(data) - 4)}:
        with pytest.raises(BrokenImage, match="ends before the picture does"):
            read(data[:end])


def test_a_jpeg_that_lacks_only_its_end_mark_is_read():
    data = encode(noise(), "JPEG")

    assert np.array_equal(read(data[:-2]).pixels, read(data).pixels)
    assert np.array_equal(read(data[:-1]).pixels, read(data).pixels)


def test_what_every_browser_forgives_is_read():
    data = encode(four_corners(), "JPEG")
    table = data.index(b"\xff\xdb")

    assert_looks_like_corners(read(data + b"<html>\xff\xd8" * 9).pixels)
    assert_looks_like_corners(read(data[:table] + b"junk\0\xff\0" + data[table:]).pixels)
    assert_looks_like_corners(read(data[:table] + b"\xff\xff\xff" + data[table:]).pixels)
    assert_looks_like_corners(read(data[:-2] + b"\0\0\0\0" + data[-2:]).pixels)


@pytest.mark.parametrize("kind", ("PNG", "WEBP", "BMP", "GIF", "TIFF"))
def test_other_kinds_cut_in_half_are_broken(kind):
    data = encode(noise(), kind)
    with pytest.raises(BrokenImage) as caught:
        read(data[: len(data) // 2])
    assert caught.value.message


SOUND = {
    "JPEG": encode(noise(), "JPEG"),
    "progressive JPEG": encode(noise(), "JPEG", progressive=True),
    "CMYK JPEG": encode(noise().convert("CMYK"), "JPEG"),
    "PNG": encode(noise().quantize(16), "PNG"),
    "WEBP": encode(noise(), "WEBP"),
    "lossless WEBP": encode(noise(), "WEBP", lossless=True),
    "GIF": encode(noise(), "GIF"),
    "BMP": encode(noise(), "BMP"),
    "TIFF": encode(noise(), "TIFF"),
    "LZW TIFF": encode(noise(), "TIFF", compression="tiff_lzw"),
    "turned TIFF": rotated("TIFF", 6),
}


@given(
    kind=st.sampled_from(sorted(SOUND)),
    cut=st.none() | st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8),
    early=st.booleans(),
)
def test_damaged_pictures_are_read_or_refused(kind, cut, flips, early):
    data = bytearray(SOUND[kind])
    for place, value in flips:
        data[int(place * (min(len(data), 400) if early else len(data)))] = value
    if cut is not None:
        del data[int(cut * len(data)) :]

    assert_read_or_refused(outcome_of(bytes(data)))


# --- bombs ---


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width, height, *, depth=8, colour=2, data=b"", extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", data or zlib.compress(bytes(99)))
        + chunk(b"IEND", b"")
    )


def tiff_of(width, height, tags=(), *, tail=b""):
    """A TIFF of one compressed bit per pixel; tags of (tag, kind, count, value) replace others."""
    fields = {
        256: (256, 4, 1, width),
        257: (257, 4, 1, height),
        258: (258, 3, 1, 1),
        259: (259, 3, 1, 5),
        262: (262, 3, 1, 1),
        273: (273, 4, 1, 8),
        278: (278, 4, 1, height),
        279: (279, 4, 1, 100),
        **{field[0]: field for field in tags},
    }
    entries = b"".join(struct.pack("<HHII", *fields[tag]) for tag in sorted(fields))
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(tail)) + tail + directory


def jpeg_of(width, height, **options):
    data = bytearray(encode(noise(), "JPEG", **options))
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def gif_of(width, height):
    data = encode(noise(), "GIF")
    return data[:6] + struct.pack("<HH", width, height) + data[10:]


def bmp_of(width, height):
    data = encode(noise(), "BMP")
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def webp_of(width, height):
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    frame = bytes(6) + struct.pack("<I", 63)[:3] + struct.pack("<I", 47)[:3] + bytes(4)
    frame += encode(noise(), "WEBP")[12:]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    body += b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def assert_too_large(data):
    start = time.perf_counter()
    with pytest.raises(ImageTooLarge) as caught:
        read(data)

    assert time.perf_counter() - start < 1
    return caught.value.message


@pytest.mark.parametrize("of", (png_of, tiff_of, gif_of, bmp_of, jpeg_of))
def test_bombs_are_refused_by_their_header(of):
    assert "60000 x 50000 is 3,000 million pixels" in assert_too_large(of(60_000, 50_000))


def test_an_animation_too_large_for_its_decoder_is_refused():
    assert read(webp_of(64, 48)).pixels.shape == (48, 64, 3)
    assert "at most 40 million" in assert_too_large(webp_of(16_000, 10_000))


def test_a_progressive_jpeg_too_large_for_its_decoder_is_refused():
    scan = b"\xff\xda\0\x08\1\1\0\1\x3f\0"  # one of these without data takes a while already
    endless = jpeg_of(4_000, 3_000, progressive=True)[:-2] + scan * 1_000 + b"\xff\xd9"

    assert "in 1010 scans" in assert_too_large(endless)
    assert_too_large(jpeg_of(12_000, 12_000, progressive=True, subsampling=0))


def test_a_tiff_too_large_for_its_decoder_is_refused():
    tile = ((322, 4, 1, 100_000), (323, 4, 1, 100_000), (324, 4, 1, 8), (325, 4, 1, 9))
    deep = ((258, 3, 1, 16), (277, 3, 1, 4), (262, 3, 1, 2), (338, 3, 1, 1))
    rows = 1_000_000

    assert "smaller strips" in assert_too_large(tiff_of(100, 100, tile))
    assert "smaller strips" in assert_too_large(tiff_of(10_000, 10_000, deep))
    # A strip for every row: four megabytes that Pillow would unpack to three hundred.
    strips = ((273, 4, rows, 8), (278, 4, 1, 1))
    assert "larger strips" in assert_too_large(tiff_of(1, rows, strips, tail=b"\1\0\0\0" * rows))


def test_a_tiff_with_a_thousand_tags_is_broken():
    tags = tuple((40_000 + n, 3, 1, 0) for n in range(1_000))

    with pytest.raises(BrokenImage, match="1008 tags"):
        read(tiff_of(8, 8, tags))


def test_compressed_bombs_in_the_metadata_are_refused():
    bomb = zlib.compress(bytes(50_000_000))
    for extra in (chunk(b"zTXt", b"x\0\0" + bomb), chunk(b"iCCP", b"x\0\0" + bomb)):
        with pytest.raises(BrokenImage):
            read(png_of(8, 8, extra=extra))


def test_a_lower_limit_can_be_set_and_a_higher_one_cannot():
    data = encode(four_corners(), "PNG")

    assert read(data, max_pixels=96 * 64).width == 96
    with pytest.raises(ImageTooLarge):
        read(data, max_pixels=96 * 64 - 1)
    with pytest.raises(ImageTooLarge):
        read(png_of(60_000, 60_000), max_pixels=10**12)


def test_a_huge_jpeg_is_decoded_when_it_is_reduced_and_refused_otherwise():
    data = encode(Image.new("L", (16_000, 12_000)), "JPEG")

    assert read(data).pixels.shape == (1500, 2000, 3)
    with pytest.raises(ImageTooLarge):
        read(data, target=16_000)


def test_pictures_without_a_side_are_broken():
    for data in (png_of(0, 5), png_of(5, 0), jpeg_of(0, 9), jpeg_of(9, 0)):
        with pytest.raises(BrokenImage):
            read(data)


# --- manners ---


def test_threads_leave_the_warning_filters_alone():
    warned = encode(four_corners(), "PNG", pnginfo=odd_png())
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [read(warned) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(warnings.filters) == before


def odd_png():
    """Metadata that make Pillow warn: an animation of no frames."""
    info = PngImagePlugin.PngInfo()
    info.add(b"acTL", struct.pack(">II", 0, 0))
    return info


def test_metadata_that_pillow_warns_of_are_passed_over():
    assert_looks_like_corners(read(encode(four_corners(), "PNG", pnginfo=odd_png())).pixels)


# --- real files ---

FOLDER = MEDIA / "malformed" if MEDIA else None
MALFORMED = (
    sorted(f"{path.parent.name}/{path.name}" for path in FOLDER.glob("*/*")) if FOLDER else []
)
# Pillow refuses this one, which lacks nothing but the mark of its end.
READ_ALL_THE_SAME = {"made/truncated_last_bytes.jpg"}


@pytest.mark.parametrize("name", MALFORMED or ("none",))
def test_malformed_files_are_read_as_pillow_reads_them_or_refused_with_a_reason(name, media):
    pillow = json.loads((media / "malformed" / "pil_results.json").read_text())
    theirs = pillow.get(name, "ERR").startswith("ok")
    outcome = outcome_of(media / "malformed" / name)

    assert_read_or_refused(outcome)
    assert isinstance(outcome, Picture) == (theirs or name in READ_ALL_THE_SAME)


MEASURE = """
import resource, sys, time
from lookwho.core.errors import InputError
from lookwho.core.image import Picture, read
slowest = 0
for path in sys.argv[1:]:
    start = time.perf_counter()
    try:
        read(path)
    except InputError:
        pass
    slowest = max(slowest, time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024**2  # bytes, on a Mac
if sys.platform == "linux":  # where that figure begins at the parent's, across fork and exec
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
print(slowest, peak)
"""


def measure(*paths):
    """Seconds of the slowest file, and megabytes at the peak of the process that read them all."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEASURE, *map(str, paths)],
        capture_output=True,
        check=True,
        text=True,
    )
    slowest, peak = done.stdout.split()
    return float(slowest), int(peak)


def test_malformed_files_take_neither_long_nor_much_memory(media):
    slowest, peak = measure(*sorted((media / "malformed").glob("*/*")))

    assert slowest < 10
    assert peak < 1000


@pytest.mark.long
@pytest.mark.parametrize(
    ("size", "mode", "kind", "options"),
    (
        ((10_900, 10_900), "RGBA", "PNG", {"compress_level": 1}),
        ((10_900, 10_900), "RGB", "TIFF", {"compression": "tiff_lzw", "tiffinfo": {278: 10_900}}),
        ((10_000, 10_000), "RGB", "TIFF", {"compression": "raw", "tiffinfo": {ORIENTATION: 6}}),
        ((6_320, 6_320), "RGBA", "WEBP", {"lossless": True, "quality": 0, "method": 0}),
        ((7_050, 7_050), "RGBA", "AVIF", {"speed": 10, "subsampling": "4:4:4"}),
        ((9_100, 9_100), "RGB", "JPEG", {"progressive": True, "subsampling": 0}),
        ((19_900, 19_900), "CMYK", "JPEG", {}),
    ),
)
def test_the_largest_pictures_stay_below_a_gigabyte(size, mode, kind, options, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(
        encode(Image.new(mode, size, "orange" if mode != "CMYK" else 9), kind, **options)
    )
    slowest, peak = measure(path)

    assert slowest < 10
    assert 90 < peak < 1000
