"""Kinds: what a file is, by its first bytes, and what to call it where it is no picture."""

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
    (b"\x1ae\xdf\xa3", "a video (Matroska or WebM)"),
)


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
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    for signature, what in _FOREIGN:
        if start.startswith(signature):
            raise _not_read(what)
    if start.startswith(b"<?xml"):
        raise _not_read("an SVG drawing" if b"<svg" in start else "an XML document")
    if head[4:8] in (b"moov", b"mdat", b"wide") or head[8:12] == b"AVI ":
        raise _not_read("a video")
    if len(head) > 8 and not re.search(rb"[\0-\x08\x0e-\x1f\x7f]", head):
        raise _not_read("a text file")
    raise _not_read("no picture that is known here")


def _kind_by_brands(head: bytes) -> str:
    """Tell HEIC, AVIF and videos apart: all begin with a list of four-letter brands."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
    if brands & {b"avif", b"avis"}:
        if not features.check("avif"):
            raise FormatNotInstalled("this Pillow was built without AVIF: pip install -U pillow")
        return "AVIF"
    if brands & _HEIF_BRANDS or head[8:12] in (b"mif1", b"msf1"):
        return "HEIF"
    raise _not_read("a raw photo" if head[8:11] == b"crx" else "a video (MP4 or MOV)")


def _not_read(what: str) -> NotAnImage:
    return NotAnImage(
        f"this is {what}; what can be read is JPEG, PNG, WebP, TIFF, GIF, BMP, HEIC and AVIF"
    )
