"""How somebody whom a list made a member comes in for the first time."""

import pytest

from lookwho.core.errors import Conflict, Forbidden
from lookwho.services import accounts
from lookwho.services.entry import let_in
from tests.mailbox import link_in, taking_mail
from tests.people import a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings):
    with taking_mail(settings) as box:
        yield box


def test_the_link_is_mailed_and_signs_them_in_once(mailbox):
    anna = accounts.make_user("Anna", email="anna@example.org")

    made = let_in(a_user("owner"), anna, here="http://photos.test/")

    assert made.mailed
    assert link_in(mailbox.wait_for()) == f"/enter/{made.token}"
    assert accounts.enter(made.token) == anna


def test_without_an_address_the_link_is_only_made(mailbox):
    anna = accounts.make_user("Anna")

    made = let_in(a_user("owner"), anna)

    assert (made.mailed, mailbox.mails) == (False, [])
    assert accounts.enter(made.token) == anna


def test_who_has_been_here_or_was_shut_out_is_not_let_in_so():
    owner, secret = a_user("owner"), "long and secret 17"
    shut_out = accounts.make_user("Cleo")
    shut_out.is_active = False

    for user in (accounts.make_user("Ben", password=secret), shut_out):
        with pytest.raises(Conflict):
            let_in(owner, user)


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_owners_let_others_in(role):
    with pytest.raises(Forbidden):
        let_in(a_user(role), accounts.make_user("Anna"))
