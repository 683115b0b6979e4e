import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core.errors import Forbidden, Invalid, StorageFull, StorageReadOnly
from lookwho.files.walk import ENDINGS, walk
from lookwho.library.models import Album, Collection, Job, Location, Media, User
from lookwho.services import uploads
from lookwho.services.uploads import add_uploads, safe_name, sweep_uploads
from tests.imports import carried_out, draw, imported
from tests.pictures import encode, noise

pytestmark = pytest.mark.django_db

LATER = 10 * uploads.DEAD_AFTER


@pytest.fixture
def place(tmp_path, settings):
    settings.UPLOADS = tmp_path / "home" / "uploads"
    return settings.UPLOADS


@pytest.fixture
def owner():
    return User.objects.create_user("owner", role="owner")


class Brought:
    """What somebody brings: it may be called anything, and come to an end too early."""

    def __init__(self, name, data, *, size=None, fails=None):
        self.name, self.data, self.fails = name, data, fails
        self.size = len(data) if size is None else size

    def chunks(self):
        for at in range(0, len(self.data), 1000):
            yield self.data[at : at + 1000]
        if self.fails:
            raise self.fails


def photo(name="a.jpg", number=0):
    return Brought(name, encode(noise(seed=number), "JPEG"))


def files(place):
    return sorted(path.name for path in place.rglob("*") if path.is_file())


def test_photos_that_are_brought_are_imported(place, owner):
    added = add_uploads(
        [photo("a.jpg", 1), SimpleUploadedFile("b.png", encode(noise(), "PNG"))],
        by=owner,
        album_title="Party",
    )
    carried_out(added.job)

    assert added.refused == ()
    assert (Media.objects.filter(present=True).count(), Album.objects.get().media.count()) == (2, 2)
    locations = Location.objects.select_related("collection")
    assert sorted(each.file.name for each in locations) == ["a.jpg", "b.png"]
    assert all(each.file.is_file() for each in locations)
    assert Collection.objects.get().kind == "uploads"


def test_what_is_no_photo_is_refused_by_its_content_and_the_others_go_on(place, owner):
    added = add_uploads(
        [
            Brought("page.jpg", b"<!doctype html>" * 200),
            photo("photo.txt"),
            Brought("empty.png", b""),
            Brought("song.mp4", b"ID3\4" + bytes(3000)),
        ],
        by=owner,
    )
    carried_out(added.job)

    assert [each.name for each in added.refused] == ["page.jpg", "empty.png", "song.mp4"]
    assert "HTML" in added.refused[0].error.message
    assert {each.error.code for each in added.refused} == {"not_an_image"}
    assert files(place) == ["photo.txt.jpg"]
    assert Location.objects.get().error_code == ""


def test_nothing_is_left_when_there_is_no_photo_at_all(place, owner):
    with pytest.raises(Invalid, match=r"no photo.*a\.txt: this is a text file"):
        add_uploads([Brought("a.txt", b"hello, world\n" * 99)], by=owner)
    with pytest.raises(Invalid, match="no photo"):
        add_uploads([], by=owner)

    assert list(place.iterdir()) == []
    assert not Job.objects.exists()


def test_files_of_the_same_name_are_all_kept(place, owner):
    add_uploads([photo(name, n) for n, name in enumerate(("a.jpg", "A.jpg", "b/a.jpg"))], by=owner)

    assert files(place) == ["A-2.jpg", "a-3.jpg", "a.jpg"]


def test_photos_that_are_known_join_the_album(place, owner, tmp_path):
    drawn = draw(tmp_path / "folder" / "a.jpg")
    imported(drawn.parent)
    added = add_uploads([Brought("b.jpg", drawn.read_bytes())], by=owner, album_title="Party")
    carried_out(added.job)

    assert (Media.objects.count(), Location.objects.count()) == (1, 2)
    assert Album.objects.get().media.get() == Media.objects.get()


def test_an_import_of_an_upload_tells_nothing_of_other_uploads(place, owner):
    first = add_uploads([photo("a.jpg", 1)], by=owner)
    carried_out(first.job)
    (place / Location.objects.get().path).unlink()
    carried_out(add_uploads([photo("b.jpg", 2)], by=owner).job)

    assert Location.objects.filter(missing_since=None).count() == 2


def test_uploads_are_found_when_their_folder_was_moved(place, owner, settings, tmp_path):
    carried_out(add_uploads([photo()], by=owner).job)
    settings.UPLOADS = tmp_path / "moved"
    place.rename(settings.UPLOADS)
    carried_out(add_uploads([photo("b.jpg", 2)], by=owner).job)

    assert Collection.objects.count() == 1
    assert all(each.file.is_file() for each in Location.objects.select_related("collection"))


@pytest.mark.parametrize("role", ("annotator", "member"))
def test_members_cannot_bring_photos(place, role):
    with pytest.raises(Forbidden):
        add_uploads([photo()], by=User.objects.create_user("max", role=role))
    assert not place.exists()


# --- what dies ---


