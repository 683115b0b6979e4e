import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from lookwho.core import entries
from lookwho.core.errors import Cancelled, StorageFull
from lookwho.library.models import Album, Job, Location, Media, Upload
from lookwho.services import receiving, settling, unpacking, uploads
from tests.archives import about, overlapping_zip, tar_of, zip_of
from tests.gallery import make_album
from tests.imports import carried_out
from tests.people import a_user
from tests.pictures import encode, noise

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(tmp_path, settings):
    settings.UPLOADS = tmp_path / "home" / "uploads"
    return settings.UPLOADS


@pytest.fixture
def owner():
    return a_user("owner", email="anna@example.org")


def photo(seed=0):
    return encode(noise(seed=seed), "JPEG")


def photos(count):
    return [(f"day/{seed}.jpg", photo(seed)) for seed in range(count)]


def sent(owner, album, data, name="party.zip"):
    """An archive that was sent as a whole, and waits to be unpacked."""
    upload = receiving.begin(owner, album, name, len(data))
    receiving.append(upload, 0, [data])
    return receiving.finish(upload)


def unpacked(upload, beat=lambda done: None):
    """What became of it once its job was done."""
    job = Job.objects.get(pk=upload.job_id)
    unpacking.run_unpack(job, beat=beat)
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    upload.refresh_from_db()
    return upload


def import_all():
    for job in Job.objects.filter(kind=Job.Kind.IMPORT, state=Job.State.WAITING):
        carried_out(job)
    settling.settle()


def left(place):
    """What lies among the uploads besides photos."""
    return [path for path in place.rglob("*") if path.is_file() and path.suffix != ".jpg"]


