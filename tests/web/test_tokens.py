"""One's own tokens: made, shown once, revoked."""

import re

import pytest
from django.test import Client

from lookwho.library.models import ApiToken
from lookwho.services import tokens

pytestmark = pytest.mark.django_db


def test_a_token_is_made_shown_once_and_revoked(client, member):
    client.force_login(member)
    told = {"title": "frame", "days": "30", "scope": ["photos:read", "me:read"]}

    page = client.post("/account/tokens", told).content.decode()
    token = re.search(r'readonly value="([^"]+)"', page)[1]

    row = tokens.token_of(token)
    assert (row.user, row.scopes, row.expires_at is None) == (
        member,
        ["me:read", "photos:read"],
        False,
    )
    again = client.get("/account/tokens").content.decode()
    assert ("frame" in again, token in again) == (True, False)
    client.post(f"/account/tokens/{row.uuid}/revoke")
    assert tokens.token_of(token) is None
    assert "You have none" in client.get("/account/tokens").content.decode()


@pytest.mark.parametrize(
    "told",
    (
        {"title": "", "days": "30"},
        {"title": "x", "days": "31"},
        {"title": "x", "days": "30", "scope": "photos:eat"},
    ),
)
def test_a_token_that_cannot_be_is_refused(client, member, told):
    client.force_login(member)

    answer = client.post("/account/tokens", told)

    assert (answer.status_code, 'role="alert"' in answer.content.decode()) == (422, True)
    assert not ApiToken.objects.exists()


def test_the_tokens_of_others_are_nobodys_business(client, owner, member):
    tokens.make_token(owner, "secret frame")
    client.force_login(member)
    row = ApiToken.objects.get()

    assert "secret frame" not in client.get("/account/tokens").content.decode()
    assert client.post(f"/account/tokens/{row.uuid}/revoke").status_code == 404
    assert Client().get("/account/tokens").status_code == 302
    assert Client().post(f"/account/tokens/{row.uuid}/revoke").status_code == 302
    row.refresh_from_db()
    assert row.revoked_at is None
