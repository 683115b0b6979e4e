"""Parts of a file: which bytes of it are the image, and which speak about the image.

`core.containers` finds the parts, `core.payload` hashes the first kind, `core.inspect` reads the
second. Files are read in pieces and never as a whole, so that a file of any size takes little
memory. They are not mapped into memory: a file that shrinks meanwhile would kill the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO, TypeAlias

# Where bytes begin and end in the file.
Span: TypeAlias = tuple[int, int]

MAX_METADATA = 16 << 20  # bytes of one block; programs that store depth maps in XMP write a few MB
_CHUNK = 1 << 20


class Source:
    """Bytes that are read here and there; what lies beyond their end is empty."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size

    @classmethod
    def of(cls, data: bytes) -> Source:
        """Bytes in memory."""
        return cls(BytesIO(data), len(data))

    def read(self, start: int, length: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        if not 0 <= start < self.size or length <= 0:
            return b""
        self._file.seek(start)
        return self._file.read(min(length, self.size - start))

    def block(self, span: Span) -> bytes:
        """Return metadata, or nothing where there is more of it than anyone writes."""
        start, end = span
        return self.read(start, end - start) if end - start <= MAX_METADATA else b""

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a span, a megabyte at a time."""
        end = min(end, self.size)
        while 0 <= start < end:
            chunk = self.read(start, min(_CHUNK, end - start))
            if not chunk:  # the file has become shorter
                return
            yield chunk
            start += len(chunk)


@dataclass(slots=True)
class Piece:
    """Some of the image data: its name in the format, and where its bytes lie.

    Attributes:
        name: sets it apart from other pieces with the same bytes.
        spans: where it lies, in order.
        said: what comes before the spans and is not in the file in this form.
    """

    name: bytes
    spans: list[Span] = field(default_factory=list[Span])
    said: bytes = b""


@dataclass(slots=True)
class Parts:
    """What a file holds, as far as it could be followed.

    Attributes:
        pieces: the image data; none where the file could not be followed.
        size: width and height as stored; 0, 0 where the file does not tell.
        turn: the orientation that the container itself gives, 1 where there is none.
        exif: a TIFF structure with EXIF data.
        xmp: XMP packets, the main one first.
    """

    pieces: list[Piece] = field(default_factory=list[Piece])
    size: tuple[int, int] = (0, 0)
    turn: int = 1
    exif: Source | None = None
    xmp: list[bytes] = field(default_factory=list[bytes])
