import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookwho.core import entries
from lookwho.core.errors import Conflict, ImageTooLarge, Invalid, NotFound, StorageFull
from lookwho.library.models import (
    Album,
    AlbumItem,
    Embedding,
    Job,
    Location,
    Media,
    Upload,
)
from lookwho.services import receiving, settling, unpacking, uploads
from lookwho.services.settling import settle, sweep
from tests.archives import zip_of
from tests.gallery import draw, make_album, make_collection, make_photo
from tests.imports import carried_out
from tests.people import a_user, some_media
from tests.pictures import encode, noise
from tests.videos import drawn, make_clip

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(tmp_path, settings):
    settings.UPLOADS = tmp_path / "home" / "uploads"
    return settings.UPLOADS


@pytest.fixture
def owner():
    return a_user("owner")


def photo(seed=0):
    return encode(noise(seed=seed), "JPEG")


def sent(owner, album, name, data):
    """A file that was sent as a whole."""
    upload = receiving.begin(owner, album, name, len(data))
    receiving.append(upload, 0, [data])
    return receiving.finish(upload)


def imports():
    return Job.objects.filter(kind=Job.Kind.IMPORT, state=Job.State.WAITING)


def import_all():
    for job in imports():
        carried_out(job)


# --- photos ---


def test_a_photo_that_comes_in_pieces_joins_its_album(place, owner):
    album, data = make_album(), photo()
    upload = receiving.begin(owner, album, "a.jpg", len(data))
    for at in range(0, len(data), 1000):
        assert receiving.offset_of(upload) == at
        receiving.append(upload, at, [data[at : at + 400], data[at + 400 : at + 1000]])
    receiving.finish(upload)
    import_all()

    assert (upload.state, upload.kept, upload.known) == ("done", 1, 0)
    assert album.media.get() == Media.objects.get()
    assert Location.objects.get().file.read_bytes() == data
    assert list((place / uploads.RECEIVING).iterdir()) == []


def test_photos_that_come_together_are_read_by_one_import(place, owner):
    album = make_album()
    for seed in range(5):
        sent(owner, album, "a.jpg", photo(seed))
    (job,) = imports()
    carried_out(job)

    assert album.media.count() == 5
    assert {Path(each.path).name for each in Location.objects.all()} == {
        "a.jpg", "a-2.jpg", "a-3.jpg", "a-4.jpg", "a-5.jpg",
    }  # fmt: skip


def test_later_photos_join_the_same_album_and_those_it_has_are_told(place, owner):
    album = make_album()
    sent(owner, album, "a.jpg", photo(1))
    import_all()
    again = sent(owner, album, "copy of a.jpg", photo(1))
    other = sent(owner, album, "b.jpg", photo(2))
    import_all()

    assert (again.state, again.known, again.kept) == ("done", 1, 0)
    assert (other.kept, album.media.count(), Location.objects.count()) == (1, 2, 2)


def test_a_photo_of_another_album_joins_this_one_too(place, owner):
    first, second = make_album(), make_album()
    sent(owner, first, "a.jpg", photo())
    import_all()
    again = sent(owner, second, "a.jpg", photo())
    import_all()

    assert again.kept == 1
    assert second.media.get() == first.media.get()


def test_what_is_no_photo_is_refused_with_the_reason_and_nothing_is_left(place, owner):
    upload = sent(owner, make_album(), "notes.jpg", b"hello, world\n" * 99)

    assert (upload.state, upload.error_code) == ("failed", "not_an_image")
    assert "text file" in upload.error
    assert upload.refused == [
        {"name": "notes.jpg", "code": "not_an_image", "message": upload.error}
    ]
    assert list((place / uploads.RECEIVING).iterdir()) == []
    assert not Job.objects.exists()


def test_names_are_made_safe(place, owner):
    sent(owner, make_album(), "../../up\0/ä\u202e.jpg", photo())
    import_all()

    assert Location.objects.get().file.name == "ä.jpg"
    assert place in Location.objects.get().file.parents


def test_finishing_twice_counts_once(place, owner):
    upload = sent(owner, make_album(), "a.jpg", photo())
    receiving.finish(upload)
    receiving.finish(upload)

    assert (upload.state, imports().count()) == ("done", 1)


def test_a_photo_whose_taking_in_died_half_way_is_there_once(place, owner, monkeypatch):
    """The file was put among the uploads, and the process died before that was written down."""
    album, data = make_album(), photo()
    upload = receiving.begin(owner, album, "a.jpg", len(data))
    receiving.append(upload, 0, [data])

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(uploads, "import_of", dies)
        with pytest.raises(KeyboardInterrupt):
            receiving.finish(upload)
    receiving.finish(Upload.objects.get())
    import_all()

    assert Location.objects.count() == 1
    assert album.media.count() == 1


