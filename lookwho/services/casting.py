"""Casting: which tracks of a video are one face, as far as humans said what no analysis knows.

What they said about a video is kept by its payload, a time and a box, and finds the track that
passes there after every analysis (`core.following`):

- Tracks that somebody said are no face, or that were an erased person's, do not come back.
- Tracks that somebody put apart, or gave to another face, are apart again, or that face's.
- Of faces that were said to be two people no analysis makes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lookwho.core import footage
from lookwho.core import tracks as followed
from lookwho.core.cast import Cast, VideoPerson, VideoTrack
from lookwho.core.following import SLACK, STEP, Spot, Stretch, best_share, framed, shares
from lookwho.core.segments import SegmentResult
from lookwho.core.types import DoubleArray, FloatArray
from lookwho.core.vectors import unit
from lookwho.library.models import Decision, DecisionFace, Face, Suppression, Track
from lookwho.library.queries.tracks import stretches_of
from lookwho.services.decisions import SAME_BOX
from lookwho.services.ledger import Place
from lookwho.services.placed import SAME_FACE

Verb = Decision.Verb

# Of somebody who was erased nothing comes back: so much of the time that a person of the cast is
# seen must be theirs for all of it to go.
_ERASED_SHARE = 0.5
# A track is what must not come back where it passes more than such a share of the places.
_MOST_PLACES = 0.5


@dataclass(slots=True)
class Part:
    """Tracks that become one face.

    Attributes:
        person: of the cast, whom they are of.
        tracks: some of theirs, or all.
        face: the row that they are of already.
    """

    person: VideoPerson
    tracks: list[VideoTrack] = field(default_factory=list[VideoTrack])
    face: Face | None = None

    @property
    def whole(self) -> bool:
        """Whether this is all of one person of the cast."""
        mine = {id(track) for track in self.tracks}
        return mine == {id(track) for track in self.person.tracks}

    @property
    def best(self) -> VideoTrack:
        """The track with the best picture."""
        return max(self.tracks, key=lambda track: (track.quality, -track.start))

    def vector(self) -> FloatArray:
        """Return (dim,) of unit length what they are recognised by.

        What is known of the person as a whole follows from tracks that may be somebody else's.
        """
        if self.whole:
            return self.person.embedding
        weights = np.array([[max(track.quality, 0.01)] for track in self.tracks])
        sums = (np.stack([track.embedding for track in self.tracks]) * weights).sum(axis=0)
        return unit(sums.astype(np.float32))

    def describe(self, row: Face, *, told: bool) -> None:
        """Give a face, not saved yet, the best picture of these tracks.

        Args:
            row: the face.
            told: whether what somebody could be recognised by is kept.
        """
        best = self.person if self.whole else self.best
        row.time = float(best.time)
        row.x1, row.y1, row.x2, row.y2 = (float(edge) for edge in np.clip(best.box, 0, 1))
        row.quality = float(best.quality)
        row.score = float(best.score)
        row.landmarks = best.landmarks.tolist() if told else []


def confirmed_in(media: int) -> list[tuple[Spot, int]]:
    """Return where in a video somebody is followed of whom a human said who they are: the root."""
    rows = Track.objects.filter(media=media, face__dismissed=False, face__person__isnull=False)
    told = ("time", "x1", "y1", "x2", "y2", "face__person", "face__person__root")
    return [
        (Spot(time, (x1, y1, x2, y2)), root or who)
        for time, x1, y1, x2, y2, who, root in rows.order_by("pk").values_list(*told)
    ]


def parts_of(
    cast: Cast, payload: bytes, keeping: Sequence[Face], known: Iterable[tuple[Spot, int]] = ()
) -> list[Part]:
    """Return the tracks of a cast as humans want them to be apart and together.

    Args:
        cast: who is in the video.
        payload: of the video.
        keeping: faces that keep their rows.
        known: what `confirmed_in` said before the faces of the last analysis went.
    """
    persons = _allowed(cast, payload)
    tracks = [track for _, some in persons for track in some]
    whose = [place for place, (_, some) in enumerate(persons) for _ in some]
    stretches = [_stretch_of(track) for track in tracks]
    # What each track is part of: an existing face, by its id, or else of whom in the cast it is,
    # and whom a human said that it is.
    keys: list[tuple[object, ...]] = [("person", place) for place in whose]
    rows = {face.pk: face for face in keeping}
    moved = _moved(payload, stretches, rows)
    said = _said(payload, stretches, moved, known)
    for place in range(len(persons)):
        own = [at for at, whom in enumerate(whose) if whom == place and at not in moved]
        _part(place, own, tracks, said, keys)
    own = stretches_of(face.pk for face in keeping if face.source == Face.Source.DETECTOR)
    for face, ways in own.items():
        near = [best_share(stretches, way.best) for way in ways]
        here = {keys[at] for at, shared in near if shared > SAME_BOX and at not in moved}
        here = {key for key in here if key[0] != "face"}
        keys = [("face", face) if key in here else key for key in keys]
    for at, face in moved.items():
        keys[at] = "face", face
    parts: dict[tuple[object, ...], Part] = {}
    for key, place, track in zip(keys, whose, tracks, strict=True):
        part = parts.setdefault(key, Part(persons[place][0]))
        part.tracks.append(track)
    for key, part in parts.items():
        if key[0] == "face":
            part.face = rows[int(str(key[1]))]
    return list(parts.values())


def _part(
    place: int,
    own: Sequence[int],
    tracks: Sequence[VideoTrack],
    said: Mapping[int, tuple[int | None, frozenset[int]]],
    keys: list[tuple[object, ...]],
) -> None:
    """Put those tracks of one person apart that humans said are several people's.

    Args:
        place: of the person in the cast.
        own: which tracks are theirs.
        tracks: all of them.
        said: of some tracks who they are, and who they are not.
        keys: of all tracks, what each is part of; changed.
    """
    seconds: dict[int, float] = {}
    for at in own:
        who, _ = said.get(at, (None, frozenset[int]()))
        if who is not None:
            seconds[who] = seconds.get(who, 0.0) + tracks[at].end - tracks[at].start
    # Whoever is seen longest gets those of which nobody said anything.
    most = max(seconds, key=lambda who: (seconds[who], -who), default=None)
    for at in own:
        who, barred = said.get(at, (None, frozenset[int]()))
        if who is not None and who != most:
            keys[at] = "said", place, who
        elif who is None and most in barred:
            keys[at] = "not", place, most


def _allowed(cast: Cast, payload: bytes) -> list[tuple[VideoPerson, list[VideoTrack]]]:
    """Return the people of a cast with those of their tracks that may become faces."""
    none, gone = _suppressed(payload)
    found: list[tuple[VideoPerson, list[VideoTrack]]] = []
    for person in cast.people:
        kept: list[VideoTrack] = []
        seconds = erased = 0.0
        for track in person.tracks:
            stretch = _stretch_of(track)
            length = max(track.end - track.start, 0.01)
            seconds += length
            if _passes(stretch, gone, erased=True):
                erased += length
            elif not _passes(stretch, none, erased=False):
                kept.append(track)
        if kept and erased < _ERASED_SHARE * seconds:
            found.append((person, kept))
    return found


def _passes(stretch: Stretch, places: DoubleArray, *, erased: bool) -> bool:
    """Return whether a track is what must not become a face again.

    So it is where it passes most of the places of its time: one alone may be that of somebody who
    crosses the way. Another detector frames a face otherwise: of one that was erased no such box
    may come either.
    """
    there = places[(places[:, 0] >= stretch.start - SLACK) & (places[:, 0] <= stretch.end + SLACK)]
    times, boxes = there[:, 0], there[:, 1:]
    if erased:
        passed = framed(stretch, times, boxes, SAME_FACE)
    else:
        passed = shares(stretch, times, boxes) > SAME_BOX
    # Several may have been there at once: a time counts once, whoever of them is meant.
    spans = np.floor(times / STEP)
    return len(np.unique(spans[passed])) > _MOST_PLACES * len(np.unique(spans))


def _moved(payload: bytes, stretches: list[Stretch], rows: Mapping[int, Face]) -> dict[int, int]:
    """Return which tracks a human put to which face; of one that was put twice, the last."""
    moved: dict[int, int] = {}
    for row in _told(payload, (Verb.DRAW,)):
        at, shared = _at(row, stretches)
        if row.face_id in rows and shared > SAME_BOX:
            moved[at] = row.face_id or 0
    return moved


def _said(
    payload: bytes,
    stretches: list[Stretch],
    moved: Mapping[int, int],
    known: Iterable[tuple[Spot, int]],
) -> dict[int, tuple[int | None, frozenset[int]]]:
    """Return of tracks who they are and who they are not, as humans said: the roots' ids."""
    found: dict[int, tuple[int | None, frozenset[int]]] = {}
    for spot, root in known:
        at, shared = best_share(stretches, spot)
        if at not in moved and shared > SAME_BOX:
            found[at] = root, frozenset()
    for row in _told(payload, (Verb.CONFIRM, Verb.REJECT)):
        at, shared = _at(row, stretches)
        person = row.decision.person
        if person is None or at in moved or shared <= SAME_BOX:
            continue
        root = person.root_id or person.pk
        who, barred = found.get(at, (None, frozenset[int]()))
        if row.decision.verb == Verb.CONFIRM:
            found[at] = root, barred - {root}
        else:
            found[at] = None if who == root else who, barred | {root}
    return found


