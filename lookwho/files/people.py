"""Compare two faces, find a person in photos and videos, group photos into people."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lookwho.core import packs
from lookwho.core.batch import Outcome
from lookwho.core.errors import (
    FileMissing,
    InputError,
    LookwhoError,
    NoFace,
    SeveralFaces,
    from_code,
)
from lookwho.core.group import group as group_embeddings
from lookwho.core.match import Comparison, Query, compare_embeddings
from lookwho.core.types import Face, Faces, FloatArray, IntArray
from lookwho.core.video_batch import OnProgress, VideoOutcome
from lookwho.files.analysis import analyze_files
from lookwho.files.results import Results
from lookwho.files.videos import analyze_videos
from lookwho.files.walk import ENDINGS, VIDEO_ENDINGS, is_video, walk

if TYPE_CHECKING:
    from lookwho.core.image import Source
    from lookwho.core.pipeline import Analyzer

# The one face that is meant, among several in a photo, has at least this many times the area of
# any other: a person before bystanders, and not one of two friends.
DOMINANCE = 3.0

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str] | Outcome]
Told = Callable[[Outcome], None]
ToldBoth = Callable[[Outcome | VideoOutcome], None]


@dataclass(frozen=True, slots=True)
class Match:
    """A face, or a person of a video, that may be the person sought.

    Attributes:
        path: the photo or video.
        box: (4,) float32 x1, y1, x2, y2 in pixels of the upright photo; of a video, in the best
            picture of the person.
        distance: 1 - cosine to the references, 0 to 2.
        probability: that it is the same person, among so many faces.
        same: whether Lookwho calls it a match.
        time: of that best picture, in seconds; None in photos.
        appearances: from when to when the person is seen in a video, in seconds.
    """

    path: str
    box: FloatArray
    distance: float
    probability: float
    same: bool
    time: float | None = None
    appearances: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Grouped:
    """A face and its group.

    Attributes:
        path: the photo.
        box: (4,) float32 x1, y1, x2, y2 in pixels of the upright photo.
        group: which person, the one with most faces being 0; None for a face that stays alone.
    """

    path: str
    box: FloatArray
    group: int | None


def compare(a: Source, b: Source, *, analyzer: Analyzer | None = None) -> Comparison:
    """Compare the faces of two photos.

    Args:
        a: a path, the bytes of a file, a PIL image, or (h, w, 3) uint8 RGB, with one face, or one
            that is much larger than all others.
        b: likewise.
        analyzer: what finds the faces; None for one with the defaults.

    Raises:
        NoFace, SeveralFaces: a photo does not show which face is meant.
        InputError: a photo cannot be read.
    """
    analyzer = analyzer or _analyzer()
    first, second = (
        _face_of(analyzer, photo, _name(photo, which)) for photo, which in ((a, "a"), (b, "b"))
    )
    return compare_embeddings(first.embedding, second.embedding)


def compare_files(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    results: Results | None = None,
    processes: int | None = None,
    cache: Path | None = None,
    **settings: Any,
) -> Comparison:
    """Compare two files as `compare` does, in a process of their own and remembering results.

    Args:
        a: a file with one face, or one that is much larger than all others.
        b: likewise.
        results: as for `find`.
        processes: as for `find`.
        cache: as for `find`.
        **settings: as for `find`.
    """
    work = {"processes": processes, "cache": cache, "results": results}
    first, second = _references([a, b], {"settings": packs.settings(**settings), **work})
    return compare_embeddings(first.embedding, second.embedding)


def find(
    references: Sequence[Source],
    paths: Paths,
    *,
    everything: bool = False,
    told: ToldBoth | None = None,
    on_progress: OnProgress | None = None,
    results: Results | None = None,
    processes: int | None = None,
    cache: Path | None = None,
    **settings: Any,
) -> list[Match]:
    """Find a person in photos and videos.

    Args:
        references: photos of the person, one face each, as for `compare`; several make one better
            query.
        paths: photos, videos and folders to look in.
        everything: all faces, best first, not only what is called a match.
        told: called with the outcome of each photo and video, for progress and errors.
        on_progress: told now and then how far a video is, as for `video`.
        results: what is remembered from earlier runs; None to remember nothing.
        processes: how many; None for one a core.
        cache: the folder of the model cache; None for this user's own.
        **settings: pack, preset and int8, as for `Analyzer`.

    Returns:
        The matches, best first.

    Raises:
        NoFace, SeveralFaces: a reference does not show which face is meant.
        InputError: a reference cannot be read.
    """
    if isinstance(references, str):  # which is a sequence too, of letters
        references = [references]
    if not references:
        raise InputError("there is no reference: give at least one photo of the person")
    chosen = packs.settings(**settings)
    work = {"settings": chosen, "processes": processes, "cache": cache, "results": results}
    query = Query.of(np.stack([face.embedding for face in _references(references, work)]))
    photos, videos = _sorted_out(walk(_several(paths), videos=True))
    found, _, embeddings = _gathered(photos, told, work)
    seen, more = _filmed(videos, told, on_progress, work)
    if not found and not seen:
        return []
    scored = query.score(np.concatenate([part for part in (embeddings, more) if len(part)]))
    matches = [
        Match(path, box, float(distance), float(probability), bool(same), time, spans)
        for (path, box, time, spans), distance, probability, same in zip(
            [*((*owner, None, ()) for owner in found), *seen],
            scored.distances,
            scored.probabilities,
            scored.same,
            strict=True,
        )
        if same or everything
    ]
    return sorted(matches, key=lambda match: (match.distance, match.path))


def group(
    paths: Paths,
    *,
    told: Told | None = None,
    results: Results | None = None,
    processes: int | None = None,
    cache: Path | None = None,
    **settings: Any,
) -> list[Grouped]:
    """Group the faces of photos into people.

    Args:
        paths: photos and folders.
        told: as for `find`.
        results: as for `find`.
        processes: as for `find`.
        cache: as for `find`.
        **settings: as for `find`.

    Returns:
        All faces, in the order of the photos.
    """
    chosen = packs.settings(**settings)
    work = {"settings": chosen, "processes": processes, "cache": cache, "results": results}
    owners, photos, embeddings = _gathered(walk(_several(paths)), told, work)
    if not owners:
        return []
    labels = group_embeddings(embeddings, photos=photos)
    return [
        Grouped(path, box, None if label < 0 else int(label))
        for (path, box), label in zip(owners, labels, strict=True)
    ]


def only_face(faces: Faces, name: str) -> Face:
    """Return the one face that a photo of a person is about.

    Raises:
        NoFace: there is none.
        SeveralFaces: there are several, and none is much larger than all others.
    """
    if not len(faces):
        why = faces.reason.message if faces.reason else "there is none"
        raise NoFace(f"no face in {name}: {why}")
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    areas = sides[:, 0] * sides[:, 1]
    order = np.argsort(-areas, kind="stable")
    if len(faces) > 1 and areas[order[0]] < DOMINANCE * areas[order[1]]:
        raise SeveralFaces(
            f"{len(faces)} faces in {name}: crop the picture to the one that is meant"
        )
    return faces[int(order[0])]


def _references(references: Sequence[Source], work: dict[str, Any]) -> Iterator[Face]:
    if all(isinstance(photo, str | os.PathLike) for photo in references):
        paths = [os.path.expanduser(photo) for photo in references]  # type: ignore[type-var]
        for outcome in analyze_files(paths, **work):  # type: ignore[arg-type]
            if outcome.error:
                raise _named(outcome.error, outcome.path)
            assert outcome.faces is not None  # an outcome is one or the other
            yield only_face(outcome.faces, outcome.path)
        return
    analyzer = _analyzer(**work["settings"], cache=work["cache"])
    for number, photo in enumerate(references, 1):
        yield _face_of(analyzer, photo, _name(photo, str(number)))


def _analyzer(**settings: Any) -> Analyzer:
    # Imported here because the models' libraries take half a second, and photos that are files
    # are analysed by other processes.
    from lookwho.core.pipeline import Analyzer

    return Analyzer(**settings)


def _face_of(analyzer: Analyzer, photo: Source, name: str) -> Face:
    try:
        faces = analyzer(photo)
    except LookwhoError as error:
        raise _named(error, name) from error
    return only_face(faces, name)


def _named(error: LookwhoError, name: str) -> LookwhoError:
    """Say which photo is meant, unless the message does so already."""
    if isinstance(error, FileMissing):
        return error
    return from_code(error.code, f"{name}: {error.message}")


def _several(paths: Paths) -> Iterable[str | os.PathLike[str] | Outcome]:
    return [paths] if isinstance(paths, str | os.PathLike) else paths  # type: ignore[list-item]


def _sorted_out(items: Iterable[str | Outcome]) -> tuple[list[str | Outcome], list[str]]:
    """Tell photos and videos apart: what is neither is with the photos, whose reader says so."""
    photos: list[str | Outcome] = []
    videos: list[str] = []
    for item in items:
        if isinstance(item, str) and _is_video(item):
            videos.append(item)
        else:
            photos.append(item)
    return photos, videos


def _is_video(path: str) -> bool:
    """Say which it is; photos are many, and what is called like one is not opened for this."""
    ending = os.path.splitext(path)[1].lower()
    return ending in VIDEO_ENDINGS or (ending not in ENDINGS and is_video(path))


def _gathered(
    photos: Iterable[str | Outcome], told: Told | None, work: dict[str, Any]
) -> tuple[list[tuple[str, FloatArray]], IntArray, FloatArray]:
    """Return the faces of all photos: path and box of each, its photo (n,), embeddings (n, d)."""
    owners: list[tuple[str, FloatArray]] = []
    numbers: list[int] = []
    embeddings: list[FloatArray] = []
    for number, outcome in enumerate(analyze_files(photos, **work)):
        if told:
            told(outcome)
        if faces := outcome.faces:
            owners += [(outcome.path, box) for box in faces.boxes]
            numbers += [number] * len(faces)
            embeddings.append(faces.embeddings)
    together = np.concatenate(embeddings) if embeddings else np.zeros((0, 0), np.float32)
    return owners, np.array(numbers, np.int64), together


_Seen: TypeAlias = tuple[str, FloatArray, float, tuple[tuple[float, float], ...]]


def _filmed(
    videos: Sequence[str],
    told: ToldBoth | None,
    on_progress: OnProgress | None,
    work: dict[str, Any],
) -> tuple[list[_Seen], FloatArray]:
    """Return the people of all videos: path, box, time and appearances, and embeddings (n, d)."""
    seen: list[_Seen] = []
    embeddings: list[FloatArray] = []
    for outcome in analyze_videos(videos, on_progress=on_progress, **work) if videos else ():
        if told:
            told(outcome)
        if cast := outcome.cast:
            size = np.array([cast.width, cast.height] * 2, np.float32)
            for person in cast.people:
                spans = tuple(person.appearances)
                seen.append((outcome.path, person.box * size, person.time, spans))
                embeddings.append(person.embedding)
    return seen, np.stack(embeddings) if embeddings else np.zeros((0, 0), np.float32)


def _name(photo: Source, otherwise: str) -> str:
    return os.fspath(photo) if isinstance(photo, str | os.PathLike) else f"photo {otherwise}"  # type: ignore[return-value]
