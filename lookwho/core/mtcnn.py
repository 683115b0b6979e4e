"""MTCNN: three small networks, each looking closer at what the one before let through.

The proposal network runs over a pyramid of the whole image, the refinement network over crops of
24x24 pixels, and the output network, which gives the final box, score and landmarks, over crops
of 48x48.

Source: Zhang et al., Joint Face Detection and Alignment using Multi-task Cascaded Convolutional
Networks, IEEE Signal Processing Letters 23(10), 2016; weights from the `mtcnn` wheel 1.0.0.
"""

from __future__ import annotations

import cv2
import numpy as np

from lookwho.core.boxes import square, suppress, suppress_nested
from lookwho.core.mtcnn_graphs import OUTPUT_SIDE, REFINE_SIDE
from lookwho.core.packs import Thresholds
from lookwho.core.resize import resized
from lookwho.core.runtime import Session, run
from lookwho.core.types import ByteArray, Detections, FloatArray

# The proposal network sees a window of 12 pixels and answers on every second pixel.
WINDOW = 12
STRIDE = 2
# Each level of the pyramid is smaller by this. With it, the overlaps and the first threshold below
# three networks find as many faces as with the reference implementation's 0.709, 0.5, 0.7 and 0.6,
# with as few false ones, in 0.7 of the time (16 photos of labelled groups, 120 of street crowds).
PYRAMID_FACTOR = 0.65
# Rows of answers computed at once, and crops a run: what a second-level cache of 1 MB holds.
STRIP_ROWS = 64
BATCH = 32
# Crops sampled at once: cv2.remap takes images of less than 32,768 rows.
REMAP_BATCH = 512
# A candidate that the output network gives less than this at first sight is not looked at again.
PROMISING = 0.4
# One that it gives more than this is not looked at again where speed is wanted.
SURE = 0.98
# Greatest overlaps: within a level, between levels, after refinement, and of nested boxes.
OVERLAP_LEVEL = 0.35
OVERLAP_PYRAMID = 0.5
OVERLAP_REFINED = 0.5
OVERLAP_NESTED = 0.7
# What lies outside the image, as a crop sees it: zero after normalisation, to half a grey level.
OUTSIDE = (127, 127, 127)

# Where the landmarks of a face usually are, in parts of the square around its box: the means over
# 335 faces of press photos, and their mirror images.
USUAL_LANDMARKS = np.array(
    [[0.334, 0.387], [0.666, 0.387], [0.5, 0.582], [0.353, 0.756], [0.647, 0.756]], np.float32
)
# Where each landmark goes in the mirror image: left and right change places.
MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)


