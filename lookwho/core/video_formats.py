"""Video formats: which videos are read, and which of their streams.

Nobody believes a file here. Its kind is found in its content, and only the reader of that kind is
tried: among those of FFmpeg are play lists, which would open other files, and addresses. Which
codecs are read is a list, too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from lookwho.core.errors import FormatNotInstalled, ImageTooLarge, NotAnImage, NotAVideo
from lookwho.core.kinds import kind_of, video_kind
from lookwho.core.limits import mega
from lookwho.core.opening import opened

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

# The reader of FFmpeg for each kind.
READERS = {
    "MP4": "mov",
    "MOV": "mov",
    "3GP": "mov",
    "MKV": "matroska",
    "WEBM": "matroska",
    "AVI": "avi",
    "MPEG-TS": "mpegts",
    "MPEG-PS": "mpeg",
    "MXF": "mxf",
    "DV": "dv",
    "FLV": "flv",
    "WMV": "asf",
    "OGV": "ogg",
    "H.264": "h264",
    "H.265": "hevc",
}
# Nothing in them says what is where.
WITHOUT_INDEX = frozenset({"MPEG-TS", "MPEG-PS", "H.264", "H.265"})
# The decoders that may run, by the names of FFmpeg: what cameras, phones, editors and browsers
# write. It has hundreds more, which nobody's videos need and hardly anybody tests.
CODECS = frozenset(
    {"h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "mpeg1video", "mpeg2video", "mpeg4", "h263"}
    | {"msmpeg4", "msmpeg4v1", "msmpeg4v2", "wmv1", "wmv2", "wmv3", "vc1", "flv", "theora"}
    | {"libvpx", "libvpx-vp9", "vp6", "vp6f", "svq1", "svq3", "cinepak", "rawvideo", "v210"}
    | {"dvvideo", "prores", "dnxhd", "cfhd", "mjpeg", "mjpegb", "jpeg2000", "ffv1", "huffyuv"}
    | {"ffvhuff", "utvideo", "qtrle", "png", "rpza", "h261", "hap", "magicyuv", "lagarith"}
)
# Of an AVI with these it is not known when pictures are shown: see `VideoFile.timed`.
REORDERED = frozenset({"h264", "hevc", "vc1", "wmv3"})
# Of one picture, in all: 8K with some room. Decoders keep up to 16 pictures.
MAX_PIXELS = 40_000_000


def looked_at(path: str) -> tuple[str, tuple[int, int]]:
    """Return the kind of a video, and its bytes and time of change: other ones, another content.

    Raises:
        FileMissing: there is no such file, or it may not be read.
        NotAVideo: it is none, which the message names.
    """
    with opened(path) as file:
        head = file.read(512)
        told = os.fstat(file.fileno())
    if kind := video_kind(head):
        return kind, (told.st_size, told.st_mtime_ns)
    try:
        what = f"a picture ({kind_of(head)})"
    except FormatNotInstalled:
        what = "a picture (AVIF)"
    except NotAnImage as error:
        if not head:
            raise NotAVideo("the file is empty") from error
        what = str(error).removeprefix("this is ").partition(";")[0].replace("picture", "video")
    raise NotAVideo(f"this is {what}; videos that can be read are {', '.join(READERS)}")


def pictures_in(container: InputContainer, kind: str) -> VideoStream:
    """Return the stream of pictures that a player would show: covers and previews are none.

    Raises:
        NotAVideo: there is none, or in a codec that is not read.
        ImageTooLarge: they have too many pixels.
    """
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    found = [stream for stream in container.streams.video if not stream.disposition & still]
    if not found:
        if container.streams.audio:
            raise NotAVideo("the file holds sound and no video")
        raise NotAVideo(f"there is no video in this {kind} file")
    readable = [stream for stream in found if _codec(stream) in CODECS]
    if not readable:
        raise NotAVideo(f"its pictures are coded as {_codec(found[0])}, which is not read")
    best = max(
        readable,
        key=lambda stream: (
            bool(stream.disposition & Disposition.default),
            stream.width * stream.height,
            -stream.index,
        ),
    )
    if best.width * best.height > MAX_PIXELS:
        raise too_large(best.width, best.height)
    return best


def _codec(stream: VideoStream) -> str:
    # The stubs promise a decoder, but FFmpeg has none for some.
    decoder = cast("VideoCodecContext | None", stream.codec_context)
    return decoder.codec.name if decoder else "something unknown"


def too_large(width: int, height: int) -> ImageTooLarge:
    """Return the refusal of pictures of that size."""
    return ImageTooLarge(
        f"its pictures have {width} x {height} pixels, and at most {mega(MAX_PIXELS)} million are "
        "decoded: convert the video to a smaller size first"
    )
