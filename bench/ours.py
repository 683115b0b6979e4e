"""Our side, answering the same requests as the rival.

Run as `python -m bench.ours CORE SETTINGS CACHE`.
"""

from __future__ import annotations

import json
import sys
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from bench.protocol import Answer, peak_memory, serve, settle, timed

if __name__ == "__main__":
    settle(int(sys.argv[1]) if sys.argv[1] else None)  # before any library counts the cores

import numpy as np
from PIL import Image

from bench.sightings import told
from lookwho.core import packs, stages, weights
from lookwho.core.cast import Cast, join
from lookwho.core.chips import chips as cut
from lookwho.core.dlibfile import read_shape_predictor
from lookwho.core.landmarks import LandmarkPredictor
from lookwho.core.mmod import MmodDetector
from lookwho.core.pipeline import Analyzer
from lookwho.core.segment_analysis import SegmentAnalysis
from lookwho.core.segments import SegmentResult, grid
from lookwho.core.sightings import Eyes
from lookwho.core.types import ByteArray, FloatArray
from lookwho.core.video import probe

BATCH = 16


class Ours:
    """Answers requests.

    Args:
        settings: of the `Analyzer`.
        cache: the folder of the model cache.
    """

    def __init__(self, settings: dict[str, Any], cache: Path) -> None:
        self.analyzer = Analyzer(**settings, cache=cache)
        self._cache = cache

    def versions(self) -> Answer:
        """Return what is installed."""
        names = ("lookwho", "onnxruntime", "opencv-python-headless", "numpy", "simplejpeg")
        return {name: version(name) for name in names}

    def analyze(self, path: str) -> Answer:
        """Find and embed the faces of a photo that is decoded already."""
        pixels = _pixels(path)
        milliseconds, faces = timed(lambda: self.analyzer(pixels))
        return {"ms": milliseconds, "boxes": _parts_of(faces.boxes, *pixels.shape[:2])}

    def stream(self, path: str) -> Answer:
        """Find and embed the faces of a file."""
        milliseconds, faces = timed(lambda: self.analyzer(path))
        return {"ms": milliseconds, "boxes": _parts_of(faces.boxes, faces.height, faces.width)}

    def locate(self, path: str, detector: str = "default", upsample: int = 1) -> Answer:
        """Find faces only: "default", or "dlib" for dlib's CNN, which may enlarge the photo."""
        pixels, found = _pixels(path), self._stages(detector).detector
        if isinstance(found, MmodDetector):
            milliseconds, (boxes, _) = timed(lambda: found.search(pixels, upsample))
        else:
            milliseconds, detections = timed(lambda: found.detect(pixels))
            boxes = detections.boxes
        return {"ms": milliseconds, "boxes": _parts_of(boxes, *pixels.shape[:2])}

    def parts(self, path: str, boxes: list[list[int]]) -> Answer:
        """Time what comes after detection, one face after the other, and embedding many at once."""
        pixels, predictor = _pixels(path), _predictor()
        faces = [np.array([box], np.int64) for box in boxes]
        embedder = self._stages("default").embedder
        landmarks, points = timed(lambda: [predictor.predict(pixels, face) for face in faces])
        chips, crops = timed(lambda: [cut(pixels, at) for at in points])
        embedding, _ = timed(lambda: [embedder.encode(crop) for crop in crops])
        mirrored, _ = timed(lambda: [embedder.embed(crop) for crop in crops])
        many = np.concatenate([crops[index % len(crops)] for index in range(BATCH)])
        at_once, _ = timed(lambda: embedder.encode(many))
        both_at_once, _ = timed(lambda: embedder.embed(many))
        share = len(faces) / BATCH
        return {
            "ms": {
                "landmarks": landmarks,
                "chips": chips,
                "embedding": embedding,
                "embedding at once": at_once * share,
                "with mirror image": mirrored,
                "with mirror image at once": both_at_once * share,
            }
        }

    def video(self, path: str) -> Answer:
        """Find the people of a video, its segments one after the other."""
        eyes = self._eyes()

        def work() -> Cast:
            duration = probe(path).duration
            results: list[SegmentResult] = []
            for part in range(len(grid(duration))):
                segment = SegmentAnalysis(eyes, path, duration, part)
                while segment.step():
                    pass
                results.append(segment.result())
            return join(results)

        milliseconds, cast = timed(work)
        return {"ms": milliseconds, "people": told(cast)}

    def decode(self, path: str) -> Answer:
        """Decode all pictures of a video and do nothing with them."""
        import av  # which photos are measured without

        def work() -> int:
            with av.open(path) as container:
                return sum(1 for _ in container.decode(video=0))

        milliseconds, pictures = timed(work)
        return {"ms": milliseconds, "pictures": pictures}

    @cache  # noqa: B019 one of these lives as long as its process
    def _eyes(self) -> Eyes:
        return Eyes(**self.analyzer.settings, cache=self._cache)

    @cache  # noqa: B019 one of these lives as long as its process
    def _stages(self, pack: str) -> stages.Stages:
        chosen = packs.find_pack(pack)
        int8 = bool(self.analyzer.settings["int8"])
        return stages.load(chosen, self.analyzer.preset, int8=int8, threads=1, cache=self._cache)


@lru_cache(maxsize=4)
def _pixels(path: str) -> ByteArray:
    return np.array(Image.open(path).convert("RGB"))


@cache
def _predictor() -> LandmarkPredictor:
    return LandmarkPredictor(read_shape_predictor(weights.read("landmarks5")))


def _parts_of(boxes: FloatArray, height: int, width: int) -> list[list[float]]:
    """Turn boxes (n, 4) in pixels into parts of the photo."""
    return cast("list[list[float]]", (boxes / np.array([width, height] * 2)).tolist())


if __name__ == "__main__":
    side = Ours(json.loads(sys.argv[2]), Path(sys.argv[3]))
    requests = (side.versions, side.analyze, side.stream, side.locate, side.parts)
    requests += (side.video, side.decode, peak_memory)
    serve({request.__name__: request for request in requests})
