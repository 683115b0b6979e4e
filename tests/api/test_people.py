"""People through the API: naming, correcting, and taking it back."""

from uuid import uuid4

import pytest

from lookwho.library.models import Decision, Face

JSON = "application/json"

pytestmark = pytest.mark.django_db


def test_groups_wait_for_a_name_the_largest_first(owner, shelf):
    from lookwho.library.queries.people import FEW

    assert FEW == 2  # both groups are small, so they are folded away
    answer = owner.get("/api/v1/people?part=few").json()

    assert answer["total"] == 2
    assert [each["photos"] for each in answer["people"]] == [2, 1]
    assert answer["people"][0]["cover"] in {str(face.uuid) for face in shelf.faces[:2]}


def test_naming_a_group_confirms_its_faces(owner, shelf):
    uuid = shelf.groups[0].uuid

    answer = owner.patch(f"/api/v1/people/{uuid}", {"name": " Anna "}, JSON).json()

    assert (answer["name"], answer["photos"], answer["years"]) == ("Anna", 2, {"2025": 2})
    faces = owner.get(f"/api/v1/people/{uuid}/faces").json()["faces"]
    assert [face["probability"] for face in faces] == [None, None]
    assert [face["photo"] for face in faces] == [
        str(shelf.photos[1].uuid),
        str(shelf.photos[0].uuid),
    ]


def test_a_name_that_somebody_else_has_just_given_is_not_overwritten(owner, shelf):
    uuid = shelf.groups[0].uuid
    owner.patch(f"/api/v1/people/{uuid}", {"name": "Anna"}, JSON)

    stale = owner.patch(f"/api/v1/people/{uuid}", {"name": "Bea", "before": ""}, JSON)

    assert (stale.status_code, stale.json()["code"]) == (409, "conflict")
    assert "Anna" in stale.json()["message"]


def test_what_was_done_can_be_taken_back(owner, shelf):
    faces = [str(face.uuid) for face in shelf.faces[:2]]

    done = owner.post("/api/v1/faces/name", {"faces": faces, "name": "Anna"}, JSON).json()
    assert "Anna" in done["message"]
    assert owner.get("/api/v1/people").json()["total"] == 1
    owner.post("/api/v1/undo", {"batch": done["batch"]}, JSON)

    assert owner.get("/api/v1/people").json()["total"] == 0
    shelf.faces[0].refresh_from_db()
    assert shelf.faces[0].person is None


def test_a_face_is_confirmed_rejected_and_said_to_be_none(owner, shelf):
    owner.patch(f"/api/v1/people/{shelf.groups[0].uuid}", {"name": "Anna"}, JSON)
    person, face = str(shelf.groups[0].uuid), str(shelf.faces[2].uuid)

    for act, more in (("confirm", {"person": person}), ("reject", {"person": person})):
        assert (
            owner.post(f"/api/v1/faces/{act}", {"faces": [face], **more}, JSON).status_code == 200
        )
        shelf.faces[2].refresh_from_db()
        assert (shelf.faces[2].person == shelf.groups[0]) == (act == "confirm")
    owner.post("/api/v1/faces/not-a-face", {"faces": [face]}, JSON)

    assert owner.get(f"/api/v1/photos/{shelf.photos[2].uuid}").json()["faces"] == []


def test_two_are_merged_into_one(owner, shelf):
    one, other = (str(group.uuid) for group in shelf.groups)

    owner.post(f"/api/v1/people/{one}/merge", {"into": other}, JSON)

    assert owner.get(f"/api/v1/people/{one}").json()["uuid"] == other
    assert owner.get(f"/api/v1/people/{other}").json()["photos"] == 3


def test_a_person_is_hidden_dated_and_given_a_cover(owner, shelf):
    uuid, face = shelf.groups[0].uuid, str(shelf.faces[1].uuid)
    told = {"name": "Anna", "hidden": True, "birth_date": "1990-05-06", "cover": face}

    answer = owner.patch(f"/api/v1/people/{uuid}", told, JSON).json()

    assert {key: answer[key] for key in told} == told
    assert owner.get("/api/v1/people?part=hidden").json()["total"] == 1


def test_a_change_that_is_refused_in_part_changes_nothing(owner, shelf):
    uuid = shelf.groups[0].uuid

    answer = owner.patch(f"/api/v1/people/{uuid}", {"name": "Anna", "cover": str(uuid4())}, JSON)

    assert answer.status_code == 404
    assert owner.get(f"/api/v1/people/{uuid}").json()["name"] == ""


