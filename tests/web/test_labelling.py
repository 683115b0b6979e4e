"""Labelling on pages: who sees what, and that forms and keys do what they say."""

import json
import re
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import expect

from lookwho.library.models import Face, Label, Location, Person, Project, Task, User
from lookwho.services import labelling, labels, releases
from lookwho.services.labelling import Choice
from tests.gallery import make_album, make_collection
from tests.people import a_person, a_user, some_faces, some_media
from tests.pictures import encode, four_corners
from tests.web.browser import PHONE

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_annotator(client, annotator):
    client.force_login(annotator)
    return client


def a_project(owner, *annotators, faces=3, title="Party", **more):
    some_faces(faces)
    return labelling.make_project(owner, title, Choice(), annotators=annotators, **more)


def asked(answer):
    """The uuid of the label that a page asks for."""
    found = re.search(r'action="/labelling/labels/([0-9a-f-]+)"', answer.content.decode())
    return found and found[1]


# --- who may see what ---


def pages(project, task):
    at = f"/labelling/{project.uuid}"
    return {
        "get": [at, f"{at}/label", f"{at}/disputed", f"{at}/v1.csv", "/labelling/new"],
        "post": [
            *(f"{at}/{act}" for act in ("labellers", "assign", "close", "apply", "freeze")),
            f"{at}/import",
            f"{at}/undo",
            "/labelling/new",
            f"/labelling/faces/{task.uuid}",
        ],
    }


def test_members_and_annotators_of_others_find_no_project(client, owner):
    project = a_project(owner)
    labels.answer(owner, labels.next_label(owner, project), "stranger")
    releases.freeze(owner, project)
    label = labels.next_label(owner, project)

    for role in ("member", "annotator"):
        client.force_login(a_user(role))
        for method, paths in pages(project, label.task).items():
            for path in paths:
                answer = getattr(client, method)(path, {"verdict": "stranger", "closed": "1"})
                assert answer.status_code == 404, (role, method, path)
        for path in (f"/labelling/labels/{label.uuid}", f"/labelling/labels/{uuid4()}"):
            assert client.post(path, {"verdict": "stranger"}).status_code == 404
        for uuid in (label.uuid, label.task.uuid):
            assert client.get(f"/labelling/pictures/{uuid}/480.webp").status_code == 404
    project.refresh_from_db()
    assert project.closed_at is None
    assert Label.objects.exclude(verdict="").count() == 1


def test_nobody_sees_anything_without_signing_in(client, owner):
    project = a_project(owner)
    label = labels.next_label(owner, project)

    for method, paths in pages(project, label.task).items():
        for path in paths:
            assert getattr(client, method)(path).status_code == 302
    assert client.get(f"/labelling/pictures/{label.uuid}/480.webp").status_code == 404


def test_an_annotator_of_the_project_only_labels(as_annotator, annotator, owner):
    project = a_project(owner, annotator)
    task = Task.objects.first()

    for method, paths in pages(project, task).items():
        for path in paths:
            if path.endswith(("/label", "/undo")) or (method, path) == (
                "get",
                f"/labelling/{project.uuid}",
            ):
                continue
            assert getattr(as_annotator, method)(path).status_code == 404, (method, path)
    assert as_annotator.get(f"/labelling/{project.uuid}")["Location"].endswith("/label")
    assert as_annotator.get(f"/labelling/pictures/{task.uuid}/480.webp").status_code == 404


