"""Cast: the people of a video, joined from what was found in its segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lookwho.core.errors import InputError
from lookwho.core.following import overlaps
from lookwho.core.group import group
from lookwho.core.segments import OVERLAP, SegmentResult
from lookwho.core.tracks import Track, robust_encoding, robust_mean
from lookwho.core.types import FloatArray, IntArray

# The greatest distance (1 - cosine) of two tracks of one person, among so many tracks, and the
# power of their number that it shrinks by: the more tracks, the more strangers. Of people A-E of
# identities/, drawn into casts of 3, 5, 12 and 30 with three photos each, 0.3 % of 30 are merged at
# 0.080 and 0.7 % at 0.085, and 5 to 10 % are split in two where 1 to 7 % are: who was split is put
# right by one answer, who was merged is not. (At 0.085 two of a clip with ten people of F-J were.)
LIMIT, LIMIT_TRACKS, LIMIT_POWER, LIMIT_MOST = 0.08, 15, 0.055, 0.082
# Tracks that are closer than this are one person, however many there are. For casts of A-E whose
# photos come 10 to 40 times, slightly changed, splits fall from 160-230 % of the people to 1-9 %;
# at 0.03 the first are merged that should not be.
ALIKE = 0.025
# Tracks that are seen at the same time for longer than this, in seconds, are two people; for less,
# it may be one who fades into themselves.
TOGETHER = 0.5
# Tracks of two segments are one, and two of the same time are one face found twice, where their
# boxes overlap by so much at the times at which both were looked at.
SAME_PLACE = 0.5
# Who is seen as well as this is somebody, if the detector is as sure as that; who is seen worse,
# but not much worse, must be seen for so many seconds.
GOOD_QUALITY = 0.4
LEAST_QUALITY = 0.15
LEAST_SCORE = 0.9
LEAST_SECONDS = 1.0
# A person who is not seen for so many seconds at most has not been away.
GAP = 1.0


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """One of the stretches through which a person was followed.

    Attributes:
        start: when it begins, in seconds.
        end: when it ends.
        time: of its best picture.
        box: (4,) float32 of the face there, in parts of the upright picture.
        landmarks: (5, 2) float32, in the same parts.
        score: how sure the detector is there.
        quality: how well the face can be recognised there, 0 to 1.
        embedding: (dim,) float32 of unit length: the mean over its good views.
        path: (n, 5) float32, the time and the box each time it was looked at, in order of time.
    """

    start: float
    end: float
    time: float
    box: FloatArray
    landmarks: FloatArray
    score: float
    quality: float
    embedding: FloatArray
    path: FloatArray


@dataclass(frozen=True, slots=True)
class VideoPerson:
    """One person of a video.

    Attributes:
        time: of the best picture of them, in seconds.
        box: (4,) float32 of the face there, in parts of the upright picture.
        landmarks: (5, 2) float32, in the same parts.
        score: how sure the detector is there.
        quality: how well the face can be recognised there, 0 to 1.
        embedding: (dim,) float32 of unit length: the mean over all good views of all tracks.
        encoding: (128,) float32, likewise; None for packs without one.
        crop: the bytes of a JPEG of that best picture, the face with some margin.
        tracks: in order of time.
    """

    time: float
    box: FloatArray
    landmarks: FloatArray
    score: float
    quality: float
    embedding: FloatArray
    encoding: FloatArray | None
    crop: bytes
    tracks: tuple[VideoTrack, ...]

    @property
    def appearances(self) -> list[tuple[float, float]]:
        """From when to when they are seen: the tracks, united over gaps up to `GAP`."""
        return united([(track.start, track.end) for track in self.tracks])


@dataclass(frozen=True, slots=True)
class Cast:
    """The people of one video.

    Attributes:
        people: those who are seen most first.
        cuts: (n,) float32, when shots begin, in seconds, ascending.
        width: of the upright picture in pixels.
        height: of the upright picture in pixels.
        problem: what could not be read, in words; blank where all could.
        pack: the name of the models that made this.
    """

    people: tuple[VideoPerson, ...]
    cuts: FloatArray
    width: int
    height: int
    problem: str
    pack: str


def united(stretches: list[tuple[float, float]], gap: float = GAP) -> list[tuple[float, float]]:
    """Unite stretches (start, end) that overlap or follow each other within a gap.

    >>> united([(4.0, 5.0), (0.0, 2.0), (2.5, 3.0)])
    [(0.0, 5.0)]
    """
    found: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if found and start - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def join(results: Sequence[SegmentResult]) -> Cast:
    """Join what was found in the segments of one video, in whatever order they come.

    Segments that failed may be missing; who is seen before and after is still one person.

    Raises:
        InputError: there is none, or they are not of one video and one pack, or one comes twice.
    """
    parts = _checked(results)
    tracks = _linked(parts)
    whose = _grouped(tracks)
    people = [
        _person(
            [track for track, owner in zip(tracks, whose.tolist(), strict=True) if owner == who]
        )
        for who in dict.fromkeys(whose.tolist())
    ]
    people = [person for person in people if _is_somebody(person)]
    people.sort(key=lambda person: (-_seconds(person), person.tracks[0].start, person.time))
    return Cast(
        people=tuple(people),
        cuts=_cuts(parts),
        width=max(part.width for part in parts),
        height=max(part.height for part in parts),
        problem="; ".join(dict.fromkeys(part.problem for part in parts if part.problem)),
        pack=parts[0].pack,
    )


def _checked(results: Sequence[SegmentResult]) -> list[SegmentResult]:
    parts = sorted(results, key=lambda result: result.part)
    if not parts:
        raise InputError("there is nothing to join: no segment of the video was analysed")
    if len({part.part for part in parts}) < len(parts):
        raise InputError("a segment of the video is there twice")
    if len({part.pack for part in parts}) > 1:
        raise InputError("the segments were analysed by different packs: analyse the video again")
    return parts


def _cuts(parts: list[SegmentResult]) -> FloatArray:
    """Return all cuts; those in an overlap as the earlier segment saw them."""
    found: list[float] = []
    until = -np.inf
    for number, part in enumerate(parts):
        found += [float(cut) for cut in part.cuts if cut >= until]
        last = number + 1 == len(parts) or parts[number + 1].part != part.part + 1
        until = part.end if last else part.end + OVERLAP
        found = [cut for cut in found if last or cut < until]
    return np.array(sorted(set(found)), np.float32)


def _linked(parts: list[SegmentResult]) -> list[Track]:
    """Return all tracks, those that cross from one segment into the next in one piece."""
    tracks: list[Track] = []
    open_: list[Track] = []  # those that may go on in the next segment
    border = np.nan
    for number, part in enumerate(parts):
        own = list(part.tracks)
        if number and parts[number - 1].part + 1 == part.part:
            for before, after in _continued(open_, own, border):
                own[after] = _united(open_[before], own[after], border)
                open_[before] = replace(open_[before], views=())
        tracks += [track for track in open_ if track.views]
        border = part.end
        followed = number + 1 < len(parts) and parts[number + 1].part == part.part + 1
        # What begins in the overlap the next segment sees too, and longer.
        own = [track for track in own if not followed or track.start < border]
        open_ = [track for track in own if followed and track.end >= border]
        tracks += [track for track in own if not followed or track.end < border]
    return sorted([*tracks, *open_], key=lambda track: (track.start, *track.path[0].tolist()))


def _continued(before: list[Track], after: list[Track], border: float) -> list[tuple[int, int]]:
    """Return which tracks of one segment go on as which of the next."""
    found: list[tuple[float, int, int]] = []
    for number, one in enumerate(before):
        for other, two in enumerate(after):
            if two.start < border + OVERLAP:
                overlap = _overlap(one, two)
                if overlap >= SAME_PLACE:
                    found.append((-overlap, number, other))
    pairs: list[tuple[int, int]] = []
    for _, number, other in sorted(found):
        if all(number != pair[0] and other != pair[1] for pair in pairs):
            pairs.append((number, other))
    return pairs


def _overlap(one: Track, two: Track) -> float:
    """Return how much the boxes of two tracks overlap at the times that both have; 0 if none."""
    times, at, also = np.intersect1d(one.path[:, 0], two.path[:, 0], return_indices=True)
    if not len(times):
        return 0.0
    return float(overlaps(one.path[at, 1:], two.path[also, 1:]).mean())


def _united(before: Track, after: Track, border: float) -> Track:
    earlier = before.path[before.path[:, 0] < min(border, after.path[0, 0])]
    views = [view for view in before.views if view.time < border] or list(before.views)
    views += after.views
    views.sort(key=lambda view: (-view.quality, view.time))
    return Track(before.start, after.end, np.concatenate([earlier, after.path]), tuple(views))


def _grouped(tracks: list[Track]) -> IntArray:
    """Return (n,) which person each track is.

    Tracks that are nearly the same are one person, and are compared with others by the best of
    them: somebody who comes a hundred times in one light would otherwise be a hundred neighbours,
    behind which nobody sees how the same person looks elsewhere.
    """
    if not tracks:
        return np.zeros(0, np.int64)
    means = np.stack([robust_mean(track.views) for track in tracks])
    quality = np.array([track.views[0].quality for track in tracks])
    apart = _together(tracks)
    alike = np.arange(len(tracks))
    while True:
        best = _best(alike, quality)
        some = group(means[best], cannot=_between(alike, apart), limit=ALIKE)
        if (some < 0).all():
            break
        alike = _numbered(some)[alike]
    limit = min(LIMIT * (len(best) / LIMIT_TRACKS) ** -LIMIT_POWER, LIMIT_MOST)
    people = group(means[best], quality=quality[best], cannot=_between(alike, apart), limit=limit)
    return _numbered(people)[alike]


def _numbered(groups: IntArray) -> IntArray:
    """Return groups with those who are alone as groups of their own, numbered from 0."""
    alone = groups < 0
    groups = groups.copy()
    groups[alone] = groups.max(initial=-1) + 1 + np.arange(np.count_nonzero(alone))
    return np.unique(groups, return_inverse=True)[1]


def _best(groups: IntArray, quality: FloatArray) -> IntArray:
    """Return the place of the best of each group, in their order; of equals the first."""
    order = np.lexsort((np.arange(len(groups)), -quality, groups))
    return order[np.unique(groups[order], return_index=True)[1]]


def _between(groups: IntArray, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the pairs of groups that some of these pairs of tracks lie between."""
    found = {tuple(sorted((int(groups[one]), int(groups[other])))) for one, other in pairs}
    return sorted((one, other) for one, other in found if one != other)


