"""Clips with labels: those of media/video, and one that is made of photos of people.

The made one has shots of some seconds. In each of them faces move and grow over a background that
pans, all under the noise of a camera; the same people come back in other photos.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

from bench import CACHE
from bench.people import halves
from bench.photos import MEDIA
from bench.progress import shown
from bench.sightings import Labels, Seen, read, write
from lookwho.core.types import ByteArray, DoubleArray, FloatArray

RATE = 25
# To be raised with each change to what is made.
_REVISION = 1
# Photos of identities/ show one face in their middle: so much of the photo is kept around it, and
# so much of that is the face.
_KEPT, _FACE = 0.64, 0.62
_NOISES = 8


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip.

    Attributes:
        name: what a report calls it.
        path: where it is.
        seconds: how long it lasts.
        labels: who is to be seen; None where nobody labelled it.
    """

    name: str
    path: Path
    seconds: float
    labels: Labels | None

    @classmethod
    def of(cls, path: Path, name: str = "") -> Clip:
        """Return a clip, as long as its file says, with the labels that lie beside it."""
        with av.open(str(path)) as container:
            assert container.duration is not None
            seconds = container.duration / av.time_base
        beside = path.with_suffix(".labels.json")
        labels = read(beside, size_of(path)) if beside.is_file() else None
        return cls(name or path.name, path, seconds, labels)

    def begun(self, seconds: float) -> Clip:
        """Return the beginning of the clip as a file of its own; its pictures are the same."""
        if seconds >= self.seconds:
            return self
        target = CACHE / "video" / f"{self.path.stem}-{seconds:g}s{self.path.suffix}"
        if not target.is_file() or target.stat().st_mtime < self.path.stat().st_mtime:
            _copied(self.path, target, seconds=seconds)
        labels = self.labels and self.labels.until(seconds)
        return Clip(self.name, target, seconds, labels)

    def repeated(self, seconds: float, target: Path) -> Clip:
        """Write the clip over and over until it lasts so long; return it, without labels."""
        _copied(self.path, target, seconds=seconds)
        return Clip(self.name, target, seconds, None)


@dataclass(frozen=True, slots=True)
class Scene:
    """How a clip is made.

    Attributes:
        seconds: how long it lasts.
        size: width and height.
        people: how many come and go.
        shot: about so many seconds lie between two cuts.
        together: the most people in one shot.
        seed: of all that is drawn.
    """

    seconds: float = 120.0
    size: tuple[int, int] = (1920, 1080)
    people: int = 10
    shot: float = 5.0
    together: int = 3
    seed: int = 0


def of_media() -> list[Clip]:
    """Return the clips of media/video."""
    return [Clip.of(path) for path in sorted((MEDIA / "video").glob("*.mp4"))]


