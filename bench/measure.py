"""Measures what is shipped in measured.json: ranges for int8, and what makes probabilities."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bench import calibration, identification, people, tables
from bench.engine import MEASURED, folder
from bench.people import People
from lookwho.core import embed, image, packs, stages, weights
from lookwho.core.dlibfile import read_network
from lookwho.core.runtime import run, session
from lookwho.core.types import ByteArray

REFERENCES = (1, 2, 3, 5)
# Photos whose faces show what activations occur: every fifth, so many at most.
_EVERY, _MOST = 5, 320
_BATCH = 16
# Digits that are written: more than the photos can tell.
_DIGITS = 6
# More than this on people who were not looked at, and a line does not describe them.
TOLERABLE_ERROR = 0.01


def calibrate(directory: Path) -> list[str]:
    """Measure on the people for calibration, check on the held-out ones, write measured.json.

    Args:
        directory: a folder for each person.

    Returns:
        What was found, as lines of Markdown.
    """
    paths = people.photos(directory)
    held_out, _ = people.halves(tuple(sorted({name for name, _ in paths})))
    names = sorted({name for name, _ in paths})
    mine = [path for name, path in paths if not held_out[names.index(name)]]
    chips = main_chips(mine[::_EVERY][:_MOST])
    ranges = {key: _short(span) for key, span in activation_ranges(chips).items()}
    faces = people.read(directory)
    lines, report = fit_lines(faces)
    fits = {str(count): _short(line) for count, line in lines.items()}
    known = identification.fit(faces.part(~faces.held_out)).to_json()
    content = {"ranges": {"resnet": ranges}, "calibration": fits, "identify": known}
    MEASURED.write_text(_json(content), encoding="utf-8")
    return [
        f"Ranges of {len(ranges)} activations from {len(chips)} faces and their mirror images; "
        f"lines from {int((~faces.held_out).sum())} people, checked on "
        f"{int(faces.held_out.sum())} others ({faces.split}).",
        "",
        *report,
        "",
        "Identifying is fitted on the same people: `python -m bench people` says how well it does.",
        "",
        f"Written to {MEASURED}.",
    ]


def fit_lines(faces: People) -> tuple[dict[int, calibration.Line], list[str]]:
    """Fit a line for each number of references, and say how well it holds for held-out people."""
    fitted, held_out = faces.part(~faces.held_out), faces.part(faces.held_out)
    lines: dict[int, calibration.Line] = {}
    rows: list[list[str]] = []
    for count in REFERENCES:
        mine = calibration.trials(fitted.embeddings, fitted.owners, count)
        others = calibration.trials(held_out.embeddings, held_out.owners, count)
        line = lines[count] = calibration.fit(mine)
        even = -line[0] / line[1]
        evidence = calibration.along(line)
        error = calibration.error_of(evidence, others)
        verdict = "" if error < TOLERABLE_ERROR else " (too much)"
        rows.append([
            str(count), f"{line[0]:.2f}", f"{line[1]:.2f}", f"{even**2 / 2:.4f}",
            f"{calibration.error_of(evidence, mine):.4f}", f"{error:.4f}{verdict}",
            f"{calibration.error_of(evidence, others, 0.02):.5f}",
            f"{calibration.error_of(evidence, others, 0.001):.6f}",
        ])  # fmt: skip
    heads = [
        "references", "intercept", "slope", "distance at even odds", "ECE, people for calibration",
        "ECE, held-out people", "the same, 1 face in 50", "1 in 1,000",
    ]  # fmt: skip
    return lines, tables.markdown(heads, rows)


def main_chips(paths: Iterable[Path]) -> ByteArray:
    """Return the aligned crops (n, 150, 150, 3) of the main faces of photos."""
    preset = packs.find_preset("balanced")
    loaded = stages.load(packs.find_pack("default"), preset, int8=False, threads=1, cache=folder())
    chips: list[ByteArray] = []
    for path in paths:
        pixels = image.read(path, target=preset.detect_side).pixels
        found = loaded.detector.detect(pixels)
        if len(found.boxes):
            height, width = pixels.shape[:2]
            main = people.nearest_middle(found.boxes, width, height)
            chips.append(loaded.aligner.align(pixels, found.anchors[main : main + 1]))
    return np.concatenate(chips)


def activation_ranges(chips: ByteArray) -> dict[str, tuple[float, float]]:
    """Return the least and greatest value of each activation over chips and their mirror images."""
    watched = session(embed.build(read_network(weights.read("resnet")), watched=True))
    names = [output.name for output in watched.get_outputs()][1:]
    spans: dict[str, tuple[float, float]] = dict.fromkeys(names, (np.inf, -np.inf))
    for start in range(0, len(chips), _BATCH):
        some = chips[start : start + _BATCH]
        for batch in (some, np.ascontiguousarray(some[:, :, ::-1])):
            for name, values in zip(names, run(watched, chips=batch)[1:], strict=True):
                low, high = spans[name]
                spans[name] = min(low, float(values.min())), max(high, float(values.max()))
    return spans


def _short(numbers: Iterable[float]) -> list[float]:
    return [float(f"{number:.{_DIGITS}g}") for number in numbers]


def _json(content: dict[str, Any]) -> str:
    """One line for each activation, each number of references and each setting."""
    parts: list[str] = []
    for key, value in content.items():
        nested = value["resnet"] if key == "ranges" else value
        rows = ",\n".join(f'      "{name}": {json.dumps(row)}' for name, row in nested.items())
        if key == "ranges":
            parts.append(f'  "ranges": {{\n    "resnet": {{\n{rows}\n    }}\n  }}')
        else:
            parts.append(f'  "{key}": {{\n{rows}\n  }}'.replace("      ", "    "))
    return "{\n" + ",\n".join(parts) + "\n}\n"
