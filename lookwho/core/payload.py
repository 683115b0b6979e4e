"""Payload: the sha256 of the image in a file, without what the file says about it.

A photo is known by its payload. It stays the same when a program writes names, dates or an
orientation into the file or takes them out again, and changes with any pixel.

What counts is what decides about the decoded pixels. What does not:

- EXIF, XMP, IPTC, comments, thumbnails, and the orientation, wherever it stands;
- colour profiles, gamma and the like. Lookwho does not apply them, and programs that clean
  metadata take them out with the rest;
- whatever follows the picture: the video of a motion photo, further pictures of an MPO file.

The kind goes in first: bytes that could be two kinds have two payloads. A BMP counts as a whole,
and so does a file that cannot be followed, so that there always is a payload.

Of videos in MP4 and its kin the pictures and the sound count, `mdat`; other videos as a whole. An
MP4 that is only told to begin later or to lie on its side has the same payload as before.
"""

from __future__ import annotations

import hashlib

from lookwho.core.parts import Parts, Piece, Source

# Pieces may share bytes, as blank strips of a TIFF sometimes do. But a small file could name its
# bytes a million times over, and keep a core busy for hours.
_MOST_SHARING = 4


def payload_of(source: Source, kind: str, parts: Parts) -> bytes:
    """Return the payload, 32 bytes.

    Args:
        source: the file.
        kind: as `core.kinds.kind_of` names it.
        parts: what `core.containers.parts_of` found in it.
    """
    pieces = parts.pieces
    total = sum(end - start for piece in pieces for start, end in piece.spans)
    if not pieces or total > _MOST_SHARING * source.size:
        pieces = [Piece(b"file", [(0, source.size)])]
    digest = hashlib.sha256(kind.encode() + b"\n")
    for piece in pieces:
        length = len(piece.said) + sum(end - start for start, end in piece.spans)
        # With its length, no piece can pass for the end of the one before.
        digest.update(b"%b %d\n" % (piece.name, length) + piece.said)
        for start, end in piece.spans:
            for chunk in source.chunks(start, end):
                digest.update(chunk)
    return digest.digest()
