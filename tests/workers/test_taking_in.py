"""Archives and watched folders, taken in by the loop that carries out jobs."""

import os
from datetime import timedelta
from threading import Event

import pytest
from django.utils import timezone

from lookwho.core.errors import WorkerDied
from lookwho.library.models import Album, Analysis, Job, Upload
from lookwho.services import crew, receiving, watches, work
from lookwho.workers import kinds
from lookwho.workers.loop import TEND, Loop
from lookwho.workers.pool import CLERK
from tests.archives import tar_of, zip_of
from tests.gallery import make_album
from tests.people import a_user
from tests.work import make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def place(tmp_path, settings):
    settings.HOME = tmp_path / "home"
    settings.UPLOADS = settings.HOME / "uploads"
    return settings.UPLOADS


@pytest.fixture
def worker(engine):
    stop = Event()
    stop.wait = lambda timeout=None: False  # no pauses: a step ends when it is done
    return Loop(make_worker(), tuple(Job.Kind.values), engine, stop)


def sent(album, name, data):
    upload = receiving.begin(a_user("owner"), album, name, len(data))
    receiving.append(upload, 0, [data])
    return receiving.finish(upload)


def processing(album):
    return Album.objects.get(pk=album.pk).processing


def carry_on(worker):
    while worker.step():
        Job.objects.filter(state="waiting").update(run_at=timezone.now() - timedelta(seconds=1))


PACKED = {
    "a.zip": zip_of,
    "a.tar": tar_of,
    "a.tgz": lambda files: tar_of(files, mode="w:gz"),
}


@pytest.mark.parametrize("name", PACKED)
def test_an_archive_becomes_analysed_photos_of_a_visible_album(drawer, tmp_path, worker, name):
    album = make_album()
    files = [(path.name, path.read_bytes()) for path in drawer(tmp_path / "photos", 4)]
    upload = sent(album, name, PACKED[name](files))
    shown = []
    while worker.step():
        shown.append((processing(album), Analysis.objects.filter(state="done").count()))
        Job.objects.filter(state="waiting").update(run_at=timezone.now() - timedelta(seconds=1))

    upload.refresh_from_db()
    assert (upload.state, upload.kept, album.media.count()) == ("done", 4, 4)
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}
    assert Analysis.objects.filter(state="done").count() == 4
    # Members see it as soon as its photos are in, and before all of them are analysed.
    assert shown[0][0]
    assert (False, 0) in shown


def test_an_archive_of_an_album_that_was_removed_ends_its_job(worker):
    album = make_album()
    sent(album, "a.zip", zip_of([("a.txt", b"text")]))
    album.delete()
    worker.step()

    assert Job.objects.get().state == "done"
    assert not Upload.objects.exists()


def test_an_archive_whose_worker_dies_each_time_fails_and_hides_no_album(worker):
    album = make_album()
    upload = sent(album, "a.zip", zip_of([("a.txt", b"text")]))
    for _ in range(work.MOST_ATTEMPTS):
        job = work.claim(make_worker(), [Job.Kind.UNPACK])
        assert processing(album)
        crew.free(job.worker)
    assert Job.objects.get().state == "failed"
    worker._tidy()

    upload.refresh_from_db()
    assert (upload.state, upload.error_code) == ("failed", WorkerDied.code)
    assert not processing(album)


def test_an_idle_worker_looks_after_albums_and_folders_now_and_then(
    drawer, tmp_path, worker, monkeypatch
):
    monkeypatch.setattr(watches, "REST", 0.0)
    monkeypatch.setattr(watches, "SHARE", 0)
    (tmp_path / "export").mkdir()
    album = make_album()
    watches.make_watch(a_user("owner"), os.fspath(tmp_path / "export"), album, every=10)
    carry_on(worker)
    drawer(tmp_path / "export", 2)
    for _ in range(3):
        worker._tended -= TEND
        worker._tidy()
    carry_on(worker)

    assert album.media.count() == 2


def test_only_who_imports_looks_after_folders(engine, monkeypatch):
    looked = []
    monkeypatch.setattr(kinds, "tend", lambda: looked.append(True))
    for some in CLERK:
        loop = Loop(make_worker(), some, engine, Event())
        loop._tended -= 1e6
        loop._tidy()

    assert looked == [True]
    assert sum(Job.Kind.UNPACK in some for some in CLERK) == 1
