import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookwho.core import batch, packs
from lookwho.core.batch import Outcome, Worker
from lookwho.core.errors import (
    InputError,
    ModelMissing,
    NotAnImage,
    OutOfMemory,
    TimedOut,
    WorkerDied,
)
from lookwho.core.video import frame_at
from tests.faces import faces_of, told
from tests.processes import see_processes, workers
from tests.videos import PEOPLE, faces_clip

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = packs.settings()


def run(items, **options):
    return batch.run(items, SETTINGS, **options)


def codes(outcomes):
    return [outcome.error and outcome.error.code for outcome in outcomes]


def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_outcomes_come_in_order_and_are_what_one_process_finds(photos, analyzer):
    paths = [str(path) for path in photos[:7]]
    expected = [told(Outcome(path, analyzer(path), None)) for path in paths]

    assert [told(outcome) for outcome in run(paths * 2, processes=2)] == expected * 2


def test_files_that_cannot_be_read_give_errors_and_the_others_go_on(photos, tmp_path):
    good = photos[0]
    (tmp_path / "page.jpg").write_text("<!doctype html>")
    (tmp_path / "half.jpg").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    os.mkfifo(tmp_path / "pipe.jpg")
    names = ("missing.jpg", "page.jpg", "half.jpg", "pipe.jpg", ".")
    outcomes = list(run([good, *(tmp_path / name for name in names), good], processes=2))

    assert codes(outcomes) == [
        None,
        "file_missing",
        "not_an_image",
        "broken_image",
        "file_missing",
        "file_missing",
        None,
    ]
    assert told(outcomes[0]) == told(outcomes[-1])


@see_processes
def test_a_file_whose_process_is_killed_is_told_and_the_others_go_on(photos):
    outcomes = run([photos[0]] * 40, processes=1)
    first = next(outcomes)
    (worker,) = workers()
    os.kill(worker, signal.SIGSTOP)
    time.sleep(0.3)  # so that it has been handed a file
    os.kill(worker, signal.SIGKILL)
    others = list(outcomes)

    assert len(others) == 39
    died = [outcome.error for outcome in others if outcome.error]
    assert [type(error) for error in died] == [WorkerDied]
    assert died[0].message == "reading the file crashed its process: SIGKILL"
    assert {str(told(outcome)) for outcome in others if not outcome.error} == {str(told(first))}


@see_processes
def test_a_file_that_takes_too_long_is_given_up_and_the_next_has_a_fresh_process(photos):
    path = str(photos[0])
    worker = Worker(SETTINGS, seconds=4)
    first = worker.analyze(path)
    (process,) = workers()
    os.kill(process, signal.SIGSTOP)
    second, third = worker.analyze(path), worker.analyze(path)
    (fresh,) = workers()
    worker.stop()

    assert isinstance(second.error, TimedOut)
    assert second.error.message == "reading the file took longer than 4 seconds"
    assert told(third) == told(first)
    assert fresh != process


def test_a_file_that_needs_too_much_memory_is_told_and_the_next_is_read(photos, tmp_path):
    Image.new("RGB", (9_000, 9_000)).save(tmp_path / "large.png", compress_level=1)
    paths = [photos[0], tmp_path / "large.png", photos[0]]
    first, large, last = run(paths, processes=1, memory=250 << 20)

    assert isinstance(large.error, OutOfMemory)
    assert "250 MB" in large.error.message
    assert told(last) == told(first)


@pytest.mark.long
@pytest.mark.parametrize(
    ("size", "mode", "kind", "options"),
    (
        ((10_900, 10_900), "RGB", "TIFF", {"compression": "tiff_lzw", "tiffinfo": {278: 10_900}}),
        ((10_000, 10_000), "RGB", "TIFF", {"compression": "raw", "tiffinfo": {274: 6}}),
        ((7_050, 7_050), "RGBA", "AVIF", {"speed": 10, "subsampling": "4:4:4"}),
        ((9_100, 9_100), "RGB", "JPEG", {"progressive": True, "subsampling": 0}),
    ),
)
def test_a_worker_has_the_memory_that_the_largest_pictures_need(
    size, mode, kind, options, tmp_path
):
    Image.new(mode, size, "orange").save(tmp_path / "large", kind, **options)
    outcomes = list(run([tmp_path / "large"] * 2, processes=1))

    assert codes(outcomes) == [None, None]


def test_known_outcomes_keep_their_place(photos, tmp_path):
    known = [
        Outcome("a.jpg", faces_of((1, 2, 3, 4)), None),
        Outcome("b.jpg", None, NotAnImage("this is a text file")),
    ]
    items = [known[0], tmp_path / "c.jpg", known[1], photos[0], known[0]]
    outcomes = list(run(items, processes=2))

    assert [outcome.path for outcome in outcomes] == [
        "a.jpg",
        str(tmp_path / "c.jpg"),
        "b.jpg",
        str(photos[0]),
        "a.jpg",
    ]
    assert [outcomes[0], outcomes[2], outcomes[4]] == [*known, known[0]]


@see_processes
def test_no_process_is_started_where_everything_is_known():
    known = Outcome("a.jpg", faces_of(), None)
    outcomes = []
    for outcome in run([known] * 100, processes=2):
        outcomes.append(outcome)
        assert workers() == []

    assert outcomes == [known] * 100