def _told(payload: bytes, verbs: Sequence[str]) -> Iterable[DecisionFace]:
    """Return what stands of what humans said about places in a video, in its order."""
    rows = DecisionFace.objects.filter(
        payload_hash=payload,
        time__isnull=False,
        decision__verb__in=verbs,
        decision__revoked_by=None,
    )
    return rows.select_related("decision__person").order_by("decision", "pk")


def _at(row: DecisionFace, stretches: list[Stretch]) -> tuple[int, float]:
    return best_share(stretches, Spot(row.time or 0.0, (row.x1, row.y1, row.x2, row.y2)))


def _stretch_of(track: VideoTrack) -> Stretch:
    path = np.asarray(track.path, np.float32).reshape(-1, 5)
    x1, y1, x2, y2 = (float(edge) for edge in track.box)
    best = Spot(float(track.time), (x1, y1, x2, y2))
    return Stretch(float(track.start), float(track.end), best, path)


def without(result: bytes, places: Sequence[Place]) -> bytes:
    """Return what was found in a segment without the tracks of somebody who is erased.

    Args:
        result: `core.footage.dump_segment` of it.
        places: x1, y1, x2, y2 and the time, wherever they were.
    """
    rows = [(time, *box) for *box, time in places if time is not None]
    gone = np.array(rows, np.float64).reshape(-1, 5)
    return footage.dump_segment(_without(footage.load_segment(result), gone))


def spared(result: SegmentResult, payload: bytes) -> SegmentResult:
    """Return what was found in a segment without whoever was erased: of them nothing is kept."""
    _, gone = _suppressed(payload)
    return _without(result, gone) if len(gone) else result


def _without(result: SegmentResult, gone: DoubleArray) -> SegmentResult:
    tracks = (track for track in result.tracks if not _passes(_followed(track), gone, erased=True))
    return replace(result, tracks=tuple(tracks))


def _suppressed(payload: bytes) -> tuple[DoubleArray, DoubleArray]:
    """Return (n, 5) times and boxes in a video of what is no face, and of who was erased."""
    rows = Suppression.objects.filter(payload_hash=payload, time__isnull=False)
    told = ("time", "x1", "y1", "x2", "y2")
    none, gone = (
        np.array(list(rows.filter(erased=erased).values_list(*told)), np.float64).reshape(-1, 5)
        for erased in (False, True)
    )
    return none, gone


def _followed(track: followed.Track) -> Stretch:
    view = track.views[0]
    x1, y1, x2, y2 = (float(edge) for edge in view.box)
    spot = Spot(float(view.time), (x1, y1, x2, y2))
    return Stretch(float(track.start), float(track.end), spot, track.path)
