"""History through the API: what was said, by whom, and who may take it back."""

from uuid import uuid4

import pytest

from lookwho.library.models import Face
from tests.people import a_user

JSON = "application/json"

pytestmark = pytest.mark.django_db


@pytest.fixture
def annotator(ask):
    return ask(a_user("annotator"))


def named(client, shelf, number=0, name="Anna"):
    faces = [str(shelf.faces[number].uuid)]
    return client.post("/api/v1/faces/name", {"faces": faces, "name": name}, JSON).json()["batch"]


def words(client, **asked):
    return [act["words"] for act in client.get("/api/v1/history", asked).json()["acts"]]


def test_what_was_said_is_listed_with_who_said_it(owner, shelf):
    batch = named(owner, shelf)

    (act,) = owner.get("/api/v1/history").json()["acts"]

    assert (act["batch"], act["words"], act["by"]) == (
        batch,
        "confirmed 1 face of Anna",
        shelf.owner.username,
    )
    assert act["pictures"] == [str(shelf.faces[0].uuid)]
    assert [person["name"] for person in act["people"]] == ["Anna"]
    assert (act["undone_by"], act["may_undo"]) == (None, True)


def test_it_is_narrowed_by_person_photo_user_day_and_kind(owner, shelf, annotator):
    named(owner, shelf, 0, "Anna")
    named(annotator, shelf, 2, "Bea")
    shelf.faces[0].refresh_from_db()
    (bea,) = [act for act in owner.get("/api/v1/history").json()["acts"] if "Bea" in act["words"]]
    both = ["confirmed 1 face of Bea", "confirmed 1 face of Anna"]

    assert words(owner) == both
    assert words(owner, person=shelf.faces[0].person.uuid) == both[1:]
    assert words(owner, photo=shelf.photos[2].uuid) == both[:1]
    assert words(owner, user=bea["by"]) == both[:1]
    assert words(owner, day=bea["at"][:10]) == both
    assert words(owner, day="2001-01-01") == []
    assert words(owner, verb="renamed") == both  # each made a name
    assert words(owner, verb="merged") == []
    assert words(owner, limit=1) == both[:1]


@pytest.mark.parametrize(
    ("asked", "status"),
    (
        ({"person": uuid4()}, 404),
        ({"photo": uuid4()}, 404),
        ({"user": "nobody"}, 404),
        ({"verb": "nothing"}, 422),
        ({"day": "soon"}, 422),
        ({"limit": 1000}, 422),
    ),
)
def test_what_there_is_not_is_said(owner, asked, status):
    assert owner.get("/api/v1/history", asked).status_code == status


def test_annotators_take_back_what_they_said_and_owners_what_anybody_did(owner, annotator, shelf):
    mine, theirs = named(annotator, shelf, 0, "Anna"), named(owner, shelf, 2, "Bea")

    may = {act["batch"]: act["may_undo"] for act in annotator.get("/api/v1/history").json()["acts"]}
    assert may == {mine: True, theirs: False}
    refused = annotator.post("/api/v1/undo", {"batch": theirs}, JSON)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert Face.objects.get(pk=shelf.faces[2].pk).person.name == "Bea"
    assert owner.post("/api/v1/undo", {"batch": mine}, JSON).status_code == 200

    acts = owner.get("/api/v1/history?verb=taken_back").json()["acts"]
    undone = {act["batch"]: act for act in acts}
    assert list(undone) == [mine]
    assert (undone[mine]["undone_by"], undone[mine]["may_undo"]) == (shelf.owner.username, False)


def test_members_and_the_unknown_are_told_nothing(ask, member, owner, shelf):
    batch = named(owner, shelf)

    assert member.get("/api/v1/history").status_code == 404
    assert ask(None).get("/api/v1/history").status_code == 401
    assert member.post("/api/v1/undo", {"batch": batch}, JSON).status_code == 404
    assert Face.objects.get(pk=shelf.faces[0].pk).person.name == "Anna"


def test_a_long_history_is_read_in_pieces(owner, shelf):
    for number, name in enumerate(("Anna", "Bea", "Cleo")):
        named(owner, shelf, number, name)
    whole = owner.get("/api/v1/history").json()
    first = owner.get("/api/v1/history?limit=2").json()
    second = owner.get("/api/v1/history", {"cursor": first["next"]}).json()

    assert first["acts"] + second["acts"] == whole["acts"]
    assert len(first["acts"]) == 2
    assert second["next"] is None
