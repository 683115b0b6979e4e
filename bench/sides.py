"""The two sides as processes, each on a core, that work when they are asked and wait otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import ROOT, engine, rival_environment
from lookwho.core.types import DoubleArray


@dataclass(frozen=True, slots=True)
class Found:
    """What a side found in a photo.

    Attributes:
        milliseconds: that it took.
        boxes: (n, 4) float64 x1, y1, x2, y2 in parts of the photo's width and height.
    """

    milliseconds: float
    boxes: DoubleArray


class Side:
    """A process that answers requests; made by `ours` or `theirs`, and closed by `with`.

    Args:
        command: what to start, with the core it stays on.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
        )

    @classmethod
    def ours(cls, core: int | None = None, **settings: Any) -> Side:
        """Start Lookwho with settings as for `Analyzer`."""
        arguments = ["" if core is None else str(core), json.dumps(settings)]
        return cls([sys.executable, "-m", "bench.ours", *arguments, str(engine.folder())])

    @classmethod
    def theirs(cls, core: int | None = None) -> Side:
        """Start `face_recognition`.

        Raises:
            NoRival: it cannot be installed here.
        """
        interpreter = str(rival_environment.python())
        # It imports pkg_resources, which warns that its days are numbered.
        command = [interpreter, "-W", "ignore", "-m", "bench.rival"]
        return cls([*command, "" if core is None else str(core)])

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()

    def versions(self) -> dict[str, str]:
        """Return what is installed on this side."""
        return self._ask("versions")

    def analyze(self, path: Path) -> Found:
        """Find and embed the faces of a photo; decoding it is not timed."""
        return _found(self._ask("analyze", path=str(path)))

    def stream(self, path: Path) -> Found:
        """Find and embed the faces of a file, decoding and all."""
        return _found(self._ask("stream", path=str(path)))

    def locate(self, path: Path, **how: Any) -> Found:
        """Find faces only, by the side's usual detector or another of its own."""
        return _found(self._ask("locate", path=str(path), **how))

    def parts(self, path: Path, boxes: Sequence[Sequence[int]]) -> dict[str, float]:
        """Return the milliseconds that each part takes for all faces in whole-pixel boxes."""
        return self._ask("parts", path=str(path), boxes=boxes)["ms"]

    def video(self, path: Path) -> dict[str, Any]:
        """Find the people of a video; the answer is the side's own."""
        return self._ask("video", path=str(path))

    def decode(self, path: Path) -> dict[str, Any]:
        """Decode all pictures of a video, and do nothing with them."""
        return self._ask("decode", path=str(path))

    def peak_memory(self) -> float:
        """Return the most memory that the process has held, in MB."""
        return self._ask("peak_memory")["megabytes"]

    def _ask(self, what: str, **how: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **how}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process ended at {what} {how}; see above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{what} {how}: {answer['error']}")
        return answer


def _found(answer: dict[str, Any]) -> Found:
    return Found(answer["ms"], np.array(answer["boxes"], np.float64).reshape(-1, 4))
