import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import click
import pytest
from PIL import Image

import lookwho as package
from lookwho.cli import cli
from lookwho.core import packs
from lookwho.core.errors import from_code
from lookwho.core.types import Reason
from lookwho.files.results import Results

COMMANDS = (
    *("faces", "compare", "find", "group", "video"),
    *("serve", "import", "work", "labels", "member", "user", "login-link", "retention", "receipt"),
    *("site", "doctor"),
)


@pytest.fixture
def half(samples, tmp_path):
    """A photo that was cut short."""
    data = (samples / "obama.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    return tmp_path / "half.jpg"


@pytest.fixture
def blank(tmp_path):
    """A picture that shows nothing."""
    Image.new("RGB", (300, 200), "white").save(tmp_path / "blank.png")
    return tmp_path / "blank.png"


def values(done):
    return [json.loads(line) for line in done.out.splitlines()]


def shape(value):
    """What a value is made of: the keys of objects in their order, and the types of the rest."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


# --- help and wrong calls ---


def test_the_help_names_every_command_and_every_exit_status(lookwho):
    done = lookwho("--help")

    assert done.status == 0
    listed = done.out.partition("Commands:")[2]
    assert re.findall(r"^  ([\w-]+)  +\w.*\.$", listed, re.MULTILINE) == list(COMMANDS)
    assert re.findall(r"\b(0|1|2|3|4|130) ", done.out.partition("Options:")[0]) == [
        *("0", "1", "2", "3", "4", "130")
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(command, lookwho):
    parameters = cli.get_command(click.Context(cli), command).params
    options = [parameter for parameter in parameters if isinstance(parameter, click.Option)]
    done = lookwho(command, "--help")

    assert done.status == 0
    assert f" {command} [OPTIONS]" in done.out
    assert len(options) >= 6 or command not in COMMANDS[:5]
    assert [option.name for option in options if not option.help] == []


def test_the_version_is_told(lookwho):
    assert lookwho("--version").out == f"lookwho, version {package.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    (
        ("look",),
        ("faces",),
        ("faces", "a.jpg", "--preset", "hasty"),
        ("faces", "a.jpg", "--pack", "big"),
        ("faces", "a.jpg", "-j", "0"),
        ("compare", "a.jpg"),
        ("compare", "a.jpg", "b.jpg", "c.jpg"),
        ("find", "a.jpg"),
        ("find", "-r", "a.jpg"),
        ("group",),
        ("video",),
        ("video", "a.mp4", "--preset", "hasty"),
    ),
)
def test_a_wrong_call_is_told_with_how_to_get_help(arguments, lookwho):
    done = lookwho(*arguments)

    assert (done.status, done.out) == (2, "")
    assert "--help' for help" in done.err


@pytest.mark.parametrize(
    ("command", "what"),
    (
        (("faces",), "photo"),
        (("group",), "photo"),
        (("find", "-r", "a.jpg"), "photo or video"),
        (("video",), "video"),
    ),
)
def test_a_folder_without_photos_is_a_wrong_call(command, what, lookwho, tmp_path):
    (tmp_path / "notes.txt").touch()
    done = lookwho(*command, tmp_path)

    assert (done.status, done.out) == (2, "")
    assert f"{tmp_path}: no {what} in there" in done.err


# --- faces ---


def test_faces_are_told_with_size_place_score_and_quality(lookwho, samples, blank):
    path = samples / "obama.jpg"
    done = lookwho("faces", path, blank)

    assert (done.status, done.err) == (0, "")
    assert re.fullmatch(
        rf"{re.escape(str(path))}: 1 face\n"
        r"  \d{3} x \d{3} at \d{3}, \d{2,3}; score [01]\.\d{3}, quality 0\.\d\d\n"
        rf"{re.escape(str(blank))}: no face: {Reason.BLANK.message}\n",
        done.out,
    )


def test_faces_as_json_have_the_shape_that_the_help_tells(lookwho, samples, blank, half, analyzer):
    path = samples / "obama.jpg"
    face, none, broken, missing = values(
        lookwho("faces", "--json", path, blank, half, "missing.jpg")
    )

    found = analyzer(path)
    assert shape(face) == {
        "path": "str",
        "width": "int",
        "height": "int",
        "faces": [
            {
                "box": ["float"] * 4,
                "score": "float",
                "landmarks": [["float"] * 2] * 5,
                "quality": "float",
            }
        ],
        "reason": "NoneType",
        "error": "NoneType",
    }
    assert (face["path"], face["width"], face["height"]) == (str(path), found.width, found.height)
    assert face["faces"][0]["box"] == pytest.approx(found.boxes[0], abs=0.051)
    assert face["faces"][0]["score"] == pytest.approx(found.scores[0], abs=0.0001)
    assert face["faces"][0]["quality"] == pytest.approx(found.quality[0], abs=0.001)
    for ours, theirs in zip(face["faces"][0]["landmarks"], found.landmarks[0], strict=True):
        assert ours == pytest.approx(theirs, abs=0.051)
    assert none == {
        "path": str(blank),
        "width": 300,
        "height": 200,
        "faces": [],
        "reason": {"code": "blank", "message": Reason.BLANK.message},
        "error": None,
    }
    nothing = {"width": None, "height": None, "faces": [], "reason": None}
    assert broken == {
        "path": str(half),
        **nothing,
        "error": {"code": "broken_image", "message": broken["error"]["message"]},
    }
    assert broken["error"]["message"].startswith("the file ends before the picture does")
    assert missing == {
        "path": "missing.jpg",
        **nothing,
        "error": {"code": "file_missing", "message": "there is no file 'missing.jpg'"},
    }


@pytest.mark.parametrize("options", ((), ("--json",)))
def test_what_cannot_be_read_is_told_on_standard_error_and_by_the_status(
    options, lookwho, samples, half
):
    some = lookwho("faces", *options, samples / "obama.jpg", half, "missing.jpg")
    none = lookwho("faces", *options, half, "missing.jpg")

    assert (some.status, none.status) == (3, 4)
    broken, missing, count = some.err.splitlines()
    assert broken.startswith(f"{half}: broken_image: the file ends before")
    assert missing == "missing.jpg: file_missing: there is no file 'missing.jpg'"
    assert count == "2 of 3 files could not be read."
    assert none.err.splitlines() == [broken, missing, "2 of 2 files could not be read."]
    assert ("missing.jpg" in some.out) == bool(options)


def test_every_malformed_file_gives_faces_or_an_error_with_words(lookwho, media):
    paths = sorted(str(path) for path in (media / "malformed").glob("*/*"))
    done = lookwho("faces", "--json", *paths)
    found = values(done)

    assert done.status == 3
    assert [value["path"] for value in found] == paths
    for value in found:
        assert list(value) == ["path", "width", "height", "faces", "reason", "error"]
        if value["error"]:
            assert value["error"]["message"]
            assert type(from_code(**value["error"])).code == value["error"]["code"] != "error"
            assert (value["width"], value["faces"], value["reason"]) == (None, [], None)
        else:
            assert value["width"] > 0
            assert bool(value["faces"]) != bool(value["reason"])
    failed = sum(value["error"] is not None for value in found)
    assert len(done.err.splitlines()) == failed + 1


# --- compare, find, group ---


@pytest.mark.parametrize(
    ("other", "words", "status"),
    (("obama2.jpg", "same person", 0), ("biden.jpg", "not the same person", 1)),
)
def test_two_photos_are_compared(other, words, status, lookwho, samples):
    photos = (samples / "obama.jpg", samples / other)
    plain, as_json = lookwho("compare", *photos), lookwho("compare", "--json", *photos)
    (comparison,) = values(as_json)

    assert (plain.status, as_json.status) == (status, status)
    assert (plain.err, as_json.err) == ("", "")
    assert re.fullmatch(
        rf"{words}: \d\d?\.\d % at even odds, distance 0\.\d{{4}}\n",
        plain.out,
    )
    assert shape(comparison) == {"distance": "float", "probability": "float", "same": "bool"}
    assert comparison["same"] is (status == 0)


def test_no_certainty_is_claimed_of_a_photo_and_itself(lookwho, samples):
    # Seven photos, of which some would be nearer to themselves than 0, by rounding errors.
    lookwho("faces", samples)
    for photo in sorted(samples.glob("*.??g")):
        done = lookwho("compare", photo, photo)

        assert done.out == "same person: 99.9 % at even odds, distance 0.0000\n"


@pytest.mark.parametrize("command", (("compare",), ("find", "-r")))
def test_a_photo_that_does_not_show_who_is_meant_ends_the_command(
    command, lookwho, samples, half, blank
):
    for photo, words in (
        (blank, f"no_face: no face in {blank}: {Reason.BLANK.message}\n"),
        (half, f"broken_image: {half}: the file ends before"),
        ("none.jpg", "file_missing: there is no file 'none.jpg'\n"),
    ):
        done = lookwho(*command, photo, samples / "obama.jpg")

        assert (done.status, done.out) == (4, "")
        assert done.err.startswith(words)


def test_a_person_is_found_best_first(lookwho, samples):
    reference = samples / "obama.jpg"
    plain = lookwho("find", "-r", reference, samples)
    found = values(lookwho("find", "-r", reference, samples, "--json"))
    rows = re.findall(r"^ *(\d+\.\d) %  (\d\.\d{4})  (.+)$", plain.out, re.MULTILINE)

    assert plain.status == 0
    assert plain.err == "Matches: 6 of 7 faces.\n"
    assert len(rows) == len(plain.out.splitlines()) == len(found) == 6
    assert rows[0] == ("99.9", "0.0000", str(reference))
    assert [path for _, _, path in rows] == [face["path"] for face in found]
    assert [shape(face) for face in found] == [
        {
            "path": "str",
            "box": ["float"] * 4,
            "distance": "float",
            "probability": "float",
            "same": "bool",
            "time": "NoneType",
            "appearances": [],
        }
    ] * 6
    assert [face["distance"] for face in found] == sorted(face["distance"] for face in found)


def test_where_nobody_is_found_the_status_says_no(lookwho, samples):
    reference, others = samples / "biden.jpg", [samples / "obama.jpg", samples / "obama2.jpg"]
    none = lookwho("find", "-r", reference, *others)
    everything = lookwho("find", "-r", reference, *others, "--all", "--json")

    assert (none.status, none.out) == (1, "")
    assert none.err == "Matches: 0 of 2 faces.\n"
    assert everything.status == 1
    assert [face["same"] for face in values(everything)] == [False, False]


def test_a_broken_photo_among_those_searched_stops_nothing(lookwho, samples, half):
    for command in (("find", "-r", samples / "obama.jpg"), ("group",)):
        done = lookwho(*command, "--json", samples / "obama2.jpg", half, samples / "obama.jpg")

        assert done.status == 3
        assert len(values(done)) == 2
        assert done.err.startswith(f"{half}: broken_image: ")


def test_photos_are_grouped_the_largest_group_first(lookwho, samples):
    plain, found = lookwho("group", samples), values(lookwho("group", samples, "--json"))
    names = [path.name for path in sorted(samples.iterdir()) if path.suffix in {".jpg", ".png"}]
    obama = [samples / name for name in names if name != "biden.jpg"]

    assert plain.status == 0
    assert plain.out.splitlines() == ["Person 1: 6 faces", *(f"  {path}" for path in obama)]
    assert plain.err == "1 person in 6 faces; 1 alone.\n"
    assert [Path(face["path"]).name for face in found] == names
    assert [face["group"] for face in found] == [
        None if name == "biden.jpg" else 0 for name in names
    ]
    assert {str(shape({**face, "group": 0})) for face in found} == {
        str({"path": "str", "box": ["float"] * 4, "group": "int"})
    }


# --- names, pipes, the cache ---

STRANGE = ("a b.jpg", 'it\'s "quoted".jpg', "line\nbreak.jpg", "\x1b[2Jclear.jpg", "-j.jpg")
STRANGE += (os.fsdecode(b"caf\xe9.jpg"), "écran 🙂 \u202f.jpg")


def test_strange_names_are_told_exactly_as_json_and_harmlessly_as_text(lookwho, samples, tmp_path):
    for name in STRANGE:
        shutil.copy(samples / "obama.jpg", tmp_path / name)
    found = values(lookwho("faces", "--json", tmp_path))
    plain = lookwho("faces", tmp_path)
    grouped = lookwho("group", tmp_path)

    assert sorted(value["path"] for value in found) == sorted(
        str(tmp_path / name) for name in STRANGE
    )
    for text in (plain.out, grouped.out):
        assert set(re.findall(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]", text)) == set()
    assert len(plain.out.splitlines()) == 2 * len(STRANGE)
    assert len(grouped.out.splitlines()) == 1 + len(STRANGE)
    for shown in (r"line\nbreak.jpg", r"\x1b[2Jclear.jpg", r"caf\udce9.jpg", STRANGE[-1]):
        assert shown in plain.out


def test_a_terminal_that_shows_no_accents_gets_escapes(start, samples, tmp_path):
    shutil.copy(samples / "obama.jpg", tmp_path / "łódź.jpg")
    process = start("faces", tmp_path, environment={"PYTHONIOENCODING": "iso-8859-1"}, text=False)
    out, err = process.communicate()

    assert (process.returncode, err) == (0, b"")
    assert out.startswith(rf"{tmp_path}/\u0142ód\u017a.jpg: 1 face".encode("iso-8859-1"))


def test_a_reader_that_goes_away_ends_the_command_quietly(start, samples):
    process = start("faces", *[samples / "obama.jpg"] * 5_000, "--json")
    first = process.stdout.readline()
    process.stdout.close()

    assert json.loads(first)["path"] == str(samples / "obama.jpg")
    assert process.wait(20) == 0
    assert process.stderr.read() == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
def test_a_full_disk_is_told(start, samples):
    with open("/dev/full", "w") as full:
        process = start("faces", samples / "obama.jpg", stdout=full)
        _, err = process.communicate()

    assert process.returncode == 4
    assert err == "The results cannot be written: No space left on device\n"


def test_a_second_run_needs_no_model(start, samples, fresh_home, tmp_path):
    for name in ("mtcnn", "face_recognition_models"):  # as though they were not installed
        (tmp_path / "without" / name).mkdir(parents=True)
        (tmp_path / "without" / name / "__init__.py").touch()
    hidden = os.pathsep.join([str(tmp_path / "without"), os.environ["PYTHONPATH"]])

    def ended(*options, path=os.environ["PYTHONPATH"]):
        process = start(
            "faces", "--json", samples, *options, home=fresh_home, environment={"PYTHONPATH": path}
        )
        out, err = process.communicate()
        return process.returncode, out, err

    first = ended()
    (fresh_home / "lookwho" / "models").unlink()
    second = ended(path=hidden)
    without_cache = ended("--no-cache", path=hidden)
    other_preset = ended("--preset", "fast", path=hidden)

    assert first[0] == 0
    assert second == first
    assert without_cache[:2] == other_preset[:2] == (4, "")
    assert without_cache[2].startswith("model_missing: ")
    assert "pip install mtcnn" in without_cache[2]


def test_no_cache_leaves_no_result_behind(lookwho, samples, fresh_home):
    done = lookwho("faces", "--no-cache", samples / "obama.jpg", home=fresh_home)

    assert (done.status, done.err) == (0, "")
    assert os.listdir(fresh_home / "lookwho") == ["models"]


def test_where_nothing_can_be_remembered_a_warning_is_given(lookwho, samples, fresh_home):
    (fresh_home / "lookwho" / "results.sqlite3").mkdir()
    done = lookwho("faces", samples / "obama.jpg", home=fresh_home)

    assert done.status == 0
    assert done.out.startswith(f"{samples / 'obama.jpg'}: 1 face")
    assert done.err.startswith("Warning: results are not remembered: ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to processes")
def test_ctrl_c_ends_all_at_once_and_what_was_finished_is_remembered(
    start, photos, fresh_home, tmp_path
):
    copies = []
    for number in range(1000):  # of different content each, so that each has to be analysed
        copies.append(tmp_path / f"{number:04}.jpg")
        copies[-1].write_bytes(photos[number % 2].read_bytes() + b"%d" % number)
    process = start("faces", "--json", *copies, home=fresh_home, start_new_session=True)
    lines = [process.stdout.readline() for _ in range(5)]
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    lines += out.splitlines()
    results = Results(packs.settings(), fresh_home / "lookwho")
    known = [results.get(str(path)) is not None for path in copies]
    results.close()

    assert process.returncode == 130
    assert err == ("\nInterrupted. What was finished is remembered: run it again to go on.\n")
    assert 5 <= len(lines) < len(copies)
    assert known[: len(lines)] == [True] * len(lines)
    assert not any(known[len(lines) + 1 :])
