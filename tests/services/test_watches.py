import os
import shutil

import pytest

from lookwho.core.errors import FileMissing, Forbidden, Invalid, NotFound
from lookwho.library.models import Job, Location, Watch
from lookwho.services import watches
from tests.gallery import make_album
from tests.imports import carried_out, draw
from tests.people import a_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_rest(monkeypatch):
    """A file is at rest once two looks found it the same; and every look is due."""
    monkeypatch.setattr(watches, "REST", 0.0)
    monkeypatch.setattr(watches, "SHARE", 0)
    monkeypatch.setattr(watches, "LEAST", 0)
    watches._seen.clear()


@pytest.fixture
def folder(tmp_path, settings):
    settings.HOME = tmp_path / "home"
    (tmp_path / "export").mkdir()
    return tmp_path / "export"


@pytest.fixture
def owner():
    return a_user("owner")


def watched(owner, folder, album, **more):
    """A folder that is watched, looked through once."""
    watch = watches.make_watch(owner, os.fspath(folder), album, **{"every": 0, **more})
    import_all()
    return watch


def import_all():
    for job in Job.objects.filter(kind="import", state="waiting").order_by("pk"):
        carried_out(job)


def look():
    imports = watches.look()
    import_all()
    return imports


def test_what_is_in_the_folder_and_what_comes_later_joins_the_album(owner, folder):
    album = make_album()
    draw(folder / "a.jpg", 1)
    watched(owner, folder, album)
    assert album.media.count() == 1

    draw(folder / "b.jpg", 2)
    draw(folder / "below" / "c.jpg", 3)
    look()
    look()
    assert album.media.count() == 3
    assert [look(), look()] == [0, 0]
    assert Job.objects.filter(kind="import").count() == 3


def test_a_file_that_is_still_being_written_is_left_until_it_rests(owner, folder, tmp_path):
    album = make_album()
    watched(owner, folder, album)
    whole = draw(tmp_path / "whole.jpg", 5).read_bytes()
    growing = folder / "a.jpg"
    for size in (100, 300, 600):
        growing.write_bytes(whole[:size])
        assert look() == 0
    growing.write_bytes(whole)
    assert look() == 0
    assert look() == 1

    assert album.media.count() == 1
    assert Location.objects.get().error_code == ""


def test_one_that_grows_keeps_no_other_waiting(owner, folder):
    album = make_album()
    watched(owner, folder, album)
    draw(folder / "b.jpg", 2)
    for size in (1, 2):
        (folder / "a.jpg").write_bytes(b"\xff\xd8" * size)
        look()

    assert album.media.count() == 1


def test_it_must_rest_for_a_while_by_our_own_clock(owner, folder, monkeypatch):
    watched(owner, folder, make_album())
    draw(folder / "a.jpg", 2)
    os.utime(folder / "a.jpg", (0, 0))  # as programs do that keep a file's own time
    monkeypatch.setattr(watches, "REST", 1000.0)

    assert [look(), look(), look()] == [0, 0, 0]


def test_a_photo_that_was_changed_is_read_again(owner, folder):
    album = make_album()
    draw(folder / "a.jpg", 1)
    watched(owner, folder, album)
    draw(folder / "a.jpg", 2)
    os.utime(folder / "a.jpg", (4e9, 4e9))
    look()

    assert look() == 1
    assert album.media.count() == 2


def test_a_file_that_cannot_be_read_is_tried_once(owner, folder):
    watched(owner, folder, make_album())
    (folder / "a.jpg").write_bytes(b"no photo" * 99)
    look()

    assert look() == 1
    assert Location.objects.get().error_code == "not_an_image"
    assert [look(), look()] == [0, 0]


def test_what_waits_to_be_imported_is_not_imported_twice(owner, folder):
    watched(owner, folder, make_album())
    draw(folder / "a.jpg", 1)

    assert [watches.look(), watches.look(), watches.look(), watches.look()] == [0, 1, 0, 0]


def test_a_folder_is_looked_at_when_it_is_due(owner, folder):
    watch = watched(owner, folder, make_album(), every=3600)
    draw(folder / "a.jpg", 1)
    Watch.objects.update(looked_at=None)
    assert look() == 0
    # Something is not at rest: it is looked at again before its time.
    assert look() == 1

    draw(folder / "b.jpg", 2)
    before = Watch.objects.get(pk=watch.pk).looked_at
    assert [look(), look()] == [0, 0]
    assert Watch.objects.get(pk=watch.pk).looked_at == before


def test_a_folder_that_goes_away_and_comes_back_is_no_trouble(owner, folder, tmp_path):
    album = make_album()
    draw(folder / "a.jpg", 1)
    watched(owner, folder, album)
    folder.rename(tmp_path / "away")
    assert look() == 0
    shutil.move(tmp_path / "away", folder)
    draw(folder / "b.jpg", 2)
    look()
    look()

    assert album.media.count() == 2
    assert not Location.objects.exclude(missing_since=None).exists()


def test_one_folder_may_be_watched_for_two_albums(owner, folder):
    first, second = make_album(), make_album()
    draw(folder / "a.jpg", 1)
    watched(owner, folder, first)
    watched(owner, folder, second)
    draw(folder / "b.jpg", 2)
    for _ in range(3):
        look()

    assert (first.media.count(), second.media.count()) == (2, 2)


def test_a_folder_is_watched_no_longer_and_its_photos_stay(owner, folder):
    album = make_album()
    draw(folder / "a.jpg", 1)
    watch = watched(owner, folder, album)
    watches.remove_watch(owner, watch.pk)
    draw(folder / "b.jpg", 2)

    assert [look(), look()] == [0, 0]
    assert album.media.count() == 1
    with pytest.raises(NotFound):
        watches.remove_watch(owner, watch.pk)


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_owners_have_folders_watched(owner, folder, role):
    watch = watched(owner, folder, make_album())
    other = a_user(role)
    with pytest.raises(Forbidden):
        watches.make_watch(other, os.fspath(folder), make_album())
    with pytest.raises(Forbidden):
        watches.remove_watch(other, watch.pk)
    assert Watch.objects.get() == watch


def test_what_cannot_be_watched_is_said(owner, folder, settings, monkeypatch):
    monkeypatch.setattr(watches, "LEAST", 10)
    settings.HOME.mkdir()
    album = make_album()
    with pytest.raises(FileMissing):
        watches.make_watch(owner, os.fspath(folder / "none"), album)
    with pytest.raises(Invalid, match="own files"):
        watches.make_watch(owner, os.fspath(settings.HOME), album)
    for every in (9, 86_401):
        with pytest.raises(Invalid, match="seconds"):
            watches.make_watch(owner, os.fspath(folder), album, every=every)
    assert not Watch.objects.exists()


def test_watching_it_again_changes_how_often(owner, folder):
    album = make_album()
    watched(owner, folder, album, every=100)
    watched(owner, folder, album, every=200)

    assert Watch.objects.get().every == 200
