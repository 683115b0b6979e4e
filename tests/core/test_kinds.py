import pytest

from lookwho.core.errors import NotAnImage
from lookwho.core.kinds import kind_of


@pytest.mark.parametrize(
    ("data", "what"),
    (
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"\xef\xbb\xbf\r\n <HTML lang=de>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "a git-LFS pointer"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "a PostScript drawing"),
        (b"<?xml version='1.0'?><svg>", "an SVG drawing"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomavc1", "a video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a video"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "a video"),
        (b"RIFF\0\0\1\0AVI LIST", "a video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a raw photo"),
        (b"II*\0\x10\0\0\0CR\2\0", "a raw photo"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"dear diary, today", "a text file"),
        (b"\x13\x37\0\1\2\3\4\5\6\7", "no picture"),
        (b"P6 1 1 255\n\0\0\0", "no picture"),
    ),
)
def test_what_is_no_picture_is_named(data, what):
    with pytest.raises(NotAnImage, match=what):
        kind_of(data)