class Mtcnn:
    """Finds faces and their five landmarks.

    Args:
        proposal, refinement, output: sessions of the graphs that `mtcnn_graphs.build` writes.
        min_face: the smallest face to look for, the side of its box in pixels.
        thresholds: what each network must give a candidate to pass it on.
        careful: whether the output network looks at every candidate a second time, and at its
            mirror image; otherwise only at doubtful ones, and not at the mirror image.
    """

    def __init__(
        self,
        proposal: Session,
        refinement: Session,
        output: Session,
        *,
        min_face: float = 22,
        thresholds: Thresholds | None = None,
        careful: bool = True,
    ) -> None:
        self._proposal = proposal
        self._refinement = refinement
        self._output = output
        self._min_face = min_face
        self._thresholds = thresholds or Thresholds()
        self._careful = careful

    def detect(self, pixels: ByteArray) -> Detections:
        """Find the faces of one image.

        Args:
            pixels: (h, w, 3) uint8 RGB, upright.
        """
        candidates = self._propose(pixels)
        if len(candidates):
            candidates = self._refine(pixels, candidates)
        if not len(candidates):
            return Detections.empty()
        return self._finish(pixels, candidates)

    def landmarks(self, pixels: ByteArray, boxes: FloatArray) -> FloatArray:
        """Find the five landmarks of faces that another detector found.

        Args:
            pixels: (h, w, 3) uint8 RGB, upright.
            boxes: (n, 4) in pixels of it.

        Returns:
            (n, 5, 2) float32 x, y in pixels.
        """
        if not len(boxes):
            return np.zeros((0, 5, 2), np.float32)
        squares = square(boxes)
        return _place(self._look(pixels, squares)[2], squares)

    def place(self, pixels: ByteArray, boxes: FloatArray) -> Detections:
        """Look for one face in each of these boxes, which somebody drew.

        As with a candidate of its own the output network looks twice, the second time where its
        first answer puts the face. Where it sees none, landmarks and anchor are where those of a
        face with this box usually are.

        Args:
            pixels: (h, w, 3) uint8 RGB, upright.
            boxes: (n, 4) in pixels of it.

        Returns:
            One for each box, in their order, with the boxes as they were given; a score is how sure
            the network is that there is a face.
        """
        if not len(boxes):
            return Detections.empty()
        squares = square(boxes)
        shift, margin, points = self._look(pixels, squares)
        again = margin > _logit(PROMISING)
        landmarks = _place(np.repeat(USUAL_LANDMARKS[None], len(boxes), axis=0), squares)
        if again.any():
            moved = square(_shifted(squares, shift)[again])
            _, margin[again], points = self._look(pixels, moved)
            landmarks[again] = _place(points, moved)
        scores = _probability(margin)
        return Detections(boxes, scores, landmarks, anchors_of(landmarks))

    def _propose(self, pixels: ByteArray) -> FloatArray:
        height, width = pixels.shape[:2]
        least = _logit(self._thresholds.proposal)
        scale = WINDOW / self._min_face
        level = pixels
        found: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        while min(height, width) * scale >= WINDOW:
            # From the level before, not from the whole image: the pyramid then costs one resize.
            level = resized(level, int(np.ceil(width * scale)), int(np.ceil(height * scale)))
            answer = self._scan(level)
            margin = answer[5] - answer[4]
            rows, columns = np.nonzero(margin > least)
            if len(rows):
                corner = np.stack([columns, rows], axis=1).astype(np.float32) * STRIDE + 1
                boxes = np.concatenate([corner, corner + WINDOW], axis=1) / np.float32(scale)
                shift = answer[:4, rows, columns].T * np.float32(WINDOW / scale)
                keep = suppress(boxes, margin[rows, columns], OVERLAP_LEVEL)
                found.append((boxes[keep], margin[rows, columns][keep], shift[keep]))
            scale *= PYRAMID_FACTOR
        if not found:
            return np.zeros((0, 4), np.float32)
        boxes, margins, shifts = (np.concatenate(parts) for parts in zip(*found, strict=True))
        keep = suppress(boxes, margins, OVERLAP_PYRAMID)
        return square(boxes[keep] + shifts[keep])

    def _scan(self, level: ByteArray) -> FloatArray:
        """Return the (6, rows, columns) answer for one level, computed in strips.

        A strip's activations stay in the cache, and memory does not grow with the photo.
        """
        rows = _answers(level.shape[0])
        parts: list[FloatArray] = []
        for start in range(0, rows, STRIP_ROWS):
            stop = min(start + STRIP_ROWS, rows)
            end = STRIDE * (stop - 1) + WINDOW if stop < rows else level.shape[0]
            strip = level[None, STRIDE * start : end]
            parts.append(run(self._proposal, crops=strip)[0][0])
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _refine(self, pixels: ByteArray, candidates: FloatArray) -> FloatArray:
        shift, margin = _run(self._refinement, _crops(pixels, candidates, REFINE_SIDE))
        passed = margin > _logit(self._thresholds.refinement)
        boxes, margin = _shifted(candidates, shift)[passed], margin[passed]
        return square(boxes[suppress(boxes, margin, OVERLAP_REFINED)])

    def _finish(self, pixels: ByteArray, candidates: FloatArray) -> Detections:
        """Look at each candidate again before judging it.

        The first answer says where the face really is; the network then sees that place, and its
        mirror image, and the two answers are averaged. On street photos this halves the false
        boxes at the same recall, and it steadies boxes and landmarks.
        """
        shift, margin, flat = _run(self._output, _crops(pixels, candidates, OUTPUT_SIDE))
        promising = margin > _logit(PROMISING)
        rejected = float(_probability(margin[~promising]).max(initial=0.0))
        boxes = _shifted(candidates, shift)[promising]
        landmarks, margin = _place(_pairs(flat), candidates)[promising], margin[promising]
        apart = suppress_nested(boxes, margin, OVERLAP_NESTED)
        boxes, landmarks, margin = boxes[apart], landmarks[apart], margin[apart]
        again = np.full(len(boxes), True) if self._careful else margin < _logit(SURE)
        if again.any():
            squares = square(boxes[again])
            shift, margin[again], points = self._look(pixels, squares)
            boxes[again], landmarks[again] = _shifted(squares, shift), _place(points, squares)
        scores = _probability(margin)
        passed = scores > self._thresholds.output
        rejected = float(scores[~passed].max(initial=rejected))
        boxes, landmarks, scores = boxes[passed], landmarks[passed], scores[passed]
        keep = suppress_nested(boxes, scores, OVERLAP_NESTED)
        landmarks = landmarks[keep]
        return Detections(boxes[keep], scores[keep], landmarks, anchors_of(landmarks), rejected)

    def _look(
        self, pixels: ByteArray, squares: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return shift (n, 4), margin (n,) and points (n, 5, 2): means with the mirror image's."""
        crops = _crops(pixels, squares, OUTPUT_SIDE)
        if not self._careful:
            shift, margin, flat = _run(self._output, crops)
            return shift, margin, _pairs(flat)
        both = np.concatenate([crops, crops[:, :, ::-1]])
        (shift, shift_m), (margin, margin_m), (flat, flat_m) = (
            np.split(answer, 2) for answer in _run(self._output, both)
        )
        shift_m = shift_m[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32)
        points, points_m = _pairs(flat), _pairs(flat_m)[:, list(MIRRORED_LANDMARKS)]
        points_m[..., 0] = 1 - points_m[..., 0]
        return (shift + shift_m) / 2, (margin + margin_m) / 2, (points + points_m) / 2


def anchors_of(landmarks: FloatArray) -> FloatArray:
    """Return the squares (n, 4) in which dlib's detectors would frame these faces.

    dlib's landmark predictor wants such a frame. The constants were fitted on 97 faces to HOG's
    frames; embeddings then differ from those by 0.049 (median L2), those of dlib's own CNN
    detector by as much.

    Args:
        landmarks: (n, 5, 2) as this detector gives them.
    """
    eyes, mouth = landmarks[:, :2], landmarks[:, 3:]
    height = np.linalg.norm(mouth.mean(axis=1) - eyes.mean(axis=1), axis=1)
    width = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1)
    size = np.maximum(height, 1.05 * width)[:, None]
    centre = landmarks.mean(axis=1) + np.array([-0.005, -0.010]) * size
    half = 2.25 * size / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def _answers(side: int) -> int:
    """How many answers the proposal network gives along a side of so many pixels."""
    return (side - 2 + 1) // 2 - 4


