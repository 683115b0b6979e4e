import os
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lookwho.core import packs
from lookwho.core.batch import Outcome
from lookwho.core.errors import (
    BrokenImage,
    FileMissing,
    FormatNotInstalled,
    ImageTooLarge,
    LookwhoError,
    NotAnImage,
    OutOfMemory,
    TimedOut,
    WorkerDied,
)
from lookwho.core.types import Reason
from lookwho.files.results import Results
from tests.faces import faces_of, told

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = packs.settings()
ONE_FACE = faces_of((1, 2, 3, 4))


@pytest.fixture
def remembered(tmp_path):
    """Opens the same cache, as often as a process asks for it."""
    opened = []

    def open_results(**changes):
        opened.append(Results({**SETTINGS, **changes}, tmp_path / "cache"))
        return opened[-1]

    yield open_results
    for results in opened:
        results.close()


@pytest.fixture
def photo(tmp_path):
    """A file; to the cache any content will do."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"a photo")
    return str(path)


def remember(results, path, faces=ONE_FACE, error=None):
    outcome = Outcome(path, None if error else faces, error)
    assert results.get(path) is None
    results.put(outcome)
    results.close()
    assert results.problem is None
    return outcome


@pytest.mark.parametrize(
    "outcome",
    (
        Outcome("", faces_of((1, 2, 3, 4), (5, 6, 7, 8)), None),
        Outcome("", faces_of(reason=Reason.BLANK), None),
        Outcome("", None, BrokenImage("it was cut short")),
        Outcome("", None, NotAnImage("this is a PDF")),
        Outcome("", None, ImageTooLarge("60000 x 50000")),
    ),
)
def test_what_was_found_is_remembered(outcome, remembered, photo):
    given = remember(remembered(), photo, outcome.faces, outcome.error)

    assert told(remembered().get(photo)) == told(given)


@pytest.mark.parametrize(
    "kind", (FileMissing, FormatNotInstalled, TimedOut, OutOfMemory, WorkerDied, LookwhoError)
)
def test_an_error_that_another_try_may_not_meet_is_not_remembered(kind, remembered, photo):
    remember(remembered(), photo, error=kind("not today"))

    assert remembered().get(photo) is None


def test_a_file_is_known_by_its_content_wherever_it_lies(remembered, photo, tmp_path):
    remember(remembered(), photo)
    shutil.copy(photo, tmp_path / "copy.png")
    os.rename(photo, tmp_path / os.fsdecode(b"caf\xe9"))
    for name in ("copy.png", os.fsdecode(b"caf\xe9")):
        path = str(tmp_path / name)

        assert told(remembered().get(path)) == told(Outcome(path, ONE_FACE, None))


def test_a_file_is_known_by_relative_paths_too(remembered, photo, tmp_path, monkeypatch):
    remember(remembered(), photo)
    monkeypatch.chdir(tmp_path)

    assert remembered().get("photo.jpg").path == "photo.jpg"


def test_a_changed_file_is_not_known(remembered, photo):
    remember(remembered(), photo)
    Path(photo).write_bytes(b"another")

    assert remembered().get(photo) is None


def test_a_file_that_keeps_its_stamp_is_not_even_read(remembered, photo):
    # Which is what makes a second run over many photos quick: here the content is another one.
    before = os.stat(photo)
    remember(remembered(), photo)
    Path(photo).write_bytes(b"A PHOTO")
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert remembered().get(photo) is not None


def test_of_a_file_that_changes_while_it_is_analysed_nothing_is_remembered(
    remembered, photo, tmp_path
):
    results = remembered()
    assert results.get(photo) is None
    shutil.copy(photo, tmp_path / "copy.jpg")
    Path(photo).write_bytes(b"another photo")
    results.put(Outcome(photo, ONE_FACE, None))
    results.commit()

    assert results.get(photo) is None
    assert results.get(str(tmp_path / "copy.jpg")) is None


@pytest.mark.parametrize("change", ({"preset": "fast"}, {"int8": True}, {"pack": "dlib"}))
def test_results_of_other_settings_are_kept_apart(change, remembered, photo):
    remember(remembered(), photo)
    results = remembered(**change)
    assert results.get(photo) is None
    results.put(Outcome(photo, faces_of(), None))
    results.close()

    assert len(remembered(**change).get(photo).faces) == 0
    assert len(remembered().get(photo).faces) == 1


def test_results_are_the_same_however_many_threads_made_them(remembered, photo):
    remember(remembered(), photo)

    assert remembered(threads=4).get(photo) is not None


def test_only_what_was_asked_for_is_remembered(remembered, photo):
    results = remembered()
    results.put(Outcome(photo, ONE_FACE, None))

    assert results.get(photo) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_devices_and_folders_are_neither_read_nor_waited_for(remembered, tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    paths = [str(tmp_path / "pipe.jpg"), "/dev/zero", str(tmp_path), str(tmp_path / "no"), "a\0b"]

    assert [remembered().get(path) for path in paths] == [None] * 5


# --- what may be wrong with the cache ---


def test_the_cache_is_readable_by_its_owner_alone(remembered, photo, tmp_path):
    results = remembered()
    results.get(photo)
    results.put(Outcome(photo, ONE_FACE, None))
    results.commit()
    files = list((tmp_path / "cache").iterdir())

    assert "results.sqlite3" in {path.name for path in files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_what_is_no_database_is_replaced(remembered, photo, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "results.sqlite3").write_bytes(b"no database at all, but long" * 99)
    remember(remembered(), photo)

    assert remembered().get(photo) is not None


def test_a_database_damaged_inside_is_done_without_and_then_replaced(remembered, photo, tmp_path):
    remember(remembered(), photo)
    path = tmp_path / "cache" / "results.sqlite3"
    pages = bytearray(path.read_bytes())
    pages[4096:] = b"\xa5" * (len(pages) - 4096)  # all but the page that names the tables
    path.write_bytes(pages)
    results = remembered()

    assert results.get(photo) is None
    assert "results are not remembered" in results.problem
    remember(remembered(), photo)
    assert remembered().get(photo) is not None


def test_a_damaged_record_is_made_again(remembered, photo, tmp_path):
    remember(remembered(), photo)
    results = remembered()
    results._database.execute("update result set faces = substr(faces, 1, 100)")
    results._database.commit()

    remember(results, photo)
    assert remembered().get(photo) is not None


@pytest.mark.parametrize("folder", ("file", "file/cache", "/dev/null"))
def test_where_no_cache_can_be_all_works_without(folder, photo, tmp_path):
    (tmp_path / "file").touch()
    results = Results(SETTINGS, tmp_path / folder)
    assert results.get(photo) is None
    results.put(Outcome(photo, ONE_FACE, None))
    results.close()

    assert results.problem.startswith(f"results are not remembered: {tmp_path / folder}")
    assert "directory" in results.problem or "exists" in results.problem


def test_what_is_not_yet_written_locks_nobody_out(remembered, photo):
    slow = remembered()
    slow.get(photo)
    slow.put(Outcome(photo, ONE_FACE, None))
    remember(remembered(preset="fast"), photo)

    slow.close()
    assert slow.problem is None


WRITER = """
    import sys
    from pathlib import Path
    from lookwho.core import packs
    from lookwho.core.batch import Outcome
    from lookwho.core.errors import BrokenImage
    from lookwho.files.results import Results

    folder, name = Path(sys.argv[1]), sys.argv[2]
    results = Results(packs.settings(), folder / "cache")
    input()
    for number in range(100):
        path = folder / f"{name}-{number}.jpg"
        path.write_text(path.name)
        assert results.get(str(path)) is None
        results.put(Outcome(str(path), None, BrokenImage(path.name)))
        if number % 10 == 0:
            results.commit()
    results.close()
    print(results.problem)
"""


def test_several_processes_share_one_cache(remembered, tmp_path):
    names = ("a", "b", "c")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), tmp_path, name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for writer in writers:  # all begin together
        writer.stdin.write("\n")
        writer.stdin.flush()
    answers = [writer.communicate()[0] for writer in writers]
    known = {path.name: remembered().get(str(path)) for path in tmp_path.glob("*.jpg")}

    assert answers == ["None\n"] * 3
    assert {name: outcome.error.message for name, outcome in known.items()} == {
        name: name for name in (f"{name}-{number}.jpg" for name in names for number in range(100))
    }
