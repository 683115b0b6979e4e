"""The loaded models of a pack: detect, align, embed."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from lookwho.core import embed, mmod, mtcnn, mtcnn_graphs, quantize, weights
from lookwho.core.align import Aligner
from lookwho.core.dlibfile import ShapePredictor, read_network, read_shape_predictor
from lookwho.core.embed import Embedder
from lookwho.core.landmarks import LandmarkPredictor
from lookwho.core.mmod import MmodDetector
from lookwho.core.packs import Pack, Preset
from lookwho.core.runtime import Session, session
from lookwho.core.types import ByteArray, Detections


class Detector(Protocol):
    """Finds faces in an upright image."""

    def detect(self, pixels: ByteArray) -> Detections:
        """Find the faces of (h, w, 3) uint8 RGB."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """The loaded models of a pack: detect, align, embed.

    Attributes:
        detector: finds faces.
        placer: looks for the face in a box that somebody drew.
        aligner: cuts chips.
        embedder: makes vectors of them.
    """

    detector: Detector
    placer: mtcnn.Mtcnn
    aligner: Aligner
    embedder: Embedder


def load(pack: Pack, preset: Preset, *, int8: bool, threads: int, cache: Path | None) -> Stages:
    """Load the models of a pack, building what is not yet in the cache.

    Raises:
        ModelError: a model file is missing, altered or unreadable.
    """

    def open_session(name: str, build: Callable[[], bytes]) -> Session:
        return session(weights.built(name, build, cache), threads=threads)

    proposal, refinement, output = (
        open_session(name, partial(_mtcnn, name)) for name in mtcnn_graphs.NETWORKS
    )
    placer = mtcnn.Mtcnn(
        proposal,
        refinement,
        output,
        min_face=preset.min_face,
        thresholds=preset.thresholds,
        careful=preset.careful,
    )
    detector: Detector = placer
    if pack.detector == "mmod":
        detector = MmodDetector(open_session("mmod", _mmod), placer.landmarks)
    trees = np.load(io.BytesIO(weights.built("landmarks5", _landmarks5, cache)))
    aligner = Aligner(LandmarkPredictor(ShapePredictor.from_arrays(trees)))
    name = f"resnet-int8-{quantize.shipped_digest()}" if int8 else "resnet"
    embedder = Embedder(open_session(name, partial(_resnet, int8)))
    return Stages(detector, placer, aligner, embedder)


def _mtcnn(name: str) -> bytes:
    return mtcnn_graphs.build(name, weights.read_arrays(name))


def _mmod() -> bytes:
    return mmod.build(read_network(weights.read("mmod")))


def _resnet(int8: bool) -> bytes:
    ranges = quantize.shipped_ranges("resnet") if int8 else None
    return embed.build(read_network(weights.read("resnet")), ranges)


def _landmarks5() -> bytes:
    file = io.BytesIO()
    np.savez(
        file, allow_pickle=False, **read_shape_predictor(weights.read("landmarks5")).to_arrays()
    )
    return file.getvalue()
