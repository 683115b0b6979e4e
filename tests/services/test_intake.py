import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.core.errors import Cancelled, FileMissing, Forbidden, Invalid, NotFound
from lookwho.library.models import (
    Album,
    AlbumItem,
    Analysis,
    Collection,
    Face,
    Job,
    Location,
    Media,
    User,
)
from lookwho.services import intake
from tests.exiftool import needs_exiftool
from tests.imports import carried_out, draw, draw_many, imported, named_face, tag
from tests.videos import drawn, make_clip

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def unprivileged():
    """Without root's right to read everything, where we have it."""
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setegid(65534)
    os.setgroups([])
    os.seteuid(65534)
    yield
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(groups)


def readable_by_all(folder):
    """pytest keeps its folders to itself."""
    for parent in folder.parents:
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(0o755)


def paths(**which):
    return sorted(Location.objects.filter(**which).values_list("path", flat=True))


def present():
    return paths(missing_since=None, media__present=True)


def library():
    """All that an import writes, as it would be written anywhere."""
    media = {each.pk: bytes(each.payload_hash).hex() for each in Media.objects.all()}
    return (
        sorted(media.values()),
        sorted(
            (each.path, each.media_id and media[each.media_id], each.error_code)
            for each in Location.objects.filter(missing_since=None)
        ),
        sorted(media[each.pk] for each in Media.objects.filter(present=True)),
        sorted(media[each.media_id] for each in Analysis.objects.all()),
        sorted(
            media[pk] for job in Job.objects.filter(kind="analyse") for pk in job.payload["media"]
        ),
    )


# --- what lies there ---


def test_each_photo_is_one_medium_in_one_place_and_waits_to_be_analysed(folder):
    draw_many(folder, 45)
    job = imported(folder)

    assert Media.objects.filter(present=True).count() == 45
    assert paths()[:2] == ["000/00000.jpg", "000/00001.jpg"]
    waiting = Job.objects.filter(kind="analyse", parent=job)
    analysed = [pk for each in waiting for pk in each.payload["media"]]
    assert sorted(analysed) == sorted(Media.objects.values_list("pk", flat=True))
    assert (job.total, Analysis.objects.count()) == (45, 45)
    assert Collection.objects.get().scanned_at is not None


def test_what_the_header_says_is_written_down(folder):
    draw(folder / "a.jpg", orientation=6)
    os.utime(folder / "a.jpg", (0, datetime(2019, 5, 4, 3, 2, 1, tzinfo=UTC).timestamp()))
    imported(folder)
    media = Media.objects.get()

    assert (media.format, media.width, media.height, media.orientation) == ("JPEG", 32, 48, 6)
    assert media.taken_at == datetime(2019, 5, 4, 3, 2, 1, tzinfo=UTC)
    assert media.day == date(2019, 5, 4)


@needs_exiftool
def test_a_photo_was_taken_when_its_camera_says(folder):
    tag(["-DateTimeOriginal=2001:02:03 23:59:58"], draw(folder / "a.jpg"))
    imported(folder)

    assert Media.objects.get().taken_at == datetime(2001, 2, 3, 23, 59, 58, tzinfo=UTC)


def test_a_copy_is_another_place_of_the_same_medium(folder):
    shutil.copyfile(draw(folder / "a.jpg"), folder / "b.jpg")
    imported(folder)

    assert (Media.objects.count(), paths()) == (1, ["a.jpg", "b.jpg"])


def test_a_link_to_a_photo_is_another_place_and_a_link_to_a_folder_is_not_followed(folder):
    draw(folder / "a.jpg")
    (folder / "b.jpg").symlink_to("a.jpg")
    (folder / "c").symlink_to(".")
    imported(folder)

    assert (Media.objects.count(), paths()) == (1, ["a.jpg", "b.jpg"])


