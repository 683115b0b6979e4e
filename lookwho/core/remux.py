"""A copy of a video whose pictures browsers play already: put into another file as they are.

Nothing is encoded anew, so it takes no time and loses nothing. What the file says of place, day and
camera stays behind, also what cameras write between the pictures, and tracks of anything else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from lookwho.core.copied_pictures import LONGER, SHORTER
from lookwho.core.copied_sound import sound_of
from lookwho.core.steps import Steps
from lookwho.core.video_file import VideoFile, ticks_of
from lookwho.core.video_pixels import orientation_of

if TYPE_CHECKING:
    from av.packet import Packet

# Whose packets all have their times.
_KINDS = frozenset({"MP4", "MOV", "3GP"})
_FORMATS = frozenset({"yuv420p", "yuvj420p"})
# As in EXIF: what the file of the copy can say, too, and players heed. Mirrored ones they do not.
_TURNED = frozenset({1, 3, 6, 8})
# Units of H.264 that hold no picture: a camera's own notes, such as its place (SEI).
_NOTES = "filter_units=remove_types=6"


def plays_as_it_is(path: str) -> bool:
    """Return whether browsers play the pictures and the sound of a file once they are in an MP4.

    Raises:
        InputError: it is no video, or none of its pictures can be decoded.
    """
    with VideoFile(path) as file:
        stream = file.stream
        heard = file.container.streams.audio
        sound = sound_of(heard)
        if file.kind not in _KINDS or stream.codec_context.name != "h264":
            return False
        if heard and (sound is None or sound.codec_context.name != "aac"):
            return False
        first = file.first()
        sides = sorted((first.width, first.height))
        return (
            first.format.name in _FORMATS
            and not first.interlaced_frame
            and orientation_of(first) in _TURNED
            and stream.sample_aspect_ratio in (None, 0, 1)
            and sides[0] <= SHORTER
            and sides[1] <= LONGER
            and ticks_of(first) is not None
        )


def remux(source: str, target: str) -> Steps:
    """Write what `plays_as_it_is` into an MP4; yield how much of it is done, 0 to 1.

    Returns:
        What `transcode` returns.

    Raises:
        InputError: see `plays_as_it_is`.
    """
    import av
    from av.bitstream import BitStreamFilterContext

    with VideoFile(source) as file:
        origin = (ticks_of(file.first()) or 0) * file.tick
    last = 0.0
    with (
        VideoFile(source) as file,
        av.open(target, "w", format="mp4", container_options={"movflags": "+faststart"}) as written,
    ):
        heard = sound_of(file.container.streams.audio)
        pictures = written.add_stream_from_template(file.stream)
        sound = heard and written.add_stream_from_template(heard)
        for made in filter(None, (pictures, sound)):
            made.metadata.clear()
        bare = BitStreamFilterContext(_NOTES, file.stream, pictures)
        size = max(os.path.getsize(source), 1)
        share = 0.0
        for packet in file.packets(also=heard):
            yield share
            if packet.dts is None:  # the empty one at the end
                continue
            if packet.pos is not None:
                share = min(max(share, packet.pos / size), 1.0)
            ours = packet.stream.index == file.stream.index
            back = round(origin / (packet.time_base or file.tick))
            packet.dts -= back
            if packet.pts is not None:
                packet.pts -= back
            if ours:
                last = max(last, float((packet.pts or 0) * file.tick))
            found = cast("list[Packet[Any]]", bare.filter(packet) if ours else [packet])
            for each in found:
                each.stream = pictures if ours else sound
                written.mux_one(each)
    return {
        "seconds": last,
        "width": pictures.width,
        "height": pictures.height,
        "sound": sound is not None,
    }
