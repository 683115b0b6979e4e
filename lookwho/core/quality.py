"""Quality: how well a face can be recognised, from how it was photographed and embedded.

What the embedder cannot recognise it puts into one place: hidden and cut-off faces, hands, hair.
There strangers resemble each other, so nothing may be concluded from such a face.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import cv2
import numpy as np

from lookwho.core.mtcnn import USUAL_LANDMARKS
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
# How much of the square around a face the picture's edge may cut off, and how much leaves too
# little. Of 100 frontal faces of identities/ that were cut off at one side the embeddings drift
# (L2) by 0.09 where 0.15 of the square is gone, which is what lies beside the face; by 0.20 at
# 0.3, 0.30 at 0.4, 0.40 at 0.5 and, which is a stranger, by 0.46 at 0.55.
CUT_RANGE = (0.15, 0.55)
# How much (cosine) embeddings that are somebody's resemble that of noise, and those that are not.
# Of the labelled faces of people A-E of identities/ 2% resemble it by 0.915 or more, and two of
# 1,612 by 0.927, which is worth `core.group.LEAST_QUALITY`; of 33 hidden, cut-off or imagined faces
# in the backgrounds, which were good by all else and one group, 32.
NOISE_RANGE = (0.915, 0.935)
# A square that is turned by less than this (its sine) is taken to be turned by so much.
LEAST_TURN = 1e-4


def assess(
    boxes: FloatArray,
    landmarks: FloatArray,
    chips: ByteArray,
    embeddings: FloatArray,
    *,
    width: int,
    height: int,
) -> FloatArray:
    """Return (n,) float32 from 0 to 1: the least of what each part allows.

    Args:
        boxes: (n, 4) in pixels of the image that the chips were cut from.
        landmarks: (n, 5, 2) in the same pixels.
        chips: (n, 150, 150, 3) uint8 RGB.
        embeddings: (n, 128) of unit length.
        width: of that image.
        height: of it.
    """
    parts = [
        of_size(boxes),
        of_sharpness(chips),
        of_pose(landmarks),
        of_frame(landmarks, width, height),
        of_embedding(embeddings),
    ]
    return np.stack(parts).min(axis=0).astype(np.float32)


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


def of_frame(landmarks: FloatArray, width: int, height: int) -> FloatArray:
    """Return (n,) from 0, a face half of which lies outside the image, to 1, one inside it.

    A portrait that is cut close on all sides is worth more than a face that lost as much at one:
    the root of the sum of the squares of what each edge takes follows the embedding's drift there,
    at single sides and at corners alike; the sum does not.

    Args:
        landmarks: (n, 5, 2) in pixels of the image.
        width: of the image.
        height: of it.
    """
    taken = np.sqrt((beyond(landmarks, width, height) ** 2).sum(axis=1))
    whole, half = CUT_RANGE
    return np.clip((half - taken) / (half - whole), 0, 1).astype(np.float32)


def beyond(landmarks: FloatArray, width: int, height: int) -> FloatArray:
    """Return (n, 4), how much of a face lies beyond the left, top, right and bottom edge, 0 to 1.

    Of the square around it, which turns with it: what its landmarks usually are parts of.
    """
    # In the plane a similarity is one product of complex numbers: see `core.chips.similarity`.
    points = landmarks.astype(np.float64) @ (1, 1j)
    usual = USUAL_LANDMARKS.astype(np.float64) @ (1, 1j)
    spread = usual - usual.mean()
    turn = points @ spread.conj() / (np.abs(spread) ** 2).sum()
    middle = points.mean(axis=1) + turn * (0.5 + 0.5j - usual.mean())
    side = np.maximum(np.abs(turn), 1e-6)
    across = np.maximum(np.abs(turn.real) / side, LEAST_TURN)[:, None]
    along = np.maximum(np.abs(turn.imag) / side, LEAST_TURN)[:, None]
    # How far each edge reaches in, from the corner that lies farthest out, in sides of the square.
    inside = [middle.real + 0.5, middle.imag + 0.5, width - 0.5 - middle.real]
    inside.append(height - 0.5 - middle.imag)
    depth = (across + along) / 2 - np.stack(inside, axis=1) / side[:, None]
    depth = np.clip(depth, 0, across + along)
    # A triangle, of which what lies beside the square is taken off again.
    whole, one, other = (
        np.maximum(part, 0) ** 2 for part in (depth, depth - across, depth - along)
    )
    return ((whole - one - other) / (2 * across * along)).astype(np.float32)


def of_embedding(embeddings: FloatArray) -> FloatArray:
    """Return (n,) from 0, an embedding such as noise has, to 1, one that is somebody's.

    Source:
        Deng et al., Harnessing Unrecognizable Faces for Improving Face Recognition,
        arXiv:2106.04112, 2021: how far an embedding is from those of unrecognisable faces tells
        how well it can be recognised. Noise is where those are too, and belongs to nobody.
    """
    told, untold = NOISE_RANGE
    return np.clip((untold - embeddings @ noise()) / (untold - told), 0, 1).astype(np.float32)


@cache
def noise() -> FloatArray:
    """Return (128,) float32 of unit length: what the embedder makes of noise.

    The mean over 60 chips of random grey levels, smoothed, that tests/core/test_quality.py draws.
    """
    text = files("lookwho.core").joinpath("noise.json").read_text(encoding="utf-8")
    vector = np.array(json.loads(text), np.float32)
    return vector / np.linalg.norm(vector)
