"""Sightings: the faces in one picture of a video, found, looked for again and embedded.

The same models as for photos. Finding costs 10 to 20 ms a picture, looking again where a face was
2 ms, embedding 15 ms; so a track is mostly followed by the first two, and few views are embedded.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from lookwho.core import packs, quality, stages
from lookwho.core.resize import resized
from lookwho.core.tracks import View
from lookwho.core.types import ByteArray, Detections, FloatArray

# The longest side of pictures as they are read, and, for each preset, as they are searched.
READ_SIDE = 1280
SEARCH_SIDES = {"fast": 800, "balanced": 960, "thorough": 1280}
# Where a face was, it is still if the network is as sure as this.
STILL = 0.6
# The crop of a view: its side in longer sides of the box, in pixels at most, and its quality.
CROP_MARGIN = 1.6
CROP_SIDE = 256
CROP_QUALITY = 88


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One face in one picture of a video.

    Attributes:
        time: of the picture, in seconds.
        box: (4,) float32 x1, y1, x2, y2 in pixels of the picture as it was read.
        landmarks: (5, 2) float32, in the same pixels.
        anchor: (4,) float32, the square that chips are cut from.
        score: how sure the detector is.
    """

    time: float
    box: FloatArray
    landmarks: FloatArray
    anchor: FloatArray
    score: float

    @property
    def side(self) -> float:
        """Of a square as large as the box, in pixels."""
        return float(np.sqrt(max(np.prod(self.box[2:] - self.box[:2]), 1e-6)))


class Eyes:
    """Finds and embeds the faces in pictures of a video.

    Args:
        pack: which models: "default", or "dlib" for dlib's own CNN detector.
        threads: threads inside one operation.
        preset: how hard to look: "fast", "balanced" or "thorough".
        int8: whether to embed in eight bits. None: as the preset says.
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
        settings = packs.settings(pack, preset, int8, threads)
        self.pack = pack
        self._side = SEARCH_SIDES[preset]
        cv2.setNumThreads(threads)
        self._stages = stages.load(
            packs.find_pack(pack),
            dataclasses.replace(packs.find_preset(preset), detect_side=self._side),
            int8=settings["int8"],
            threads=threads,
            cache=cache,
        )

    def find(self, time: float, pixels: ByteArray) -> list[Sighting]:
        """Find the faces of a picture (h, w, 3) uint8 RGB."""
        zoom = max(1.0, max(pixels.shape[:2]) / self._side)
        searched = pixels
        if zoom > 1:
            width, height = (max(1, round(side / zoom)) for side in pixels.shape[1::-1])
            searched = resized(pixels, width, height)
        return _sightings(time, self._stages.detector.detect(searched), zoom)

    def again(self, time: float, pixels: ByteArray, seen: list[Sighting]) -> list[Sighting | None]:
        """Look where faces were in a picture shortly before or after; None for one that is gone."""
        if not seen:
            return []
        boxes = np.stack([one.box for one in seen])
        placed = self._stages.placer.place(pixels, boxes)
        found: list[Sighting | None] = []
        for index, one in enumerate(seen):
            points = placed.landmarks[index]
            if placed.scores[index] < STILL:
                found.append(None)
                continue
            # The network says where the landmarks are now; the box moves and grows with them.
            now = _moved(one, points)
            found.append(
                Sighting(time, now, points, placed.anchors[index], float(placed.scores[index]))
            )
        return found

    def worth(self, pixels: ByteArray, one: Sighting) -> float:
        """Return roughly how well a face can be recognised, without embedding it: 0 to 1."""
        height, width = pixels.shape[:2]
        x1, y1, x2, y2 = np.clip(np.round(one.box).astype(int), 0, [width, height] * 2)
        if x2 - x1 < 4 or y2 - y1 < 4:
            return 0.0
        # As large as the face is in a chip, with a margin that sharpness does not look at.
        side = 100 + 2 * quality.MARGIN
        chip = np.zeros((1, side, side, 3), np.uint8)
        inner = resized(np.ascontiguousarray(pixels[y1:y2, x1:x2]), 100, 100)
        chip[0, quality.MARGIN : -quality.MARGIN, quality.MARGIN : -quality.MARGIN] = inner
        points = one.landmarks[None]
        parts = [
            quality.of_size(one.box[None]),
            quality.of_sharpness(chip),
            quality.of_pose(points),
            quality.of_frame(points, width, height),
        ]
        # The product, where the quality is the least: of two that are equally bad in one thing
        # the one that is better in others.
        return float(np.prod(parts)) * one.score

    def views(self, pixels: ByteArray, seen: list[Sighting]) -> list[View]:
        """Embed faces of one picture; their crops are empty."""
        if not seen:
            return []
        boxes, landmarks = (
            np.stack([one.box for one in seen]),
            np.stack([one.landmarks for one in seen]),
        )
        chips = self._stages.aligner.align(pixels, np.stack([one.anchor for one in seen]))
        embeddings, encodings = self._stages.embedder.embed(chips)
        height, width = pixels.shape[:2]
        worth = quality.assess(boxes, landmarks, chips, embeddings, width=width, height=height)
        size = np.array([width, height], np.float32)
        return [
            View(
                time=one.time,
                box=(one.box / np.tile(size, 2)).astype(np.float32),
                landmarks=(one.landmarks / size).astype(np.float32),
                score=one.score,
                quality=float(min(worth[index], one.score)),
                embedding=embeddings[index],
                encoding=encodings[index],
            )
            for index, one in enumerate(seen)
        ]


def crop(pixels: ByteArray, box: FloatArray) -> bytes:
    """Return the bytes of a JPEG of the square around a box, (4,) in pixels of the picture."""
    height, width = pixels.shape[:2]
    size = float(CROP_MARGIN * max(box[2:] - box[:2]))
    size = round(min(max(size, 1), width, height))
    left = round(min(max(float(box[0] + box[2] - size) / 2, 0), width - size))
    top = round(min(max(float(box[1] + box[3] - size) / 2, 0), height - size))
    square = np.ascontiguousarray(pixels[top : top + size, left : left + size])
    if size > CROP_SIDE:
        square = resized(square, CROP_SIDE, CROP_SIDE)
    return simplejpeg.encode_jpeg(np.ascontiguousarray(square), quality=CROP_QUALITY)


def _sightings(time: float, found: Detections, zoom: float) -> list[Sighting]:
    # From pixels of the searched picture to those of the one that crops are cut from, whose
    # corners lie half a pixel outside its first and last pixels' centres.
    boxes, landmarks, anchors = (
        ((part + 0.5) * zoom - 0.5).astype(np.float32)
        for part in (found.boxes, found.landmarks, found.anchors)
    )
    return [
        Sighting(time, boxes[index], landmarks[index], anchors[index], float(found.scores[index]))
        for index in range(len(boxes))
    ]


def _moved(one: Sighting, points: FloatArray) -> FloatArray:
    """Return the box of a face whose landmarks are now these."""
    was, now = one.landmarks.mean(axis=0), points.mean(axis=0)
    before = float(np.linalg.norm(one.landmarks - was))
    grown = float(np.linalg.norm(points - now)) / max(before, 1e-6)
    corners = one.box.reshape(2, 2)
    return ((corners - was) * grown + now).reshape(4).astype(np.float32)
