"""Photos through the API: each sees what they may, with the names they may know."""

import pytest

from lookwho.library.models import (
    Album,
    AlbumItem,
    Analysis,
    Collection,
    Decision,
    Face,
    Person,
)
from lookwho.services import analysis

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


# --- drawn by hand ---

ELSEWHERE = [0.6, 0.6, 0.8, 0.9]


def test_a_face_is_drawn_moved_and_somebody_said_not_to_show(owner, shelf):
    path = f"/api/v1/photos/{shelf.photos[0].uuid}"

    drawn = owner.post(f"{path}/faces", {"box": ELSEWHERE, "name": "Anna"}, JSON).json()
    owner.post(f"{path}/absent", {"name": "Bea"}, JSON)
    shown = owner.get(path).json()["faces"]

    assert [(face["source"], face["person"] and face["person"]["name"]) for face in shown] == [
        ("detector", None),
        ("human", "Anna"),
        ("absent", "Bea"),
    ]
    assert shown[1]["box"] == ELSEWHERE
    assert owner.get(path).json()["names"] == ["Anna", "Bea"]

    face = shown[1]["uuid"]
    moved = owner.put(f"/api/v1/faces/{face}/box", {"box": [0.5, 0.5, 0.7, 0.9]}, JSON)
    assert moved.status_code == 200
    assert owner.get(path).json()["faces"][1]["box"] == [0.5, 0.5, 0.7, 0.9]
    owner.post("/api/v1/undo", {"batch": drawn["batch"]}, JSON)
    assert owner.get(path).json()["names"] == ["Bea"]


def test_a_face_is_not_drawn_upon_another_or_outside_the_photo(owner, shelf):
    path = f"/api/v1/photos/{shelf.photos[0].uuid}/faces"

    assert owner.post(path, {"box": [0.2, 0.2, 0.4, 0.5]}, JSON).status_code == 409
    for box in ([2, 2, 3, 3], [0.2, 0.2, 0.2, 0.2], [0, 0, 1]):
        assert owner.post(path, {"box": box}, JSON).status_code == 422
    assert Face.objects.count() == 3


def test_photos_of_somebody_who_does_not_show_are_theirs(owner, shelf):
    path = f"/api/v1/photos/{shelf.photos[0].uuid}"
    owner.post(f"{path}/absent", {"name": "Bea"}, JSON)
    bea = str(Person.objects.get(name="Bea").uuid)

    def found(**asked):
        return owner.get("/api/v1/photos", asked).json()["total"]

    assert (found(person=bea), found(without=bea)) == (1, 2)
    assert owner.get("/api/v1/people").json()["people"][0]["photos"] == 1
    assert owner.get("/api/v1/people").json()["people"][0]["cover"] is None
    assert owner.get(f"/api/v1/people/{bea}/faces").json()["faces"] == []
    assert found(person=bea, together="only") == 0  # somebody without a name is beside her
    Face.objects.filter(media=shelf.photos[0], source="detector").delete()
    assert found(person=bea, together="only") == 1
    Analysis.objects.create(
        media=shelf.photos[0], pack=analysis.current_pack(), state="done", reason="nothing"
    )
    assert found(faces="none") == 1  # no face shows


def test_nobody_else_draws_anything(ask, member, shelf):
    photo, face = shelf.photos[0].uuid, shelf.faces[0].uuid
    acts = (
        ("post", f"photos/{photo}/faces", {"box": ELSEWHERE, "name": "Eve"}),
        ("post", f"photos/{photo}/absent", {"name": "Eve"}),
        ("put", f"faces/{face}/box", {"box": ELSEWHERE}),
    )

    Collection.objects.update(policy=Collection.Policy.OPEN)  # to see is not to name
    for client, status in ((member, 404), (ask(None), 401)):
        for verb, path, told in acts:
            assert getattr(client, verb)(f"/api/v1/{path}", told, JSON).status_code == status
    assert (Face.objects.count(), Decision.objects.count()) == (3, 0)


def test_a_long_list_is_read_in_pieces(owner, shelf):
    whole = owner.get("/api/v1/photos").json()
    first = owner.get("/api/v1/photos?limit=1").json()
    second = owner.get("/api/v1/photos", {"limit": 500, "cursor": first["next"]}).json()

    assert first["photos"] + second["photos"] == whole["photos"]
    assert whole["next"] is second["next"] is None
    assert first["total"] == second["total"] == len(whole["photos"]) > 1
