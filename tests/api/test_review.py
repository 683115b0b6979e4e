"""Review through the API: a question is asked for, answered and taken back."""

from uuid import uuid4

import pytest

from lookwho.library.models import Album, AlbumItem, Answer, Claim, Embedding, Face, Person
from lookwho.services import accounts

JSON = "application/json"

pytestmark = pytest.mark.django_db


def ask_next(client, **more):
    return client.get("/api/v1/review/next", more).json()


def say(client, question, verdict, **more):
    told = {"slip": question["slip"], "verdict": verdict, **more}
    return client.post("/api/v1/review/answers", told, JSON)


def test_the_largest_group_is_asked_about_and_named(owner, shelf):
    question = ask_next(owner)["question"]

    assert (question["kind"], question["count"]) == ("group", 2)
    assert question["uuid"] == str(shelf.groups[0].uuid)
    assert (question["person"], question["probability"], question["beside"]) == (None, None, [])
    assert {face["uuid"] for face in question["faces"]} == {str(f.uuid) for f in shelf.faces[:2]}
    done = say(owner, question, "name", name="Anna", seconds=1.5).json()

    assert (done["settled"], done["message"]) == (2, "2 faces named Anna.")
    counts = owner.get("/api/v1/review").json()
    assert counts == {
        "faces": 3, "confirmed": 2, "guessed": 0, "answers": 1, "settled": 2,
        "audited": 0, "audits_needed": 200,
    }  # fmt: skip


def test_an_answer_is_taken_back_and_asked_again(owner, shelf):
    question = ask_next(owner)["question"]
    done = say(owner, question, "name", name="Anna").json()

    undone = owner.post("/api/v1/review/undo", {"answer": done["answer"]}, JSON).json()

    assert undone["question"]["uuid"] == question["uuid"]
    assert not Face.objects.exclude(person=None).exists()
    assert owner.post("/api/v1/review/undo", {}, JSON).status_code == 404


def test_one_may_hold_several_questions_and_leaves_them_to_others(ask, owner, shelf):
    annotator = ask(accounts.make_user("Carla", "annotator"))
    first = ask_next(owner)["question"]
    second = ask_next(owner, held=[first["uuid"]])["question"]

    assert second["uuid"] != first["uuid"]
    assert ask_next(annotator) == {"question": None, "others": True}
    held = {"held": [first["uuid"], second["uuid"]]}
    assert owner.post("/api/v1/review/renew", held, JSON).json() == {"claims": 2}
    assert owner.post("/api/v1/review/release", held, JSON).json() == {"claims": 2}
    assert ask_next(annotator)["question"]["uuid"] == first["uuid"]


def test_an_answer_that_comes_too_late_changes_nothing(owner, shelf):
    question = ask_next(owner)["question"]
    group = shelf.groups[0].uuid
    owner.patch(f"/api/v1/people/{group}", {"name": "Anna"}, JSON)

    stale = say(owner, question, "name", name="Bea")

    assert (stale.status_code, stale.json()["code"]) == (409, "conflict")
    assert "this was just named Anna" in stale.json()["message"]
    assert Answer.objects.count() == 0


def test_one_asks_for_a_person_or_an_album(owner, shelf):
    anna = Person.objects.create(name="Anna")
    Face.objects.filter(pk=shelf.faces[2].pk).update(guess=anna, probability=0.6)
    album = Album.objects.create(title="Party", slug="party")
    AlbumItem.objects.create(album=album, media=shelf.photos[0])

    of_anna = ask_next(owner, person=anna.uuid)["question"]
    of_album = ask_next(owner, album=album.uuid)["question"]

    assert (of_anna["kind"], of_anna["person"]["name"]) == ("face", "Anna")
    assert (of_anna["faces"][0]["uuid"], of_anna["probability"]) == (str(shelf.faces[2].uuid), 0.6)
    assert (of_album["kind"], of_album["count"]) == ("group", 1)
    for nobody in ({"person": uuid4()}, {"album": uuid4()}):
        assert owner.get("/api/v1/review/next", nobody).status_code == 404


def test_one_asks_for_the_audit_alone(owner, shelf):
    ben = Person.objects.create(name="Ben")
    Face.objects.filter(pk=shelf.faces[0].pk).update(person=ben)
    Embedding.objects.exclude(face=shelf.faces[0]).delete()

    question = ask_next(owner, audit=True)["question"]
    done = say(owner, question, "name", name="Anna").json()

    assert (question["kind"], question["person"], question["offered"]) == ("audit", None, [])
    assert done["corrected"]
    assert "This was Ben's until now." in done["message"]
    assert owner.get("/api/v1/review").json()["audited"] == 1


@pytest.mark.parametrize("slip", ("", "made-up"))
def test_what_was_never_asked_cannot_be_answered(owner, shelf, slip):
    answer = owner.post("/api/v1/review/answers", {"slip": slip, "verdict": "skip"}, JSON)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_members_are_asked_nothing_and_answer_nothing(owner, member, shelf):
    question = ask_next(owner)["question"]
    Claim.objects.all().delete()

    assert member.get("/api/v1/review").status_code == 404
    assert member.get("/api/v1/review/next").status_code == 404
    assert say(member, question, "name", name="Anna").status_code == 404
    for act in ("undo", "renew", "release"):
        assert member.post(f"/api/v1/review/{act}", {}, JSON).status_code == 404
    assert (Answer.objects.count(), Claim.objects.count()) == (0, 0)


def test_what_one_was_asked_nobody_else_answers(ask, owner, shelf):
    annotator = ask(accounts.make_user("Carla", "annotator"))
    question = ask_next(owner)["question"]

    assert say(annotator, question, "name", name="Anna").status_code == 422
    assert not Face.objects.exclude(person=None).exists()
