import struct

import numpy as np
import pytest
from PIL import Image

from lookwho.core.errors import BrokenImage, ImageTooLarge
from lookwho.core.image import read
from lookwho.core.jpeg import read_header
from tests.pictures import (
    ORIENTATION,
    ROTATED,
    assert_looks_like_corners,
    encode,
    four_corners,
    noise,
)


def test_the_orientation_in_xmp_counts_where_exif_has_none():
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    stored = four_corners().transpose(ROTATED[6])

    assert_looks_like_corners(read(encode(stored, "JPEG", xmp=xmp)).pixels)


def test_an_orientation_stored_as_a_long_number_counts():
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1" + struct.pack(">HHII", ORIENTATION, 4, 1, 3) + bytes(4)

    assert_looks_like_corners(read(encode(four_corners().rotate(180), "JPEG", exif=exif)).pixels)


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
    data = tables[:at] + frame + tables[at + 13 :] + b"".join(scans) + b"\xff\xd9"

    assert read_header(data).coefficients == 3 * 96 * 64
    assert_looks_like_corners(read(data).pixels)


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


def test_a_huge_jpeg_is_decoded_when_it_is_reduced_and_refused_otherwise():
    data = encode(Image.new("L", (16_000, 12_000)), "JPEG")

    assert read(data).pixels.shape == (1500, 2000, 3)
    with pytest.raises(ImageTooLarge):
        read(data, target=16_000)


def test_a_jpeg_of_no_colour_at_all_is_broken():
    data = bytearray(encode(noise(), "JPEG"))
    data[data.index(b"\xff\xc0") + 9] = 0

    with pytest.raises(BrokenImage, match="the picture's header is missing"):
        read(bytes(data))
