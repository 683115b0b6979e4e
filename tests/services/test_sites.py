import os
import tempfile
import time
from pathlib import Path

import pytest

from lookwho.core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    SiteRefused,
    SiteUnreachable,
)
from lookwho.library.models import Album, Collection, Job, Media, SiteAccount
from lookwho.library.queries import sites as queries
from lookwho.services import daily, site_client, site_import, site_visits, sites
from lookwho.services.sealing import unseal
from lookwho.services.site_client import checked_address
from tests.concrexit import TOKEN, members_site
from tests.gallery import make_collection, make_photo
from tests.people import a_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(site_client, "PAUSE", 0.01)
    site_visits._addresses.clear()


@pytest.fixture
def there():
    with members_site() as site:
        site.add("gala", 1, 2)
        yield site


@pytest.fixture
def owner():
    return a_user("owner")


def test_a_site_is_added_with_its_token_sealed_and_an_import_waiting(there, owner):
    collection, job = sites.add_site(owner, there.address + "/", TOKEN, title="The club")

    assert (collection.kind, collection.root, collection.title) == (
        Collection.Kind.SITE,
        there.address,
        "The club",
    )
    account = SiteAccount.objects.get()
    assert (account.user, unseal(account.token)) == (None, TOKEN)
    assert (job.kind, job.state, job.payload) == ("site", "waiting", {"collection": collection.pk})
    assert sites.ask_import(collection) == job


@pytest.mark.parametrize("role", ("curator", "annotator", "member"))
def test_only_owners_add_change_and_remove_sites(there, owner, role):
    other = a_user(role)
    with pytest.raises(Forbidden):
        sites.add_site(other, there.address, TOKEN)
    assert there.paths.total() == 0

    collection, _ = sites.add_site(owner, there.address, TOKEN)
    for act in (
        lambda: sites.site(other, collection.uuid),
        lambda: sites.set_token(other, collection.uuid, TOKEN),
        lambda: sites.remove(other, collection.uuid),
    ):
        with pytest.raises(NotFound):
            act()
    assert Collection.objects.filter(pk=collection.pk).exists()


def test_what_is_wrong_is_said_at_once_and_nothing_is_kept(there, owner):
    with pytest.raises(SiteRefused, match="refuses the token"):
        sites.add_site(owner, there.address, "wrong")
    with pytest.raises(SiteUnreachable, match="is this the address"):
        sites.add_site(owner, there.address + "/elsewhere", TOKEN)
    with pytest.raises(SiteUnreachable, match="cannot be reached"):
        sites.add_site(owner, "http://127.0.0.1:9", TOKEN)
    with pytest.raises(Invalid, match="adapter"):
        sites.add_site(owner, there.address, TOKEN, adapter="other")
    with pytest.raises(Invalid, match="one word"):
        sites.add_site(owner, there.address, "two words")
    assert not Collection.objects.exists()
    assert not SiteAccount.objects.exists()

    sites.add_site(owner, there.address, TOKEN)
    with pytest.raises(Conflict):
        sites.add_site(owner, there.address, TOKEN)


def test_a_token_is_tried_before_it_takes_the_place_of_another(there, owner):
    collection, _ = sites.add_site(owner, there.address, TOKEN)
    with pytest.raises(SiteRefused):
        sites.set_token(owner, collection.uuid, "wrong")
    assert unseal(SiteAccount.objects.get().token) == TOKEN

    there.tokens["newer"] = "own"
    sites.set_token(owner, collection.uuid, "newer")
    assert unseal(SiteAccount.objects.get().token) == "newer"


@pytest.mark.parametrize(
    "address",
    (
        "ftp://example.org",
        "example.org",
        "https://",
        "file:///etc/passwd",
        "https://anna:secret@example.org",
        "https://example.org/?token=1",
        "http://example.org",
        "https://[broken",
    ),
)
def test_addresses_that_are_none_or_not_safe_are_refused(address):
    with pytest.raises(Invalid):
        checked_address(address)


def test_an_address_without_encryption_is_taken_nearby_or_where_the_owner_agrees():
    assert checked_address("http://192.168.1.5:8000/") == "http://192.168.1.5:8000"
    assert checked_address("http://localhost:8000") == "http://localhost:8000"
    assert checked_address("http://Example.org", plain=True) == "http://example.org"
    assert checked_address(" https://Example.org/club/ ") == "https://example.org/club"


def test_removing_a_site_takes_its_albums_and_token_and_leaves_what_lies_elsewhere(there, owner):
    collection, job = sites.add_site(owner, there.address, TOKEN)
    site_import.run_site(job, beat=lambda done: None)
    Job.objects.filter(pk=job.pk).update(state="done")
    folder = make_collection()
    other = make_photo(collection=folder)
    shared = Media.objects.filter(locations__path="gala/1").get()
    shared.locations.create(collection=folder, path="copy.jpg")
    expected = sites.removal(collection)

    assert sites.remove(owner, collection.uuid) == expected
    assert (expected.photos, expected.albums) == (1, 1)
    assert not Album.objects.exists()
    assert not SiteAccount.objects.exists()
    assert set(Media.objects.filter(present=True)) == {other, shared}


def test_a_site_that_is_being_imported_is_not_removed(there, owner):
    collection, job = sites.add_site(owner, there.address, TOKEN)
    Job.objects.filter(pk=job.pk).update(state="leased")

    with pytest.raises(Conflict):
        sites.remove(owner, collection.uuid)


def test_every_night_each_site_is_asked_for_what_is_new(there, owner):
    collection, job = sites.add_site(owner, there.address, TOKEN)
    Job.objects.filter(pk=job.pk).update(state="done")

    assert "lookwho.services.sites.ask_nightly" in daily.DAILY
    sites.ask_nightly()
    assert queries.jobs_of(collection).filter(state="waiting").count() == 1


def test_temporary_files_of_the_dead_are_removed_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young, other = (tmp_path / name for name in ("lookwho-site-a", "lookwho-site-b", "c"))
    for path in (old, young, other):
        path.write_bytes(b"x")
    past = time.time() - 7200
    os.utime(old, (past, past))
    os.utime(other, (past, past))

    assert site_visits.sweep() == 1
    assert sorted(Path(tmp_path).iterdir()) == sorted([young, other])
