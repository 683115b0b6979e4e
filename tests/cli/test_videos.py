import io
import json
import os
import re
import shutil
import signal
import sys

import numpy as np
import pytest
from PIL import Image

from lookwho.cli.progress import Progress, clock
from lookwho.core import packs
from lookwho.core.cast import Cast
from lookwho.core.errors import BrokenVideo
from lookwho.core.video_batch import VideoOutcome
from lookwho.files.results import Results
from tests.cli.test_files import shape, values
from tests.cli.test_progress import ENVIRONMENT, Terminal, plain
from tests.videos import PEOPLE, cut_off, faces_clip, make_clip, sound_only

ANN, BEN, CID = PEOPLE[0], PEOPLE[1], PEOPLE[3]


@pytest.fixture(scope="module")
def clip(media, tmp_path_factory):
    """Six seconds: Ann, then Ben and Cid, then Ann again in another photo."""
    folder = tmp_path_factory.mktemp("clips")
    return faces_clip(folder / "party.mp4", media, (ANN, (BEN, CID), ANN), seconds=6)[0]


@pytest.fixture(scope="module")
def nobody(tmp_path_factory):
    """A second in which nobody is."""
    return make_clip(tmp_path_factory.mktemp("nobody") / "nobody.mp4")


@pytest.fixture
def without_av(tmp_path):
    """What the environment says where PyAV is not installed."""
    (tmp_path / "without" / "av").mkdir(parents=True)
    (tmp_path / "without" / "av" / "__init__.py").write_text("raise ImportError")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path / "without"), os.environ["PYTHONPATH"]])}


# --- what is told ---


def test_people_are_told_with_when_they_appear(lookwho, clip, nobody):
    done = lookwho("video", clip, nobody)

    assert (done.status, done.err) == (0, "")
    assert re.fullmatch(
        rf"{re.escape(str(clip))}: 3 people in 0:00:06\n"
        r"  Person 1: 0:00:00–0:00:02, 0:00:04–0:00:06\n"
        r"  Person 2: 0:00:02–0:00:04\n"
        r"  Person 3: 0:00:02–0:00:04\n"
        rf"{re.escape(str(nobody))}: nobody in 0:00:01\n",
        done.out,
    )


def test_videos_as_json_have_the_shape_that_the_help_tells(lookwho, clip, nobody, tmp_path):
    page = tmp_path / "page.mp4"
    page.write_text("<!doctype html>")
    found, none, broken, missing = values(
        lookwho("video", "--json", clip, nobody, page, "missing.mp4")
    )

    span = {"start": "float", "end": "float"}
    assert shape(found) == {
        "path": "str",
        "duration": "float",
        "people": [
            {"id": "int", "appearances": [span, span], "crop": "NoneType"},
            *[{"id": "int", "appearances": [span], "crop": "NoneType"}] * 2,
        ],
        "error": "NoneType",
    }
    assert (found["path"], found["duration"]) == (str(clip), pytest.approx(6, abs=0.05))
    assert [person["id"] for person in found["people"]] == [1, 2, 3]
    first = [(span["start"], span["end"]) for span in found["people"][0]["appearances"]]
    assert first == [pytest.approx((0, 2), abs=0.3), pytest.approx((4, 6), abs=0.3)]
    assert none == {
        "path": str(nobody),
        "duration": pytest.approx(1, abs=0.05),
        "people": [],
        "error": None,
    }
    nothing = {"duration": None, "people": []}
    assert broken == {
        "path": str(page),
        **nothing,
        "error": {"code": "not_a_video", "message": broken["error"]["message"]},
    }
    assert "an HTML page" in broken["error"]["message"]
    assert missing == {
        "path": "missing.mp4",
        **nothing,
        "error": {"code": "file_missing", "message": "there is no file 'missing.mp4'"},
    }


def test_folders_are_walked_for_videos_alone(lookwho, clip, samples, tmp_path):
    (tmp_path / "b").mkdir()
    shutil.copy(clip, tmp_path / "b" / "party.MOV")
    shutil.copy(clip, tmp_path / "a.mp4")
    shutil.copy(samples / "obama.jpg", tmp_path / "c.jpg")
    found = values(lookwho("video", "--json", tmp_path))

    assert [each["path"] for each in found] == [
        *(str(tmp_path / "a.mp4"), str(tmp_path / "b" / "party.MOV"))
    ]
    assert [len(each["people"]) for each in found] == [3, 3]