@pytest.mark.parametrize("name", ("", "x" * 201, "a\x00"))
def test_a_name_that_cannot_be_is_refused(owner, shelf, name):
    answer = owner.patch(f"/api/v1/people/{shelf.groups[0].uuid}", {"name": name}, JSON)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_face_that_is_not_there_is_not_found(owner):
    answer = owner.post("/api/v1/faces/name", {"faces": [str(uuid4())], "name": "Anna"}, JSON)

    assert answer.status_code == 404


@pytest.mark.parametrize("words", ("ann", "berg ANNA", "Ánna"))
def test_people_are_found_by_words_of_their_name(owner, shelf, words):
    owner.patch(f"/api/v1/people/{shelf.groups[0].uuid}", {"name": "Anna Berg"}, JSON)
    owner.patch(f"/api/v1/people/{shelf.groups[1].uuid}", {"name": "Bert"}, JSON)

    found = owner.get("/api/v1/people", {"q": words}).json()

    assert [each["name"] for each in found["people"]] == ["Anna Berg"]


def test_faces_are_split_off_into_a_group_or_to_somebody_by_name(owner, shelf):
    person = str(shelf.groups[0].uuid)
    one, two = (str(face.uuid) for face in shelf.faces[:2])

    owner.post("/api/v1/faces/split", {"faces": [one], "person": person}, JSON)
    done = owner.post(
        "/api/v1/faces/split", {"faces": [two], "person": person, "name": "Bea"}, JSON
    ).json()

    assert "Bea" in done["message"]
    people = [Face.objects.get(uuid=face).person for face in (one, two)]
    assert [who.name for who in people] == ["", "Bea"]
    assert shelf.groups[0] not in people


ACTS = (
    ("confirm", {"person": 1}),
    ("reject", {"person": 1}),
    ("split", {"person": 1}),
    ("name", {"name": "Cid"}),
    ("not-a-face", {}),
)


@pytest.mark.parametrize(("act", "more"), ACTS)
def test_an_answer_to_a_state_that_is_over_says_who_it_is_now(owner, shelf, act, more):
    face = str(shelf.faces[0].uuid)
    owner.post("/api/v1/faces/name", {"faces": [face], "name": "Anna"}, JSON)
    anna = str(Face.objects.get(uuid=face).person.uuid)
    more = {"person": str(shelf.groups[1].uuid)} if "person" in more else more
    told = {"faces": [face], **more}

    stale = owner.post(f"/api/v1/faces/{act}", {**told, "seen": {face: None}}, JSON)

    assert (stale.status_code, stale.json()) == (
        409,
        {"code": "conflict", "message": "this was just named Anna"},
    )
    assert Face.objects.get(uuid=face).person.name == "Anna"
    assert not Face.objects.get(uuid=face).dismissed
    right = owner.post(f"/api/v1/faces/{act}", {**told, "seen": {face: anna}}, JSON)
    assert right.status_code == 200


def test_somebody_who_was_just_merged_or_named_is_not_merged_unseen(owner, shelf):
    one, other = (str(group.uuid) for group in shelf.groups)
    owner.patch(f"/api/v1/people/{one}", {"name": "Anna"}, JSON)

    told = {"into": other, "seen": {one: "", other: ""}}
    stale = owner.post(f"/api/v1/people/{one}/merge", told, JSON)

    assert (stale.status_code, stale.json()["message"]) == (409, "this was just named Anna")
    told["seen"][one] = "Anna"
    assert owner.post(f"/api/v1/people/{one}/merge", told, JSON).status_code == 200
    stale = owner.post(f"/api/v1/people/{other}/merge", told, JSON)
    assert stale.json()["message"] == "this was just merged into Anna"


@pytest.mark.parametrize("act", ("confirm", "reject", "split", "name", "not-a-face"))
def test_nobody_else_says_anything_of_faces(ask, member, shelf, act):
    told = {
        "faces": [str(shelf.faces[0].uuid)],
        "person": str(shelf.groups[1].uuid),
        "name": "Eve",
    }

    for client, status in ((member, 404), (ask(None), 401)):
        assert client.post(f"/api/v1/faces/{act}", told, JSON).status_code == status
    assert Decision.objects.count() == 0
