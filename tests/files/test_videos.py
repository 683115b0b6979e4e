import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import lookwho
from lookwho.core import packs
from lookwho.core.errors import FileMissing, InputError, NotAVideo
from lookwho.core.video_batch import VideoOutcome
from lookwho.files.people import find
from lookwho.files.results import Results
from lookwho.files.videos import analyze_videos, video
from tests.videos import PEOPLE, faces_clip, make_clip

ANN, BEN, CID = PEOPLE[0], PEOPLE[1], PEOPLE[3]
SETTINGS = packs.settings()


@pytest.fixture(scope="module")
def clip(media, tmp_path_factory):
    """Nine seconds: Ann, then Ben and Cid, then Ann again in another photo."""
    folder = tmp_path_factory.mktemp("clips")
    return faces_clip(folder / "party.mp4", media, (ANN, (BEN, CID), ANN), seconds=9)[0]


@pytest.fixture(scope="module")
def nobody(tmp_path_factory):
    """Two seconds in which nobody is."""
    return make_clip(tmp_path_factory.mktemp("nobody") / "nobody.mp4")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """What each video is looked at with once, whatever the number of tests that ask."""
    results = Results(SETTINGS, tmp_path_factory.mktemp("cache"))
    yield {"processes": 2, "results": results}
    results.close()
    assert results.problem is None


@pytest.fixture
def results(tmp_path):
    """Opens one and the same empty cache, as often as somebody asks for it."""
    opened = []

    def again(**changes):
        opened.append(Results({**SETTINGS, **changes}, tmp_path / "cache"))
        return opened[-1]

    yield again
    for each in opened:
        each.close()
        assert each.problem is None


def photo(media, name, number):
    return sorted((media / "identities" / name).iterdir())[number]


def told(outcome):
    """What an outcome says, in a form that can be compared."""
    people = [
        (person.time, person.appearances, person.crop, person.embedding.tobytes())
        for person in outcome.cast.people
    ]
    return outcome.path, outcome.info, people


def about(spans, *expected):
    assert np.allclose(spans, expected, atol=0.5), spans


# --- the people of a video ---


def test_the_people_of_a_video_are_found_with_their_appearances(clip, work):
    cast = video(clip, **work)

    assert len(cast.people) == 3
    about(cast.people[0].appearances, (0, 3), (6, 9))
    about(cast.people[1].appearances, (3, 6))
    about(cast.people[2].appearances, (3, 6))


def test_it_can_be_asked_by_the_package_itself(clip, work):
    assert [person.appearances for person in lookwho.video(clip, **work).people] == [
        person.appearances for person in video(clip, **work).people
    ]


def test_the_tilde_means_the_home_folder_for_videos(clip, work, monkeypatch):
    monkeypatch.setenv("HOME", os.fspath(clip.parent))

    assert len(video(f"~/{clip.name}", **work).people) == 3


def test_what_is_wrong_with_a_video_is_raised(tmp_path, samples, work):
    (tmp_path / "page.mp4").write_text("<!doctype html>")

    with pytest.raises(FileMissing, match=r"^there is no file 'none.mp4'$"):
        video("none.mp4", **work)
    for path in (tmp_path / "page.mp4", samples / "obama.jpg"):
        with pytest.raises(NotAVideo):
            video(path, **work)
    with pytest.raises(InputError, match="there is no preset 'hasty'"):
        video("none.mp4", preset="hasty")


def test_progress_goes_from_the_start_of_a_video_to_its_end(clip, tmp_path):
    heard = []
    video(clip, processes=1, on_progress=lambda *told: heard.append(told))
    paths, reached, lengths, people = zip(*heard, strict=True)

    assert set(paths) == {str(clip)}
    assert list(reached) == sorted(reached)
    assert 0 < reached[0] < 9
    assert reached[-1] == pytest.approx(9, abs=0.2)
    assert lengths == pytest.approx([9.0] * len(heard), abs=0.1)
    assert people[-1] == 3


# --- several, and what is remembered ---


def test_outcomes_come_in_the_order_of_the_files(clip, nobody, tmp_path, work):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:1000])
    known = VideoOutcome("folder", None, None, FileMissing("it cannot be read"))
    outcomes = list(analyze_videos([nobody, known, broken, clip], SETTINGS, **work))

    assert [outcome.path for outcome in outcomes] == [*map(str, (nobody, "folder", broken, clip))]
    assert [outcome.cast and len(outcome.cast.people) for outcome in outcomes] == [0, None, None, 3]
    assert [outcome.error and outcome.error.code for outcome in outcomes] == [
        *(None, "file_missing", "broken_video", None)
    ]
    assert outcomes[1] is known


