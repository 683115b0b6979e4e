"""Removal requests and selfies to approve, through the API."""

import pytest
from django.core.cache import cache

from lookwho.library.models import Collection, Media, Reference, Request
from lookwho.services import accounts

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture(autouse=True)
def open_to_members(shelf, settings, tmp_path):
    settings.SELFIES = tmp_path
    cache.clear()
    Collection.objects.update(policy=Collection.Policy.OPEN)


def asks(client, photo, **told):
    return client.post(f"/api/v1/photos/{photo.uuid}/removal", told, content_type=JSON)


def answer(client, request, verb, **told):
    return client.post(f"/api/v1/requests/{request}/{verb}", told, content_type=JSON)


def test_a_member_asks_and_the_photo_is_hidden_from_everybody(owner, member, shelf):
    photo = shelf.photos[0]

    asked = asks(member, photo, message="please")
    waiting = owner.get("/api/v1/requests").json()["requests"]
    done = answer(owner, asked.json()["uuid"], "hide", answer="Sorry!")

    assert asked.status_code == 201
    assert [(each["photo"], each["user"], each["message"]) for each in waiting] == [
        (str(photo.uuid), "Bert", "please")
    ]
    assert (done.json()["state"], done.json()["answer"]) == ("hidden", "Sorry!")
    for client in (owner, member):
        assert client.get(f"/api/v1/photos/{photo.uuid}").status_code == 404
        assert client.get(f"/pictures/{photo.uuid}/320.webp").status_code == 404
        assert client.get(f"/originals/{photo.uuid}").status_code == 404
        listed = client.get("/api/v1/photos").json()
        assert str(photo.uuid) not in str(listed)
        assert listed["total"] == 2
    assert owner.get(f"/faces/{shelf.faces[0].uuid}/160.webp").status_code == 404
    assert owner.get("/api/v1/requests").json() == {"requests": [], "next": None}
    (mine,) = member.get("/api/v1/requests/mine").json()["requests"]
    assert mine["state"] == "hidden"


def test_an_answer_is_taken_back(owner, member, shelf):
    asked = asks(member, shelf.photos[0]).json()["uuid"]
    answer(owner, asked, "hide")

    undone = owner.post(f"/api/v1/requests/{asked}/undo")

    assert undone.json()["state"] == "open"
    assert member.get(f"/api/v1/photos/{shelf.photos[0].uuid}").status_code == 200


def test_a_request_is_declined_with_a_reason(owner, member, shelf):
    asked = asks(member, shelf.photos[0]).json()["uuid"]

    assert answer(owner, asked, "decline").status_code == 422
    told = answer(owner, asked, "decline", answer="It is of the board.").json()

    assert (told["state"], told["answer"]) == ("declined", "It is of the board.")
    assert answer(owner, asked, "hide").status_code == 409
    (listed,) = owner.get("/api/v1/requests?answered=true").json()["requests"]
    assert listed["uuid"] == asked


def test_requests_are_listed_piece_by_piece(owner, member, shelf):
    asked = [asks(member, photo).json()["uuid"] for photo in shelf.photos]

    first = owner.get("/api/v1/requests?limit=2").json()
    second = owner.get(f"/api/v1/requests?limit=2&cursor={first['next']}").json()
    mine = member.get("/api/v1/requests/mine?limit=1").json()

    assert [each["uuid"] for each in first["requests"]] == asked[:2]
    assert [each["uuid"] for each in second["requests"]] == asked[2:]
    assert [each["uuid"] for each in mine["requests"]] == asked[2:]
    assert mine["next"]


def test_nobody_asks_for_what_they_may_not_see(member, shelf):
    Collection.objects.update(policy=Collection.Policy.CLOSED)

    assert asks(member, shelf.photos[0]).status_code == 404
    assert not Request.objects.exists()


@pytest.mark.parametrize("role", ("member", "annotator"))
def test_requests_of_others_are_nobodys(role, ask, member, shelf):
    asked = asks(member, shelf.photos[0], message="it is me").json()["uuid"]
    selfie = Reference.objects.create(user=shelf.member, file="x.jpg", state="done", approved=False)
    client = ask(accounts.make_user("Carla", role))

    answers = [
        client.get("/api/v1/requests"),
        client.get("/api/v1/requests?answered=true"),
        *(answer(client, asked, verb, answer="no") for verb in ("hide", "decline")),
        client.post(f"/api/v1/requests/{asked}/hide", "nonsense", content_type=JSON),
        client.post(f"/api/v1/requests/{asked}/undo"),
        client.get("/api/v1/requests/selfies"),
        client.post(f"/api/v1/requests/selfies/{selfie.uuid}/approve"),
        client.post(f"/api/v1/requests/selfies/{selfie.uuid}/decline", {}, content_type=JSON),
    ]

    assert {each.status_code for each in answers} == {404}
    assert client.get("/api/v1/requests/mine").json()["requests"] == []
    assert Media.objects.filter(hidden=False).count() == 3
    selfie.refresh_from_db()
    assert not selfie.approved


def test_selfies_wait_until_somebody_approves_them(owner, shelf):
    waiting, other = (
        Reference.objects.create(user=shelf.member, file=f"{n}.jpg", state="done", approved=False)
        for n in range(2)
    )

    listed = owner.get("/api/v1/requests/selfies").json()["selfies"]
    yes = owner.post(f"/api/v1/requests/selfies/{waiting.uuid}/approve")
    no = owner.post(
        f"/api/v1/requests/selfies/{other.uuid}/decline", {"reason": "a dog"}, content_type=JSON
    )

    assert [(each["uuid"], each["user"]) for each in listed] == [
        (str(waiting.uuid), "Bert"),
        (str(other.uuid), "Bert"),
    ]
    assert (yes.status_code, no.status_code) == (204, 204)
    waiting.refresh_from_db()
    assert waiting.approved
    assert owner.get("/api/v1/requests/selfies").json()["selfies"] == []
