"""Videos over all cores, in processes that may die.

`VideoWorker` is one process and looks at one segment at a time; `analyze_videos` shares the
segments of all videos among several. What comes out does not depend on how many there are.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lookwho.core import cast, footage, segments
from lookwho.core.batch import usable_cores
from lookwho.core.cast import Cast
from lookwho.core.child import Child
from lookwho.core.errors import LookwhoError, WorkerDied
from lookwho.core.segments import SegmentResult
from lookwho.core.video import VideoInfo

# What one request may take: to open a file and go to a segment, which can mean to read all that is
# before it, or to look at a few pictures.
SECONDS_PER_REQUEST = 300.0
# Beyond the models: decoders of 8K video keep many pictures.
BYTES_PER_VIDEO = 2 << 30
# How long a worker looks before it tells how far it is.
SECONDS_PER_STEP = 0.25
# Videos begun beyond the one whose result is due next, for each process.
AHEAD = 2

# Told of a segment: until where it has been looked at, in seconds, and how many people so far.
OnStep = Callable[[float, int], None]
# Told of a video: its path, how many of its seconds have been looked at, of how many, and how many
# people so far. From any thread; it must not raise.
OnProgress = Callable[[str, float, float, int], None]


class VideoWorker:
    """A process that looks at one segment at a time; started when needed, and after a crash.

    Args:
        settings: what `core.sightings.Eyes` is made with, see `core.packs.settings`.
        cache: the folder of the model cache.
        seconds: the most that one request may take; a segment takes many.
        memory: the most bytes that a segment may take, beyond those of the models; kept on Linux.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        cache: Path | None = None,
        seconds: float = SECONDS_PER_REQUEST,
        memory: int = BYTES_PER_VIDEO,
    ) -> None:
        self._child = Child(
            "lookwho.core.video_worker",
            {**settings, "cache": cache and os.fspath(cache)},
            seconds=seconds,
            memory=memory,
        )

    def start(self) -> None:
        """Start the process, unless it runs already.

        Raises:
            LookwhoError: it does not start.
        """
        self._child.start()

    def probe(self, path: str | os.PathLike[str]) -> VideoInfo:
        """Do what `core.video.probe` does, elsewhere.

        Raises:
            InputError: the file is no video that can be read.
            WorkError: it took too much time or memory, or crashed the process.
        """
        return footage.load_info(self._ask("probe", path=os.fspath(path)))

    def segment(
        self,
        path: str | os.PathLike[str],
        duration: float,
        part: int,
        *,
        on_step: OnStep | None = None,
    ) -> SegmentResult:
        """Look at one segment.

        Args:
            path: of the video.
            duration: of all of it, as `probe` tells it.
            part: which stretch of `segments.grid`.
            on_step: is told several times a second how far it is. What it raises gives the segment
                up at once; the worker can be used again.

        Raises:
            InputError: the file is no video that can be read.
            WorkError: it took too much time or memory, or crashed the process.
        """
        self._ask("begin", path=os.fspath(path), duration=duration, part=part)
        try:
            more = True
            while more:
                told = json.loads(self._ask("step", seconds=SECONDS_PER_STEP))
                more = bool(told["more"])
                if on_step:
                    on_step(float(told["reached"]), int(told["people"]))
            return footage.load_segment(self._ask("result"))
        except WorkerDied:
            raise
        except BaseException:
            with contextlib.suppress(LookwhoError):
                self._ask("drop")
            raise

    def stop(self) -> None:
        """End the process, now and for good; from any thread."""
        self._child.stop()

    def _ask(self, what: str, **about: Any) -> bytes:
        return self._child.ask(json.dumps({"do": what, **about}).encode())


@dataclass(frozen=True, slots=True)
class VideoOutcome:
    """What became of one video: what it is and who is in it, or the error that took their place."""

    path: str
    info: VideoInfo | None
    cast: Cast | None
    error: LookwhoError | None


