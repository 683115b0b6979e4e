"""Detection on street photos with labelled boxes: bare faces, and masked ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from bench import engine, tables, verification
from bench.photos import MEDIA
from bench.rival_environment import NoRival
from bench.sides import Side
from lookwho.core.boxes import area
from lookwho.core.evaluate import detection
from lookwho.core.packs import PRESETS
from lookwho.core.types import DoubleArray, FloatArray

FOLDER = MEDIA / "crowds"
BARE = "sin_mascarilla"
# Sides of labelled boxes, the square root of their areas, in pixels.
_CLASSES: tuple[tuple[str, bool, float, float], ...] = (
    ("bare, 20 px and more", True, 20, np.inf),
    ("bare, 40 px and more", True, 40, np.inf),
    ("bare, 20–40 px", True, 20, 40),
    ("bare, under 20 px", True, 0, 20),
    ("masked, 20 px and more", False, 20, np.inf),
)


def report(folder: Path, *, quick: bool = False) -> Iterator[str]:
    """Yield the lines of the table.

    Args:
        folder: labels.json and the photos that it names.
        quick: without dlib's CNN, which needs a second a photo.
    """
    file = folder / "labels.json"
    if not file.is_file():
        raise click.ClickException(f"{file} is not there: it names photos and labelled boxes")
    labels: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
    paths = [folder / label["image"] for label in labels]
    rows: list[list[str]] = []
    counted: list[str] = []
    for preset in PRESETS:
        analyzed = engine.analyze(paths, f"crowds, {preset}", preset=preset)
        counts = _counted(labels, [faces.boxes for faces in analyzed])
        rows.append(_row(preset, counts))
        counted = [str(int(number)) for number in counts[:, : len(_CLASSES)].sum(axis=0)]
    note = ""
    try:
        with Side.theirs() as side:
            for name, how in (("dlib HOG", {}), ("dlib CNN", {"detector": "cnn"})):
                if how and quick:
                    continue
                boxes = [
                    _in_pixels(side.locate(path, **how).boxes, label)
                    for path, label in zip(paths, labels, strict=True)
                ]
                rows.append(_row(f"{name}, upsample 1", _counted(labels, boxes)))
    except NoRival as error:
        note = error.message
    yield (
        f"{len(labels)} photos; recall in % at an intersection over union of 0.35; sizes are the "
        "square root of the labelled box's area. Stray boxes touch no labelled face. In brackets "
        "95 % intervals by bootstrap over photos."
    )
    yield ""
    heads = ["", *(name for name, *_ in _CLASSES), "stray boxes a photo"]
    yield from tables.markdown(heads, [["labelled faces", *counted, ""], *rows])
    if note:
        yield from ["", note]


def _counted(labels: Sequence[dict[str, Any]], found: Sequence[FloatArray]) -> DoubleArray:
    """Return (photos, 2 * classes + 1): labelled faces of each class, found ones, stray boxes."""
    rows: list[list[int]] = []
    for label, boxes in zip(labels, found, strict=True):
        labelled = np.array([face["box"] for face in label["faces"]], np.float32).reshape(-1, 4)
        bare = np.array([face["label"] == BARE for face in label["faces"]], bool)
        sides = np.sqrt(area(labelled))
        counts = [
            detection(boxes, labelled, [bool(w) for w in _wanted(bare, sides, wanted)])
            for wanted in _CLASSES
        ]
        rows.append(
            [one.labelled for one in counts] + [one.found for one in counts] + [counts[0].stray]
        )
    return np.array(rows, np.float64)


def _wanted(bare: np.ndarray, sides: FloatArray, chosen: tuple[str, bool, float, float]) -> Any:
    _, wants_bare, least, below = chosen
    return (bare == wants_bare) & (sides >= least) & (sides < below)


def _row(name: str, counts: DoubleArray) -> list[str]:
    drawn = verification.draw(len(counts))
    cells = [
        _cell(counts, drawn, lambda sums, at=index: 100 * _recall(sums, at), ".1f")
        for index in range(len(_CLASSES))
    ]
    stray = _cell(counts, drawn, lambda sums: float(sums[-1]) / len(counts), ".3f")
    return [name, *cells, stray]


def _recall(sums: DoubleArray, at: int) -> float:
    return float(sums[len(_CLASSES) + at] / max(sums[at], 1))


def _cell(
    counts: DoubleArray, drawn: np.ndarray, figure: Callable[[DoubleArray], float], form: str
) -> str:
    a, b = verification.interval(np.array([figure(weights @ counts) for weights in drawn]))
    return f"{figure(counts.sum(axis=0)):{form}} ({a:{form}}–{b:{form}})"


def _in_pixels(boxes: DoubleArray, label: dict[str, Any]) -> FloatArray:
    return (boxes * ([label["width"], label["height"]] * 2)).astype(np.float32)
