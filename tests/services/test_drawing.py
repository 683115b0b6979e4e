import numpy as np
import pytest

from lookwho.core.errors import Conflict, Forbidden, Invalid
from lookwho.library.models import (
    Analysis,
    Decision,
    DecisionFace,
    Embedding,
    Face,
    Job,
    Media,
    Pack,
    Person,
    Suppression,
    VectorChange,
)
from lookwho.services import analysis, drawing, embedding, faces, people
from tests.faces import HEIGHT, WIDTH, faces_of
from tests.imports import draw as picture
from tests.imports import imported
from tests.people import a_person, a_user, fresh, some_faces, some_media, who
from tests.work import claimed, found

pytestmark = pytest.mark.django_db

BOX = (0.1, 0.1, 0.3, 0.4)
NEAR = (0.12, 0.1, 0.31, 0.4)
ELSEWHERE = (0.5, 0.5, 0.8, 0.9)


@pytest.fixture
def owner():
    return a_user()


@pytest.fixture
def media():
    return some_media(1)[0]


def pixels(box):
    """A box as the engine of the tests tells it."""
    return tuple(np.array(box) * [WIDTH, HEIGHT, WIDTH, HEIGHT])


def analysed(media, *boxes, revision=1):
    """Let an analysis by a pack of that revision find faces; return the pack."""
    pack = Pack.objects.get_or_create(name="default", revision=revision, dim=128)[0]
    row = Analysis.objects.create(media=media, pack=pack)
    payload = {"pack": pack.pk, "media": [row.media_id]}
    Job.objects.create(kind="analyse", payload=payload, total=1)
    job = claimed("analyse")
    results = [(media.pk, found(*map(pixels, boxes)))]
    analysis.record_faces(job.pk, job.ticket, results)
    return pack


def embedded(pack=None):
    """Carry out what waits to be embedded, each face by a vector of its own."""
    while Job.objects.filter(kind="embed", state="waiting").exists():
        job = claimed("embed")
        for done, each in enumerate(embedding.wanted(job), 1):
            embedding.record(job, each, faces_of(each.pixels), done=done)
        Job.objects.filter(pk=job.pk).update(state="done")


def there(media):
    """The faces of a photo that count: source, box, and whose."""
    rows = Face.objects.filter(media=media, dismissed=False).order_by("x1", "pk")
    return [
        (row.source, tuple(round(edge, 6) for edge in row.box), row.person and row.person.name)
        for row in rows
    ]


def packs_of(face):
    rows = Embedding.objects.filter(face=face).order_by("pack")
    return list(rows.values_list("pack__revision", flat=True))


# --- drawing ---


def test_a_drawn_face_is_theirs_and_waits_for_its_vector(owner, media):
    analysed(media)
    done = drawing.draw(owner, media, BOX, "Anna")

    assert there(media) == [("human", BOX, "Anna")]
    assert done.message == "The face is drawn, and Anna's."
    (job,) = Job.objects.filter(kind="embed")
    assert job.payload["faces"] == [Face.objects.get().pk]
    embedded()
    assert packs_of(Face.objects.get()) == [1]


def test_a_face_can_be_drawn_before_anybody_knows_whose_it_is(owner, media):
    drawing.draw(owner, media, BOX)

    assert there(media) == [("human", BOX, None)]
    assert list(Decision.objects.values_list("verb", flat=True)) == ["draw"]


def test_drawing_is_undone_and_leaves_nobody_behind(owner, media):
    done = drawing.draw(owner, media, BOX, "Anna")

    people.undo(owner, done.batch)

    assert there(media) == []
    assert not Person.objects.exclude(name="").exists()
    assert set(Decision.objects.values_list("verb", flat=True)) == {
        "draw", "rename", "confirm", "revoke",
    }  # fmt: skip
    drawing.draw(owner, media, BOX, "Anna")
    assert there(media) == [("human", BOX, "Anna")]


def test_what_was_said_of_a_drawn_face_later_does_not_bring_it_back(owner, media):
    done = drawing.draw(owner, media, BOX, "Anna")
    later = people.assign(owner, [Face.objects.get()], "Bea")

    people.undo(owner, done.batch)
    assert there(media) == []
    people.undo(owner, later.batch)
    assert there(media) == []


