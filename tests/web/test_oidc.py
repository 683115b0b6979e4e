"""Signing in by an OpenID provider: a real one, in a process of its own, there and back."""

import re
from datetime import date
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from playwright.sync_api import expect

from lookwho.config.environment import Provider
from lookwho.library.models import Collection, User
from lookwho.services import accounts
from tests.provider import CLIENT_ID, CLIENT_SECRET, running

pytestmark = pytest.mark.django_db
WAY = "/sign-in/with/provider"
NOBODY = (401, "error")


@pytest.fixture(scope="module")
def running_provider(tmp_path_factory):
    with running(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
def provider(running_provider, settings):
    """The provider, and a site that lets it make members."""
    use(settings, running_provider)
    return running_provider


def use(settings, provider, **more):
    told = {
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "name": "The association",
        "sign_up": True,
        "id_claim": "number",
        "memberships_claim": "memberships",
        "scopes": ("openid", "profile", "email"),
    }
    settings.PROVIDER = Provider(**(told | more))
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [settings.PROVIDER.app()]}}


def way_out(client, query=""):
    """Where a click on the sign-in page leads to."""
    page = client.post(WAY + query).content.decode()
    return unescape(re.search(r'href="(http://127[^"]+)"', page)[1])


def there_and_back(client, provider, name, *, query="", change=lambda back: back):
    """Sign in over there; return what our page answers when the browser comes back."""
    back = urlsplit(change(provider.signs_in(name, way_out(client, query))))
    return client.get(f"{back.path}?{back.query}")


def who(client):
    key = client.session.get("_auth_user_id")
    return key and User.objects.get(pk=key)


def periods(user):
    return [(each.since, each.until) for each in user.memberships.order_by("since")]


def confirmed(user, email):
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)


# --- who is it? ---


def test_whoever_the_provider_signs_in_becomes_a_member_with_their_times(client, provider):
    provider.knows(
        "anna",
        name="Anna Li",
        email="Anna@Example.org",
        email_verified=True,
        number=42,
        memberships=[{"since": "2023-09-01", "until": "2024-08-31"}],
    )

    answer = there_and_back(client, provider, "anna")

    anna = who(client)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert (anna.username, anna.role, anna.external_id) == ("Anna Li", "member", "42")
    assert anna.email == "anna@example.org"
    assert not anna.has_usable_password()
    assert periods(anna) == [(date(2023, 9, 1), date(2024, 8, 31))]


def test_the_second_time_they_are_known_and_their_times_are_read_anew(client, provider):
    provider.knows("ben", name="Ben", number="7", memberships=[{"since": "2023-09-01"}])
    there_and_back(client, provider, "ben")
    ben = who(client)
    provider.knows(
        "ben", name="Benjamin", memberships=[{"since": "2023-09-01", "until": "2024-01-31"}]
    )

    other = Client()
    there_and_back(other, provider, "ben")

    assert who(other) == ben
    assert User.objects.count() == 1
    assert (who(other).username, who(other).external_id) == ("Ben", "7")
    assert periods(ben) == [(date(2023, 9, 1), date(2024, 1, 31))]


def test_whoever_the_list_of_members_knows_by_their_number_is_found(client, provider):
    carla = accounts.make_user("Carla")
    User.objects.filter(pk=carla.pk).update(external_id="1234")
    provider.knows("carla", name="Carla B.", number=1234, memberships=[{"since": "2024-01-01"}])

    there_and_back(client, provider, "carla")

    assert who(client) == carla
    assert User.objects.count() == 1


def test_a_number_that_two_have_signs_in_neither(client, provider):
    for name in ("one", "other"):
        User.objects.filter(pk=accounts.make_user(name).pk).update(external_id="5")
    provider.knows("twin", number="5")

    answer = there_and_back(client, provider, "twin")

    assert (answer.status_code, who(client)) == (409, None)


def test_an_address_that_both_sides_confirmed_is_the_same_person(client, provider):
    dora = accounts.make_user("Dora")
    confirmed(dora, "dora@example.org")
    provider.knows("dora", email="Dora@example.org", email_verified=True)

    there_and_back(client, provider, "dora")

    assert who(client) == dora
    assert SocialAccount.objects.get().user == dora


