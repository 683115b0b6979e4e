"""The payload is asked for by `inspect`, as everybody does; files are edited by exiftool."""

import hashlib
import shutil
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from lookwho.core.inspect import inspect
from tests.exiftool import needs_exiftool, written
from tests.pictures import encode, four_corners, noise
from tests.videos import drawn as drawn_video
from tests.videos import make_clip

NAMES = (
    "-XMP-mwg-rs:RegionInfo={AppliedToDimensions={W=96,H=64,Unit=pixel},RegionList=[{"
    "Area={X=0.5,Y=0.5,W=0.2,H=0.2,Unit=normalized},Name=Ann,Type=Face}]}"
)
EDITS = {
    "names": [NAMES, "-XMP-dc:Subject=Ann"],
    "much": [f"-XMP-dc:Description={'x' * 80_000}"],  # too long for one segment of a JPEG
    "exif": ["-EXIF:Artist=Ann", "-EXIF:DateTimeOriginal=2020:01:02 03:04:05"],
    "iptc": ["-IPTC:Keywords=Ann"],
    "turned": ["-Orientation#=6"],
    "comment": ["-Comment=a comment"],
    "cleaned": ["-all="],
    "colourless": ["-icc_profile="],
    "all at once": [NAMES, "-EXIF:Artist=Ann", "-IPTC:Keywords=Ann", "-Orientation#=8"],
}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FINE = {"quality": 95, "subsampling": 0}
ALPHA = four_corners().convert("RGBA")
ALPHA.putalpha(Image.linear_gradient("L").resize(ALPHA.size))


def frames(picture):
    return {"save_all": True, "append_images": [picture.rotate(90), picture.rotate(180)]}


# A picture, how it is saved, and the edits that exiftool can make to it.
EVERY = set(EDITS) - {"cleaned", "colourless"}
SOME = EVERY - {"iptc", "comment"}
FEW = EVERY - {"iptc", "exif"}
PICTURES = {
    "plain.jpg": (four_corners(), FINE, EVERY | {"cleaned"}),  # JFIF is taken out
    "progressive.jpg": (four_corners(), {"progressive": True, **FINE}, EVERY),
    "print.jpg": (four_corners().convert("CMYK"), FINE, EVERY),  # Adobe's segment says how
    "profile.jpg": (four_corners(), {"icc_profile": PROFILE, "comment": b"hi", **FINE}, set(EDITS)),
    "plain.png": (four_corners(), {}, EVERY),
    "palette.png": (four_corners().quantize(8), {"transparency": 0}, EVERY),
    "profile.png": (four_corners(), {"icc_profile": PROFILE}, set(EDITS)),
    "frames.png": (four_corners(), frames(four_corners()), EVERY),
    "plain.webp": (four_corners(), {"quality": 95}, SOME),
    "lossless.webp": (four_corners(), {"lossless": True}, SOME),
    "alpha.webp": (ALPHA, {"quality": 95}, SOME),
    "profile.webp": (four_corners(), {"icc_profile": PROFILE}, SOME | {"cleaned", "colourless"}),
    "frames.webp": (four_corners(), {"lossless": True, **frames(four_corners())}, SOME),
    "plain.tif": (four_corners(), {}, EVERY - {"comment"}),
    "lzw.tif": (four_corners(), {"compression": "tiff_lzw"}, EVERY - {"comment"}),
    "jpeg.tif": (four_corners(), {"compression": "jpeg"}, EVERY - {"comment"}),
    "fax.tif": (four_corners().convert("1"), {"compression": "group4"}, EVERY - {"comment"}),
    "palette.tif": (four_corners().quantize(8), {}, EVERY - {"comment"}),
    "profile.tif": (
        four_corners(),
        {"icc_profile": PROFILE},
        set(EDITS) - {"comment"},
    ),
    "pages.tif": (four_corners(), frames(four_corners()), EVERY - {"comment"}),
    "plain.gif": (four_corners(), {"comment": b"hi"}, FEW | {"cleaned"}),
    "frames.gif": (four_corners(), {"loop": 0, **frames(four_corners())}, FEW),
    "plain.avif": (four_corners(), {"quality": 95}, SOME),
    "alpha.avif": (ALPHA, {"quality": 95}, SOME),
}


def drawn(tmp_path, name, picture=None):
    if name.endswith(".avif") and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    given, options, _ = PICTURES[name]
    path = tmp_path / name
    (picture or given).save(path, **options)
    return path


