import struct

import numpy as np
import pytest
from PIL import Image

from lookwho.core.parts import Parts, Source
from lookwho.core.tiff import directories, tiff_parts
from tests.pictures import encode, noise


def structure(order, entries, *, big=False, link=0):
    """A TIFF structure with one directory of (tag, type, count, the values as packed bytes)."""
    inline = 8 if big else 4
    start = 16 if big else 8
    mark = {"<": b"II", ">": b"MM"}[order]
    head = mark + struct.pack(order + "HHHQ", 43, 8, 0, start) if big else b""
    head = head or mark + struct.pack(order + "HI", 42, start)
    far = start + (8 if big else 2) + len(entries) * (12 + 2 * (inline - 4)) + inline
    fields, tail = b"", b""
    for tag, kind, count, values in entries:
        fields += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, count)
        if len(values) <= inline:
            fields += values.ljust(inline, b"\0")
        else:
            fields += struct.pack(order + ("Q" if big else "I"), far + len(tail))
            tail += values
    number = struct.pack(order + ("Q" if big else "H"), len(entries))
    return head + number + fields + struct.pack(order + ("Q" if big else "I"), link) + tail


@pytest.mark.parametrize("order", ("<", ">"))
@pytest.mark.parametrize("big", (False, True))
def test_values_are_read_wherever_they_stand(order, big):
    entries = (
        (256, 3, 1, struct.pack(order + "H", 640)),
        (257, 4, 1, struct.pack(order + "I", 480)),
        (258, 3, 3, struct.pack(order + "3H", 8, 9, 10)),
        (273, 4, 5, struct.pack(order + "5I", 1, 2, 3, 4, 70_000)),
        (700, 1, 11, b"<x:xmpmeta/"),
        (282, 5, 1, struct.pack(order + "2I", 72, 1)),
    )
    (page,) = directories(Source.of(structure(order, entries, big=big)))

    assert page.number(256) == 640
    assert page.number(257) == 480
    assert page.numbers(258) == (8, 9, 10)
    assert page.numbers(273) == (1, 2, 3, 4, 70_000)
    assert page.data(700) == b"<x:xmpmeta/"
    assert page.numbers(282) == ()  # no whole numbers
    assert page.number(999, 7) == 7


def test_directories_that_follow_each_other_in_a_ring_end():
    entries = ((256, 3, 1, struct.pack("<H", 1)),)

    assert len(list(directories(Source.of(structure("<", entries, link=8))))) == 1


@pytest.mark.parametrize("compression", ("raw", "tiff_lzw", "packbits"))
def test_all_strips_of_all_pages_are_found(compression):
    pages = [noise(200, 300, seed) for seed in range(3)]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression=compression)
    parts = Parts()
    tiff_parts(Source.of(data), parts)
    strips = [piece for piece in parts.pieces if piece.name == b"strips<"]

    assert parts.size == (200, 300)
    assert len(strips) == 3
    if compression == "raw":
        for page, piece in zip(pages, strips, strict=True):
            stored = b"".join(data[start:end] for start, end in piece.spans)
            assert stored == np.asarray(page).tobytes()


def test_tiles_are_found():
    tile = bytes(range(256))
    entries = (
        (256, 3, 1, struct.pack("<H", 32)),
        (257, 3, 1, struct.pack("<H", 16)),
        (322, 3, 1, struct.pack("<H", 16)),
        (324, 4, 2, struct.pack("<2I", 200, 456)),
        (325, 4, 2, struct.pack("<2I", 256, 256)),
    )
    data = structure("<", entries).ljust(200, b"\0") + tile + tile[::-1]
    parts = Parts()
    tiff_parts(Source.of(data), parts)

    assert parts.pieces[-1].spans == [(200, 456), (456, 712)]


def test_pillow_agrees_about_what_a_directory_holds():
    data = encode(noise(), "TIFF", dpi=(72, 72), description="noise")
    (page,) = directories(Source.of(data))
    with Image.open(Source.of(data)._file) as picture:
        for tag in (256, 257, 259, 262, 277, 278):
            assert page.number(tag) == picture.tag_v2[tag]
        assert page.data(270) == b"noise\0"