@pytest.mark.parametrize("verified", (False, None, "false", 1))
def test_an_address_that_the_provider_did_not_confirm_takes_over_no_account(
    client, provider, verified
):
    dora = accounts.make_user("Dora", "owner", email="dora@example.org")
    confirmed(dora, "dora@example.org")
    told = {} if verified is None else {"email_verified": verified}
    provider.knows("eve", name="Eve", email="dora@example.org", **told)

    there_and_back(client, provider, "eve")

    assert (who(client).username, who(client).role, who(client).email) == ("Eve", "member", "")
    assert not EmailAddress.objects.filter(user=who(client)).exists()


def test_an_address_that_nobody_confirmed_here_is_not_taken_over_either(client, provider):
    """Else whoever writes down somebody's address lies in wait for them."""
    eve = accounts.make_user("Eve", password="correct horse battery", email="fay@example.org")
    EmailAddress.objects.create(user=eve, email="fay@example.org", primary=True)
    provider.knows("fay", name="Fay", email="fay@example.org", email_verified=True)

    there_and_back(client, provider, "fay")

    assert who(client).username == "Fay"
    assert EmailAddress.objects.get(verified=True).user == who(client)


def test_a_name_that_somebody_has_gets_a_number(client, provider):
    accounts.make_user("Gus", "owner")
    provider.knows("gus", name="Gus")

    there_and_back(client, provider, "gus")

    assert (who(client).username, who(client).role) == ("Gus 2", "member")


def test_members_who_come_so_may_look_for_themselves(client, provider):
    closed = Collection.objects.create(title="a", root="/a")
    provider.knows("hal", name="Hal")

    there_and_back(client, provider, "hal")

    closed.refresh_from_db()
    assert (closed.policy, accounts.policy_for_new_collections()) == ("own", "own")


def test_nobody_new_comes_in_unless_the_owner_says_so(client, provider, settings):
    use(settings, provider, sign_up=False)
    provider.knows("ida", name="Ida")

    answer = there_and_back(client, provider, "ida")

    assert "invitation" in answer.content.decode()
    assert (who(client), User.objects.count()) == (None, 0)


def test_somebody_who_was_shut_out_stays_out(client, provider):
    provider.knows("jan", name="Jan")
    there_and_back(client, provider, "jan")
    User.objects.update(is_active=False)

    other = Client()
    answer = there_and_back(other, provider, "jan")

    assert (answer["Location"], who(other)) == ("/account/closed", None)


@pytest.mark.parametrize("told", ({}, {"memberships": "never"}, {"memberships": [{"since": 1}]}))
def test_whoever_it_cannot_say_the_membership_of_is_no_member(client, provider, told):
    provider.knows("kim", name="Kim", **told)

    there_and_back(client, provider, "kim")

    assert [until < date(1900, 1, 1) for _, until in periods(who(client))] == [True]


def test_times_that_cannot_be_read_leave_those_that_were_known(client, provider):
    provider.knows("lea", name="Lea", memberships=[{"since": "2023-09-01"}])
    there_and_back(client, provider, "lea")
    provider.knows("lea", memberships=[{"since": "soon"}])

    there_and_back(Client(), provider, "lea")

    assert periods(who(client)) == [(date(2023, 9, 1), None)]


def test_what_is_kept_of_what_it_says_is_who_they_are(client, provider):
    provider.knows("mia", name="Mia", phone_number="secret", number="9")

    there_and_back(client, provider, "mia")

    assert set(SocialAccount.objects.get().extra_data) == {"sub", "name"}


def test_somebody_connects_the_provider_on_their_account_page(client, provider):
    nora = accounts.make_user("Nora")
    client.force_login(nora)
    provider.knows("nora", name="Somebody else")

    answer = there_and_back(client, provider, "nora", query="?process=connect")
    assert answer["Location"] == "/account"
    other = Client()
    there_and_back(other, provider, "nora")

    assert who(other) == nora
    assert User.objects.count() == 1


# --- is it true? ---


