"""Measures Lookwho: how fast beside `face_recognition`, how accurate where somebody labelled.

`make bench` prints the speed tables, `make bench ARGS="--faces DIR"` those of accuracy on a folder
for each person, `make bench ARGS=video` those of videos. Nothing in `lookwho` may import this.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What the bench makes for itself: an environment with dlib, photos of 12 megapixels, results.
CACHE = ROOT / ".cache" / "bench"
