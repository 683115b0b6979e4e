"""Photos through the API: each sees what they may, with the names they may know."""

import pytest

from lookwho.library.models import Album, AlbumItem, Collection

JSON = "application/json"

pytestmark = pytest.mark.django_db


def test_photos_are_listed_the_newest_first(owner, shelf):
    answer = owner.get("/api/v1/photos?limit=2").json()

    assert answer["total"] == 3
    assert [each["uuid"] for each in answer["photos"]] == [
        str(photo.uuid) for photo in (shelf.photos[2], shelf.photos[1])
    ]


def test_photos_are_narrowed_to_a_person(owner, shelf):
    owner.patch(f"/api/v1/people/{shelf.groups[1].uuid}", {"name": "Bert"}, JSON)

    answer = owner.get(f"/api/v1/photos?person={shelf.groups[1].uuid}").json()

    assert [each["names"] for each in answer["photos"]] == [["Bert"]]


def test_days_are_counted(owner):
    days = owner.get("/api/v1/photos/days?since=2025-08-21").json()

    assert days == [{"day": "2025-08-22", "photos": 1}, {"day": "2025-08-21", "photos": 1}]


def test_a_photo_tells_its_faces_and_where_it_lies(owner, shelf):
    answer = owner.get(f"/api/v1/photos/{shelf.photos[0].uuid}").json()

    assert answer["faces"][0]["box"] == pytest.approx([0.2, 0.2, 0.4, 0.5])
    assert answer["files"] == ["/photos/0.jpg"]


def test_a_face_says_who_it_may_be(owner, shelf):
    owner.post("/api/v1/faces/name", {"faces": [str(shelf.faces[0].uuid)], "name": "Anna"}, JSON)

    (found,) = owner.get(f"/api/v1/faces/{shelf.faces[1].uuid}/suggestions").json()

    assert found["person"]["name"] == "Anna"
    assert found["probability"] > 0.9


def test_a_member_sees_an_open_album_without_names_and_places(owner, member, shelf):
    owner.patch(f"/api/v1/people/{shelf.groups[0].uuid}", {"name": "Anna"}, JSON)
    album = Album.objects.create(title="Party", slug="party")
    AlbumItem.objects.create(album=album, media=shelf.photos[0])

    listed = member.get("/api/v1/photos").json()
    photo = member.get(f"/api/v1/photos/{shelf.photos[0].uuid}").json()

    assert [each["uuid"] for each in listed["photos"]] == [str(shelf.photos[0].uuid)]
    assert (photo["names"], photo["faces"], photo["files"]) == ([], [], [])
    assert photo["albums"] == ["Party"]


@pytest.mark.parametrize("closed", ({"hidden": True}, {"processing": True}))
def test_a_member_sees_nothing_of_an_album_that_is_not_open(member, shelf, closed):
    album = Album.objects.create(title="Party", slug="party", **closed)
    AlbumItem.objects.create(album=album, media=shelf.photos[0])

    assert member.get("/api/v1/photos").json()["total"] == 0
    assert member.get("/api/v1/photos/days").json() == []
    assert member.get(f"/api/v1/photos/{shelf.photos[0].uuid}").status_code == 404


def test_a_member_asks_for_no_person(member, shelf):
    Collection.objects.update(policy=Collection.Policy.OPEN)
    assert member.get("/api/v1/photos").json()["total"] == 3

    answer = member.get(f"/api/v1/photos?person={shelf.groups[0].uuid}")

    assert answer.status_code == 404


@pytest.mark.parametrize("path", ("photos", "people?part=few", "me/photos", "work"))
def test_a_list_makes_as_many_queries_for_one_as_for_three(
    owner, shelf, path, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    owner.get(f"/api/v1/{path}")
    with CaptureQueriesContext(connection) as three:
        owner.get(f"/api/v1/{path}")
    for photo in shelf.photos[1:]:
        photo.delete()
    shelf.groups[1].delete()

    with django_assert_num_queries(len(three)):
        owner.get(f"/api/v1/{path}")
