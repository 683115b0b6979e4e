import importlib.util
import io
import json
import os
import struct
import sys
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, features

from lookwho.core.errors import (
    BrokenImage,
    FileMissing,
    FormatNotInstalled,
    InputError,
    NotAnImage,
    WorkError,
)
from lookwho.core.image import Picture, read
from tests.media import MEDIA
from tests.pictures import (
    ORIENTATION,
    ROTATED,
    assert_looks_like_corners,
    encode,
    four_corners,
    noise,
    png_of,
    rotated,
)


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
        ("/dev/zero", "is not an ordinary file"),
        (tmp_path / "file" / "photo.jpg", "cannot be read: Not a directory"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
        ("photo\0.jpg", "embedded null"),
        ("", "there is no file"),
    ):
        with pytest.raises(FileMissing) as caught:
            read(path)
        assert reason in caught.value.message


@pytest.mark.skipif(sys.platform != "linux", reason="a file that opens and then fails: only there")
def test_a_file_that_opens_and_then_fails_is_told():
    with pytest.raises(FileMissing, match="cannot be read: Input/output error"):
        read("/proc/self/mem")


@pytest.mark.parametrize("kind", ("PPM", "TGA", "ICO", "EPS", "PCX", "SGI", "JPEG2000", "PDF"))
def test_no_other_decoder_is_tried(kind):
    with pytest.raises(NotAnImage):
        read(encode(four_corners(), kind))


# --- damage ---


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


def test_a_tiff_that_is_turned_by_its_xmp_alone_has_the_size_of_its_pixels():
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    data = io.BytesIO()
    Image.new("RGB", (40, 20)).save(data, "TIFF", tiffinfo={700: xmp})

    picture = read(data.getvalue())

    assert (picture.width, picture.height) == (20, 40) == picture.pixels.shape[1::-1]