def test_a_blind_page_tells_nothing_but_the_face(as_annotator, annotator, owner):
    """No guess, no other answers, no gold, and no address that leads to the photo."""
    other = a_user("annotator")
    group = Person.objects.create(name="Guessed")
    person, known = a_person("Goldie", 4)
    faces = some_faces(4, guess=group, probability=0.9)
    project = labelling.make_project(
        owner,
        "Party",
        Choice(unconfirmed=True),
        labels_each=2,
        gold=0.5,
        annotators=[annotator, other],
    )
    while label := labels.next_label(other, project):
        labels.answer(other, label, "person", name="Otherwise")
    # When gold comes is drawn by these: now it does, before all others are answered.
    Project.objects.filter(pk=project.pk).update(uuid=UUID(int=1))
    User.objects.filter(pk=annotator.pk).update(uuid=UUID(int=5))
    project.refresh_from_db()

    seen = []
    for _ in range(8):
        page = as_annotator.get(f"/labelling/{project.uuid}/label").content.decode()
        uuid = re.search(r"/labelling/labels/([0-9a-f-]+)", page)
        if not uuid:
            break
        seen.append(Label.objects.get(uuid=uuid[1]).task.gold)
        for secret in ("Guessed", "Goldie", "Otherwise", "gold", person.uuid):
            assert str(secret) not in page
        for face in (*known, *faces):
            assert str(face.uuid) not in page
            assert str(face.media.uuid) not in page
        as_annotator.post(f"/labelling/labels/{uuid[1]}", {"verdict": "stranger"})
    assert {True, False} <= set(seen)


def test_a_page_that_is_not_blind_shows_the_guess_and_what_others_said(
    as_annotator, annotator, owner
):
    other = a_user("annotator")
    some_faces(1, guess=Person.objects.create(name="Guessed"), probability=0.934)
    project = labelling.make_project(
        owner, "P", Choice(), labels_each=2, blind=False, annotators=[annotator, other]
    )
    labels.answer(other, labels.next_label(other, project), "person", name="Otherwise")

    page = as_annotator.get(f"/labelling/{project.uuid}/label").content.decode()

    assert "Guessed" in page
    assert "93 %" in page
    assert "Otherwise" in page


# --- labelling ---


def test_answers_lead_to_the_next_face_until_none_is_left(as_annotator, annotator, owner):
    project = a_project(owner, annotator, faces=2)
    at = f"/labelling/{project.uuid}/label"
    first = asked(as_annotator.get(at))

    told = {"verdict": "person", "name": "Anna", "seconds": "2.5", "box": "0.1,0.1,0.3,0.4"}
    answer = as_annotator.post(f"/labelling/labels/{first}", told)
    assert answer["Location"] == at
    second = asked(as_annotator.get(at))
    assert second != first
    as_annotator.post(f"/labelling/labels/{second}", {"verdict": "cannot_tell"})

    assert "Nothing is left for you" in as_annotator.get(at).content.decode()
    label = Label.objects.get(uuid=first)
    assert (label.person.name, label.seconds, label.box) == ("Anna", 2.5, [0.1, 0.1, 0.3, 0.4])


@pytest.mark.parametrize(
    "told",
    (
        {"verdict": "person"},
        {"verdict": "king"},
        {},
        {"verdict": "stranger", "box": "1,2,3,4"},
        {"verdict": "stranger", "box": "nonsense"},
    ),
)
def test_an_answer_that_cannot_be_is_said_and_the_face_stays(as_annotator, annotator, owner, told):
    project = a_project(owner, annotator)
    first = asked(as_annotator.get(f"/labelling/{project.uuid}/label"))

    page = as_annotator.post(f"/labelling/labels/{first}", told, follow=True)

    assert asked(page) == first
    assert 'class="toast error"' in page.content.decode()


def test_a_face_is_skipped_and_the_last_answer_taken_back(as_annotator, annotator, owner):
    project = a_project(owner, annotator)
    at = f"/labelling/{project.uuid}/label"
    first = asked(as_annotator.get(at))
    second = asked(
        as_annotator.post(f"/labelling/labels/{first}", {"verdict": "skip"}, follow=True)
    )
    as_annotator.post(f"/labelling/labels/{second}", {"verdict": "stranger"})

    again = as_annotator.post(f"/labelling/{project.uuid}/undo", follow=True)

    assert first != second
    assert asked(again) == second
    page = as_annotator.post(f"/labelling/{project.uuid}/undo", follow=True).content.decode()
    assert "You have labelled nothing here" in page


