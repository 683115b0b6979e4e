import datetime as dt
import os
import struct
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from lookwho.core.errors import FileMissing, FormatNotInstalled, LookwhoError, NotAnImage
from lookwho.core.image import read
from lookwho.core.inspect import inspect
from tests.core.test_regions import BOX, assert_is, face, microsoft, mwg, packet
from tests.exiftool import needs_exiftool, written
from tests.pictures import ORIENTATION, ROTATED, encode, four_corners, noise, rotated
from tests.videos import drawn, make_clip

KINDS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "GIF": "gif", "BMP": "bmp"}
KINDS |= {"AVIF": "avif"} if features.check("avif") else {}


def photo(folder, *, name="photo.jpg", xmp=b"", times=None, orientation=1):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif.get_ifd(0x8769).update(times or {})
    path = folder / name
    four_corners(400, 200).save(path, exif=exif, **({"xmp": xmp} if xmp else {}))
    return path


def dates(**properties):
    written = "".join(f' {name.replace("_", ":")}="{value}"' for name, value in properties.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        f'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"{written}/></rdf:RDF></x:xmpmeta>'
    ).encode()


# --- size and orientation ---


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", ROTATED)
def test_size_and_orientation_are_those_of_the_picture_that_is_read(tmp_path, kind, orientation):
    path = tmp_path / f"photo.{KINDS[kind]}"
    path.write_bytes(rotated(kind, orientation))
    inspection, picture = inspect(path), read(path)

    assert (inspection.width, inspection.height) == (picture.width, picture.height)
    assert inspection.format == kind
    assert inspection.orientation == (1 if kind in ("GIF", "BMP") else orientation)


@needs_exiftool
@pytest.mark.parametrize("kind", KINDS)
def test_an_orientation_in_xmp_counts_where_exif_has_none(tmp_path, kind):
    path = tmp_path / f"photo.{KINDS[kind]}"
    four_corners().save(path)
    edits = {
        "xmp": ["-XMP-tiff:Orientation#=6"],
        "both": ["-XMP-tiff:Orientation#=6", "-IFD0:Orientation#=3"],
        "exif": ["-IFD0:Orientation#=8"],
    }
    copies = written(path, edits)

    assert kind == "BMP" or "xmp" in copies
    for copy in copies.values():
        inspection, pixels = inspect(copy), read(copy).pixels
        assert (inspection.height, inspection.width) == pixels.shape[:2], copy.name
    if kind == "JPEG":
        turns = {name: inspect(copy).orientation for name, copy in copies.items()}
        assert turns == {"xmp": 6, "both": 3, "exif": 8}


def test_a_damaged_header_tells_no_size(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")

    assert (inspect(path).width, inspect(path).height) == (0, 0)


# --- when ---


@pytest.mark.parametrize(
    ("times", "xmp", "taken_at"),
    (
        (
            {0x9003: "2020:01:02 03:04:05", 0x9004: "2021:01:01 00:00:00"},
            b"",
            (2020, 1, 2, 3, 4, 5),
        ),
        (
            {0x9004: "2021:01:01 00:00:01"},
            dates(xmp_CreateDate="2022-01-01"),
            (2021, 1, 1, 0, 0, 1),
        ),
        # nonsense does not count, and the next best does
        ({0x9003: "0000:00:00 00:00:00"}, dates(xmp_CreateDate="2022-02-01"), (2022, 2, 1)),
        (
            {},
            dates(xmp_CreateDate="2022-01-01", exif_DateTimeOriginal="2019-05-04T13:07:59+02:00"),
            (2019, 5, 4, 13, 7, 59),
        ),
        ({}, dates(photoshop_DateCreated="1930-07-01"), (1930, 7, 1)),
        ({}, b"", None),
    ),
)
def test_when_a_photo_was_taken_is_told_by_exif_or_else_by_xmp(tmp_path, times, xmp, taken_at):
    path = photo(tmp_path, times=times, xmp=xmp)

    assert inspect(path).taken_at == (taken_at and dt.datetime(*taken_at))


def test_a_file_beside_the_photo_tells_when_it_was_taken_if_the_photo_does_not(tmp_path):
    path = photo(tmp_path)
    (tmp_path / "photo.xmp").write_bytes(dates(photoshop_DateCreated="1930-07-01"))

    assert inspect(path).taken_at == dt.datetime(1930, 7, 1)

    path = photo(tmp_path, xmp=dates(photoshop_DateCreated="1931-07-01"))

    assert inspect(path).taken_at == dt.datetime(1931, 7, 1)


@needs_exiftool
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"GIF", "BMP"}))
def test_what_exiftool_writes_is_read_from_every_kind(tmp_path, kind):
    path = tmp_path / f"photo.{KINDS[kind]}"
    four_corners(400, 200).save(path)
    region = "Area={X=0.5,Y=0.5,W=0.2,H=0.4,Unit=normalized},Name=Zoë,Type=Face"
    edits = {
        "exif": ["-EXIF:DateTimeOriginal=2020:01:02 03:04:05"],
        "xmp": [
            f"-RegionInfo={{RegionList=[{{{region}}}]}}",
            "-XMP:CreateDate=2020:01:02 03:04:05",
        ],
    }
    copies = {name: inspect(copy) for name, copy in written(path, edits).items()}

    assert {name: found.taken_at for name, found in copies.items()} == dict.fromkeys(
        edits, dt.datetime(2020, 1, 2, 3, 4, 5)
    )
    assert_is(copies["xmp"].regions, name="Zoë")


