"""Members and invitations through the API: for owners alone."""

import json

import pytest
from django.test import Client

from lookwho.library.models import Share, User
from lookwho.services import accounts

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def boss():
    client = Client()
    client.force_login(accounts.the_owner())
    return client


def test_an_owner_lists_and_changes_members(boss):
    anna = accounts.make_user("Anna")
    rows = boss.get("/api/v1/members").json()
    assert [(row["name"], row["role"], row["active"]) for row in rows] == [
        ("owner", "owner", True),
        ("Anna", "member", True),
    ]

    answer = boss.patch(f"/api/v1/members/{anna.uuid}", json.dumps({"role": "annotator"}), JSON)
    assert answer.json()["role"] == "annotator"
    answer = boss.patch(f"/api/v1/members/{anna.uuid}", json.dumps({"active": False}), JSON)
    assert not answer.json()["active"]
    last = accounts.the_owner()
    answer = boss.patch(f"/api/v1/members/{last.uuid}", json.dumps({"role": "member"}), JSON)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_an_owner_who_steps_down_is_told_what_they_are_now(boss):
    accounts.make_user("Anna", "owner")
    me = accounts.the_owner()

    answer = boss.patch(f"/api/v1/members/{me.uuid}", json.dumps({"role": "member"}), JSON)

    assert (answer.status_code, answer.json()["role"]) == (200, "member")
    assert boss.get("/api/v1/members").status_code == 404


def test_an_owner_invites_lists_and_withdraws(boss):
    told = {"name": "Ben", "role": "annotator", "days": 14}

    made = boss.post("/api/v1/members/invitations", json.dumps(told), JSON)

    assert made.status_code == 201
    token = made.json()["link"].rsplit("/", 1)[1]
    [row] = boss.get("/api/v1/members/invitations").json()
    assert (row["name"], row["role"]) == ("Ben", "annotator")
    assert token not in json.dumps(row)
    assert accounts.invitation(token).name == "Ben"
    assert boss.delete(f"/api/v1/members/invitations/{row['uuid']}").status_code == 204
    assert boss.get("/api/v1/members/invitations").json() == []
    for wrong in ({"role": "owner"}, {"days": 0}, {"days": 91}, {"name": "x" * 151}):
        assert boss.post("/api/v1/members/invitations", json.dumps(wrong), JSON).status_code == 422


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_others_get_nothing_and_change_nothing(boss, role):
    owner = accounts.the_owner()
    accounts.invite(owner, name="Ben")
    share = Share.objects.get()
    client = Client()
    client.force_login(accounts.make_user("Eve", role))

    for method, path in (
        ("get", "/members"),
        ("patch", f"/members/{owner.uuid}"),
        ("get", "/members/invitations"),
        ("post", "/members/invitations"),
        ("delete", f"/members/invitations/{share.uuid}"),
    ):
        told = json.dumps({"role": "member", "active": False})
        answer = client.generic(method.upper(), f"/api/v1{path}", told, JSON)
        assert answer.status_code == 404, (method, path)
    share.refresh_from_db()
    assert share.revoked_at is None
    assert Share.objects.count() == 1
    assert User.objects.get(pk=owner.pk).is_owner