# --- archives ---


def test_an_archive_waits_for_a_job_whatever_it_is_called(place, owner):
    album = make_album()
    upload = sent(owner, album, "photos.jpg", zip_of([("a.jpg", photo())]))

    job = Job.objects.get()
    assert (upload.state, job.kind) == ("unpacking", "unpack")
    assert job.payload == {"upload": upload.pk, "uuid": upload.uuid.hex}


# --- who may ---


@pytest.mark.parametrize("role", ("member", "annotator"))
def test_members_are_told_that_there_is_nothing(place, role):
    album = make_album()
    with pytest.raises(NotFound):
        receiving.begin(a_user(role), album, "a.jpg", 10)
    with pytest.raises(NotFound):
        receiving.forget(album, by=a_user(role))
    assert not place.exists()


# --- pieces ---


@pytest.mark.parametrize("offset", (-1, 0, 5, 11, 1000))
def test_a_piece_that_belongs_elsewhere_changes_nothing(place, owner, offset):
    upload = receiving.begin(owner, None, "a.jpg", 20)
    receiving.append(upload, 0, [b"x" * 10])

    with pytest.raises(Conflict, match="10 bytes"):
        receiving.append(upload, offset, [b"y"])
    assert receiving.part_of(upload.uuid).read_bytes() == b"x" * 10


def test_a_file_never_becomes_longer_than_was_told(place, owner):
    upload = receiving.begin(owner, None, "a.jpg", 12)
    with pytest.raises(Invalid, match="longer"):
        receiving.append(upload, 0, [b"x" * 10, b"y" * 10])

    assert receiving.offset_of(upload) == 10
    with pytest.raises(Conflict, match="10 of 12"):
        receiving.finish(upload)


def test_what_came_before_the_line_broke_stays(place, owner):
    upload = receiving.begin(owner, None, "a.jpg", 30)

    def broken():
        yield b"x" * 10
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        receiving.append(upload, 0, broken())
    upload.refresh_from_db()
    assert (receiving.offset_of(upload), upload.received) == (10, 10)
    assert receiving.append(upload, 10, [b"y"]) == 11


def test_the_disk_is_believed_and_not_the_row(place, owner):
    upload = receiving.begin(owner, None, "a.jpg", 30)
    receiving.append(upload, 0, [b"x" * 10])
    Upload.objects.update(received=25)

    assert receiving.append(Upload.objects.get(), 10, [b"y" * 5]) == 15
    receiving.part_of(upload.uuid).unlink()
    assert receiving.offset_of(upload) == 0


def test_a_server_that_is_killed_in_the_middle_of_a_piece_loses_no_more_than_that(place, owner):
    upload = receiving.begin(owner, None, "a.jpg", 1 << 20)
    receiving.append(upload, 0, [b"x" * 1000])
    script = (
        "import os, sys; from uuid import UUID; import django; django.setup()\n"
        "from django.conf import settings; from pathlib import Path\n"
        "settings.UPLOADS = Path(sys.argv[1])\n"
        "from lookwho.services import receiving\n"
        "path = receiving.part_of(UUID(sys.argv[2]))\n"
        "with receiving._held(path, 'a.jpg') as file:\n"
        "    file.write(b'y' * 500_000); file.flush()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", script, str(place), upload.uuid.hex],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        cwd=Path(__file__).parents[2],
        check=False,
    )

    assert died.returncode == -9
    there = receiving.offset_of(upload)
    assert there == 501_000
    assert receiving.append(upload, there, [b"z"]) == there + 1


def test_of_two_that_write_at_once_one_wins(place, owner):
    upload = receiving.begin(owner, None, "a.jpg", 100)
    held = receiving._held(receiving.part_of(upload.uuid), "a.jpg")
    with held, pytest.raises(Conflict, match="being sent already"):
        receiving.append(upload, 0, [b"x"])
    assert receiving.append(upload, 0, [b"x"]) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(data=st.data())