@needs_exiftool
def test_regions_are_read_from_a_gif_and_a_heic_photo(tmp_path, media):
    four_corners(400, 200).save(tmp_path / "photo.gif")
    real = media / "formats" / "formats" / "heic" / "IMG_2682.heic"
    (tmp_path / "photo.heic").write_bytes(real.read_bytes())
    region = "Area={X=0.5,Y=0.5,W=0.2,H=0.4,Unit=normalized},Name=Ann,Type=Face"
    for name in ("photo.gif", "photo.heic"):
        (copy,) = written(
            tmp_path / name, {"named": [f"-RegionInfo={{RegionList=[{{{region}}}]}}"]}
        ).values()

        assert_is(inspect(copy).regions)


@needs_exiftool
def test_exif_turns_no_heic_photo(tmp_path, media):
    path = tmp_path / "photo.heic"
    real = media / "formats" / "formats" / "heic" / "IMG_2682.heic"
    path.write_bytes(real.read_bytes())
    (copy,) = written(path, {"turned": ["-IFD0:Orientation#=6"]}).values()
    found = inspect(copy)

    assert (found.orientation, found.width, found.height) == (1, 4032, 3024)


@needs_exiftool
def test_hundreds_of_regions_in_several_segments_of_a_jpeg_are_read(tmp_path):
    path = photo(tmp_path)
    regions = ",".join(
        f"{{Area={{X={n / 1000},Y=0.5,W=0.0005,H=0.4,Unit=normalized}},Name=Somebody No {n}}}"
        for n in range(1, 500)
    )
    (copy,) = written(path, {"many": [f"-RegionInfo={{RegionList=[{regions}]}}"]}).values()

    assert b"http://ns.adobe.com/xmp/extension/" in copy.read_bytes()
    assert [region.name for region in inspect(copy).regions] == [
        f"Somebody No {n}" for n in range(1, 500)
    ]


# --- the file beside the photo ---


@pytest.mark.parametrize("name", ("photo.jpg.xmp", "photo.jpg.XMP", "photo.xmp", "photo.XMP"))
def test_regions_are_read_from_a_file_beside_the_photo(tmp_path, name):
    path = photo(tmp_path)
    (tmp_path / name).write_bytes(packet(mwg(face("Ann"))))

    assert_is(inspect(path).regions)


def test_a_face_that_is_in_the_photo_and_beside_it_counts_once(tmp_path):
    path = photo(tmp_path, xmp=packet(mwg(face("Ann") + face("Bob", 0.1, w=0.1))))
    beside = mwg(face("Ann", 0.52) + face("Cy", 0.9, w=0.1)) + microsoft(("Ann", "0.4,0.3,0.2,0.4"))
    (tmp_path / "photo.jpg.xmp").write_bytes(packet(beside))
    (tmp_path / "photo.xmp").write_bytes(packet(mwg(face("Ann", 0.51))))

    assert sorted(region.name for region in inspect(path).regions) == ["Ann", "Bob", "Cy"]


def test_a_name_beside_the_photo_corrects_the_one_in_it(tmp_path):
    path = photo(tmp_path, xmp=packet(mwg(face("Ann"))))
    (tmp_path / "photo.xmp").write_bytes(packet(mwg(face("Anna"))))

    assert_is(inspect(path).regions, name="Anna")


def test_regions_beside_a_photo_are_turned_as_the_photo_is(tmp_path):
    path = photo(tmp_path, orientation=3)
    (tmp_path / "photo.xmp").write_bytes(packet(mwg(face("Ann", 0.1, 0.2, 0.2, 0.4))))

    assert_is(inspect(path).regions, box=(0.8, 0.6, 1, 1))


