import shutil

import numpy as np
import pytest

from lookwho.core.orientation import upright_box, upright_point
from lookwho.library.models import (
    Analysis,
    Decision,
    DecisionFace,
    Face,
    Job,
    Location,
    Media,
    Region,
    Suppression,
)
from lookwho.services import drawing, faces, people
from tests.exiftool import needs_exiftool
from tests.imports import draw, imported, named_face, region, tag
from tests.people import a_user

pytestmark = pytest.mark.django_db

# As stored; the upright ones follow from the orientation.
STORED = (0.125, 0.25, 0.375, 0.5)
EYES = ((0.15, 0.3), (0.3, 0.3), (0.22, 0.4), (0.17, 0.45), (0.28, 0.45))


def box_of(row):
    return pytest.approx((row.x1, row.y1, row.x2, row.y2))


@pytest.mark.parametrize("before", (1, 6))
@pytest.mark.parametrize("after", range(1, 9))
def test_all_that_is_known_of_a_photo_turns_with_it(tmp_path, before, after):
    draw(tmp_path / "a.jpg", 5, orientation=before)
    imported(tmp_path)
    media = Media.objects.get()
    box = upright_box(STORED, before)
    face = named_face(media, box=box, landmarks=[upright_point(*eye, before) for eye in EYES])
    sides = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
    decision = Decision.objects.create(verb="confirm", person=face.person)
    told = {"payload_hash": media.payload_hash, **sides}
    DecisionFace.objects.create(decision=decision, face=face, **told)
    Suppression.objects.create(**told)
    Region.objects.create(media=media, name="Anna", source="mwg", state="accepted", **sides)
    jobs = Job.objects.filter(kind="analyse").count()

    draw(tmp_path / "a.jpg", 5, orientation=after)
    imported(tmp_path)

    media.refresh_from_db()
    assert media.orientation == after
    assert (media.width, media.height) == ((48, 32) if after < 5 else (32, 48))
    for table in (Face, Region, DecisionFace, Suppression):
        assert box_of(table.objects.get()) == upright_box(STORED, after)
    points = [upright_point(*eye, after) for eye in EYES]
    assert np.allclose(sorted(Face.objects.get().landmarks), sorted(points))
    assert (Analysis.objects.count(), Job.objects.filter(kind="analyse").count()) == (1, jobs)


@needs_exiftool
@pytest.mark.parametrize("after", range(2, 9))
def test_names_in_a_photo_stay_on_their_faces_when_its_tag_is_changed(tmp_path, after):
    photo = draw(tmp_path / "a.jpg", 5)
    tag(region(Anna=STORED), photo)
    imported(tmp_path)
    tag(["-n", f"-Orientation={after}"], photo)
    imported(tmp_path)

    row = Region.objects.get()
    assert (row.name, row.state) == ("Anna", "offered")
    assert box_of(row) == upright_box(STORED, after)


@needs_exiftool
def test_names_stay_on_their_faces_where_a_program_turned_all_but_their_numbers(tmp_path):
    photo = draw(tmp_path / "a.jpg", 5)
    tag(region(Anna=STORED), photo)
    imported(tmp_path)
    size = ["-RegionAppliedToDimensionsW=32", "-RegionAppliedToDimensionsH=48"]
    tag(["-n", "-Orientation=6", *size], photo)
    imported(tmp_path)

    assert box_of(Region.objects.get()) == upright_box(STORED, 6)


@needs_exiftool
def test_a_copy_that_is_turned_differently_changes_nothing_however_often_it_is_read(tmp_path):
    tag(["-DateTimeOriginal=2001:01:01 12:00:00"], draw(tmp_path / "a.jpg", 5))
    tag(["-DateTimeOriginal=2002:02:02 12:00:00"], draw(tmp_path / "b.jpg", 5, orientation=6))
    for _ in range(3):
        imported(tmp_path)
        assert str(Media.objects.get().day) == "2001-01-01"


def test_landmarks_stay_what_they_are_in_a_mirror(tmp_path):
    draw(tmp_path / "a.jpg", 5)
    imported(tmp_path)
    named_face(Media.objects.get(), landmarks=EYES)
    draw(tmp_path / "a.jpg", 5, orientation=2)
    imported(tmp_path)

    left, right, _, corner, other = Face.objects.get().landmarks
    assert left[0] < right[0]
    assert corner[0] < other[0]