def test_however_it_is_cut_and_broken_off_the_file_is_what_was_sent(place, owner, data):
    content = data.draw(st.binary(min_size=1, max_size=2000))
    upload = receiving.begin(owner, None, "a.bin", len(content))
    while (at := receiving.offset_of(upload)) < len(content):
        some = content[at : at + data.draw(st.integers(1, 700))]
        breaks = data.draw(st.booleans())

        def pieces(some=some, breaks=breaks):
            yield some[: len(some) // 2 + 1]
            if breaks:
                raise EOFError
            yield some[len(some) // 2 + 1 :]

        with suppress(EOFError):
            receiving.append(upload, at, pieces())

    digest = hashlib.sha256(receiving.part_of(upload.uuid).read_bytes()).digest()
    assert digest == hashlib.sha256(content).digest()


def test_a_file_that_is_begun_twice_under_one_uuid_is_one(place, owner):
    album, uuid = make_album(), uuid4()
    first = receiving.begin(owner, album, "a.jpg", 20, uuid=uuid)
    receiving.append(first, 0, [b"x" * 5])
    again = receiving.begin(owner, album, "a.jpg", 20, uuid=uuid)

    assert (again, first.uuid, receiving.offset_of(again)) == (first, uuid, 5)
    for other in ((a_user("owner"), album, "a.jpg", 20), (owner, album, "a.jpg", 21),
                  (owner, None, "a.jpg", 20), (owner, album, "b.jpg", 20)):  # fmt: skip
        with pytest.raises(Conflict):
            receiving.begin(*other, uuid=uuid)
    assert Upload.objects.count() == 1


# --- limits ---


def test_a_file_that_is_too_large_or_empty_is_refused_before_it_comes(place, owner):
    with pytest.raises(ImageTooLarge, match="at most"):
        receiving.begin(owner, None, "a.jpg", 2 << 30)
    with pytest.raises(ImageTooLarge, match="split"):
        receiving.begin(owner, None, "a.zip", 1 << 40)
    with pytest.raises(Invalid, match="empty"):
        receiving.begin(owner, None, "a.jpg", 0)
    assert not Upload.objects.exists()


def test_a_disk_without_room_says_how_much_is_missing(place, owner, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    free = receiving.SPARE + 30_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=free))

    with pytest.raises(StorageFull, match=r"70 MB more are needed in .*uploads"):
        receiving.begin(owner, None, "a.jpg", 100_000_000)
    # An archive needs as much again to be unpacked, and so does what is still to come.
    with pytest.raises(StorageFull, match="10 MB"):
        receiving.begin(owner, None, "a.zip", 20_000_000)
    receiving.begin(owner, None, "a.jpg", 20_000_000)
    with pytest.raises(StorageFull, match="10 MB"):
        receiving.begin(owner, None, "b.jpg", 20_000_000)


# --- ending ---


def test_a_file_that_is_given_up_leaves_nothing_and_takes_no_more(place, owner):
    upload = receiving.begin(owner, make_album(), "a.jpg", 20)
    receiving.append(upload, 0, [b"x" * 10])
    receiving.cancel(Upload.objects.get())

    assert not receiving.part_of(upload.uuid).exists()
    with pytest.raises(NotFound, match="cancelled"):
        receiving.append(upload, 0, [b"x"])
    assert not receiving.part_of(upload.uuid).exists()
    with pytest.raises(Conflict):
        receiving.append(Upload.objects.get(), 10, [b"x"])


def test_an_archive_that_is_given_up_is_not_unpacked(place, owner):
    upload = sent(owner, make_album(), "a.zip", zip_of([("a.jpg", photo())]))
    receiving.cancel(upload)

    assert Job.objects.get().state == "cancelled"
    assert Upload.objects.get().state == "cancelled"


def test_the_list_is_cleared_of_what_has_ended(place, owner):
    album = make_album()
    sent(owner, album, "a.jpg", photo())
    open_ = receiving.begin(owner, album, "b.jpg", 10)
    other = sent(owner, make_album(), "c.jpg", photo(3))

    assert receiving.forget(album, by=owner) == 1
    assert set(Upload.objects.all()) == {open_, other}


# --- what dies ---


def test_what_nobody_went_on_with_for_a_day_is_given_up(place, owner):
    album = make_album()
    old = receiving.begin(owner, album, "a.jpg", 10)
    fresh = receiving.begin(owner, album, "b.jpg", 10)
    for upload in (old, fresh):
        receiving.append(upload, 0, [b"x"])
    Upload.objects.filter(pk=old.pk).update(touched_at=timezone.now() - timedelta(hours=25))

    assert sweep() == 1
    old.refresh_from_db()
    assert (old.state, "for a day" in old.error) == ("failed", True)
    assert [path.name for path in (place / uploads.RECEIVING).iterdir()] == [fresh.uuid.hex]


def test_what_was_complete_when_the_server_died_is_taken_in(place, owner):
    album, data = make_album(), photo()
    upload = receiving.begin(owner, album, "a.jpg", len(data))
    receiving.append(upload, 0, [data])
    later = timezone.now() + settling.LOST_AFTER + timedelta(seconds=1)

    assert sweep(now=timezone.now()) == 0
    assert sweep(now=later) == 1
    upload.refresh_from_db()
    assert (upload.state, imports().count()) == ("done", 1)


def test_files_that_no_row_knows_of_are_removed_once_they_are_old(place, owner):
    folder = place / uploads.RECEIVING
    folder.mkdir(parents=True)
    (folder / "0123").touch()
    assert sweep() == 0
    assert (folder / "0123").exists()
    os.utime(folder / "0123", (0, 0))
    sweep()
    assert not (folder / "0123").exists()


def test_what_is_being_sent_is_left_alone_by_the_sweeping_of_uploads(place, owner):
    upload = receiving.begin(owner, None, "a.jpg", 10)
    receiving.append(upload, 0, [b"x"])

    assert uploads.sweep_uploads(now=os.stat(place).st_mtime + 1e6) == 0
    assert receiving.offset_of(upload) == 1


def test_the_folder_of_an_album_is_not_taken_for_one_that_nobody_imports(place, owner):
    sent(owner, make_album(), "a.jpg", photo())
    later = os.stat(place).st_mtime + 1e6

    assert uploads.sweep_uploads(now=later) == 0
    import_all()
    Job.objects.all().delete()
    assert uploads.sweep_uploads(now=later) == 0


# --- albums that fill ---


def test_an_album_is_hidden_until_its_first_photos_are_in_and_then_shown(place, owner):
    album = make_album()
    data = photo()
    upload = receiving.begin(owner, album, "a.jpg", len(data))
    assert _processing(album)
    receiving.append(upload, 0, [data])
    assert settle() == 0
    receiving.finish(upload)
    assert settle() == 0
    (job,) = imports()
    carried_out(job)

    assert settle() == 1
    assert not _processing(album)
    # Later photos join a visible album.
    sent(owner, album, "b.jpg", photo(2))
    assert not _processing(album)


@pytest.mark.parametrize("state", ("failed", "cancelled"))
def test_an_import_that_fails_leaves_no_album_hidden(place, owner, state):
    album = make_album()
    sent(owner, album, "a.jpg", photo())
    imports().update(state=state, error_code="file_missing")

    assert settle() == 1
    assert not _processing(album)


def test_an_import_that_is_tried_again_for_ever_keeps_nobody_waiting(place, owner):
    album = make_album()
    sent(owner, album, "a.jpg", photo())
    imports().update(error_code="storage_full", attempts=3)

    assert settle() == 1


def test_an_upload_that_stops_keeps_its_album_hidden_for_a_minute_only(place, owner):
    album = make_album()
    receiving.begin(owner, album, "a.jpg", 1000)

    assert settle() == 0
    assert settle(now=timezone.now() + settling.QUIET + timedelta(seconds=1)) == 1


def test_a_refused_photo_leaves_no_album_hidden(place, owner):
    album = make_album()
    sent(owner, album, "a.txt", b"text " * 200)

    assert settle() == 1


def test_an_album_of_another_site_is_left_to_whoever_imports_it(place, owner):
    album = make_album(source=make_collection(kind="site"), external_id="1", processing=True)

    assert settle() == 0
    assert _processing(album)


def test_an_album_that_has_photos_is_not_hidden_by_an_upload(place, owner):
    album = make_album(*some_media(1))
    receiving.begin(owner, album, "a.jpg", 10)

    assert not _processing(album)
    assert AlbumItem.objects.count() == 1


def test_photos_that_join_an_album_of_those_who_agreed_keep_no_vector_of_others(place):
    photo_of_somebody = make_photo(draw(np.random.default_rng(1), 1)[0])
    albums = [make_album(photo_of_somebody, consenting_only=agreed) for agreed in (False, True)]
    left = []
    for album in albums:
        settling.imported(Job.objects.create(kind="import", payload={"album": album.pk}))
        left.append(Embedding.objects.count())
    settling.imported(Job.objects.create(kind="import", payload={"album": None}))

    assert left == [1, 0]


def test_an_album_that_is_removed_takes_its_uploads_along(place, owner):
    album = make_album()
    upload = receiving.begin(owner, album, "a.jpg", 10)
    receiving.append(upload, 0, [b"x"])
    album.delete()

    with pytest.raises(NotFound):
        receiving.append(upload, 1, [b"y"])
    assert not Upload.objects.exists()


@pytest.mark.parametrize("state", ("failed", "cancelled"))
def test_an_archive_whose_job_ended_otherwise_says_so(place, owner, state):
    album = make_album()
    upload = sent(owner, album, "a.zip", zip_of([("a.jpg", photo())]))
    Job.objects.update(state=state, error_code="worker_died", error="it died 5 times")

    assert settle() == 1
    upload.refresh_from_db()
    assert upload.state == state
    assert not receiving.part_of(upload.uuid).exists()
    if state == "failed":
        assert (upload.error_code, upload.error) == ("worker_died", "it died 5 times")


def test_an_archive_whose_job_is_gone_says_so(place, owner):
    sent(owner, make_album(), "a.zip", zip_of([("a.jpg", photo())]))
    Job.objects.all().delete()

    assert settle() == 1
    assert "gone" in Upload.objects.get().error


def _processing(album):
    return Album.objects.get(pk=album.pk).processing


# --- videos ---


def a_clip(tmp_path, name="clip.mp4"):
    return make_clip(tmp_path / name, drawn(5, (64, 48))).read_bytes()


def taken_in(upload):
    """What became of a video once its job was done."""
    job = Job.objects.get(pk=upload.job_id, kind=Job.Kind.UNPACK)
    unpacking.run_unpack(job, beat=lambda done: None)
    upload.refresh_from_db()
    return upload


def test_a_video_that_comes_in_pieces_joins_its_album(place, owner, tmp_path):
    album, data = make_album(), a_clip(tmp_path)
    upload = receiving.begin(owner, album, "clip.mp4", len(data))
    for at in range(0, len(data), 1000):
        assert receiving.offset_of(upload) == at
        receiving.append(upload, at, [data[at : at + 1000]])
    receiving.finish(upload)
    assert upload.state == "unpacking"  # nobody waits in a browser while it is read
    taken_in(upload)
    import_all()

    assert (upload.state, upload.kept, upload.known) == ("done", 1, 0)
    media = Media.objects.get()
    assert (media.kind, media.format) == ("video", "MP4")
    assert AlbumItem.objects.get().album == album
    assert not receiving.part_of(upload.uuid).exists()
    assert Location.objects.get().file.read_bytes() == data


def test_a_video_that_its_album_has_is_told_as_known(place, owner, tmp_path):
    album, data = make_album(), a_clip(tmp_path)
    taken_in(sent(owner, album, "a.mp4", data))
    import_all()
    again = taken_in(sent(owner, album, "b.mp4", data))

    assert (again.state, again.kept, again.known) == ("done", 0, 1)
    assert Location.objects.count() == 1


def test_a_video_that_was_cancelled_meanwhile_is_not_taken_in(place, owner, tmp_path):
    upload = sent(owner, make_album(), "a.mp4", a_clip(tmp_path))
    job = Job.objects.get(pk=upload.job_id)
    receiving.cancel(upload)
    unpacking.run_unpack(job, beat=lambda done: None)

    assert not imports().exists()
    upload.refresh_from_db()
    assert upload.state == "cancelled"


def test_how_large_a_video_may_be_is_a_setting(place, owner, settings):
    settings.VIDEO_BYTES = 2_000_000
    with pytest.raises(ImageTooLarge, match="3 million bytes, and at most 2 million"):
        receiving.begin(owner, None, "party.MOV", 3_000_000)
    receiving.begin(owner, None, "party.MOV", 1_900_000)
    receiving.begin(owner, None, "photo.jpg", 3_000_000)


def test_a_video_under_the_name_of_a_photo_has_the_limit_of_videos(
    place, owner, settings, tmp_path
):
    data = a_clip(tmp_path)
    settings.VIDEO_BYTES = len(data) - 1
    upload = sent(owner, None, "a.jpg", data)

    assert (upload.state, upload.error_code) == ("failed", "image_too_large")


def test_videos_in_an_archive_join_the_album_with_its_photos(place, owner, tmp_path):
    album = make_album()
    files = [("a.jpg", photo()), ("b.mp4", a_clip(tmp_path)), ("c.mkv", a_clip(tmp_path, "c.mkv"))]
    taken_in(sent(owner, album, "party.zip", zip_of(files)))
    import_all()

    kinds = sorted(album.media.values_list("kind", "format"))
    assert kinds == [("photo", "JPEG"), ("video", "MKV"), ("video", "MP4")]


def test_a_video_in_an_archive_may_be_larger_than_any_photo(place, owner, settings, tmp_path):
    settings.VIDEO_BYTES = 100
    files = [("a.jpg", photo()), ("b.mp4", a_clip(tmp_path))]
    upload = taken_in(sent(owner, make_album(), "party.zip", zip_of(files)))

    assert (upload.kept, [each["name"] for each in upload.refused]) == (1, ["b.mp4"])
    assert receiving.largest("b.MP4") == 100
    assert receiving.largest("a.jpg") == entries.MAX_FILE
