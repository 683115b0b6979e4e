"""Pictures that tests draw, and files whose headers claim what they like."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

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


def assert_looks_like_corners(pixels, tolerance=30):
    assert np.abs(corners_of(pixels) - np.array(CORNERS)).max() <= tolerance


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


def opened(path, side):
    """A photo as (h, w, 3) uint8 RGB, its longest side at most so many pixels."""
    with Image.open(path) as photo:
        photo.draft("RGB", (side, side))
        photo = photo.convert("RGB")
    photo.thumbnail((side, side))
    return np.asarray(photo)
