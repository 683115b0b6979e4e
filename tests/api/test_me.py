"""Selfies and one's own photos through the API."""

import io

import numpy as np
import pytest
from django.core.files.base import ContentFile
from PIL import Image

from lookwho.library.models import Collection, Embedding, Reference
from lookwho.services import accounts, analysis

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


def test_a_selfie_is_taken_in_and_removed_again(member):
    added = member.post("/api/v1/me/selfies", {"file": picture()})
    assert added.status_code == 201
    assert added.json()["state"] == "processing"
    assert len(member.get("/api/v1/me/selfies").json()) == 1

    removed = member.delete(f"/api/v1/me/selfies/{added.json()['uuid']}")

    assert removed.status_code == 204
    assert member.get("/api/v1/me/selfies").json() == []
    assert not Reference.objects.exists()


def test_what_is_no_picture_is_no_selfie(member):
    answer = member.post("/api/v1/me/selfies", {"file": ContentFile(b"hello", name="me.jpg")})

    assert (answer.status_code, answer.json()["code"]) == (422, "not_an_image")


def test_a_sixth_selfie_is_refused(member, shelf):
    for _ in range(5):
        selfie_of(shelf.member, 0)

    assert member.post("/api/v1/me/selfies", {"file": picture()}).status_code == 409


def test_a_member_finds_the_photos_they_are_in_and_no_others(member, shelf):
    Collection.objects.update(policy=Collection.Policy.OWN)
    selfie_of(shelf.member, 1)

    (found,) = member.get("/api/v1/me/photos").json()

    assert found["uuid"] == str(shelf.photos[2].uuid)
    assert found["mine"]
    assert found["names"] == []
    assert member.get(f"/api/v1/photos/{shelf.photos[2].uuid}").status_code == 200
    assert member.get(f"/api/v1/photos/{shelf.photos[0].uuid}").status_code == 404


def test_another_members_selfie_finds_nothing_for_me(ask, member, shelf):
    Collection.objects.update(policy=Collection.Policy.OWN)
    selfie_of(shelf.member, 1)
    other = ask(accounts.make_user("Carla"))

    assert other.get("/api/v1/me/photos").json() == []
    assert other.get("/api/v1/me/selfies").json() == []
    assert other.get(f"/api/v1/photos/{shelf.photos[2].uuid}").status_code == 404


def test_nobody_removes_the_selfie_of_another(member, shelf):
    selfie = selfie_of(shelf.owner, 0)

    assert member.delete(f"/api/v1/me/selfies/{selfie.uuid}").status_code == 404
    assert Reference.objects.filter(pk=selfie.pk).exists()


def test_a_selfie_finds_nothing_in_a_folder_that_is_closed(member, shelf):
    selfie_of(shelf.member, 1)

    assert member.get("/api/v1/me/photos").json() == []