MAKERS = {
    "party.zip": zip_of,
    "party.tar": tar_of,
    "party.tar.gz": lambda files: tar_of(files, mode="w:gz"),
    "party.tgz": lambda files: tar_of(files, mode="w:gz"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_photos_of_an_archive_join_the_album_whatever_sort_it_is(place, owner, name):
    album = make_album()
    upload = unpacked(sent(owner, album, MAKERS[name](photos(5)), name))
    import_all()

    assert (upload.state, upload.kept, upload.known, upload.refused) == ("done", 5, 0, [])
    assert album.media.count() == Media.objects.count() == 5
    assert all(each.file.is_file() for each in Location.objects.select_related("collection"))
    assert not Album.objects.get(pk=album.pk).processing
    assert left(place) == []


def test_what_is_no_photo_is_refused_by_name_with_the_reason_and_the_others_go_on(place, owner):
    album = make_album()
    files = [
        *photos(3),
        ("notes.txt", b"hello, world\n" * 50),
        ("broken.jpg", photo(9)[:300]),
        ("../up.jpg", photo(8)),
        ("inner.zip", zip_of(photos(1))),
        ("__MACOSX/._0.jpg", b"junk"),
    ]
    upload = unpacked(sent(owner, album, zip_of(files)))
    import_all()

    told = {each["name"]: (each["code"], each["message"]) for each in upload.refused}
    assert set(told) == {"notes.txt", "../up.jpg", "inner.zip"}
    assert told["notes.txt"][0] == "not_an_image"
    assert "text file" in told["notes.txt"][1]
    assert {told["../up.jpg"][0], told["inner.zip"][0]} == {"entry_refused"}
    # One that begins like a photo is one: what is wrong with it is told where it is analysed.
    assert (upload.state, upload.kept, album.media.count()) == ("done", 4, 4)


def test_photos_that_are_there_already_are_told_and_not_taken_twice(place, owner):
    album = make_album()
    unpacked(sent(owner, album, zip_of(photos(3))))
    import_all()
    twice = [*photos(5), ("again.jpg", photo(4))]
    upload = unpacked(sent(owner, album, zip_of(twice), "more.zip"))
    import_all()

    assert (upload.kept, upload.known) == (2, 4)
    assert (album.media.count(), Location.objects.count()) == (5, 5)


def test_photos_are_handed_over_while_the_rest_is_unpacked(place, owner, monkeypatch):
    monkeypatch.setattr(unpacking, "FIRST", 2)
    monkeypatch.setattr(unpacking, "PORTION", 3)
    album, seen = make_album(), []

    def beat(done):
        import_all()
        seen.append(album.media.count())

    upload = unpacked(sent(owner, album, zip_of(photos(9))), beat)
    import_all()

    assert seen == sorted(seen)
    assert {2, 5, 8} <= set(seen)
    assert (upload.kept, album.media.count(), Location.objects.count()) == (9, 9, 9)


def test_the_album_is_hidden_until_all_of_its_first_archive_is_in(place, owner, monkeypatch):
    monkeypatch.setattr(unpacking, "FIRST", 2)
    album, shown = make_album(), []

    def beat(done):
        import_all()
        shown.append(Album.objects.get(pk=album.pk).processing)

    unpacked(sent(owner, album, zip_of(photos(6))), beat)
    assert set(shown) == {True}
    assert Album.objects.get(pk=album.pk).processing
    import_all()
    assert not Album.objects.get(pk=album.pk).processing


def test_it_tells_how_far_it_is(place, owner):
    told = []
    album = make_album()
    upload = sent(owner, album, zip_of([("a.jpg", photo() + bytes(3 << 20)), *photos(3)]))
    unpacked(upload, told.append)

    assert Job.objects.get(pk=upload.job_id).total == 3
    assert told == sorted(told)
    assert told[-1] == 3


# --- what is wrong with it as a whole ---


def test_of_an_archive_that_was_cut_short_what_could_be_read_is_kept_and_that_is_said(place, owner):
    album = make_album()
    data = zip_of(photos(6))
    upload = unpacked(sent(owner, album, data[: len(data) // 2]))
    import_all()

    assert (upload.state, upload.error_code) == ("failed", "broken_archive")
    assert "cut short" in upload.error
    assert upload.kept == album.media.count() == 3
    assert not Album.objects.get(pk=album.pk).processing
    assert left(place) == []


@pytest.mark.parametrize(
    ("data", "code"),
    (
        (b"7z\xbc\xaf\x27\x1c" + bytes(600), "not_an_archive"),
        (b"\x1f\x8b" + bytes(600), "broken_archive"),
        (overlapping_zip(50, 1 << 20), "archive_too_large"),
        (zip_of([("a.txt", b"text " * 200)]), "not_an_image"),
        (zip_of([]), "not_an_image"),
        (tar_of([about("link", tarfile.SYMTYPE, linkname="/etc/passwd")]), "not_an_image"),
    ),
)
def test_an_archive_without_a_photo_fails_in_words_and_leaves_nothing(place, owner, data, code):
    album = make_album()
    upload = sent(owner, album, data)
    if upload.state == "unpacking":
        unpacked(upload)
    import_all()

    assert (upload.state, upload.error_code) == ("failed", code)
    assert upload.error
    assert not Album.objects.get(pk=album.pk).processing
    assert [path for path in place.rglob("*") if path.is_file()] == []


def test_a_bomb_ends_it_and_what_came_before_stays(place, owner, monkeypatch):
    monkeypatch.setattr(entries, "MIN_BOMB", 1 << 20)
    files = [*photos(2), ("bomb.jpg", photo(7) + bytes(8 << 20)), ("c.jpg", photo(5))]
    upload = unpacked(sent(owner, make_album(), tar_of(files, mode="w:gz"), "a.tar.gz"))
    import_all()

    assert (upload.state, upload.error_code, upload.kept) == ("failed", "archive_too_large", 2)


def test_a_bomb_that_comes_last_ends_it_too(place, owner, monkeypatch):
    monkeypatch.setattr(entries, "MIN_BOMB", 1 << 20)
    files = [*photos(2), ("bomb.jpg", photo(7) + bytes(8 << 20))]
    packed = zip_of(files, method=zipfile.ZIP_DEFLATED)
    upload = unpacked(sent(owner, make_album(), packed))

    assert (upload.state, upload.error_code, upload.kept) == ("failed", "archive_too_large", 2)
    assert upload.refused == []


def test_an_archive_that_is_gone_from_the_disk_is_said(place, owner):
    album = make_album()
    upload = sent(owner, album, zip_of(photos(1)))
    receiving.part_of(upload.uuid).unlink()
    unpacked(upload)
    import_all()

    assert (upload.state, upload.error_code) == ("failed", "file_missing")
    assert not Album.objects.get(pk=album.pk).processing


def test_of_thousands_of_refused_files_some_are_named_and_the_rest_are_counted(
    place, owner, monkeypatch
):
    monkeypatch.setattr(unpacking, "TOLD", 3)
    files = [*photos(1), *((f"{n}.txt", b"text " * 200) for n in range(10))]
    upload = unpacked(sent(owner, make_album(), zip_of(files)))

    assert [each["name"] for each in upload.refused] == ["0.txt", "1.txt", "2.txt", "…"]
    assert "7 more" in upload.refused[-1]["message"]


# --- what dies, and what is given up ---


def test_an_archive_whose_worker_died_is_unpacked_once_however_often(place, owner, monkeypatch):
    monkeypatch.setattr(unpacking, "FIRST", 2)
    monkeypatch.setattr(unpacking, "PORTION", 2)
    album = make_album()
    upload = sent(owner, album, zip_of(photos(7)))
    for stop in (1, 3, 5, 6):

        def dies(done, left=[stop]):  # noqa: B006
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            unpacked(upload, dies)
        if stop == 3:
            import_all()
    upload = unpacked(upload)
    import_all()

    assert (upload.state, upload.kept, upload.known) == ("done", 7, 0)
    assert (album.media.count(), Location.objects.count()) == (7, 7)


def test_a_portion_that_was_handed_over_and_not_written_down_is_imported(place, owner, monkeypatch):
    album = make_album()
    upload = sent(owner, album, zip_of(photos(3)))
    unpacked(upload)
    # As if the process had died between the rename and the end of the transaction.
    Job.objects.filter(kind=Job.Kind.IMPORT).delete()
    Upload.objects.update(state="unpacking")
    receiving.part_of(upload.uuid).write_bytes(zip_of(photos(3)))

    upload = unpacked(upload)
    import_all()
    assert (upload.kept, album.media.count(), Location.objects.count()) == (3, 3, 3)


def test_a_worker_that_is_killed_leaves_what_the_next_one_goes_on_from(
    transactional_db, place, owner, tmp_path
):
    album = make_album()
    upload = sent(owner, album, zip_of(photos(30)))
    script = (
        "import os, sys; import django; django.setup()\n"
        "from django.conf import settings; from pathlib import Path\n"
        "settings.UPLOADS = Path(sys.argv[1])\n"
        "from lookwho.library.models import Job; from lookwho.services import unpacking\n"
        "beats = []\n"
        "def beat(done):\n"
        "    beats.append(done)\n"
        "    if len(beats) == 25: os.kill(os.getpid(), 9)\n"
        "unpacking.run_unpack(Job.objects.get(pk=int(sys.argv[2])), beat=beat)\n"
    )
    from django.db import connection

    died = subprocess.run(
        [sys.executable, "-c", script, str(place), str(upload.job_id)],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.workers.settings",
            "LOOKWHO_TEST_NAME": str(connection.settings_dict["NAME"]),
        },
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert died.returncode == -9
    import_all()
    assert album.media.count() == 20
    assert Album.objects.get(pk=album.pk).processing

    upload = unpacked(upload)
    import_all()
    assert (upload.kept, upload.known, album.media.count()) == (30, 0, 30)
    assert Location.objects.count() == 30
    assert left(place) == []


def test_it_stops_when_it_is_cancelled_and_leaves_what_was_handed_over(place, owner, monkeypatch):
    monkeypatch.setattr(unpacking, "FIRST", 2)
    album = make_album()
    upload = sent(owner, album, zip_of(photos(9)))

    def cancels(done, count=[0]):  # noqa: B006
        count[0] += 1
        if count[0] == 4:
            receiving.cancel(Upload.objects.get())
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        unpacked(upload, cancels)
    Job.objects.filter(kind=Job.Kind.UNPACK).update(state="cancelled")
    import_all()

    upload.refresh_from_db()
    assert (upload.state, album.media.count()) == ("cancelled", 2)
    assert left(place) == []
    assert not Album.objects.get(pk=album.pk).processing
    # Whoever runs it again all the same finds nothing to do.
    unpacked(upload)
    import_all()
    assert album.media.count() == 2


def test_an_album_that_is_gone_leaves_nothing(place, owner):
    album = make_album()
    upload = sent(owner, album, zip_of(photos(3)))
    job = Job.objects.get(pk=upload.job_id)
    album.delete()
    unpacking.run_unpack(job, beat=lambda done: None)

    assert not Job.objects.filter(kind=Job.Kind.IMPORT).exists()
    assert not Album.objects.exists()
    assert [path for path in place.rglob("*") if path.is_file()] == []


def test_an_album_that_goes_while_its_archive_is_unpacked_leaves_nothing(place, owner):
    album = make_album()
    upload = sent(owner, album, zip_of(photos(3)))
    job = Job.objects.get(pk=upload.job_id)
    unpacking.run_unpack(job, beat=lambda done: Album.objects.all().delete())

    assert not Job.objects.filter(kind=Job.Kind.IMPORT).exists()
    assert [path for path in place.rglob("*") if path.is_file()] == []


def test_a_full_disk_is_told_and_tried_again(place, owner, monkeypatch):
    album = make_album()
    upload = sent(owner, album, zip_of(photos(3)))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageFull):
            unpacked(upload)
    upload.refresh_from_db()
    assert (upload.state, upload.error_code) == ("unpacking", "storage_full")

    upload = unpacked(upload)
    assert (upload.state, upload.error, upload.kept) == ("done", "", 3)


# --- mail ---


def test_whoever_sent_it_is_told_by_mail_what_became_of_it(place, owner, settings, mailoutbox):
    settings.EMAIL_HOST = "mail.example.org"
    settings.SITE_URL = "https://photos.example.org"
    files = [*photos(2), ("notes.txt", b"text " * 200)]
    unpacked(sent(owner, make_album(title="Party"), zip_of(files)))

    (mail,) = mailoutbox
    assert mail.to == ["anna@example.org"]
    assert "party.zip" in mail.subject
    assert "2 photos added to Party, 1 refused." in mail.body
    assert "notes.txt: this is a text file" in mail.body
    assert f"https://photos.example.org/albums/{Album.objects.get().slug}" in mail.body


def test_a_failure_is_told_by_mail_too(place, owner, settings, mailoutbox):
    settings.EMAIL_HOST = "mail.example.org"
    unpacked(sent(owner, make_album(), overlapping_zip(50, 1 << 20)))

    (mail,) = mailoutbox
    assert "0 photos added" in mail.body
    assert "share their bytes" in mail.body


@pytest.mark.parametrize(("host", "email"), (("", "a@example.org"), ("mail.example.org", "")))
def test_no_mail_is_sent_where_there_is_no_server_or_no_address(
    place, owner, settings, mailoutbox, host, email
):
    settings.EMAIL_HOST = host
    owner.email = email
    owner.save()
    upload = unpacked(sent(owner, make_album(), zip_of(photos(1))))

    assert (upload.state, mailoutbox) == ("done", [])


def test_names_in_an_archive_are_no_paths(place, owner):
    files = [("a/b/x.jpg", photo(1)), ("c/x.jpg", photo(2)), ("CON.jpg", photo(3))]
    unpacked(sent(owner, make_album(), zip_of(files)))
    import_all()

    names = {Path(each.path).name for each in Location.objects.all()}
    assert names == {"x.jpg", "x-2.jpg", "_CON.jpg"}
    assert uploads.sweep_uploads(now=os.stat(place).st_mtime + 1e6) == 0