def whole(path, kind):
    """The payload of a file that cannot be followed."""
    data = path.read_bytes()
    return hashlib.sha256(b"%b\nfile %d\n%b" % (kind.encode(), len(data), data)).digest()


# --- what leaves it the same ---


@needs_exiftool
@pytest.mark.parametrize("name", PICTURES)
def test_writing_and_removing_metadata_leaves_the_payload_the_same(tmp_path, name):
    path = drawn(tmp_path, name)
    copies = written(path, EDITS)

    # The edits that matter to this kind were made, so that there is something to compare.
    assert PICTURES[name][2] <= set(copies)
    payload = inspect(path).payload
    assert {edit: inspect(copy).payload for edit, copy in copies.items()} == dict.fromkeys(
        copies, payload
    )
    assert payload != whole(path, inspect(path).format)


@needs_exiftool
def test_a_real_heic_photo_keeps_its_payload(tmp_path, media):
    path = tmp_path / "photo.heic"
    shutil.copyfile(media / "formats" / "formats" / "heic" / "IMG_2682.heic", path)
    copies = written(path, EDITS)

    assert {"names", "much", "exif", "turned", "cleaned"} <= set(copies)
    assert {inspect(copy).payload for copy in copies.values()} == {inspect(path).payload}


@needs_exiftool
@pytest.mark.parametrize("order", ("<", ">"))
def test_a_tiff_of_either_byte_order_keeps_its_payload(tmp_path, order):
    path = tmp_path / "grey.tif"
    path.write_bytes(grey_tiff(order, np.arange(64 * 48)))
    copies = written(path, EDITS)

    assert {"names", "exif", "turned"} <= set(copies)
    assert {inspect(copy).payload for copy in copies.values()} == {inspect(path).payload}


def test_what_follows_a_jpeg_does_not_count(tmp_path):
    data = encode(four_corners(), "JPEG")
    path, moving = tmp_path / "a.jpg", tmp_path / "b.jpg"
    path.write_bytes(data)
    moving.write_bytes(data + encode(noise(), "JPEG") + b"\0\0\0\x18ftypmp42")

    assert inspect(moving).payload == inspect(path).payload


def test_the_colour_profile_of_a_gif_does_not_count(tmp_path):
    data = encode(four_corners(), "GIF")
    at = 13 + 3 * 2 ** ((data[10] & 7) + 1)  # after the palette
    path, profiled = tmp_path / "a.gif", tmp_path / "b.gif"
    path.write_bytes(data)
    profiled.write_bytes(data[:at] + b"\x21\xff\x0bICCRGBG1012\7profile\0" + data[at:])

    assert inspect(profiled).payload == inspect(path).payload


def test_where_png_data_are_cut_into_chunks_does_not_count(tmp_path):
    data = encode(noise(), "PNG")
    start = data.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", data, start)
    body = data[start + 8 : start + 8 + length]
    path, cut = tmp_path / "a.png", tmp_path / "b.png"
    path.write_bytes(data)
    parts = (body[:100], body[100:])
    chunks = b"".join(struct.pack(">I", len(part)) + b"IDAT" + part + bytes(4) for part in parts)
    cut.write_bytes(data[:start] + chunks + data[start + 12 + length :])

    assert inspect(cut).payload == inspect(path).payload


def test_a_thumbnail_page_of_a_tiff_does_not_count(tmp_path):
    path, with_thumbnail = tmp_path / "a.tif", tmp_path / "b.tif"
    four_corners().save(path)
    small = four_corners(24, 16)
    small.encoderinfo = {"tiffinfo": {254: 1}}
    four_corners().save(with_thumbnail, save_all=True, append_images=[small])
    with Image.open(with_thumbnail) as pages:
        pages.seek(1)
        assert pages.tag_v2[254] == 1

    assert inspect(with_thumbnail).payload == inspect(path).payload


# --- what changes it ---


@pytest.mark.parametrize("name", PICTURES)
def test_one_changed_pixel_changes_the_payload(tmp_path, name):
    picture = PICTURES[name][0]
    path = drawn(tmp_path, name)
    before = inspect(path).payload
    changed = picture.copy()
    old = changed.getpixel((40, 40))
    changed.putpixel((40, 40), tuple(255 - v for v in old) if isinstance(old, tuple) else 1 - old)
    drawn(tmp_path, name, changed)

    assert inspect(path).payload != before


