"""Teams: who is in them, for owners alone."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import Team
from lookwho.services import accounts
from tests.gallery import make_album
from tests.people import a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def board(db):
    return Team.objects.create(title="Board")


@pytest.mark.parametrize("role", ("curator", "annotator", "member", None))
def test_the_page_is_for_owners_alone(board, role):
    client = Client()
    if role:
        client.force_login(a_user(role))

    for answer in (
        client.get("/teams"),
        client.post("/teams", {"title": "x"}),
        client.post(f"/teams/{board.uuid}", {"remove": "1"}),
    ):
        assert answer.status_code == (404 if role else 302)
        assert "Board" not in answer.content.decode()
    assert Team.objects.get().title == "Board"


def test_a_team_is_made_filled_renamed_and_removed(as_owner):
    anna = accounts.make_user("Anna")
    as_owner.post("/teams", {"title": "Board"})
    team = Team.objects.get()
    path = f"/teams/{team.uuid}"

    as_owner.post(path, {"add": "anna"})
    assert list(team.users.all()) == [anna]
    assert "Take Anna out of Board" in as_owner.get("/teams").content.decode()
    as_owner.post(path, {"out": str(anna.uuid)})
    assert not team.users.exists()
    as_owner.post(path, {"title": "The board"})
    assert "The board" in as_owner.get("/teams").content.decode()
    as_owner.post(path, {"remove": "1"})
    assert "There are no teams yet" in as_owner.get("/teams").content.decode()


@pytest.mark.parametrize(
    ("told", "status", "reason"),
    (
        ({"add": "Nobody"}, 422, "Nobody here is called Nobody"),
        ({"title": "x" * 101}, 422, "at most 100"),
        ({"remove": "1"}, 409, "say first for whom it is"),
    ),
)
def test_what_cannot_be_is_said_beside_the_team(as_owner, board, told, status, reason):
    make_album(title="Secret").teams.add(board)

    answer = as_owner.post(f"/teams/{board.uuid}", told)

    assert answer.status_code == status
    assert reason in answer.content.decode()
    assert Team.objects.get().title == "Board"


def test_two_teams_of_one_name_are_refused(as_owner, board):
    answer = as_owner.post("/teams", {"title": "board"})

    assert answer.status_code == 409
    assert "There is a team called board already" in answer.content.decode()


def test_the_page_asks_the_database_as_often_for_many_as_for_one(as_owner, board):
    counts = []
    for number in range(3):
        team = Team.objects.create(title=f"Team {number}")
        team.users.add(accounts.make_user(f"Anna {number}"))
        make_album().teams.add(team)
        with CaptureQueriesContext(connection) as asked:
            as_owner.get("/teams")
        counts.append(len(asked))
    assert len(set(counts)) == 1