def test_the_pictures_of_a_question_are_the_face_and_its_photo(
    as_annotator, annotator, owner, tmp_path
):
    [media] = some_media(1)
    path = tmp_path / "1.jpg"
    path.write_bytes(encode(four_corners(400, 300), "JPEG"))
    collection = make_collection(root=str(tmp_path))
    Location.objects.create(collection=collection, media=media, path="1.jpg")
    some_faces(1, media=[media])
    project = labelling.make_project(owner, "P", Choice(), annotators=[annotator])
    uuid = asked(as_annotator.get(f"/labelling/{project.uuid}/label"))

    for side in (320, 640, 1600, 160, 480):
        answer = as_annotator.get(f"/labelling/pictures/{uuid}/{side}.webp")
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/webp")
    assert as_annotator.get(f"/labelling/pictures/{uuid}/7.webp").status_code == 404


# --- looking after a project ---


def test_a_project_is_made_by_a_form(as_owner, owner, annotator):
    media = some_media(6)
    some_faces(6, media=media)
    album = make_album(*media[:4])
    told = {
        "title": "Party",
        "album": album.uuid,
        "count": "3",
        "seed": "7",
        "labels_each": "2",
        "gold": "0",
        "blind": "",
        "annotator": [annotator.uuid],
        "unconfirmed": "1",
    }

    answer = as_owner.post("/labelling/new", told)

    project = Project.objects.get()
    assert answer["Location"] == f"/labelling/{project.uuid}"
    assert (project.labels_each, project.blind, project.tasks.count()) == (2, True, 3)
    assert list(project.annotators.all()) == [annotator]


@pytest.mark.parametrize(
    ("told", "words"),
    (
        ({"title": ""}, "A title is needed"),
        ({"title": "P", "count": "-1"}, "whole number"),
        ({"title": "P", "count": "9" * 30}, "whole number"),
        ({"title": "P", "labels_each": "7"}, "1 to 3 labels"),
        ({"title": "P", "gold": "99"}, "share of gold"),
        ({"title": "P", "album": "x"}, "open the page again"),
        ({"title": "P", "album": str(uuid4())}, "open the page again"),
        ({"title": "P", "annotator": ["x"]}, "open the page again"),
    ),
)
def test_a_form_that_cannot_be_is_shown_again_with_the_reason(as_owner, told, words):
    some_faces(1)

    answer = as_owner.post("/labelling/new", {"labels_each": "1", **told})

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Project.objects.exists()


def test_the_project_page_says_how_far_it_is_and_how_well_they_agree(as_owner, owner):
    anna, ben = a_user("annotator"), a_user("annotator")
    project = a_project(owner, anna, ben, faces=10, labels_each=2)
    for who in (anna, ben):
        for number in range(10):
            label = labels.next_label(who, project)
            name = "CD"[(number + (number == 9 and who == ben)) % 2]
            labels.answer(who, label, "person", name=name, seconds=3)

    page = " ".join(as_owner.get(f"/labelling/{project.uuid}").content.decode().split())

    assert "10 of 10 faces have their 2 labels" in page
    assert "Decide" in page
    assert "Good enough for tentative" in page or "Good enough to rely on" in page
    assert "of 45 pairs of faces are judged alike" in page
    assert anna.username in page


def test_disputes_are_decided_taken_back_and_made_gold(as_owner, owner):
    anna, ben = a_user("annotator"), a_user("annotator")
    project = a_project(owner, anna, ben, faces=2, labels_each=2)
    for who, name in ((anna, "Carla"), (ben, "Dora")):
        while label := labels.next_label(who, project):
            labels.answer(who, label, "person", name=name)
    one, other = Task.objects.order_by("pk")
    at = f"/labelling/{project.uuid}/disputed"
    page = as_owner.get(at).content.decode()
    assert page.count('class="button side"') == 4
    dora = Person.objects.get(name="Dora")

    told = {"verdict": "person", "person": dora.uuid}
    as_owner.post(f"/labelling/faces/{one.uuid}", told)
    one.refresh_from_db()
    assert (one.state, one.person) == ("settled", dora)
    as_owner.post(f"/labelling/faces/{one.uuid}", {"verdict": "reopen"})
    one.refresh_from_db()
    assert one.state == "disputed"
    as_owner.post(
        f"/labelling/faces/{other.uuid}", {"verdict": "person", "name": "Dora", "gold": "1"}
    )
    other.refresh_from_db()
    assert (other.gold, other.gold_person) == (True, dora)
    assert as_owner.get(at).content.decode().count('class="button side"') == 2


