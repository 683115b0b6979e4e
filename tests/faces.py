"""Faces built by hand, and what is compared of those that are found."""

import numpy as np

from lookwho.core.types import Faces

WIDTH, HEIGHT = 640, 480


def faces_of(*boxes, reason=None):
    """The faces of a photo of 640 x 480, each with an embedding of its own."""
    count = len(boxes)
    return Faces(
        boxes=np.array(boxes, np.float32).reshape(count, 4),
        landmarks=np.zeros((count, 5, 2), np.float32),
        scores=np.ones(count, np.float32),
        quality=np.ones(count, np.float32),
        embeddings=np.eye(128, dtype=np.float32)[:count],
        encodings=None,
        width=WIDTH,
        height=HEIGHT,
        reason=reason,
        pack="default",
    )


def as_values(faces):
    """All that there is about some faces, as values that `==` compares, floats bit by bit."""
    arrays = ("boxes", "landmarks", "scores", "quality", "embeddings", "encodings")
    rest = ("width", "height", "reason", "pack")
    return {
        **{name: _as_value(getattr(faces, name)) for name in arrays},
        **{name: getattr(faces, name) for name in rest},
    }


def told(outcome):
    """All that there is about an outcome, as values that `==` compares."""
    error = outcome.error and (type(outcome.error), outcome.error.message)
    return outcome.path, None if outcome.faces is None else as_values(outcome.faces), error


def _as_value(array):
    return None if array is None else (array.dtype, array.shape, array.tobytes())
