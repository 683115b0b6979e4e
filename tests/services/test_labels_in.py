"""Labels in: which photo and which face is meant, what happens, and that it is taken back."""

import json

import pytest

from lookwho.core.errors import Conflict, Forbidden, Invalid
from lookwho.library.models import Decision, Face, Label, Location, Media, Person, Task
from lookwho.services import labelling, labels, labels_in, people, releases
from lookwho.services.labelling import Choice
from lookwho.services.labels_in import plan, take_in, take_in_as
from lookwho.services.release_files import file_of
from tests.gallery import make_collection
from tests.people import a_person, a_user, fresh, some_faces, some_media

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user("owner")


@pytest.fixture
def photos():
    """Three photos of 1200 x 800: party/0.jpg, party/1.jpg and beach/1.jpg."""
    media = some_media(3)
    collection = make_collection(root="/home/anna/Photos")
    for each, path in zip(media, ("party/0.jpg", "party/1.jpg", "beach/1.jpg"), strict=True):
        Location.objects.create(collection=collection, media=each, path=path)
    return media


@pytest.fixture
def faces(photos):
    """One in each, at (300, 200, 600, 400) in pixels."""
    return some_faces(3, media=photos)


HERE = (300, 200, 600, 400)


def coco(*rows, size=(1200, 800)):
    """A file of (file, corners in pixels, name)."""
    names = sorted({name for _, _, name in rows})
    images = sorted({file for file, _, _ in rows})
    told = {
        "images": [
            {"id": at, "file_name": file, "width": size[0], "height": size[1]}
            for at, file in enumerate(images)
        ],
        "categories": [{"id": at, "name": name} for at, name in enumerate(names)],
        "annotations": [
            {
                "id": at,
                "image_id": images.index(file),
                "category_id": names.index(name),
                "bbox": [x1, y1, x2 - x1, y2 - y1],
            }
            for at, (file, (x1, y1, x2, y2), name) in enumerate(rows)
        ],
    }
    return json.dumps(told).encode()


def test_names_are_put_on_the_faces_that_the_boxes_overlap(owner, faces):
    found = plan(owner, coco(("party/0.jpg", (310, 210, 590, 420), "Anna")))

    assert [(match.face, match.named.name) for match in found.confirm] == [(faces[0], "Anna")]
    assert (found.draw, found.problems) == ([], [])
    assert not Decision.objects.exists()  # it was only looked at

    done = take_in(owner, found)
    assert [face.person and face.person.name for face in fresh(faces)] == ["Anna", None, None]
    people.undo(owner, done.batch)
    assert not Face.objects.exclude(person=None).exists()
    assert plan(owner, coco(("party/0.jpg", HERE, "Anna"))).confirm


def test_a_file_in_pixels_of_a_smaller_copy_fits_the_photo(owner, faces):
    found = plan(owner, coco(("party/0.jpg", (75, 50, 150, 100), "Anna"), size=(300, 200)))

    assert [match.face for match in found.confirm] == [faces[0]]


def test_cvat_files_are_taken_in_too(owner, faces):
    xml = (
        b'<annotations><image name="party\\0.jpg" width="1200" height="800">'
        b'<box label="Anna" xtl="300" ytl="200" xbr="600" ybr="400"/></image></annotations>'
    )

    take_in(owner, plan(owner, xml))

    assert fresh(faces)[0].person.name == "Anna"


@pytest.mark.parametrize(
    ("file", "place"),
    (
        ("0.jpg", 0),
        ("beach/1.jpg", 2),
        ("Photos/party/1.jpg", 1),
        ("/home/anna/Photos/beach/1.jpg", 2),
        ("C:\\export\\beach\\1.jpg", 2),
        ("./party/0.jpg", 0),
    ),
)
def test_a_photo_is_found_by_as_much_of_its_path_as_is_told(owner, faces, file, place):
    found = plan(owner, coco((file, HERE, "Anna")))

    assert [match.face for match in found.confirm] == [faces[place]]


@pytest.mark.parametrize(
    ("file", "told"),
    (
        ("1.jpg", "2 photos are called so"),
        ("9.jpg", "no such photo"),
        ("other/0.jpg", "no such photo"),
        ("rty/0.jpg", "no such photo"),
        ("0.JPG", "no such photo"),
        ("/", "no such photo"),
        ("../0.jpg", "no such photo"),
    ),
)
def test_what_is_ambiguous_or_unknown_is_told_and_never_guessed(owner, faces, file, told):
    found = plan(owner, coco((file, HERE, "Anna")))

    assert (found.confirm, found.draw) == ([], [])
    assert len(found.problems) == 1
    assert file in found.problems[0]
    assert told in found.problems[0]


def test_the_same_photo_in_two_places_is_one_photo(owner, photos, faces):
    Location.objects.create(
        collection=make_collection(), media=photos[1], path="copy of party/1.jpg"
    )
    Location.objects.filter(path="beach/1.jpg").delete()

    assert plan(owner, coco(("1.jpg", HERE, "Anna"))).confirm


def test_a_photo_that_is_turned_or_cropped_is_told(owner, faces):
    found = plan(owner, coco(("party/0.jpg", HERE, "Anna"), size=(800, 1200)))

    assert "turned or cropped" in found.problems[0]
    assert found.confirm == []


def test_two_boxes_never_become_one_face(owner, faces):
    near = (290, 190, 610, 410)

    found = plan(owner, coco(("party/0.jpg", near, "Ben"), ("party/0.jpg", HERE, "Anna")))

    assert [match.named.name for match in found.confirm] == ["Anna"]
    assert [match.named.name for match in found.draw] == ["Ben"]


