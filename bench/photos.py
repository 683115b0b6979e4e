"""The photos that speed is measured on, how many faces they show, and at what sizes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bench import CACHE, ROOT
from lookwho.core.types import DoubleArray
from tools import samples

MEDIA = Path(os.environ.get("LOOKWHO_MEDIA") or ROOT.parent / "shared" / "media")
MEGAPIXELS = 12
_JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo, upright as it is stored.

    Attributes:
        path: where it is.
        faces: how many it shows; None where nobody counted.
        noses: (faces, 2) float64 x, y in parts of width and height; None where nobody marked them.
    """

    path: Path
    faces: int | None
    noses: DoubleArray | None

    def at_side(self, side: int) -> Path:
        """Return the photo as PNG with a longest side of so many pixels, enlarged if need be."""
        with Image.open(self.path) as image:
            scale = side / max(image.size)
            return _kept(self.path, image.size, scale, f"-{side}.png")

    def at_megapixels(self) -> Path:
        """Return the photo as a JPEG of 12 million pixels, as a camera stores it."""
        with Image.open(self.path) as image:
            scale = (MEGAPIXELS * 1e6 / (image.width * image.height)) ** 0.5
            return _kept(self.path, image.size, scale, f"-{MEGAPIXELS}mp.jpg")


def labelled() -> list[Photo]:
    """Return photos whose faces are counted, or where there are none the seven samples."""
    found: list[Photo] = []
    if (MEDIA / "compreface" / "labels.json").is_file():
        for label in json.loads((MEDIA / "compreface" / "labels.json").read_text("utf-8")):
            noses = np.array(label["noses"], np.float64).reshape(-1, 2)
            noses = (noses + 0.5) / (label["width"], label["height"])
            found.append(Photo(MEDIA / "compreface" / label["image"], len(noses), noses))
        found += [Photo(path, 1, None) for path in sorted((MEDIA / "official").glob("*.jpg"))]
    if found:
        return found
    folder = samples.folder()
    if not (folder / "obama.jpg").is_file():
        samples.fetch(folder)
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".png"})
    return [Photo(path, None, None) for path in paths]


@dataclass(slots=True)
class Tally:
    """Boxes counted: all, those on a face, the others; `true` is None without labels."""

    boxes: int = 0
    true: int | None = 0
    false: int | None = 0

    def add(self, photo: Photo, boxes: DoubleArray) -> None:
        """Count the boxes (n, 4), in parts of the photo, that were found in one photo."""
        self.boxes += len(boxes)
        if photo.faces is None or self.true is None or self.false is None:
            self.true = self.false = None
            return
        noses = photo.noses
        true = min(photo.faces, len(boxes)) if noses is None else on_noses(boxes, noses)
        self.true += true
        self.false += len(boxes) - true


def on_noses(boxes: DoubleArray, noses: DoubleArray) -> int:
    """Return how many boxes are on a face: each holds a nose that no other box is counted for.

    >>> boxes = np.array([[0, 0, 4, 4], [1, 1, 4, 4], [6, 6, 9, 9], [5.0, 0, 6, 1]])
    >>> on_noses(boxes, np.array([[2, 2], [7, 7], [20.0, 20]]))
    2
    """
    free = set(range(len(noses)))
    true = 0
    for box in boxes:
        inside = [
            nose for nose in free
            if (noses[nose] >= box[:2]).all() and (noses[nose] <= box[2:]).all()
        ]  # fmt: skip
        if inside:
            centre = (box[:2] + box[2:]) / 2
            free.remove(min(inside, key=lambda nose: float(np.hypot(*(noses[nose] - centre)))))
            true += 1
    return true


def size_of(path: Path) -> tuple[int, int]:
    """Return the width and height of a picture."""
    with Image.open(path) as image:
        return image.size


def _kept(path: Path, size: Sequence[int], scale: float, ending: str) -> Path:
    target = CACHE / "photos" / (path.stem + ending)
    if target.is_file() and target.stat().st_mtime >= path.stat().st_mtime:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as image:
        width, height = (max(1, round(side * scale)) for side in size)
        resized = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    part = target.with_name(f".{target.name}")
    kind, options = ("PNG", {}) if target.suffix == ".png" else ("JPEG", {"quality": _JPEG_QUALITY})
    resized.save(part, kind, **options)
    part.rename(target)
    return target
