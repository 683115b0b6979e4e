"""Boxes: how much two overlap, and which of many overlapping ones to keep.

Boxes are (n, 4) float32 x1, y1, x2, y2 in pixels.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from lookwho.core.graph import Graph
from lookwho.core.runtime import Session, run, session
from lookwho.core.types import FloatArray, IntArray


def area(boxes: FloatArray) -> FloatArray:
    """Return the (n,) areas in square pixels; boxes turned inside out have none."""
    return np.clip(boxes[:, 2] - boxes[:, 0], 0, None) * np.clip(boxes[:, 3] - boxes[:, 1], 0, None)


def intersection(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the (n, m) areas that each box of `a` (n, 4) shares with each of `b` (m, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(high - low, 0, None)
    return sides[..., 0] * sides[..., 1]


def iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the (n, m) intersections over unions of the boxes `a` (n, 4) and `b` (m, 4).

    >>> iou(np.float32([[0, 0, 2, 2]]), np.float32([[1, 0, 3, 2], [5, 5, 6, 6]])).round(3)
    array([[0.333, 0.   ]], dtype=float32)
    """
    shared = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def suppress(boxes: FloatArray, scores: FloatArray, limit: float) -> IntArray:
    """Return the indices of the boxes to keep, best first, so that no two kept overlap too much.

    Args:
        boxes: (n, 4).
        scores: (n,).
        limit: the greatest intersection over union of two boxes that are both kept.
    """
    if not len(boxes):
        return np.zeros(0, np.int64)
    # onnxruntime's own operator: a greedy loop in C++, 50 times as fast as one in Python.
    kept = run(
        _suppressor(),
        boxes=np.ascontiguousarray(boxes, np.float32)[None],
        scores=np.ascontiguousarray(scores, np.float32)[None, None],
        limit=np.array([limit], np.float32),
    )
    return kept[0][:, 2]


def suppress_nested(boxes: FloatArray, scores: FloatArray, limit: float) -> IntArray:
    """Like `suppress`, but by intersection over the smaller box, so that nested boxes go too."""
    order = np.argsort(-scores, kind="stable")
    overlap = intersection(boxes, boxes)
    sizes = area(boxes)
    overlap = overlap > limit * np.minimum(sizes[:, None], sizes[None, :])
    keep: list[int] = []
    for index in order:
        if not overlap[index, keep].any():
            keep.append(int(index))
    return np.array(keep, np.int64)


def square(boxes: FloatArray) -> FloatArray:
    """Grow the shorter side of each box (n, 4) about its centre until the box is square."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


@cache
def _suppressor() -> Session:
    graph = Graph("non-maximum suppression")
    boxes = graph.input("boxes", np.float32, (1, "n", 4))
    scores = graph.input("scores", np.float32, (1, 1, "n"))
    limit = graph.input("limit", np.float32, (1,))
    as_many_as_there_are = graph.constant(np.array([np.iinfo(np.int32).max], np.int64))
    kept = graph.node("NonMaxSuppression", boxes, scores, as_many_as_there_are, limit)
    graph.output(kept, np.int64, ("kept", 3))
    return session(graph.to_bytes())
