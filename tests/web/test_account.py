"""One's account: address, password, second factor, and all the pages by which one comes in."""

import base64
import hmac
import re
import struct
import time
from datetime import timedelta
from html import unescape
from urllib.parse import unquote

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from lookwho.library.models import Decision, EntryLink, User
from lookwho.services import accounts, people, sealing
from tests.mailbox import link_in, taking_mail, text_of
from tests.people import a_group, a_user

pytestmark = pytest.mark.django_db
PASSWORD, OTHER = "correct horse battery", "another staple, stronger"


@pytest.fixture
def mailbox(settings):
    with taking_mail(settings) as box:
        yield box


@pytest.fixture
def anna(db):
    return accounts.make_user("Anna", password=PASSWORD)


@pytest.fixture
def as_anna(client, anna):
    """A browser in which Anna has just signed in."""
    sign_in(client, "Anna")
    return client


def sign_in(client, login, password=PASSWORD):
    return client.post("/sign-in", {"login": login, "password": password})


def who(client):
    key = client.session.get("_auth_user_id")
    return key and User.objects.get(pk=key)


def text(answer):
    return unescape(re.sub(r"<[^>]+>", " ", answer.content.decode()))


def code_of(secret):
    """The code that a phone shows now: RFC 6238."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 10**6:06}"


def with_second_factor(user):
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    data = {"secret": sealing.seal(secret)}
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data=data)
    return secret


# --- by address ---


@pytest.mark.parametrize("login", ("Anna", " Anna ", "anna@example.org", "Anna@Example.org"))
def test_one_signs_in_by_name_or_by_address(client, anna, login):
    EmailAddress.objects.create(user=anna, email="anna@example.org", verified=True, primary=True)

    sign_in(client, login)

    assert who(client) == anna


def test_names_that_differ_in_case_alone_are_two_people(client, anna):
    other = accounts.make_user("anna", password=OTHER)

    sign_in(client, "anna", OTHER)

    assert who(client) == other


def test_an_address_that_two_wrote_down_signs_in_whoever_has_the_password(client, anna):
    eve = accounts.make_user("Eve", password=OTHER)
    for user in (anna, eve):
        EmailAddress.objects.create(user=user, email="anna@example.org", primary=True)

    sign_in(client, "anna@example.org")

    assert who(client) == anna


def test_nobody_signs_up_uninvited(client):
    told = {"username": "Eve", "password1": PASSWORD, "password2": PASSWORD}

    for answer in (client.get("/sign-up"), client.post("/sign-up", told)):
        assert "By invitation" in text(answer)
    assert not User.objects.exists()


# --- how often ---


def test_a_password_cannot_be_guessed_on_and_on(client, anna):
    for _ in range(10):
        assert sign_in(client, "Anna", "wrong").status_code == 200
    last = sign_in(client, "anna ", "wrong")
    right = sign_in(client, "Anna")

    assert (last.status_code, right.status_code) == (429, 429)
    assert "try again in 10 minutes" in text(right)
    assert who(client) is None


def test_whoever_signs_in_begins_anew(client, anna):
    for _ in range(3):
        for _ in range(9):
            sign_in(client, "Anna", "wrong")
        assert sign_in(client, "Anna").status_code == 302
        client.post("/sign-out")


def test_passwords_of_many_accounts_cannot_be_tried_from_one_address(client, anna):
    for number in range(50):
        sign_in(client, f"user {number}", "wrong")

    assert sign_in(client, "Anna").status_code == 429
    assert sign_in(Client(REMOTE_ADDR="192.0.2.7"), "Anna").status_code == 302


def test_a_house_full_of_people_signs_in_from_one_address(client, anna):
    for _ in range(55):
        assert sign_in(client, "Anna").status_code == 302
        client.post("/sign-out")


def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_says(client, anna, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(50):
        # What the visitor writes there themselves comes first.
        told = {"HTTP_X_FORWARDED_FOR": f"198.51.100.{number}, 192.0.2.7"}
        Client(**told).post("/sign-in", {"login": f"user {number}", "password": "wrong"})

    refused = Client(HTTP_X_FORWARDED_FOR="192.0.2.7")
    other = Client(HTTP_X_FORWARDED_FOR="192.0.2.8")
    assert sign_in(refused, "Anna").status_code == 429
    assert sign_in(other, "Anna").status_code == 302


@pytest.mark.parametrize("kind", ("enter", "join"))
def test_links_cannot_be_guessed_on_and_on(client, owner, kind):
    right = accounts.entry_link(owner) if kind == "enter" else accounts.invite(owner)
    codes = [client.post(f"/{kind}/guess{number}").status_code for number in range(31)]

    assert codes == [410] * 30 + [429]
    assert client.post(f"/{kind}/{right}", {"name": "Ben"}).status_code == 429
    cache.clear()
    assert client.post(f"/{kind}/{right}", {"name": "Ben"}).status_code == 302


def test_links_that_open_do_not_count(client, owner):
    invitation = f"/join/{accounts.invite(owner)}"

    assert {client.get(invitation).status_code for _ in range(40)} == {200}


def test_codes_of_a_second_factor_cannot_be_guessed_on_and_on(client, anna):
    secret = with_second_factor(anna)
    sign_in(client, "Anna")

    for _ in range(5):
        client.post("/account/second-factor/authenticate/", {"code": "000000"})
    answer = client.post("/account/second-factor/authenticate/", {"code": code_of(secret)})

    assert "try again in 5 minutes" in text(answer)
    assert who(client) is None


# --- password ---


def test_a_password_is_changed_by_whoever_knows_the_old_one(as_anna, anna):
    told = {"oldpassword": "guessed", "password1": OTHER, "password2": OTHER}
    assert "not your password" in text(as_anna.post("/account/password", told))

    answer = as_anna.post("/account/password", told | {"oldpassword": PASSWORD})

    assert answer["Location"] == "/account"
    anna.refresh_from_db()
    assert anna.check_password(OTHER)
    assert who(as_anna) == anna


def test_a_changed_password_ends_what_others_signed_in_with(as_anna, anna):
    thief = Client()
    sign_in(thief, "Anna")
    assert thief.get("/account").status_code == 200

    told = {"oldpassword": PASSWORD, "password1": OTHER, "password2": OTHER}
    as_anna.post("/account/password", told)

    assert thief.get("/account").status_code == 302
    assert as_anna.get("/account").status_code == 200


def test_a_forgotten_password_is_set_anew_by_a_mail(client, anna, mailbox):
    EmailAddress.objects.create(user=anna, email="anna@example.org", verified=True, primary=True)

    answer = client.post("/account/password/reset", {"email": "Anna@example.org"})
    assert answer["Location"] == "/account/password/reset/sent"
    mail = mailbox.wait_for()
    assert "Anna" in text_of(mail)
    there = client.get(link_in(mail))["Location"]
    client.post(there, {"password1": OTHER, "password2": OTHER})

    anna.refresh_from_db()
    assert anna.check_password(OTHER)
    again = client.get(link_in(mail), follow=True)
    assert "already been used" in text(again)


def test_an_address_that_nobody_has_is_answered_alike_and_sent_nothing(client, anna, mailbox):
    answers = [
        client.post("/account/password/reset", {"email": "nobody@example.org"}, follow=True),
    ]
    EmailAddress.objects.create(user=anna, email="anna@example.org", verified=True, primary=True)
    answers.append(
        client.post("/account/password/reset", {"email": "anna@example.org"}, follow=True)
    )
    mailbox.wait_for(1)

    one, other = map(text, answers)
    assert one == other


def test_links_in_mails_lead_to_the_address_that_was_told(client, anna, mailbox, settings):
    settings.SITE_URL = "https://photos.example.org"
    EmailAddress.objects.create(user=anna, email="anna@example.org", verified=True, primary=True)

    client.post("/account/password/reset", {"email": "anna@example.org"})

    assert "https://photos.example.org/account/password/reset/" in text_of(mailbox.wait_for())


def test_where_no_mail_is_sent_the_pages_say_what_to_do_instead(as_anna, settings):
    settings.EMAIL_HOST = ""

    assert "sends no mail" in text(as_anna.get("/account"))
    assert "login-link" in text(Client().get("/account/password/reset"))
    assert "Forgot" not in text(Client().get("/sign-in"))
    as_anna.post("/account/email", {"action_add": "", "email": "anna@example.org"})
    page = text(as_anna.get("/account/email"))
    assert "anna@example.org" in page
    assert "on its way" not in page
    other = Client()
    sign_in(other, "anna@example.org")
    assert who(other).username == "Anna"


# --- address ---


def test_a_new_address_takes_the_old_ones_place_once_it_is_confirmed(as_anna, anna, mailbox):
    EmailAddress.objects.create(user=anna, email="old@example.org", verified=True, primary=True)
    User.objects.update(email="old@example.org")

    as_anna.post("/account/email", {"action_add": "", "email": "New@example.org"})
    mail = mailbox.wait_for()
    assert mail["to"] == "new@example.org"
    anna.refresh_from_db()
    assert anna.email == "old@example.org"
    assert "To become your address" in text(as_anna.get("/account/email"))
    as_anna.get(link_in(mail))
    as_anna.post(link_in(mail))

    anna.refresh_from_db()
    assert anna.email == "new@example.org"
    assert [each.email for each in EmailAddress.objects.all()] == ["new@example.org"]
    assert "confirmed" in text(as_anna.get("/account"))
    told = mailbox.wait_for(2)
    assert told["to"] == "old@example.org"  # whoever had it learns of it


def test_looking_at_the_link_alone_confirms_nothing(as_anna, anna, mailbox):
    as_anna.post("/account/email", {"action_add": "", "email": "anna@example.org"})

    Client().get(link_in(mailbox.wait_for()))

    assert not EmailAddress.objects.get().verified


def test_nobody_learns_whether_somebody_has_an_address(as_anna, mailbox):
    ben = accounts.make_user("Ben")
    EmailAddress.objects.create(user=ben, email="ben@example.org", verified=True, primary=True)

    told = {"action_add": "", "email": "ben@example.org"}
    answer = as_anna.post("/account/email", told)

    assert answer.status_code == 302
    as_anna.post(link_in(mailbox.wait_for()))
    assert EmailAddress.objects.get(verified=True).user == ben


# --- second factor ---


def test_a_second_factor_is_set_up_and_asked_for(as_anna, anna):
    page = as_anna.get("/account/second-factor/totp/activate/").content.decode()
    assert "<svg" in page
    assert "<?xml" not in page
    assert "data:" not in page
    secret = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', page)[1]
    as_anna.post("/account/second-factor/totp/activate/", {"code": code_of(secret)})
    download = as_anna.get("/account/second-factor/recovery-codes/download/")
    codes = re.findall(r"^\d{8}$", download.content.decode(), re.M)
    assert len(codes) == 10
    assert secret not in str(Authenticator.objects.get(type="totp").data)
    cache.clear()  # a code is good once, for as long as it lasts

    other = Client()
    answer = sign_in(other, "Anna")
    assert (answer["Location"], who(other)) == ("/account/second-factor/authenticate/", None)
    wrong = other.post("/account/second-factor/authenticate/", {"code": "123123"})
    assert "code is wrong" in text(wrong)
    assert who(other) is None
    other.post("/account/second-factor/authenticate/", {"code": code_of(secret)})
    assert who(other) == anna

    by_recovery = Client()
    sign_in(by_recovery, "Anna")
    by_recovery.post("/account/second-factor/authenticate/", {"code": codes[0]})
    assert who(by_recovery) == anna
    once = Client()
    sign_in(once, "Anna")
    once.post("/account/second-factor/authenticate/", {"code": codes[0]})
    assert who(once) is None


def test_a_link_stands_for_the_password_and_not_for_the_second_factor(client, anna):
    secret = with_second_factor(anna)

    answer = client.post(f"/enter/{accounts.entry_link(anna)}")
    assert (answer["Location"], who(client)) == ("/account/second-factor/authenticate/", None)
    answer = client.post("/account/second-factor/authenticate/", {"code": code_of(secret)})

    assert (answer["Location"], who(client)) == ("/", anna)


def test_whoever_lost_it_is_let_in_by_who_runs_the_site(client, anna):
    with_second_factor(anna)

    assert accounts.forget_second_factor(anna)
    assert not accounts.forget_second_factor(anna)

    sign_in(client, "Anna")
    assert who(client) == anna


def test_a_second_factor_is_turned_off_only_by_who_has_just_shown_it(client, anna):
    with_second_factor(anna)
    client.force_login(anna)  # signed in for weeks

    answer = client.post("/account/second-factor/totp/deactivate/")

    assert answer["Location"].startswith("/account/confirm")
    assert Authenticator.objects.exists()


# --- leaving ---


def test_signing_out_everywhere_ends_all_of_ones_own_and_nobody_elses(as_anna, anna):
    phone, ben = Client(), Client()
    sign_in(phone, "Anna")
    ben.force_login(a_user("member"))
    link = accounts.entry_link(anna)

    answer = as_anna.post("/account/sign-out")

    assert answer["Location"] == "/sign-in"
    assert (who(as_anna), phone.get("/account").status_code) == (None, 302)
    assert ben.get("/account").status_code == 200
    assert Client().post(f"/enter/{link}").status_code == 410
    assert not EntryLink.objects.exists()


def test_signing_out_everywhere_takes_a_click_not_a_link(as_anna):
    assert as_anna.get("/account/sign-out").status_code == 405
    assert Client(enforce_csrf_checks=True).post("/account/sign-out").status_code == 403


def test_sessions_that_are_over_are_not_read(as_anna, anna):
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))

    assert accounts.sign_out_everywhere(anna) == 0


# --- the one-person set-up ---


def test_an_owner_who_came_by_a_link_gets_an_address_and_a_password_and_loses_nothing(
    client, mailbox
):
    owner = accounts.the_owner()
    group, _ = a_group(3)
    client.post(f"/enter/{accounts.entry_link(owner)}")
    people.name_person(owner, group, "Anna")
    before = (owner.pk, owner.uuid, owner.role, Decision.objects.count())

    assert "Set a password" in text(client.get("/account"))
    client.post("/account/email", {"action_add": "", "email": "me@example.org"})
    client.post(link_in(mailbox.wait_for()))
    answer = client.post("/account/password/set", {"password1": PASSWORD, "password2": PASSWORD})
    assert answer["Location"] == "/account"
    assert client.get("/people").status_code == 200  # signed in all the while

    other = Client()
    sign_in(other, "me@example.org")
    again = who(other)
    assert (again.pk, again.uuid, again.role, Decision.objects.count()) == before
    assert again.email == "me@example.org"
    assert accounts.the_owner() == owner
    by_link = Client()
    by_link.post(f"/enter/{accounts.entry_link(owner)}")
    assert who(by_link) == owner


# --- invitations by mail ---


def test_an_invitation_is_mailed_and_lets_one_in(client, owner, mailbox):
    accounts.invite(owner, email="Ben@example.org", here="http://testserver/")

    mail = mailbox.wait_for()
    assert mail["to"] == "ben@example.org"
    assert owner.username in text_of(mail)
    assert "for one" in text(client.get(link_in(mail)))
    client.post(link_in(mail), {"name": "Ben"})
    assert (who(client).username, who(client).email) == ("Ben", "ben@example.org")
    assert Client().post(link_in(mail), {"name": "Eve"}).status_code == 410


# --- all pages ---

PAGES = (
    "/account",
    "/account/email",
    "/account/email/sent",
    "/account/password",
    "/account/second-factor/",
    "/account/second-factor/totp/activate/",
    "/account/second-factor/recovery-codes/generate/",
    "/account/connected/",
    "/account/confirm",
    "/account/closed",
    "/account/password/reset",
    "/account/password/reset/sent",
    "/account/password/reset/done",
    "/account/connected/login/cancelled/",
    "/account/connected/login/error/",
)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_looks_like_ours_and_holds_nothing_that_the_policy_forbids(as_anna, path):
    answer = as_anna.get(path, follow=True)

    page = answer.content.decode()
    assert answer.status_code == (401 if "error" in path else 200)
    assert page.count("<h1") == 1
    assert 'class="bar"' in page
    assert not re.search(r"\s(style|on\w+)\s*=", page)
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert "data:" not in page


@pytest.mark.parametrize(
    "path", [path for path in PAGES if path.startswith(("/account/email", "/account/second"))]
)
def test_ones_account_is_shown_to_whoever_is_signed_in(client, path):
    if path != "/account/email/sent":
        there = unquote(client.get(path)["Location"])
        assert there.startswith("/sign-in?next=/account")
