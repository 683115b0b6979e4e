"""Follow: the faces of one shot after another become tracks.

Every sampled picture is searched. What is found where a face was is that face. A face that is not
found is looked for in the pictures between, each time where it was in the one before; so is, going
back, a face that is new. A track whose views show two people, as where one fades into another, is
cut where they change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lookwho.core.boxes import iou
from lookwho.core.sightings import Eyes, Sighting, crop
from lookwho.core.tracks import Track, View, robust_mean
from lookwho.core.types import ByteArray, FloatArray

# A face is where it was if the boxes overlap by so much, or if it moved by less than so many of
# its sides and is as large, to this factor.
OVERLAP = 0.3
NEAR = 0.7
AS_LARGE = 0.6
# One that moved by so many of its sides at most, and was seen no more than so many seconds ago, is
# known again by its views, if they are closer (1 - cosine) than this.
FAR, SOON, CLOSE = 4.0, 0.5, 0.06
# A face that is not found may be found again in its place after so many seconds, and is followed
# without being found for so long.
AWAY = 1.0
UNFOUND = 1.5
# A view is chosen from so many seconds: of the beginning, the next, and of each time after.
FIRST, SECOND, EACH = 0.6, 0.9, 2.0
# Views that are good enough show two people if they are farther apart (1 - cosine) than this.
APART = 0.14
GOOD = 0.4
# So many views of a track are kept.
VIEWS = 6
# One that was seen in so few pictures and is worth less than this is taken for no face.
FEW = 2
LITTLE = 0.02


class Picture(Protocol):
    """A frame whose pixels are made when they are asked for."""

    @property
    def time(self) -> float:
        """In seconds."""
        ...

    def pixels(self) -> ByteArray:
        """Return (h, w, 3) uint8 RGB, upright."""
        ...


@dataclass(slots=True, eq=False)
class _Run:
    """A face that is being followed."""

    last: Sighting
    path: list[tuple[float, FloatArray]]
    detected: int = 1
    found_at: float = 0.0  # by the detector, the last time
    lost: bool = False
    # What the next view is chosen from, and what came after the last good view.
    waiting: list[tuple[Sighting, ByteArray]] = field(default_factory=list)
    recent: list[tuple[Sighting, ByteArray]] = field(default_factory=list)
    end: float = 0.0  # of the shot, for a face that stays until then
    since: float = 0.0  # when the choice of the next view began
    views: list[View] = field(default_factory=list)
    crop: bytes = b""
    cropped: float = -1.0


class Follower:
    """Follows faces from picture to picture; `done` holds the tracks that have ended."""

    def __init__(self, eyes: Eyes) -> None:
        self.done: list[Track] = []
        self._eyes = eyes
        self._live: list[_Run] = []
        self._size = np.ones(4, np.float32)

    def sample(self, picture: Picture, between: Sequence[Picture]) -> None:
        """Search the next picture of a shot.

        Args:
            picture: to be searched.
            between: some of the pictures since the last one that was searched, in their order.
        """
        pixels, now = picture.pixels(), picture.time
        self._size = np.array([pixels.shape[1], pixels.shape[0]] * 2, np.float32)
        found = self._eyes.find(now, pixels)
        pairs = _pairs([run.last for run in self._live], found)
        for at, index in pairs.items():
            self._see(self._live[at], found[index], pixels, found=True)
        missing = [run for at, run in enumerate(self._live) if at not in pairs]
        new = [one for index, one in enumerate(found) if index not in set(pairs.values())]
        here = self._chased([run for run in missing if not run.lost], [*between, picture])
        # Who moved far is what was found where the chase ended.
        caught = _pairs([one for _, one in here], new)
        for at, index in caught.items():
            self._see(here[at][0], new[index], pixels, found=True)
        taken = [*found, *(run.last for run in self._live if run.last.time == now)]
        for at, (run, one) in enumerate(here):
            if at in caught:
                continue
            if now - run.found_at <= UNFOUND and not _covered(one, taken):
                self._see(run, one, pixels, found=False)
                taken.append(one)
            else:
                run.lost = True
        new = [one for index, one in enumerate(new) if index not in caught.values()]
        gone = [run for run in missing if run.lost and run.recent]
        for one in new:
            run = self._recognised(one, pixels, gone)
            if run:
                gone.remove(run)
                self._see(run, one, pixels, found=True)
            else:
                self._begin(one, pixels, between)
        self._settle(now)

    def same(self, time: float) -> None:
        """Take a picture in which nothing has changed since the last one that was searched."""
        for run in self._live:
            if not run.lost:
                run.last = dataclasses.replace(run.last, time=time)
                run.path.append((time, run.path[-1][1]))
                run.found_at = time
        self._settle(time)

    def end_shot(self, last: Sequence[Picture], end: float) -> None:
        """End all tracks.

        Args:
            last: the pictures of the shot since the last one that was searched, in their order.
            end: until when the last of all is shown, in seconds.
        """
        here = [(run, run.last) for run in self._live if not run.lost]
        if last:
            here = self._chased([run for run, _ in here], last)
        for run, one in here:
            if one.time > run.path[-1][0]:
                run.path.append((one.time, one.box / self._size))
            run.end = end
        for run in self._live:
            self._end(run)
        self._live = []

    def _chased(self, runs: list[_Run], pictures: Sequence[Picture]) -> list[tuple[_Run, Sighting]]:
        """Follow faces through pictures; return those that are still there in the last of them."""
        here = [(run, run.last) for run in runs]
        for number, picture in enumerate(pictures, 1):
            if not here:
                break
            seen = self._eyes.again(picture.time, picture.pixels(), [one for _, one in here])
            for (run, _), one in zip(here, seen, strict=True):
                if one is None:
                    run.lost = True
                elif number < len(pictures):
                    run.path.append((one.time, one.box / self._size))
            here = [(run, one) for (run, _), one in zip(here, seen, strict=True) if one is not None]
        return here

    def _recognised(self, one: Sighting, pixels: ByteArray, gone: list[_Run]) -> _Run | None:
        """Return which of the faces that are gone a new one is: one too fast to be followed."""
        near = [
            run
            for run in gone
            if min(run.last.side, one.side) >= AS_LARGE * max(run.last.side, one.side)
            and _away(run.last, one) <= FAR * one.side
            and one.time - run.last.time <= SOON
        ]
        if not near:
            return None
        (view,) = self._eyes.views(pixels, [one])
        if view.quality < GOOD:
            return None
        for run in near:
            last, seen = run.recent[-1]
            (before,) = self._eyes.views(seen, [last])
            if before.quality >= GOOD and 1 - float(before.embedding @ view.embedding) < CLOSE:
                return run
        return None

    def _see(self, run: _Run, one: Sighting, pixels: ByteArray, *, found: bool) -> None:
        run.last, run.lost = one, False
        run.path.append((one.time, one.box / self._size))
        run.waiting.append((one, pixels))
        run.recent.append((one, pixels))
        if found:
            run.detected += 1
            run.found_at = one.time

    def _begin(self, one: Sighting, pixels: ByteArray, between: Sequence[Picture]) -> None:
        run = _Run(one, [], found_at=one.time, since=one.time)
        run.waiting, run.recent = [(one, pixels)], [(one, pixels)]
        earlier = one
        for picture in reversed(between):
            (before,) = self._eyes.again(picture.time, picture.pixels(), [earlier])
            others = [each.last for each in self._live]
            if before is None or _covered(before, others):
                break
            run.path.insert(0, (before.time, before.box / self._size))
            earlier = before
        run.path.append((one.time, one.box / self._size))
        self._live.append(run)

    def _settle(self, now: float) -> None:
        """Choose views that are due, and end tracks whose face stays away."""
        live: list[_Run] = []
        for run in self._live:
            if run.lost and now - run.last.time > AWAY:
                self._end(run)
                continue
            due = (FIRST, SECOND)[len(run.views)] if len(run.views) < 2 else EACH
            if now - run.since >= due and run.waiting:
                live.append(self._viewed(run))
                run.since = live[-1].since = now
            else:
                live.append(run)
        self._live = live

    def _viewed(self, run: _Run) -> _Run:
        """Embed the best of what is waiting.

        Returns:
            The run; or, where the view shows somebody else than those before, that of the other,
            while the one given has ended.
        """
        worth = [self._eyes.worth(pixels, one) for one, pixels in run.waiting]
        one, pixels = run.waiting[int(np.argmax(worth))]
        run.waiting = []
        (view,) = self._eyes.views(pixels, [one])
        known = [each for each in run.views if each.quality >= GOOD]
        if view.quality >= GOOD and known:
            mean = robust_mean(known)
            if 1 - float(mean @ view.embedding) > APART:
                return self._parted(run, mean, view, pixels)
        if view.quality >= GOOD:
            run.recent = [each for each in run.recent if each[0].time >= view.time]
        run.recent = [each for each in run.recent if each[0].time >= one.time - 2 * EACH]
        self._keep(run, view, pixels)
        return run

    def _keep(self, run: _Run, view: View, pixels: ByteArray) -> None:
        run.views.append(view)
        if view.quality > run.cropped:
            run.crop, run.cropped = crop(pixels, view.box * self._size), view.quality

    def _parted(self, run: _Run, mean: FloatArray, view: View, pixels: ByteArray) -> _Run:
        """Cut a run where its face becomes another: between its last good view and this one."""
        times = [one.time for one, _ in run.recent]
        low, high = 0, times.index(view.time)
        while high - low > 1:
            middle = (low + high) // 2
            one, seen = run.recent[middle]
            (between,) = self._eyes.views(seen, [one])
            if float(between.embedding @ view.embedding) > float(between.embedding @ mean):
                high = middle
            else:
                low = middle
        start = times[high]
        other = dataclasses.replace(
            run,
            path=[each for each in run.path if each[0] >= start],
            recent=[each for each in run.recent if each[0].time >= view.time],
            detected=FEW,
            views=[],
            crop=b"",
            cropped=-1.0,
        )
        self._keep(other, view, pixels)
        run.path, run.end = [each for each in run.path if each[0] < start], 0.0
        run.views = [each for each in run.views if each.time < start]
        self._end(run)
        return other

    def _end(self, run: _Run) -> None:
        if not run.views or (run.waiting and len(run.views) < 3):
            if not run.views and len(run.path) <= FEW and run.waiting:
                worth = max(self._eyes.worth(pixels, one) for one, pixels in run.waiting)
                if worth < LITTLE:
                    return
            if run.waiting:
                other = self._viewed(run)
                if other is not run:
                    self._end(other)
                    return
        if not run.views or not run.path:
            return
        path = np.array([[time, *box] for time, box in run.path], np.float32)
        end = max(run.path[-1][0], run.end)
        self.done.append(Track(run.path[0][0], end, path, _chosen(run.views, run.crop)))


def _pairs(seen: Sequence[Sighting], found: Sequence[Sighting]) -> dict[int, int]:
    """Return which of the faces seen before each found one is: those that overlap most first."""
    if not seen or not found:
        return {}
    was, now = np.stack([one.box for one in seen]), np.stack([one.box for one in found])
    close = iou(was, now)
    sizes, new = np.array([one.side for one in seen]), np.array([one.side for one in found])
    alike = np.minimum(sizes[:, None], new) / np.maximum(sizes[:, None], new)
    middles, here = (boxes[:, :2] + boxes[:, 2:] for boxes in (was, now))
    away = np.linalg.norm(middles[:, None] - here[None], axis=2) / 2
    near = away / np.minimum(sizes[:, None], new)
    # Overlap counts from 0 to 1; what does not overlap but is near, less than anything that does.
    close = np.where(close >= OVERLAP, close, np.where(near < NEAR, -near, -np.inf))
    close[alike < AS_LARGE] = -np.inf
    pairs: dict[int, int] = {}
    while True:
        at, index = np.unravel_index(int(close.argmax()), close.shape)
        if close[at, index] == -np.inf:
            return pairs
        pairs[int(at)] = int(index)
        close[at, :] = close[:, index] = -np.inf


def _away(one: Sighting, other: Sighting) -> float:
    """Return how far the middles of two boxes are apart, in pixels."""
    return float(np.linalg.norm((one.box - other.box)[:2] + (one.box - other.box)[2:])) / 2


def _covered(one: Sighting, others: Sequence[Sighting]) -> bool:
    if not others:
        return False
    return bool((iou(one.box[None], np.stack([other.box for other in others])) >= OVERLAP).any())


def _chosen(views: Sequence[View], picture: bytes) -> tuple[View, ...]:
    """Return the best few views, from all of the track, the best first and with its crop."""
    edges = np.linspace(views[0].time, views[-1].time, VIEWS + 1)[1:-1]
    bins = np.searchsorted(edges, [view.time for view in views], "right")
    best: dict[int, View] = {}
    for place, view in zip(bins.tolist(), views, strict=True):
        if place not in best or view.quality > best[place].quality:
            best[place] = view
    order = sorted(best.values(), key=lambda view: (-view.quality, view.time))
    return dataclasses.replace(order[0], crop=picture), *order[1:]
