"""Albums and likes through the API: members see what is open to them, curators look after it."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import Album, AlbumItem, Collection, Like, Membership, Team
from tests.people import a_user

JSON = "application/json"
JUNE = datetime.date(2025, 6, 1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def gala(shelf):
    album = Album.objects.create(title="Gala", slug="gala", date=JUNE, event="Lustrum")
    AlbumItem.objects.bulk_create(AlbumItem(album=album, media=each) for each in shelf.photos[:2])
    return album


@pytest.fixture
def hidden(shelf):
    album = Album.objects.create(title="Secret", slug="secret", date=JUNE, hidden=True)
    AlbumItem.objects.create(album=album, media=shelf.photos[2])
    return album


def titles(answer):
    return [each["title"] for each in answer.json()["albums"]]


# --- albums ---


def test_a_member_lists_the_visible_albums_with_what_is_to_be_seen_of_them(member, gala, hidden):
    answer = member.get("/api/v1/albums").json()

    assert answer["total"] == 1
    assert answer["years"] == [{"year": "2024", "albums": 1}]
    (told,) = answer["albums"]
    assert told == {
        "uuid": str(gala.uuid),
        "slug": "gala",
        "title": "Gala",
        "date": "2025-06-01",
        "event": "Lustrum",
        "academic_year": "2024–2025",
        "photos": 2,
        "new": 0,
        "cover": told["cover"],
        "hidden": False,
        "processing": False,
        "consenting_only": False,
        "teams": [],
    }
    assert member.get("/api/v1/albums/gala").json() == told


def test_albums_are_sought_by_words_and_by_year(owner, gala, hidden):
    assert titles(owner.get("/api/v1/albums?search=gala+june")) == ["Gala"]
    assert titles(owner.get("/api/v1/albums?search=gala+july")) == []
    assert titles(owner.get("/api/v1/albums?year=2024")) == ["Secret", "Gala"]
    assert titles(owner.get("/api/v1/albums?year=undated")) == []


def test_cursors_lead_through_all_albums(owner, shelf):
    for number in range(5):
        Album.objects.create(title=f"{number}", slug=f"a{number}", date=JUNE)
    seen, cursor = [], ""
    while cursor is not None:
        answer = owner.get(f"/api/v1/albums?limit=2&cursor={cursor}")
        seen += titles(answer)
        cursor = answer.json()["next"]

    assert seen == ["4", "3", "2", "1", "0"]
    assert owner.get("/api/v1/albums?cursor=nonsense").status_code == 422


def test_photos_of_an_album_are_told_with_their_likes(member, shelf, gala):
    for _ in range(3):
        Like.objects.create(user=a_user("member"), media=shelf.photos[0])
    Like.objects.create(user=shelf.member, media=shelf.photos[1])

    first = member.get("/api/v1/albums/gala/photos?limit=1").json()
    second = member.get(f"/api/v1/albums/gala/photos?limit=1&cursor={first['next']}").json()

    assert (first["total"], second["next"]) == (2, None)
    told = [
        (each["uuid"], each["likes"], each["liked"]) for each in first["photos"] + second["photos"]
    ]
    assert told == [
        (str(shelf.photos[1].uuid), 1, True),
        (str(shelf.photos[0].uuid), 3, False),
    ]


@pytest.mark.parametrize("path", ("albums", "albums/gala/photos", "photos/liked"))
def test_a_list_makes_as_many_queries_for_one_as_for_three(member, shelf, gala, path):
    def queries():
        with CaptureQueriesContext(connection) as made:
            assert member.get(f"/api/v1/{path}").status_code == 200
        return len(made)

    Like.objects.create(user=shelf.member, media=shelf.photos[0])
    AlbumItem.objects.filter(media=shelf.photos[1]).delete()
    queries()
    for_one = queries()
    for number in (1, 2):
        AlbumItem.objects.create(album=gala, media=shelf.photos[number])
        Like.objects.create(user=shelf.member, media=shelf.photos[number])
        other = Album.objects.create(title="More", slug=f"more-{number}")
        AlbumItem.objects.create(album=other, media=shelf.photos[number])

    assert queries() == for_one


def test_a_curator_makes_an_album_changes_it_and_removes_it(owner, shelf):
    board = Team.objects.create(title="Board")

    made = owner.post("/api/v1/albums", {"title": "Gala", "date": "2025-06-01"}, JSON)
    assert (made.status_code, made.json()["slug"]) == (201, "gala")
    photos = {"photos": [str(each.uuid) for each in shelf.photos]}
    assert owner.post("/api/v1/albums/gala/photos", photos, JSON).json() == {"photos": 3}
    assert owner.post("/api/v1/albums/gala/photos", photos, JSON).json() == {"photos": 0}
    one = {"photos": [str(shelf.photos[0].uuid)]}
    assert owner.post("/api/v1/albums/gala/photos/remove", one, JSON).json() == {"photos": 1}
    cover = str(shelf.photos[2].uuid)
    changes = {"date": None, "hidden": True, "cover": cover, "teams": [str(board.uuid)]}
    told = owner.patch("/api/v1/albums/gala", changes, JSON).json()
    assert (told["date"], told["hidden"], told["cover"]) == (None, True, cover)
    assert (told["teams"], told["title"], told["photos"]) == (["Board"], "Gala", 2)
    assert owner.patch("/api/v1/albums/gala", {"slug": "party"}, JSON).json()["slug"] == "party"
    assert owner.delete("/api/v1/albums/party").status_code == 204
    assert owner.get("/api/v1/albums/party").status_code == 404
    assert owner.get("/api/v1/photos").json()["total"] == 3


@pytest.mark.parametrize(
    ("changes", "status"),
    (
        ({"title": ""}, 422),
        ({"slug": "a b"}, 422),
        ({"slug": "secret"}, 409),
        ({"date": "2025-13-01"}, 422),
        ({"teams": ["00000000-0000-4000-8000-000000000000"]}, 404),
        ({"cover": "00000000-0000-4000-8000-000000000000"}, 404),
        ({"cover": "other"}, 404),
    ),
)
def test_a_change_that_cannot_be_changes_nothing(owner, shelf, gala, hidden, changes, status):
    if changes == {"cover": "other"}:
        changes = {"cover": str(shelf.photos[2].uuid)}  # is in another album
    before = owner.get("/api/v1/albums/gala").json()

    answer = owner.patch("/api/v1/albums/gala", {"hidden": True, **changes}, JSON)

    assert answer.status_code == status
    assert set(answer.json()) == {"code", "message"}
    assert owner.get("/api/v1/albums/gala").json() == before


ACTS = (
    ("get", "albums/secret", None),
    ("get", "albums/secret/photos", None),
    ("post", "albums", {"title": "Mine"}),
    ("patch", "albums/gala", {"hidden": True}),
    ("delete", "albums/gala", None),
    ("post", "albums/gala/photos", {"photos": ["00000000-0000-4000-8000-000000000000"]}),
    ("post", "albums/gala/photos/remove", {"photos": ["00000000-0000-4000-8000-000000000000"]}),
)


@pytest.mark.parametrize(("verb", "path", "told"), ACTS, ids=lambda part: str(part)[:30])
@pytest.mark.parametrize("valid", (True, False))
def test_what_is_not_for_members_is_not_there(ask, member, gala, hidden, verb, path, told, valid):
    body = told if valid else {"nonsense": 1}

    for client, status in ((member, 404), (ask(None), 401)):
        answer = getattr(client, verb)(f"/api/v1/{path}", body, JSON)
        assert answer.status_code == status
        assert set(answer.json()) == {"code", "message"}
    assert Album.objects.filter(hidden=True).get() == hidden
    assert (Album.objects.count(), AlbumItem.objects.count()) == (2, 3)


def test_a_former_member_sees_albums_of_their_time(member, shelf, gala):
    until = datetime.date(2025, 5, 31)
    Membership.objects.create(user=shelf.member, since=datetime.date(2024, 1, 1), until=until)

    assert member.get("/api/v1/albums").json()["albums"] == []
    assert member.get("/api/v1/albums/gala").status_code == 404
    assert member.get("/api/v1/albums/gala/photos").status_code == 404

    Membership.objects.update(until=JUNE)
    assert titles(member.get("/api/v1/albums")) == ["Gala"]


# --- likes ---


def test_a_photo_is_liked_and_unliked_as_often_as_one_says_so(member, shelf, gala):
    path = f"/api/v1/photos/{shelf.photos[0].uuid}/like"
    Like.objects.create(user=shelf.owner, media=shelf.photos[0])

    def done(verb):
        answer = getattr(member, verb)(path)
        return answer.status_code, answer.json() if answer.content else None

    assert done("get") == (200, {"likes": 1, "liked": False})
    assert done("post") == (201, {"likes": 2, "liked": True})
    assert done("post") == (200, {"likes": 2, "liked": True})
    assert done("delete") == (202, {"likes": 1, "liked": False})
    assert done("delete") == (204, None)
    assert Like.objects.get().user == shelf.owner


@pytest.mark.parametrize("verb", ("get", "post", "delete"))
def test_likes_do_not_get_past_a_hidden_album(ask, member, shelf, hidden, verb):
    Collection.objects.update(policy=Collection.Policy.OPEN)  # its folder does not open it either
    path = f"/api/v1/photos/{shelf.photos[2].uuid}/like"
    Like.objects.create(user=shelf.owner, media=shelf.photos[2])

    for client, status in ((member, 404), (ask(None), 401)):
        answer = getattr(client, verb)(path)
        assert answer.status_code == status
        assert "likes" not in answer.json()
    assert Like.objects.count() == 1


def test_liked_and_most_liked_photos_are_those_that_one_may_see(member, shelf, gala, hidden):
    for photo in shelf.photos:
        Like.objects.create(user=shelf.member, media=photo)
    Like.objects.create(user=shelf.owner, media=shelf.photos[0])

    liked = member.get("/api/v1/photos/liked").json()
    most = member.get("/api/v1/photos/most-liked").json()

    newest, oldest = str(shelf.photos[1].uuid), str(shelf.photos[0].uuid)
    assert [each["uuid"] for each in liked["photos"]] == [newest, oldest]
    assert (liked["total"], liked["next"]) == (2, None)
    assert [(each["uuid"], each["likes"]) for each in most] == [(oldest, 2), (newest, 1)]


def test_somebody_of_whom_nothing_is_known_but_their_account_is_answered(ask, gala):
    client = ask(a_user("member"))  # no periods, no selfies, no person, no team

    for path in ("albums", "albums/gala", "albums/gala/photos", "photos/liked"):
        assert client.get(f"/api/v1/{path}").status_code == 200