def made(scene: Scene, folder: Path | None = None, identities: Path | None = None) -> Clip:
    """Return a clip that is made of photos of people, which is kept once it is there.

    Args:
        scene: how.
        folder: where it is kept; None for the bench's own.
        identities: a folder for each person; those who are held out are taken.
    """
    folder = folder or CACHE / "video"
    width, height = scene.size
    name = f"made-{_REVISION}-{width}x{height}-{scene.seconds:g}s-{scene.people}-{scene.shot:g}"
    path = folder / f"{name}-{scene.together}-{scene.seed}.mp4"
    labels = path.with_suffix(".labels.json")
    if not (path.is_file() and labels.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.mp4")
        write(_drawn(scene, part, identities or MEDIA / "identities"), labels, scene.size)
        part.rename(path)
    return Clip.of(path, f"faces of {scene.people} people that move (made)")


def size_of(path: Path) -> tuple[int, int]:
    """Return the width and height of a clip's pictures."""
    with av.open(str(path)) as container:
        picture = container.streams.video[0]
        return picture.width, picture.height


@dataclass(frozen=True, slots=True)
class _Moving:
    """A face on its way through a shot."""

    name: str
    pixels: FloatArray
    # Where its middle is and how long its side at the shot's start and at its end, in pixels.
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    sway: float

    def at(self, part: float) -> tuple[float, float, float]:
        x, y, side = (a + (b - a) * part for a, b in zip(self.start, self.end, strict=True))
        return x, y + self.sway * side * float(np.sin(2 * np.pi * part)), side


def _drawn(scene: Scene, path: Path, identities: Path) -> Labels:
    random = np.random.default_rng(scene.seed)
    photos = _cast(identities, scene.people, random)
    count = round(scene.seconds * RATE)
    shots = _shots(count, scene, list(photos), random)
    width, height = scene.size
    noises = [random.normal(0, 2.5, (height, width, 1)).astype(np.float32) for _ in range(_NOISES)]
    mask = _oval()
    frames: list[tuple[Seen, ...]] = []

    def pictures() -> Iterator[ByteArray]:
        for names, length in shots:
            faces = _placed(names, photos, scene, random)
            background = _background(scene.size, random)
            for number in range(length):
                part = number / max(length - 1, 1)
                left = round(part * (background.shape[1] - width))
                picture = background[:height, left : left + width].copy()
                for face in faces:
                    _paste(picture, face, mask, part)
                frames.append(tuple(_seen(face, part, scene.size) for face in faces))
                picture += noises[int(random.integers(_NOISES))]
                yield np.clip(picture, 0, 255).astype(np.uint8)

    encode(path, shown(pictures(), "making a clip", total=count), scene.size)
    return Labels(RATE, tuple(frames))


def encode(path: Path, pictures: Iterator[ByteArray], size: tuple[int, int]) -> None:
    """Write pictures (h, w, 3) uint8 RGB as H.264, with a keyframe every two seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 2 * RATE
        stream.options = {"preset": "veryfast", "crf": "26"}
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _cast(identities: Path, count: int, random: np.random.Generator) -> dict[str, list[FloatArray]]:
    """Draw people who are held out, and read the middles of their photos."""
    folders = {path.name: path for path in identities.iterdir() if path.is_dir()}
    names = sorted(folders)
    held_out, _ = halves(tuple(names))
    able = [
        name
        for name, out in zip(names, held_out, strict=True)
        if out and len(list(folders[name].iterdir())) >= 4
    ]
    chosen = [able[at] for at in random.permutation(len(able))[:count]]
    return {name: [_middle(path) for path in sorted(folders[name].iterdir())] for name in chosen}


def _middle(path: Path) -> FloatArray:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.float32)
    side = min(pixels.shape[:2])
    kept = round(side * _KEPT)
    top, left = (pixels.shape[0] - kept) // 2, (pixels.shape[1] - kept) // 2
    return pixels[top : top + kept, left : left + kept]


def _shots(
    count: int, scene: Scene, names: list[str], random: np.random.Generator
) -> list[tuple[list[str], int]]:
    """Draw who is in each shot, and how many pictures it has; every seventh shows nobody.

    Whoever was in the shot before is not in the next one, so that every shot is an appearance.
    """
    shots: list[tuple[list[str], int]] = []
    before: list[str] = []
    # Everybody before anybody comes back.
    waiting = [names[at] for at in random.permutation(len(names))]
    left = count
    for number in itertools.count(1):
        length = round(scene.shot * RATE * random.uniform(0.7, 1.3))
        if left - length < scene.shot * RATE / 2:
            length = left
        free = [name for name in waiting if name not in before]
        together = 0 if number % 7 == 0 else int(random.integers(1, scene.together + 1))
        here = free[:together]
        waiting = [name for name in waiting if name not in here] + here
        shots.append((here, length))
        before, left = here, left - length
        if left <= 0:
            return shots
    raise AssertionError  # there are numbers enough


def _placed(
    names: Sequence[str],
    photos: dict[str, list[FloatArray]],
    scene: Scene,
    random: np.random.Generator,
) -> list[_Moving]:
    """Let faces move in lanes beside each other, so that none hides another."""
    width, height = scene.size
    faces: list[_Moving] = []
    for lane, name in enumerate(names):
        room = width / len(names)
        side = random.uniform(0.2, 0.42) * height
        growth = random.uniform(0.85, 1.2)
        free = max(room - side * max(growth, 1), 0)
        x1, x2 = (lane * room + room / 2 + free * random.uniform(-0.45, 0.45) for _ in range(2))
        y1, y2 = (height * random.uniform(0.4, 0.6) for _ in range(2))
        pixels = photos[name][int(random.integers(len(photos[name])))]
        sway = float(random.uniform(0.0, 0.15))
        faces.append(_Moving(name, pixels, (x1, y1, side), (x2, y2, side * growth), sway))
    return faces


def _background(size: tuple[int, int], random: np.random.Generator) -> FloatArray:
    """Return blurred spots of colour, somewhat wider than the picture."""
    width, height = size
    spots = random.uniform(60, 180) + random.uniform(-35, 35, (9, 20, 3))
    wide = (width + width // 8, height)
    large = cv2.resize(spots.astype(np.float32), wide, interpolation=cv2.INTER_CUBIC)
    grain = random.normal(0, 8, (height // 4, large.shape[1] // 4)).astype(np.float32)
    grain = np.asarray(cv2.resize(grain, (large.shape[1], height)), np.float32)
    return np.asarray(large, np.float32) + grain[..., None]


def _oval() -> FloatArray:
    ys, xs = np.mgrid[-1:1:128j, -1:1:128j]
    return np.clip((1 - np.hypot(xs, ys)) / 0.15, 0, 1).astype(np.float32)


def _paste(picture: FloatArray, face: _Moving, mask: FloatArray, part: float) -> None:
    """Lay a face over a picture, between pixels, so that it moves smoothly."""
    x, y, side = face.at(part)
    left, top = int(np.floor(x - side / 2)) - 1, int(np.floor(y - side / 2)) - 1
    window = int(np.ceil(side)) + 3

    def placed(pixels: FloatArray) -> FloatArray:
        scale = side / pixels.shape[0]
        matrix = np.array([[scale, 0, x - side / 2 - left], [0, scale, y - side / 2 - top]])
        moved = cv2.warpAffine(pixels, matrix, (window, window), flags=cv2.INTER_LINEAR)
        return np.asarray(moved, np.float32)

    colours, cover = placed(face.pixels), placed(mask)[..., None]
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + window, width), min(top + window, height)
    if x1 >= x2 or y1 >= y2:
        return
    inside = np.s_[y1 - top : y2 - top, x1 - left : x2 - left]
    under = picture[y1:y2, x1:x2]
    picture[y1:y2, x1:x2] = under + (colours[inside] - under) * cover[inside]


def _seen(face: _Moving, part: float, size: tuple[int, int]) -> Seen:
    x, y, side = face.at(part)
    half = side * _FACE / 2
    box: DoubleArray = np.array([x - half, y - half, x + half, y + half], np.float64)
    return Seen(face.name, np.clip(box / np.array([*size, *size]), 0, 1))


def _copied(source: Path, target: Path, *, seconds: float) -> None:
    """Write a file's packets, over and over if need be, up to so many seconds; nothing is encoded.

    Pictures of the last group that come later are left out, as their packets stand.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}")
    with av.open(str(source)) as template, av.open(str(part), "w", format="mp4") as written:
        first = template.streams.video[0]
        assert first.duration is not None
        assert first.time_base is not None
        stream = written.add_stream_from_template(first)
        length = Fraction(first.duration * first.time_base)
        for number in itertools.count():
            shift = number * length
            if shift >= seconds:
                break
            with av.open(str(source)) as opened:
                for packet in opened.demux(video=0):
                    if packet.dts is None or packet.pts is None:  # the end
                        continue
                    unit = packet.time_base
                    if packet.pts * unit + shift >= seconds - 1e-6:
                        continue
                    packet.pts += round(shift / unit)
                    packet.dts += round(shift / unit)
                    packet.stream = stream
                    written.mux(packet)
    part.rename(target)
