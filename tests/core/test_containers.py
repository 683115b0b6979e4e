"""What is found in JPEG, PNG, WebP, GIF and BMP files; payloads are in test_payload."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from lookwho.core.containers import parts_of
from lookwho.core.exif import read_exif
from lookwho.core.parts import Source
from lookwho.core.payload import payload_of
from tests.pictures import ORIENTATION, chunk, encode, four_corners, noise, rotated

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
# JPEG and the other kinds with pictures of every sort, for damage.
SAMPLES = {
    "JPEG": encode(noise(), "JPEG", progressive=True, exif=b"Exif\0\0II*\0\x08\0\0\0", xmp=XMP),
    "PNG": encode(noise().quantize(8), "PNG", transparency=0),
    "WEBP": encode(noise(), "WEBP", lossless=True, exif=b"II*\0\x08\0\0\0", xmp=XMP),
    "GIF": encode(noise(), "GIF", save_all=True, append_images=[noise(seed=1)], comment=b"hi"),
    "BMP": encode(noise(), "BMP"),
    "TIFF": encode(noise(), "TIFF", compression="tiff_lzw", save_all=True, append_images=[noise()]),
}


def found(data, kind):
    source = Source.of(data)
    return parts_of(source, kind)


@pytest.mark.parametrize("kind", ("JPEG", "PNG", "WEBP", "TIFF"))
@pytest.mark.parametrize("orientation", (1, 6))
def test_exif_data_are_found(kind, orientation):
    parts = found(rotated(kind, orientation), kind)

    assert read_exif(parts.exif).orientation == orientation
    assert parts.size == ((96, 64) if orientation == 1 else (64, 96))


@pytest.mark.parametrize("kind", ("JPEG", "WEBP", "TIFF"))
def test_xmp_is_found(kind):
    options = {"tiffinfo": {700: XMP}} if kind == "TIFF" else {"xmp": XMP}

    assert found(encode(noise(), kind, **options), kind).xmp == [XMP]


def test_a_webp_chunk_of_odd_length_is_padded():
    assert found(encode(noise(), "WEBP", exif=b"II*\0 odd!", xmp=XMP), "WEBP").xmp == [XMP]


@pytest.mark.parametrize("packed", (False, True))
def test_xmp_in_a_png_is_found_packed_or_not(packed):
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=packed)

    assert found(encode(noise(), "PNG", pnginfo=text), "PNG").xmp == [XMP]


@pytest.mark.parametrize("packed", (False, True))
def test_exif_that_imagemagick_wrote_into_a_png_is_found(packed):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = exif.tobytes()
    lines = "\n".join(("", "exif", f"{len(data):8}", data.hex()))
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", lines, zip=packed)

    parts = found(encode(noise(), "PNG", pnginfo=text), "PNG")

    assert read_exif(parts.exif).orientation == 6


def test_text_that_unpacks_to_gigabytes_is_not_unpacked():
    bomb = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(64 << 20))
    data = encode(noise(), "PNG")
    parts = found(data[:33] + chunk(b"iTXt", bomb) + data[33:], "PNG")

    assert sum(map(len, parts.xmp)) <= 16 << 20
    assert parts.pieces == [
        type(piece)(piece.name, [(start + len(bomb) + 12, end + len(bomb) + 12)])
        if piece.name == b"IDAT"
        else piece
        for piece in found(data, "PNG").pieces
        for start, end in piece.spans[:1]
    ]


def extended(main, portions, *, digest=b"D" * 32, length=0):
    """A JPEG with XMP in several segments."""
    bodies = [b"http://ns.adobe.com/xap/1.0/\0" + main]
    for offset, portion in portions:
        head = digest + struct.pack(">II", length, offset)
        bodies.append(b"http://ns.adobe.com/xmp/extension/\0" + head + portion)
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body for body in bodies)
    data = encode(noise(), "JPEG")
    return data[:2] + segments + data[2:]


def test_xmp_in_several_segments_is_put_together_in_its_order():
    main = b"<a has='" + b"D" * 32 + b"'/>"
    data = extended(main, [(4, b"efg"), (0, b"abcd")])

    assert found(data, "JPEG").xmp == [main, b"abcdefg"]


def test_xmp_that_is_left_over_or_incomplete_is_passed_over():
    main = b"<a has='" + b"D" * 32 + b"'/>"

    assert found(extended(main, [(0, b"abcd"), (5, b"fg")]), "JPEG").xmp == [main]
    assert found(extended(main, [(0, b"abcd")], digest=b"E" * 32), "JPEG").xmp == [main]


def test_xmp_in_a_gif_is_found_without_the_bytes_after_it():
    magic = bytes([1, *range(255, -1, -1), 0])
    data = encode(noise(), "GIF")
    at = 13 + 3 * 2 ** ((data[10] & 7) + 1)  # after the palette
    data = data[:at] + b"\x21\xff\x0bXMP DataXMP" + XMP + magic + data[at:]
    parts = found(data, "GIF")

    assert parts.xmp == [XMP]
    assert parts.size == noise().size


@pytest.mark.parametrize(
    ("kind", "options"),
    (
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"II*\0\x08\0\0\0"}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"big_tiff": True}),
    ),
)
def test_sizes_are_told_from_headers(kind, options):
    assert found(encode(four_corners(321, 123), kind, **options), kind).size == (321, 123)


def test_a_jpeg_ends_where_its_first_picture_ends():
    data = encode(four_corners(), "JPEG", quality=95)
    last = found(data + encode(noise(), "JPEG"), "JPEG").pieces[-1].spans[-1]

    assert last[1] == len(data) - 2


def test_junk_between_the_segments_of_a_jpeg_is_passed_over():
    data = encode(four_corners(), "JPEG")
    source, padded = Source.of(data), Source.of(data[:2] + b"\xff\xff\0junk\xff\0" + data[2:])

    assert payload_of(padded, "JPEG", parts_of(padded, "JPEG")) == payload_of(
        source, "JPEG", parts_of(source, "JPEG")
    )


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_damage_never_makes_it_fail(kind, data):
    damaged = bytearray(SAMPLES[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    damaged = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    source = Source.of(damaged)
    parts = parts_of(source, kind)

    assert len(payload_of(source, kind, parts)) == 32
    for piece in parts.pieces:
        assert all(0 <= start <= end <= len(damaged) for start, end in piece.spans)
    read_exif(parts.exif)


@given(st.sampled_from((*SAMPLES, "HEIF", "AVIF")), st.binary(max_size=500))
def test_arbitrary_bytes_never_make_it_fail(kind, data):
    start = {"TIFF": b"II*\0\x08\0\0\0", "HEIF": b"\0\0\0\x0cftypheic"}.get(kind, b"")
    source = Source.of(start + data)

    assert len(payload_of(source, kind, parts_of(source, kind))) == 32
