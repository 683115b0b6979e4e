import os
import signal
import threading
import time

import pytest

from lookwho.core import cast, footage, packs, segments
from lookwho.core.errors import (
    FileMissing,
    InputError,
    NotAVideo,
    TimedOut,
    WorkerDied,
)
from lookwho.core.video import probe
from lookwho.core.video_batch import VideoOutcome, VideoWorker, analyze_videos
from tests import processes
from tests.processes import see_processes
from tests.videos import drawn, faces_clip, make_clip, sound_only

SETTINGS = packs.settings()


class GivenUp(Exception):
    """Somebody wants it no more."""


@pytest.fixture(scope="module")
def clip(media, tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return faces_clip(path, media, ("Al_Gore", "Ana_Guevara"), 3.0)[0]


@pytest.fixture(scope="module")
def long_clip(media, tmp_path_factory):
    """Three segments, with somebody across each border."""
    path = tmp_path_factory.mktemp("clips") / "long.mp4"
    people = ("Al_Gore", "Ana_Guevara", ("Al_Gore", "Andy_Roddick"), "Ana_Guevara")
    return faces_clip(path, media, people, 126.0, (256, 144), (58.0, 90.0, 121.0), rate=5)[0]


@pytest.fixture
def worker():
    worker = VideoWorker(SETTINGS)
    yield worker
    worker.stop()


@pytest.fixture(scope="module")
def undisturbed(long_clip):
    """What becomes of the long clip."""
    (outcome,) = analyze_videos([long_clip], SETTINGS, processes=1)
    return outcome


def workers():
    return processes.workers("lookwho.core.video_worker")


def kept(outcomes):
    """Casts as bytes, or the codes of errors."""
    return [each.error.code if each.error else footage.dump_cast(each.cast) for each in outcomes]


def test_the_cast_is_the_same_whoever_looked_at_which_segment(long_clip, undisturbed, worker):
    told = []
    (four,) = analyze_videos(
        [long_clip],
        SETTINGS,
        processes=4,
        on_progress=lambda *about: told.append(about),
    )
    info = worker.probe(long_clip)
    parts = range(len(segments.grid(info.duration)))
    by_hand = [worker.segment(long_clip, info.duration, part) for part in reversed(parts)]

    assert len(parts) == 3
    assert info == undisturbed.info == probe(long_clip)
    assert kept([four]) == kept([undisturbed]) == [footage.dump_cast(cast.join(by_hand))]
    assert len(undisturbed.cast.people) == 3
    assert max(told) == (str(long_clip), pytest.approx(info.duration, abs=0.5), info.duration, 3)


def test_videos_that_cannot_be_read_give_errors_in_their_order_and_others_go_on(clip, tmp_path):
    (tmp_path / "page.mp4").write_text("<!doctype html>")
    (tmp_path / "empty.mp4").touch()
    known = VideoOutcome("known", None, None, InputError("known before"))
    paths = [
        tmp_path / "missing.mp4",
        clip,
        tmp_path / "page.mp4",
        known,
        tmp_path / "empty.mp4",
        sound_only(tmp_path / "sound.mp4"),
        make_clip(tmp_path / "small.mkv", drawn(3, (1, 1)), pixel_format="yuv444p"),
    ]
    outcomes = list(analyze_videos(paths, SETTINGS, processes=2))

    assert [each.path for each in outcomes] == [
        each.path if isinstance(each, VideoOutcome) else str(each) for each in paths
    ]
    assert [type(each.error) for each in outcomes] == [
        FileMissing,
        type(None),
        NotAVideo,
        InputError,
        type(outcomes[4].error),
        type(outcomes[5].error),
        type(None),
    ]
    assert all(isinstance(each.error, InputError) for each in outcomes[4:6])
    assert len(outcomes[1].cast.people) == 2
    assert outcomes[6].cast.people == ()


def test_what_is_given_up_is_given_up_at_once_and_the_worker_goes_on(long_clip, clip, worker):
    whole = worker.segment(clip, 3.0, 0)
    steps = []

    def give_up(reached, people):
        steps.append(reached)
        raise GivenUp

    with pytest.raises(GivenUp):
        worker.segment(long_clip, 126.0, 0, on_step=give_up)

    assert len(steps) == 1
    assert steps[0] < 60
    again = worker.segment(clip, 3.0, 0)
    assert footage.dump_segment(again) == footage.dump_segment(whole)


@see_processes
def test_a_worker_that_is_killed_loses_its_segment_and_the_next_has_a_fresh_process(clip, worker):
    whole = worker.segment(clip, 3.0, 0)
    (process,) = workers()

    def kill(reached, people):
        os.kill(process, signal.SIGKILL)

    with pytest.raises(WorkerDied):
        worker.segment(clip, 3.0, 0, on_step=kill)
    again = worker.segment(clip, 3.0, 0)

    assert footage.dump_segment(again) == footage.dump_segment(whole)
    assert workers() != [process]


@see_processes
@pytest.mark.parametrize("times", (1, 2))
def test_a_process_that_is_killed_once_costs_nothing_and_twice_its_segment(
    long_clip, undisturbed, times
):
    killed = []

    def kill(path, reached, duration, people):
        if len(killed) < times and 62 < reached < 100:  # in the second segment
            killed.extend(workers())
            os.kill(killed[-1], signal.SIGKILL)

    (outcome,) = analyze_videos([long_clip], SETTINGS, processes=1, on_progress=kill)

    assert len(set(killed)) == times
    if times == 1:
        assert kept([outcome]) == kept([undisturbed])
    else:
        assert outcome.cast.problem == (
            "from 60 to 120 s nothing was found: reading the file crashed its process: SIGKILL"
        )
        assert outcome.cast.people[0].appearances[0][0] == 0.0


def test_a_step_that_takes_too_long_is_told(clip):
    worker = VideoWorker(SETTINGS, seconds=0.05)
    with pytest.raises(TimedOut):
        worker.segment(clip, 3.0, 0)
    worker.stop()


def test_a_worker_that_is_stopped_from_another_thread_ends_at_once(long_clip, worker):
    timer = threading.Timer(0.5, worker.stop)

    def begin(reached, people):
        if not timer.is_alive() and not timer.finished.is_set():
            timer.start()

    with pytest.raises(WorkerDied):
        worker.segment(long_clip, 126.0, 0, on_step=begin)
    timer.join()
    assert workers() == []


@see_processes
def test_whoever_wants_no_more_outcomes_ends_all_processes(long_clip, clip):
    outcomes = analyze_videos([clip, long_clip, long_clip], SETTINGS, processes=2)
    next(outcomes)
    outcomes.close()

    end = time.monotonic() + 10
    while workers():
        assert time.monotonic() < end
        time.sleep(0.05)
