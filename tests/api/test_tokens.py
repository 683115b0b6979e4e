"""Tokens through the API, and what a token is good for."""

from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from ninja.throttling import UserRateThrottle

from lookwho.api.app import api
from lookwho.config.urls import NOUNS
from lookwho.library.models import ApiToken
from lookwho.services import tokens

JSON = "application/json"

pytestmark = pytest.mark.django_db


def program(token):
    return Client(headers={"Authorization": f"Bearer {token}"})


def test_a_token_is_made_listed_and_revoked(owner, shelf):
    asked = {"title": "frame", "scopes": ["photos:read"], "days": 30}
    token = owner.post("/api/v1/me/tokens", asked, JSON).json()["token"]
    (listed,) = owner.get("/api/v1/me/tokens").json()

    assert listed["title"] == "frame"
    assert token not in str(listed)
    assert program(token).get("/api/v1/photos").status_code == 200
    assert owner.delete(f"/api/v1/me/tokens/{listed['uuid']}").status_code == 204
    assert program(token).get("/api/v1/photos").status_code == 401
    assert owner.get("/api/v1/me/tokens").json() == []


def test_a_token_is_refused_what_it_is_not_for(owner, shelf):
    frame = program(tokens.make_token(shelf.owner, "frame", scopes=["photos:read"]))

    assert frame.get("/api/v1/photos").status_code == 200
    for refused in (
        frame.get("/api/v1/people"),
        frame.post("/api/v1/faces/name", {"faces": [str(uuid4())], "name": "x"}, JSON),
        frame.get("/api/v1/members"),
        frame.get("/api/v1/me/tokens"),
        frame.post("/api/v1/me/tokens", {"title": "more"}, JSON),
    ):
        assert refused.status_code == 403
        assert refused.json()["code"] == "forbidden"
        assert "this token lacks the scope" in refused.json()["message"]
    assert ApiToken.objects.count() == 1


def test_the_tokens_of_others_are_nobodys_business(owner, ask, shelf):
    tokens.make_token(shelf.owner, "mine")
    member = ask(shelf.member)

    assert member.get("/api/v1/me/tokens").json() == []
    assert member.delete(f"/api/v1/me/tokens/{ApiToken.objects.get().uuid}").status_code == 404
    assert ask(None).get("/api/v1/me/tokens").status_code == 401
    assert tokens.live().count() == 1


def test_each_operation_belongs_to_a_noun_that_a_scope_can_name():
    schema = api.get_openapi_schema()
    nouns = {
        operation["tags"][0]
        for path in schema["paths"].values()
        for operation in path.values()
        if operation.get("tags")
    }
    assert nouns - {"tokens"} <= set(tokens.NOUNS)
    untagged = [
        path
        for path, operations in schema["paths"].items()
        if any(not operation.get("tags") for operation in operations.values())
    ]
    assert untagged == []
    assert len(NOUNS) >= len(nouns)


def test_who_asks_too_often_is_told_when_to_ask_again(owner, shelf, monkeypatch):
    cache.clear()  # what tests before this one asked counts, too
    slow = UserRateThrottle("2/m")
    monkeypatch.setattr(api, "throttle", [slow])
    for router in api._get_bound_routers():
        for view in router.path_operations.values():
            for operation in view.operations:
                monkeypatch.setattr(operation, "throttle_objects", [slow])

    answers = [owner.get("/api/v1/me") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "too_many"
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
