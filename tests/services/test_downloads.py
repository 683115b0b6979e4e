import io
import threading
import zipfile
from datetime import UTC, datetime

import pytest
from PIL import Image

from lookwho.core.errors import FileMissing, TooMany
from lookwho.core.inspect import inspect
from lookwho.library.models import Location, Media
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import downloads
from lookwho.services.downloads import copy_of, stripped, zip_of
from tests.exiftool import needs_exiftool
from tests.gallery import make_album
from tests.imports import draw, imported, tag
from tests.people import a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(tmp_path):
    """Three photos, two of the same name."""
    for number, name in enumerate(("a.jpg", "x/a.jpg", "ä.jpg"), 1):
        draw(tmp_path / "photos" / name, number)
    imported(tmp_path / "photos")
    return list(Media.objects.order_by("pk"))


def unzipped(chunks):
    data = b"".join(chunks)
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


def files_of(media):
    return [each.locations.get().file for each in media]


def test_all_photos_are_in_the_zip_to_the_byte_under_names_of_their_own(library):
    archive = unzipped(zip_of(library))

    assert len(archive.namelist()) == 3
    assert sorted(map(archive.read, archive.namelist())) == sorted(
        path.read_bytes() for path in files_of(library)
    )
    days = {each.day.isoformat() for each in library}
    assert {name[:10] for name in archive.namelist()} == days
    assert sorted(name[11:] for name in archive.namelist()) == ["a-2.jpg", "a.jpg", "ä.jpg"]


def test_a_file_in_the_zip_has_the_date_of_its_photo(library):
    Media.objects.update(taken_at=datetime(2024, 6, 1, 12, 30, 58, tzinfo=UTC))
    old, *others = Media.objects.all()
    old.taken_at = datetime(1826, 1, 1, tzinfo=UTC)
    archive = unzipped(zip_of([old, *others]))

    dates = [about.date_time for about in archive.infolist()]
    assert dates == [(1980, 1, 1, 0, 0, 0), *2 * [(2024, 6, 1, 12, 30, 58)]]


def test_what_vanished_is_left_out_and_named(library):
    gone, cut, _ = files_of(library)
    gone.unlink()
    Location.objects.filter(media=library[1]).delete()
    archive = unzipped(zip_of(library))

    assert len(archive.namelist()) == 2
    note = archive.read("left out.txt").decode()
    assert note.count("no longer in any of the folders") == 2
    assert gone.name in note
    assert cut.exists()


def test_a_zip_of_nothing_is_one(db):
    assert unzipped(zip_of([])).namelist() == []


def test_it_is_made_while_it_is_sent(library):
    asked = []

    def media():
        for each in library * 100:
            asked.append(each.pk)
            yield each

    chunks = zip_of(media())
    for _ in range(20):
        next(chunks)
    assert len(asked) <= 100


def test_a_large_photo_is_sent_in_pieces(library):
    path = files_of(library)[0]
    with path.open("ab") as file:
        file.write(bytes(5 << 20))

    assert max(map(len, zip_of(library[:1]))) < 300_000


def test_smaller_copies_say_nothing_and_are_as_large_as_asked(library):
    archive = unzipped(zip_of(library, side=24))

    for name in archive.namelist():
        assert name.endswith(".jpg")
        with Image.open(io.BytesIO(archive.read(name))) as picture:
            assert max(picture.size) == 24
            assert not picture.getexif()


@needs_exiftool
def test_what_the_files_say_is_left_out_where_that_is_asked(library):
    for path in files_of(library):
        tag(["-GPSLatitude=52", "-GPSLongitude=5", "-Artist=Anna Secret"], path)
    assert b"Anna Secret" in b"".join(zip_of(library))
    archive = unzipped(zip_of(library, strip=True))

    for name, path in zip(archive.namelist(), files_of(library), strict=True):
        data = archive.read(name)
        assert b"Anna" not in data
        with Image.open(io.BytesIO(data)) as ours, Image.open(path) as theirs:
            assert ours.tobytes() == theirs.tobytes()


def test_one_photo_is_copied_as_it_is_smaller_or_stripped(library):
    path = files_of(library)[0]
    plain = copy_of(library[0])
    small = copy_of(library[0], side=24)
    bare = copy_of(library[0], side=0, strip=True)

    assert (plain.name, plain.kind, plain.size) == ("a.jpg", "JPEG", path.stat().st_size)
    assert b"".join(plain.chunks) == path.read_bytes()
    assert len(b"".join(small.chunks)) == small.size
    assert b"".join(bare.chunks) == b"".join(stripped(path))


def test_a_png_without_what_it_says_becomes_a_jpeg(tmp_path):
    draw(tmp_path / "photos" / "a.png", 3)
    imported(tmp_path / "photos")
    copy = copy_of(Media.objects.get(), strip=True)
    data = b"".join(copy.chunks)

    assert (copy.name, copy.kind) == ("a.jpg", "JPEG")
    assert data[:2] == b"\xff\xd8"
    assert b"".join(stripped(tmp_path / "photos" / "a.png"))[:2] == b"\xff\xd8"


def test_of_several_places_the_first_that_is_there_is_read(library, tmp_path):
    first = files_of(library)[0]
    draw(tmp_path / "other" / "b.jpg", 1)
    imported(tmp_path / "other")
    first.unlink()

    assert copy_of(library[0]).name == "b.jpg"
    (tmp_path / "other" / "b.jpg").unlink()
    with pytest.raises(FileMissing):
        copy_of(library[0])


def test_a_stripped_copy_is_the_same_photo(library):
    path = files_of(library)[0]
    data = b"".join(copy_of(library[0], strip=True).chunks)
    out = path.parent / "out.jpg"
    out.write_bytes(data)

    assert inspect(out).payload == bytes(library[0].payload_hash)


def test_rights_that_end_while_a_zip_is_made_end_it(library):
    album = make_album(*library)
    member = a_user("member")
    asked = []

    def scope():
        asked.append(True)
        return scope_of(member, Purpose.BROWSE)

    ids = [each.pk for each in library]
    seen = downloads.still_seen(ids * 50, scope)
    assert next(seen) == library[0]
    album.hidden = True
    album.save()

    assert len(list(seen)) < 100
    assert len(asked) == 2
    assert list(downloads.still_seen(ids, scope)) == []


def test_so_many_photos_take_a_fixed_number_of_queries(library, django_assert_num_queries):
    for some in (library[:1], library):
        with django_assert_num_queries(1):
            b"".join(zip_of(some))


# --- how many at once ---


def test_only_a_few_are_sent_to_one_user_at_once():
    first, second = downloads.Slot("user:1"), downloads.Slot("user:1")
    with pytest.raises(TooMany, match="2 downloads"):
        downloads.Slot("user:1")
    other = downloads.Slot("user:2")
    first.close()
    first.close()
    third = downloads.Slot("user:1")
    with pytest.raises(TooMany), downloads.slot("user:1"):
        pass
    for slot in (second, third, other):
        slot.close()
    with downloads.slot("user:1"):
        pass
    assert downloads._under_way == {}


def test_many_copies_at_once_are_made_one_after_another(library, transactional_db):
    paths = files_of(library) * 3
    made = []

    def make(path):
        made.append(downloads._made_anew(path, 24))

    threads = [threading.Thread(target=make, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 9
    assert len(downloads._idle) <= downloads.COPIERS