@pytest.mark.parametrize(
    ("drawn", "kept"),
    (
        ((0.3, 0.4, 0.1, 0.1), BOX),  # drawn from the lower right
        ((-0.2, 0.1, 0.3, 1.2), (0.0, 0.1, 0.3, 1.0)),  # over the edge
    ),
)
def test_a_box_is_put_in_order_and_cut_off_at_the_edges(owner, media, drawn, kept):
    drawing.draw(owner, media, drawn, "Anna")

    assert there(media) == [("human", kept, "Anna")]


@pytest.mark.parametrize(
    "box",
    (
        (0.1, 0.1, 0.1, 0.4),
        (0.1, 0.1, 0.105, 0.4),  # 6 of 1,200 pixels
        (float("nan"), 0.1, 0.3, 0.4),
        (0.1, 0.1, float("inf"), 0.4),
        (100, 100, 300, 400),
        (1.2, 0.1, 1.8, 0.4),
        (0.1, 0.1, 0.3),
    ),
)
def test_boxes_that_cannot_be_are_refused(owner, media, box):
    with pytest.raises(Invalid):
        drawing.draw(owner, media, box, "Anna")
    assert (there(media), Person.objects.count()) == ([], 0)


def test_no_face_is_drawn_where_one_is(owner, media):
    anna, _ = a_person("Anna", 0)
    some_faces(1, media=[media], box=BOX, person=anna)

    with pytest.raises(Conflict, match="there is a face here already: Anna"):
        drawing.draw(owner, media, NEAR, "Bea")
    drawing.draw(owner, media, ELSEWHERE, "Bea")
    assert [name for *_, name in there(media)] == ["Anna", "Bea"]


def test_where_somebody_said_that_there_is_no_face_one_can_be_drawn(owner, media):
    (face,) = some_faces(1, media=[media], box=BOX)
    people.not_a_face(owner, [face])

    done = drawing.draw(owner, media, NEAR, "Anna")
    assert there(media) == [("detector", NEAR, "Anna")]

    people.undo(owner, done.batch)
    assert (there(media), fresh([face])[0].box) == ([], BOX)


def test_and_taking_back_that_there_is_none_makes_no_second_one(owner, media):
    (face,) = some_faces(1, media=[media], box=BOX)
    none = people.not_a_face(owner, [face])
    done = drawing.draw(owner, media, NEAR, "Anna")

    people.undo(owner, none.batch)
    assert there(media) == [("detector", NEAR, "Anna")]
    people.undo(owner, done.batch)
    assert there(media) == [("detector", BOX, None)]


def test_a_face_that_was_erased_is_not_drawn_again(owner, media):
    x1, y1, x2, y2 = BOX
    told = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    Suppression.objects.create(payload_hash=media.payload_hash, erased=True, **told)

    with pytest.raises(Conflict, match="erased"):
        drawing.draw(owner, media, NEAR, "Anna")


# --- somebody who does not show ---


def test_somebody_can_be_in_a_photo_with_no_visible_face(owner, media):
    done = drawing.absent(owner, media, "Anna")

    assert there(media) == [("absent", (0, 0, 0, 0), "Anna")]
    assert done.message == "Anna is in this photo, with no visible face."
    assert not Job.objects.filter(kind="embed").exists()
    people.undo(owner, done.batch)
    assert (there(media), Person.objects.exclude(name="").count()) == ([], 0)


def test_nobody_is_in_a_photo_twice(owner, media):
    anna, _ = a_person("Anna", 0)
    some_faces(1, media=[media], box=BOX, person=anna)

    with pytest.raises(Conflict, match="Anna is in this photo already"):
        drawing.absent(owner, media, "anna")
    drawing.absent(owner, media, "Bea")
    with pytest.raises(Conflict, match="Bea is in this photo already"):
        drawing.absent(owner, media, "Bea")


def test_whoever_does_not_show_can_be_said_to_be_somebody_else_or_not_there(owner, media):
    drawing.absent(owner, media, "Anna")
    (face,) = Face.objects.all()
    moved = people.assign(owner, [face], "Bea")
    assert [name for *_, name in there(media)] == ["Bea"]

    gone = people.reject(owner, [face], Person.objects.get(name="Bea"))
    assert there(media) == []
    people.undo(owner, gone.batch)
    assert [name for *_, name in there(media)] == ["Bea"]
    people.undo(owner, moved.batch)
    assert [name for *_, name in there(media)] == ["Anna"]


def test_nobody_is_shown_by_a_photo_in_which_they_do_not_show(owner, media):
    drawing.absent(owner, media, "Anna")

    with pytest.raises(Invalid):
        people.set_cover(owner, Person.objects.get(), Face.objects.get())
    with pytest.raises(Invalid):
        faces.fix_box(owner, Face.objects.get(), BOX)


