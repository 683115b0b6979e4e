import os
import shutil

import pytest

from lookwho.library.models import Location, Media, Region
from tests.exiftool import needs_exiftool
from tests.imports import draw, imported, region, tag

pytestmark = [pytest.mark.django_db, needs_exiftool]

LEFT, RIGHT = (0.1, 0.2, 0.3, 0.6), (0.6, 0.2, 0.8, 0.6)


@pytest.fixture
def photo(tmp_path):
    return draw(tmp_path / "a.jpg", 5)


def write(photo, **names):
    tag(region(**names), photo)


def offered():
    rows = Region.objects.filter(state="offered").order_by("name", "x1")
    return [(row.name, round(row.x1, 2)) for row in rows]


def test_names_in_a_photo_are_offered_once(photo, tmp_path):
    write(photo, Anna=LEFT, Ben=RIGHT)
    for _ in range(3):
        imported(tmp_path)
        os.utime(photo)

    assert offered() == [("Anna", 0.1), ("Ben", 0.6)]


def test_names_in_a_copy_are_not_offered_again(photo, tmp_path):
    write(photo, Anna=LEFT)
    shutil.copyfile(photo, tmp_path / "b.jpg")
    imported(tmp_path)
    shutil.copyfile(photo, tmp_path / "c.jpg")
    imported(tmp_path)

    assert (Location.objects.count(), offered()) == (3, [("Anna", 0.1)])


def test_names_that_a_known_photo_gets_are_offered(photo, tmp_path):
    imported(tmp_path)
    assert offered() == []
    write(photo, Anna=LEFT)
    imported(tmp_path)
    assert offered() == [("Anna", 0.1)]
    write(photo, Anna=LEFT, Ben=RIGHT)
    imported(tmp_path)
    assert offered() == [("Anna", 0.1), ("Ben", 0.6)]
    assert Media.objects.count() == 1


def test_a_name_that_was_changed_or_taken_out_is_no_longer_offered(photo, tmp_path):
    write(photo, Ana=LEFT, Ben=RIGHT)
    imported(tmp_path)
    write(photo, Anna=LEFT)
    imported(tmp_path)

    assert offered() == [("Anna", 0.1)]


def test_a_name_taken_out_of_one_of_two_copies_is_still_offered(photo, tmp_path):
    write(photo, Anna=LEFT)
    shutil.copyfile(photo, tmp_path / "b.jpg")
    imported(tmp_path)
    tag(["-XMP:all="], photo)
    imported(tmp_path)

    assert offered() == [("Anna", 0.1)]


@pytest.mark.parametrize("state", ("accepted", "declined"))
def test_what_was_answered_is_not_offered_again_when_its_box_moves(photo, tmp_path, state):
    write(photo, Anna=LEFT)
    imported(tmp_path)
    Region.objects.update(state=state)
    write(photo, Anna=RIGHT)
    imported(tmp_path)

    row = Region.objects.get()
    assert (row.state, round(row.x1, 2)) == (state, 0.1)


def test_while_a_name_is_only_offered_its_box_follows_the_file(photo, tmp_path):
    write(photo, Anna=LEFT)
    imported(tmp_path)
    write(photo, Anna=RIGHT)
    imported(tmp_path)

    assert offered() == [("Anna", 0.6)]


def test_two_faces_may_have_the_same_name(photo, tmp_path):
    sides = "Type=Face,Area={{X={},Y=.4,W=.2,H=.4,Unit=normalized}}"
    both = ",".join(f"{{Name=Anna,{sides.format(x)}}}" for x in (0.2, 0.7))
    tag([f"-RegionInfo={{RegionList=[{both}]}}"], photo)
    imported(tmp_path)
    os.utime(photo)
    imported(tmp_path)

    assert offered() == [("Anna", 0.1), ("Anna", 0.6)]


def test_faces_without_a_name_are_not_kept(photo, tmp_path):
    tag(["-RegionInfo={RegionList=[{Type=Face,Area={X=.5,Y=.5,W=.2,H=.2}}]}"], photo)
    imported(tmp_path)

    assert not Region.objects.exists()


def test_a_name_has_no_line_breaks_and_nothing_that_cannot_be_seen(photo, tmp_path):
    name = "Anna&#10; de&#9;la&#x85; Tour&#x9b;"
    face = f"{{Name={name},Type=Face,Area={{X=.2,Y=.4,W=.2,H=.4,Unit=normalized}}}}"
    tag(["-E", f"-RegionInfo={{RegionList=[{face}]}}"], photo)
    imported(tmp_path)

    assert offered() == [("Anna de la Tour", 0.1)]


def test_names_beside_a_photo_are_offered_also_when_they_come_later(photo, tmp_path):
    imported(tmp_path)
    other = draw(tmp_path.parent / "elsewhere" / "a.jpg", 5)
    write(other, Anna=LEFT)
    beside = tmp_path / "a.jpg.xmp"
    tag(["-o", str(beside), "-tagsfromfile", str(other), "-xmp"], other)
    os.utime(beside, (0, 0))  # as programs that copy leave it
    imported(tmp_path)

    assert offered() == [("Anna", 0.1)]
    beside.unlink()
    imported(tmp_path)
    assert offered() == []


def test_names_in_real_portraits_are_offered(media, tmp_path):
    for photo in (media / "formats" / "metadata" / "faces").iterdir():
        shutil.copyfile(photo, tmp_path / photo.name)
    imported(tmp_path)

    assert {region.name for region in Region.objects.all()} != set()
    assert all(0 <= r.x1 < r.x2 <= 1 and 0 <= r.y1 < r.y2 <= 1 for r in Region.objects.all())