def test_faces_are_assigned_annotators_chosen_and_a_project_ended(as_owner, owner, annotator):
    project = a_project(owner, faces=4)
    at = f"/labelling/{project.uuid}"
    as_owner.post(f"{at}/labellers", {"annotator": [annotator.uuid]})
    as_owner.post(f"{at}/assign", {"annotator": annotator.uuid, "count": "3"})
    assert Label.objects.filter(user=annotator, held_until=None).count() == 3
    as_owner.post(f"{at}/assign", {"annotator": annotator.uuid, "do": "back"})
    assert not Label.objects.exists()

    as_owner.post(f"{at}/close", {"closed": "1"})

    project.refresh_from_db()
    assert project.closed_at is not None
    assert "This project is over" in as_owner.get(f"{at}/label").content.decode()
    assert as_owner.post(f"{at}/assign", {"annotator": ""}).status_code == 422


def test_the_result_is_applied_with_an_undo(as_owner, owner):
    project = a_project(owner, faces=1)
    labels.answer(owner, labels.next_label(owner, project), "person", name="Carla")

    page = as_owner.post(f"/labelling/{project.uuid}/apply", follow=True).content.decode()

    assert "1 named" in page
    assert "Undo" in page
    assert Face.objects.get().person.name == "Carla"


def test_releases_are_frozen_listed_and_saved(as_owner, owner):
    project = a_project(owner, faces=2)
    while label := labels.next_label(owner, project):
        labels.answer(owner, label, "person", name="Carla")
    at = f"/labelling/{project.uuid}"
    told = {"train": "80", "validation": "10", "test": "10"}

    as_owner.post(f"{at}/freeze", told)
    assert "Release 1" in as_owner.get(at).content.decode()
    for kind, start in (
        ("jsonl", b'{"format"'),
        ("csv", b"id,face"),
        ("parquet", b"PAR1"),
        ("json", b'{"info"'),
    ):
        answer = as_owner.get(f"{at}/v1.{kind}")
        assert answer.content.startswith(start)
        assert "attachment" in answer["Content-Disposition"]
    assert as_owner.get(f"{at}/v2.csv").status_code == 404
    assert as_owner.get(f"{at}/v1.xlsx").status_code == 422
    assert as_owner.post(f"{at}/freeze", {**told, "test": "50"}).status_code == 422


def test_a_label_file_is_looked_at_and_taken_in(as_owner, owner, annotator):
    [media] = some_media(1)
    Location.objects.create(collection=make_collection(), media=media, path="1.jpg")
    [face] = some_faces(1, media=[media])
    project = labelling.make_project(owner, "P", Choice(), annotators=[annotator])
    coco = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 1200, "height": 800}],
        "categories": [{"id": 1, "name": "Anna"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [300, 200, 300, 200]},
            {"id": 2, "image_id": 5, "category_id": 1, "bbox": [300, 200, 300, 200]},
        ],
    }
    at = f"/labelling/{project.uuid}/import"

    def send(**told):
        file = SimpleUploadedFile("a.json", json.dumps(coco).encode())
        return as_owner.post(at, {"file": file, **told}, follow=True)

    page = send(do="look").content.decode()
    assert "COCO: 1 named box" in page
    assert "there is no image 5" in page
    assert "<html" in page
    assert not Face.objects.exclude(person=None).exists()
    assert "1 label of" in send(do="take", annotator=str(annotator.uuid)).content.decode()
    assert Label.objects.get().person.name == "Anna"
    send(do="take")
    face.refresh_from_db()
    assert face.person.name == "Anna"
    assert as_owner.post(at, {"do": "look"}).status_code == 422
    bad = SimpleUploadedFile("a.xml", b"<!DOCTYPE a><annotations/>")
    assert as_owner.post(at, {"file": bad}).status_code == 422