def test_what_cannot_be_read_is_told_on_standard_error_and_by_the_status(
    lookwho, clip, samples, tmp_path
):
    sound = sound_only(tmp_path / "sound.mp4")
    (tmp_path / "empty.mp4").touch()
    bad = [sound, tmp_path / "empty.mp4", samples / "obama.jpg", "missing.mp4"]
    some, none = lookwho("video", clip, *bad), lookwho("video", *bad)

    assert (some.status, none.status) == (3, 4)
    told = some.err.splitlines()
    assert [line.partition(": ")[0] for line in told[:-1]] == [str(path) for path in bad]
    assert "sound" in told[0]
    assert "empty" in told[1]
    assert "JPEG" in told[2]
    assert told[-1] == "4 of 5 files could not be read."
    assert none.out == ""


def test_of_a_file_that_was_cut_short_its_beginning_is_told_and_the_status_says_so(
    lookwho, media, tmp_path
):
    whole, _ = faces_clip(tmp_path / "whole.mkv", media, (ANN, BEN), seconds=4)
    cut = cut_off(whole, tmp_path / "cut.mkv", 0.3)
    done = lookwho("video", "--json", cut)
    (found,) = values(done)

    assert done.status == 3
    assert done.err.startswith(f"{cut}: not all could be read: ")
    assert found["error"] is None
    assert len(found["people"]) == 1


# --- crops ---


def test_each_person_gets_a_picture_in_the_folder_for_crops(lookwho, clip, tmp_path):
    folder = tmp_path / "new" / "crops"
    (found,) = values(lookwho("video", "--json", "--crops", folder, clip))
    crops = [person["crop"] for person in found["people"]]

    assert crops == [str(folder / f"party.mp4-{number}.jpg") for number in (1, 2, 3)]
    assert sorted(os.listdir(folder)) == sorted(map(os.path.basename, crops))
    pictures = set()
    for path in crops:
        with Image.open(path) as crop:
            assert crop.format == "JPEG"
            assert min(crop.size) > 40
            assert max(crop.size) <= 256
            pictures.add(crop.tobytes())
    assert len(pictures) == 3


def test_videos_of_one_name_do_not_overwrite_each_others_pictures(lookwho, clip, tmp_path):
    others = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        others.append(shutil.copy(clip, tmp_path / place / "party.mp4"))
    folder = tmp_path / "crops"
    long = shutil.copy(clip, tmp_path / f"{'x' * 250}.mp4")
    found = values(lookwho("video", "--json", "--crops", folder, *others, long))
    again = values(lookwho("video", "--json", "--crops", folder, *others, long))
    crops = [os.path.basename(person["crop"]) for each in found for person in each["people"]]

    assert crops == [
        *(f"party.mp4-{number}.jpg" for number in (1, 2, 3)),
        *(f"party.mp4~2-{number}.jpg" for number in (1, 2, 3)),
        *(f"{'x' * 200}-{number}.jpg" for number in (1, 2, 3)),
    ]
    assert again == found
    assert sorted(os.listdir(folder)) == sorted(crops)


def test_a_folder_for_crops_that_cannot_be_made_ends_the_command_at_once(lookwho, clip, tmp_path):
    (tmp_path / "file").touch()
    done = lookwho("video", clip, "--crops", tmp_path / "file" / "crops")

    assert (done.status, done.out) == (4, "")
    assert f"{tmp_path / 'file' / 'crops'} cannot be written: " in done.err


# --- find ---


def test_find_tells_times_of_videos(lookwho, media, clip):
    reference, other = sorted((media / "identities" / ANN).iterdir())[5:7]
    plain_text = lookwho("find", "-r", reference, clip, other)
    found = values(lookwho("find", "-r", reference, clip, other, "--json"))
    rows = plain_text.out.splitlines()

    assert plain_text.status == 0
    assert plain_text.err == "Matches: 2 of 4 faces.\n"
    assert rows[0].endswith(f"  {other}")
    assert re.fullmatch(
        rf" *\d+\.\d %  0\.\d{{4}}  {re.escape(str(clip))}  "
        "0:00:00–0:00:02, 0:00:04–0:00:06",
        rows[1],
    )
    photo, video = found
    assert (photo["path"], photo["time"], photo["appearances"]) == (str(other), None, [])
    assert video["path"] == str(clip)
    assert 0 <= video["time"] <= 2 or 4 <= video["time"] <= 6
    spans = [(span["start"], span["end"]) for span in video["appearances"]]
    assert spans == [pytest.approx((0, 2), abs=0.3), pytest.approx((4, 6), abs=0.3)]


