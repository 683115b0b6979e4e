"""Labelling through the API: who may ask what, and that nothing tells more than it may."""

import json
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import Face, Label, Location, Person, Project, Task
from lookwho.services import accounts, labelling, labels
from lookwho.services.labelling import Choice
from tests.gallery import make_collection
from tests.people import a_person, some_faces, some_media

pytestmark = pytest.mark.django_db

JSON = "application/json"
AT = "/api/v1/labelling"


def as_(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner():
    return accounts.the_owner()


@pytest.fixture
def anna():
    return accounts.make_user("Anna", "annotator")


@pytest.fixture
def ben():
    return accounts.make_user("Ben", "annotator")


@pytest.fixture
def project(owner, anna, ben):
    """Six faces that two label blindly, and gold ones."""
    a_person("Goldie", 6)
    some_faces(6, guess=Person.objects.create(name="Guessed"), probability=0.9)
    return labelling.make_project(
        owner,
        "Party",
        Choice(unconfirmed=True),
        labels_each=2,
        gold=0.5,
        annotators=[anna, ben],
    )


def post(client, path, told=None):
    return client.post(f"{AT}{path}", json.dumps(told or {}), JSON)


def label_some(user, project, count, name="Carla"):
    for _ in range(count):
        label = labels.next_label(user, project)
        labels.answer(user, label, "person", name=name)
    return label


# --- the wrong person ---


def every_path(project, task, label):
    """(method, path, body) of all that there is, with what would do something for an owner."""
    at = f"/projects/{project.uuid}"
    answer = {"verdict": "stranger"}
    return {
        "annotators": [
            ("post", f"{at}/next", {}),
            ("post", f"{at}/undo", {}),
            ("get", f"{at}/mine", None),
            ("post", f"/labels/{label.uuid}", answer),
            ("post", f"/labels/{label.uuid}/skip", {}),
        ],
        "curators": [
            ("post", "/projects", {"title": "Mine"}),
            ("get", at, None),
            ("patch", at, {"closed": True}),
            ("get", f"{at}/faces", None),
            ("post", f"{at}/assign", {"annotator": str(project.uuid), "count": 1}),
            ("post", f"/faces/{task.uuid}/decide", answer),
            ("post", f"/faces/{task.uuid}/gold", answer),
            ("post", f"{at}/apply", {}),
            ("post", f"{at}/releases", {}),
            ("get", f"{at}/releases/1", None),
            ("post", "/import", None),
        ],
    }


def ask(client, method, path, body):
    if method == "get":
        return client.get(f"{AT}{path}")
    told = json.dumps(body) if body is not None else ""
    return client.generic(method.upper(), f"{AT}{path}", told, JSON)


def state():
    return (
        list(Project.objects.values()),
        list(Task.objects.order_by("pk").values()),
        list(Label.objects.order_by("pk").values()),
        list(Face.objects.order_by("pk").values("pk", "person", "dismissed")),
    )


def test_members_and_annotators_of_other_projects_get_nothing(project, anna):
    label = label_some(anna, project, 2)
    held = labels.next_label(anna, project)
    paths = every_path(project, label.task, held)
    before = state()

    for role in ("member", "annotator"):
        client = as_(accounts.make_user(f"a {role}", role))
        for method, path, body in (*paths["annotators"], *paths["curators"]):
            answer = ask(client, method, path, body)
            assert answer.status_code == 404, (role, method, path, answer.content)
        assert client.get(f"{AT}/projects").status_code == (404 if role == "member" else 200)
    assert as_(accounts.make_user("x", "annotator")).get(f"{AT}/projects").json() == []
    assert state() == before


def test_an_annotator_of_the_project_does_nothing_of_a_curators(project, anna):
    label = label_some(anna, project, 2)
    before = state()

    for method, path, body in every_path(project, label.task, label)["curators"]:
        assert ask(as_(anna), method, path, body).status_code == 404, (method, path)
    assert state() == before


def test_an_annotator_reads_no_label_of_another_and_sees_no_gold(project, anna, ben):
    label_some(ben, project, 6, name="Bens answer")
    client = as_(anna)
    theirs = Label.objects.filter(user=ben).exclude(verdict="").first()
    told = [
        client.get(f"{AT}/projects").content,
        client.get(f"{AT}/projects/{project.uuid}/mine").content,
    ]
    golden = []

    while (answer := post(client, f"/projects/{project.uuid}/next")).status_code == 200:
        told.append(answer.content)
        uuid = answer.json()["uuid"]
        golden.append(Label.objects.get(uuid=uuid).task.gold)
        told.append(post(client, f"/labels/{uuid}", {"verdict": "cannot_tell"}).content)
    told.append(client.get(f"{AT}/projects/{project.uuid}/mine").content)

    assert {True, False} == set(golden)
    for answer in told:
        for secret in (b"Bens answer", b"Goldie", b"Guessed", b"gold", b"disputed"):
            assert secret not in answer
    assert post(client, f"/labels/{theirs.uuid}", {"verdict": "stranger"}).status_code == 404
    assert post(client, f"/labels/{theirs.uuid}/skip").status_code == 404
    assert theirs.verdict == Label.objects.get(pk=theirs.pk).verdict


def test_a_gold_face_looks_like_any_other(project, anna):
    client = as_(anna)
    shapes, counts = {}, []
    while (answer := post(client, f"/projects/{project.uuid}/next")).status_code == 200:
        asked = answer.json()
        gold = Label.objects.get(uuid=asked["uuid"]).task.gold
        given = post(client, f"/labels/{asked['uuid']}", {"verdict": "person", "name": "C"}).json()
        shapes.setdefault(gold, set()).add((*asked, *given, asked["guess"]))
        [row] = client.get(f"{AT}/projects").json()
        counts.append(row["labels"])

    assert shapes[True] == shapes[False]
    assert counts == list(range(1, len(counts) + 1))  # the count grows at gold faces, too


# --- what it does ---


def test_a_project_is_made_labelled_decided_and_released(owner, anna, ben):
    some_faces(4)
    boss, clients = as_(owner), (as_(anna), as_(ben))
    told = {
        "title": "Party",
        "labels_each": 2,
        "annotators": [str(anna.uuid), str(ben.uuid)],
        "count": 3,
    }

    made = post(boss, "/projects", told)
    assert made.status_code == 201
    at = f"/projects/{made.json()['uuid']}"
    for place, client in enumerate(clients):
        for number in range(3):
            asked = post(client, f"{at}/next").json()
            name = "Dora" if (place, number) == (1, 2) else "Carla"
            answer = {"verdict": "person", "name": name, "box": [0.1, 0.1, 0.3, 0.3], "seconds": 2}
            given = post(client, f"/labels/{asked['uuid']}", answer)
            assert (given.json()["name"], given.json()["seconds"]) == (name, 2)
        assert post(client, f"{at}/next").status_code == 204
    detail = boss.get(f"{AT}{at}").json()
    assert (detail["faces"], detail["settled"], detail["disputed"], detail["labels"]) == (
        3,
        2,
        1,
        6,
    )
    assert [each["agreement"] for each in detail["annotators"]] == pytest.approx([2 / 3, 2 / 3])
    assert detail["same_or_different"] == pytest.approx(1 / 3)
    [disputed] = boss.get(f"{AT}{at}/faces?state=disputed").json()["faces"]
    assert {label["annotator"] for label in disputed["labels"]} == {"Anna", "Ben"}
    decided = post(boss, f"/faces/{disputed['uuid']}/decide", {"verdict": "person", "name": "Dora"})
    assert (decided.json()["state"], decided.json()["name"]) == ("settled", "Dora")

    release = post(boss, f"{at}/releases").json()
    assert release["version"] == 1
    file = boss.get(f"{AT}{at}/releases/1?format=csv")
    assert file["Content-Disposition"].endswith('v1.csv"')
    assert b"Dora" in file.content
    assert boss.get(f"{AT}{at}/releases/9").status_code == 404
    assert boss.get(f"{AT}{at}/releases/1?format=exe").status_code == 422
    done = post(boss, f"{at}/apply").json()
    assert "3 named" in done["message"]
    assert Face.objects.exclude(person=None).count() == 3
    boss.post("/api/v1/undo", json.dumps({"batch": done["batch"]}), JSON)
    assert not Face.objects.exclude(person=None).exists()


def test_faces_are_skipped_assigned_taken_back_and_a_project_ended(project, owner, anna):
    boss, client = as_(owner), as_(anna)
    at = f"/projects/{project.uuid}"
    first = post(client, f"{at}/next").json()["uuid"]
    assert post(client, f"/labels/{first}/skip").status_code == 204
    second = post(client, f"{at}/next").json()["uuid"]
    assert second != first
    post(client, f"/labels/{second}", {"verdict": "stranger"})
    assert post(client, f"{at}/undo").json()["uuid"] == second

    who = {"annotator": str(anna.uuid)}
    assert post(boss, f"{at}/assign", {**who, "count": 2}).json() == {"count": 2}
    assert post(boss, f"{at}/assign", {**who, "take_back": True}).json() == {"count": 2}
    answer = boss.patch(f"{AT}{at}", json.dumps({"closed": True}), JSON)
    assert answer.status_code == 204
    assert post(client, f"{at}/next").status_code == 409
    assert client.get(f"{AT}/projects").json()[0]["closed"]
    boss.patch(f"{AT}{at}", json.dumps({"closed": False, "annotators": []}), JSON)
    assert post(client, f"{at}/next").status_code == 404


@pytest.mark.parametrize(
    "told",
    (
        {"title": ""},
        {"title": "P", "labels_each": 9},
        {"title": "P", "gold": 2},
        {"title": "P", "count": 0},
        {"title": "P", "faces": []},
        {"title": "P", "annotators": ["x"]},
        {},
    ),
)
def test_a_project_that_cannot_be_is_refused(project, owner, told):
    answer = post(as_(owner), "/projects", told)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert Project.objects.count() == 1


def test_what_is_not_there_is_said(project, owner):
    for told in ({"album": str(uuid4())}, {"team": str(uuid4())}, {"annotators": [str(uuid4())]}):
        assert post(as_(owner), "/projects", {"title": "P", **told}).status_code == 404


def test_a_label_file_is_looked_at_and_taken_in(project, owner, anna):
    [media] = some_media(1)
    Location.objects.create(collection=make_collection(), media=media, path="1.jpg")
    [face] = some_faces(1, media=[media])
    coco = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 1200, "height": 800}],
        "categories": [{"id": 1, "name": "Emil"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [300, 200, 300, 200]}],
    }

    def send(**told):
        file = ContentFile(json.dumps(coco).encode(), name="a.json")
        return as_(owner).post(f"{AT}/import", {"file": file, **told})

    looked = send().json()
    assert (looked["named"], looked["batch"], looked["problems"]) == (1, None, [])
    assert send(preview=False, project=project.uuid).status_code == 422
    assert send(preview=False, project=project.uuid, annotator=anna.uuid).status_code == 409
    done = send(preview=False).json()
    face.refresh_from_db()
    assert (face.person.name, done["message"]) == ("Emil", "Of the faces 1 named.")
    assert done["batch"]


def test_the_figures_of_a_project_cost_the_same_for_many_annotators(project, owner, anna, ben):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            as_(owner).get(f"{AT}/projects/{project.uuid}")
        return len(asked)

    label_some(anna, project, 2)
    before = queries()
    label_some(ben, project, 3)

    assert queries() == before
