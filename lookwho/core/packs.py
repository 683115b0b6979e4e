"""Packs: which models work together, and presets: how hard they look.

A pack is a detector, an aligner, an embedder and a calibration. Vectors of different packs are
never compared.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lookwho.core import embed, mmod, mtcnn, mtcnn_graphs, quantize, weights
from lookwho.core.align import Aligner
from lookwho.core.dlibfile import ShapePredictor, read_network, read_shape_predictor
from lookwho.core.embed import Embedder
from lookwho.core.errors import InputError
from lookwho.core.landmarks import LandmarkPredictor
from lookwho.core.mmod import MmodDetector
from lookwho.core.runtime import Session, session
from lookwho.core.types import ByteArray, Detections


@dataclass(frozen=True, slots=True)
class Pack:
    """Models that work together.

    Attributes:
        name: how it is asked for, and what every vector made by it is stored with.
        dim: length of its embeddings.
        detector: which detector it uses.
        description: for people.
    """

    name: str
    dim: int
    detector: str
    description: str


@dataclass(frozen=True, slots=True)
class Preset:
    """How hard to look.

    Attributes:
        detect_side: the longest side, in pixels, of the image that is searched; larger photos are
            reduced to it, smaller ones are searched as they are.
        crop_side: the longest side, at least, of the image that faces are cut from.
        min_face: the smallest face in the searched image, in pixels.
        thresholds: of MTCNN's three networks.
        int8: whether the embedder runs in eight bits.
    """

    detect_side: int
    crop_side: int
    min_face: float
    thresholds: mtcnn.Thresholds
    int8: bool = False


PACKS = {
    "default": Pack(
        "default", embed.DIMENSION, "mtcnn", "MTCNN and dlib's ResNet: small and turned faces too"
    ),
    "dlib": Pack(
        "dlib", embed.DIMENSION, "mmod", "dlib's CNN detector and ResNet, as dlib itself runs them"
    ),
}
PRESETS = {
    "fast": Preset(800, 1500, 32, mtcnn.Thresholds(0.7, 0.8, 0.8), int8=True),
    "balanced": Preset(800, 1500, 20, mtcnn.Thresholds()),
    "thorough": Preset(1600, 3000, 20, mtcnn.Thresholds()),
}


class Detector(Protocol):
    """Finds faces in an upright image."""

    def detect(self, pixels: ByteArray) -> Detections:
        """Find the faces of (h, w, 3) uint8 RGB."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """The loaded models of a pack: detect, align, embed."""

    detector: Detector
    aligner: Aligner
    embedder: Embedder


def find_pack(name: str) -> Pack:
    """Return the pack of that name.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    if name not in PACKS:
        raise InputError(f"there is no pack {name!r}; choose from {', '.join(PACKS)}")
    return PACKS[name]


def find_preset(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    if name not in PRESETS:
        raise InputError(f"there is no preset {name!r}; choose from {', '.join(PRESETS)}")
    return PRESETS[name]


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
    detector: Detector = mtcnn.Mtcnn(
        proposal, refinement, output, min_face=preset.min_face, thresholds=preset.thresholds
    )
    if pack.detector == "mmod":
        detector = MmodDetector(open_session("mmod", _mmod), detector.landmarks)
    trees = np.load(io.BytesIO(weights.built("landmarks5", _landmarks5, cache)))
    aligner = Aligner(LandmarkPredictor(ShapePredictor.from_arrays(trees)))
    name = "resnet-int8" if int8 else "resnet"
    embedder = Embedder(open_session(name, partial(_resnet, int8)))
    return Stages(detector, aligner, embedder)


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


def settings(
    pack: str = "default", preset: str = "balanced", int8: bool | None = None, threads: int = 1
) -> dict[str, Any]:
    """Return what an `Analyzer` is made with, checked and complete, without loading anything.

    Raises:
        InputError: there is no such pack or preset.
    """
    find_pack(pack)
    eight_bits = find_preset(preset).int8 if int8 is None else int8
    return {"pack": pack, "preset": preset, "int8": eight_bits, "threads": threads}
