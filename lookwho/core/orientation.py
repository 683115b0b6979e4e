"""Orientation: how stored pixels are turned and mirrored, by the numbers 1 to 8 of EXIF.

Everything is said of the unit square: x and y from 0 to 1, from the top left corner.
"""

from __future__ import annotations

from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]

SIDEWAYS = frozenset({5, 6, 7, 8})


def upright_point(x: float, y: float, orientation: int) -> tuple[float, float]:
    """Carry a point of the stored pixels to where it is in the upright picture.

    >>> upright_point(0.0, 0.0, 6)  # turned clockwise, the top left becomes the top right
    (1.0, 0.0)
    """
    if orientation in SIDEWAYS:
        x, y = y, x
    if orientation in (2, 3, 6, 7):
        x = 1 - x
    if orientation in (3, 4, 7, 8):
        y = 1 - y
    return x, y


def upright_box(box: Box, orientation: int) -> Box:
    """Carry a box x1, y1, x2, y2 of the stored pixels to the upright picture."""
    (x1, y1), (x2, y2) = (upright_point(*corner, orientation) for corner in (box[:2], box[2:]))
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return width and height of the upright picture."""
    width, height = size
    return (height, width) if orientation in SIDEWAYS else (width, height)


def one_after_the_other(first: int, second: int) -> int:
    """Return the one orientation that does what these two do in turn.

    >>> one_after_the_other(6, 6), one_after_the_other(6, 2)
    (3, 5)
    """
    x, y = 0.25, 0.125  # in general position, and exact in binary
    end = upright_point(*upright_point(x, y, first), second)
    return next(turn for turn in range(1, 9) if upright_point(x, y, turn) == end)