@pytest.mark.parametrize("damage", (b"", b"<x:xmpmeta", b"\xff" * 100, b"<a>" * 70_000))
def test_a_damaged_file_beside_a_photo_is_passed_over(tmp_path, damage):
    path = photo(tmp_path, xmp=packet(mwg(face("Ann"))))
    (tmp_path / "photo.xmp").write_bytes(damage)
    (tmp_path / "photo.jpg.xmp").mkdir()

    assert_is(inspect(path).regions, box=BOX)


def test_a_file_beside_a_photo_that_is_no_ordinary_file_is_not_waited_for(tmp_path):
    path = photo(tmp_path)
    os.mkfifo(tmp_path / "photo.xmp")

    assert inspect(path).regions == ()


# --- errors, damage, size ---


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "notes.jpg").write_text("dear diary, today")

    with pytest.raises(NotAnImage, match="a text file"):
        inspect(tmp_path / "notes.jpg")
    with pytest.raises(FileMissing, match="there is no file"):
        inspect(tmp_path / "absent.jpg")
    with pytest.raises(FileMissing, match="is a folder"):
        inspect(tmp_path)


def test_every_malformed_file_is_inspected_or_refused_as_documented(media):
    paths = [path for path in (media / "malformed").rglob("*") if path.is_file()]
    inspected = 0
    for path in paths:
        try:
            inspection = inspect(path)
        except (FileMissing, NotAnImage, FormatNotInstalled):
            continue
        inspected += 1
        assert len(inspection.payload) == 32
        try:
            picture = read(path)
        except LookwhoError:
            continue
        # What can be decoded is as large as was said.
        assert (inspection.width, inspection.height) == (picture.width, picture.height), path

    assert len(paths) >= 148
    assert inspected > 100


SMALL = {
    "JPEG": encode(noise(), "JPEG", xmp=packet(mwg(face("Ann")))),
    "PNG": encode(noise(), "PNG"),
    "WEBP": encode(noise(), "WEBP", xmp=packet(mwg(face("Ann")))),
    "TIFF": encode(noise(), "TIFF", tiffinfo={700: packet(mwg(face("Ann")))}),
    "GIF": encode(noise(), "GIF"),
    **({"AVIF": encode(noise(), "AVIF", xmp=packet(mwg(face("Ann"))))} if "AVIF" in KINDS else {}),
}


@given(st.sampled_from(sorted(SMALL)), st.data())
def test_a_damaged_file_is_inspected_or_refused_as_documented(tmp_path_factory, kind, data):
    damaged = bytearray(SMALL[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])

    try:
        inspection = inspect(path)
    except (NotAnImage, FormatNotInstalled):
        return
    assert len(inspection.payload) == 32
    assert inspection.orientation in range(1, 9)


@pytest.mark.parametrize("kind", ("JPEG", "PNG", "TIFF", "BMP"))
def test_a_large_file_is_not_held_in_memory(tmp_path, kind):
    size = 200_000_000
    path = tmp_path / "large"
    data = encode(noise(), kind)
    if kind == "TIFF":  # one strip, of everything that follows
        entries = struct.pack("<HHII", 273, 4, 1, 100) + struct.pack("<HHII", 279, 4, 1, size)
        data = b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + bytes(4)
    elif kind == "PNG":
        data = data[:33] + struct.pack(">I", size) + b"IDAT"
    elif kind == "JPEG":
        data = data[: data.index(b"\xff\xda") + 14]
    path.write_bytes(data)
    os.truncate(path, size)  # zeros, which take no room on the disk

    tracemalloc.start()
    try:
        inspect(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 20_000_000


# --- videos ---


def test_a_video_is_inspected_without_being_opened(tmp_path, monkeypatch):
    clip = make_clip(tmp_path / "a.mov", drawn(3), metadata={"title": "Ann"})
    monkeypatch.setitem(sys.modules, "av", None)
    said = inspect(clip)
    assert (said.video, said.format) == (True, "MOV")
    assert (said.width, said.height, said.orientation) == (0, 0, 1)
    assert (said.taken_at, said.regions) == (None, ())


def test_a_photo_is_no_video(tmp_path):
    assert not inspect(photo(tmp_path)).video


def test_the_file_beside_a_video_says_when_but_not_who(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn(3))
    clip.with_suffix(".xmp").write_bytes(dates(exif_DateTimeOriginal="2024-05-04T13:07:59"))
    assert inspect(clip).taken_at == dt.datetime(2024, 5, 4, 13, 7, 59)
    clip.with_suffix(".xmp").write_bytes(packet(mwg(face("Ann"))))
    assert inspect(clip).regions == ()


def test_a_large_video_takes_little_memory_to_inspect(tmp_path):
    path = tmp_path / "a.mkv"
    path.write_bytes(b"\x1aE\xdf\xa3" + bytes(64 << 20))
    tracemalloc.start()
    inspect(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 << 20
