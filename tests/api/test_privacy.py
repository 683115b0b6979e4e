import io
import json
import zipfile

import pytest

from lookwho.library.models import Consent, Erasure, Person, SearchLog, User
from lookwho.services import consents, receipts

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.HOME, settings.LEDGER = tmp_path, tmp_path / "erasures.jsonl"
    settings.SELFIES, settings.PICTURES = tmp_path / "selfies", tmp_path / "pictures"


def send(client, way, path, **data):
    if way == "get":
        return client.get(f"{API}{path}")
    return getattr(client, way)(f"{API}{path}", json.dumps(data), "application/json")


# --- for whom ---


@pytest.mark.parametrize(
    ("way", "path"),
    (
        ("get", "/me/consents"),
        ("put", "/me/consents/names"),
        ("delete", "/me/consents/names"),
        ("get", "/me/searches"),
        ("get", "/me/export"),
        ("get", "/me/erasure"),
        ("post", "/me/erasure"),
        ("get", "/settings"),
    ),
)
def test_nobody_gets_nothing(ask, way, path):
    answer = send(ask(None), way, path)

    assert (answer.status_code, set(answer.json())) == (401, {"code", "message"})


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_to_whom_is_no_owner_there_are_no_settings(ask, shelf, role):
    User.objects.filter(pk=shelf.member.pk).update(role=role)
    client, group = ask(shelf.member), shelf.groups[0].uuid
    for way, path in (
        ("get", "/settings"),
        ("put", "/settings/options/consent_age"),
        ("get", "/settings/retention"),
        ("get", "/settings/texts/names"),
        ("post", "/settings/texts/names"),
        ("get", "/settings/searches"),
        ("get", f"/people/{group}/erasure"),
        ("post", f"/people/{group}/erasure"),
        ("get", f"/members/{shelf.owner.uuid}/erasure"),
        ("post", f"/members/{shelf.owner.uuid}/erasure"),
    ):
        answer = send(client, way, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert Person.objects.filter(uuid=group).exists()


# --- consents ---


def test_a_consent_is_given_and_withdrawn(member, shelf):
    given = send(member, "put", "/me/consents/names", version=1)
    assert given.status_code == 200
    assert (given.json()["agreed"], given.json()["version"]) == (True, "1")
    assert consents.agreed(shelf.member, "names")

    gone = member.delete(f"{API}/me/consents/names")
    assert (gone.status_code, gone.json()["counts"]) == (200, {})
    assert member.delete(f"{API}/me/consents/names").status_code == 204
    assert [each["agreed"] for each in member.get(f"{API}/me/consents").json()] == [False] * 3


@pytest.mark.parametrize(
    ("purpose", "data", "status"),
    (
        ("names", {"version": 2}, 409),
        ("names", {"version": 0}, 422),
        ("names", {}, 422),
        ("marketing", {"version": 1}, 404),
    ),
)
def test_what_cannot_be_agreed_to_is_not(member, purpose, data, status):
    answer = send(member, "put", f"/me/consents/{purpose}", **data)

    assert (answer.status_code, set(answer.json())) == (status, {"code", "message"})
    assert not Consent.objects.exists()


def test_the_cost_of_looking_again_is_told(member):
    assert member.get(f"{API}/me/consents/cost").json() == {"boxes": 0, "seconds": 0}


# --- searches ---


def test_one_is_told_when_one_was_searched_for_in_pieces_and_not_by_whom(member, owner, shelf):
    mine = Person.objects.create(name="Bert", user=shelf.member)
    for _ in range(3):
        SearchLog.objects.create(user=shelf.owner, purpose="find_by_face", person=mine)
    SearchLog.objects.create(user=shelf.owner, purpose="find_self", matches=7)

    first = member.get(f"{API}/me/searches?limit=2").json()
    rest = member.get(f"{API}/me/searches?limit=2&cursor={first['next']}").json()
    assert (len(first["searches"]), len(rest["searches"]), rest["next"]) == (2, 1, None)
    assert {each["by"] for each in first["searches"]} == {""}

    told = owner.get(f"{API}/settings/searches").json()["searches"]
    assert [(each["by"], each["whose"], each["matches"]) for each in told] == [
        (shelf.owner.username, "", 7),
        *[(shelf.owner.username, "Bert", 0)] * 3,
    ]


# --- everything, and nothing ---


def test_everything_is_exported(member, shelf):
    answer = member.get(f"{API}/me/export")

    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        account = json.loads(archive.read("held.json"))["account"]
    assert account["uuid"] == str(shelf.member.uuid)


def test_what_goes_is_told_and_without_being_sure_nothing_does(member, shelf):
    told = member.get(f"{API}/me/erasure").json()
    assert (told["names"], told["account"]) == (["Bert"], True)

    for data in ({}, {"sure": False}):
        assert send(member, "post", "/me/erasure", **data).status_code == 422
    assert User.objects.filter(pk=shelf.member.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_one_erases_oneself_and_gets_the_receipt(member, shelf):
    answer = send(member, "post", "/me/erasure", sure=True).json()

    assert not User.objects.filter(pk=shelf.member.pk).exists()
    assert answer["state"] == "done"
    assert str(receipts.check(answer["receipt"])) == answer["uuid"]
    assert member.get(f"{API}/me").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_an_owner_erases_a_person_and_a_user(owner, shelf):
    group = shelf.groups[0].uuid
    assert owner.get(f"{API}/people/{group}/erasure").json()["faces"] == 2

    answer = send(owner, "post", f"/people/{group}/erasure", sure=True).json()
    assert answer["counts"]["faces"] == 2
    assert not Person.objects.filter(uuid=group).exists()

    path = f"/members/{shelf.member.uuid}/erasure"
    assert owner.get(f"{API}{path}").json()["names"] == ["Bert"]
    assert send(owner, "post", path, sure=True).json()["counts"]["accounts"] == 1
    assert send(owner, "post", path, sure=True).status_code == 404
    assert Erasure.objects.filter(state="done").count() == 2


# --- settings ---


def test_an_owner_chooses(owner):
    assert send(owner, "put", "/settings/options/consent_age", value=14).json()["value"] == 14

    told = {each["name"]: each["value"] for each in owner.get(f"{API}/settings").json()}
    assert told["consent_age"] == 14
    assert consents.consent_age() == 14


@pytest.mark.parametrize(
    ("name", "value"), (("consent_age", 99), ("consent_age", -1), ("nonsense", 3))
)
def test_what_cannot_be_chosen_is_refused(owner, name, value):
    assert send(owner, "put", f"/settings/options/{name}", value=value).status_code == 422


def test_an_owner_writes_texts(owner):
    made = send(owner, "post", "/settings/texts/names", text="May others read your name?")
    assert (made.status_code, made.json()["version"]) == (201, 2)
    versions = owner.get(f"{API}/settings/texts/names").json()
    assert [each["version"] for each in versions] == [2, 1]
    assert owner.get(f"{API}/settings/texts/nonsense").status_code == 404


def test_an_owner_sees_what_would_go(owner):
    rows = owner.get(f"{API}/settings/retention").json()

    assert {each["name"]: each["count"] for each in rows}["searches"] == 0
