import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.errors import FormatNotInstalled, NotAnImage
from lookwho.core.kinds import is_video, kind_of, video_kind
from tests.pictures import encode, four_corners
from tests.videos import KINDS, clip_of, make_clip, sound_only


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
        (b"RIFF\0\0\1\0AVI LIST", "a video \\(AVI\\)"),
        (b"G" + bytes(187) + b"G" + bytes(187) + b"G", "a video \\(MPEG-TS\\)"),
        (b"\0\0\0\x1cftypM4A \0\0\2\0", "a sound file"),
        (b"RIFF\0\0\1\0WAVEfmt ", "a sound file"),
        (b"ID3\4\0\0", "a sound file"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a raw photo"),
        (b"II*\0\x10\0\0\0CR\2\0", "a raw photo"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"dear diary, today", "a text file"),
        (b"the free encyclopedia", "a text file"),
        (b"\x13\x37\0\1\2\3\4\5\6\7", "no picture"),
        (b"P6 1 1 255\n\0\0\0", "no picture"),
    ),
)
def test_what_is_no_picture_is_named(data, what):
    with pytest.raises(NotAnImage, match=what):
        kind_of(data)


# --- videos ---

CONTAINERS = {
    "MP4": "MP4",
    "MOV": "MOV",
    "WebM": "WEBM",
    "MKV": "MKV",
    "MTS, interlaced": "MPEG-TS",
    "M2TS": "MPEG-TS",
    "VOB, interlaced": "MPEG-PS",
    "MPG": "MPEG-PS",
    "MXF": "MXF",
    "AVI": "AVI",
    "DV": "DV",
    "3GP": "3GP",
    "Flash video": "FLV",
    "Windows Media": "WMV",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_video_is_of_its_kind_and_no_picture(kind, tmp_path):
    head = clip_of(kind, tmp_path, count=4).read_bytes()[:512]
    assert video_kind(head) == CONTAINERS[kind.name.rpartition(" in ")[2]]
    assert is_video(head)
    with pytest.raises(NotAnImage, match="a video"):
        kind_of(head)


@pytest.mark.parametrize(("suffix", "codec"), ((".h264", "libx264"), (".hevc", "libx265")))
def test_a_video_may_come_without_a_container(suffix, codec, tmp_path):
    head = make_clip(tmp_path / f"a{suffix}", codec=codec).read_bytes()[:512]
    assert video_kind(head) == {"libx264": "H.264", "libx265": "H.265"}[codec]


@pytest.mark.parametrize(
    ("head", "kind"),
    (
        (b"\0\0\0\x08wide\0\0\x10\0mdat", "MOV"),
        (b"\0\0\x10\0moov\0\0\0\x6cmvhd", "MOV"),
        (bytes(4) + b"G" + bytes(191) + b"G" + bytes(191) + b"G" + bytes(119), "MPEG-TS"),
        (b"OggS" + bytes(24) + b"\x80theora", "OGV"),
        (b"OggS" + bytes(24) + b"\1vorbis", None),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", None),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", None),
        (b"\0\0\0\x10free", "MOV"),
        (b"the free encyclopedia", None),
        (b"G", None),
        (b"", None),
    ),
)
def test_videos_are_known_by_their_first_bytes(head, kind):
    assert video_kind(head) == kind


@pytest.mark.parametrize("kind", ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"))
def test_a_picture_is_no_video(kind):
    assert video_kind(encode(four_corners(), kind)[:512]) is None


def test_a_file_of_a_video_with_sound_alone_is_of_a_kind_of_video(tmp_path):
    # Whether there is a picture in it, nobody knows before it is opened.
    assert is_video(sound_only(tmp_path / "a.mp4").read_bytes()[:512])


@given(
    st.sampled_from([b"", b"\0\0\0\x18ftyp", b"RIFF\0\0\0\0", b"\0\0\0\1", b"G", b"OggS"]),
    st.binary(max_size=600),
)
def test_no_file_is_both_and_every_other_is_named(start, rest):
    head = start + rest
    try:
        assert kind_of(head)
        assert video_kind(head) is None
    except NotAnImage as error:
        assert is_video(head) == ("a video" in error.message)  # noqa: PT017
    except FormatNotInstalled:
        assert video_kind(head) is None
