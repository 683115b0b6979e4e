"""Selfies and one's own photos through the API."""

import io
from datetime import timedelta

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image

from lookwho.library.models import Collection, Decision, Embedding, Like, Reference, User
from lookwho.services import accounts, analysis, consents
from tests.gallery import consented, make_album

pytestmark = pytest.mark.django_db


def picture():
    """Return a file that is a picture, of nobody."""
    data = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(data, "PNG")
    return ContentFile(data.getvalue(), name="me.png")


def selfie_of(user, who):
    """Write down a selfie that was looked at: of the person with that number on the shelf."""
    selfie = Reference.objects.create(user=user, file="x.png", state="done")
    vector = np.eye(128, dtype="<f4")[who]
    pack = analysis.current_pack()
    return Embedding.objects.create(reference=selfie, pack=pack, vector=vector.tobytes()).reference


def test_a_selfie_is_taken_in_and_removed_again(member, shelf):
    consented(shelf.member)
    added = member.post("/api/v1/me/selfies", {"file": picture()})
    assert added.status_code == 201
    assert added.json()["state"] == "processing"
    assert len(member.get("/api/v1/me/selfies").json()) == 1

    removed = member.delete(f"/api/v1/me/selfies/{added.json()['uuid']}")

    assert removed.status_code == 204
    assert member.get("/api/v1/me/selfies").json() == []
    assert not Reference.objects.exists()


def test_what_is_no_picture_is_no_selfie(member, shelf):
    consented(shelf.member)
    answer = member.post("/api/v1/me/selfies", {"file": ContentFile(b"hello", name="me.jpg")})

    assert (answer.status_code, answer.json()["code"]) == (422, "not_an_image")


def test_a_sixth_selfie_is_refused(member, shelf):
    consented(shelf.member)
    for _ in range(5):
        selfie_of(shelf.member, 0)

    assert member.post("/api/v1/me/selfies", {"file": picture()}).status_code == 409


def test_a_member_finds_the_photos_they_are_in_and_no_others(member, shelf):
    Collection.objects.update(policy=Collection.Policy.OWN)
    selfie_of(shelf.member, 1)

    answer = member.get("/api/v1/me/photos").json()

    (found,) = answer["photos"]
    assert (answer["total"], answer["next"]) == (1, None)
    assert found["uuid"] == str(shelf.photos[2].uuid)
    assert found["mine"]
    assert found["names"] == []
    assert member.get(f"/api/v1/photos/{shelf.photos[2].uuid}").status_code == 200
    assert member.get(f"/api/v1/photos/{shelf.photos[0].uuid}").status_code == 404


def test_another_members_selfie_finds_nothing_for_me(ask, member, shelf):
    Collection.objects.update(policy=Collection.Policy.OWN)
    selfie_of(shelf.member, 1)
    other = ask(accounts.make_user("Carla"))

    assert other.get("/api/v1/me/photos").json()["photos"] == []
    assert other.get("/api/v1/me/selfies").json() == []
    assert other.get(f"/api/v1/photos/{shelf.photos[2].uuid}").status_code == 404


def test_nobody_removes_the_selfie_of_another(member, shelf):
    selfie = selfie_of(shelf.owner, 0)

    assert member.delete(f"/api/v1/me/selfies/{selfie.uuid}").status_code == 404
    assert Reference.objects.filter(pk=selfie.pk).exists()


def test_a_selfie_finds_nothing_in_a_folder_that_is_closed(member, shelf):
    selfie_of(shelf.member, 1)

    assert member.get("/api/v1/me/photos").json()["photos"] == []


# --- consent ---


def test_who_has_not_agreed_adds_no_selfie_and_agrees_with_the_form(member):
    refused = member.post("/api/v1/me/selfies", {"file": picture()})
    old = member.post("/api/v1/me/selfies", {"file": picture(), "agree": "true", "version": "7"})
    version = consents.newest(consents.FIND).version
    told = {"file": picture(), "agree": "true", "version": str(version)}
    added = member.post("/api/v1/me/selfies", told)

    assert (refused.status_code, refused.json()["code"]) == (403, "consent_needed")
    assert (old.status_code, old.json()["code"]) == (409, "conflict")
    assert added.status_code == 201
    assert Reference.objects.count() == 1


# --- the list ---


@pytest.fixture
def found(shelf):
    """The member is in two photos of the shelf, which one may look for oneself in."""
    Collection.objects.update(policy=Collection.Policy.OWN)
    selfie_of(shelf.member, 0)
    return shelf


def photos(client, **asked):
    answer = client.get("/api/v1/me/photos", asked)
    assert answer.status_code == 200
    return answer.json()