@pytest.mark.parametrize("name", ("frames.png", "frames.webp", "frames.gif", "pages.tif"))
def test_a_changed_later_frame_changes_the_payload(tmp_path, name):
    path = drawn(tmp_path, name)
    before = inspect(path).payload
    options = {**PICTURES[name][1], "append_images": [noise(96, 64), four_corners().rotate(180)]}
    four_corners().save(path, **options)

    assert inspect(path).payload != before


def test_how_colours_are_stored_changes_the_payload(tmp_path):
    data = encode(four_corners().convert("CMYK"), "JPEG")
    path, other = tmp_path / "a.jpg", tmp_path / "b.jpg"
    path.write_bytes(data)
    at = data.index(b"Adobe") + 11
    other.write_bytes(data[:at] + bytes([data[at] ^ 2]) + data[at + 1 :])

    assert inspect(other).payload != inspect(path).payload


def test_the_palette_changes_the_payload(tmp_path):
    picture = four_corners().quantize(8)
    other = picture.copy()
    other.putpalette(bytes(reversed(picture.getpalette())))
    for kind in ("png", "gif", "tif"):
        path, changed = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
        picture.save(path)
        other.save(changed)

        assert inspect(changed).payload != inspect(path).payload, kind


def test_transparency_changes_the_payload(tmp_path):
    softer = ALPHA.copy()
    softer.putalpha(ALPHA.getchannel("A").point(lambda value: value // 2))
    palette = four_corners().quantize(8)
    pairs = (
        ("a.png", palette, {"transparency": 0}, palette, {"transparency": 1}),
        ("a.webp", ALPHA, {"exact": True}, softer, {"exact": True}),
        ("a.avif", ALPHA, {}, softer, {}),
    )
    for name, one, options, other, other_options in pairs:
        if name == "a.avif" and not features.check("avif"):
            continue
        path = tmp_path / name
        one.save(path, **options)
        before = inspect(path).payload
        other.save(path, **other_options)

        assert inspect(path).payload != before, name


def test_the_canvas_of_an_animation_changes_the_payload(tmp_path):
    path = tmp_path / "a.webp"
    four_corners().save(path, lossless=True, **frames(four_corners()))
    data, before = bytearray(path.read_bytes()), inspect(path).payload
    data[data.index(b"VP8X") + 12] += 1  # its width
    path.write_bytes(data)

    assert inspect(path).payload != before


def test_the_byte_order_of_a_tiff_changes_the_payload(tmp_path):
    values = np.arange(64 * 48)
    little, big = tmp_path / "a.tif", tmp_path / "b.tif"
    little.write_bytes(grey_tiff("<", values))
    # The same bytes of data, which mean other numbers.
    big.write_bytes(grey_tiff(">", values.astype("<u2").view(">u2")))

    assert inspect(big).payload != inspect(little).payload


def test_a_bmp_counts_as_a_whole(tmp_path):
    path = tmp_path / "a.bmp"
    four_corners().save(path)

    assert inspect(path).payload == whole(path, "BMP")
    assert inspect(path).width == 96


# --- what cannot be followed ---


def bomb_of_strips():
    """A TIFF whose strips are a thousand times the same bytes."""
    count, start = 1000, 8 + 2 + 4 * 12 + 4
    fields = ((256, 4, 1, 99), (257, 4, 1, 99), (273, 4, count, start))
    fields += ((279, 4, count, start + 4 * count),)
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    places = struct.pack("<I", 8) * count + struct.pack("<I", 9000) * count
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 4) + entries + bytes(4) + places + bytes(2000)


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    (
        ("a.jpg", "JPEG", b"\xff\xd8\xff\xe0\0\4\0\0\xff\xd9 and no picture"),
        ("b.jpg", "JPEG", b"\xff\xd8" + b"\xff\xdb\0\2" * 20_000),
        ("a.png", "PNG", b"\x89PNG\r\n\x1a\n"),
        ("a.webp", "WEBP", b"RIFF\4\0\0\0WEBP"),
        ("a.gif", "GIF", b"GIF89a\1"),
        ("a.tif", "TIFF", b"MM\0*\0\0\0\x08\0\0"),
        ("b.tif", "TIFF", bomb_of_strips()),
        ("a.heic", "HEIF", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("b.heic", "HEIF", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x0cmeta\0\0\0\0"),
        ("a.bmp", "BMP", b"BM" + bytes(20)),
    ),
)
def test_a_file_that_cannot_be_followed_counts_as_a_whole(tmp_path, name, kind, data):
    path = tmp_path / name
    path.write_bytes(data)

    assert inspect(path).payload == whole(path, kind)


@pytest.mark.parametrize("name", PICTURES)
def test_a_file_cut_short_has_another_payload(tmp_path, name):
    path = drawn(tmp_path, name)
    data, before = path.read_bytes(), inspect(path).payload
    for share in (0.5, 0.8):
        path.write_bytes(data[: int(len(data) * share)])

        assert inspect(path).payload != before


def test_metadata_do_not_change_the_payload_of_a_jpeg_that_is_cut_short(tmp_path):
    data = encode(noise(), "JPEG")[:-500]
    path, commented = tmp_path / "a.jpg", tmp_path / "b.jpg"
    path.write_bytes(data)
    commented.write_bytes(data[:2] + b"\xff\xfe\0\7hello" + data[2:])

    assert inspect(commented).payload == inspect(path).payload


def grey_tiff(order, values):
    """A TIFF of 64 x 48 grey values of 16 bits, in one strip."""
    data = np.asarray(values).astype(f"{order}u2").tobytes()
    fields = ((256, 3, 64), (257, 3, 48), (258, 3, 16), (259, 3, 1), (262, 3, 1))
    fields += ((273, 4, 8), (277, 3, 1), (278, 3, 48), (279, 4, len(data)))
    entries = b"".join(
        struct.pack(order + ("HHIH2x" if kind == 3 else "HHII"), tag, kind, 1, value)
        for tag, kind, value in fields
    )
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(order + "H", len(fields)) + entries + bytes(4)
    return mark + struct.pack(order + "I", 8 + len(data)) + data + directory


# --- videos ---


@pytest.mark.parametrize("suffix", (".mp4", ".mov", ".3gp"))
def test_what_is_said_about_a_video_does_not_count(suffix, tmp_path):
    codec = "mpeg4" if suffix == ".3gp" else "libx264"
    plain = make_clip(tmp_path / f"a{suffix}", drawn_video(9), codec=codec, audio=True)
    others = [
        make_clip(
            tmp_path / f"b{suffix}", drawn_video(9), codec=codec, audio=True, index_first=True
        ),
        make_clip(
            tmp_path / f"c{suffix}",
            drawn_video(9),
            codec=codec,
            audio=True,
            metadata={"title": "Ann", "creation_time": "2024-05-01T10:00:00Z"},
        ),
    ]
    assert {inspect(other).payload for other in others} == {inspect(plain).payload}
    assert len({other.read_bytes() for other in (plain, *others)}) == 3


@needs_exiftool
def test_names_written_into_a_video_do_not_count(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", drawn_video(9))
    copies = written(clip, {"names": [NAMES], "title": ["-Title=Ann"], "turned": ["-Rotation=90"]})
    assert {"names", "title"} <= set(copies)
    assert {inspect(copy).payload for copy in copies.values()} == {inspect(clip).payload}


@pytest.mark.parametrize("suffix", (".mp4", ".mkv", ".avi", ".mts"))
def test_another_picture_is_another_video(suffix, tmp_path):
    payloads = {
        inspect(make_clip(tmp_path / f"{count}{suffix}", drawn_video(count), codec="mpeg4")).payload
        for count in (8, 9)
    }
    assert len(payloads) == 2


def box(name, body, *, wide=False, open_end=False):
    if wide:
        return struct.pack(">I4sQ", 1, name, 16 + len(body)) + body
    return struct.pack(">I4s", 0 if open_end else 8 + len(body), name) + body


FTYP = box(b"ftyp", b"isom\0\0\2\0isom")


@pytest.mark.parametrize(
    "boxes",
    (
        [box(b"mdat", b"pictures")],
        [box(b"moov", b"x"), box(b"mdat", b"pictures", wide=True)],
        [box(b"free", b""), box(b"mdat", b"pictures", open_end=True)],
        [box(b"mdat", b"pict"), box(b"moof", b"x"), box(b"mdat", b"ures"), b"odd"],
        [box(b"mdat", b"pictures"), b"\0\0\0\3moov"],
    ),
)
def test_however_the_media_of_a_video_are_cut_up_they_count_the_same(boxes, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(FTYP + b"".join(boxes))
    wanted = hashlib.sha256(b"MP4\n" + b"mdat 8\n" + b"pictures").digest()
    assert inspect(path).payload == wanted


@pytest.mark.parametrize("content", (FTYP, FTYP + box(b"mdat", b""), FTYP + b"\xff" * 40))
def test_a_video_without_media_counts_as_a_whole(content, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    wanted = hashlib.sha256(b"MP4\nfile %d\n" % len(content) + content).digest()
    assert inspect(path).payload == wanted
