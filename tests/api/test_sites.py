import json

import pytest
from django.test import Client

from lookwho.library.models import Collection, Job, SiteAccount
from lookwho.services import site_client, site_import, site_visits, sites
from lookwho.services.sealing import unseal
from tests.concrexit import MIA, TOKEN, members_site
from tests.people import a_user

pytestmark = pytest.mark.django_db

SITES, ACCOUNTS = "/api/v1/sites", "/api/v1/site-accounts"


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(site_client, "PAUSE", 0.01)
    site_visits._addresses.clear()


@pytest.fixture
def there():
    with members_site() as site:
        site.add("gala", 1, 2)
        yield site


def as_(user):
    client = Client()
    client.force_login(user)
    return client


def send(client, method, path, **body):
    return client.generic(method, path, json.dumps(body), "application/json")


@pytest.fixture
def boss():
    return a_user("owner")


def test_a_site_is_added_told_of_imported_and_removed(there, boss):
    owner = as_(boss)
    made = send(owner, "POST", SITES, address=there.address, token=TOKEN, title="The club")
    assert made.status_code == 201
    told = made.json()
    assert (told["title"], told["address"], told["state"]) == ("The club", there.address, "waiting")
    site_import.run_site(Job.objects.get(), beat=lambda done: None)
    Job.objects.update(state="done")

    path = f"{SITES}/{told['uuid']}"
    now = owner.get(path).json()
    assert (now["albums"], now["photos"], now["failed"]) == (1, 2, 0)
    assert owner.get(SITES).json() == [now]
    assert TOKEN not in owner.get(SITES).content.decode()
    assert send(owner, "POST", f"{path}/import").json()["state"] == "waiting"
    assert send(owner, "PUT", f"{path}/token", token="wrong").json()["code"] == "site_refused"
    assert send(owner, "PUT", f"{path}/token", token=MIA).status_code == 204
    assert send(owner, "DELETE", path).status_code == 204
    assert owner.get(SITES).json() == []


def test_others_are_told_nothing_of_sites_whatever_they_send(there, boss):
    collection, _ = sites.add_site(boss, there.address, TOKEN, title="The club")
    path = f"{SITES}/{collection.uuid}"
    askers = [(as_(a_user(role)), 404) for role in ("curator", "annotator", "member")]
    for client, status in [*askers, (Client(), 401)]:
        for method, where in (
            ("GET", SITES),
            ("POST", SITES),
            ("GET", path),
            ("DELETE", path),
            ("POST", f"{path}/import"),
            ("PUT", f"{path}/token"),
        ):
            answer = send(client, method, where, nonsense=1)
            assert answer.status_code == status, (method, where)
            assert b"The club" not in answer.content
    assert Collection.objects.get() == collection


def test_everybody_tells_and_takes_back_their_own_account_alone(there, boss):
    collection, job = sites.add_site(boss, there.address, TOKEN)
    mia, max_ = a_user("member"), a_user("member")
    path = f"{ACCOUNTS}/{collection.uuid}"

    # Of a site of which they see nothing they are not told.
    assert as_(mia).get(ACCOUNTS).json() == []
    assert send(as_(mia), "PUT", path, token=MIA).status_code == 404
    site_import.run_site(job, beat=lambda done: None)

    refused = send(as_(mia), "PUT", path, token="wrong")
    assert (refused.status_code, refused.json()["code"]) == (422, "site_refused")
    assert send(as_(mia), "PUT", path, token=MIA).status_code == 204
    assert unseal(SiteAccount.objects.get(user=mia).token) == MIA
    assert [each["linked"] for each in as_(mia).get(ACCOUNTS).json()] == [True]
    assert [each["linked"] for each in as_(max_).get(ACCOUNTS).json()] == [False]
    assert MIA not in as_(mia).get(ACCOUNTS).content.decode()

    as_(max_).delete(path)
    assert SiteAccount.objects.filter(user=mia).exists()
    assert as_(mia).delete(path).status_code == 204
    assert list(SiteAccount.objects.values_list("user", flat=True)) == [None]
    assert send(Client(), "PUT", path, token=MIA).status_code == 401
