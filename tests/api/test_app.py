"""The API as a whole: who may ask, what an error looks like, and what is documented."""

import json

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from lookwho.library.models import Collection, Decision, Job, Reference, Region, Share
from lookwho.services import accounts, tokens

JSON = "application/json"
# Whatever a signed-in member may do all the same; each has tests of its own.
FOR_MEMBERS = {
    ("get", "/api/v1/me"),
    ("get", "/api/v1/me/photos"),
    ("get", "/api/v1/me/selfies"),
    ("post", "/api/v1/me/selfies"),
    ("get", "/api/v1/photos"),
    ("get", "/api/v1/photos/days"),
    ("get", "/api/v1/requests/mine"),
}


def operations(client):
    """Yield method and path of everything that the API can do."""
    schema = client.get("/api/v1/openapi.json").json()
    for path, methods in schema["paths"].items():
        for method in methods:
            yield method, path


def addressed(path, shelf):
    """Put things that are really there into a path."""
    if "/photos/" in path:
        return path.replace("{uuid}", str(shelf.photos[0].uuid))
    if "/faces/" in path:
        return path.replace("{uuid}", str(shelf.faces[0].uuid))
    if "/people/" in path:
        return path.replace("{uuid}", str(shelf.groups[0].uuid))
    if "{trouble}" in path:
        return path.replace("{trouble}", "media").replace("{id}", str(shelf.photos[0].pk))
    if "/work/" in path:
        job = Job.objects.create(kind=Job.Kind.IMPORT, payload={})
        return path.replace("{uuid}", str(job.uuid))
    if "{pk}" in path:
        return path.replace("{pk}", "0")  # the settings that came with Lookwho
    if any(noun in path for noun in ("/labelling/", "/members/", "/links/", "/requests/")):
        # Each has tests of its own: here nobody gets as far as to be told whether it is there.
        return path.replace("{uuid}", str(shelf.owner.uuid)).replace("{version}", "1")
    if "/selfies/" in path:
        selfie = Reference.objects.create(user=shelf.owner, file="x.jpg")
        return path.replace("{uuid}", str(selfie.uuid))
    return path


def body(path, shelf):
    """Return what would do something if an owner sent it."""
    faces = [str(face.uuid) for face in shelf.faces[:2]]
    person = str(shelf.groups[0].uuid)
    return {
        "name": "Anna",
        "faces": faces,
        "person": person,
        "into": str(shelf.groups[1].uuid),
        "batch": person,
        "path": "/",
        "box": [0.6, 0.6, 0.8, 0.9],
    }


def send(client, method, path, shelf):
    """Ask for something."""
    where = addressed(path, shelf)
    if method == "get":
        return client.get(where)
    if path.endswith("/uploads"):
        return client.post(where, {"files": ContentFile(b"GIF89a", name="x.gif")})
    return client.generic(method.upper(), where, json.dumps(body(path, shelf)), JSON)


def state(shelf):
    """Return all that a request could have changed."""
    return (
        list(Collection.objects.values()),
        list(Decision.objects.values()),
        list(Region.objects.values()),
        list(Share.objects.values()),
        list(Reference.objects.filter(user=shelf.owner).values_list("uuid", flat=True)),
        list(Job.objects.values_list("uuid", "state", "cancel_requested")),
        [(face.person_id, face.guess_id, face.dismissed) for face in shelf.faces],
    )


def test_nobody_gets_anything_without_signing_in(ask, owner, shelf):
    for method, path in operations(owner):
        answer = send(ask(None), method, path, shelf)

        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in"), (method, path)


def test_a_member_gets_nothing_that_is_not_theirs(owner, member, shelf):
    tried = 0
    for method, path in operations(owner):
        if (method, path) in FOR_MEMBERS:
            continue
        addressed(path, shelf)  # makes what is asked for, before we look
        answer = send(member, method, path, shelf)

        assert answer.status_code in (403, 404), (method, path, answer.content)
        assert answer.json()["code"] in ("forbidden", "not_found")
        tried += 1
    assert tried >= 25


def test_a_member_changes_nothing_that_is_not_theirs(owner, member, shelf):
    for method, path in operations(owner):
        if method == "get" or (method, path) in FOR_MEMBERS:
            continue
        where = addressed(path, shelf)
        before = state(shelf)
        member.generic(method.upper(), where, json.dumps(body(path, shelf)), JSON)

        for face in shelf.faces:
            face.refresh_from_db()
        assert state(shelf) == before, (method, path)


def test_an_annotator_has_no_work_to_see(ask, owner, shelf):
    annotator = ask(accounts.make_user("Carla", "annotator"))

    for method, path in operations(owner):
        if path.startswith(("/api/v1/work", "/api/v1/folders", "/api/v1/uploads", "/api/v1/names")):
            assert send(annotator, method, path, shelf).status_code in (403, 404), (method, path)


def test_a_session_changes_nothing_without_the_sites_own_token(shelf):
    client = Client(enforce_csrf_checks=True)
    client.force_login(shelf.owner)

    answer = client.post("/api/v1/names/decline")

    assert answer.status_code == 403


def test_a_program_asks_with_a_token_and_needs_no_session(shelf):
    token = tokens.make_token(shelf.owner, "backup")
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {token}"})

    assert client.get("/api/v1/me").json() == {"name": "owner", "role": "owner"}
    assert client.post("/api/v1/names/decline").status_code == 204


@pytest.mark.parametrize("token", ("", "x", "Bearer", "\x00"))
def test_a_token_that_never_was_lets_nobody_in(shelf, token):
    client = Client(headers={"Authorization": f"Bearer {token}"})

    assert client.get("/api/v1/me").status_code == 401


def test_what_cannot_be_is_refused_with_the_field_and_the_reason(owner):
    answer = owner.get("/api/v1/photos?limit=0")

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert "limit" in answer.json()["message"]


def test_the_api_is_documented_at_docs_with_nothing_from_elsewhere(owner):
    page = owner.get("/docs").content.decode()

    assert "swagger" in page
    assert "https://" not in page
    assert "http://" not in page


def test_every_endpoint_says_what_it_does(owner):
    schema = owner.get("/api/v1/openapi.json").json()

    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            assert told.get("description"), (method, path)