# --- boxes ---


def test_a_box_is_fixed_embedded_anew_and_undone(owner, media):
    analysed(media, BOX)
    (face,) = Face.objects.all()
    old = bytes(face.embeddings.get().vector)
    done = faces.fix_box(owner, face, NEAR)

    assert fresh([face])[0].box == NEAR
    assert bytes(face.embeddings.get().vector) == old  # until there is another
    embedded()
    assert VectorChange.objects.filter(face_id=face.pk).count() > 1

    people.undo(owner, done.batch)
    assert fresh([face])[0].box == pytest.approx(BOX, abs=1e-6)
    assert Job.objects.filter(kind="embed", state="waiting").count() == 1


def test_of_two_boxes_the_newer_that_stands_counts(owner, media):
    (face,) = some_faces(1, media=[media], box=BOX)
    first = faces.fix_box(owner, face, NEAR)
    second = faces.fix_box(owner, face, ELSEWHERE)

    people.undo(owner, first.batch)
    assert fresh([face])[0].box == ELSEWHERE
    people.undo(owner, second.batch)
    assert fresh([face])[0].box == BOX


def test_a_box_is_not_moved_onto_another_face(owner, media):
    one, other = (some_faces(1, media=[media], box=box)[0] for box in (BOX, ELSEWHERE))

    with pytest.raises(Conflict, match="there is a face here already"):
        faces.fix_box(owner, other, NEAR)
    faces.fix_box(owner, one, NEAR)  # its own place is free


@pytest.mark.parametrize("role", ("owner", "curator", "annotator", "member"))
@pytest.mark.parametrize(
    "act",
    (
        lambda by, media, face: drawing.draw(by, media, ELSEWHERE, "Anna"),
        lambda by, media, face: drawing.absent(by, media, "Anna"),
        lambda by, media, face: faces.fix_box(by, face, NEAR),
        lambda by, media, face: faces.split(by, [face], Person.objects.create(), name="Bea"),
    ),
)
def test_members_draw_nothing(act, role, media):
    (face,) = some_faces(1, media=[media], box=BOX)
    by = a_user(role)

    if role != "member":
        act(by, media, face)
        return
    with pytest.raises(Forbidden):
        act(by, media, face)
    assert (there(media), Decision.objects.count()) == ([("detector", BOX, None)], 0)


# --- through later analyses ---


def test_a_drawn_face_and_its_later_detection_are_one(owner, media):
    analysed(media)
    drawing.draw(owner, media, BOX, "Anna")
    embedded()

    analysed(media, NEAR, ELSEWHERE, revision=2)

    assert there(media) == [("human", BOX, "Anna"), ("detector", ELSEWHERE, None)]
    drawn = Face.objects.get(source="human")
    assert (packs_of(drawn), drawn.score) == ([1, 2], 1.0)
    assert not Job.objects.filter(kind="embed", state="waiting").exists()


def test_a_drawn_face_that_new_models_overlook_stays_and_is_embedded_by_them(owner, media):
    analysed(media)
    drawing.draw(owner, media, BOX, "Anna")
    embedded()

    analysed(media, ELSEWHERE, revision=2)

    assert there(media) == [("human", BOX, "Anna"), ("detector", ELSEWHERE, None)]
    embedded()
    assert packs_of(Face.objects.get(source="human")) == [1, 2]


def test_a_face_drawn_before_the_first_analysis_is_one_with_what_that_finds(owner, media):
    drawing.draw(owner, media, BOX, "Anna")
    analysed(media, NEAR)

    assert there(media) == [("human", BOX, "Anna")]
    assert packs_of(Face.objects.get()) == [1]


def test_the_detection_of_a_face_whose_drawing_was_undone_stands_by_itself(owner, media):
    done = drawing.draw(owner, media, BOX, "Anna")
    people.undo(owner, done.batch)
    analysed(media, NEAR)

    assert there(media) == [("detector", pytest.approx(NEAR, abs=1e-6), None)]


def test_a_fixed_box_holds_through_new_models(owner, media):
    analysed(media, BOX)
    (face,) = Face.objects.all()
    people.assign(owner, [face], "Anna")
    faces.fix_box(owner, face, NEAR)
    analysed(media, BOX, revision=2)

    assert there(media) == [("detector", NEAR, "Anna")]
    assert packs_of(face) == [1, 2]