def test_what_cannot_be_read_is_told_and_does_not_stop_the_rest(folder):
    (folder / "empty.jpg").touch()
    (folder / "page.jpg").write_text("<!doctype html>")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "nowhere.jpg").symlink_to("gone.jpg")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "directory.jpg").mkdir()
    half = draw(folder / "half.jpg", 5)
    half.write_bytes(half.read_bytes()[:-200])
    draw(folder / "z.jpg", 7)
    imported(folder)

    told = {each.path: (each.error_code, each.media_id is None) for each in Location.objects.all()}
    assert told == {
        "empty.jpg": ("not_an_image", True),
        "page.jpg": ("not_an_image", True),
        "loop.jpg": ("file_missing", True),
        "nowhere.jpg": ("file_missing", True),
        "pipe.jpg": ("file_missing", True),
        "half.jpg": ("", False),
        "z.jpg": ("", False),
    }
    assert "HTML" in Location.objects.get(path="page.jpg").error
    assert "ordinary file" in Location.objects.get(path="pipe.jpg").error


def test_a_file_that_was_repaired_is_read_again(folder):
    picture = draw(folder / "a.jpg").read_bytes()
    (folder / "a.jpg").write_text("<!doctype html>")
    imported(folder)
    (folder / "a.jpg").write_bytes(picture)
    imported(folder)

    location = Location.objects.get()
    assert (location.error_code, location.error) == ("", "")
    assert location.media is not None
    assert location.media.present


def test_names_that_are_not_utf_8_lead_to_the_file(folder):
    odd = [b"\xff\xfe.jpg", b"Zo\xeb.jpg", b"back\\slash.jpg", b"\\xff.jpg", "Zoë ☺.jpg".encode()]
    for number, name in enumerate(odd):
        draw(folder / os.fsdecode(name), number)
    imported(folder)

    found = Location.objects.select_related("collection")
    assert sorted(os.fsencode(each.file.name) for each in found) == sorted(odd)
    assert all(each.file.read_bytes() for each in found)
    imported(folder)
    assert (Media.objects.count(), Location.objects.count()) == (5, 5)


def test_a_folder_whose_own_name_is_not_utf_8_can_be_added(tmp_path):
    folder = tmp_path / os.fsdecode(b"Fotos \xe4")
    draw(folder / "a.jpg")
    imported(folder)

    assert Collection.objects.get().folder == folder
    assert Location.objects.select_related("collection").get().file.read_bytes()


def test_a_path_too_long_for_an_index_is_told(folder):
    deep = folder
    for _ in range(12):
        deep = deep / ("n" * 200)
    here = os.open(folder, os.O_RDONLY)
    try:
        deep.mkdir(parents=True)
        draw(deep / "a.jpg")
    finally:
        os.close(here)
    draw(folder / "b.jpg", 2)
    imported(folder)
    imported(folder)

    assert Media.objects.count() == 1
    assert sorted(each.error_code for each in Location.objects.all()) == ["", "file_missing"]


def test_originals_are_not_written_to_and_nothing_is_put_beside_them(folder):
    draw_many(folder, 5)
    before = {path: path.stat() for path in sorted(folder.rglob("*"))}
    imported(folder)
    imported(folder)

    after = {path: path.stat() for path in sorted(folder.rglob("*"))}
    same = ("st_mtime_ns", "st_ctime_ns", "st_size", "st_ino")
    assert list(before) == list(after)
    for path, old in before.items():
        assert [getattr(old, name) for name in same] == [
            getattr(after[path], name) for name in same
        ]


def test_a_folder_that_may_only_be_read_is_imported(folder, request):
    draw(folder / "in" / "a.jpg")
    readable_by_all(folder)
    (folder / "in").chmod(0o555)
    folder.chmod(0o555)
    request.getfixturevalue("unprivileged")
    imported(folder)

    assert present() == ["in/a.jpg"]


# --- again ---


