import shutil

import pytest

from lookwho.core import packs
from lookwho.core.batch import Outcome
from lookwho.core.errors import FileMissing
from lookwho.files.analysis import analyze_files
from lookwho.files.results import Results
from tests.faces import told
from tests.processes import see_processes, workers

SETTINGS = packs.settings()


@pytest.fixture
def results(tmp_path):
    opened = Results(SETTINGS, tmp_path / "cache")
    yield opened
    opened.close()


def analyze(items, results=None):
    return analyze_files(items, SETTINGS, processes=2, results=results)


@see_processes
def test_a_second_run_finds_the_same_and_starts_no_process(photos, results, tmp_path):
    (tmp_path / "page.jpg").write_text("<!doctype html>")
    paths = [*photos[:3], tmp_path / "page.jpg"]
    plain = [told(outcome) for outcome in analyze(paths)]
    first = [told(outcome) for outcome in analyze(paths, results)]
    second = []
    for outcome in analyze(paths, results):
        second.append(told(outcome))
        assert workers() == []

    assert plain == first == second
    assert results.problem is None


def test_a_file_that_was_missing_is_looked_for_again(photos, results, tmp_path):
    path = tmp_path / "late.jpg"
    (before,) = analyze([path], results)
    shutil.copy(photos[0], path)
    (after,) = analyze([path], results)

    assert isinstance(before.error, FileMissing)
    assert len(after.faces) > 0


def test_a_changed_file_is_analysed_again(samples, results, tmp_path):
    path = tmp_path / "photo.jpg"
    found = []
    for name in ("obama.jpg", "biden.jpg", "obama.jpg"):
        shutil.copyfile(samples / name, path)
        found += [told(outcome) for outcome in analyze([path], results)]

    assert found[0] == found[2] != found[1]


def test_what_was_finished_before_a_stop_is_remembered(photos, results, tmp_path):
    for number, _ in enumerate(analyze(photos[:5], results)):
        if number == 2:
            break
    again = Results(SETTINGS, tmp_path / "cache")
    known = [again.get(str(path)) is not None for path in photos[:3]]
    again.close()

    assert known == [True] * 3


def test_outcomes_among_the_paths_pass_as_they_are(photos, results):
    known = Outcome("folder", None, FileMissing("the folder cannot be read"))
    outcomes = list(analyze([known, photos[0], known], results))

    assert [outcomes[0], outcomes[2]] == [known, known]
    assert outcomes[1].path == str(photos[0])