def analyze_videos(
    paths: Iterable[str | os.PathLike[str] | VideoOutcome],
    settings: Mapping[str, Any],
    *,
    processes: int | None = None,
    cache: Path | None = None,
    on_progress: OnProgress | None = None,
    seconds: float = SECONDS_PER_REQUEST,
    memory: int = BYTES_PER_VIDEO,
) -> Iterator[VideoOutcome]:
    """Analyse videos over several processes and yield an outcome for each, in their order.

    Segments that fail cost only themselves; the `problem` of the cast tells which. A video all of
    whose segments fail has the error of the first.

    Args:
        paths: of videos, or outcomes that are known already and only keep their place.
        settings: what `core.sightings.Eyes` is made with, see `core.packs.settings`.
        processes: how many; None for one a core.
        cache: the folder of the model cache.
        on_progress: is told how far each video is, from any thread.
        seconds: the most that one request to a process may take.
        memory: the most bytes that one process may take, beyond those of the models.

    Raises:
        InputError: there is no such pack or preset.
        ModelError: the models cannot be loaded.
        WorkerDied: no worker starts.
    """
    count = processes or usable_cores()
    workers = [VideoWorker(settings, cache, seconds, memory) for _ in range(count)]
    idle: queue.SimpleQueue[VideoWorker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)
    threads = ThreadPoolExecutor(count, "lookwho")

    def work(video: _Video, part: int | None) -> None:
        worker = idle.get()
        try:
            worker.start()
            if part is not None:
                video.look(worker, part)
            elif video.probe(worker):
                for each in range(len(video.stretches)):
                    threads.submit(work, video, each)
        except BaseException as error:  # no worker starts, or all have been stopped
            video.fail(error)
        finally:
            idle.put(worker)

    due: deque[Future[VideoOutcome]] = deque()
    try:
        for item in paths:
            if isinstance(item, VideoOutcome):
                due.append(_known(item))
            else:
                video = _Video(os.fspath(item), on_progress)
                due.append(video.outcome)
                threads.submit(work, video, None)
            while due and (due[0].done() or len(due) > AHEAD * count):
                yield due.popleft().result()
        while due:
            yield due.popleft().result()
    finally:
        for worker in workers:
            worker.stop()
        threads.shutdown(cancel_futures=True)


@dataclass(slots=True, eq=False)
class _Video:
    """A video while its segments are looked at, by several threads."""

    path: str
    on_progress: OnProgress | None
    outcome: Future[VideoOutcome] = field(default_factory=Future[VideoOutcome])
    info: VideoInfo | None = None
    stretches: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    results: dict[int, SegmentResult | LookwhoError] = field(
        default_factory=dict[int, SegmentResult | LookwhoError]
    )
    reached: dict[int, float] = field(default_factory=dict[int, float])
    people: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def probe(self, worker: VideoWorker) -> bool:
        """Find out what the video is; return whether there is anything to look at."""
        try:
            self.info = worker.probe(self.path)
        except LookwhoError as error:
            error = error.with_traceback(None)
            self._settle(VideoOutcome(self.path, None, None, error))
            return False
        self.stretches = segments.grid(self.info.duration)
        return True

    def look(self, worker: VideoWorker, part: int) -> None:
        """Look at one segment; whoever looks at the last one joins them."""
        assert self.info
        try:
            result = self._looked(worker, part)
        except LookwhoError as error:
            result = error.with_traceback(None)
        with self.lock:
            self.results[part] = result
            if len(self.results) < len(self.stretches):
                return
        good = [each for each in self.results.values() if isinstance(each, SegmentResult)]
        if good:
            outcome = VideoOutcome(self.path, self.info, self._joined(good), None)
        else:
            error = self.results[0]
            assert isinstance(error, LookwhoError)
            outcome = VideoOutcome(self.path, self.info, None, error)
        self._settle(outcome)

    def fail(self, error: BaseException) -> None:
        """Give the video up: nothing can be looked at any more."""
        with self.lock:
            if not self.outcome.done():
                self.outcome.set_exception(error)

    def _looked(self, worker: VideoWorker, part: int) -> SegmentResult:
        def tell(reached: float, people: int) -> None:
            self._tell(part, reached, people)

        assert self.info
        try:
            return worker.segment(self.path, self.info.duration, part, on_step=tell)
        except WorkerDied:  # perhaps of something else: once more, in a fresh process
            worker.start()
            return worker.segment(self.path, self.info.duration, part, on_step=tell)

    def _tell(self, part: int, reached: float, people: int) -> None:
        with self.lock:
            self.reached[part] = reached - self.stretches[part][0]
            self.people = max(self.people, people)
            told = sum(self.reached.values()), self.people
        if self.on_progress and self.info:
            self.on_progress(self.path, told[0], self.info.duration, told[1])

    def _joined(self, good: list[SegmentResult]) -> Cast:
        joined = cast.join(good)
        problems = [joined.problem] if joined.problem else []
        for part, result in sorted(self.results.items()):
            if isinstance(result, LookwhoError):
                start, end = self.stretches[part]
                problems.append(f"from {start:g} to {end:g} s nothing was found: {result.message}")
        return Cast(
            people=joined.people,
            cuts=joined.cuts,
            width=joined.width,
            height=joined.height,
            problem="; ".join(problems),
            pack=joined.pack,
        )

    def _settle(self, outcome: VideoOutcome) -> None:
        with self.lock:
            if not self.outcome.done():
                self.outcome.set_result(outcome)


def _known(outcome: VideoOutcome) -> Future[VideoOutcome]:
    future: Future[VideoOutcome] = Future()
    future.set_result(outcome)
    return future