def test_a_video_that_was_looked_at_is_known_wherever_it_lies(clip, results, tmp_path):
    first = results()
    (before,) = analyze_videos([clip], SETTINGS, processes=1, results=first)
    first.close()
    copy = tmp_path / "copy.mov"
    shutil.copy(clip, copy)
    heard = []
    (after,) = analyze_videos(
        [copy], SETTINGS, results=results(), on_progress=lambda *told: heard.append(told)
    )

    assert told(after)[1:] == told(before)[1:]
    assert after.path == str(copy)
    assert heard == []
    assert results().get_video(str(clip)) is not None
    assert results(preset="fast").get_video(str(clip)) is None
    assert results().get(str(clip)) is None  # nobody looked at it as a photo


def test_a_changed_video_is_not_known(nobody, results, tmp_path):
    path = tmp_path / "a.mp4"
    shutil.copy(nobody, path)
    first = results()
    list(analyze_videos([path], SETTINGS, processes=1, results=first))
    assert results().get_video(str(path))
    path.write_bytes(path.read_bytes() + b"free")

    assert results().get_video(str(path)) is None


def test_of_a_video_that_could_be_read_in_part_nothing_is_remembered(clip, results):
    first = results()
    (outcome,) = analyze_videos([clip], SETTINGS, processes=1)
    assert outcome.cast
    people = outcome.cast.people
    partial = type(outcome.cast)(people, outcome.cast.cuts, 1, 1, "a worker died", "default")
    assert first.get_video(str(clip)) is None
    first.put_video(VideoOutcome(str(clip), outcome.info, partial, None))

    assert results().get_video(str(clip)) is None


def test_what_is_damaged_in_the_cache_is_looked_at_again(nobody, results):
    first = results()
    list(analyze_videos([nobody], SETTINGS, processes=1, results=first))
    assert first._database
    first._database.execute("update result set faces = x'00' where faces is not null")
    first._database.commit()

    assert first.get_video(str(nobody)) is None
    list(analyze_videos([nobody], SETTINGS, processes=1, results=first))
    assert first.get_video(str(nobody))


# --- find ---


@pytest.fixture
def mixed(media, clip, nobody, tmp_path):
    """A folder of a clip, a photo of Ann, one of Ben and a clip that shows nobody."""
    shutil.copy(clip, tmp_path / "party.mp4")
    shutil.copy(nobody, tmp_path / "nobody.MOV")
    shutil.copy(photo(media, ANN, 5), tmp_path / "ann.jpg")
    shutil.copy(photo(media, BEN, 5), tmp_path / "ben.jpg")
    return tmp_path


def test_a_person_is_found_in_photos_and_videos(media, mixed, work):
    matches = find([photo(media, ANN, 6)], mixed, **work)
    found = {Path(match.path).name: match for match in matches}

    assert set(found) == {"ann.jpg", "party.mp4"}
    assert len(matches) == 2
    assert (found["ann.jpg"].time, found["ann.jpg"].appearances) == (None, ())
    about(found["party.mp4"].appearances, (0, 3), (6, 9))
    time = found["party.mp4"].time
    assert 0 <= time <= 3.2 or 5.8 <= time <= 9
    x1, y1, x2, y2 = found["party.mp4"].box  # in pixels of a picture of 640 x 360
    assert 0 <= x1 < x2 <= 640
    assert 0 <= y1 < y2 <= 360
    assert y2 - y1 > 40


def test_everything_holds_every_person_of_a_video_once(media, mixed, work):
    heard = []
    everything = find([photo(media, ANN, 6)], mixed, everything=True, told=heard.append, **work)
    names = [Path(match.path).name for match in everything]

    assert sorted(names) == ["ann.jpg", "ben.jpg", *["party.mp4"] * 3]
    assert [match.distance for match in everything] == sorted(m.distance for m in everything)
    assert sum(match.same for match in everything) == 2
    assert sorted(Path(outcome.path).name for outcome in heard) == sorted(os.listdir(mixed))


def test_videos_alone_are_searched(media, clip, work):
    (match,) = find([photo(media, BEN, 5)], clip, **work)

    about(match.appearances, (3, 6))
    assert find([photo(media, BEN, 5)], [], **work) == []


def test_a_video_is_known_by_its_content_where_its_name_says_nothing(media, clip, tmp_path, work):
    shutil.copy(clip, tmp_path / "party")
    (match,) = find([photo(media, BEN, 5)], tmp_path / "party", **work)

    assert match.path == str(tmp_path / "party")
    assert match.time is not None
