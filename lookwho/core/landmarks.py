"""Finds dlib's five points in a face: two corners of each eye and the base of the nose.

Each of fifteen rounds looks at 800 pixels around the present points and adds 500 small shifts, one
from each regression tree (Kazemi and Sullivan, "One millisecond face alignment with an ensemble of
regression trees", CVPR 2014). The points are dlib's to the pixel, so that embeddings stay
comparable with stored ones: a point that is off by a few pixels moves an embedding by 0.03.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lookwho.core.dlibfile import ShapePredictor
from lookwho.core.errors import ModelFormat
from lookwho.core.types import ByteArray, DoubleArray, FloatArray, IntArray

GreyArray: TypeAlias = NDArray[np.int16]

_SPLITS = 15  # in a tree of depth four, with 16 leaves

# Faces that are read together. One pixel of eight faces is 16 bytes, and these are looked up as
# fast as the two bytes of one face.
_LANES = 8

# dlib carries the unit square to the box by the pseudo-inverse of the square's three corners, and
# the rounding errors in that inverse decide where a number that is exactly half a pixel goes. They
# were measured in dlib 20.0.1 by predictors without shifts and boxes 2**60 pixels wide.
_E = 2.0**-52
_INVERSE = np.array(
    [[-1 - _E, -_E, 1 + _E], [1 - 1.5 * _E, -1 + 2.5 * _E, 0.75 * _E], [0, 1 + _E, 0.375 * _E]]
)[..., None]
_CORNERS = [[0, 1], [2, 1], [2, 3]]  # which sides of a box make its corners


class LandmarkPredictor:
    """dlib's shape predictor in numpy.

    Args:
        model: the trees, as `read_shape_predictor` reads them.

    Raises:
        ModelFormat: the trees do not have 15 splits.
    """

    def __init__(self, model: ShapePredictor) -> None:
        cascades, trees, splits = model.first.shape
        if splits != _SPLITS:
            raise ModelFormat(f"trees of {splits} splits; only trees of {_SPLITS} are read")
        self._initial = model.initial.reshape(-1)
        self._to_similarity = _to_similarity(model.initial)
        # (cascades, 2, pixels): x and y apart, and the same turned by a right angle
        self._deltas = np.ascontiguousarray(model.deltas.transpose(0, 2, 1))
        self._turned = np.stack([-self._deltas[:, 1], self._deltas[:, 0]], 1)
        self._anchors = np.stack([2 * model.anchors, 2 * model.anchors + 1], 1)
        self._leaves = model.leaves.reshape(cascades, trees * (splits + 1), -1)
        self._trees = np.arange(0, trees * (splits + 1), splits + 1)[:, None]
        self._one_face = _OneFace(model)
        self._many_faces = _ManyFaces(model)

    def predict(self, pixels: ByteArray, boxes: IntArray) -> NDArray[np.int32]:
        """Return the points of the faces in `boxes`, exactly as dlib does.

        Args:
            pixels: (height, width, 3) uint8 RGB or (height, width) uint8 grey.
            boxes: (n, 4) whole numbers left, top, right, bottom in pixels; as in dlib's
                rectangles the right column and the bottom row belong to the box, and the box may
                hang over the border of the image.

        Returns:
            (n, 5, 2) int32 x, y in dlib's order, sides as seen in the image: right eye's outer and
            inner corner, left eye's outer and inner corner, base of the nose. Points may lie
            outside the image.
        """
        image = np.ascontiguousarray(pixels)
        faces = np.asarray(boxes).astype(np.int64).reshape(-1, 4)
        points = np.empty((len(faces), len(self._initial) // 2, 2), np.int32)
        done = 0
        while len(faces) - done >= _LANES // 2:
            group = faces[done : done + _LANES]
            # A group that is not full reads its last face several times.
            full = group[np.minimum(np.arange(_LANES), len(group) - 1)]
            found = self._predict(image, full, self._many_faces)
            points[done : done + _LANES] = found[: len(group)]
            done += len(group)
        for i in range(done, len(faces)):
            points[i] = self._predict(image, faces[i : i + 1], self._one_face)
        return points

    def _predict(
        self, image: ByteArray, boxes: IntArray, splits: _OneFace | _ManyFaces
    ) -> IntArray:
        lanes, trees = len(boxes), len(self._trees)
        # Spread to every pixel, because numpy is slow at repeating short axes.
        pixels = self._deltas.shape[2]
        limits = np.empty((lanes, 2, pixels), np.uint64)
        limits[:, 0], limits[:, 1] = image.shape[1], image.shape[0]
        to_image = _to_image(boxes).repeat(pixels, 3)
        sums = np.empty((trees + 1, lanes, len(self._initial)), np.float32)
        shapes = self._initial[None].repeat(lanes, 0)
        for cascade, leaves in enumerate(self._leaves):
            similarity = (shapes.astype(np.float64) @ self._to_similarity).astype(np.float32)
            at = self._deltas[cascade] * similarity[:, :1, None]
            at += self._turned[cascade] * similarity[:, 1:, None]
            at += shapes.take(self._anchors[cascade], 1)
            leaf = splits.leaf(cascade, _grey(image, _nearest(to_image, at), limits))
            sums[0] = shapes
            leaves.take(self._trees + leaf, 0, out=sums[1:], mode="wrap")
            # One tree after another: float32 sums in another order differ, and the points too.
            shapes = np.einsum("ij->j", sums.reshape(trees + 1, -1)).reshape(lanes, -1)
        points = shapes.reshape(lanes, -1, 2).swapaxes(1, 2)
        return _nearest(to_image[..., :1], points).swapaxes(1, 2)


def _to_similarity(initial: FloatArray) -> DoubleArray:
    """Return (2 * parts, 2) float64: a shape times it is its turn against the mean shape.

    The closed form of the best similarity, with points as complex numbers. Shapes need not be
    centred for it, because the mean shape is.
    """
    centred = initial.astype(np.float64) - initial.mean(0, dtype=np.float64)
    x, y = centred.T
    rows = np.stack([np.stack([x, -y], 1), np.stack([y, x], 1)], 1)
    return rows.reshape(-1, 2) / (centred**2).sum()


def _to_image(boxes: IntArray) -> DoubleArray:
    """Return (3, n, 2, 1) float64: factors for x, y, then for y, x, and what to add."""
    a, b, c = boxes.astype(np.float64).T[_CORNERS, None]
    x, y = a * _INVERSE[0] + b * _INVERSE[1] + c * _INVERSE[2]
    return np.array([[x[0], y[1]], [x[1], y[0]], [x[2], y[2]]]).swapaxes(1, 2)[..., None]


def _nearest(to_image: DoubleArray, at: FloatArray) -> IntArray:
    """Return the nearest pixel of each (n, 2, points) x, y in units of the box."""
    exact = at.astype(np.float64)
    xy = exact * to_image[0]
    xy += exact[:, ::-1] * to_image[1]
    xy += to_image[2]
    xy += 0.5
    return np.floor(xy, xy).astype(np.int64)


def _grey(image: ByteArray, xy: IntArray, limits: NDArray[np.uint64]) -> GreyArray:
    """Return (n, points) int16 grey levels of (n, 2, points) pixels x, y; 0 outside the image."""
    height, width = image.shape[:2]
    # Read as unsigned, a negative number is too large as well.
    inside = xy.view(np.uint64) < limits
    index = xy[:, 1] * width
    index += xy[:, 0]
    whole = np.count_nonzero(inside) == inside.size
    if not whole:
        index *= inside.all(1)
    if image.ndim == 2:
        grey = image.take(index).astype(np.int16)
    else:
        red_green_blue = image.reshape(height * width, 3).take(index, 0).astype(np.int16)
        grey = red_green_blue[..., 0] + red_green_blue[..., 1]
        grey += red_green_blue[..., 2]
        grey //= 3
    if not whole:
        grey *= inside.all(1)
    return grey


class _OneFace:
    """Takes the trees' splits for one face: the 15 splits of a tree make one 16-bit number."""

    def __init__(self, model: ShapePredictor) -> None:
        room = ((0, 0), (0, 0), (0, 1))  # a sixteenth split, which never goes left
        cascades = len(model.first)
        first, second, floors = (
            np.pad(array, room).reshape(cascades, 1, -1)
            for array in (model.first, model.second, _floors(model))
        )
        self._looks = np.concatenate([first, second], 2).astype(np.uint16)
        self._floors = floors[:, 0]
        numbers = np.arange(1 << 16)
        node = np.zeros_like(numbers)
        for _ in range(4):
            node = 2 * node + 2 - (numbers >> node & 1)
        self._leaf = (node - _SPLITS).astype(np.uint8)

    def leaf(self, cascade: int, grey: GreyArray) -> ByteArray:
        """Return (trees, 1), the leaf 0..15 that each tree ends in, of (1, pixels) grey levels."""
        # OpenCV 5 looks 16-bit numbers up, twice as fast as numpy; of the table it wants, only
        # the start is used.
        table = np.empty((1, 1 << 16), np.int16)
        table[:, : grey.shape[1]] = grey
        levels = cv2.LUT(self._looks[cascade], table)[0]
        half = len(levels) // 2
        left = levels[:half] - levels[half:] > self._floors[cascade]
        return self._leaf.take(np.packbits(left, bitorder="little").view("<u2"))[:, None]


