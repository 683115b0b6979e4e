"""Members and invitations through the API: for owners alone."""

import json
from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import Membership, Share, Team, User
from lookwho.services import accounts, memberships, teams
from tests.people import a_person

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def boss():
    client = Client()
    client.force_login(accounts.the_owner())
    return client


def test_an_owner_lists_and_changes_members(boss):
    anna = accounts.make_user("Anna")
    rows = boss.get("/api/v1/members").json()["members"]
    assert [(row["name"], row["role"], row["active"]) for row in rows] == [
        ("Anna", "member", True),
        ("owner", "owner", True),
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


def test_members_are_listed_in_pieces_with_their_times_and_teams(boss):
    owner, anna = accounts.the_owner(), accounts.make_user("Anna", email="anna@example.org")
    ben = accounts.make_user("Ben")
    memberships.add_period(owner, anna, date(2020, 1, 1), date(2020, 12, 31))
    team = teams.make(owner, "Board")
    teams.add(owner, team.uuid, [ben])
    person, _ = a_person("Anna Smit")
    told = {"person": str(person.uuid)}
    assert boss.put(f"/api/v1/members/{anna.uuid}/person", told, JSON).json()["person"]

    names, cursor = [], ""
    while cursor is not None:
        part = boss.get("/api/v1/members", {"limit": 2, "cursor": cursor}).json()
        names += [row["name"] for row in part["members"]]
        cursor = part["next"]
        assert part["total"] == 3
    one = boss.get(f"/api/v1/members/{anna.uuid}").json()

    assert names == ["Anna", "Ben", "owner"]
    assert (one["former"], one["email"]) == (True, "anna@example.org")
    assert one["memberships"] == [{"since": "2020-01-01", "until": "2020-12-31", "source": "hand"}]
    assert one["person"] == str(person.uuid)
    for asked, expected in (
        ({"q": "EXAMPLE anna"}, ["Anna"]),
        ({"standing": "former"}, ["Anna"]),
        ({"standing": "present"}, ["Ben", "owner"]),
        ({"standing": "always", "role": "member"}, ["Ben"]),
        ({"team": str(team.uuid)}, ["Ben"]),
        ({"role": "owner"}, ["owner"]),
        ({"q": "nobody"}, []),
    ):
        found = boss.get("/api/v1/members", asked).json()["members"]
        assert [row["name"] for row in found] == expected, asked
    assert boss.get("/api/v1/members", {"cursor": "x"}).status_code == 422
    answer = boss.put(f"/api/v1/members/{anna.uuid}/person", {"person": None}, JSON)
    assert answer.json()["person"] is None


def test_the_list_asks_the_database_as_often_for_many_as_for_few(boss):
    def asked():
        with CaptureQueriesContext(connection) as queries:
            assert boss.get("/api/v1/members", {"limit": 500}).status_code == 200
        return len(queries)

    def add(count):
        start = User.objects.count()
        rows = [User(username=f"m{start + number}") for number in range(count)]
        User.objects.bulk_create(rows)
        Membership.objects.bulk_create(Membership(user=row, since=date(2024, 1, 1)) for row in rows)
        team = Team.objects.get_or_create(title="All")[0]
        team.users.add(*rows)

    add(5)
    few = asked()
    add(495)
    assert asked() == few


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_others_get_nothing_and_change_nothing(boss, role):
    owner = accounts.the_owner()
    accounts.invite(owner, name="Ben")
    share = Share.objects.get()
    client = Client()
    client.force_login(accounts.make_user("Eve", role))

    for method, path in (
        ("get", "/members"),
        ("get", "/members?limit=x"),
        ("get", f"/members/{owner.uuid}"),
        ("put", f"/members/{owner.uuid}/person"),
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