def test_boxes_without_a_face_are_drawn_and_taken_back(owner, faces):
    found = plan(owner, coco(("party/0.jpg", (800, 100, 1000, 300), "Ben")))

    done = take_in(owner, found)

    drawn = Face.objects.get(source="human")
    assert (drawn.media, drawn.person.name) == (faces[0].media, "Ben")
    assert drawn.box == pytest.approx((2 / 3, 0.125, 5 / 6, 0.375))
    assert "1 drawn" in done.message
    people.undo(owner, done.batch)
    assert not Face.objects.filter(source="human", dismissed=False).exists()


def test_who_is_confirmed_as_somebody_else_stays_and_is_told(owner, faces):
    people.assign(owner, [faces[0]], "Ben")
    people.assign(owner, [faces[1]], "Anna")

    rows = [(file, HERE, "Anna") for file in ("party/0.jpg", "party/1.jpg", "beach/1.jpg")]
    found = plan(owner, coco(*rows))

    assert [match.face for match in found.confirm] == [faces[2]]
    assert found.same == 1
    assert len(found.problems) == 1
    assert "confirmed as Ben, not Anna" in found.problems[0]


def test_a_name_that_cannot_be_stops_none_of_the_others(owner, faces):
    rows = [("party/0.jpg", HERE, "a\u0007b"), ("party/1.jpg", HERE, "Anna")]

    found = plan(owner, coco(*rows))

    assert len(found.confirm) == 1
    assert "control characters" in found.problems[0]


def test_with_nothing_new_nothing_is_done(owner, faces):
    with pytest.raises(Conflict, match="nothing in this file"):
        take_in(owner, plan(owner, coco(("9.jpg", HERE, "Anna"))))


@pytest.mark.parametrize("role", ("annotator", "member"))
def test_only_owners_and_curators_take_labels_in(owner, faces, role):
    other = a_user(role)
    found = plan(owner, coco(("party/0.jpg", HERE, "Anna")))

    with pytest.raises(Forbidden):
        plan(other, b"{}")
    with pytest.raises(Forbidden):
        take_in(other, found)


def test_what_a_release_wrote_is_found_by_the_photos_themselves(owner, faces):
    project = labelling.make_project(owner, "P", Choice())
    while label := labels.next_label(owner, project):
        labels.answer(owner, label, "person", name="Anna")
    file = file_of(releases.freeze(owner, project), "json")
    for number, place in enumerate(Location.objects.all()):
        Location.objects.filter(pk=place.pk).update(path=f"moved/{number}.jpg")

    found = plan(owner, file.content)

    assert {match.face for match in found.confirm} == set(faces)
    assert found.problems == []


def test_a_large_file_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(labels_in.labelfiles, "MOST_BYTES", 10)

    with pytest.raises(Invalid):
        labels_in.read_upload([], 11)
    with pytest.raises(Invalid):
        labels_in.read_upload([b"x" * 6, b"x" * 6], None)
    assert labels_in.read_upload([b"abc", b"de"], 5) == b"abcde"


def test_a_file_asks_the_database_as_often_for_many_photos_as_for_one(
    owner, django_assert_num_queries
):
    collection = make_collection()
    media = some_media(4)
    for number, each in enumerate(media):
        Location.objects.create(collection=collection, media=each, path=f"{number}.jpg")
    some_faces(4, media=media)

    for count in (1, 4):
        with django_assert_num_queries(3):
            plan(owner, coco(*((f"{n}.jpg", HERE, "Anna") for n in range(count))))


# --- as labels of a project ---


def test_a_file_stands_for_the_labels_of_one_annotator(owner, faces):
    anna, ben = a_user("annotator"), a_user("annotator")
    project = labelling.make_project(
        owner, "P", Choice(faces=[face.uuid for face in faces[:2]]), annotators=[anna, ben]
    )
    rows = [(file, HERE, "Carla") for file in ("party/0.jpg", "beach/1.jpg")]
    found = plan(owner, coco(*rows))

    assert take_in_as(owner, found, project, anna) == 1

    label = Label.objects.get()
    assert (label.user, label.task.face, label.person.name) == (anna, faces[0], "Carla")
    assert label.person.hidden
    assert Task.objects.get(face=faces[0]).state == "settled"
    assert not Face.objects.exclude(person=None).exists()
    with pytest.raises(Conflict, match="may still label"):
        take_in_as(owner, found, project, ben)
    with pytest.raises(Invalid, match="does not label"):
        take_in_as(owner, found, project, a_user("annotator"))
    with pytest.raises(Forbidden):
        take_in_as(anna, found, project, anna)


def test_somebody_whom_a_project_made_known_is_the_same_in_a_file(owner, faces):
    project = labelling.make_project(owner, "P", Choice(faces=[faces[0].uuid]))
    labels.answer(owner, labels.next_label(owner, project), "person", name="Carla")

    take_in(owner, plan(owner, coco(("beach/1.jpg", HERE, "carla"))))

    carla = Person.objects.get()
    assert (carla.name, carla.hidden) == ("Carla", False)
    assert fresh(faces)[2].person == carla


def test_two_people_called_alike_are_not_told_apart_by_a_file(owner, faces):
    first, _ = a_person("Anna", 1)
    a_person("Anna", 1)

    take_in(owner, plan(owner, coco(("party/0.jpg", HERE, "Anna"))))

    assert fresh(faces)[0].person == first


def test_photos_that_are_gone_are_not_found(owner, photos, faces):
    Location.objects.filter(media=photos[0]).update(missing_since="2024-01-01T00:00Z")
    Media.objects.filter(pk=photos[0].pk).update(present=False)

    assert "no such photo" in plan(owner, coco(("party/0.jpg", HERE, "Anna"))).problems[0]
