"""Quality: how well a face can be recognised, from its size, sharpness and pose."""

from __future__ import annotations

import cv2
import numpy as np

from lookwho.core.types import ByteArray, FloatArray

# A face of so many pixels, the side of its box, is worth nothing; one of twice as many half. The
# embedding of a shrunken face differs from that of the same face at full size by 9 / side (L2):
# 0.38 at 24 pixels, 0.19 at 48, 0.07 at 100; 0.45 is what two different people differ by.
WORTHLESS_SIDE = 20.0
# The detail of a chip from which nobody can be told, and of a sharp one; the chip's margin shows
# hair and background, which is not looked at.
SHARPNESS_RANGE = (0.035, 0.19)
MARGIN = 25
# How far aside the nose of a frontal face lies at most, and that of one in profile.
TURN_RANGE = (0.1, 0.5)


def assess(boxes: FloatArray, landmarks: FloatArray, chips: ByteArray) -> FloatArray:
    """Return (n,) float32 from 0 to 1: the least of what size, sharpness and pose allow.

    Args:
        boxes: (n, 4) in pixels of the image that the chips were cut from.
        landmarks: (n, 5, 2) in the same pixels.
        chips: (n, 150, 150, 3) uint8 RGB.
    """
    parts = np.stack([of_size(boxes), of_sharpness(chips), of_pose(landmarks)])
    return parts.min(axis=0).astype(np.float32)


def of_size(boxes: FloatArray) -> FloatArray:
    """Return (n,) from 0, a face of 20 pixels or less, towards 1."""
    sides = np.maximum(np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)), 1e-6)
    return np.clip(1 - WORTHLESS_SIDE / sides, 0, 1)


def of_sharpness(chips: ByteArray) -> FloatArray:
    """Return (n,) from 0, blurred beyond recognition, to 1.

    What a blur of 2 pixels takes away from the middle of the chip, in parts of its contrast.
    Measured on 160 chips blurred by 0 to 8 pixels: it falls from 0.19 to 0.04 while the embedding
    drifts to where a stranger's might be, and its logarithm follows that drift.
    """
    values = np.zeros(len(chips), np.float32)
    low, high = np.log(SHARPNESS_RANGE)
    for index, chip in enumerate(chips):
        grey = cv2.cvtColor(chip[MARGIN:-MARGIN, MARGIN:-MARGIN], cv2.COLOR_RGB2GRAY)
        grey = grey.astype(np.float32)
        detail = (grey - cv2.GaussianBlur(grey, (0, 0), 2.0)).std() / max(float(grey.std()), 1.0)
        values[index] = (np.log(max(float(detail), 1e-6)) - low) / (high - low)
    return np.clip(values, 0, 1)


def of_pose(landmarks: FloatArray) -> FloatArray:
    """Return (n,) from 0, a face in profile, to 1, one that looks at the camera.

    How far the nose lies to the side of the line from eyes to mouth, in parts of the face.
    """
    if not len(landmarks):
        return np.zeros(0, np.float32)
    eyes, mouth = landmarks[:, :2].mean(axis=1), landmarks[:, 3:].mean(axis=1)
    across = landmarks[:, 1] - landmarks[:, 0]
    width = np.linalg.norm(across, axis=1)
    size = np.maximum(np.maximum(width, np.linalg.norm(mouth - eyes, axis=1)), 1e-6)
    aside = ((landmarks[:, 2] - (eyes + mouth) / 2) * across).sum(axis=1)
    turned = np.abs(aside) / np.maximum(width, 1e-6) / size
    frontal, profile = TURN_RANGE
    return np.clip((profile - turned) / (profile - frontal), 0, 1).astype(np.float32)
