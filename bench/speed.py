"""Speed beside `face_recognition`, on the same photos and the same core, in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bench import machine, photos, processes, rival_environment, tables
from bench.photos import MEGAPIXELS, Photo
from bench.progress import shown
from bench.rounds import (
    FULL,
    QUICK,
    THEIRS,
    WAYS,
    Effort,
    Times,
    count_heads,
    counts,
    in_turn,
    measured,
    ratio,
    with_ratios,
)
from bench.sides import Found, Side

SIDES = (500, 1000, 1600)
# The longest side at which dlib's CNN is tried: it needs seconds.
CNN_SIDE = 500
CNN_ROUNDS = 3


def report(*, quick: bool = False) -> Iterator[str]:
    """Yield the lines of all tables.

    Raises:
        NoRival: `face_recognition` cannot be installed here.
    """
    load = machine.load()
    effort = QUICK if quick else FULL
    rival_environment.python()
    chosen = photos.labelled()[: effort.photos]
    core = next(iter(reversed(machine.cores())), None)
    with Side.ours(core) as ours, Side.theirs(core) as theirs:
        yield from machine.description(ours.versions(), theirs.versions())
        yield from machine.warning(load)
        yield _described(chosen, effort)
        yield from _heading("ms a face, after detection")
        yield from _parts(chosen, effort, core, theirs)
    for side in SIDES:
        yield from _heading(f"ms a photo with a longest side of {side} pixels, decoding left out")
        yield from _at_side(chosen, effort, core, side)
    yield from _heading(f"From files: JPEG of {MEGAPIXELS} million pixels")
    yield from processes.from_files(chosen, effort.rounds)
    yield from _heading("Cold start: a new process, until the faces of its first photo are known")
    yield from processes.cold_start(chosen[0].at_side(SIDES[0]), effort.starts, core)
    yield from _heading(f"Detectors alone, ms a photo with a longest side of {CNN_SIDE} pixels")
    yield from _detectors(chosen, effort, core)


def _heading(title: str) -> list[str]:
    return ["", f"### {title}", ""]


def _described(chosen: Sequence[Photo], effort: Effort) -> str:
    faces = [photo.faces for photo in chosen if photo.faces is not None]
    if len(faces) == len(chosen):
        what = f"{len(chosen)} photos with {sum(faces)} labelled faces"
    else:
        what = f"{len(chosen)} photos; nobody labelled their faces, so true ones are not counted"
    return (
        f"{what}; smaller ones are enlarged to the size of the table. Medians of {effort.rounds} "
        "rounds; times as fast: median (least–greatest) of the rounds."
    )


_PARTS = {
    # What is measured, dlib's measurement that it is compared with, and how the table calls it.
    "landmarks": ("landmarks", "five landmarks"),
    "chips": ("chips", "aligned crop"),
    "embedding": ("embedding", "embedding, one face at a time"),
    "embedding at once": ("embedding at once", "embedding, 16 faces at a time"),
    "with mirror image": ("embedding", "with mirror image, one face at a time (dlib: without)"),
    "with mirror image at once": ("embedding at once", "the same, 16 faces at a time"),
}


def _parts(chosen: Sequence[Photo], effort: Effort, core: int | None, theirs: Side) -> list[str]:
    """Time landmarks, chips and embedding on the faces that HOG finds."""
    work: list[tuple[Path, list[list[int]]]] = []
    for photo in chosen:
        path = photo.at_side(SIDES[0])
        boxes = theirs.locate(path).boxes
        if len(boxes):
            work.append((path, np.rint(boxes * (photos.size_of(path) * 2)).astype(int).tolist()))
    faces = sum(len(boxes) for _, boxes in work)
    found: dict[str, list[dict[str, float]]] = {"dlib": [], "float32": [], "int8": []}
    with Side.ours(core) as exact, Side.ours(core, int8=True) as rounded:
        sides = dict(zip(found, (theirs, exact, rounded), strict=True))
        for side in sides.values():
            side.parts(*work[0])
        for number in shown(range(effort.rounds), "parts"):
            for sums in found.values():
                sums.append({})
            for path, boxes in work:
                for name in in_turn(sides, number):
                    sums = found[name][-1]
                    for part, spent in sides[name].parts(path, boxes).items():
                        sums[part] = sums.get(part, 0.0) + spent
    rows: list[list[str]] = []
    for part, (same, title) in _PARTS.items():
        rival = np.array([sums[same] for sums in found["dlib"]])
        cells = [f"{np.median(rival) / faces:.2f}"]
        for name in ("float32", "int8"):
            mine = np.array([sums[part] for sums in found[name]])
            cells += [f"{np.median(mine) / faces:.2f}", ratio(rival / mine)]
        rows.append([title, *cells])
    heads = [f"{faces} faces", "dlib", "float32", "times as fast", "int8", "times as fast"]
    return tables.markdown(heads, rows)


def _at_side(chosen: Sequence[Photo], effort: Effort, core: int | None, side: int) -> list[str]:
    paths = [photo.at_side(side) for photo in chosen]
    with ExitStack() as stack:
        sides = {THEIRS: stack.enter_context(Side.theirs(core))}
        for name, settings in WAYS.items():
            sides[name] = stack.enter_context(Side.ours(core, **settings))
        asks = {name: one.analyze for name, one in sides.items()}
        found = measured(asks, chosen, paths, effort.rounds, f"{side} pixels")
    return _table("", "{:.1f}", chosen, found)


def _detectors(chosen: Sequence[Photo], effort: Effort, core: int | None) -> list[str]:
    """Compare detectors on the photos with most faces; dlib's enlarge a photo to twice its size."""
    groups = sorted(chosen, key=lambda photo: -(photo.faces or 0))[: effort.groups]
    paths = [photo.at_side(CNN_SIDE) for photo in groups]
    with Side.theirs(core) as theirs, Side.ours(core) as ours:
        asks: dict[str, Callable[[Path], Found]] = {
            "dlib's CNN, upsample 1": lambda path: theirs.locate(path, detector="cnn"),
            "the same CNN, pack dlib": lambda path: ours.locate(path, detector="dlib"),
            "dlib's HOG, upsample 1": theirs.locate,
            "MTCNN, pack default": ours.locate,
        }
        rounds = min(effort.rounds, CNN_ROUNDS)
        found = measured(asks, groups, paths, rounds, "detectors")
    shown_faces = sum(photo.faces or 0 for photo in groups)
    title = f"photos: {len(groups)}" + (f", faces: {shown_faces}" if shown_faces else "")
    return _table(title, "{:.0f}", groups, found)


def _table(title: str, form: str, chosen: Sequence[Photo], found: dict[str, Times]) -> list[str]:
    """Return one row for each side; where faces are labelled, also what a true one costs."""
    rows: list[list[str]] = []
    for name, times, ratios in with_ratios(found):
        row = [name, form.format(times.median() / len(chosen)), ratios, *counts(times.tally)]
        if times.tally.true is not None:
            row.append(form.format(times.median() / max(times.tally.true, 1)))
        rows.append(row)
    heads = [title, "ms a photo", "times as fast", *count_heads(chosen)]
    if len(heads) < len(rows[0]):
        heads.append("ms a true face")
    return tables.markdown(heads, rows)
