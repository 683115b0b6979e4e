"""A copy of a video that browsers play: upright, of square pixels, without interlacing.

H.264 and AAC in an MP4 whose index comes first, at most 1080 lines; where this FFmpeg cannot write
those, VP9 and Opus in a WebM. Each picture keeps its time, counted from the first: so the times of
appearances hold for the copy as well. What cannot be decoded is left out. The copy says nothing of
place, day or camera.

`transcode` is a generator of steps; `copied` runs them in a process that may die, and `remux` in
their place where nothing has to be encoded.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from lookwho.core import steps
from lookwho.core.copied_pictures import CopiedPictures
from lookwho.core.copied_sound import CopiedSound, sound_of
from lookwho.core.errors import BrokenVideo
from lookwho.core.remux import plays_as_it_is, remux
from lookwho.core.steps import Steps
from lookwho.core.video_file import VideoFile

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.video.stream import VideoStream

# The most bytes of a copy: beyond them a disk would fill, and nobody could watch it anyway.
LIMIT = 32 << 30
THREADS = 2


class Format(NamedTuple):
    """How a copy is written: the ending of its name, and the encoders with their options."""

    suffix: str
    video: str
    video_options: dict[str, str]
    audio: str
    audio_bits: int
    muxer_options: dict[str, str]


MP4 = Format(
    ".mp4",
    "libx264",
    {"preset": "veryfast", "crf": "23", "maxrate": "8M", "bufsize": "16M"},
    "aac",
    128_000,
    {"movflags": "+faststart"},
)
WEBM = Format(
    ".webm",
    "libvpx-vp9",
    {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "33", "b": "4M"},
    "libopus",
    96_000,
    {},
)


def best_format() -> Format:
    """Return how copies are written with this FFmpeg."""
    return MP4 if _writes(MP4.video) and _writes(MP4.audio) else WEBM


def transcode(source: str, target: str, form: Format, *, limit: int = LIMIT) -> Steps:
    """Write a copy of a video that browsers play; yield how much of it is done, 0 to 1.

    Args:
        source: the video's path.
        target: the path to write to, whatever its ending.
        form: one of `MP4` and `WEBM`.
        limit: the most bytes that it may become.

    Returns:
        Its `seconds`, `width`, `height`, and whether it has `sound`.

    Raises:
        InputError: the file is no video, none of its pictures can be decoded, or the copy would
            become too large.
    """
    import av

    with (
        _told(source),
        VideoFile(source, threads=THREADS) as file,
        av.open(
            target, "w", format=form.suffix[1:], container_options=form.muxer_options
        ) as written,
    ):
        heard = sound_of(file.container.streams.audio)
        pictures = CopiedPictures(file, written, form.video, form.video_options, THREADS)
        sound = None if heard is None else CopiedSound(written, form.audio, form.audio_bits)
        size = max(os.path.getsize(source), 1)
        share = 0.0
        for packet in file.packets(also=heard):
            if packet.pos is not None:
                share = min(max(share, packet.pos / size), 1.0)
            if packet.stream.index == file.stream.index:
                pictures.take(cast("Packet[VideoStream]", packet))
            elif sound is not None:
                sound.take(cast("Packet[AudioStream]", packet))
            if sound is not None and pictures.first is not None:
                sound.flow(pictures.first)
            yield share
            if _size(target) > limit:
                raise BrokenVideo(
                    f"{source!r} makes a copy of more than {limit >> 20} MB: more than is kept"
                )
        pictures.end()
        if pictures.first is None:
            raise BrokenVideo(f"{source!r} holds no picture that can be decoded")
        if sound is not None:
            sound.flow(pictures.first)
            sound.end()
    return {
        "seconds": pictures.last,
        "width": pictures.size[0],
        "height": pictures.size[1],
        "sound": bool(sound and sound.any),
    }


def copied(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    on_step: Callable[[float], object],
    *,
    limit: int = LIMIT,
    form: Format | None = None,
) -> dict[str, Any]:
    """Make a copy that browsers play in a process of its own; see `transcode` and `steps.run`.

    Raises:
        InputError: see `transcode`.
        WorkError: it took too much memory, hung, or crashed its process.
    """
    chosen = form or best_format()
    request = {
        "source": os.fspath(source),
        "target": os.fspath(target),
        "form": chosen.suffix,
        "limit": limit,
    }
    return steps.run("lookwho.core.transcode", request, on_step)


def serve() -> None:
    """Be the process of `copied`."""
    steps.serve(_work)


def _work(source: str, target: str, form: str, limit: int) -> Steps:
    from av.error import FFmpegError

    small = os.path.getsize(source) <= limit if os.path.exists(source) else False
    if form == MP4.suffix and small and plays_as_it_is(source):
        with contextlib.suppress(FFmpegError):  # where it is broken, what can be decoded is left
            return (yield from remux(source, target))
    return (yield from transcode(source, target, MP4 if form == MP4.suffix else WEBM, limit=limit))


@contextlib.contextmanager
def _told(source: str) -> Generator[None]:
    """Tell what cannot be written, such as a clock that leaps by years, as the source's fault."""
    from av.error import FFmpegError

    try:
        yield
    except FFmpegError as error:
        if error.errno in (errno.ENOMEM, errno.ENOSPC, errno.EROFS):
            raise
        raise BrokenVideo(f"no copy of {source!r} can be written: {error.strerror}") from error


def _writes(codec: str) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(codec, "w")
    except UnknownCodecError:
        return False
    return True


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:  # nothing was written yet
        return 0
