"""A worker: the process at the other end of `batch`, which analyses one file after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lookwho.core import child, record
from lookwho.core.pipeline import Analyzer
from lookwho.core.types import Faces, FloatArray


def serve() -> None:
    """Be a worker: take paths and answer with their faces."""
    child.serve(_analysis)


def _analysis(*, cache: str | None, **settings: Any) -> Callable[[bytes], bytes]:
    analyzer = Analyzer(**settings, cache=Path(cache) if cache else None)

    def answer(message: bytes) -> bytes:
        path, boxes, times = record.asked(message)
        if boxes is None:
            return record.dump(analyzer(path))
        if times is None:
            return record.dump(analyzer.embed(path, boxes))
        return record.dump(_filmed(analyzer, path, boxes, times))

    return answer


def _filmed(analyzer: Analyzer, path: str, boxes: FloatArray, times: Sequence[float]) -> Faces:
    """Embed faces of a video, each where it is at its own time."""
    from lookwho.core import video  # photos do without what reads videos

    found = [
        analyzer.embed(video.frame_at(path, time), box[None])
        for time, box in zip(times, boxes, strict=True)
    ]
    encodings = [faces.encodings for faces in found if faces.encodings is not None]
    return replace(
        found[0],
        boxes=np.concatenate([faces.boxes for faces in found]),
        landmarks=np.concatenate([faces.landmarks for faces in found]),
        scores=np.concatenate([faces.scores for faces in found]),
        quality=np.concatenate([faces.quality for faces in found]),
        embeddings=np.concatenate([faces.embeddings for faces in found]),
        encodings=np.concatenate(encodings) if len(encodings) == len(found) else None,
    )
