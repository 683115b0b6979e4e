"""Teams through the API: for owners alone."""

import json
from uuid import uuid4

import pytest
from django.test import Client

from lookwho.library.models import Team
from lookwho.services import accounts, teams
from tests.gallery import make_album

pytestmark = pytest.mark.django_db

JSON = "application/json"
TEAMS = "/api/v1/teams"


@pytest.fixture
def boss():
    client = Client()
    client.force_login(accounts.the_owner())
    return client


def test_a_team_is_made_changed_and_removed(boss):
    anna = accounts.make_user("Anna")
    made = boss.post(TEAMS, {"title": "Board", "users": [str(anna.uuid)]}, JSON)
    assert made.status_code == 201
    path = f"{TEAMS}/{made.json()['uuid']}"
    make_album(title="Secret").teams.add(Team.objects.get())

    (row,) = boss.get(TEAMS).json()
    assert row == boss.get(path).json()
    assert (row["title"], row["albums"]) == ("Board", ["Secret"])
    assert [user["name"] for user in row["users"]] == ["Anna"]
    changed = boss.patch(path, {"title": "The board", "users": []}, JSON).json()
    assert (changed["title"], changed["users"]) == ("The board", [])

    assert boss.delete(path).status_code == 409
    Team.objects.get().albums.clear()
    assert boss.delete(path).status_code == 204
    assert boss.get(path).status_code == boss.delete(path).status_code == 404


def test_what_cannot_be_is_refused(boss):
    board = teams.make(accounts.the_owner(), "Board")

    for told in ({}, {"title": ""}, {"title": "x", "users": [str(uuid4())]}, {"users": "all"}):
        assert boss.post(TEAMS, told, JSON).status_code == 422
    assert boss.post(TEAMS, {"title": "board"}, JSON).status_code == 409
    wrong = {"title": "x", "users": [str(uuid4())]}
    assert boss.patch(f"{TEAMS}/{board.uuid}", wrong, JSON).status_code == 422
    assert Team.objects.get().title == "Board"


@pytest.mark.parametrize("role", ("curator", "annotator", "member", None))
def test_others_get_nothing_and_change_nothing(role):
    board = teams.make(accounts.the_owner(), "Board")
    client = Client()
    if role:
        client.force_login(accounts.make_user("Eve", role))

    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("GET", f"/{board.uuid}"),
        ("PATCH", f"/{board.uuid}"),
        ("DELETE", f"/{board.uuid}"),
    ):
        answer = client.generic(method, f"{TEAMS}{path}", json.dumps({"title": 1}), JSON)
        assert answer.status_code == (404 if role else 401), (method, path)
        assert "Board" not in answer.content.decode()
    assert Team.objects.get().title == "Board"