def test_lists_ask_the_database_as_often_for_many_as_for_one(as_owner, owner):
    counts = []
    for number in range(3):
        project = a_project(owner, a_user("annotator"), faces=2, title=f"P {number}")
        for path in (
            "/labelling",
            f"/labelling/{project.uuid}",
            f"/labelling/{project.uuid}/disputed",
        ):
            with CaptureQueriesContext(
                connection,
            ) as asked_for:
                assert as_owner.get(path).status_code == 200
            counts.append((path.count("/"), len(asked_for)))
    assert len(set(counts)) == 3


# --- in a browser ---


@pytest.mark.django_db(transaction=True)
def test_keys_name_answer_skip_and_take_back(open_page):
    owner, anna = a_user("owner"), a_user("annotator")
    project = a_project(owner, anna, faces=4)
    page = open_page(f"/labelling/{project.uuid}/label", anna)
    count = page.locator(".ask .number").first

    expect(page.get_by_placeholder("A name")).to_be_focused()
    page.keyboard.type("Carla")
    page.keyboard.press("Enter")
    expect(count).to_have_text("1")
    page.keyboard.press("?")
    expect(count).to_have_text("2")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(count).to_have_text("3")
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    expect(count).to_have_text("2")

    said = list(
        Label.objects.exclude(verdict="")
        .order_by("given_at")
        .values_list("verdict", "person__name")
    )
    assert said == [("person", "Carla"), ("cannot_tell", None)]
    assert Label.objects.exclude(seconds=None).count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_box_is_put_right_by_dragging_and_by_keys(open_page, tmp_path):
    owner = a_user("owner")
    media = some_media(2)
    collection = make_collection(root=str(tmp_path))
    for number, each in enumerate(media):
        (tmp_path / f"{number}.jpg").write_bytes(encode(four_corners(1200, 800), "JPEG"))
        Location.objects.create(collection=collection, media=each, path=f"{number}.jpg")
    some_faces(2, media=media)  # at 0.25, 0.25, 0.5, 0.5
    project = labelling.make_project(owner, "P", Choice())
    page = open_page(f"/labelling/{project.uuid}/label", owner)
    shown = page.locator("[data-shown]")
    expect(page.locator("[data-shown] img")).to_have_js_property("complete", True)

    page.get_by_role("button", name="Fix the box").click()
    size = shown.bounding_box()
    x, y = size["x"] + 0.25 * size["width"], size["y"] + 0.25 * size["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 0.1 * size["width"], y - 0.05 * size["height"], steps=4)
    page.mouse.up()
    page.get_by_role("button", name="A stranger").click()
    expect(page.locator(".ask .number").first).to_have_text("1")
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.get_by_role("button", name="Bottom right corner").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is left for you")

    first, second = Label.objects.order_by("given_at")
    assert first.box == pytest.approx([0.15, 0.2, 0.5, 0.5], abs=0.01)
    assert second.box == pytest.approx([0.25, 0.25, 0.55, 0.502], abs=1e-5)


@pytest.mark.django_db(transaction=True)
def test_without_scripts_one_labels_as_well(open_page):
    owner = a_user("owner")
    project = a_project(owner, faces=2)
    page = open_page(f"/labelling/{project.uuid}/label", owner, java_script_enabled=False)

    page.get_by_placeholder("A name").fill("Carla")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Cannot tell").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is left for you")


@pytest.mark.django_db(transaction=True)
def test_on_a_phone_nothing_reaches_over_the_edge(open_page):
    owner = a_user("owner")
    a_person("Gold", 2)
    project = a_project(owner, a_user("annotator"), faces=3, title="P" * 60, labels_each=2)
    for path in (
        "",
        "/new",
        f"/{project.uuid}",
        f"/{project.uuid}/label",
        f"/{project.uuid}/disputed",
    ):
        page = open_page(f"/labelling{path}", owner, size=PHONE)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], path
