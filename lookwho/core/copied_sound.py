"""The sound of a copy: stereo, at the time of its pictures, and silence where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

SOUND_RATE = 48_000
# The decoders of sound that may run, by FFmpeg's names; of others the copy is silent.
SOUND_CODECS = frozenset(
    {"aac", "aac_latm", "ac3", "alac", "amrnb", "amrwb", "dca", "eac3", "flac", "gsm"}
    | {"libopus", "libvorbis", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "nellymoser"}
    | {"opus", "qdm2", "vorbis", "wmapro", "wmav1", "wmav2"}
)
_SOUND_FAMILIES = ("pcm_", "adpcm_")
# Sound that comes so much later than it should leaves a silence; less is only rounding.
_GAP = 0.1


def sound_of(streams: Iterable[AudioStream]) -> AudioStream | None:
    """Return the sound that goes with the pictures: the first whose codec is one that is read."""
    for stream in streams:
        context: AudioCodecContext | None = stream.codec_context  # none where nobody knows it
        name = context.name if context else ""
        if name in SOUND_CODECS or name.startswith(_SOUND_FAMILIES):
            return stream
    return None


class CopiedSound:
    """The sound of a copy: takes packets of the source, writes to the copy.

    Sound that comes later than it should leaves a silence.

    Args:
        written: the copy.
        codec: the encoder.
        bits: a second.

    Attributes:
        any: whether any was written.
    """

    def __init__(self, written: OutputContainer, codec: str, bits: int) -> None:
        from av.audio.resampler import AudioResampler

        self.any = False
        self._written = written
        self._stream = cast("AudioStream", written.add_stream(codec, rate=SOUND_RATE))
        context = self._stream.codec_context
        context.layout = "stereo"  # type: ignore[assignment]  # it takes names, too
        context.bit_rate = bits
        context.open()
        self._size = context.frame_size or 1024
        self._resampler = AudioResampler("fltp", "stereo", SOUND_RATE)
        self._held: list[tuple[float | None, NDArray[np.float32]]] = []
        self._left = np.zeros((2, 0), np.float32)
        self._position: int | None = None  # of the first sample of `_left`

    def take(self, packet: Packet[AudioStream]) -> None:
        """Decode a packet; what is broken is left out."""
        from av.error import FFmpegError

        try:
            for frame in packet.decode():
                told = frame.time
                frame.pts = None
                for made in self._resampler.resample(frame):
                    self._held.append((told, np.asarray(made.to_ndarray(), np.float32)))
                    told = None
        except (FFmpegError, ValueError):  # the latter where its layout changes halfway
            return

    def flow(self, first: float) -> None:
        """Write what came so far; `first` is the time of the first picture."""
        held, self._held = self._held, []
        for told, samples in held:
            self._join(None if told is None else round((told - first) * SOUND_RATE), samples)
        while self._left.shape[1] >= self._size:
            self._write()

    def end(self) -> None:
        """Write what is still held back."""
        self._fill()
        self._written.mux(self._stream.encode(None))

    def _join(self, start: int | None, samples: NDArray[np.float32]) -> None:
        if self._position is None:
            self._position = start or 0
        after = self._position + self._left.shape[1]
        gap = 0 if start is None else start - after
        if gap > _GAP * SOUND_RATE:
            self._fill()
            self._position = max(start or 0, self._position)
        elif gap < -_GAP * SOUND_RATE:
            samples = samples[:, -gap:]  # what was heard already
        self._left = np.concatenate([self._left, samples], axis=1)
        if self._position < 0:  # before the first picture
            early = min(-self._position, self._left.shape[1])
            self._left = self._left[:, early:]
            self._position += early

    def _fill(self) -> None:
        """Write the rest as a whole frame, with silence at its end."""
        if self._left.shape[1]:
            self._left = np.pad(self._left, ((0, 0), (0, self._size - self._left.shape[1])))
            self._write()

    def _write(self) -> None:
        from av.audio.frame import AudioFrame

        assert self._position is not None, "what is left came from somewhere"
        part, self._left = self._left[:, : self._size], self._left[:, self._size :]
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(part), "fltp", "stereo")
        frame.sample_rate, frame.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
        frame.pts = self._position
        self._position += self._size
        self.any = True
        self._written.mux(self._stream.encode(frame))