def test_a_state_that_this_browser_did_not_begin_is_refused(client, provider):
    """Else a link would sign somebody in as somebody else."""
    provider.knows("olaf", name="Olaf")
    back = urlsplit(provider.signs_in("olaf", way_out(client)))

    answer = Client().get(f"{back.path}?{back.query}")

    assert (answer.status_code, User.objects.count()) == (401, 0)


def test_a_state_is_good_for_one_round_trip(client, provider):
    provider.knows("olaf", name="Olaf")
    back = urlsplit(provider.signs_in("olaf", way_out(client)))
    assert client.get(f"{back.path}?{back.query}").status_code == 302
    client.post("/sign-out")

    answer = client.get(f"{back.path}?{back.query}")

    assert (answer.status_code, who(client)) == (401, None)


def test_a_code_of_another_round_trip_is_refused(client, provider):
    """Its proof, and the nonce that follows from that, are in the browser that began it."""
    provider.knows("paul", name="Paul")
    stolen = parse_qs(urlsplit(provider.signs_in("paul", way_out(Client()))).query)["code"][0]

    def swap(back):
        own = parse_qs(urlsplit(back).query)["code"][0]
        return back.replace(own, stolen)

    answer = there_and_back(client, provider, "paul", change=swap)

    assert (answer.status_code, User.objects.count()) == (401, 0)


@pytest.mark.parametrize(
    "wrong",
    (
        {"wrong_token": {"nonce": "of another round trip"}},
        {"wrong_token": {"aud": "another site"}},
        {"wrong_token": {"iss": "https://evil.example"}},
        {"wrong_token": {"exp": 1_600_000_000}},
        {"wrong_token": {"azp": "another site"}},
        {"wrong_info": {"sub": "somebody else"}},
        {"wrong_signer": "stranger"},
        {"wrong_signer": "client"},
    ),
    ids=str,
)
def test_what_is_not_signed_for_us_and_this_round_trip_is_refused(client, provider, wrong):
    provider.knows("quin", name="Quin", **wrong)

    answer = there_and_back(client, provider, "quin")

    assert (answer.status_code, who(client), User.objects.count()) == (401, None, 0)
    assert "Quin" not in answer.content.decode()


def test_the_browser_proves_at_the_end_that_it_began(client, provider):
    told = parse_qs(urlsplit(way_out(client)).query)

    assert told["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(told)
    assert told["redirect_uri"] == ["http://testserver/sign-in/with/provider/back"]


def test_a_site_that_was_told_its_address_is_come_back_to_there(client, provider, settings):
    settings.SITE_URL = "https://photos.example.org"

    told = parse_qs(urlsplit(way_out(client)).query)

    assert told["redirect_uri"] == ["https://photos.example.org/sign-in/with/provider/back"]


def test_a_provider_that_says_it_is_another_is_not_believed(client, provider, settings):
    use(settings, provider, issuer=provider.issuer.replace("127.0.0.1", "localhost"))
    settings.PROVIDER = settings.PROVIDER.__class__(
        **{**vars(settings.PROVIDER), "issuer": "https://sign-in.example.org"}
    )

    assert client.post(WAY).status_code == 401


def test_a_provider_that_cannot_be_reached_is_said_to_have_failed(client, provider, settings):
    use(settings, provider, issuer="http://127.0.0.1:9")

    answer = client.post(WAY)

    assert answer.status_code == 401
    assert "error" not in answer.content.decode().lower().split("<h1>")[1].split("</h1>")[0]


def test_a_link_alone_sends_nobody_there(client, provider):
    page = client.get(WAY)

    assert (page.status_code, "http://127" in page.content.decode()) == (200, False)


def test_where_no_provider_is_told_there_is_none(client):
    assert client.post(WAY).status_code == 404
    assert "Sign in with" not in client.get("/sign-in").content.decode()


# --- in a browser ---


@pytest.mark.django_db(transaction=True)
def test_in_a_browser_a_click_leads_there_and_back_to_where_one_wanted(open_page, provider):
    provider.knows("rosa", name="Rosa", memberships=True)
    page = open_page("/me")

    page.get_by_role("button", name="Sign in with The association").click()
    page.get_by_label("Name").fill("rosa")
    page.get_by_role("button", name="Sign in").click()

    page.wait_for_url("**/me")
    expect(page.get_by_label("Rosa: account")).to_be_visible()
