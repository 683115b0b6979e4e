"""Links through the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from lookwho.library.models import Album, AlbumItem, Share
from lookwho.services import sharing

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def album(shelf):
    made = Album.objects.create(title="Gala", slug="gala")
    AlbumItem.objects.create(album=made, media=shelf.photos[0])
    return made


def make(client, **asked):
    return client.post("/api/v1/links", asked, content_type=JSON)


def test_a_link_is_made_and_followed(owner, ask, album, shelf):
    answer = make(owner, album=str(album.uuid), only_mine=False, download_side=1600)

    assert answer.status_code == 201
    told = answer.json()
    assert (told["kind"], told["opens"], told["title"]) == ("album", str(album.uuid), "Gala")
    assert (told["only_mine"], told["password"], told["download_side"]) == (False, False, 1600)
    assert told["open"]
    page = ask(None).get(told["link"].removeprefix("http://testserver"))
    assert str(shelf.photos[0].uuid) in page.content.decode()


def test_the_address_is_told_as_the_site_is_reached(owner, album, settings):
    settings.SITE_URL = "https://photos.example.org"

    assert (
        make(owner, album=str(album.uuid))
        .json()["link"]
        .startswith("https://photos.example.org/g/")
    )


def test_unless_told_otherwise_each_sees_their_own(owner, album):
    told = make(owner, album=str(album.uuid)).json()

    assert told["only_mine"]
    assert told["download_side"] is None


@pytest.mark.parametrize(
    ("asked", "status"),
    (
        ({}, 422),
        ({"album": "6f3bd5a6-1b5f-4b6f-9f2b-000000000000"}, 404),
        ({"download_side": 500}, 422),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"password": "x" * 129}, 422),
    ),
)
def test_what_cannot_be_is_refused(asked, status, owner, album):
    whole = asked if asked in ({},) or "album" in asked else {"album": str(album.uuid), **asked}

    answer = make(owner, **whole)

    assert answer.status_code == status
    assert not Share.objects.exists()


def test_links_are_listed_piece_by_piece(owner, album, shelf):
    made = [sharing.share(shelf.owner, album=album)[0] for _ in range(3)]
    sharing.revoke(shelf.owner, made[0].uuid)

    first = owner.get("/api/v1/links?limit=1").json()
    second = owner.get(f"/api/v1/links?limit=1&cursor={first['next']}").json()
    ended = owner.get(f"/api/v1/links?ended=true&album={album.uuid}").json()

    assert [each["uuid"] for each in first["links"]] == [str(made[2].uuid)]
    assert [each["uuid"] for each in second["links"]] == [str(made[1].uuid)]
    assert second["next"] is None
    assert [each["uuid"] for each in ended["links"]] == [str(made[0].uuid)]
    assert not ended["links"][0]["open"]


def test_a_link_is_changed(owner, album, shelf):
    share, token = sharing.share(shelf.owner, album=album, password="moon", download_side=0)
    until = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
    where = f"/api/v1/links/{share.uuid}"

    owner.patch(where, {"expires_at": until.isoformat()}, content_type=JSON)
    kept = owner.get(where).json()
    told = owner.patch(where, {"password": "", "download_side": None}, content_type=JSON).json()

    assert (kept["password"], kept["download_side"]) == (True, 0)
    assert (told["password"], told["download_side"]) == (False, None)
    share.refresh_from_db()
    assert share.expires_at == until
    assert sharing.find_link(token) == share


def test_a_revoked_link_opens_nothing(owner, ask, album, shelf):
    share, token = sharing.share(shelf.owner, album=album)

    assert owner.delete(f"/api/v1/links/{share.uuid}").status_code == 204

    assert ask(None).get(f"/g/{token}").status_code == 410
    assert owner.get(f"/api/v1/links/{share.uuid}").json()["revoked_at"]


@pytest.mark.parametrize("role", ("member", "annotator"))
def test_links_are_nobody_elses(role, ask, album, shelf):
    from lookwho.services import accounts

    share, token = sharing.share(shelf.owner, album=album)
    client = ask(accounts.make_user("Carla", role))
    where = f"/api/v1/links/{share.uuid}"

    answers = [
        client.get("/api/v1/links"),
        make(client, album=str(album.uuid)),
        make(client, nonsense=1),
        client.get(where),
        client.patch(where, {"password": "x"}, content_type=JSON),
        client.delete(where),
    ]

    assert [answer.status_code for answer in answers] == [404] * 6
    assert not any(token in answer.content.decode() for answer in answers)
    assert sharing.find_link(token) == share
