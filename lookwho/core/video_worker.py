"""A video worker: the process at the other end of `video_batch`, which looks at segments.

A request is one line of JSON. A segment is begun, then gone on with a little at a time, so that
whoever asked hears how far it is and can give it up.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lookwho.core import child, footage
from lookwho.core.errors import InputError
from lookwho.core.segment_analysis import SegmentAnalysis
from lookwho.core.sightings import Eyes
from lookwho.core.video import probe


def serve() -> None:
    """Be a video worker."""
    child.serve(_looking)


def _looking(*, cache: str | None, **settings: Any) -> Callable[[bytes], bytes]:
    desk = _Desk(Eyes(**settings, cache=Path(cache) if cache else None))

    def answer(message: bytes) -> bytes:
        request: dict[str, Any] = json.loads(message)
        match request.pop("do"):
            case "probe":
                return footage.dump_info(probe(**request))
            case "begin":
                return desk.begin(**request)
            case "step":
                return desk.step(**request)
            case "result":
                return desk.result()
            case "drop":
                return desk.drop()
            case other:
                raise InputError(f"a video worker cannot {other!r}")

    return answer


class _Desk:
    """The segment that is being looked at, if any."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._work: SegmentAnalysis | None = None

    def begin(self, path: str, duration: float, part: int) -> bytes:
        self.drop()
        self._work = SegmentAnalysis(self._eyes, path, duration, part)
        return b""

    def step(self, seconds: float) -> bytes:
        work = self._begun()
        more = work.step(seconds)
        told = {"more": more, "reached": work.reached, "people": work.people}
        return json.dumps(told).encode()

    def result(self) -> bytes:
        result = footage.dump_segment(self._begun().result())
        self.drop()
        return result

    def drop(self) -> bytes:
        if self._work:
            self._work.close()
        self._work = None
        return b""

    def _begun(self) -> SegmentAnalysis:
        if not self._work:
            raise InputError("no segment was begun")
        return self._work
