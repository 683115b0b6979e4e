"""How good is detection? Recall of labelled faces, and boxes that touch none.

What else is measured on labelled photos is in `bench`: it needs nothing of this package but arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookwho.core.boxes import intersection, iou
from lookwho.core.types import FloatArray


@dataclass(frozen=True, slots=True)
class DetectionCount:
    """Detection on one photo: labelled faces, those found, and boxes that touch no face."""

    labelled: int
    found: int
    stray: int


def detection(
    boxes: FloatArray, labelled: FloatArray, wanted: Sequence[bool], *, least: float = 0.35
) -> DetectionCount:
    """Compare the boxes found in one photo with labelled ones.

    Args:
        boxes: (n, 4) found.
        labelled: (m, 4).
        wanted: (m,) which labelled faces have to be found; touching any is no false alarm.
        least: the intersection over union at which a face counts as found. Labelled boxes hug
            the face, detectors frame it each in its way: 0.35 accepts all of them.
    """
    found = (iou(labelled, boxes).max(axis=1, initial=0) >= least) & np.asarray(wanted, bool)
    touching = (intersection(boxes, labelled) > 0).any(axis=1)
    return DetectionCount(int(np.sum(wanted)), int(found.sum()), int((~touching).sum()))
