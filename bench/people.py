"""A folder for each person, and the face in each photo that the folder is named for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from bench import engine
from lookwho.core.types import Faces, FloatArray, IntArray
from lookwho.files.walk import walk

BoolArray = NDArray[np.bool_]

# Fewer initials than this say nothing about who is who; names are then split by their hashes.
_LEAST_INITIALS = 4
# Someone on either side needs so many photos: five references, and one to find with them.
LEAST_PHOTOS = 6


@dataclass(frozen=True, slots=True)
class People:
    """The main face of each photo that has one.

    Attributes:
        names: of the people, in order.
        owners: (n,) which of them each face is of.
        held_out: (people,) whether calibration may not look at them.
        split: how the held-out ones were chosen, in words.
        embeddings: (n, d) float32 of unit length.
        encodings: (n, 128) float32, dlib's own descriptors.
        quality: (n,) float32.
        photos: how many there are, also those without a face.
        photos_held_out: how many of them are of held-out people.
        without: the photos without a face.
    """

    names: tuple[str, ...]
    owners: IntArray
    held_out: BoolArray
    split: str
    embeddings: FloatArray
    encodings: FloatArray
    quality: FloatArray
    photos: int
    photos_held_out: int
    without: tuple[Path, ...]

    def part(self, chosen: BoolArray) -> People:
        """Return the faces of the chosen (people,) alone."""
        faces = chosen[self.owners]
        return replace(
            self,
            owners=self.owners[faces],
            embeddings=self.embeddings[faces],
            encodings=self.encodings[faces],
            quality=self.quality[faces],
        )


def photos(folder: Path) -> list[tuple[str, Path]]:
    """Return the name and the path of each photo in a folder of folders.

    Raises:
        ClickException: there are no such photos.
    """
    found = [
        (person.name, Path(path))
        for person in sorted(folder.iterdir())
        if person.is_dir()
        for path in walk([person])
        if isinstance(path, str)
    ]
    if len({name for name, _ in found}) < 2:
        raise click.ClickException(f"{folder} holds no folders of photos, one for each person")
    return found


def read(folder: Path, **settings: Any) -> People:
    """Analyse the photos of a folder of folders.

    Args:
        folder: one folder for each person; its name is theirs.
        settings: pack, preset and int8, as for `Analyzer`.

    Raises:
        ClickException: there are too few photos to measure anything.
    """
    found = photos(folder)
    names = tuple(sorted({name for name, _ in found}))
    held_out, split = halves(names)
    counts = np.bincount([names.index(name) for name, _ in found])
    for side in (held_out, ~held_out):
        if side.sum() < 2 or counts[side].max() < LEAST_PHOTOS:
            raise click.ClickException(
                f"{folder} holds too few photos: it is split by person ({split}), and on either "
                f"side are needed two people, and {LEAST_PHOTOS} photos of one of them"
            )
    what = "int8" if settings.get("int8") else "float32"
    rows: list[tuple[int, FloatArray, FloatArray, float]] = []
    without: list[Path] = []
    analyzed = engine.analyze([path for _, path in found], f"faces, {what}", **settings)
    for (name, path), faces in zip(found, analyzed, strict=True):
        if not len(faces):
            without.append(path)
            continue
        face = faces[main_face(faces)]
        assert face.encoding is not None  # every pack so far ends in dlib's network
        rows.append((names.index(name), face.embedding, face.encoding, face.quality))
    return People(
        names=names,
        owners=np.array([row[0] for row in rows], np.int64),
        held_out=held_out,
        split=split,
        embeddings=np.array([row[1] for row in rows], np.float32),
        encodings=np.array([row[2] for row in rows], np.float32),
        quality=np.array([row[3] for row in rows], np.float32),
        photos=len(found),
        photos_held_out=sum(bool(held_out[names.index(name)]) for name, _ in found),
        without=tuple(without),
    )


def main_face(faces: Faces) -> int:
    """Return which face a photo is about: near the middle, and large."""
    return nearest_middle(faces.boxes, faces.width, faces.height)


def nearest_middle(boxes: FloatArray, width: int, height: int) -> int:
    """Return the box whose centre is nearest to the photo's, less half the box's side.

    Others may stand in the background, at times larger than the one that is meant.

    >>> nearest_middle(np.float32([[0, 0, 60, 60], [40, 40, 70, 70]]), 100, 100)
    1
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = np.linalg.norm(centres - np.array([width, height]) / 2, axis=1)
    sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    return int(np.argmin(away - sides / 2))


def halves(names: tuple[str, ...]) -> tuple[BoolArray, str]:
    """Return which (people,) are held out, and how they were chosen.

    The later half of the initials where there are enough of them, or else every name whose hash is
    odd. Either way a person is on the same side in every run.

    >>> halves(("Ann", "Bob", "Cid", "Dan"))[1]
    'A-B for calibration, C-D held out'
    """
    initials = sorted({name[0].upper() for name in names if name[0].isalpha()})
    if len(initials) < _LEAST_INITIALS:
        odd = [hashlib.sha256(name.encode()).digest()[0] % 2 == 1 for name in names]
        return np.array(odd), "by a hash of the name"
    middle = (len(initials) + 1) // 2
    first, second = initials[:middle], initials[middle:]
    told = f"{first[0]}-{first[-1]} for calibration, {second[0]}-{second[-1]} held out"
    return np.array([name[0].upper() in second for name in names]), told
