from uuid import UUID

import pytest
from django.test import override_settings

from lookwho.services import derived

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_a_token_can_be_told_again_and_fits_into_an_address():
    assert derived.token("links", ONE) == derived.token("links", ONE)
    assert len(derived.token("links", ONE)) == 43
    assert set(derived.token("links", ONE)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def test_each_row_and_each_kind_has_its_own():
    tokens = {derived.token(salt, uuid) for salt in ("links", "guests") for uuid in (ONE, OTHER)}

    assert len(tokens) == 4


def test_it_cannot_be_told_without_the_key():
    told = derived.token("links", ONE)

    with override_settings(SECRET_KEY="another key, as long as it has to be"):
        assert derived.token("links", ONE) != told


@pytest.mark.parametrize("told", ("", "x", "é", "\udceb"))
def test_what_is_stored_matches_its_own_token_alone(told):
    token = derived.token("links", ONE)
    stored = derived.hashed(token)

    assert len(stored) == 32
    assert derived.matches(stored, token)
    assert derived.matches(memoryview(stored), token)  # as PostgreSQL gives it
    assert not derived.matches(stored, told)
