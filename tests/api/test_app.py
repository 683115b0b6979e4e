"""The API as a whole: who may ask, what an error looks like, and what is documented."""

import re

import pytest
from django.test import Client

from lookwho.services import tokens

JSON = "application/json"


def operations(client):
    """Yield method and path of everything that the API can do."""
    schema = client.get("/api/v1/openapi.json").json()
    for path, methods in schema["paths"].items():
        for method in methods:
            yield method, path


def test_nobody_gets_anything_without_signing_in(ask, owner, shelf):
    for method, path in operations(owner):
        where = re.sub(r"{\w+}", str(shelf.photos[0].uuid), path)
        answer = ask(None).generic(method.upper(), where, b"{}", JSON)

        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in"), (method, path)


def test_a_session_changes_nothing_without_the_sites_own_token(shelf):
    client = Client(enforce_csrf_checks=True)
    client.force_login(shelf.owner)

    answer = client.post("/api/v1/names/decline")

    assert answer.status_code == 403


def test_a_program_asks_with_a_token_and_needs_no_session(shelf):
    token = tokens.make_token(shelf.owner, "backup")
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {token}"})

    me = client.get("/api/v1/me").json()
    assert (me["name"], me["role"]) == ("owner", "owner")
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


def test_an_address_that_nothing_is_at_is_refused_as_everything_is(owner):
    for path in ("/api/v1/nothing", "/api/v1/links/x"):
        answer = owner.get(path)

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "<html" in owner.get("/nothing").content.decode()


def test_what_cannot_be_read_is_refused_as_everything_is(owner):
    answer = owner.post("/api/v1/albums", b"{", JSON)

    assert (answer.status_code, answer.json()["code"]) == (400, "request")


def test_the_document_says_of_every_operation_how_it_is_refused(owner):
    schema = owner.get("/api/v1/openapi.json").json()

    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    for methods in schema["paths"].values():
        for told in methods.values():
            for status in ("400", "401", "403", "404", "409", "410", "422", "429", "507"):
                assert told["responses"][status]["content"] == refusal
    assert set(schema["components"]["schemas"]["Refusal"]["required"]) == {"code", "message"}
