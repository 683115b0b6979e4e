from datetime import timedelta

import pytest
from django.test import Client
from playwright.sync_api import expect

from lookwho.library.models import EntryLink, User
from lookwho.services import accounts
from tests.people import a_user

pytestmark = pytest.mark.django_db


def who(client):
    key = client.session.get("_auth_user_id")
    return key and User.objects.get(pk=key)


# --- by password ---


def test_a_name_and_a_password_let_one_in_where_one_wanted_to_go(client):
    anna = accounts.make_user("anna", password="correct horse battery")
    told = {"login": "anna", "password": "correct horse battery", "next": "/progress"}

    answer = client.post("/sign-in", told)

    assert answer["Location"] == "/progress"
    assert who(client) == anna


def test_a_wrong_password_is_said_and_the_name_stays(client):
    accounts.make_user("anna", password="correct horse battery")

    answer = client.post("/sign-in", {"login": "anna", "password": "correct"})

    assert who(client) is None
    assert 'role="alert"' in answer.content.decode()
    assert 'value="anna"' in answer.content.decode()


def test_signing_in_leads_to_no_other_site(client):
    accounts.make_user("anna", password="correct horse battery")
    told = {"login": "anna", "password": "correct horse battery", "next": "https://evil.example"}

    assert client.post("/sign-in", told)["Location"] == "/"


def test_signing_out_takes_a_click_not_a_link(as_owner, owner):
    assert as_owner.get("/sign-out").status_code == 405
    assert who(as_owner) == owner

    as_owner.post("/sign-out")

    assert who(as_owner) is None


# --- by a link ---


def test_looking_at_a_link_does_not_use_it_up(client):
    anna = a_user("owner")
    link = f"/enter/{accounts.entry_link(anna)}"

    for _ in range(3):
        assert client.get(link).status_code == 200
        assert client.head(link).status_code == 200
    assert who(client) is None

    assert client.post(link)["Location"] == "/"
    assert who(client) == anna


def test_a_link_works_once(client):
    link = f"/enter/{accounts.entry_link(a_user('owner'))}"
    client.post(link)

    again = Client().post(link)

    assert again.status_code == 410
    assert "link_expired" in again.content.decode()


def test_whoever_is_in_already_may_follow_the_link_again(client):
    link = f"/enter/{accounts.entry_link(a_user('owner'))}"
    client.post(link)

    assert client.post(link)["Location"] == "/"


def test_a_link_that_is_too_old_lets_nobody_in(client):
    link = f"/enter/{accounts.entry_link(a_user('owner'))}"
    EntryLink.objects.update(expires_at=EntryLink.objects.get().created_at - timedelta(days=2))

    assert client.post(link).status_code == 410
    assert who(client) is None


def test_a_link_is_used_only_from_its_own_page():
    client = Client(enforce_csrf_checks=True)
    link = f"/enter/{accounts.entry_link(a_user('owner'))}"

    assert client.post(link).status_code == 403
    assert EntryLink.objects.get().used_at is None


@pytest.mark.django_db(transaction=True)
def test_in_a_browser_the_link_lets_one_in_at_once(open_page):
    page = open_page(f"/enter/{accounts.entry_link(a_user('owner'))}")

    page.wait_for_url("**/welcome")


@pytest.mark.django_db(transaction=True)
def test_without_scripts_the_link_takes_one_click(open_page):
    page = open_page(f"/enter/{accounts.entry_link(a_user('owner'))}", java_script_enabled=False)

    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Look who is in your photos")


# --- by an invitation ---


def test_whoever_is_invited_says_a_name_and_is_a_member(client, owner):
    link = f"/join/{accounts.invite(owner)}"
    assert "You are invited" in client.get(link).content.decode()

    answer = client.post(link, {"name": "Ben"})

    assert answer["Location"] == "/"
    assert (who(client).username, who(client).role) == ("Ben", "member")


@pytest.mark.parametrize(("name", "status"), (("", 422), ("owner", 409)))
def test_a_name_that_cannot_be_is_asked_for_again(client, name, status):
    owner = accounts.make_user("owner", "owner")
    link = f"/join/{accounts.invite(owner)}"

    answer = client.post(link, {"name": name})

    assert answer.status_code == status
    assert 'role="alert"' in answer.content.decode()
    assert User.objects.count() == 1


@pytest.mark.parametrize("method", ("get", "post"))
def test_an_invitation_that_never_was_opens_nothing(client, method):
    assert getattr(client, method)("/join/guessed", {"name": "Eve"}).status_code == 410
    assert not User.objects.exists()
