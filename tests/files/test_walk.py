import os
import shutil
from pathlib import Path

import pytest

from lookwho.core.batch import Outcome
from lookwho.core.errors import FileMissing
from lookwho.files.walk import ENDINGS, VIDEO_ENDINGS, walk
from tests.videos import make_clip


def tree(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def found(folder):
    return [os.path.relpath(path, folder) for path in walk([folder])]


def test_photos_come_in_the_order_of_their_names_a_folder_before_those_in_it(tmp_path):
    tree(tmp_path, "m/a.jpg", "b.jpg", "d.jpg", "a.jpg", "c.jpg", "c/b.jpg", "c/a.jpg", "z/a.jpg")
    tree(tmp_path, "b/empty/x.txt", "c/c/a.jpg", "k/a.jpg")

    assert found(tmp_path) == [
        *("a.jpg", "b.jpg", "c.jpg", "d.jpg"),
        *("c/a.jpg", "c/b.jpg", "c/c/a.jpg", "k/a.jpg", "m/a.jpg", "z/a.jpg"),
    ]


def test_a_photo_is_known_by_the_ending_of_its_name_in_small_or_capital_letters(tmp_path):
    tree(tmp_path, "a.JPG", "b.Jpeg", "c.HEIC", "d.txt", "e.mp4", "f", "jpg", "g.jpg.xmp", "h.jpg~")

    assert found(tmp_path) == ["a.JPG", "b.Jpeg", "c.HEIC"]


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_every_kind_that_is_read_is_looked_for(ending, tmp_path):
    tree(tmp_path, f"a{ending}")

    assert found(tmp_path) == [f"a{ending}"]


def test_what_is_hidden_or_made_by_network_storage_is_passed_over(tmp_path):
    tree(tmp_path, ".a.jpg", "._b.jpg", ".trash/c.jpg", "@eaDir/d.jpg", "e/@eaDir/f.jpg", "e/g.jpg")
    tree(tmp_path, "#recycle/h.jpg")

    assert found(tmp_path) == ["e/g.jpg"]


def test_a_file_or_folder_that_is_named_itself_may_be_called_anything(tmp_path):
    tree(tmp_path, "notes.txt", ".hidden.jpg", ".hidden/a.jpg", "@eaDir/b.jpg")
    named = [tmp_path / name for name in ("notes.txt", ".hidden.jpg", ".hidden", "@eaDir")]

    assert list(walk(named)) == [
        str(tmp_path / name)
        for name in ("notes.txt", ".hidden.jpg", ".hidden/a.jpg", "@eaDir/b.jpg")
    ]


def test_links_to_files_count_and_links_to_folders_are_not_followed(tmp_path):
    tree(tmp_path, "a.jpg", "c/d.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    (tmp_path / "c" / "loop").symlink_to(tmp_path)
    (tmp_path / "e").symlink_to("c")

    assert found(tmp_path) == ["a.jpg", "b.jpg", "c/d.jpg"]
    assert found(tmp_path / "e") == ["d.jpg"]  # named itself, it is


def test_names_need_not_be_text(tmp_path):
    name = os.fsdecode(b"caf\xe9 \n'.jpg")
    tree(tmp_path, name)

    assert found(tmp_path) == [name]


@pytest.mark.parametrize(
    "name",
    (
        "missing.jpg",
        "~nobody-of-this-name/a.jpg",
        "~$draft.jpg",
        "x" * 5_000,
        "a\0.jpg",
        "",
    ),
)
def test_whether_a_path_leads_anywhere_is_left_to_who_reads_it(name):
    assert list(walk([name])) == [name]


def test_the_tilde_means_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tree(tmp_path, "photos/a.jpg", "b.jpg")))

    assert list(walk(["~/photos", Path("~/b.jpg")])) == [
        str(tmp_path / "photos/a.jpg"),
        str(tmp_path / "b.jpg"),
    ]


def test_a_folder_that_cannot_be_read_is_told_and_the_others_go_on(tmp_path):
    tree(tmp_path, "a.jpg", "gone/b.jpg", "stays/c.jpg")
    items = walk([tmp_path])
    first = next(items)
    shutil.rmtree(tmp_path / "gone")  # it was listed already
    others = list(items)

    (refused,) = [item for item in others if isinstance(item, Outcome)]
    assert [item for item in [first, *others] if item is not refused] == [
        str(tmp_path / "a.jpg"),
        str(tmp_path / "stays/c.jpg"),
    ]
    assert refused.path == str(tmp_path / "gone")
    assert type(refused.error) is FileMissing
    assert refused.error.message == "the folder cannot be read: No such file or directory"


def test_an_outcome_among_the_paths_passes_as_it_is(tmp_path):
    known = Outcome("elsewhere.jpg", None, FileMissing("there is no file"))

    assert list(walk([known, tree(tmp_path, "a.jpg")])) == [known, str(tmp_path / "a.jpg")]


def test_a_photo_in_folders_that_overlap_counts_once(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    for path in (tmp_path / "a.jpg", inner / "b.jpg"):
        path.touch()

    found = list(walk([inner, tmp_path, inner / "b.jpg", inner / ".." / "a.jpg"]))

    assert found == [str(inner / "b.jpg"), str(tmp_path / "a.jpg")]


# --- videos ---


def with_videos(folder):
    return [os.path.relpath(path, folder) for path in walk([folder], videos=True)]


@pytest.mark.parametrize("ending", sorted(VIDEO_ENDINGS - {".ts", ".mod", ".264"}))
def test_videos_are_looked_for_where_they_are_asked_for(ending, tmp_path):
    tree(tmp_path, f"a{ending}", f"b{ending.upper()}", "c.jpg", "d.txt", f".e{ending}")

    assert with_videos(tmp_path) == [f"a{ending}", f"b{ending.upper()}", "c.jpg"]
    assert found(tmp_path) == ["c.jpg"]


def test_a_program_is_no_video_though_it_is_called_like_one(tmp_path):
    (tmp_path / "program.ts").write_text("export const answer = 42;\n" * 40)
    (tmp_path / "go.mod").write_text("module example.org/answer\n")
    make_clip(tmp_path / "recording.ts", container="mpegts")
    shutil.copy(tmp_path / "recording.ts", tmp_path / "camera.MOD")

    assert with_videos(tmp_path) == ["camera.MOD", "recording.ts"]
    # Whatever is named itself is looked at.
    named = tmp_path / "program.ts"
    assert list(walk([named], videos=True)) == [str(named)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_not_waited_on(tmp_path):
    os.mkfifo(tmp_path / "live.ts")

    assert with_videos(tmp_path) == []
