"""Packs: which models work together, and presets: how hard they look.

A pack is a detector, an aligner, an embedder and a calibration. Vectors of different packs are
never compared. This module only tells; `stages` loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lookwho.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least face probability after each of MTCNN's networks."""

    proposal: float = 0.8
    refinement: float = 0.7
    output: float = 0.8


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
        careful: whether the detector looks at every candidate twice, and at its mirror image.
        int8: whether the embedder runs in eight bits.
    """

    detect_side: int
    crop_side: int
    min_face: float
    thresholds: Thresholds
    careful: bool = True
    int8: bool = False


PACKS = {
    "default": Pack("default", 128, "mtcnn", "MTCNN and dlib's ResNet: small and turned faces too"),
    "dlib": Pack("dlib", 128, "mmod", "dlib's CNN detector and ResNet, as dlib itself runs them"),
}
PRESETS = {
    "fast": Preset(800, 1500, 32, Thresholds(refinement=0.8), careful=False, int8=True),
    "balanced": Preset(800, 1500, 22, Thresholds()),
    "thorough": Preset(1600, 3000, 18, Thresholds(proposal=0.6, refinement=0.6)),
}


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
