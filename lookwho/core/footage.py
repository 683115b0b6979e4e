"""What was found in a video, as bytes: how it crosses processes and is kept.

A line of JSON, then the arrays as they lie in memory and the crops as they are, then a checksum.
Not pickle: what reads hostile files must not be able to make its reader run code.
"""

from __future__ import annotations

import dataclasses
import json
import math
import struct
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import numpy as np

from lookwho.core.cast import Cast, VideoPerson, VideoTrack
from lookwho.core.errors import InputError
from lookwho.core.segments import SegmentResult
from lookwho.core.tracks import Track, View
from lookwho.core.types import FloatArray
from lookwho.core.video import VideoInfo

Loaded = TypeVar("Loaded")

_CHECKSUM = struct.Struct("<I")
_ENCODING = 128
_INFO = {
    "duration": float,
    "width": int,
    "height": int,
    "frame_rate": float,
    "codec": str,
    "container": str,
    "rotation": int,
    "has_audio": bool,
    "plays": bool,
    "problem": str,
}


def dump_segment(result: SegmentResult) -> bytes:
    """Return what was found in one stretch of a video as bytes."""
    body = _Body()
    head = {
        "part": result.part,
        "start": result.start,
        "end": result.end,
        "width": result.width,
        "height": result.height,
        "problem": result.problem,
        "pack": result.pack,
        "cuts": body.put(result.cuts),
        "tracks": [
            {
                "start": track.start,
                "end": track.end,
                "path": body.put(track.path),
                "views": [_put_picture(view, body) for view in track.views],
            }
            for track in result.tracks
        ],
    }
    return _sealed(head, body)


def load_segment(data: bytes) -> SegmentResult:
    """Return what `dump_segment` was given.

    Raises:
        InputError: the bytes are damaged.
    """
    return _opened(data, _segment)


def dump_cast(cast: Cast) -> bytes:
    """Return the people of one video as bytes."""
    body = _Body()
    head = {
        "width": cast.width,
        "height": cast.height,
        "problem": cast.problem,
        "pack": cast.pack,
        "cuts": body.put(cast.cuts),
        "people": [
            {
                **_put_picture(person, body),
                "tracks": [
                    {
                        "start": track.start,
                        "end": track.end,
                        "time": track.time,
                        "score": track.score,
                        "quality": track.quality,
                        "box": body.put(track.box),
                        "landmarks": body.put(track.landmarks),
                        "embedding": body.put(track.embedding),
                        "path": body.put(track.path),
                    }
                    for track in person.tracks
                ],
            }
            for person in cast.people
        ],
    }
    return _sealed(head, body)


def load_cast(data: bytes) -> Cast:
    """Return what `dump_cast` was given.

    Raises:
        InputError: the bytes are damaged.
    """
    return _opened(data, _cast)


def dump_info(info: VideoInfo) -> bytes:
    """Return what a video is as bytes: a line of JSON."""
    taken = info.taken_at and info.taken_at.isoformat()
    return json.dumps({**dataclasses.asdict(info), "taken_at": taken}).encode()


def load_info(data: bytes) -> VideoInfo:
    """Return what `dump_info` was given.

    Raises:
        InputError: the bytes are damaged.
    """
    try:
        told: dict[str, Any] = json.loads(data)
        taken = told.pop("taken_at")
        for name, kind in _INFO.items():
            if type(told[name]) is not kind:
                raise TypeError(f"{name} is {told[name]!r}")
        _number(told["duration"])
        _number(told["frame_rate"])
        info = VideoInfo(**told, taken_at=taken and datetime.fromisoformat(taken))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(f"a stored result is damaged: {error}") from error
    except RecursionError as error:
        raise InputError("a stored result is damaged: it is nested too deeply") from error
    return info


def _put_picture(face: View | VideoPerson, body: _Body) -> dict[str, Any]:
    return {
        "time": face.time,
        "score": face.score,
        "quality": face.quality,
        "box": body.put(face.box),
        "landmarks": body.put(face.landmarks),
        "embedding": body.put(face.embedding),
        "encoding": None if face.encoding is None else body.put(face.encoding),
        "crop": body.put_bytes(face.crop),
    }


def _segment(head: dict[str, Any], body: _Parts) -> SegmentResult:
    cuts = body.array(head["cuts"], (None,))
    part = _whole(head["part"])
    result = SegmentResult(
        part=part,
        start=_number(head["start"]),
        end=_number(head["end"]),
        **_sizes(head),
        tracks=tuple(_track(told, body) for told in head["tracks"]),
        cuts=cuts,
    )
    _same_dimension([view.embedding for track in result.tracks for view in track.views])
    return result


def _track(told: dict[str, Any], body: _Parts) -> Track:
    start, end = _stretch(told)
    path = _path(told, body)
    views = tuple(View(**_picture(view, body)) for view in told["views"])
    if not views:
        raise ValueError("a track without a view")
    return Track(start, end, path, views)


def _cast(head: dict[str, Any], body: _Parts) -> Cast:
    cuts = body.array(head["cuts"], (None,))
    people = tuple(_person(told, body) for told in head["people"])
    _same_dimension([face.embedding for person in people for face in (person, *person.tracks)])
    return Cast(people=people, cuts=cuts, **_sizes(head))