# --- without PyAV ---


def test_without_pyav_it_is_told_what_to_install(start, clip, without_av, fresh_home):
    process = start("video", clip, environment=without_av, home=fresh_home)
    out, err = process.communicate()

    assert (process.returncode, out) == (4, "")
    assert err == (
        f"{clip}: format_not_installed: videos need PyAV: pip install 'lookwho[video]'\n"
        "1 of 1 files could not be read.\n"
    )


def test_without_pyav_photos_are_looked_at_as_ever(start, samples, clip, without_av, fresh_home):
    photo = samples / "obama.jpg"
    process = start("faces", photo, environment=without_av, home=fresh_home)
    assert (process.communicate()[1], process.returncode) == ("", 0)
    both = start("find", "-r", photo, photo, clip, environment=without_av, home=fresh_home)
    out, err = both.communicate()

    assert both.returncode == 3
    assert out.rstrip().endswith(str(photo))
    assert "pip install 'lookwho[video]'" in err


# --- progress, Ctrl-C ---


def test_a_bar_shows_how_far_a_video_is_and_how_fast(start, clip, fresh_home):
    terminal = Terminal()
    process = start(
        "video", "--json", clip, stderr=terminal.end, environment=ENVIRONMENT, home=fresh_home
    )
    out, _ = process.communicate()
    lines = plain(terminal.text())

    assert process.returncode == 0
    assert len(json.loads(out)["people"]) == 3
    shown = [line for line in lines if line.startswith("party.mp4 ")]
    assert any(re.search(r"0:00:0\d/0:00:06", line) for line in shown), shown


def test_the_bar_of_a_video_tells_its_rate_and_people(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Progress(1, "videos") as progress:
        progress._bar._get_time = iter(range(1000)).__next__
        for reached in range(0, 3000, 100):
            progress.watched("/films/party.mp4", float(reached), 7200.0, 4)
        progress._bar.refresh()
        text = plain(sys.stderr.getvalue())
    (line, *_) = (line for line in reversed(text) if line.startswith("party.mp4"))

    assert "0:48:20/2:00:00" in line
    assert re.search(r" \d+\.\dx, 4 people ", line)


@pytest.mark.parametrize(
    ("problems", "failed", "status"), (((), 0, 0), (("cut",), 0, 3), ((), 1, 4), (("",), 1, 3))
)
def test_the_status_tells_whether_videos_could_be_read_in_whole(problems, failed, status, capsys):
    with Progress(len(problems) + failed, "videos") as progress:
        for problem in problems:
            cast = Cast((), np.zeros(0, np.float32), 1, 1, problem, "default")
            progress.told(VideoOutcome("a.mp4", None, cast, None))
        for _ in range(failed):
            progress.told(VideoOutcome("b.mp4", None, None, BrokenVideo("it was cut short")))

    assert progress.status() == status
    assert ("a.mp4: not all could be read: cut" in capsys.readouterr().err) == ("cut" in problems)


@pytest.mark.parametrize(
    ("seconds", "text"),
    ((0, "0:00:00"), (59.6, "0:01:00"), (3599, "0:59:59"), (36_000.2, "10:00:00")),
)
def test_a_time_is_told_in_hours_minutes_and_seconds(seconds, text):
    assert clock(seconds) == text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to processes")
def test_ctrl_c_ends_all_at_once_and_finished_videos_are_remembered(
    start, clip, media, fresh_home, tmp_path
):
    long, _ = faces_clip(tmp_path / "long.mp4", media, (ANN, BEN) * 40, seconds=160)
    process = start("video", "--json", clip, long, home=fresh_home, start_new_session=True)
    first = json.loads(process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    results = Results(packs.settings(), fresh_home / "lookwho")
    known = [results.get_video(str(path)) is not None for path in (clip, long)]
    results.close()

    assert first["path"] == str(clip)
    assert (process.returncode, out) == (130, "")
    assert err == "\nInterrupted. What was finished is remembered: run it again to go on.\n"
    assert known == [True, False]
