import io
import struct

import pytest
from PIL import Image, features

from lookwho.core.containers import parts_of
from lookwho.core.exif import read_exif
from lookwho.core.image import read
from lookwho.core.orientation import upright_size
from lookwho.core.parts import Source
from lookwho.core.payload import payload_of
from tests.pictures import ROTATED, encode, four_corners, rotated

needs_avif = pytest.mark.skipif(
    not features.check("avif"), reason="this Pillow was built without AVIF"
)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def box(name, *bodies):
    body = b"".join(bodies)
    return struct.pack(">I4s", 8 + len(body), name) + body


def heic(
    turns=b"", *, xmp=XMP, data=b"the picture", place="mdat", associations=(1, 2), kind=b"hvc1"
):
    """A HEIC file of the parts that matter: an image item, and XMP about it."""

    def entry(number, what, *more):
        return box(b"infe", b"\2\0\0\0", struct.pack(">HH4s", number, 0, what), b"\0", *more)

    def build(offset):
        method = 0 if place == "mdat" else 1
        places = b"\1\0\0\0\x44\0" + struct.pack(">H", 2)
        places += struct.pack(">HHHHII", 1, method, 0, 1, offset, len(data))
        places += struct.pack(">HHHHII", 2, method, 0, 1, offset + len(data), len(xmp))
        properties = box(b"ispe", bytes(4), struct.pack(">II", 40, 30)) + turns
        used = bytes([len(associations), *associations])
        ipma = box(b"ipma", bytes(4), struct.pack(">IH", 1, 1), used)
        meta = box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8) + b"pict" + bytes(13)),
            box(b"pitm", bytes(4), b"\0\1"),
            box(b"iloc", places),
            box(
                b"iinf",
                bytes(4),
                b"\0\2",
                entry(1, kind),
                entry(2, b"mime", b"application/rdf+xml\0"),
            ),
            box(b"iprp", box(b"ipco", properties), ipma),
            box(b"idat", data, xmp) if place == "idat" else b"",
        )
        head = box(b"ftyp", b"heic\0\0\0\0mif1heic") + meta
        return head + (box(b"mdat", data, xmp) if place == "mdat" else b"")

    if place == "idat":
        return build(0)
    return build(len(build(0)) - len(data) - len(xmp))


def payload(data):
    source = Source.of(data)
    return payload_of(source, "HEIF", parts_of(source, "HEIF"))


@pytest.mark.parametrize("place", ("mdat", "idat"))
def test_items_are_found_in_the_file_and_in_the_box_for_short_ones(place):
    data = heic(place=place)
    parts = parts_of(Source.of(data), "HEIF")
    start = data.index(b"the picture")

    assert parts.xmp == [XMP]
    assert parts.size == (40, 30)
    assert [(start, start + 11)] in [piece.spans for piece in parts.pieces]


def test_neither_metadata_nor_where_items_lie_changes_the_payload():
    assert payload(heic(xmp=b"<other and longer/>")) == payload(heic())
    assert payload(heic(box(b"irot", b"\1"))) == payload(heic())
    assert payload(heic(data=b"another one")) != payload(heic())
    assert payload(heic(box(b"clap", bytes(32)))) != payload(heic())


def test_a_file_of_metadata_alone_has_no_image():
    assert parts_of(Source.of(heic(kind=b"uri ")), "HEIF").pieces == []


@pytest.mark.parametrize(
    ("turns", "orientation"),
    (
        (b"", 1),
        (box(b"irot", b"\1"), 8),
        (box(b"irot", b"\2"), 3),
        (box(b"irot", b"\3"), 6),
        (box(b"imir", b"\0"), 4),
        (box(b"imir", b"\1"), 2),
    ),
)
def test_turning_and_mirroring_are_read(turns, orientation):
    assert parts_of(Source.of(heic(turns)), "HEIF").turn == orientation


def test_turning_and_mirroring_are_done_in_the_order_of_the_item():
    both = box(b"irot", b"\3") + box(b"imir", b"\1")
    one = parts_of(Source.of(heic(both, associations=(1, 2, 3))), "HEIF").turn
    other = parts_of(Source.of(heic(both, associations=(1, 3, 2))), "HEIF").turn

    assert {one, other} == {5, 7}


@needs_avif
@pytest.mark.parametrize("orientation", ROTATED)
def test_pillow_turns_an_avif_the_same_way(orientation):
    data = rotated("AVIF", orientation)
    parts = parts_of(Source.of(data), "AVIF")

    assert parts.turn == orientation
    picture = read(data)
    assert upright_size(parts.size, parts.turn) == (picture.width, picture.height)


@needs_avif
def test_exif_and_xmp_in_an_avif_are_found():
    exif = Image.Exif()
    exif[0x010F] = "camera"
    parts = parts_of(Source.of(encode(four_corners(), "AVIF", exif=exif, xmp=XMP)), "AVIF")

    assert parts.xmp == [XMP]
    assert read_exif(parts.exif).orientation is None
    assert b"camera" in parts.exif.read(0, 1000)


def test_a_real_heic_photo_is_as_large_as_it_is_decoded(media):
    data = (media / "formats" / "formats" / "heic" / "IMG_2682.heic").read_bytes()
    parts = parts_of(Source.of(data), "HEIF")
    pi_heif = pytest.importorskip("pi_heif")

    assert upright_size(parts.size, parts.turn) == pi_heif.HeifFile(io.BytesIO(data)).size
    # Tiles, the grid of them, a thumbnail: most of the file is image.
    assert sum(e - s for piece in parts.pieces for s, e in piece.spans) > 0.9 * len(data)
