import subprocess
import sys
import time
import zlib

import pytest
from PIL import Image

from lookwho.core.errors import BrokenImage, ImageTooLarge
from lookwho.core.image import read
from tests.pictures import (
    ORIENTATION,
    bmp_of,
    chunk,
    encode,
    four_corners,
    gif_of,
    jpeg_of,
    png_of,
    tiff_of,
    webp_of,
)


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


def test_pictures_without_a_side_are_broken():
    for data in (png_of(0, 5), png_of(5, 0), jpeg_of(0, 9), jpeg_of(9, 0)):
        with pytest.raises(BrokenImage):
            read(data)


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
