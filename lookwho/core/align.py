"""Align: from a detector's faces to the upright crops that the embedder was trained on."""

from __future__ import annotations

import numpy as np

from lookwho.core.chips import chips
from lookwho.core.landmarks import LandmarkPredictor
from lookwho.core.types import ByteArray, FloatArray


class Aligner:
    """Cuts chips: finds dlib's five points inside each face and turns them upright.

    Args:
        predictor: dlib's five-point predictor.
    """

    def __init__(self, predictor: LandmarkPredictor) -> None:
        self._predictor = predictor

    def align(self, pixels: ByteArray, anchors: FloatArray) -> ByteArray:
        """Return (n, 150, 150, 3) uint8 RGB chips.

        Args:
            pixels: (h, w, 3) uint8 RGB, upright.
            anchors: (n, 4) squares in pixels of it, as dlib's detectors frame a face.
        """
        boxes = np.floor(anchors + 0.5).astype(np.int64)
        return chips(pixels, self._predictor.predict(pixels, boxes))
