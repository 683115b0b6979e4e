"""The pictures of a copy: upright, of square pixels, without interlacing, each at its own time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from lookwho.core.orientation import upright_size
from lookwho.core.video_file import VideoFile, ticks_of
from lookwho.core.video_pixels import HD, orientation_of, square_size

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# The longer and the shorter side of the copy, at most.
LONGER, SHORTER = 1920, 1080

_TICKS = 90_000  # of the copy's clock, a second
_SECONDS_PER_KEYFRAME = 2.0  # as near as one can jump
_TURNS = {  # how what is stored is made upright, by the orientation as in EXIF
    1: (),
    2: ("hflip",),
    3: ("hflip", "vflip"),
    4: ("vflip",),
    5: ("transpose=cclock_flip",),
    6: ("transpose=clock",),
    7: ("transpose=clock_flip",),
    8: ("transpose=cclock",),
}


class CopiedPictures:
    """The pictures of a copy: takes packets of the source, writes to the copy.

    Args:
        file: the source.
        written: the copy.
        codec: the encoder.
        options: of the encoder.
        threads: that may encode at once.

    Attributes:
        first: the time of the first picture, by the clock of the source; None before it.
        last: the time of the last one, counted from the first.
        size: of the copy.
    """

    def __init__(
        self,
        file: VideoFile,
        written: OutputContainer,
        codec: str,
        options: Mapping[str, str],
        threads: int,
    ) -> None:
        self.first: float | None = None
        self.last = 0.0
        self.size = (0, 0)
        self._aspect = file.stream.sample_aspect_ratio
        self._tick = file.tick
        self._rate = file.rate.limit_denominator(1001)
        self._options = options
        self._threads = threads
        self._written = written
        self._stream = cast("VideoStream", written.add_stream(codec, rate=self._rate))
        self._graph: _Upright | None = None
        self._clock: Fraction | None = None
        self._timed = True
        self._ticks = -1

    def take(self, packet: Packet[VideoStream]) -> None:
        """Decode a packet, and write what came out; what is broken is left out."""
        from av.error import FFmpegError

        try:
            frames = packet.decode()
        except FFmpegError:
            return
        for frame in frames:
            if not frame.is_corrupt:
                self._take(frame)

    def end(self) -> None:
        """Write what is still held back."""
        if self._graph is not None:
            for frame in self._graph.rest():
                self._write(frame)
            self._written.mux(self._stream.encode(None))

    def _take(self, frame: VideoFrame) -> None:
        ticks = ticks_of(frame)
        if self._clock is None:
            self._timed = ticks is not None
        if self._timed and ticks is not None:
            now = ticks * self._tick
        else:  # as the reader counts them
            now = Fraction(0) if self._clock is None else self._clock + 1 / self._rate
        self._clock = now
        if self.first is None:
            self.first = float(now)
        frame.pts = round((float(now) - self.first) * _TICKS)
        frame.time_base = Fraction(1, _TICKS)
        if self._graph is None or not self._graph.fits(frame):
            if self._graph is None:
                self.size = self._opened(frame)
            else:
                for rest in self._graph.rest():
                    self._write(rest)
            self._graph = _Upright(frame, self._aspect, self.size)
        for made in self._graph.through(frame):
            self._write(made)

    def _opened(self, frame: VideoFrame) -> tuple[int, int]:
        """Say of the copy how large it is, by its first picture, and return that."""
        square = square_size(frame.width, frame.height, self._aspect)
        size = _fitting(*upright_size(square, orientation_of(frame)))
        context = self._stream.codec_context
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, _TICKS)
        context.thread_count = self._threads
        keyframes = str(max(1, min(250, round(float(self._rate) * _SECONDS_PER_KEYFRAME))))
        context.options = {**self._options, "g": keyframes}
        # What the filter makes of every source: see `_Upright`.
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        return size

    def _write(self, frame: VideoFrame) -> None:
        if frame.pts is None:
            return
        # Taking out interlacing counts in fields.
        ticks = round(frame.pts * (frame.time_base or Fraction(1, _TICKS)) * _TICKS)
        if ticks <= self._ticks:
            return  # a time that runs backwards: no player takes it
        self._ticks = ticks
        self.last = ticks / _TICKS
        frame.pts, frame.time_base = ticks, Fraction(1, _TICKS)
        frame.pict_type = 0  # type: ignore[assignment]  # the encoder's affair, not the source's
        self._written.mux(self._stream.encode(frame))


class _Upright:
    """Makes pictures of one kind upright and of one size, and takes out interlacing."""

    def __init__(self, frame: VideoFrame, aspect: Fraction | None, size: tuple[int, int]) -> None:
        import av.filter

        self._kind = _kind_of(frame)
        orientation = orientation_of(frame)
        width, height = upright_size(size, orientation)
        matrix = "auto" if frame.colorspace != 2 else ("bt709" if frame.height >= HD else "bt601")
        steps_to_go = [
            *(("bwdif=mode=send_frame:deint=interlaced",) if self._kind[3] else ()),
            f"scale={width}:{height}:flags=bicubic:in_color_matrix={matrix}"
            ":out_color_matrix=bt709:out_range=tv",
            *_TURNS[orientation],
            "setsar=1",
            "format=yuv420p",
        ]
        graph = av.filter.Graph()
        at = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=Fraction(1, _TICKS),
        )
        for step in steps_to_go:
            name, _, arguments = step.partition("=")
            node = graph.add(name, arguments)
            at.link_to(node)
            at = node
        at.link_to(graph.add("buffersink"))
        graph.configure()
        self._graph = graph

    def fits(self, frame: VideoFrame) -> bool:
        """Return whether this picture is of the same kind; one interlaced makes all so."""
        width, height, form, interlaced, turn = _kind_of(frame)
        known = self._kind
        return (width, height, form, turn) == (*known[:3], known[4]) and interlaced <= known[3]

    def through(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        self._graph.push(frame)
        return self._made()

    def rest(self) -> Iterator[VideoFrame]:
        self._graph.push(None)
        return self._made()

    def _made(self) -> Iterator[VideoFrame]:
        while True:
            try:
                yield self._graph.vpull()
            except (BlockingIOError, EOFError):
                return


def _kind_of(frame: VideoFrame) -> tuple[int, int, str, bool, int]:
    # Pictures of fewer lines have no fields to tell apart.
    interlaced = frame.interlaced_frame and min(frame.width, frame.height) >= 4
    return frame.width, frame.height, frame.format.name, interlaced, orientation_of(frame)


def _fitting(width: int, height: int) -> tuple[int, int]:
    """Return the size of the copy: of even sides, as its pixels are stored.

    >>> _fitting(3840, 2160), _fitting(1080, 1920), _fitting(333, 100), _fitting(1, 1)
    ((1920, 1080), (1080, 1920), (332, 100), (2, 2))
    """
    scale = min(1.0, LONGER / max(width, height), SHORTER / min(width, height))
    return tuple(max(2, 2 * round(edge * scale / 2)) for edge in (width, height))  # type: ignore[return-value]
