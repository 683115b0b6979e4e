"""Cuts faces out upright: the aligned crops, called chips, that the embedder looks at.

A chip is what dlib's `get_face_chip` cuts, within one grey level. The picture around the face is
halved until the face is less than twice as large as in the chip, and then turned and scaled into
place. OpenCV 5 computes warps of float32 pictures to the full; OpenCV 4 rounds their steps to 1/32
of a pixel, and its chips are not dlib's.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lookwho.core.errors import DegeneratePoints
from lookwho.core.types import ByteArray, DoubleArray, FloatArray

Points: TypeAlias = NDArray[np.floating[Any] | np.integer[Any]]

# Where the five points of dlib's predictor lie in a face, as parts of a square around it, and the
# margin that the chip adds to each side of that square: constants of dlib's face chips.
_TEMPLATE = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)
_MARGIN = 0.25

# Where dlib takes a point of the picture to lie once the picture is halved: x, y less than half.
_HALVING_SHIFT = np.array([1.25, 0.75])


def similarity(source: ArrayLike, target: ArrayLike) -> DoubleArray:
    """Return the turn, scale and shift that best carries `source` onto `target`.

    Best means the least squared distance. The points are never mirrored: the embedder takes a
    mirrored face for another one.

    Args:
        source: (n, 2) points x, y, n >= 2.
        target: (n, 2) points x, y, in the same order.

    Returns:
        (2, 3) float64 matrix, ready for `cv2.warpAffine`.

    Raises:
        DegeneratePoints: fewer than two distinct points on either side, a point that is not
            finite, or points that fit each other no better than one point would.

    Source:
        Umeyama, IEEE TPAMI 13(4):376-380, 1991; in the plane, with points as complex numbers, it
        is one division.

    >>> similarity([[0, 0], [1, 0]], [[5, 5], [5, 7]])
    array([[ 0., -2.,  5.],
           [ 2.,  0.,  5.]])
    """
    # Five points: plain numbers are faster than arrays.
    a = [complex(x, y) for x, y in np.asarray(source, np.float64).tolist()]
    b = [complex(x, y) for x, y in np.asarray(target, np.float64).tolist()]
    count = max(len(a), 1)
    from_middle, to_middle = sum(a) / count, sum(b) / count
    product, spread, other_spread = 0j, 0.0, 0.0
    for p, q in zip(a, b, strict=True):
        p, q = p - from_middle, q - to_middle
        product += p.conjugate() * q
        spread += _squared(p)
        other_spread += _squared(q)
    # Written so that numbers that are not finite are refused as well.
    if not 0 < _squared(product) > 1e-18 * spread * other_spread:
        raise DegeneratePoints("no similarity carries these points onto those")
    turn = product / spread
    shift = to_middle - turn * from_middle
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def chips(pixels: ByteArray, points: Points, size: int = 150) -> ByteArray:
    """Return the chips of several faces of one image, each as `chip` cuts it.

    Args:
        pixels: (height, width, 3) uint8 RGB.
        points: (n, 5, 2) x, y as `LandmarkPredictor` returns them.
        size: the side of a chip in pixels.

    Returns:
        (n, size, size, 3) uint8 RGB.

    Raises:
        DegeneratePoints: the points of a face all lie in one place.
    """
    cut = np.empty((len(points), size, size, 3), np.uint8)
    for i, face in enumerate(points):
        cut[i] = chip(pixels, face, size)
    return cut


def chip(pixels: ByteArray, points: Points, size: int = 150) -> ByteArray:
    """Return one face, turned upright and scaled; black where the image ends.

    Args:
        pixels: (height, width, 3) uint8 RGB.
        points: (5, 2) x, y in pixels, as `LandmarkPredictor` returns them.
        size: the side of the chip in pixels.

    Returns:
        (size, size, 3) uint8 RGB.

    Raises:
        DegeneratePoints: the points all lie in one place.
    """
    template = (_TEMPLATE + _MARGIN) / (1 + 2 * _MARGIN) * size
    matrix = similarity(template, points)
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    turn = matrix[:, :2] / scale
    # The square that becomes the chip, from its middle to the middles of its outermost pixels.
    middle = matrix @ (size / 2, size / 2, 1)
    half = (scale * size - 1) / 2

    halvings = 0
    margin = 2  # so much more is needed around the square, and the more the more it is halved
    while (half + 1) ** 2 > size**2:
        half /= 2
        halvings += 1
        margin = 2 * margin + 2
    reach = half * 2**halvings * np.abs(turn).sum(1) + margin
    limits = np.array(pixels.shape[1::-1]) - 1
    first = np.floor(np.clip(middle - reach, 0, limits) + 0.5).astype(int)
    last = np.floor(np.clip(middle + reach, 0, limits) + 0.5).astype(int)
    part = pixels[first[1] : last[1] + 1, first[0] : last[0] + 1].astype(np.float32)
    middle -= first
    for _ in range(halvings):
        part = _halved(part)
        middle = middle / 2 - _HALVING_SHIFT

    step = turn * (2 * half / (size - 1))
    start = middle - turn @ (half, half)
    return _warped(part, np.column_stack([step, start]), size)


def _squared(number: complex) -> float:
    return number.real * number.real + number.imag * number.imag


def _halved(picture: FloatArray) -> FloatArray:
    """Return every other pixel of the smoothed picture, in whole grey levels, without its rim.

    Args:
        picture: (height, width, 3) float32, whole numbers 0..255.

    Returns:
        ((height - 3) // 2, (width - 3) // 2, 3) float32, whole numbers 0..255.
    """
    rows, columns = ((side - 3) // 2 for side in picture.shape[:2])
    if rows < 1 or columns < 1:
        return np.empty((0, 0, 3), np.float32)
    # OpenCV smooths with dlib's filter, 1 4 6 4 1 both ways, in numbers that float32 holds exactly;
    # dlib has no first row and column, which would need pixels outside, and cuts fractions off.
    return np.floor(cv2.pyrDown(picture)[1 : 1 + rows, 1 : 1 + columns]).astype(np.float32)


def _warped(picture: FloatArray, matrix: DoubleArray, size: int) -> ByteArray:
    """Return (size, size, 3) uint8: each pixel of it is where `matrix` takes its x, y.

    A pixel is black unless all four pixels around its place are in the picture.
    """
    height, width = picture.shape[:2]
    if height < 2 or width < 2:
        return np.zeros((size, size, 3), np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(picture, matrix, (size, size), flags=flags).astype(np.uint8)
    corners = np.array([[0, size - 1, 0, size - 1], [0, 0, size - 1, size - 1], [1, 1, 1, 1]])
    x, y = matrix @ corners
    if x.min() < 0 or y.min() < 0 or x.max() >= width - 1 or y.max() >= height - 1:
        v, u = np.indices((size, size))
        x, y = (matrix[i, 0] * u + matrix[i, 1] * v + matrix[i, 2] for i in (0, 1))
        warped[(x < 0) | (y < 0) | (x >= width - 1) | (y >= height - 1)] = 0
    return warped