def test_importing_again_changes_nothing(folder):
    draw_many(folder, 30)
    (folder / "page.jpg").write_text("<!doctype html>")
    imported(folder)
    before = library()
    locations = list(Location.objects.order_by("pk").values())
    imported(folder)

    assert library() == before
    assert list(Location.objects.order_by("pk").values()) == locations


def test_a_file_that_looks_as_before_is_not_read(folder):
    photo = draw(folder / "a.jpg")
    imported(folder)
    told = photo.stat()
    photo.write_bytes(b"x" * told.st_size)
    os.utime(photo, ns=(told.st_atime_ns, told.st_mtime_ns))
    imported(folder)

    assert Location.objects.get().error_code == ""


@pytest.mark.parametrize("count", (300, pytest.param(10_000, marks=pytest.mark.long)))
def test_photos_that_are_moved_keep_faces_and_names_and_are_not_analysed_again(folder, count):
    photos = draw_many(folder, count)
    imported(folder)
    rows = list(Media.objects.order_by("pk").values())
    for each in Media.objects.all()[:20]:
        named_face(each)
    faces = list(Face.objects.order_by("pk").values())
    jobs = set(Job.objects.filter(kind="analyse").values_list("pk", flat=True))
    for number, photo in enumerate(photos):
        target = folder / "moved" / f"{number % 7}" / f"new-{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        photo.rename(target)
    imported(folder)

    assert list(Media.objects.order_by("pk").values()) == rows
    assert list(Face.objects.order_by("pk").values()) == faces
    assert set(Job.objects.filter(kind="analyse").values_list("pk", flat=True)) == jobs
    assert all(path.startswith("moved/") for path in present())
    assert (len(present()), len(paths(missing_since__isnull=False))) == (count, count)


@needs_exiftool
@pytest.mark.parametrize("count", (10, pytest.param(200, marks=pytest.mark.long)))
def test_photos_that_are_tagged_keep_faces_and_names_and_are_not_analysed_again(folder, count):
    photos = draw_many(folder, count)
    imported(folder)
    for each in Media.objects.all():
        named_face(each)
    before = library()
    faces = list(Face.objects.order_by("pk").values())
    tag(["-XMP:Subject=holiday", "-IPTC:Keywords=beach", "-Comment=nice"], *photos)
    imported(folder)

    assert library() == before
    assert list(Face.objects.order_by("pk").values()) == faces
    read = {each.path: each.size for each in Location.objects.all()}
    assert read == {str(path.relative_to(folder)): path.stat().st_size for path in photos}


@needs_exiftool
def test_a_date_that_another_program_corrects_is_followed(folder):
    photo = draw(folder / "a.jpg")
    imported(folder)
    tag(["-DateTimeOriginal=1999:12:31 12:00:00"], photo)
    imported(folder)

    assert Media.objects.get().day == date(1999, 12, 31)


def test_a_renamed_photo_is_in_its_new_place_only(folder):
    draw(folder / "a.jpg")
    draw(folder / "b.jpg", 2)
    imported(folder)
    (folder / "a.jpg").rename(folder / "c.jpg")
    imported(folder)

    assert present() == ["b.jpg", "c.jpg"]
    assert paths(missing_since__isnull=False) == ["a.jpg"]
    assert Media.objects.count() == 2


def test_a_photo_that_is_gone_is_kept_unseen_and_comes_back(folder):
    photo = draw(folder / "a.jpg")
    draw(folder / "b.jpg", 2)
    imported(folder)
    picture = photo.read_bytes()
    media = Location.objects.get(path="a.jpg").media
    named_face(media)
    photo.unlink()
    imported(folder)

    assert present() == ["b.jpg"]
    assert not Media.objects.get(pk=media.pk).present
    photo.write_bytes(picture)
    imported(folder)
    assert present() == ["a.jpg", "b.jpg"]
    assert Location.objects.get(path="a.jpg").media == media
    assert Face.objects.get().person.name == "Anna"


