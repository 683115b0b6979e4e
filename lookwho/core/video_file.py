"""A video's file: opened safely, and its pictures decoded from any place on, whatever is broken.

Which files are opened, and by which readers, says `core.video_formats`. What is damaged is skipped,
and decoding goes on behind it.

Kinds that have no index, such as MPEG-TS, are read once from end to end without being decoded. That
finds their key frames, their length, and where their clock jumps: cameras and recorders start it
anew in the middle of a file. The jumps are taken out.
"""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, cast, overload

from lookwho.core.errors import BrokenVideo, FormatNotInstalled, LookwhoError, OutOfMemory
from lookwho.core.video_formats import (
    MAX_PIXELS,
    READERS,
    REORDERED,
    WITHOUT_INDEX,
    looked_at,
    pictures_in,
    too_large,
)

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_LIMITS = {"max_pixels": str(MAX_PIXELS)}
# After so many failures to read on, without anything between them, the rest is given up.
_MOST_FAILURES = 50
# A few pictures, each of 1.5 to 8 bytes a pixel.
_BYTES_PER_PIXEL = 8
# What nobody records at; files without a steady rate claim such.
_RATES = (Fraction(1, 10), 1000)
_DEFAULT_RATE = Fraction(25)
# A clock that goes back so many seconds, or leaps ahead so many, was started anew.
_BACK, _AHEAD = 1, 60
_BETWEEN_KEYS = 0.5  # seconds; where every picture is a key frame, an index of all would be long


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """Where a picture lies that can be decoded without those before it.

    Attributes:
        ticks: its time, without jumps of the clock.
        place: in bytes, of where to read from.
        clock: the state of the clock there.
    """

    ticks: int
    place: int
    clock: tuple[int | None, int]


@dataclass(frozen=True, slots=True)
class Index:
    """What reading a file from end to end finds, without decoding it.

    Attributes:
        keys: key frames in order, one in each half second at most.
        end: when the last picture ends, in ticks; None where there are no times.
        packets: how many packets of pictures there are.
    """

    keys: tuple[KeyFrame, ...]
    end: int | None
    packets: int


@dataclass(slots=True)
class _Clock:
    """Takes the jumps out of the times of packets, told in the order in which they lie."""

    back: int
    ahead: int
    step: int
    last: int | None = None
    shift: int = 0

    @property
    def state(self) -> tuple[int | None, int]:
        return self.last, self.shift

    @state.setter
    def state(self, state: tuple[int | None, int]) -> None:
        self.last, self.shift = state

    def correct(self, packet: Packet[Any], *, pictures: bool) -> None:
        now = packet.dts if packet.dts is not None else packet.pts
        if now is None:
            return
        if pictures:  # the sound goes by their clock
            if self.last is not None:
                passed = now + self.shift - self.last
                if not -self.back <= passed <= self.ahead:
                    self.shift += self.step - passed
            self.last = now + self.shift
        if packet.dts is not None:
            packet.dts += self.shift
        if packet.pts is not None:
            packet.pts += self.shift