def _person(told: dict[str, Any], body: _Parts) -> VideoPerson:
    picture = _picture(told, body)
    tracks = tuple(_video_track(track, body) for track in told["tracks"])
    if not tracks:
        raise ValueError("a person without a track")
    return VideoPerson(**picture, tracks=tracks)


def _video_track(told: dict[str, Any], body: _Parts) -> VideoTrack:
    start, end = _stretch(told)
    return VideoTrack(
        start=start,
        end=end,
        time=_number(told["time"]),
        score=_number(told["score"]),
        quality=_number(told["quality"]),
        box=body.array(told["box"], (4,)),
        landmarks=body.array(told["landmarks"], (5, 2)),
        embedding=body.array(told["embedding"], (None,)),
        path=_path(told, body),
    )


def _picture(told: dict[str, Any], body: _Parts) -> dict[str, Any]:
    encoding = told["encoding"]
    return {
        "time": _number(told["time"]),
        "score": _number(told["score"]),
        "quality": _number(told["quality"]),
        "box": body.array(told["box"], (4,)),
        "landmarks": body.array(told["landmarks"], (5, 2)),
        "embedding": body.array(told["embedding"], (None,)),
        "encoding": None if encoding is None else body.array(encoding, (_ENCODING,)),
        "crop": body.bytes(told["crop"]),
    }


def _path(told: dict[str, Any], body: _Parts) -> FloatArray:
    path = body.array(told["path"], (None, 5))
    if not len(path) or (np.diff(path[:, 0]) < 0).any():
        raise ValueError("a path that is not in order of time")
    return path


def _sizes(head: dict[str, Any]) -> dict[str, Any]:
    for name in ("problem", "pack"):
        if not isinstance(head[name], str):
            raise TypeError(f"{name} is {head[name]!r}")
    return {
        "width": _whole(head["width"]),
        "height": _whole(head["height"]),
        "problem": head["problem"],
        "pack": head["pack"],
    }


def _stretch(told: dict[str, Any]) -> tuple[float, float]:
    start, end = _number(told["start"]), _number(told["end"])
    if start > end:
        raise ValueError(f"a track from {start} to {end}")
    return start, end


def _number(told: Any) -> float:
    if isinstance(told, bool) or not isinstance(told, int | float) or not math.isfinite(told):
        raise TypeError(f"{told!r} is no number")
    return float(told)


def _whole(told: Any) -> int:
    if isinstance(told, bool) or not isinstance(told, int) or not 0 <= told < 1 << 31:
        raise TypeError(f"{told!r} is no count")
    return told


def _same_dimension(embeddings: list[FloatArray]) -> None:
    if len({len(embedding) for embedding in embeddings}) > 1:
        raise ValueError("embeddings of several lengths")


# --- the bytes ---


class _Body:
    """Takes arrays and bytes, and says of each what the head must tell to find it again."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def put(self, array: FloatArray) -> list[int]:
        """Take an array; return its shape."""
        self.parts.append(np.asarray(array).astype("<f4").tobytes())
        return list(np.shape(array))

    def put_bytes(self, data: bytes) -> int:
        """Take bytes; return how many."""
        self.parts.append(data)
        return len(data)


class _Parts:
    """Gives what `_Body` took, in the same order."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def array(self, told: Any, shape: tuple[int | None, ...]) -> FloatArray:
        """Return the next array, which must be of that shape and finite."""
        sizes = [_whole(size) for size in told]
        if len(sizes) != len(shape) or any(
            size != must for size, must in zip(sizes, shape, strict=True) if must is not None
        ):
            raise ValueError(f"an array of shape {sizes}")
        array = np.frombuffer(self.bytes(4 * math.prod(sizes)), "<f4").astype(np.float32)
        if not np.isfinite(array).all():
            raise ValueError("an array with something that is not a number")
        return array.reshape(sizes)

    def bytes(self, count: Any) -> bytes:
        """Return the next so many bytes."""
        start, self._at = self._at, self._at + _whole(count)
        if self._at > len(self._data):
            raise ValueError("it is cut short")
        return self._data[start : self._at]

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self._at != len(self._data):
            raise ValueError(f"{len(self._data) - self._at} bytes too many")


def _sealed(head: dict[str, Any], body: _Body) -> bytes:
    data = b"".join([json.dumps(head, allow_nan=False).encode(), b"\n", *body.parts])
    return data + _CHECKSUM.pack(zlib.crc32(data))


def _opened(data: bytes, load: Callable[[dict[str, Any], _Parts], Loaded]) -> Loaded:
    try:
        sealed, checksum = data[: -_CHECKSUM.size], data[-_CHECKSUM.size :]
        if checksum != _CHECKSUM.pack(zlib.crc32(sealed)):
            raise ValueError("its checksum is wrong")
        line = sealed.index(b"\n")
        parts = _Parts(sealed, line + 1)
        loaded = load(json.loads(sealed[:line]), parts)
        parts.end()
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(f"a stored result is damaged: {error}") from error
    except RecursionError as error:
        raise InputError("a stored result is damaged: it is nested too deeply") from error
    return loaded
