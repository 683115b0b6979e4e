"""What is left of a photo when what its file says is taken out, as exiftool reads it."""

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from lookwho.core.errors import BrokenImage, FileMissing, InputError, NotAnImage
from lookwho.core.inspect import inspect
from lookwho.core.stripping import Copier, anew, stripped_jpeg
from tests.exiftool import EXIFTOOL, needs_exiftool
from tests.imports import tag
from tests.pictures import assert_looks_like_corners, encode, four_corners, noise, rotated

SAID = [
    "-GPSLatitude=52.1", "-GPSLatitudeRef=N", "-GPSLongitude=5.2", "-Artist=Anna", "-Make=Canon",
    "-XMP-dc:Creator=Anna", "-IPTC:By-line=Anna", "-Comment=secret", "-SerialNumber=123",
    "-DateTimeOriginal=2024:05:04 13:07:59", "-XMP-iptcExt:PersonInImage=Anna",
]  # fmt: skip
# What exiftool works out of the picture and the file itself.
ABOUT_THE_PICTURE = {
    "SourceFile", "ExifTool", "File", "Composite", "JFIF", "ICC_Profile", "ICC-header", "APP14",
}  # fmt: skip


@pytest.fixture
def written(tmp_path):
    def write(data, name="a.jpg"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def strip(path):
    return b"".join(stripped_jpeg(path))


def said(path):
    """All tags that exiftool finds, but for what the picture itself is."""
    command = [EXIFTOOL, "-j", "-G0:1", "-a", "-u", "-ee", str(path)]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {
        key: value for key, value in found.items() if key.split(":")[0] not in ABOUT_THE_PICTURE
    }


def pixels(data):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


@needs_exiftool
def test_nothing_that_was_said_is_left_and_every_pixel_is(written):
    path = written(encode(noise(), "JPEG"))
    tag(SAID, path)
    assert "EXIF:GPS:GPSLatitude" in said(path)
    out = written(strip(path), "b.jpg")

    assert said(out) == {}
    assert b"Anna" not in out.read_bytes()
    assert np.array_equal(pixels(out.read_bytes()), pixels(path.read_bytes()))
    assert inspect(out).payload == inspect(path).payload


@needs_exiftool
@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_as_it_was(written, orientation):
    path = written(rotated("JPEG", orientation))
    tag(SAID, path)
    out = written(strip(path), "b.jpg")

    assert inspect(out).orientation == orientation
    told = said(out)
    told.pop("EXIF:IFD0:Orientation", None)
    assert told == {} or set(told) <= {"EXIF:ExifByteOrder"}
    assert_looks_like_corners(pixels(anew(str(out), 0).ljust(1)))


@pytest.mark.parametrize("options", ({"progressive": True}, {"quality": 100}, {"restart": 1}))
def test_however_it_is_stored_the_pixels_are_the_same(written, options):
    options = {"restart_marker_rows": 1} if "restart" in options else options
    data = encode(noise(200, 120), "JPEG", exif=_exif(), comment=b"secret", **options)
    out = strip(written(data))

    assert np.array_equal(pixels(out), pixels(data))
    assert b"secret" not in out
    assert b"Anna" not in out


@pytest.mark.parametrize("mode", ("L", "CMYK", "RGB"))
def test_colours_are_stored_as_they_were(written, mode):
    data = encode(four_corners().convert(mode), "JPEG", exif=_exif())

    assert np.array_equal(pixels(strip(written(data))), pixels(data))


def test_the_colour_profile_stays(written):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encode(noise(), "JPEG", icc_profile=profile, exif=_exif())

    with Image.open(io.BytesIO(strip(written(data)))) as picture:
        assert picture.info["icc_profile"] == profile
        assert not picture.getexif()


def test_whatever_else_programs_put_before_the_picture_goes(written):
    data = encode(noise(), "JPEG")
    more = b""
    for marker in range(0xE0, 0xF0):
        for begin in (b"JFXX\0", b"MPF\0", b"ICC_PROFIL\0", b"Adob\0", b""):
            body = begin + b"secret"
            more += bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body
    assert strip(written(data[:20] + more + data[20:])) == data


def test_what_follows_the_picture_goes(written):
    data = encode(noise(), "JPEG")
    out = strip(written(data + b"\0\0\0\x18ftypmp42 a video" + data))

    assert out == data


def test_the_small_picture_in_the_header_goes(written):
    data = encode(noise(), "JPEG")
    assert data[2:4] == b"\xff\xe0"
    small = (
        b"\xff\xe0" + (16 + 27).to_bytes(2, "big") + b"JFIF\0\1\1\0\0\1\0\1\3\3" + b"secret!!!" * 3
    )
    out = strip(written(data[:2] + small + data[20:]))

    assert b"secret" not in out
    assert np.array_equal(pixels(out), pixels(data))


def test_a_picture_that_is_cut_short_stays_one(written):
    data = encode(noise(300, 200), "JPEG", exif=_exif())
    out = strip(written(data[: len(data) // 2]))

    assert b"Anna" not in out
    assert out.endswith(b"\xff\xd9")


@needs_exiftool
def test_real_photos_keep_their_pixels_and_say_nothing(photos, written):
    for number, path in enumerate(photo for photo in photos if photo.suffix == ".jpg"):
        out = written(strip(path), f"{number}.jpg")
        assert inspect(out).payload == inspect(path).payload
        assert {key for key in said(out) if "Orientation" not in key} <= {"EXIF:ExifByteOrder"}
        if number == 12:
            break


@given(st.data())
def test_damage_is_an_error_of_ours_or_a_file_without_what_was_said(tmp_path_factory, data):
    packed = bytearray(encode(noise(40, 30), "JPEG", exif=_exif(), comment=b"secret"))
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(2, len(packed) - 1))
        if b"secret" not in packed[at - 8 : at + 12]:
            packed[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.jpg"
    path.write_bytes(packed)
    try:
        out = strip(path)
    except InputError:
        return
    assert out[:2] == b"\xff\xd8"


def test_what_is_no_jpeg_is_said(written):
    with pytest.raises(BrokenImage):
        strip(written(encode(noise(), "PNG")))
    with pytest.raises(NotAnImage):
        strip(written(b"hello, world" * 99))
    with pytest.raises(FileMissing):
        strip(Path("/no/such/file.jpg"))


# --- made anew ---


@pytest.mark.parametrize(
    ("kind", "name"), (("PNG", "a.png"), ("WEBP", "a.webp"), ("TIFF", "a.tif"))
)
def test_other_kinds_become_a_jpeg_that_says_nothing(written, kind, name):
    path = written(encode(four_corners(), kind, exif=_exif()), name)
    copier = Copier()
    try:
        out = copier.copy(path)
    finally:
        copier.stop()

    assert_looks_like_corners(pixels(out))
    with Image.open(io.BytesIO(out)) as picture:
        assert (picture.format, picture.size, dict(picture.getexif())) == ("JPEG", (96, 64), {})
    assert b"Anna" not in out


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_smaller_copy_is_upright_and_as_large_as_asked(written, orientation):
    out = anew(str(written(rotated("JPEG", orientation))), 48)

    assert max(pixels(out).shape) == 48
    assert_looks_like_corners(pixels(out))


def test_nothing_is_enlarged(written):
    assert pixels(anew(str(written(encode(noise(64, 48), "JPEG"))), 1600)).shape == (48, 64, 3)


def test_what_cannot_be_read_is_said_and_the_next_one_is_made(written):
    copier = Copier()
    try:
        with pytest.raises(InputError):
            copier.copy(written(b"\xff\xd8\xff" + b"x" * 600))
        assert copier.copy(written(encode(noise(), "JPEG")))
    finally:
        copier.stop()


def _exif():
    exif = Image.Exif()
    exif[0x013B] = "Anna"
    exif.get_ifd(0x8825)[1] = "N"
    return exif