def _crops(pixels: ByteArray, boxes: FloatArray, side: int) -> ByteArray:
    """Sample (n, side, side, 3) crops whose corner pixels lie on the corners of the boxes."""
    crops = np.empty((len(boxes), side, side, 3), np.uint8)
    steps = np.arange(side, dtype=np.float32) / (side - 1)
    for start in range(0, len(boxes), REMAP_BATCH):
        some = boxes[start : start + REMAP_BATCH]
        x, y = (
            some[:, axis, None] + steps * (some[:, axis + 2, None] - some[:, axis, None])
            for axis in (0, 1)
        )
        shape = (len(some), side, side)
        # One call of remap for all: a column of crops, one below the other.
        cv2.remap(
            pixels,
            np.broadcast_to(x[:, None, :], shape).reshape(-1, side),
            np.broadcast_to(y[:, :, None], shape).reshape(-1, side),
            cv2.INTER_LINEAR,
            dst=crops[start : start + REMAP_BATCH].reshape(-1, side, 3),
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=OUTSIDE,
        )
    return crops


def _run(network: Session, crops: ByteArray) -> list[FloatArray]:
    parts = [
        run(network, crops=crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)
    ]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _shifted(boxes: FloatArray, shift: FloatArray) -> FloatArray:
    return boxes + shift * (boxes[:, 2:3] - boxes[:, 0:1] + 1)


def _pairs(points: FloatArray) -> FloatArray:
    """The network's (n, 10) answer, all x before all y, as (n, 5, 2)."""
    return np.stack([points[:, :5], points[:, 5:]], axis=2)


def _place(points: FloatArray, boxes: FloatArray) -> FloatArray:
    """Carry points (n, 5, 2), given in parts of the square boxes (n, 4), into the image."""
    side = (boxes[:, 2] - boxes[:, 0] + 1)[:, None, None]
    return points * side + boxes[:, None, :2] - 1


def _probability(margin: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-margin))


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
