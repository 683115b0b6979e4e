"""One's account in a browser: keys, and what a page looks like."""

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import expect

from lookwho.services import accounts
from tests.web.browser import DESK, PHONE

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery"


def sign_in(page):
    page.get_by_label("Name or e-mail").fill("Anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def with_a_key(page):
    """Plug a key into the browser."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_a_key_is_added_and_signs_one_in(open_page):
    anna = accounts.make_user("Anna", password=PASSWORD)
    page = open_page("/sign-in?next=/account")
    with_a_key(page)
    sign_in(page)
    page.get_by_role("link", name="Set up a second factor").click()
    page.get_by_role("link", name="Add a key").click()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Add a key")
    page.wait_for_function("!location.pathname.includes('/webauthn/add')")
    assert Authenticator.objects.filter(user=anna, type="webauthn").exists()

    page.goto("/account")
    page.get_by_role("button", name="Sign out everywhere").click()
    page.goto("/sign-in?next=/account")
    sign_in(page)
    page.get_by_role("button", name="Use a key").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Account")


@pytest.mark.parametrize("size", (PHONE, DESK), ids=("phone", "desk"))
def test_no_page_of_the_account_is_wider_than_the_window(open_page, size):
    accounts.make_user("Anna", password=PASSWORD)
    page = open_page("/sign-in?next=/account", size=size)
    sign_in(page)
    page.wait_for_url("**/account")
    for path in ("", "/email", "/password", "/second-factor/", "/second-factor/totp/activate/"):
        page.goto("/account" + path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], path
