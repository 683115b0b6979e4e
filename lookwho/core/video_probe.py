"""Video probe: what a video is, by its first picture and its end.

Nothing that decides is believed because a header says it: the size is that of a decoded picture,
the length is found by reading the end of the file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

from lookwho.core.errors import BrokenVideo
from lookwho.core.exif import read_time
from lookwho.core.video_file import VideoFile, ticks_of
from lookwho.core.video_pixels import Converter

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.video.frame import VideoFrame

# By so much of it, and so many seconds, a video may end before its header says.
MISSING, MISSING_SECONDS = 0.02, 1.0
LONGEST = 7 * 86_400.0  # seconds; what claims more is damaged
# Seconds before the end at which its last packets are sought.
_STEPS_BACK = (1, 10, 60, 600)

_CLOCKWISE = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
# What browsers play, by container: codecs of pictures, and decoders of sound.
_PLAYED = {
    "MP4": ({"H.264", "AV1", "VP9"}, {"aac", "mp3", "mp3float", "opus", "libopus", "flac"}),
    "WEBM": ({"VP8", "VP9", "AV1"}, {"opus", "libopus", "vorbis", "libvorbis"}),
}
_PLAYED_PIXELS = {"yuv420p", "yuvj420p"}
# What people call the codecs, by the decoder of FFmpeg; others are called as it is.
_CODECS = {
    "h264": "H.264",
    "hevc": "H.265",
    "av1": "AV1",
    "libdav1d": "AV1",
    "vp8": "VP8",
    "libvpx": "VP8",
    "vp9": "VP9",
    "libvpx-vp9": "VP9",
    "mpeg1video": "MPEG-1",
    "mpeg2video": "MPEG-2",
    "mpeg4": "MPEG-4",
    "h263": "H.263",
    "dvvideo": "DV",
    "prores": "ProRes",
    "dnxhd": "DNxHD",
    "mjpeg": "MJPEG",
    "vc1": "VC-1",
    "theora": "Theora",
}
# Where cameras write when a video began, best first. Apple's has the local time.
_BEGAN = ("com.apple.quicktime.creationdate", "creation_time", "date_recorded", "date")
# Before it, nothing wrote such files: it is where the count of an unset clock begins.
_FIRST_YEAR = 1990


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video is.

    Attributes:
        duration: seconds from the beginning of the first picture to the end of the last.
        width: of the upright picture in square pixels.
        height: likewise.
        frame_rate: pictures a second, on average.
        codec: "H.264", "ProRes", ...
        container: "MP4", "MPEG-TS", ..., as `kinds.video_kind` names it.
        rotation: the degrees by which stored pictures are turned clockwise to be upright.
        has_audio: whether there is sound.
        plays: whether browsers play the file as it is.
        taken_at: what the camera's clock said, without a time zone; None where nobody knows.
        problem: what is wrong with the file, in words; blank where nothing is.
    """

    duration: float
    width: int
    height: int
    frame_rate: float
    codec: str
    container: str
    rotation: int
    has_audio: bool
    plays: bool
    taken_at: datetime | None
    problem: str = ""


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Say what a video is; decodes its first picture and reads its end.

    Raises:
        FileMissing, NotAVideo, BrokenVideo, ImageTooLarge, FormatNotInstalled: see `VideoFile`.
        BrokenVideo: there is no picture that can be decoded, or it would last for weeks.
    """
    with VideoFile(path) as file:
        first = file.first()
        upright = Converter(first, file.stream.sample_aspect_ratio, side=1)
        duration = _duration(file, ticks_of(first) if file.timed else None)
        if duration > LONGEST:
            raise BrokenVideo(
                f"the times in the {file.kind} file make no sense: it would last "
                f"{duration / 86_400:,.0f} days"
            )
        codec = _codec(file)
        return VideoInfo(
            duration=duration,
            width=upright.width,
            height=upright.height,
            frame_rate=float(file.rate),
            codec=codec,
            container=file.kind,
            rotation=_CLOCKWISE.get(upright.orientation, 0),
            has_audio=bool(file.container.streams.audio),
            plays=_plays(file, codec, first),
            taken_at=_taken_at(file),
            problem=_problem(file, duration),
        )


def ends_early(reached: float, claimed: float) -> str:
    """Say that a video is shorter than it claims to be."""
    return f"the video breaks off after {reached:.1f} of {claimed:.1f} seconds"


def _problem(file: VideoFile, duration: float) -> str:
    claimed = file.claimed
    if claimed is not None and claimed * (1 - MISSING) - duration > MISSING_SECONDS:
        return ends_early(duration, claimed)
    return ""


def _duration(file: VideoFile, origin: int | None) -> float:
    """Return how long the video is, at least the time of one picture."""
    least = 1 / file.rate
    if index := file.index:
        end, count = index.end, index.packets
    else:
        end, count = next(filter(None, _ends(file, origin)), None), 0
        if end is None:
            through = file.read_through()
            end, count = through.end, through.packets
    if end is None or origin is None:
        return float(max(least, count / file.rate))
    return float(max(least, (end - origin) * file.tick))


def _ends(file: VideoFile, origin: int | None) -> Iterator[int | None]:
    """Yield the end of the last packet, as found from places near where the end should be."""
    claimed = file.claimed or (file.container.duration or 0) / 1_000_000
    if origin is None:
        return
    for back in _STEPS_BACK:
        if claimed > back:
            yield file.read_through(origin + math.floor((claimed - back) / file.tick)).end


def _codec(file: VideoFile) -> str:
    name = file.stream.codec_context.codec.name
    return _CODECS.get(name, name)


def _plays(file: VideoFile, codec: str, first: VideoFrame) -> bool:
    pictures, sounds = _PLAYED.get(file.kind, (set[str](), set[str]()))
    sound = True
    for stream in file.container.streams.audio[:1]:
        decoder = cast("AudioCodecContext | None", stream.codec_context)  # for some there is none
        sound = decoder is not None and decoder.codec.name in sounds
    return codec in pictures and sound and first.format.name in _PLAYED_PIXELS


def _taken_at(file: VideoFile) -> datetime | None:
    told = {
        name.lower(): text
        for where in (file.stream.metadata, file.container.metadata)
        for name, text in where.items()
    }
    for name in _BEGAN:
        text = told.get(name, "")
        # What is in UTC stays so: where the camera was, nobody knows.
        if (began := read_time(text)) and began.year >= _FIRST_YEAR:
            return began
    return None