class _ManyFaces:
    """Takes the trees' splits for eight faces at once, the same split of all trees in a row."""

    def __init__(self, model: ShapePredictor) -> None:
        cascades, trees, _ = model.first.shape
        looks = np.stack([model.first, model.second], 1).swapaxes(2, 3)
        self._looks = looks.reshape(cascades, 2, -1).astype(np.intp)
        floors = _floors(model).swapaxes(1, 2).reshape(cascades, -1, 1)
        self._floors = np.repeat(floors, _LANES, 2)
        self._masks = np.repeat(_right_of(), trees * _LANES).reshape(-1, _LANES)
        self._lowest = np.zeros(1 << 16, np.uint8)  # which is the lowest bit that is set
        for bit in reversed(range(_SPLITS + 1)):
            self._lowest[1 << bit :: 2 << bit] = bit

    def leaf(self, cascade: int, grey: GreyArray) -> ByteArray:
        """Return (trees, 8), the leaf 0..15 that each tree ends in, of (8, pixels) grey levels."""
        levels = np.ascontiguousarray(grey.T)
        first, second = levels.take(self._looks[cascade], 0, mode="wrap")
        first -= second
        reach = np.subtract(self._floors[cascade], first, first)
        reach >>= 15  # all bits where the difference is above the threshold, which goes left
        reach |= self._masks
        # The leftmost leaf not left behind: Lucchese et al., "QuickScorer", SIGIR 2015.
        ends = np.bitwise_and.reduce(reach.reshape(_SPLITS, -1, _LANES), 0)
        return self._lowest.take(ends.view(np.uint16))


def _floors(model: ShapePredictor) -> GreyArray:
    """Return the thresholds as int16: grey levels differ by whole numbers, so floors do as well."""
    return np.floor(model.thresholds).clip(-256, 255).astype(np.int16)


def _right_of() -> GreyArray:
    """Return (splits,) int16, bit k set where leaf k can be reached after going right there."""
    masks: list[int] = []
    for split in range(_SPLITS):
        first = last = 2 * split + 1  # the left child, and then the ends of what lies below it
        while first < _SPLITS:
            first, last = 2 * first + 1, 2 * last + 2
        masks.append(0xFFFF & ~sum(1 << node - _SPLITS for node in range(first, last + 1)))
    return np.array(masks, np.uint16).view(np.int16)