class VideoFile:
    """One open video.

    Attributes:
        path: where it is.
        kind: of its container, as `kinds.video_kind` names it.
        broken: how many places could not be read or decoded so far.

    Raises:
        FileMissing: there is no such file, or it may not be read.
        NotAVideo: it is something else, of a kind that is not read, or without pictures.
        BrokenVideo: not even its beginning makes sense.
        ImageTooLarge: its pictures have more pixels than are decoded.
        FormatNotInstalled: the extra that reads videos is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 1) -> None:
        self.path = os.fspath(path)
        self.kind, self._state = looked_at(self.path)
        self.broken = 0
        self._threads = threads
        self._clock = _Clock(0, 0, 0)
        self._used = False
        self.container, self.stream = self._opened()

    def _opened(self) -> tuple[InputContainer, VideoStream]:
        av = _av()
        try:
            container = av.open(
                f"file:{self.path}",  # so that no name passes for an address
                "r",
                format=READERS[self.kind],
                options={"protocol_whitelist": "file", "threads": "1"},
                metadata_errors="replace",
            )
        except av.FFmpegError as error:
            raise _not_opened(self.kind, error) from error
        stream = pictures_in(container, self.kind)
        decoder = stream.codec_context
        decoder.thread_count = self._threads
        decoder.thread_type = cast("Any", "AUTO" if self._threads > 1 else "NONE")
        decoder.options = _LIMITS
        return container, stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def tick(self) -> Fraction:
        """The unit of its times, in seconds."""
        return self.stream.time_base or Fraction(1, 1000)

    @property
    def rate(self) -> Fraction:
        """Pictures a second, on average."""
        told = (self.stream.average_rate, self.stream.guessed_rate, self.stream.base_rate)
        usual = (rate for rate in told if rate and _RATES[0] <= rate <= _RATES[1])
        return next(usual, _DEFAULT_RATE)

    @property
    def index(self) -> Index | None:
        """What is where, for the kinds that do not say it themselves; made once for each file."""
        return _index(self.path, self._state) if self.kind in WITHOUT_INDEX else None

    @property
    def claimed(self) -> float | None:
        """How many seconds of pictures its header promises; None where it does not tell."""
        if self.kind in WITHOUT_INDEX:
            return None
        if self.stream.duration:
            return float(self.stream.duration * self.tick)
        if self.container.duration and not self.container.streams.audio:  # sound may go on longer
            return self.container.duration / 1_000_000
        return None

    @property
    def timed(self) -> bool:
        """Whether its times say when pictures are shown.

        AVI only says when they are decoded, which differs where pictures refer to later ones.
        FFmpeg finds out for the old codecs; for the new ones pictures must be counted.
        """
        decoder = self.stream.codec_context
        return not (self.kind == "AVI" and decoder.codec.name in REORDERED)

    def first(self) -> VideoFrame:
        """Return the first picture that can be decoded.

        Raises:
            BrokenVideo: there is none.
            OutOfMemory: there is no memory for it.
        """
        for frame in self.frames():
            return frame
        if self.broken:
            self._check_memory()
            raise BrokenVideo(
                f"the {self.kind} file is damaged or protected: no picture of it can be decoded"
            )
        raise BrokenVideo(f"the {self.kind} file holds no picture")

    def _check_memory(self) -> None:
        """Tell of memory that is missing: decoders hide it, and call the video damaged."""
        try:
            bytearray(_BYTES_PER_PIXEL * self.stream.width * self.stream.height)
        except MemoryError as error:
            _tell_of_memory(error)

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    @overload
    def packets(self, start: KeyFrame | int | None = None) -> Iterator[Packet[VideoStream]]: ...

    @overload
    def packets(
        self, start: KeyFrame | int | None = None, *, also: AudioStream | None
    ) -> Iterator[Packet[VideoStream] | Packet[AudioStream]]: ...

    def packets(
        self, start: KeyFrame | int | None = None, *, also: AudioStream | None = None
    ) -> Iterator[Packet[Any]]:
        """Yield the packets of pictures from a key frame, a time in ticks or the beginning on.

        The last one of a stream is empty: it makes the decoder give what it still holds. Nothing is
        yielded where the file cannot be read from there.

        Args:
            start: where to begin.
            also: sound whose packets are yielded, too. Only from the beginning, for a file that
                was not read yet: its streams are others once it was opened anew.
        """
        av = _av()
        step = max(1, round(1 / (self.rate * self.tick)))
        self._clock = _Clock(int(_BACK / self.tick), int(_AHEAD / self.tick), step)
        try:
            if isinstance(start, KeyFrame):
                self.container.seek(start.place, unsupported_byte_offset=True, stream=self.stream)
                self._clock.state = start.clock
            elif start is not None:
                self.container.seek(start, stream=self.stream)
            elif self._used:  # going back to the beginning fails for some kinds, this never
                self.close()
                self.container, self.stream = self._opened()
        except (av.FFmpegError, OverflowError):
            return
        self._used = True
        wanted = (self.stream,) if also is None else (self.stream, also)
        index, failures = self.stream.index, 0
        while failures < _MOST_FAILURES:
            try:
                for packet in self.container.demux(*wanted):
                    failures = 0
                    if self.kind in WITHOUT_INDEX:
                        self._clock.correct(packet, pictures=packet.stream_index == index)
                    yield packet
                return
            except IndexError:
                return  # PyAV stumbles at the end where streams came up in the middle
            except av.FFmpegError as error:
                _tell_of_memory(error)
                failures += 1
                self.broken += 1

    def frames(self, start: KeyFrame | int | None = None) -> Iterator[VideoFrame]:
        """Yield what decodes from there on, in the order in which it is shown."""
        for packet in self.packets(start):
            if packet.size:
                yield from self._decoded(packet)
        yield from self._decoded(None)

    def _decoded(self, packet: Packet[VideoStream] | None) -> Iterator[VideoFrame]:
        """Yield the pictures that a packet completes, or after the last the ones left."""
        try:
            decoded = self.stream.decode(packet)
        except _av().FFmpegError as error:
            _tell_of_memory(error)
            self.broken += packet is not None
            return
        for frame in decoded:
            if frame.width * frame.height > MAX_PIXELS:  # it may change within a file
                raise too_large(frame.width, frame.height)
            if frame.is_corrupt:
                self.broken += 1
            else:
                yield frame

    def read_through(self, start: int | None = None) -> Index:
        """Read the file from there to its end, without decoding it."""
        keys: list[KeyFrame] = []
        end: int | None = None
        count = 0
        # Of several packets in one block only the first says where it lies, and of those cut by the
        # edge of a block the time may be missed: so one goes back to the block before.
        blocks = deque([(0, self._clock.state)], maxlen=2)
        for packet in self.packets(start):
            if not packet.size or packet.is_discard:
                continue
            count += 1
            if packet.pos is not None and packet.pos >= 0:
                blocks.append((packet.pos, self._clock.state))
            ticks = ticks_of(packet)
            if ticks is None:
                continue
            after = ticks + (packet.duration or self._clock.step)
            end = after if end is None else max(end, after)
            apart = not keys or (ticks - keys[-1].ticks) * self.tick >= _BETWEEN_KEYS
            if packet.is_keyframe and apart:
                keys.append(KeyFrame(ticks, *blocks[0]))
        return Index(tuple(keys), end, count)


def ticks_of(told: Packet[Any] | VideoFrame) -> int | None:
    """Return when a packet or a picture is shown, or None where nothing says it."""
    return told.pts if told.pts is not None else told.dts


@functools.lru_cache(maxsize=2)
def _index(path: str, _state: tuple[int, int]) -> Index:
    """Read a file through; `_state` tells whether it is still the same."""
    with VideoFile(path) as file:
        return file.read_through()


def _not_opened(kind: str, error: Exception) -> LookwhoError:
    _tell_of_memory(error)
    reason = getattr(error, "strerror", None) or str(error)
    if kind in ("MP4", "MOV", "3GP"):
        return BrokenVideo(
            f"the {kind} file is damaged or cut short: its table of contents cannot be read "
            f"({reason.lower()})"
        )
    return BrokenVideo(f"the {kind} file is damaged: {reason.lower()}")


def _tell_of_memory(error: Exception) -> None:
    if isinstance(error, MemoryError):
        raise OutOfMemory("this machine has no memory left to decode the video") from error


def _av() -> ModuleType:
    """Import PyAV, which only videos need."""
    try:
        import av
    except ImportError as error:
        raise FormatNotInstalled("videos need PyAV: pip install 'lookwho[video]'") from error
    return av