def test_of_two_copies_one_may_go(folder):
    shutil.copyfile(draw(folder / "a.jpg"), folder / "b.jpg")
    imported(folder)
    (folder / "a.jpg").unlink()
    imported(folder)

    assert present() == ["b.jpg"]


def test_another_photo_in_the_place_of_one_is_another_medium(folder):
    draw(folder / "a.jpg", 1)
    imported(folder)
    first = Media.objects.get()
    draw(folder / "a.jpg", 2)
    imported(folder)

    location = Location.objects.get()
    assert location.media != first
    assert not Media.objects.get(pk=first.pk).present
    assert location.media.present


def test_a_photo_that_became_a_text_is_no_longer_there(folder):
    photo = draw(folder / "a.jpg", 1)
    imported(folder)
    photo.write_text("<!doctype html>")
    imported(folder)

    assert Location.objects.get().error_code == "not_an_image"
    assert not Media.objects.get().present


def test_an_error_of_a_file_that_is_gone_is_forgotten(folder):
    draw(folder / "a.jpg")
    (folder / "page.jpg").write_text("<!doctype html>")
    imported(folder)
    (folder / "page.jpg").unlink()
    imported(folder)

    assert paths() == ["a.jpg"]


# --- disks that are elsewhere ---


def test_nothing_is_missing_when_the_folder_itself_is_gone(folder):
    draw_many(folder, 5)
    imported(folder)
    folder.rename(folder.with_name("unplugged"))

    _, job = Collection.objects.get(), Job.objects.filter(kind="import").latest("pk")
    with pytest.raises(FileMissing, match="photos"):
        intake.run_import(job, beat=lambda done: None)
    assert len(present()) == 5


def test_nothing_is_missing_when_the_folder_is_an_empty_place_for_a_disk(folder):
    draw_many(folder, 5)
    job = imported(folder)
    shutil.rmtree(folder)
    folder.mkdir()

    with pytest.raises(FileMissing, match="is empty, and 5 photos were in it"):
        intake.run_import(job, beat=lambda done: None)
    assert len(present()) == 5


@pytest.mark.parametrize("leaves_its_place", (True, False))
@pytest.mark.parametrize("when", (0, 1))
def test_nothing_is_missing_when_the_disk_goes_during_the_walk(folder, when, leaves_its_place):
    draw_many(folder, 5)
    job = imported(folder)
    draw(folder / "new.jpg", 99)

    def unplug(done):
        if done >= when:
            shutil.rmtree(folder, ignore_errors=True)
            if leaves_its_place:
                folder.mkdir()

    with pytest.raises(FileMissing):
        intake.run_import(job, beat=unplug)
    assert (len(present()), len(paths())) == (5, 5)


def test_an_empty_folder_that_never_held_anything_is_no_error(folder):
    assert imported(folder).total == 0


@pytest.mark.parametrize("mode", (0o000, 0o004))
def test_photos_in_a_folder_that_may_not_be_read_stay(folder, mode, request):
    draw(folder / "a.jpg", 1)
    draw(folder / "closed" / "b.jpg", 2)
    imported(folder)
    readable_by_all(folder)
    (folder / "closed").chmod(mode)
    request.getfixturevalue("unprivileged")
    imported(folder)

    assert present() == ["a.jpg", "closed/b.jpg"]
    told = Location.objects.exclude(error_code="").get()
    assert told.path == ("closed" if mode == 0 else "closed/b.jpg")
    os.seteuid(0)
    (folder / "closed").chmod(0o755)
    os.seteuid(65534)
    imported(folder)
    assert present() == paths() == ["a.jpg", "closed/b.jpg"]
    assert not Location.objects.exclude(error_code="").exists()


def test_a_photo_that_may_not_be_read_any_more_stays_and_says_why(folder, request):
    photo = draw(folder / "a.jpg")
    imported(folder)
    readable_by_all(folder)
    photo.chmod(0)
    os.utime(photo, (1, 1))
    request.getfixturevalue("unprivileged")
    imported(folder)
    assert present() == ["a.jpg"]
    assert "permission denied" in Location.objects.get().error

    os.seteuid(0)
    photo.chmod(0o644)
    os.seteuid(65534)
    imported(folder)
    assert (present(), Location.objects.get().error_code) == (["a.jpg"], "")


