"""Who is to be seen in a clip and who was found, and how well the two agree.

Times are seconds from the first picture, boxes x1, y1, x2, y2 in parts of the picture.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lookwho.core.cast import Cast
from lookwho.core.types import DoubleArray

# Somebody who is gone for no longer has not left.
GAP = 1.0
# A start or an end that is told so many seconds off is right.
TOLERANCE = 0.5
# Of the sightings of somebody found: with fewer of somebody else the two are not taken for one.
SHARE = 0.1

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Seen:
    """A face that is to be seen in one picture."""

    name: str
    box: DoubleArray


@dataclass(frozen=True, slots=True)
class Labels:
    """Who is to be seen in each picture of a clip.

    Attributes:
        rate: pictures a second.
        frames: the faces of each picture.
    """

    rate: float
    frames: tuple[tuple[Seen, ...], ...]

    @property
    def names(self) -> list[str]:
        """Everybody who is ever to be seen."""
        return sorted({seen.name for frame in self.frames for seen in frame})

    def until(self, seconds: float) -> Labels:
        """Return those of the clip's beginning."""
        return Labels(self.rate, self.frames[: round(seconds * self.rate)])

    def at(self, time: float) -> Sequence[Seen]:
        """Return the faces of the picture that is shown at a time."""
        index = int(time * self.rate + 1e-3)
        return self.frames[index] if 0 <= index < len(self.frames) else ()

    def name_at(self, time: float, box: DoubleArray) -> str | None:
        """Return whose face is in a box; None if it is nobody's.

        It is the face whose middle is nearest, if the middle of the box lies in the face.
        """
        middle = (box[:2] + box[2:]) / 2
        inside = [
            seen
            for seen in self.at(time)
            if (middle >= seen.box[:2]).all() and (middle <= seen.box[2:]).all()
        ]
        if not inside:
            return None
        nearest = min(inside, key=lambda seen: _apart(middle, (seen.box[:2] + seen.box[2:]) / 2))
        return nearest.name

    def appearances(self) -> dict[str, list[Span]]:
        """Return from when to when each is to be seen."""
        times: dict[str, list[Span]] = {}
        for number, frame in enumerate(self.frames):
            for seen in frame:
                span = number / self.rate, (number + 1) / self.rate
                times.setdefault(seen.name, []).append(span)
        return {name: united(spans) for name, spans in times.items()}


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody whom a side found in a clip.

    Attributes:
        times: (n,) when they were looked at.
        boxes: (n, 4) where they were then.
        appearances: from when to when they are said to be there; None if that is not told.
    """

    times: DoubleArray
    boxes: DoubleArray
    appearances: tuple[Span, ...] | None = None

    @classmethod
    def of(cls, person: Mapping[str, Any]) -> Found:
        """Return one of those that `told` gives."""
        path = np.array(person["path"], np.float64).reshape(-1, 5)
        spans = tuple((start, end) for start, end in person["appearances"])
        return cls(path[:, 0], path[:, 1:], spans)


@dataclass(slots=True)
class Score:
    """How well people who were found agree with the labels.

    Attributes:
        people: how many of those who are to be seen were found.
        of: how many are to be seen.
        merged: how many were taken for somebody else besides.
        split: how many more people were made of one.
        nobody: people found where nobody is to be seen.
        appearances: how many were found; None if they are not told.
        of_appearances: how many there are.
        borders: how many of their starts and ends are right; there are twice as many.
    """

    people: int = 0
    of: int = 0
    merged: int = 0
    split: int = 0
    nobody: int = 0
    appearances: int | None = None
    of_appearances: int = 0
    borders: int = 0
    wrong: list[str] = field(default_factory=list[str])


def told(cast: Cast) -> list[dict[str, Any]]:
    """Return the people of a video as plain JSON: where they were when, and appearances."""
    return [
        {
            "path": np.concatenate([track.path for track in person.tracks]).tolist(),
            "appearances": person.appearances,
        }
        for person in cast.people
    ]


def united(spans: Iterable[Span], gap: float = GAP) -> list[Span]:
    """Return spans of time in order, with those made one that are hardly apart.

    >>> united([(4.0, 5.0), (0.0, 1.0), (1.5, 2.0)])
    [(0.0, 2.0), (4.0, 5.0)]
    """
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start - found[-1][1] <= gap:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def score(labels: Labels, people: Sequence[Found]) -> Score:
    """Compare who was found with who is to be seen.

    Each person found is whom most of their sightings show. Further people in at least `SHARE` of
    their sightings were merged with them; several people found who are one person are a split.
    """
    tallies = [_tally(labels, person) for person in people]
    mains = [tally.most_common(1)[0][0] if tally else None for tally in tallies]
    found = Counter(name for name in mains if name)
    result = Score(people=len(found), of=len(labels.names))
    result.nobody = sum(main is None for main in mains)
    result.split = sum(count - 1 for count in found.values())
    for number, (tally, main) in enumerate(zip(tallies, mains, strict=True), 1):
        least = SHARE * tally.total()
        others = [name for name, count in tally.items() if name != main and count >= least]
        result.merged += len(others)
        result.wrong += [f"person {number} is {main} and {other}" for other in others]
    result.wrong += [f"{name} is {count} people" for name, count in found.items() if count > 1]
    result.wrong += [f"{name} was not found" for name in labels.names if name not in found]
    true = labels.appearances()
    result.of_appearances = sum(map(len, true.values()))
    if all(person.appearances is not None for person in people):
        _count_appearances(result, true, mains, people)
    return result


def read(path: Path, size: tuple[int, int]) -> Labels:
    """Read the labels of a clip of that width and height, as media/video has them: in pixels."""
    told = json.loads(path.read_text("utf-8"))
    scale = np.array([*size, *size], np.float64)
    frames = tuple(
        tuple(Seen(face["person"], np.array(face["box"]) / scale) for face in frame["faces"])
        for frame in told["frames"]
    )
    return Labels(told["fps"], frames)


def write(labels: Labels, path: Path, size: tuple[int, int]) -> None:
    """Write labels as `read` reads them."""
    scale = np.array([*size, *size], np.float64)
    frames = [
        {
            "frame": number,
            "t": number / labels.rate,
            "faces": [
                {"person": seen.name, "box": np.round(seen.box * scale, 1).tolist()}
                for seen in frame
            ],
        }
        for number, frame in enumerate(labels.frames)
    ]
    told = {"fps": labels.rate, "frames": frames, "persons": labels.names}
    path.write_text(json.dumps(told), encoding="utf-8")


def _tally(labels: Labels, person: Found) -> Counter[str]:
    names = (
        labels.name_at(float(time), box)
        for time, box in zip(person.times, person.boxes, strict=True)
    )
    return Counter(name for name in names if name)


def _count_appearances(
    result: Score,
    true: Mapping[str, Sequence[Span]],
    mains: Sequence[str | None],
    people: Sequence[Found],
) -> None:
    result.appearances = 0
    for name, spans in sorted(true.items()):
        told = [
            span
            for main, person in zip(mains, people, strict=True)
            if main == name
            for span in person.appearances or ()
        ]
        for start, end in spans:
            best = max(told, key=lambda span: min(span[1], end) - max(span[0], start), default=None)
            if best is None or min(best[1], end) <= max(best[0], start):
                result.wrong.append(f"{name} from {start:.1f} to {end:.1f} s was not found")
                continue
            result.appearances += 1
            for word, mine, theirs in (("from", start, best[0]), ("to", end, best[1])):
                right = abs(mine - theirs) <= TOLERANCE
                result.borders += right
                if not right:
                    result.wrong.append(f"{name} {word} {mine:.1f} s was told as {theirs:.1f} s")


def _apart(one: DoubleArray, other: DoubleArray) -> float:
    return float(np.hypot(*(one - other)))
