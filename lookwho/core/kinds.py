"""Kinds: what a file is, by its first bytes, and what to call it where it is nothing to look at.

Pictures and videos are told apart here and read elsewhere: `kind_of` names a picture's kind,
`video_kind` a video's. No file is both.
"""

from __future__ import annotations

import re

from PIL import features

from lookwho.core.errors import FormatNotInstalled, NotAnImage

_SIGNATURES = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_SOUND = {b"M4A ", b"M4B ", b"M4P "}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
# In small letters, as is what they are compared with.
_FOREIGN = (
    (b"version https://git-lfs", "a git-LFS pointer (fetch the real file by 'git lfs pull')"),
    (b"%pdf-", "a PDF"),
    (b"%!ps", "a PostScript drawing"),
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"pk\x03\x04", "a ZIP archive or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"8bps", "a Photoshop document"),
    (b"\0\0\0\x0cjp  ", "a JPEG 2000 picture"),
    (b"\xffo\xffq", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cjxl ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\1\0", "an icon"),
    (b"fujifilmccd-raw", "a raw photo"),
    (b"iiu\0", "a raw photo"),
    (b"iiro", "a raw photo"),
    (b"id3", "a sound file"),
    (b"flac", "a sound file"),
    (b"oggs", "a sound file"),
    (b"#!amr", "a sound file"),
)

# Kinds of video by what they begin with, of those whose first bytes say it.
_VIDEOS = (
    (b"\x1aE\xdf\xa3", "MKV"),
    (b"FLV\1", "FLV"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMV"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02", "MXF"),
    (b"\0\0\1\xba", "MPEG-PS"),
    (b"\x1f\x07\0\x3f", "DV"),
    (b"\x1f\x07\0\xbf", "DV"),
)
# How QuickTime files begin that are older than its list of brands.
_ATOMS = {b"moov", b"mdat"}
_SHORT_ATOMS = {b"wide", b"free", b"skip", b"pnot"}
# Packets of MPEG-TS, and how many bytes a camera puts before each.
_PACKET, _STAMPS = 188, (0, 4)


def kind_of(head: bytes) -> str:
    """Name the kind of a file by its first bytes, 512 or more where it has them.

    Raises:
        NotAnImage: it is something else, which the message names.
        FormatNotInstalled: this Pillow cannot read AVIF.
    """
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            if kind == "TIFF" and head[8:10] == b"CR":
                raise _not_read("a raw photo")
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and head[15:18] == b"\0\0\0":  # the upper bytes of a header's length
        return "BMP"
    if head[4:8] == b"ftyp":
        return _kind_by_brands(head)
    if not head:
        raise NotAnImage("the file is empty")
    if kind := video_kind(head):
        raise _not_read(f"a video ({kind})")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    for signature, what in _FOREIGN:
        if start.startswith(signature):
            raise _not_read(what)
    if start.startswith(b"<?xml"):
        raise _not_read("an SVG drawing" if b"<svg" in start else "an XML document")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        raise _not_read("a sound file")
    if len(head) > 8 and not re.search(rb"[\0-\x08\x0e-\x1f\x7f]", head):
        raise _not_read("a text file")
    raise _not_read("no picture that is known here")


def _kind_by_brands(head: bytes) -> str:
    """Tell HEIC and AVIF from what begins with such a list of four-letter brands, too."""
    kind = _picture_brands(head)
    if kind == "AVIF" and not features.check("avif"):
        raise FormatNotInstalled("this Pillow was built without AVIF: pip install -U pillow")
    if kind:
        return kind
    if head[8:11] == b"crx":
        raise _not_read("a raw photo")
    if head[8:12] in _SOUND:
        raise _not_read("a sound file")
    raise _not_read(f"a video ({_video_by_brand(head[8:12])})")


def video_kind(head: bytes) -> str | None:
    """Name the kind of a video by its first bytes, 512 or more where it has them.

    It is the kind of container; which codec is inside, nobody knows before it is opened. Returns
    None for whatever is no video, be it a picture or anything else.
    """
    if head[4:8] == b"ftyp":
        if _picture_brands(head) or head[8:11] == b"crx" or head[8:12] in _SOUND:
            return None
        return _video_by_brand(head[8:12])
    for signature, kind in _VIDEOS:
        if head.startswith(signature):
            return "WEBM" if kind == "MKV" and b"webm" in head[:64] else kind
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    if head[4:8] in _ATOMS or (head[4:8] in _SHORT_ATOMS and head[:2] == b"\0\0"):
        return "MOV"  # "the free" begins a text
    if head[:4] == b"OggS":
        return "OGV" if b"\x80theora" in head else None
    if head[:4] == b"\0\0\0\1" and len(head) > 6:
        return _raw_stream(head)
    for stamp in _STAMPS:
        marks = head[stamp :: stamp + _PACKET]
        if len(marks) >= 2 and set(marks) == {0x47}:
            return "MPEG-TS"
    return None


def is_video(head: bytes) -> bool:
    """Whether a file that begins so is a video, by its first 512 bytes."""
    return video_kind(head) is not None


def _raw_stream(head: bytes) -> str | None:
    """Tell the two codecs apart that are stored without a container, by their first unit."""
    if head[4] & 0x9F in (7, 9):  # parameters, or a mark where a picture begins
        return "H.264"
    return "H.265" if head[4] >> 1 in (32, 35) and head[5] == 1 else None


def _video_by_brand(brand: bytes) -> str:
    if brand == b"qt  ":
        return "MOV"
    return "3GP" if brand[:2] == b"3g" else "MP4"


def _picture_brands(head: bytes) -> str | None:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS or head[8:12] in (b"mif1", b"msf1") else None


def _not_read(what: str) -> NotAnImage:
    return NotAnImage(
        f"this is {what}; what can be read is JPEG, PNG, WebP, TIFF, GIF, BMP, HEIC and AVIF"
    )