def test_nothing_is_missing_when_a_share_comes_and_goes(folder, monkeypatch):
    """A part of it is away during the walk, and all of it while it is told what is missing."""
    monkeypatch.setattr(intake, "_LOOK", 2)
    for number in range(8):
        draw(folder / "az"[number // 4] / f"{number}.jpg", number)
    job = imported(folder)
    away = folder.with_name("away")
    beats = []

    def beat(done):
        beats.append(done)
        if len(beats) == 2:
            (folder / "z").rename(away)
        elif len(beats) == 6:
            away.rename(folder / "z")
        elif len(beats) == 7:
            shutil.rmtree(folder)
            folder.mkdir()

    with pytest.raises(FileMissing, match="is empty"):
        intake.run_import(job, beat=beat)
    assert len(present()) == 8


def test_a_folder_that_may_not_be_read_at_all_is_refused_by_its_name(folder, request):
    draw(folder / "a.jpg")
    job = imported(folder)
    readable_by_all(folder)
    folder.chmod(0)
    request.getfixturevalue("unprivileged")

    with pytest.raises(FileMissing, match=r"photos.*Permission denied"):
        intake.run_import(job, beat=lambda done: None)
    with pytest.raises(FileMissing, match=r"photos.*Permission denied"):
        intake.add_folder(folder, by=None)


def test_a_file_that_vanishes_during_the_walk_is_passed_over(folder):
    draw_many(folder, 230)
    victim = folder / "011" / "00229.jpg"
    _, job = intake.add_folder(folder, by=None)

    def beat(done):
        if done:
            victim.unlink(missing_ok=True)

    carried_out(job, beat)
    assert Location.objects.exclude(error_code="").count() <= 1
    imported(folder)
    assert (len(present()), Location.objects.exclude(error_code="").count()) == (229, 0)


# --- interrupted ---


class Killed(BaseException):
    pass


@pytest.mark.parametrize("when", range(1, 8))
def test_an_import_that_died_anywhere_ends_as_if_it_had_not(folder, when):
    draw_many(folder, 330)
    shutil.copyfile(folder / "000" / "00000.jpg", folder / "copy.jpg")
    (folder / "page.jpg").write_text("<!doctype html>")
    _, job = intake.add_folder(folder, by=None, album_title="Party")
    beats = []

    def beat(done):
        beats.append(done)
        if len(beats) == when:
            raise Killed

    with pytest.raises(Killed):
        intake.run_import(job, beat=beat)
    carried_out(job)

    media, places, seen, analysed, given = library()
    assert (len(media), len(places)) == (330, 332)
    assert media == seen == analysed == given
    assert AlbumItem.objects.count() == 330


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_killed_again_and_again_ends_as_if_it_had_not(folder, tmp_path):
    draw_many(folder, 600)
    _, job = intake.add_folder(folder, by=None)
    script = (
        "import sys; from django.conf import settings; import django; "
        "settings.DATABASES['default']['NAME'] = sys.argv[1]; django.setup(); "
        "from lookwho.library.models import Job; from lookwho.services import intake; "
        "print('ready', flush=True); "
        "intake.run_import(Job.objects.get(pk=sys.argv[2]), beat=lambda n: print(n, flush=True))"
    )
    command = [sys.executable, "-c", script, str(connection.settings_dict["NAME"]), str(job.pk)]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    for lines in (4, 5, 6, 7):  # each gets further, and is killed in the middle of a batch
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, env=environment, cwd=Path(__file__).parents[2]
        ) as process:
            for _ in range(lines):
                assert process.stdout.readline()
            process.kill()
    carried_out(job)

    media, places, seen, analysed, given = library()
    assert (len(media), len(places)) == (600, 600)
    assert media == seen == analysed == given


@pytest.mark.django_db(transaction=True)
def test_imports_of_the_same_photos_at_the_same_time_get_along(tmp_path):
    """One worker's lease ran out while it slept, or a folder lies in two collections."""
    draw_many(tmp_path / "a" / "b", 130)
    shutil.copytree(tmp_path / "a" / "b", tmp_path / "c")
    folders = [tmp_path / "a", tmp_path / "a", tmp_path / "a" / "b", tmp_path / "c"]
    jobs = [intake.add_folder(folder, by=None)[1] for folder in folders]

    def run(job):
        try:
            intake.run_import(job, beat=lambda done: None)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, jobs))

    media, places, seen, analysed, given = library()
    assert (len(media), len(places)) == (130, 3 * 130)
    assert media == seen == analysed == given


