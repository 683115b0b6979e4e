"""Times of membership and whole lists through the API: for owners alone."""

import pytest
from django.test import Client

from lookwho.library.models import Membership
from lookwho.library.scope import Purpose, days_of
from lookwho.services import accounts, tokens

pytestmark = pytest.mark.django_db

JSON, CSV = "application/json", "text/csv"
LIST = "user,since,until\nAnna,2024-09-01,\nBen,1.9.2020,31.8.2021\nCleo,soon,\n"


@pytest.fixture
def boss():
    client = Client()
    client.force_login(accounts.the_owner())
    return client


@pytest.fixture
def anna():
    return accounts.make_user("Anna")


def test_times_are_set_and_told(boss, anna):
    path = f"/api/v1/members/{anna.uuid}/memberships"
    times = [{"since": "2020-01-01", "until": "2020-12-31"}, {"since": "2024-01-01"}]

    answer = boss.put(path, times, JSON)

    assert answer.status_code == 200
    assert answer.json() == boss.get(path).json()
    assert [row["until"] for row in answer.json()] == ["2020-12-31", None]
    for wrong in (
        [{"since": "2020-02-01", "until": "2020-01-01"}],
        [{"since": "2020-02-01"}, {"since": "2021-02-01"}],
        [{"since": "soon"}],
        {"since": "2020-02-01"},
    ):
        assert boss.put(path, wrong, JSON).status_code == 422
    assert Membership.objects.count() == 2
    assert boss.put(path, [], JSON).json() == []


@pytest.mark.parametrize("kind", (CSV, JSON))
def test_a_list_is_tried_and_taken(boss, anna, kind):
    accounts.make_user("Ben")
    told = LIST.encode("cp1252")
    if kind == JSON:
        rows = [line.split(",") for line in LIST.split()[1:]]
        told = {"rows": [dict(zip(("user", "since", "until"), row, strict=True)) for row in rows]}

    dry = boss.put("/api/v1/members/list?dry_run=true", told, kind).json()
    assert not Membership.objects.exists()
    wet = boss.put("/api/v1/members/list", told, kind).json()

    assert {**dry, "dry_run": False} == wet
    assert [one["name"] for one in wet["changed"]] == ["Anna", "Ben"]
    assert wet["changed"][0]["after"] == [{"since": "2024-09-01", "until": None}]
    assert ["no day" in row["reason"] for row in wet["refused"]] == [True]
    assert (wet["rows"], wet["unknown"], wet["left"]) == (3, [], [])
    assert boss.put("/api/v1/members/list", told, kind).json()["same"] == 2


def test_who_vanishes_from_a_list_loses_what_is_not_of_their_time(boss, anna):
    accounts.make_user("Ben")
    boss.put("/api/v1/members/list", "user,since\nAnna,2024-09-01\nBen,2024-09-01\n", CSV)
    assert days_of(anna, Purpose.BROWSE) is None

    left = boss.put("/api/v1/members/list", "user,since\nBen,2024-09-01\n", CSV).json()["left"]

    assert [one["name"] for one in left] == ["Anna"]
    assert days_of(anna, Purpose.BROWSE) is not None


def test_new_members_are_made_where_that_is_asked_for(boss):
    told = "name,email\nAnna,anna@example.org\n"
    assert boss.put("/api/v1/members/list", told, CSV).json()["unknown"][0]["line"] == 2

    answer = boss.put("/api/v1/members/list?make=true", told, CSV)

    assert answer.json()["made"] == ["Anna"]


@pytest.mark.parametrize(
    ("told", "kind"),
    (
        ("", CSV),
        ("user\n", CSV),
        ("x\x00", CSV),
        ("", JSON),
        ("[]", JSON),
        ('{"rows": []}', JSON),
        ('{"rows": [{"user": 1}]}', JSON),
        ("a=1", "application/x-www-form-urlencoded"),
    ),
)
def test_what_is_no_list_is_refused(boss, anna, told, kind):
    answer = boss.generic("PUT", "/api/v1/members/list", told, kind)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_list_that_is_too_large_is_refused(boss):
    told = "user\n" + "x" * (5 << 20)

    answer = boss.put("/api/v1/members/list", told, CSV)

    assert (answer.status_code, "too large" in answer.json()["message"]) == (422, True)


@pytest.mark.parametrize("role", ("curator", "annotator", "member", None, "token", "former owner"))
def test_others_get_nothing_and_change_nothing(anna, role):
    owner, client, expected = accounts.the_owner(), Client(), 404
    if role is None:
        expected = 401
    elif role == "token":
        token = tokens.make_token(owner, "frame", scopes=["members:read"])
        client, expected = Client(headers={"Authorization": f"Bearer {token}"}), 403
    elif role == "former owner":
        eve = accounts.make_user("Eve", "owner")
        client.force_login(eve)
        accounts.set_role(owner, eve, "member")
    else:
        client.force_login(accounts.make_user("Eve", role))

    for method, path in (
        ("GET", f"/members/{anna.uuid}/memberships"),
        ("PUT", f"/members/{anna.uuid}/memberships"),
        ("PUT", "/members/list?dry_run=x"),
        ("PUT", "/members/list"),
    ):
        if role == "token" and method == "GET":
            continue
        answer = client.generic(method, f"/api/v1{path}", "user,since\nAnna,\n", CSV)
        assert answer.status_code == expected, (method, path)
        assert "Anna" not in answer.content.decode()
    assert not Membership.objects.exists()
