"""Faces as bytes: how they cross from process to process and into the results cache.

One line of JSON and then the arrays as they lie in memory. Not pickle: what reads hostile files
must not be able to make its reader run code.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from lookwho.core.errors import InputError
from lookwho.core.types import Faces, FloatArray, Reason

_TYPES = {"width": int, "height": int, "pack": str}
# How an answer begins: faces follow, or the code and message of an error.
OK, ERROR = b"+", b"-"

_LENGTH = struct.Struct("<I")
_ARRAYS = ("boxes", "landmarks", "scores", "quality", "embeddings", "encodings")


def dump(faces: Faces) -> bytes:
    """Return the faces of one photo as bytes."""
    arrays = {name: getattr(faces, name) for name in _ARRAYS}
    head = {
        "width": faces.width,
        "height": faces.height,
        "reason": faces.reason,
        "pack": faces.pack,
        "shapes": {name: array.shape for name, array in arrays.items() if array is not None},
    }
    body = b"".join(array.astype("<f4").tobytes() for array in arrays.values() if array is not None)
    return json.dumps(head).encode() + b"\n" + body


def load(data: bytes) -> Faces:
    """Return what `dump` was given.

    Raises:
        InputError: the bytes are damaged.
    """
    try:
        faces = _load(data)
        _check(faces)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(f"a stored result is damaged: {error}") from error
    except RecursionError as error:
        raise InputError("a stored result is damaged: it is nested too deeply") from error
    return faces


def _load(data: bytes) -> Faces:
    line, body = data.split(b"\n", 1)
    head: dict[str, Any] = json.loads(line)
    numbers = np.frombuffer(body, "<f4").astype(np.float32)
    arrays: dict[str, FloatArray | None] = dict.fromkeys(_ARRAYS)
    at = 0
    for name, shape in head["shapes"].items():
        count = int(np.prod(shape))
        arrays[name] = numbers[at : at + count].reshape(shape)
        at += count
    if at != len(numbers):
        raise ValueError(f"{len(numbers)} numbers instead of {at}")
    for name, kind in _TYPES.items():
        if not isinstance(head[name], kind):
            raise TypeError(f"{name} is {head[name]!r}")
    reason = None if head["reason"] is None else Reason(head["reason"])
    rest = {name: head[name] for name in _TYPES}
    return Faces(**arrays, **rest, reason=reason)  # type: ignore[arg-type]


def _check(faces: Faces) -> None:
    count = len(faces.boxes)
    dim = faces.embeddings.shape[1]
    encodings = count if faces.encodings is None else len(faces.encodings)
    found = [getattr(faces, name).shape for name in _ARRAYS[:-1]]
    if found != [(count, 4), (count, 5, 2), (count,), (count,), (count, dim)] or encodings != count:
        raise ValueError(f"arrays of shapes {found}")


def question(
    path: str, boxes: FloatArray | None = None, times: Sequence[float] | None = None
) -> bytes:
    """Return how a worker is asked to look for faces, or to embed those in boxes, as bytes.

    Args:
        path: of the file.
        boxes: (n, 4) in pixels of the upright photo; None to look for faces.
        times: of a video, when each box is looked at, in seconds; None for a photo.
    """
    if boxes is None:
        return os.fsencode(path)
    told = json.dumps([boxes.tolist(), None if times is None else list(times)])
    # No path begins with a zero byte.
    return b"\0" + told.encode() + b"\n" + os.fsencode(path)


def asked(message: bytes) -> tuple[str, FloatArray | None, tuple[float, ...] | None]:
    """Return what `question` was given."""
    if not message.startswith(b"\0"):
        return os.fsdecode(message), None, None
    told, path = message[1:].split(b"\n", 1)
    boxes, times = json.loads(told)
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return os.fsdecode(path), boxes, None if times is None else tuple(times)


def send(stream: Any, message: bytes) -> None:
    """Write one message to a stream of bytes."""
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def receive(stream: Any) -> bytes:
    """Read one message.

    Raises:
        ConnectionError: the other process is gone.
    """
    head = stream.read(_LENGTH.size)
    if len(head) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        message = stream.read(length)
        if len(message) == length:
            return message
    raise ConnectionError("the other process is gone")
