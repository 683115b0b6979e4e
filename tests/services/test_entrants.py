"""Whom a provider signs in, and who they are here; the round trip itself is in tests/web."""

import pytest
from allauth.account.models import EmailAddress

from lookwho.core.errors import Conflict
from lookwho.library.models import Membership, User
from lookwho.services import accounts, entrants

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("told", ("", "  ", None, [], {"x": 1}, 1.5))
def test_what_is_no_number_finds_nobody(told):
    accounts.make_user("Anna")  # whom no list names, so that hers is blank, too

    assert entrants.by_external_id(told) is None


def test_a_number_finds_its_one_user():
    anna = accounts.make_user("Anna")
    User.objects.filter(pk=anna.pk).update(external_id="42")

    assert entrants.by_external_id(42) == entrants.by_external_id(" 42 ") == anna
    User.objects.filter(pk=accounts.make_user("Ben").pk).update(external_id="42")
    with pytest.raises(Conflict, match="42"):
        entrants.by_external_id(42)


def test_an_address_finds_who_confirmed_it():
    anna = accounts.make_user("Anna", email="anna@example.org")
    address = EmailAddress.objects.create(user=anna, email="anna@example.org")
    assert entrants.by_confirmed_address("anna@example.org") is None

    address.set_verified()

    assert entrants.by_confirmed_address("Anna@Example.org") == anna


@pytest.mark.parametrize(
    ("names", "called"),
    (
        (["Anna", "anna77"], "Anna"),
        (["", " ", "anna77"], "anna77"),
        (["a\x00b", "anna77"], "anna77"),
        (["taken"], "taken 2"),
        (["x" * 200], "member"),
        ([], "member"),
    ),
)
def test_a_new_member_is_called_what_they_can_be(names, called):
    accounts.make_user("taken")

    assert entrants.new_member(names).username == called


def test_names_that_are_taken_are_numbered_on():
    for _ in range(3):
        entrants.new_member(["Anna"])

    assert set(User.objects.values_list("username", flat=True)) == {"Anna", "Anna 2", "Anna 3"}


def test_a_number_that_an_owner_gave_is_not_overwritten():
    anna = accounts.make_user("Anna")
    entrants.recognise(anna, 7)
    entrants.recognise(anna, 8)

    anna.refresh_from_db()
    assert anna.external_id == "7"


def test_whoever_the_provider_says_nothing_of_is_no_member():
    anna = accounts.make_user("Anna")

    entrants.take_membership(anna, None)

    assert Membership.objects.filter(user=anna, source=Membership.Source.CLAIM).exists()
    assert not Membership.objects.filter(user=anna, until=None).exists()
