"""A worker: the process at the other end of `batch`, which analyses one file after another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lookwho.core import child, record
from lookwho.core.pipeline import Analyzer


def serve() -> None:
    """Be a worker: take paths and answer with their faces."""
    child.serve(_analysis)


def _analysis(*, cache: str | None, **settings: Any) -> Callable[[bytes], bytes]:
    analyzer = Analyzer(**settings, cache=Path(cache) if cache else None)

    def answer(message: bytes) -> bytes:
        path, boxes = record.asked(message)
        return record.dump(analyzer(path) if boxes is None else analyzer.embed(path, boxes))

    return answer