def test_somebody_who_does_not_show_stays_through_new_models(owner, media):
    analysed(media, BOX)
    drawing.absent(owner, media, "Anna")
    analysed(media, BOX, revision=2)

    assert [(source, name) for source, _, name in there(media)] == [
        ("absent", "Anna"),
        ("detector", None),
    ]
    assert Face.objects.filter(source="absent", embeddings=None).count() == 1


def test_what_is_no_face_can_be_taken_back_after_new_models(owner, media):
    analysed(media, BOX)
    (face,) = Face.objects.all()
    people.assign(owner, [face], "Anna")
    done = people.not_a_face(owner, [face])
    analysed(media, NEAR, revision=2)
    assert there(media) == []

    people.undo(owner, done.batch)

    assert [name for *_, name in there(media)] == ["Anna"]
    embedded()
    assert packs_of(face) == [1, 2]


def test_a_face_that_only_a_file_knew_and_its_later_detection_are_one(owner, media):
    analysed(media)
    anna, _ = a_person("Anna", 0)
    head = (0.05, 0.0, 0.35, 0.5)
    (face,) = some_faces(1, media=[media], box=head, source="metadata")
    people.confirm(owner, [face], anna)
    analysed(media, BOX, revision=2)

    assert there(media) == [("detector", pytest.approx(BOX, abs=1e-6), "Anna")]
    # From now on it is found again like any other.
    analysed(media, NEAR, revision=3)
    assert there(media) == [("detector", pytest.approx(NEAR, abs=1e-6), "Anna")]


def test_a_face_that_only_a_file_knows_is_embedded(owner, media):
    analysed(media)
    some_faces(1, media=[media], box=BOX, source="metadata")
    analysed(media, revision=2)

    (job,) = Job.objects.filter(kind="embed")
    assert job.payload["faces"] == [Face.objects.get().pk]


def test_two_detections_are_two_faces_however_near_to_one_that_was_drawn(owner, media):
    drawing.draw(owner, media, BOX, "Anna")
    analysed(media, NEAR, (0.25, 0.1, 0.45, 0.4))

    assert [(source, name) for source, _, name in there(media)] == [
        ("human", "Anna"),
        ("detector", None),
    ]


# --- splitting ---


def test_faces_that_are_split_off_are_one_other_person_until_undone(owner):
    anna, _ = a_person("Anna", 0)
    faces_ = some_faces(5)
    people.confirm(owner, faces_, anna)

    done = faces.split(owner, faces_[:2], anna)

    (other,) = set(who(faces_[:2]))
    assert other not in (anna.pk, None)
    assert who(faces_) == [other, other, anna.pk, anna.pk, anna.pk]
    assert Person.objects.get(pk=other).name == ""
    assert done.message == "2 faces are a group of their own now, and not Anna."
    people.undo(owner, done.batch)
    assert who(faces_) == [anna.pk] * 5


def test_faces_are_split_off_to_somebody_by_name(owner):
    anna, _ = a_person("Anna", 0)
    bea, _ = a_person("Bea", 0)
    one, two = some_faces(2, guess=anna)

    faces.split(owner, [one], anna, name="bea")
    done = faces.split(owner, [two], anna, name="Cid")

    assert who([one, two]) == [bea.pk, Person.objects.get(name="Cid").pk]
    rejected = DecisionFace.objects.filter(decision__verb="reject", decision__person=anna)
    assert set(rejected.values_list("face", flat=True)) == {one.pk, two.pk}
    people.undo(owner, done.batch)
    (again,) = fresh([two])
    assert (again.person, again.guess_id) == (None, anna.pk)
    with pytest.raises(Invalid, match="another name"):
        faces.split(owner, [two], anna, name="ANNA")


# --- through what happens to files ---


def test_what_was_drawn_holds_where_its_file_is_moved_lost_and_found(owner, tmp_path):
    picture(tmp_path / "other.jpg", 6)
    photo = picture(tmp_path / "a.jpg", 5)
    imported(tmp_path)
    media = Media.objects.get(locations__path="a.jpg")
    media.width, media.height = 480, 320  # so that a face has enough pixels
    media.save()
    drawing.draw(owner, media, BOX, "Anna")
    drawing.absent(owner, media, "Bea")
    expected = there(media)
    data = photo.read_bytes()

    for name in ("b.jpg", None, "c.jpg"):
        for old in ("a.jpg", "b.jpg"):
            (tmp_path / old).unlink(missing_ok=True)
        if name:
            (tmp_path / name).write_bytes(data)
        imported(tmp_path)
        media.refresh_from_db()
        assert (media.present, there(media)) == (name is not None, expected)
