from uuid import uuid4

import pytest

from lookwho.core.errors import Conflict, Forbidden, Invalid, NotFound
from lookwho.library.models import Album, Project, Team
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import teams
from tests.gallery import make_album, make_member, make_photo
from tests.people import a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return a_user("owner")


def test_a_team_is_made_renamed_and_removed(owner):
    board = teams.make(owner, " The  board ")
    assert Team.objects.get().title == "The board"

    assert teams.rename(owner, board.uuid, "the Board").title == "the Board"
    assert teams.remove(owner, board.uuid).title == "the Board"

    assert not Team.objects.exists()
    for act in (teams.remove, lambda by, uuid: teams.rename(by, uuid, "x")):
        with pytest.raises(NotFound):
            act(owner, board.uuid)


def test_who_is_in_a_team_sees_its_album_and_who_left_it_does_not(owner):
    album, (anna, ben) = make_album(make_photo()), (make_member("Anna"), make_member("Ben"))
    board = teams.make(owner, "Board")
    album.teams.add(board)

    def who_sees():
        both = (anna, ben)
        return [user.username for user in both if scope_of(user, Purpose.BROWSE).open_albums]

    assert who_sees() == []
    teams.add(owner, board.uuid, [anna, ben, anna])
    assert who_sees() == ["Anna", "Ben"]
    teams.take_out(owner, board.uuid, [anna])
    assert who_sees() == ["Ben"]
    teams.set_users(owner, board.uuid, [anna])
    assert who_sees() == ["Anna"]


@pytest.mark.parametrize("kind", ("album", "project"))
def test_a_team_for_which_there_is_something_stays(owner, kind):
    board = teams.make(owner, "Board")
    if kind == "album":
        make_album(title="Secret").teams.add(board)
    else:
        Project.objects.create(title="Secret", team=board)

    with pytest.raises(Conflict, match="“Secret” is for Board"):
        teams.remove(owner, board.uuid)

    assert Team.objects.exists()
    assert kind == "project" or Album.objects.get().teams.exists()


@pytest.mark.parametrize("title", ("", " ", "x" * 101, "a\x00b"))
def test_a_name_that_cannot_be_is_refused(owner, title):
    with pytest.raises(Invalid):
        teams.make(owner, title)


def test_two_teams_are_not_called_the_same(owner):
    board, other = teams.make(owner, "Board"), teams.make(owner, "Photographers")

    with pytest.raises(Conflict):
        teams.make(owner, "board")
    with pytest.raises(Conflict):
        teams.rename(owner, other.uuid, "Board")
    teams.rename(owner, board.uuid, "BOARD")

    assert sorted(Team.objects.values_list("title", flat=True)) == ["BOARD", "Photographers"]


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_owners_say_who_is_in_a_team(owner, role):
    eve, board = a_user(role), teams.make(owner, "Board")

    for act in (
        lambda: teams.make(eve, "x"),
        lambda: teams.rename(eve, board.uuid, "x"),
        lambda: teams.remove(eve, board.uuid),
        lambda: teams.add(eve, board.uuid, [eve]),
        lambda: teams.take_out(eve, board.uuid, [eve]),
        lambda: teams.set_users(eve, board.uuid, [eve]),
        lambda: teams.rename(eve, uuid4(), "x"),
    ):
        with pytest.raises(Forbidden):
            act()

    board.refresh_from_db()
    assert (board.title, board.users.count(), Team.objects.count()) == ("Board", 0, 1)
