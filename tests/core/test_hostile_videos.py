"""Files that are broken, odd or hostile, through each of the processes that read videos.

Each ends in a result or in an error that says why; nothing hangs, and no process dies of it.
"""

import contextlib
import struct

import numpy as np
import pytest

from lookwho.core import segments
from lookwho.core.errors import InputError, LookwhoError
from lookwho.core.montage import FILM, made
from lookwho.core.render import Renderer
from lookwho.core.scenes import Scene
from lookwho.core.transcode import copied
from lookwho.core.video_batch import VideoWorker
from tests.videos import (
    clip_of,
    cut_off,
    damaged,
    drawn,
    eight_k,
    kind_named,
    make_clip,
    sound_only,
    without_pictures,
)

LONG = pytest.mark.long
HEADER = b"\0\0\0\x18ftypmp42" + bytes(12)
BOX = (0.2, 0.2, 0.6, 0.6)
# The seconds that a single request may take here: a hundred times what any needs.
PATIENCE = 60.0


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Whole clips, to be broken: with and without an index, of several codecs."""
    folder = tmp_path_factory.mktemp("clips")
    names = ("H.264 in MP4", "VP9 in MKV", "H.264 in M2TS", "MPEG-2 in MPG", "MJPEG in AVI")
    return {name: clip_of(kind_named(name), folder, count=50, audio=True) for name in names}


@pytest.fixture(scope="module")
def looker():
    worker = VideoWorker({}, seconds=PATIENCE)
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture(scope="module")
def renderer():
    made = Renderer(seconds=PATIENCE)
    yield made
    made.stop()


def written(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def through_all(path, looker, renderer, folder):
    """Give a file to each process; return what each made of it: a result, or the kind of error."""
    scene = Scene(str(path), 0.0, 2.0, 0.5, BOX, BOX, "2024-05-01  0:00")

    def looked():
        info = looker.probe(path)
        assert info.duration >= 0
        assert 1 <= info.width <= 8192
        for part in range(min(len(segments.grid(info.duration)), 3)):
            looker.segment(path, info.duration, part)
        return "result"

    doings = {
        "look": looked,
        "poster": lambda: renderer.render(path, side=320) and "result",
        "crop": lambda: renderer.render(path, side=160, box=BOX, time=0.5) and "result",
        "copy": lambda: copied(path, folder / "copy", lambda share: None) and "result",
        "film": lambda: made(FILM, [scene], folder / "film", lambda share: None) and "result",
    }
    became = {}
    for name, do in doings.items():
        # Else the work was at fault: a process hung, died or ran out of memory.
        with contextlib.suppress(InputError):
            became[name] = do()
        if name not in became:
            with pytest.raises(InputError, match=r"\w") as caught:
                do()
            became[name] = caught.value.code
    return became


@pytest.mark.parametrize(
    ("name", "make"),
    (
        ("empty", lambda folder: written(folder, "a.mp4", b"")),
        ("a byte", lambda folder: written(folder, "a.mp4", b"\0")),
        ("sound alone", lambda folder: sound_only(folder / "a.mp4")),
        ("sound alone in mkv", lambda folder: sound_only(folder / "a.mkv")),
        ("no pictures", lambda folder: without_pictures(folder / "zero.mp4", folder)),
        ("a play list", lambda folder: written(folder, "a.mp4", b"#EXTM3U\n/etc/passwd\n")),
        ("a list to join", lambda folder: written(folder, "a.mkv", b"ffconcat version 1.0\n")),
        ("noise", lambda folder: written(folder, "a.mp4", np.random.default_rng(1).bytes(9999))),
        ("a header alone", lambda folder: written(folder, "a.mp4", HEADER)),
    ),
)  # fmt: skip
def test_what_shows_nothing_is_refused_everywhere(name, make, looker, renderer, tmp_path):
    became = through_all(make(tmp_path), looker, renderer, tmp_path)

    assert set(became.values()) <= {"not_a_video", "broken_video", "not_an_image"}, name


@pytest.mark.parametrize("size", ((1, 1), (2, 1), (1, 300), (4000, 2)))
def test_the_smallest_and_the_oddest_are_shown(size, looker, renderer, tmp_path):
    path = make_clip(tmp_path / "odd.mp4", drawn(30, size), pixel_format="yuv444p")

    became = through_all(path, looker, renderer, tmp_path)

    assert set(became.values()) == {"result"}


def test_8k_is_shown_within_the_memory_that_it_may_take(looker, renderer, tmp_path):
    became = through_all(eight_k(tmp_path / "8k.mp4"), looker, renderer, tmp_path)

    assert set(became.values()) == {"result"}


def test_more_than_8k_is_refused(looker, renderer, tmp_path):
    """A header that claims 16K costs nothing to write, and gigabytes to believe."""
    clip = make_clip(tmp_path / "clip.avi", drawn(3), codec="rawvideo")
    data = bytearray(clip.read_bytes())
    at = data.index(b"strf") + 8
    data[at + 4 : at + 12] = struct.pack("<ii", 65_000, 65_000)

    became = through_all(written(tmp_path, "claims.avi", data), looker, renderer, tmp_path)

    assert "result" not in became.values()


@pytest.mark.parametrize("share", (pytest.param(0.1, marks=LONG), 0.5, 0.95))
@pytest.mark.parametrize(
    "name", ("H.264 in MP4", "VP9 in MKV", "H.264 in M2TS", "MPEG-2 in MPG", "MJPEG in AVI")
)
def test_a_file_that_breaks_off_ends(name, share, clips, looker, renderer, tmp_path):
    path = cut_off(clips[name], tmp_path / f"cut{clips[name].suffix}", share)

    became = through_all(path, looker, renderer, tmp_path)

    if share >= 0.5 and name != "H.264 in MP4":  # of which the index is at the end
        assert set(became.values()) == {"result"}


@pytest.mark.parametrize("seed", (0, *(pytest.param(each, marks=LONG) for each in range(1, 8))))
@pytest.mark.parametrize("name", ("H.264 in MP4", "VP9 in MKV", "H.264 in M2TS", "MPEG-2 in MPG"))
def test_bytes_that_changed_harm_nobody(name, seed, clips, looker, renderer, tmp_path):
    random = np.random.default_rng(seed)
    data = bytearray(clips[name].read_bytes())
    for at in random.integers(0, len(data), 1 + seed * 20):
        data[at] = random.integers(0, 256)

    path = written(tmp_path, f"changed{clips[name].suffix}", data)

    through_all(path, looker, renderer, tmp_path)


def test_a_hole_in_the_middle_is_passed_over(clips, looker, renderer, tmp_path):
    path = damaged(clips["H.264 in M2TS"], tmp_path / "hole.m2ts")

    assert set(through_all(path, looker, renderer, tmp_path).values()) == {"result"}


def test_a_clock_that_claims_years_makes_no_years_of_work(looker, renderer, tmp_path):
    path = make_clip(tmp_path / "years.mkv", drawn(3), times=[0, 1, 4_000_000])

    became = through_all(path, looker, renderer, tmp_path)

    assert became["film"] == became["poster"] == "result"
    assert became["copy"] == "broken_video"  # there is no such MP4


def test_a_name_that_looks_like_an_address_is_only_a_name(looker, renderer, tmp_path):
    folder = tmp_path / "http:" / "example.org"
    folder.mkdir(parents=True)
    path = make_clip(tmp_path / "clip.mp4").rename(folder / "-i concat:a|b %03d.mp4")
    assert set(through_all(path, looker, renderer, tmp_path).values()) == {"result"}


def test_a_process_that_may_not_take_so_much_memory_lives_on(tmp_path):
    worker = Renderer(seconds=PATIENCE, memory=60 << 20)
    try:
        with pytest.raises(LookwhoError):
            worker.render(eight_k(tmp_path / "8k.mp4", 1), side=320)
        assert worker.render(make_clip(tmp_path / "small.mp4"), side=320)
    finally:
        worker.stop()
