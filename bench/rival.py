"""The other side: `face_recognition` as its users call it, in an environment of its own.

Run as `python -m bench.rival CORE` by that environment's interpreter.
"""

# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version

from bench.protocol import Answer, peak_memory, serve, settle, timed

if __name__ == "__main__":
    settle(int(sys.argv[1]) if sys.argv[1] else None)  # before any library counts the cores

import av
import dlib
import face_recognition
import numpy as np
from face_recognition import api
from PIL import Image

# The thumbnail that the systems built on face_recognition make of every photo.
THUMBNAIL = (500, 500)
CHIP_SIDE, CHIP_PADDING = 150, 0.25
BATCH = 16
# In a video, a face that is farther than this from everybody known is somebody new.
SOMEBODY_NEW = 0.50


def versions() -> Answer:
    """Return what is installed."""
    names = ("face_recognition", "dlib-bin", "numpy", "pillow", "av")
    return {name: version(name) for name in names}


@lru_cache(maxsize=4)
def _pixels(path: str) -> np.ndarray:
    return np.array(Image.open(path).convert("RGB"))


def _parts_of(locations: list, pixels: np.ndarray) -> list:
    """Turn top, right, bottom, left in pixels into x1, y1, x2, y2 in parts of the photo."""
    height, width = pixels.shape[:2]
    boxes = np.array([(x1, y1, x2, y2) for y1, x2, y2, x1 in locations], float).reshape(-1, 4)
    return (boxes / (width, height, width, height)).tolist()


def analyze(path: str) -> Answer:
    """Find and embed the faces of a photo that is decoded already."""
    pixels = _pixels(path)
    milliseconds, locations = timed(lambda: _encoded(pixels))
    return {"ms": milliseconds, "boxes": _parts_of(locations, pixels)}


def _encoded(pixels: np.ndarray) -> list:
    locations = face_recognition.face_locations(pixels)
    face_recognition.face_encodings(pixels, locations)
    return locations


def stream(path: str) -> Answer:
    """Find and embed the faces of a file, reduced first."""

    def work() -> tuple[list, np.ndarray]:
        image = Image.open(path).convert("RGB")
        image.thumbnail(THUMBNAIL)
        pixels = np.array(image)
        return _encoded(pixels), pixels

    milliseconds, (locations, pixels) = timed(work)
    return {"ms": milliseconds, "boxes": _parts_of(locations, pixels)}


def locate(path: str, detector: str = "hog", upsample: int = 1) -> Answer:
    """Find faces only: "hog" or "cnn"."""
    pixels = _pixels(path)
    milliseconds, locations = timed(
        lambda: face_recognition.face_locations(pixels, upsample, detector)
    )
    return {"ms": milliseconds, "boxes": _parts_of(locations, pixels)}


def parts(path: str, boxes: list) -> Answer:
    """Time what comes after detection, one face after the other, and embedding many at once."""
    pixels = _pixels(path)
    faces = [dlib.rectangle(*box) for box in boxes]
    predictor, encoder = api.pose_predictor_5_point, api.face_encoder
    landmarks, points = timed(lambda: [predictor(pixels, face) for face in faces])
    chips, crops = timed(
        lambda: [dlib.get_face_chip(pixels, at, CHIP_SIDE, CHIP_PADDING) for at in points]
    )
    embedding, _ = timed(lambda: [encoder.compute_face_descriptor(crop) for crop in crops])
    times = {"landmarks": landmarks, "chips": chips, "embedding": embedding}
    many = [crops[index % len(crops)] for index in range(BATCH)]
    at_once, _ = timed(lambda: encoder.compute_face_descriptor(many))
    return {"ms": {**times, "embedding at once": at_once * len(faces) / BATCH}}


def video(path: str) -> Answer:
    """Find the people of a video as the older system does, which keeps the first vector of each.

    Every picture is looked at, as large as it is. Whoever is first within the limit is meant; where
    nobody is, somebody new comes, with a tight crop of this first sighting.
    """
    known: list[np.ndarray] = []
    crops: list[np.ndarray] = []
    sightings: list[tuple[float, int, list[float]]] = []

    def work() -> int:
        count = 0
        for time, pixels in _pictures(path):
            count += 1
            locations = face_recognition.face_locations(pixels)
            encodings = face_recognition.face_encodings(pixels, locations)
            boxes = _parts_of(locations, pixels)
            for location, encoding, box in zip(locations, encodings, boxes, strict=True):
                distances = face_recognition.face_distance(known, encoding)
                within = np.flatnonzero(distances <= SOMEBODY_NEW)
                who = int(within[0]) if len(within) else len(known)
                if who == len(known):
                    top, right, bottom, left = location
                    known.append(encoding)
                    crops.append(pixels[max(top, 0) : bottom, max(left, 0) : right].copy())
                sightings.append((time, who, box))
        return count

    milliseconds, pictures = timed(work)
    return {"ms": milliseconds, "pictures": pictures, "sightings": sightings}


def decode(path: str) -> Answer:
    """Decode all pictures of a video and do nothing with them."""

    def work() -> int:
        with av.open(path) as container:
            return sum(1 for _ in container.decode(video=0))

    milliseconds, pictures = timed(work)
    return {"ms": milliseconds, "pictures": pictures}


def _pictures(path: str) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the time and the pixels of each picture, counted from the first one."""
    with av.open(path) as container:
        first = None
        for frame in container.decode(video=0):
            first = frame.time if first is None else first
            yield frame.time - first, frame.to_ndarray(format="rgb24")


if __name__ == "__main__":
    requests = (versions, analyze, stream, locate, parts, video, decode, peak_memory)
    serve({request.__name__: request for request in requests})
