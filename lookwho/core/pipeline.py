"""The engine in one call: a photo in, its faces out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lookwho.core import packs, quality, stages
from lookwho.core.errors import InputError
from lookwho.core.image import Picture, Source, read
from lookwho.core.resize import resized
from lookwho.core.types import ByteArray, Faces, FloatArray, Reason

if TYPE_CHECKING:
    from lookwho.core.batch import Outcome

# A photo whose grey levels spread by less than this (their standard deviation) shows nothing.
BLANK_SPREAD = 4.0


class Analyzer:
    """Finds, aligns and embeds the faces of photos.

    Args:
        pack: which models: "default", or "dlib" for dlib's own CNN detector.
        threads: threads inside one operation. To use all cores take `batch`: one process a core
            with one thread each is faster.
        preset: how hard to look: "fast", "balanced" or "thorough".
        int8: whether to embed in eight bits: 2.7 times as fast, slightly less exact. None: as
            the preset says.
        cache: the folder of the model cache; None for this user's own.

    Raises:
        InputError: there is no such pack or preset.
        ModelError: a model file is missing, altered or unreadable.
    """

    def __init__(
        self,
        pack: str = "default",
        *,
        threads: int = 1,
        preset: str = "balanced",
        int8: bool | None = None,
        cache: Path | None = None,
    ) -> None:
        self.pack = packs.find_pack(pack)
        self.preset = packs.find_preset(preset)
        self.settings = packs.settings(pack, preset, int8, threads)
        self._cache = cache
        # Otherwise OpenCV starts a thread a core for work that takes a millisecond.
        cv2.setNumThreads(threads)
        self._stages = stages.load(
            self.pack, self.preset, int8=self.settings["int8"], threads=threads, cache=cache
        )

    def __call__(self, source: Source) -> Faces:
        """Analyse one photo.

        Args:
            source: a path, the bytes of a file, a PIL image, or (h, w, 3) uint8 RGB.

        Raises:
            InputError: the photo is missing, broken, too large or no photo.
        """
        return self.analyze(read(source, target=self.preset.crop_side))

    def analyze(self, picture: Picture) -> Faces:
        """Analyse a photo that has been decoded already."""
        searched, zoom = self._searched(picture.pixels)
        found = self._stages.detector.detect(searched)
        # From pixels of the searched image to pixels of the one that crops are cut from, whose
        # corners lie half a pixel outside its first and last pixels' centres.
        chips = self._stages.aligner.align(picture.pixels, _zoomed(found.anchors, zoom))
        embeddings, encodings = self._stages.embedder.embed(chips)
        boxes, landmarks = _zoomed(found.boxes, zoom), _zoomed(found.landmarks, zoom)
        height, width = picture.pixels.shape[:2]
        worth = quality.assess(boxes, landmarks, chips, embeddings, width=width, height=height)
        to_original = 1 / picture.scale
        order = np.argsort(-(boxes[:, 2] - boxes[:, 0]), kind="stable")
        return Faces(
            boxes=_zoomed(boxes, to_original)[order],
            landmarks=_zoomed(landmarks, to_original)[order],
            scores=found.scores[order],
            quality=worth[order],
            embeddings=embeddings[order],
            encodings=encodings[order],
            width=picture.width,
            height=picture.height,
            reason=None if len(order) else self._reason(searched, found.best_rejected),
            pack=self.pack.name,
        )

    def embed(self, source: Source, boxes: FloatArray) -> Faces:
        """Align and embed the faces in boxes that somebody drew.

        Args:
            source: as for a call of the analyzer itself.
            boxes: (n, 4) in pixels of the upright photo.

        Returns:
            A face for each box, in their order, with the boxes as they were given. A score is how
            sure the detector is that there is a face; the quality is never higher, so that what
            only its drawer sees as a face founds no group.

        Raises:
            InputError: the photo cannot be read, or a box is none in it.
        """
        picture = read(source, target=self.preset.crop_side)
        given = np.asarray(boxes, np.float32).reshape(-1, 4)
        size = np.array([picture.width, picture.height] * 2)
        if not np.isfinite(given).all() or (given < -size).any() or (given > 2 * size).any():
            raise InputError(f"a box lies outside the photo of {size[0]} x {size[1]} pixels")
        if (given[:, 2:] - given[:, :2] < 1).any():
            raise InputError("a box is less than a pixel wide or high")
        placed = _zoomed(given, picture.scale)
        found = self._stages.placer.place(picture.pixels, placed)
        chips = self._stages.aligner.align(picture.pixels, found.anchors)
        embeddings, encodings = self._stages.embedder.embed(chips)
        height, width = picture.pixels.shape[:2]
        worth = quality.assess(
            placed, found.landmarks, chips, embeddings, width=width, height=height
        )
        return Faces(
            boxes=given,
            landmarks=_zoomed(found.landmarks, 1 / picture.scale),
            scores=found.scores,
            quality=np.minimum(worth, found.scores),
            embeddings=embeddings,
            encodings=encodings,
            width=picture.width,
            height=picture.height,
            reason=None,
            pack=self.pack.name,
        )

    def batch(
        self, paths: Iterable[str | Path], *, processes: int | None = None
    ) -> Iterator[Outcome]:
        """Analyse many files over several processes, as a stream in the order of `paths`.

        A file that cannot be read, that hangs or that crashes its process gives an `Outcome` with
        an error; the others go on.

        Args:
            paths: what to analyse.
            processes: how many; None for one a core.
        """
        from lookwho.core.batch import run

        return run(paths, self.settings, processes=processes, cache=self._cache)

    def _searched(self, pixels: ByteArray) -> tuple[ByteArray, float]:
        """Return the image to search, and how much larger `pixels` are."""
        longest = max(pixels.shape[:2])
        if longest <= self.preset.detect_side:
            return pixels, 1.0
        zoom = longest / self.preset.detect_side
        width, height = (max(1, round(side / zoom)) for side in pixels.shape[1::-1])
        return resized(pixels, width, height), zoom

    def _reason(self, searched: ByteArray, best_rejected: float) -> Reason:
        if min(searched.shape[:2]) < self.preset.min_face:
            return Reason.TOO_SMALL
        if best_rejected > 0:
            return Reason.UNSURE
        if searched.mean(axis=2).std() < BLANK_SPREAD:
            return Reason.BLANK
        return Reason.NOTHING


def _zoomed(coordinates: FloatArray, zoom: float) -> FloatArray:
    """Scale coordinates (..., x, y, ..), whose first pixel's centre is 0, 0."""
    if zoom == 1:
        return coordinates
    return ((coordinates + 0.5) * zoom - 0.5).astype(np.float32)
