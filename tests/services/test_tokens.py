from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from lookwho.core.errors import Conflict, Invalid, NotFound
from lookwho.library.models import ApiToken
from lookwho.services import tokens
from tests.people import a_user

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def test_a_program_signs_in_as_its_user_until_its_token_is_revoked():
    user = a_user("member")
    token = tokens.make_token(user, "backup")
    row = ApiToken.objects.get()

    assert tokens.token_of(token).user == user
    assert tokens.token_of(token + "x") is None
    tokens.revoke(user, row.uuid)
    assert tokens.token_of(token) is None


def test_a_token_ends_when_it_was_said_to():
    token = tokens.make_token(a_user("member"), "party", lasts=timedelta(days=2), now=NOW)

    assert tokens.token_of(token, now=NOW + timedelta(days=1))
    assert tokens.token_of(token, now=NOW + timedelta(days=2)) is None


def test_a_token_of_somebody_who_was_shut_out_is_none():
    user = a_user("member")
    token = tokens.make_token(user, "backup")
    user.is_active = False
    user.save()

    assert tokens.token_of(token) is None


def test_when_a_token_was_used_last_is_kept():
    token = tokens.make_token(a_user("member"), "backup")
    tokens.token_of(token, now=NOW)
    assert ApiToken.objects.get().used_at == NOW
    tokens.token_of(token, now=NOW + timedelta(seconds=5))
    assert ApiToken.objects.get().used_at == NOW
    tokens.token_of(token, now=NOW + timedelta(minutes=5))
    assert ApiToken.objects.get().used_at == NOW + timedelta(minutes=5)


@pytest.mark.parametrize("who", ("another", "nobody"))
def test_only_its_user_revokes_a_token(who):
    token = tokens.make_token(a_user("member"), "backup")
    uuid = ApiToken.objects.get().uuid if who == "another" else uuid4()

    with pytest.raises(NotFound):
        tokens.revoke(a_user("owner"), uuid)
    assert tokens.token_of(token)


@pytest.mark.parametrize(
    "scope", ("photos", "photos:delete", "cats:read", ":", "", "photos:read:x")
)
def test_a_scope_that_is_none_is_refused_with_those_there_are(scope):
    with pytest.raises(Invalid, match="albums, history"):
        tokens.make_token(a_user("member"), "x", scopes=[scope])


@pytest.mark.parametrize(
    ("scopes", "noun", "way", "good"),
    (
        ([], "photos", "write", True),
        (["photos:read"], "photos", "read", True),
        (["photos:read"], "photos", "write", False),
        (["photos:write"], "photos", "read", True),
        (["photos:write"], "people", "read", False),
        (["people:read", "photos:read"], "people", "read", True),
        (["photos:read"], "", "read", False),
    ),
)
def test_a_token_is_good_for_its_scopes(scopes, noun, way, good):
    assert tokens.suffices(scopes, noun, way) == good


def test_nobody_has_more_tokens_than_can_be_looked_after(monkeypatch):
    monkeypatch.setattr(tokens, "MOST", 2)
    user = a_user("member")
    for title in "ab":
        tokens.make_token(user, title)
    with pytest.raises(Conflict, match="revoke one first"):
        tokens.make_token(user, "c")
    tokens.make_token(a_user("member"), "c")