def test_other_photos_do_not_turn(tmp_path):
    for name, number in (("a", 1), ("b", 2)):
        draw(tmp_path / f"{name}.jpg", number)
    imported(tmp_path)
    for media in Media.objects.all():
        named_face(media, box=STORED)
    draw(tmp_path / "a.jpg", 1, orientation=3)
    imported(tmp_path)

    boxes = {face.media.locations.get().path: box_of(face) for face in Face.objects.all()}
    assert boxes == {"a.jpg": upright_box(STORED, 3), "b.jpg": STORED}


def test_a_photo_that_is_moved_and_turned_at_once_turns(tmp_path):
    draw(tmp_path / "a.jpg", 5)
    draw(tmp_path / "z.jpg", 6)
    imported(tmp_path)
    media = Location.objects.get(path="a.jpg").media
    named_face(media, box=STORED)
    (tmp_path / "a.jpg").unlink()
    draw(tmp_path / "b.jpg", 5, orientation=6)
    imported(tmp_path)

    media.refresh_from_db()
    assert media.orientation == 6
    assert box_of(Face.objects.get()) == upright_box(STORED, 6)


def test_a_medium_is_turned_as_the_oldest_of_its_files(tmp_path):
    draw(tmp_path / "b.jpg", 5)
    imported(tmp_path)
    named_face(Media.objects.get(), box=STORED)
    draw(tmp_path / "a.jpg", 5, orientation=6)
    draw(tmp_path / "c.jpg", 5, orientation=8)
    for _ in range(2):
        imported(tmp_path)
        assert Media.objects.get().orientation == 1
        assert box_of(Face.objects.get()) == STORED

    (tmp_path / "b.jpg").unlink()
    imported(tmp_path)  # nothing else tells that it is another file's turn
    assert Media.objects.get().orientation == 6
    assert box_of(Face.objects.get()) == upright_box(STORED, 6)

    shutil.copyfile(draw(tmp_path / "x.jpg", 5), tmp_path / "b.jpg")
    (tmp_path / "x.jpg").unlink()
    imported(tmp_path)  # the oldest is back
    assert Media.objects.get().orientation == 1
    assert box_of(Face.objects.get()) == STORED

    (tmp_path / "b.jpg").unlink()
    imported(tmp_path)  # and gone again
    assert Media.objects.get().orientation == 6
    assert box_of(Face.objects.get()) == upright_box(STORED, 6)


def test_copies_that_are_all_turned_turn_once(tmp_path):
    for name in "abc":
        draw(tmp_path / f"{name}.jpg", 5)
    imported(tmp_path)
    named_face(Media.objects.get(), box=STORED)
    for name in "abc":
        draw(tmp_path / f"{name}.jpg", 5, orientation=6)
    imported(tmp_path)

    assert Media.objects.get().orientation == 6
    assert box_of(Face.objects.get()) == upright_box(STORED, 6)


@pytest.mark.parametrize("after", (2, 3, 6, 8))
def test_faces_that_were_drawn_moved_or_do_not_show_turn_as_they_should(tmp_path, after):
    draw(tmp_path / "a.jpg", 5)
    imported(tmp_path)
    media = Media.objects.get()
    owner = a_user()
    media.width, media.height = 480, 320  # so that a face has enough pixels
    media.save()
    drawing.draw(owner, media, STORED, "Anna")
    drawing.absent(owner, media, "Bea")
    moved = faces.fix_box(owner, Face.objects.get(source="human"), (0.5, 0.25, 0.75, 0.5))
    draw(tmp_path / "a.jpg", 5, orientation=after)
    imported(tmp_path)

    drawn, absent = Face.objects.get(source="human"), Face.objects.get(source="absent")
    assert box_of(drawn) == upright_box((0.5, 0.25, 0.75, 0.5), after)
    assert absent.box == (0, 0, 0, 0)
    assert {row.face for row in DecisionFace.objects.filter(x2=0)} == {absent}
    people.undo(owner, moved.batch)
    drawn.refresh_from_db()
    assert box_of(drawn) == upright_box(STORED, after)