def test_a_photo_is_told_with_its_event_its_sizes_and_who_likes_it(member, found):
    make_album(found.photos[0], title="Party", slug="party")
    for user in (found.owner, found.member):
        Like.objects.create(user=user, media=found.photos[0])
    for _ in range(3):
        selfie_of(found.member, 0)  # which must not make more likes of two

    newest, oldest = photos(member)["photos"]

    uuid = str(found.photos[0].uuid)
    assert (oldest["uuid"], oldest["album"]) == (uuid, {"slug": "party", "title": "Party"})
    assert (oldest["likes"], oldest["liked"]) == (2, True)
    assert oldest["pictures"] == {
        "small": f"/pictures/{uuid}/320.webp",
        "medium": f"/pictures/{uuid}/640.webp",
        "large": f"/pictures/{uuid}/1600.webp",
        "original": f"/originals/{uuid}",
    }
    assert (newest["album"], newest["likes"], newest["liked"]) == (None, 0, False)
    assert member.get(oldest["pictures"]["small"]).status_code == 404  # there is no file
    assert member.get(f"/api/v1/photos/{uuid}").status_code == 200


def test_the_list_comes_in_pieces_in_which_nothing_is_missed_or_twice(member, found):
    first = photos(member, limit=1)
    found.photos[1].faces.all().delete()  # what the cursor names is gone meanwhile
    second = photos(member, limit=1, cursor=first["next"])

    assert [each["uuid"] for each in first["photos"]] == [str(found.photos[1].uuid)]
    assert [each["uuid"] for each in second["photos"]] == [str(found.photos[0].uuid)]
    assert second["next"] is None
    assert member.get("/api/v1/me/photos?cursor=nonsense").status_code == 422


def test_it_is_narrowed_to_an_event_and_to_what_is_new(member, found):
    make_album(found.photos[0], slug="party")
    User.objects.filter(pk=found.member.pk).update(visited_at=timezone.now() + timedelta(days=1))

    assert len(photos(member, album="party")["photos"]) == 1
    assert photos(member, album="other")["photos"] == []
    assert photos(member, new="true")["photos"] == []
    User.objects.filter(pk=found.member.pk).update(visited_at=timezone.now() - timedelta(days=1))
    assert [each["new"] for each in photos(member, new="true")["photos"]] == [True, True]


def test_two_photos_take_as_many_queries_as_one(member, found, django_assert_num_queries):
    photos(member)
    with CaptureQueriesContext(connection) as two:
        assert len(photos(member)["photos"]) == 2
    found.photos[1].faces.all().delete()

    with django_assert_num_queries(len(two)):
        assert len(photos(member)["photos"]) == 1


# --- this is me, this is not me ---


def test_a_face_is_denied_and_that_is_taken_back(ask, member, found):
    face = photos(member)["photos"][0]["face"]
    said = member.put(f"/api/v1/me/faces/{face}", {"me": False}, "application/json")
    left = photos(member)["total"]
    asked = {"batch": said.json()["batch"]}
    others = ask(found.owner).post("/api/v1/me/undo", asked, "application/json")
    undone = member.post("/api/v1/me/undo", asked, "application/json")

    assert (said.status_code, left, others.status_code, undone.status_code) == (200, 1, 404, 200)
    assert photos(member)["total"] == 2
    confirmed = member.put(f"/api/v1/me/faces/{face}", {"me": True}, "application/json")
    assert confirmed.status_code == 200


def test_of_a_face_that_is_not_offered_nothing_is_said(ask, member, found):
    other = ask(accounts.make_user("Carla"))
    told = {"me": True}

    for client, face in ((member, found.faces[2]), (other, found.faces[0])):
        answer = client.put(f"/api/v1/me/faces/{face.uuid}", told, "application/json")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not Decision.objects.exists()


# --- oneself ---


def test_mail_is_asked_for_where_there_is_an_address(member, shelf):
    def ask_for(wanted):
        return member.patch("/api/v1/me", {"wants_mail": wanted}, "application/json")

    assert ask_for(True).status_code == 422
    User.objects.filter(pk=shelf.member.pk).update(email="bert@example.org")
    assert ask_for(True).json()["wants_mail"] is True
    assert member.get("/api/v1/me").json()["wants_mail"] is True
    assert ask_for(False).json()["wants_mail"] is False


def test_a_selfie_is_fetched_by_its_owner_alone(ask, member, shelf):
    consented(shelf.member)
    added = member.post("/api/v1/me/selfies", {"file": picture()}).json()

    answer = member.get(added["picture"])

    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert answer.content == picture().read()
    assert ask(shelf.owner).get(added["picture"]).status_code == 404
    assert ask(None).get(added["picture"]).status_code == 401