def test_cancelling_keeps_what_is_registered(folder):
    draw_many(folder, 150)
    _, job = intake.add_folder(folder, by=None)

    def beat(done):
        if done:
            raise Cancelled("somebody asked for it")

    with pytest.raises(Cancelled):
        intake.run_import(job, beat=beat)
    assert 0 < Media.objects.count() <= 150
    imported(folder)
    assert Media.objects.count() == 150


def test_progress_ends_at_the_number_of_files(folder):
    draw_many(folder, 250)
    _, job = intake.add_folder(folder, by=None)
    beats = []
    carried_out(job, beats.append)

    assert beats == sorted(beats)
    assert (beats[-1], job.total) == (250, 250)


# --- adding ---


def test_a_folder_is_added_once_whatever_it_is_called(folder, monkeypatch):
    draw(folder / "a.jpg")
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.chdir(folder.parent)
    first, job = intake.add_folder(folder, by=None)
    for other in (f"{folder}/", "photos", folder / ".." / "photos", folder.parent / "link"):
        assert intake.add_folder(other, by=None) == (first, job)
    assert (Collection.objects.count(), Job.objects.count()) == (1, 1)
    assert first.title == "photos"


def test_photos_join_the_album_and_those_that_are_known_do_too(folder):
    draw_many(folder, 3)
    imported(folder)
    imported(folder, album_title="Summer Party")
    draw(folder / "new.jpg", 9)
    imported(folder, album_title="Summer Party")

    album = Album.objects.get()
    assert (album.title, album.slug, album.media.count()) == ("Summer Party", "summer-party", 4)


def test_albums_of_different_titles_have_different_addresses(folder):
    for title in ("Party!", "Party?", "Праздник", "祭り"):
        intake.add_folder(folder, by=None, album_title=title)

    slugs = list(Album.objects.order_by("pk").values_list("slug", flat=True))
    assert slugs == ["party", "party-2", "album", "album-2"]


def test_imports_into_different_albums_both_wait(folder):
    jobs = {intake.add_folder(folder, by=None, album_title=title)[1].pk for title in ("", "A", "B")}

    assert len(jobs) == 3


@pytest.mark.parametrize("wrong", ("", "  ", "a\0b"))
def test_what_is_no_path_is_refused(wrong):
    with pytest.raises(Invalid, match="type the path"):
        intake.add_folder(wrong, by=None)


def test_what_is_no_folder_is_refused_by_its_name(folder):
    with pytest.raises(FileMissing, match=r"there is no folder .*nowhere"):
        intake.add_folder(folder / "nowhere", by=None)
    with pytest.raises(FileMissing, match=r"a\.jpg.*Not a directory"):
        intake.add_folder(draw(folder / "a.jpg"), by=None)


