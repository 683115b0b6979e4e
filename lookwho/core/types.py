"""The arrays that travel between the stages, and the faces of one photo.

Geometry, once and everywhere: boxes are (n, 4) float32 x1, y1, x2, y2 in pixels of the upright
image; landmarks are (n, 5, 2) float32 x, y of left eye, right eye, nose, left mouth corner, right
mouth corner, as seen in the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 by promise; the stubs of numpy widen it to float64 in plain arithmetic.
FloatArray: TypeAlias = NDArray[np.floating[Any]]
DoubleArray: TypeAlias = NDArray[np.float64]
ByteArray: TypeAlias = NDArray[np.uint8]
IntArray: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Detections:
    """What a detector found in one image.

    Attributes:
        boxes: (n, 4) in pixels of the image that was searched.
        scores: (n,) float32, best first; what a score means is the detector's affair.
        landmarks: (n, 5, 2) in the same pixels.
        anchors: (n, 4) squares around the faces, as dlib's detectors frame them.
        best_rejected: the highest score among candidates that just failed, or 0.
    """

    boxes: FloatArray
    scores: FloatArray
    landmarks: FloatArray
    anchors: FloatArray
    best_rejected: float = 0.0

    @classmethod
    def empty(cls, best_rejected: float = 0.0) -> Detections:
        """No face."""
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, 5, 2), np.float32),
            np.zeros((0, 4), np.float32),
            best_rejected,
        )


class Reason(StrEnum):
    """Why a photo gave no face: a code, and a sentence in `message`."""

    TOO_SMALL = "too_small"
    BLANK = "blank"
    UNSURE = "unsure"
    NOTHING = "nothing"

    @property
    def message(self) -> str:
        """What a person is told."""
        return _REASONS[self]


_REASONS = {
    Reason.TOO_SMALL: "the photo is smaller than the smallest face that is looked for",
    Reason.BLANK: "the photo is nearly of one tone: black, white or blank",
    Reason.UNSURE: "something looked like a face, but not enough: small, blurred or turned away",
    Reason.NOTHING: "nothing in the photo looks like a face",
}


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a photo.

    Attributes:
        box: (4,) float32 x1, y1, x2, y2 in pixels of the upright photo.
        landmarks: (5, 2) float32 in the same pixels.
        score: how sure the detector is.
        quality: how well the face can be recognised, 0 to 1.
        embedding: (dim,) float32 of unit length.
        encoding: (128,) float32, dlib's own descriptor; None for packs without one.
    """

    box: FloatArray
    landmarks: FloatArray
    score: float
    quality: float
    embedding: FloatArray
    encoding: FloatArray | None


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces of one photo, the largest first.

    Attributes:
        boxes: (n, 4) float32 x1, y1, x2, y2 in pixels of the upright photo.
        landmarks: (n, 5, 2) float32 in the same pixels.
        scores: (n,) float32, how sure the detector is.
        quality: (n,) float32, how well the face can be recognised, 0 to 1.
        embeddings: (n, dim) float32 of unit length; to be compared by cosine.
        encodings: (n, 128) float32, dlib's own descriptors, as `face_recognition` gives them; None
            for packs without them.
        width: of the upright photo in pixels.
        height: of the upright photo in pixels.
        reason: why there is no face; None where there is one.
        pack: the name of the models that made this.
    """

    boxes: FloatArray
    landmarks: FloatArray
    scores: FloatArray
    quality: FloatArray
    embeddings: FloatArray
    encodings: FloatArray | None
    width: int
    height: int
    reason: Reason | None
    pack: str

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: int) -> Face:
        return Face(
            box=self.boxes[index],
            landmarks=self.landmarks[index],
            score=float(self.scores[index]),
            quality=float(self.quality[index]),
            embedding=self.embeddings[index],
            encoding=None if self.encodings is None else self.encodings[index],
        )

    def __iter__(self) -> Iterator[Face]:
        return (self[index] for index in range(len(self)))
