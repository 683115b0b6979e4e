import contextlib
import io
import itertools
import os
import resource
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookwho.core.errors import (
    BrokenImage,
    FileMissing,
    ImageTooLarge,
    InputError,
    NotAnImage,
    NotAVideo,
    StorageReadOnly,
    TimedOut,
    WorkerDied,
)
from lookwho.core.render import render
from lookwho.services import pictures as module
from lookwho.services.pictures import Pictures
from tests.children import children, see_children, wait_until
from tests.pictures import assert_looks_like_corners, encode, jpeg_of, noise, png_of
from tests.videos import drawn, make_clip, sound_only

ONE, OTHER = bytes(range(32)), bytes(range(1, 33))
BOX = (0.25, 0.25, 0.5, 0.5)


@pytest.fixture
def photo(photos, tmp_path):
    """A real photo, in a folder of its own."""
    (tmp_path / "album").mkdir()
    return Path(shutil.copy(photos[0], tmp_path / "album" / "photo.jpg"))


@pytest.fixture
def pictures(tmp_path):
    made = Pictures(tmp_path / "cache")
    yield made
    made.close()


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    """Pictures of one small photo that is drawn, for tests with many examples."""
    folder = tmp_path_factory.mktemp("some")
    (folder / "photo.jpg").write_bytes(encode(noise(), "JPEG"))
    made = Pictures(folder / "cache")
    yield made, folder / "photo.jpg"
    made.close()