def test_lookwhos_own_files_are_never_taken_for_photos(folder, settings):
    settings.HOME = folder / "lookwho"
    draw(settings.HOME / "pictures" / "thumbnail.jpg", 1)
    draw(folder / "a.jpg", 2)
    imported(folder)

    assert paths() == ["a.jpg"]
    with pytest.raises(Invalid, match="own files"):
        intake.add_folder(settings.HOME / "pictures", by=None)


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_owners_add_folders(folder, role):
    with pytest.raises(Forbidden):
        intake.add_folder(folder, by=User.objects.create_user("max", role=role))
    assert not Collection.objects.exists()


def test_an_import_of_what_was_removed_says_so(folder):
    draw(folder / "a.jpg")
    collection, job = intake.add_folder(folder, by=None)
    collection.delete()

    with pytest.raises(NotFound, match="removed"):
        intake.run_import(job, beat=lambda done: None)


# --- cost ---


def test_a_batch_takes_the_same_number_of_queries_however_many_files_it_has(folder):
    def queries(count, start):
        for number in range(count):
            draw(folder / f"{start + number}.jpg", start + number)
        _, job = intake.add_folder(folder, by=None, album_title="Party")
        with CaptureQueriesContext(connection) as captured:
            carried_out(job)
        return len(captured)

    queries(30, 0)  # past the first jobs of an import, which are smaller
    assert queries(3, 1000) == queries(20, 2000)


# --- videos ---


def a_clip(path, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    return make_clip(path, drawn(5, (64, 48)), **more)


def test_photos_and_videos_of_one_folder_are_all_found(folder):
    draw(folder / "a.jpg")
    a_clip(folder / "b.mp4")
    a_clip(folder / "c" / "d.MOV")
    job = imported(folder)

    found = Location.objects.order_by("path").values_list("path", "media__kind", "media__format")
    assert list(found) == [
        ("a.jpg", "photo", "JPEG"),
        ("b.mp4", "video", "MP4"),
        ("c/d.MOV", "video", "MOV"),
    ]
    assert Analysis.objects.count() == 3
    below = Job.objects.filter(parent=job).values_list("kind", "total")
    assert sorted(below) == [("analyse", 1), ("video", 1), ("video", 1)]


def test_a_video_that_was_moved_or_tagged_is_the_same_video(folder):
    path = a_clip(folder / "a.mp4", metadata={"title": "One"})
    imported(folder)
    media = Media.objects.get()
    analysed = Analysis.objects.get()
    path.rename(folder / "b.mp4")
    a_clip(folder / "c.mp4", metadata={"title": "Another, which is longer"})
    imported(folder)

    assert Media.objects.get() == media
    assert Analysis.objects.get() == analysed
    assert present() == ["b.mp4", "c.mp4"]
    assert Job.objects.filter(kind="video").count() == 1


def test_a_video_that_is_gone_is_missing_and_comes_back_as_it_was(folder):
    path = a_clip(folder / "a.mp4")
    draw(folder / "b.jpg")
    imported(folder)
    path.rename(folder.parent / "a.mp4")
    imported(folder)
    assert not Media.objects.get(kind="video").present

    (folder.parent / "a.mp4").rename(path)
    imported(folder)
    assert Media.objects.get(kind="video").present
    assert Job.objects.filter(kind="video").count() == 1


def test_what_is_called_like_a_video_and_is_none_is_among_what_failed(folder):
    (folder / "a.mp4").write_bytes(b"ID3\4" + bytes(2000))
    (folder / "b.mkv").touch()
    imported(folder)

    codes = Location.objects.order_by("path").values_list("error_code", flat=True)
    assert list(codes) == ["not_an_image", "not_an_image"]
    assert not Media.objects.exists()


def test_few_videos_are_read_before_they_are_registered(folder, monkeypatch):
    monkeypatch.setattr(intake, "_BATCH_BYTES", 1)
    for number in range(3):
        a_clip(folder / f"{number}.mp4", rate=10 + number)
    seen = []
    _, job = intake.add_folder(folder, by=None)
    carried_out(job, beat=lambda done: seen.append(Media.objects.count()))

    assert {1, 2, 3} <= set(seen)