def test_no_path_is_taken_long_before_its_turn(photos):
    known = Outcome("a.jpg", faces_of(), None)
    taken = []

    def items():
        yield photos[0]  # for which a process has to start
        for number in range(1_000):
            taken.append(number)
            yield known

    outcomes = run(items(), processes=2)
    next(outcomes)

    assert len(taken) <= 2 * batch.AHEAD


@see_processes
def test_whoever_stops_early_leaves_no_process_behind(photos):
    for _ in run([photos[0]] * 100, processes=2):
        assert workers() != []
        break

    wait_until(lambda: workers() == [])


@see_processes
def test_no_process_is_left_behind_by_a_failing_list_of_paths(photos):
    def items():
        yield from [photos[0]] * 50
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(run(items(), processes=2))

    assert workers() == []


@see_processes
def test_a_worker_ends_with_the_process_that_started_it(photos):
    code = f"""
        import os, signal
        from lookwho.core.batch import Worker
        from tests.processes import workers
        Worker({SETTINGS!r}).analyze({str(photos[0])!r})
        print(*workers(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )

    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: not Path("/proc", done.stdout.strip(), "exe").exists())


def test_a_stopped_worker_starts_no_process_any_more(photos):
    worker = Worker(SETTINGS)
    worker.stop()

    with pytest.raises(WorkerDied, match="the work was stopped"):
        worker.analyze(str(photos[0]))


@see_processes
def test_a_worker_can_be_stopped_from_another_thread(photos):
    worker = Worker(SETTINGS)
    worker.analyze(str(photos[0]))
    (process,) = workers()
    os.kill(process, signal.SIGSTOP)
    with ThreadPoolExecutor() as thread:
        waiting = thread.submit(worker.analyze, str(photos[0]))
        worker.stop()
        error = waiting.exception(30) or waiting.result().error

    assert isinstance(error, WorkerDied)
    assert workers() == []


def test_models_that_are_missing_end_the_work_with_what_to_install(photos, tmp_path, monkeypatch):
    (tmp_path / "mtcnn").mkdir()
    (tmp_path / "mtcnn" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModelMissing, match="pip install mtcnn"):
        list(run(photos, processes=2, cache=tmp_path / "cache"))


def test_settings_that_do_not_exist_end_the_work(photos):
    with pytest.raises(InputError, match="there is no preset 'hasty'"):
        list(batch.run(photos, {"preset": "hasty"}, processes=2))


def test_a_process_that_cannot_start_tells_what_it_complained_of(photos, tmp_path, monkeypatch):
    (tmp_path / "cv2.py").write_text("raise ImportError('no such library: libGL')")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(WorkerDied, match=r"(?s)did not start: exit status 1\n.*libGL"):
        list(run(photos, processes=1))


SCRIPT = """
import sys
import lookwho

print("begin")
analyze = lookwho.Analyzer()
for outcome in analyze.batch(sys.argv[1:], processes=2):
    print(outcome.path, len(outcome.faces))
print(lookwho.find(sys.argv[1:2], sys.argv[1:], processes=2)[0].path)
"""


def test_a_plain_script_works_wherever_it_is_run(photos, tmp_path):
    paths = [os.fspath(path) for path in photos[:2]]
    (tmp_path / "here").mkdir()
    (tmp_path / "script.py").write_text(SCRIPT)
    for name in ("json.py", "numpy.py", "lookwho.py"):  # no business of ours
        (tmp_path / "here" / name).write_text("raise SystemExit('the wrong module')")
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py", *paths],
        cwd=tmp_path / "here",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == ["begin", f"{paths[0]} 1", f"{paths[1]} 1", paths[0]]


def test_names_of_files_need_not_be_text(photos, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9\n.jpg")
    shutil.copy(photos[0], path)
    (outcome,) = run([path], processes=1)

    assert outcome.path == os.fspath(path)
    assert len(outcome.faces) > 0


def test_a_worker_embeds_drawn_boxes_as_one_process_does(photos, analyzer):
    path = next(path for path in photos if path.name == "obama.jpg")
    boxes = analyzer(path).boxes + 5
    worker = Worker(SETTINGS)
    outcome = worker.embed(str(path), boxes)
    refused = worker.embed(str(path), boxes * np.nan)
    found = worker.analyze(str(path))
    worker.stop()

    assert told(outcome) == told(Outcome(str(path), analyzer.embed(path, boxes), None))
    assert codes([refused, found]) == ["input", None]


def test_a_worker_embeds_faces_of_a_video_where_they_are_at_their_time(media, tmp_path, analyzer):
    clip, labels = faces_clip(tmp_path / "clip.mp4", media, people=PEOPLE[:2], seconds=4)
    times = tuple((label.start + label.end) / 2 for label in labels)
    frames = [frame_at(os.fspath(clip), time) for time in times]
    boxes = np.concatenate([analyzer(frame).boxes[:1] for frame in frames])
    worker = Worker(SETTINGS)
    outcome = worker.embed(str(clip), boxes, times=times)
    refused = worker.embed(str(tmp_path / "gone.mp4"), boxes, times=times)
    worker.stop()

    assert len(labels) == 2
    assert outcome.error is None
    for found, frame, box in zip(outcome.faces, frames, boxes, strict=True):
        alone = analyzer.embed(frame, box[None])
        np.testing.assert_allclose(found.embedding, alone.embeddings[0], atol=1e-5)
    one, other = outcome.faces.embeddings
    assert one @ other < 0.9
    assert codes([refused]) == ["file_missing"]