def _together(tracks: list[Track]) -> list[tuple[int, int]]:
    """Return the pairs of tracks that are seen at the same time; tracks are in order of starts."""
    reach = np.stack([_reach(track) for track in tracks])
    pairs: list[tuple[int, int]] = []
    for number, one in enumerate(tracks):
        for other in range(number + 1, len(tracks)):
            two = tracks[other]
            if two.start >= one.end - TOGETHER:
                break
            if min(one.end, two.end) - two.start <= TOGETHER:
                continue
            near = (reach[number, :2] < reach[other, 2:]) & (reach[other, :2] < reach[number, 2:])
            if not near.all() or _overlap(one, two) < SAME_PLACE:
                pairs.append((number, other))
    return pairs


def _reach(track: Track) -> FloatArray:
    """Return (4,) the box around all boxes of a track."""
    low, high = track.path[:, 1:3].min(axis=0), track.path[:, 3:].max(axis=0)
    return np.concatenate([low, high])


def _person(tracks: list[Track]) -> VideoPerson:
    views = [view for track in tracks for view in track.views]
    best = max((track.views[0] for track in tracks), key=lambda view: (view.quality, -view.time))
    return VideoPerson(
        time=best.time,
        box=best.box,
        landmarks=best.landmarks,
        score=best.score,
        quality=best.quality,
        embedding=robust_mean(views),
        encoding=robust_encoding(views),
        crop=best.crop,
        tracks=tuple(_video_track(track) for track in tracks),
    )


def _video_track(track: Track) -> VideoTrack:
    best = track.views[0]
    return VideoTrack(
        start=track.start,
        end=track.end,
        time=best.time,
        box=best.box,
        landmarks=best.landmarks,
        score=best.score,
        quality=best.quality,
        embedding=robust_mean(track.views),
        path=track.path,
    )


def _is_somebody(person: VideoPerson) -> bool:
    if max(track.score for track in person.tracks) < LEAST_SCORE:
        return False
    least = GOOD_QUALITY if _seconds(person) < LEAST_SECONDS else LEAST_QUALITY
    return person.quality >= least


def _seconds(person: VideoPerson) -> float:
    return sum(end - start for start, end in person.appearances)