def kept(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def on_disk(length):
    return -(-length // 4096) * 4096


def size_of(folder):
    """The bytes on the disk of all files, some of which may be removed at this very moment."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += on_disk(os.path.getsize(os.path.join(parent, name)))
    return total


def size(picture):
    return Image.open(io.BytesIO(picture)).size


# --- making and keeping ---


def test_pictures_are_what_render_makes(pictures, photo):
    for side in (320, 640, 1600):
        assert pictures.thumbnail(ONE, photo, side=side) == render(photo, side=side)
    for side in (160, 480):
        crop = pictures.crop(ONE, photo, box=BOX, side=side)
        assert crop == render(photo, side=side, box=BOX)


def test_what_was_made_once_is_kept_and_the_original_is_not_needed_again(pictures, photo, tmp_path):
    made = pictures.thumbnail(ONE, photo, side=320), pictures.crop(ONE, photo, box=BOX)
    photo.unlink()
    again = Pictures(tmp_path / "cache")

    for each in (pictures, again):
        found = each.thumbnail(ONE, photo, side=320), each.crop(ONE, photo, box=BOX)
        assert found == made
    again.close()


def test_what_is_kept_are_files_that_any_program_shows(pictures, photo, tmp_path):
    pictures.thumbnail(ONE, photo, side=320)
    (file,) = kept(tmp_path / "cache")

    assert file.relative_to(tmp_path / "cache").parent == Path(ONE.hex()[:2], ONE.hex()[2:])
    with Image.open(file) as image:
        assert max(image.size) == 320


def test_pictures_are_kept_apart_by_media_side_orientation_and_box(pictures, photo, tmp_path):
    pictures.thumbnail(ONE, photo, side=320)
    others = (
        lambda: pictures.thumbnail(OTHER, photo, side=320),
        lambda: pictures.thumbnail(ONE, photo, side=1600),
        lambda: pictures.thumbnail(ONE, photo, side=320, orientation=6),
        lambda: pictures.crop(ONE, photo, box=BOX),
        lambda: pictures.crop(ONE, photo, box=(0.25, 0.25, 0.5, 0.5001)),
        lambda: pictures.crop(ONE, photo, box=BOX, side=480),
        lambda: pictures.crop(ONE, photo, box=BOX, orientation=6),
    )
    for count, make in enumerate(others, 2):
        make()
        assert len(kept(tmp_path / "cache")) == count


def test_originals_and_their_folder_are_not_touched(pictures, photo):
    def state():
        return [(path, path.stat().st_mtime_ns) for path in (photo.parent, *kept(photo.parent))]

    before, content = state(), photo.read_bytes()
    pictures.thumbnail(ONE, photo, side=320)
    pictures.crop(ONE, photo, box=BOX)
    pictures.forget(ONE)

    assert state() == before
    assert photo.read_bytes() == content


def test_only_this_user_may_see_what_is_kept(pictures, photo, tmp_path):
    pictures.thumbnail(ONE, photo, side=320)

    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
    assert kept(tmp_path / "cache")[0].stat().st_mode & 0o077 == 0


def emptied(file):
    file.write_bytes(b"")


def cut(file):
    file.write_bytes(file.read_bytes()[:-100])


def flipped(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def replaced(file):
    file.write_bytes(render(noise(), side=320))


def made_a_folder(file):
    file.unlink()
    (file / "inside").mkdir(parents=True)


@pytest.mark.parametrize("damage", (emptied, cut, flipped, replaced))
def test_a_damaged_picture_is_made_again(damage, pictures, photo, tmp_path):
    picture = pictures.thumbnail(ONE, photo, side=320)
    (file,) = kept(tmp_path / "cache")
    sound = file.read_bytes()
    damage(file)

    assert pictures.thumbnail(ONE, photo, side=320) == picture
    assert kept(tmp_path / "cache") == [file]
    assert file.read_bytes() == sound


def test_a_folder_in_the_place_of_a_picture_is_done_without(pictures, photo, tmp_path):
    picture = pictures.thumbnail(ONE, photo, side=320)
    made_a_folder(*kept(tmp_path / "cache"))

    assert pictures.thumbnail(ONE, photo, side=320) == picture
    assert "pictures are made anew each time" in pictures.problem
    assert kept(tmp_path / "cache") == []


def test_a_picture_that_was_put_in_another_place_is_not_believed(pictures, photo, tmp_path):
    crop = pictures.crop(ONE, photo, box=BOX)
    (file,) = kept(tmp_path / "cache")
    stranger = pictures.crop(OTHER, photo, box=(0.5, 0.5, 0.8, 0.8))
    (other,) = set(kept(tmp_path / "cache")) - {file}
    shutil.copy(other, file)

    assert pictures.crop(ONE, photo, box=BOX) == crop != stranger


@given(content=st.binary(max_size=200))
def test_whatever_lies_in_the_place_of_a_picture_the_picture_is_right(some, content):
    pictures, photo = some
    expected = render(photo, side=320)
    assert pictures.thumbnail(ONE, photo, side=320) == expected
    for file in (photo.parent / "cache").rglob("*.webp"):
        file.write_bytes(content)

    assert pictures.thumbnail(ONE, photo, side=320) == expected


@pytest.mark.parametrize(
    ("content", "error"),
    (
        (None, FileMissing),
        (b"<!doctype html>", NotAnImage),
        (jpeg_of(64, 48)[:500], BrokenImage),
        (png_of(100_000, 100_000), ImageTooLarge),
    ),
)
def test_an_original_that_cannot_be_shown_is_told_and_nothing_is_kept(
    content, error, pictures, tmp_path
):
    if content is not None:
        (tmp_path / "odd.jpg").write_bytes(content)

    with pytest.raises(error):
        pictures.thumbnail(ONE, tmp_path / "odd.jpg", side=320)
    with pytest.raises(error):
        pictures.crop(ONE, tmp_path / "odd.jpg", box=BOX)
    assert kept(tmp_path / "cache") == []
    assert pictures.problem is None


def test_what_no_page_asks_for_is_refused(pictures, photo, tmp_path):
    with pytest.raises(InputError, match="a side of 320, 640 or 1600 pixels, not 321"):
        pictures.thumbnail(ONE, photo, side=321)
    with pytest.raises(InputError, match="a side of 160 or 480 pixels, not 320"):
        pictures.crop(ONE, photo, box=BOX, side=320)
    with pytest.raises(InputError, match="an orientation is 1 to 8, not 9"):
        pictures.thumbnail(ONE, photo, side=320, orientation=9)
    with pytest.raises(InputError, match="no part of the box"):
        pictures.crop(ONE, photo, box=(0.5, 0.5, 0.4, 0.6))
    with pytest.raises(InputError, match="a sha256 of 32 bytes, not of 1"):
        pictures.thumbnail(b"x", photo, side=320)
    assert not (tmp_path / "cache").exists()


# --- forgetting ---


def test_forgetting_media_removes_all_their_pictures_and_no_others(pictures, photo, tmp_path):
    for payload in (ONE, OTHER):
        pictures.thumbnail(payload, photo, side=320)
        pictures.thumbnail(payload, photo, side=320, orientation=6)
        pictures.crop(payload, photo, box=BOX)
    pictures.forget(ONE)

    assert len(kept(tmp_path / "cache")) == 3
    photo.unlink()
    pictures.crop(OTHER, photo, box=BOX)
    with pytest.raises(FileMissing):
        pictures.crop(ONE, photo, box=BOX)


def test_forgetting_what_nobody_asked_for_changes_nothing(pictures, tmp_path):
    pictures.forget(ONE)
    pictures.forget(ONE)

    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("payload", (b"", b"x"))
def test_no_payload_names_more_than_its_own_pictures(payload, pictures, photo, tmp_path):
    pictures.thumbnail(ONE, photo, side=320)

    with pytest.raises(InputError):
        pictures.forget(payload)
    assert len(kept(tmp_path / "cache")) == 1


@see_children
def test_a_picture_that_is_forgotten_while_it_is_made_is_not_kept(pictures, photo, tmp_path):
    before = children()
    pictures.thumbnail(OTHER, photo, side=320)
    (process,) = set(children()) - set(before)
    os.kill(process, signal.SIGSTOP)
    elsewhere = Pictures(tmp_path / "cache")  # another web server
    with ThreadPoolExecutor() as threads:
        making = threads.submit(pictures.thumbnail, ONE, photo, side=320)
        wait_until(lambda: len(kept(tmp_path / "cache")) == 2)
        elsewhere.forget(ONE)
        # Somebody asks once more, and the folder is there again.
        with pytest.raises(FileMissing):
            elsewhere.thumbnail(ONE, tmp_path / "missing.jpg", side=320)
        os.kill(process, signal.SIGCONT)

        assert making.result(30) == render(photo, side=320)
    assert len(kept(tmp_path / "cache")) == 1
    assert pictures.problem is None
    elsewhere.close()


def test_what_a_process_left_that_died_while_forgetting_is_removed(pictures, photo, tmp_path):
    pictures.thumbnail(ONE, photo, side=320)
    (tmp_path / "cache" / "forgotten").mkdir()
    (tmp_path / "cache" / ONE.hex()[:2] / ONE.hex()[2:]).rename(
        tmp_path / "cache" / "forgotten" / "0123"
    )
    pictures.forget(ONE)

    assert kept(tmp_path / "cache") == []


def test_several_processes_may_forget_at_once(pictures, photo, tmp_path):
    payloads = [bytes([number] * 32) for number in range(40)]
    others = [Pictures(tmp_path / "cache") for _ in range(4)]
    for payload in payloads:
        pictures.thumbnail(payload, photo, side=320)
    with ThreadPoolExecutor(4) as threads:
        work = [threads.submit(other.forget, each) for each in payloads for other in others]
    assert [each.exception() for each in work] == [None] * 160
    assert kept(tmp_path / "cache") == []


def test_pictures_that_cannot_be_removed_are_told(pictures, photo, tmp_path):
    pictures.thumbnail(ONE, photo, side=320)
    (tmp_path / "cache" / "forgotten").touch()  # where a folder must be made: root, too, fails

    with pytest.raises(StorageReadOnly, match=r"cannot be removed from .*cache"):
        pictures.forget(ONE)


# --- a folder that fails ---


def test_a_full_disk_costs_time_and_is_told(pictures, photo, tmp_path):
    # The kernel refuses to let any file of this process grow beyond a kilobyte.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        picture = pictures.thumbnail(ONE, photo, side=320)
        problem = pictures.problem
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert picture == render(photo, side=320)
    assert "pictures are made anew each time" in problem
    assert "File too large" in problem
    assert kept(tmp_path / "cache") == []
    pictures.thumbnail(ONE, photo, side=320)
    assert pictures.problem is None
    assert len(kept(tmp_path / "cache")) == 1


def test_a_folder_that_cannot_be_made_costs_time_and_is_told(photo, tmp_path):
    (tmp_path / "file").touch()
    pictures = Pictures(tmp_path / "file" / "cache")
    try:
        assert pictures.problem is None
        for _ in range(2):
            assert pictures.thumbnail(ONE, photo, side=320) == render(photo, side=320)
        assert str(tmp_path / "file" / "cache") in pictures.problem
        pictures.forget(ONE)
    finally:
        pictures.close()


def test_a_folder_that_is_deleted_in_between_is_made_again(pictures, photo, tmp_path):
    first = pictures.thumbnail(ONE, photo, side=320)
    shutil.rmtree(tmp_path / "cache")

    assert pictures.thumbnail(ONE, photo, side=320) == first
    assert len(kept(tmp_path / "cache")) == 1


# --- the limit ---


def home(folder, number):
    digits = bytes([number] * 32).hex()
    return folder / digits[:2] / digits[2:]


def test_the_folder_never_grows_much_beyond_its_limit(photo, tmp_path):
    limit = 200_000
    pictures = Pictures(tmp_path / "cache", limit_bytes=limit)
    sizes = []
    for number in range(90):
        pictures.thumbnail(bytes([number] * 32), photo, side=320)
        sizes.append(size_of(tmp_path / "cache"))
    pictures.close()

    assert max(sizes[:45]) > limit * 0.9
    assert min(sizes[45:]) > limit / 2
    # A sixteenth more, and the pictures that were made while the old ones were being removed.
    assert max(sizes) < limit * 1.4
    assert pictures.problem is None


def test_what_was_not_used_for_longest_is_removed_first(photo, tmp_path):
    unlimited = Pictures(tmp_path / "cache")
    for number in range(20):
        unlimited.thumbnail(bytes([number] * 32), photo, side=320)
    unlimited.close()
    now = time.time()
    for number in range(20):
        (file,) = kept(home(tmp_path / "cache", number))
        age = 10 * 86_400 - number * 7 % 20 * 3_600  # in another order than they were made in
        os.utime(file, (now - age, now - age))
    unlimited.thumbnail(bytes(32), photo, side=320)  # the oldest, which is used now
    limit = 10 * on_disk(file.stat().st_size)
    pictures = Pictures(tmp_path / "cache", limit_bytes=limit)
    pictures.thumbnail(bytes([99] * 32), photo, side=320)
    pictures.close()

    left = [number for number in range(20) if home(tmp_path / "cache", number).exists()]
    # With 99, nine of the ten that there is room for.
    assert left == [0, *sorted(number for number in range(20) if number * 7 % 20 >= 13)]
    assert home(tmp_path / "cache", 99).exists()


def test_reading_writes_no_more_than_once_a_day(pictures, photo, tmp_path):
    pictures.thumbnail(ONE, photo, side=320)
    (file,) = kept(tmp_path / "cache")
    used = []
    for age in (3_600, 90_000):
        then = time.time() - age
        os.utime(file, (then, then))
        pictures.thumbnail(ONE, photo, side=320)
        used.append(file.stat().st_mtime == pytest.approx(then, abs=1))

    assert used == [True, False]


def test_nothing_is_removed_that_is_none_of_our_pictures_or_still_being_written(photo, tmp_path):
    cache = tmp_path / "cache"
    (cache / "ab" / "my photos").mkdir(parents=True)
    home(cache, 5).mkdir(parents=True)
    foreign = [cache / "a.webp", cache / "ab" / "b.webp", cache / "ab" / "my photos" / "c.webp"]
    begun, abandoned = home(cache, 5) / ".new-begun", home(cache, 5) / ".new-abandoned"
    for path in (*foreign, begun, abandoned):
        path.write_bytes(bytes(100_000))
    for path in (*foreign, abandoned):
        os.utime(path, (1e9, 1e9))
    pictures = Pictures(cache, limit_bytes=1)
    pictures.thumbnail(ONE, photo, side=320)
    pictures.close()

    assert kept(cache) == sorted([*foreign, begun])


# --- many at once ---


@see_children
def test_a_picture_that_many_ask_for_at_once_is_made_once(pictures, photo, tmp_path):
    before = children()
    pictures.thumbnail(OTHER, photo, side=320)
    (process,) = set(children()) - set(before)
    os.kill(process, signal.SIGSTOP)
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(pictures.thumbnail, ONE, photo, side=320) for _ in range(8)]
        with pytest.raises(TimeoutError):
            asked[-1].result(0.5)
        being_made = list((tmp_path / "cache").rglob(".new-*"))
        running = set(children()) - set(before)
        os.kill(process, signal.SIGCONT)
        made = {each.result(30) for each in asked}

    assert len(being_made) == 1
    assert running == {process}  # nobody needed the second
    assert made == {render(photo, side=320)}
    assert kept(tmp_path / "cache") != being_made


@see_children
def test_who_waits_too_long_for_what_another_makes_is_told(pictures, photo, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_TO_WAIT", 0.2)
    before = children()
    pictures.thumbnail(OTHER, photo, side=320)
    (process,) = set(children()) - set(before)
    os.kill(process, signal.SIGSTOP)
    with ThreadPoolExecutor() as threads:
        making = threads.submit(pictures.thumbnail, ONE, photo, side=320)
        with pytest.raises(TimeoutError):
            making.result(0.3)
        with pytest.raises(TimedOut, match="still being made"):
            pictures.thumbnail(ONE, photo, side=320)
        os.kill(process, signal.SIGCONT)

        assert making.result(30) == pictures.thumbnail(ONE, photo, side=320)


@see_children
def test_a_killed_process_is_told_to_all_who_wait_and_the_next_request_makes_the_picture(
    pictures, photo, tmp_path
):
    before = children()
    pictures.thumbnail(OTHER, photo, side=320)
    (process,) = set(children()) - set(before)
    os.kill(process, signal.SIGSTOP)
    with ThreadPoolExecutor() as threads:
        asked = [threads.submit(pictures.thumbnail, ONE, photo, side=320) for _ in range(3)]
        with pytest.raises(TimeoutError):
            asked[-1].result(0.5)
        os.kill(process, signal.SIGKILL)
        assert [type(each.exception(30)) for each in asked] == [WorkerDied] * 3

    assert len(kept(tmp_path / "cache")) == 1
    assert pictures.thumbnail(ONE, photo, side=320) == render(photo, side=320)


@see_children
def test_many_pictures_at_once_take_no_more_processes_than_allowed(photo, tmp_path):
    before = children()
    pictures = Pictures(tmp_path / "cache", processes=2)
    boxes = [(0.3, 0.3, 0.4 + number / 100, 0.5) for number in range(30)]
    most = []
    done = threading.Event()

    def watch():
        while not done.wait(0.005):
            most.append(len(set(children()) - set(before)))

    with ThreadPoolExecutor(9) as threads:
        threads.submit(watch)
        made = list(threads.map(lambda box: pictures.crop(ONE, photo, box=box), boxes))
        done.set()
    pictures.close()

    assert made == [render(photo, side=160, box=box) for box in boxes]
    assert max(most) == 2
    assert len(kept(tmp_path / "cache")) == 30
    assert children() == before


# --- videos ---


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A second and a half in red, and a second in blue."""
    colours = ((220, 30, 30),) * 37 + ((30, 30, 220),) * 25
    frames = (np.full((90, 160, 3), colour, np.uint8) for colour in colours)
    return make_clip(tmp_path_factory.mktemp("films") / "film.mp4", frames, keyframes_every=10)


def colour_of(picture):
    with Image.open(io.BytesIO(picture)) as opened:
        return np.asarray(opened.convert("RGB")).mean(axis=(0, 1)).round(-2).tolist()


RED, BLUE = [200, 0, 0], [0, 0, 200]


def test_of_a_video_a_picture_is_shown_that_shows_something(pictures, tmp_path):
    black = [np.zeros((90, 160, 3), np.uint8)] * 12
    film = make_clip(tmp_path / "film.mp4", itertools.chain(black, drawn(40, (160, 90))))

    made = pictures.thumbnail(ONE, film, side=320, video=True)

    assert size(made) == (160, 90)
    with Image.open(io.BytesIO(made)) as picture:
        assert_looks_like_corners(np.asarray(picture.convert("RGB")))


def test_of_a_video_each_time_has_a_picture_of_its_own(pictures, film, tmp_path):
    red = pictures.crop(ONE, film, box=BOX, time=1.0)
    blue = pictures.crop(ONE, film, box=BOX, time=2.0)
    whole = pictures.thumbnail(ONE, film, side=320, video=True, time=2.0)

    assert (colour_of(red), colour_of(blue), colour_of(whole)) == (RED, BLUE, BLUE)
    names = {path.name for path in kept(tmp_path / "cache")}
    assert names == {
        "1-160-25000-25000-50000-50000-t1000.webp",
        "1-160-25000-25000-50000-50000-t2000.webp",
        "1-320-t2000.webp",
    }
    gone = film.with_name("gone.mp4")
    assert pictures.crop(ONE, gone, box=BOX, time=2.0) == blue


def test_pictures_of_a_video_are_forgotten_at_all_times(pictures, film, tmp_path):
    pictures.crop(ONE, film, box=BOX, time=1.0)
    pictures.thumbnail(ONE, film, side=320, video=True)

    pictures.forget(ONE)

    assert kept(tmp_path / "cache") == []


@pytest.mark.parametrize("time", (-1, float("nan"), float("inf"), 1e12))
def test_there_is_no_picture_at_a_time_that_cannot_be(time, pictures, film):
    with pytest.raises(InputError, match="seconds"):
        pictures.crop(ONE, film, box=BOX, time=time)


def test_a_video_that_cannot_be_shown_is_told(pictures, tmp_path):
    with pytest.raises(NotAVideo):
        pictures.thumbnail(ONE, sound_only(tmp_path / "sound.mp4"), side=320, video=True)