@pytest.mark.parametrize(
    ("fails", "raised"),
    (
        (OSError(errno.ENOSPC, "No space left on device"), StorageFull),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StorageFull),
        (OSError(errno.EROFS, "Read-only file system"), StorageReadOnly),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ),
)
def test_nothing_is_left_of_an_upload_that_fails_half_way(place, owner, fails, raised):
    broken = Brought("b.jpg", photo().data, fails=fails)
    with pytest.raises(raised):
        add_uploads([photo("a.jpg", 1), broken], by=owner)

    assert list(place.iterdir()) == []
    assert not Job.objects.exists()


def test_a_full_disk_says_how_much_is_missing(place, owner):
    """A file may grow no further than a limit that this process sets itself."""
    place.mkdir(parents=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(
            StorageFull, match=r"disk is full.* [\d,]+ MB more are needed in .*uploads"
        ):
            add_uploads([photo()], by=owner)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(place.iterdir()) == []


def test_what_is_missing_is_what_does_not_fit(place, owner, tmp_path):
    free = shutil.disk_usage(tmp_path).free
    full = OSError(errno.ENOSPC, "No space left on device")
    large = Brought("a.jpg", photo().data, size=free + 5_000_000_000, fails=full)
    with pytest.raises(StorageFull) as caught:
        add_uploads([large], by=owner)

    told = int(caught.value.message.split(" MB more")[0].rpartition(" ")[2].replace(",", ""))
    assert told == pytest.approx(5000, abs=500)


def test_a_folder_that_cannot_be_written_to_is_named(owner, settings, tmp_path):
    settings.UPLOADS = tmp_path / "file" / "uploads"
    (tmp_path / "file").touch()

    with pytest.raises(StorageReadOnly, match=r"file.uploads.*Not a directory"):
        add_uploads([photo()], by=owner)


def test_what_died_while_it_was_written_is_swept(place, owner):
    """A process that is killed cannot remove anything."""
    script = (
        "import os, sys; from pathlib import Path; import django; django.setup(); "
        "from lookwho.services import uploads\n"
        "class Brought:\n"
        "    name, size = 'a.jpg', 5\n"
        "    def chunks(self):\n"
        "        yield b'\\xff\\xd8' * 9000\n"
        "        os.kill(os.getpid(), 9)\n"
        "uploads._store(Path(sys.argv[1]), [Brought()])"
    )
    hidden = place / ".0123abcd"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    died = subprocess.run(
        [sys.executable, "-c", script, str(hidden)],
        env=environment,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert died.returncode == -9
    assert len(list(hidden.iterdir())) == 1

    assert sweep_uploads() == 0  # it might still be written
    assert hidden.exists()
    assert list(walk([place])) == []
    assert sweep_uploads(now=hidden.stat().st_mtime + LATER) == 1
    assert not hidden.exists()


def test_what_died_just_before_it_was_written_down_is_imported(place, owner):
    carried_out(add_uploads([photo("a.jpg", 1)], by=owner).job)
    added = add_uploads([photo("b.jpg", 2)], by=owner)
    added.job.delete()
    now = max(folder.stat().st_mtime for folder in place.iterdir())

    assert sweep_uploads(now=now) == 0
    assert sweep_uploads(now=now + LATER) == 1
    assert sweep_uploads(now=now + LATER) == 0
    carried_out(Job.objects.get(kind="import", state="waiting"))
    assert Location.objects.filter(missing_since=None, error_code="").count() == 2


def test_there_is_nothing_to_sweep_before_the_first_upload(place):
    assert sweep_uploads() == 0


# --- names ---


@pytest.mark.parametrize(
    ("name", "safe"),
    (
        ("IMG_1.JPG", "IMG_1.JPG"),
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\Users\\anna\\a.jpg", "a.jpg"),
        (".hidden.jpg", "hidden.jpg"),
        ("...", "photo.jpg"),
        ("", "photo.jpg"),
        (".jpg", "jpg.jpg"),
        ("a\0b\x1f\u202egpj.exe", "abgpj.exe.jpg"),
        ("CON.jpg", "_CON.jpg"),
        ("com1.png", "_com1.png"),
        ("what?*<now>.jpg", "what___now_.jpg"),
        ("  a   b . jpg", "a b . jpg.jpg"),
        ("Zoe\u0308.jpg", "Zoë.jpg"),
        ("家族.jpeg", "家族.jpeg"),
        ("\udcff.jpg", "jpg.jpg"),
    ),
)
def test_a_name_is_made_safe(name, safe):
    assert safe_name(name, "JPEG") == safe


@given(st.text(max_size=300), st.sampled_from(("JPEG", "PNG", "HEIF", "WEBP", "TIFF", "AVIF")))
def test_whatever_it_is_called_a_photo_is_stored_and_found_again(name, kind):
    safe = safe_name(name, kind)

    assert safe == os.path.basename(safe)
    assert not safe.startswith((".", " "))
    assert len(safe.encode()) <= 130
    assert os.path.splitext(safe)[1].lower() in ENDINGS
    assert safe.isprintable()
    assert safe_name(safe, kind) == safe
