import io
import re
import zipfile
from uuid import uuid4

import pytest

from lookwho.core.inspect import inspect
from lookwho.library.models import Album, Analysis, Collection, Job, Location, Media, SiteAccount
from lookwho.services import places, site_client, site_import, site_visits, sites
from lookwho.services.pictures import Pictures
from tests.concrexit import MIA, TOKEN, members_site
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
        site.add("trip", 3)
        yield site


@pytest.fixture
def a_site(there, owner):
    """A site that was imported."""
    collection, job = sites.add_site(owner, there.address, TOKEN, title="The club")
    site_import.run_site(job, beat=lambda done: None)
    Job.objects.update(state=Job.State.DONE)
    return collection


def text(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


def form(there, **more):
    return {"address": there.address, "adapter": "concrexit", "token": TOKEN, **more}


@pytest.mark.parametrize(
    ("role", "status"), (("curator", 404), ("annotator", 404), ("member", 404), (None, 302))
)
def test_only_owners_look_after_sites(client, there, a_site, role, status):
    if role:
        client.force_login(a_user(role))
    asked = there.paths.total()

    assert client.get("/sites").status_code == status
    assert client.post("/sites", form(there)).status_code == status
    for act in ("import", "stop", "test", "token", "remove"):
        answer = client.post(f"/sites/{a_site.uuid}", {act: "1"})
        assert answer.status_code == status
        assert "The club" not in text(answer)
    assert Collection.objects.get() == a_site
    assert not Job.objects.filter(kind="site", state="waiting").exists()
    assert there.paths.total() == asked


def test_a_site_is_added_and_is_told_of(as_owner, there):
    answer = as_owner.post("/sites", form(there), follow=True)

    assert "its photos appear here" in text(answer).lower()
    assert there.address in text(answer)
    assert "The import waits for its turn." in text(answer)
    assert TOKEN not in text(answer)
    assert Job.objects.get().kind == Job.Kind.SITE


def test_what_is_wrong_with_it_is_said_beside_what_was_typed_but_for_the_token(as_owner, there):
    answer = as_owner.post("/sites", form(there, token="wrong-token", title="My <club>"))

    assert answer.status_code == 422
    assert "refuses the token" in text(answer)
    assert "My &lt;club&gt;" in text(answer)
    assert "wrong-token" not in text(answer)
    assert not Collection.objects.exists()


def test_what_became_of_the_last_import_is_told(as_owner, there, a_site):
    assert "3 photos, 2 albums" in text(as_owner.get("/sites"))

    there.pictures[4] = b"no picture" * 90
    there.albums["trip"]["photos"].append(4)
    site_import.run_site(sites.ask_import(a_site), beat=lambda done: None)
    Job.objects.update(state=Job.State.FAILED, error="it is snowing there")
    page = text(as_owner.get("/sites"))
    assert "1 photo could not be taken in" in page
    assert "trip/4" in page
    assert "It is snowing there" in page


def test_an_import_that_failed_is_told_of_on_the_page_of_progress(as_owner, a_site):
    Job.objects.update(state=Job.State.FAILED, error="it is snowing there")
    Analysis.objects.update(state=Analysis.State.FAILED, error="it is dark", error_code="x")
    page = text(as_owner.get("/progress"))

    assert "Reading another website" in page
    assert "snowing" in page


def test_a_site_is_imported_stopped_tested_and_given_another_token(as_owner, there, a_site):
    path = f"/sites/{a_site.uuid}"
    as_owner.post(path, {"import": "1"})
    assert Job.objects.filter(kind="site", state="waiting").count() == 1
    as_owner.post(path, {"stop": "1"})
    assert Job.objects.filter(kind="site", state="waiting").count() == 0

    assert "takes the token" in text(as_owner.post(path, {"test": "1"}, follow=True))
    del there.tokens[TOKEN]
    assert "refuses the token" in text(as_owner.post(path, {"test": "1"}))
    assert "takes the new token" in text(as_owner.post(path, {"token": MIA}, follow=True))


def test_what_goes_is_said_before_a_site_is_removed(as_owner, a_site):
    page = text(as_owner.get("/sites"))
    assert "Shown to nobody any more: photos 3. Gone: albums 2, links to them 0" in page
    as_owner.post(f"/sites/{a_site.uuid}", {"remove": "1"})

    assert not Collection.objects.exists()
    assert not Album.objects.exists()
    assert not SiteAccount.objects.exists()
    assert not Media.objects.filter(present=True).exists()
    assert as_owner.post(f"/sites/{uuid4()}", {"remove": "1"}).status_code == 404


def test_owners_find_the_page_from_welcome(as_owner, client):
    assert 'href="/sites"' in text(as_owner.get("/welcome"))
    client.force_login(a_user("curator"))
    assert 'href="/sites"' not in text(client.get("/welcome"))


# --- pictures ---


@pytest.fixture
def maker(tmp_path, monkeypatch):
    made = Pictures(tmp_path / "pictures", processes=1)
    monkeypatch.setattr(places, "maker", lambda: made)
    yield made
    made.close()


def sent(answer):
    return b"".join(answer) if answer.streaming else answer.content


def media_at(path):
    return Location.objects.get(path=path).media


def test_an_original_comes_through_us_and_is_kept_nowhere(
    client, there, a_site, tmp_path, settings
):
    settings.HOME = tmp_path
    settings.ACCEL = "/internal/"  # nginx cannot send what is gone from the disk
    client.force_login(a_user("member"))
    answer = client.get(f"/originals/{media_at('gala/1').uuid}")

    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    assert sent(answer) == there.pictures[1]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]

    part = client.get(f"/originals/{media_at('gala/1').uuid}", headers={"Range": "bytes=10-19"})
    assert (part.status_code, sent(part)) == (206, there.pictures[1][10:20])


def test_a_picture_is_made_once_and_then_kept_without_the_original(
    client, there, a_site, maker, tmp_path
):
    client.force_login(a_user("member"))
    path = f"/pictures/{media_at('gala/2').uuid}/320.webp"
    before = there.paths["picture 2"]
    pages = [client.get(path) for _ in range(2)]

    assert [page.status_code for page in pages] == [200, 200]
    assert there.paths["picture 2"] == before + 1
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) == 1
    assert inspect(kept[0]).format == "WEBP"


def test_a_zip_holds_what_lies_there_but_not_what_an_own_account_may_not_have(
    client, there, a_site, tmp_path
):
    there.albums["gala"]["photos"].append(3)
    site_import.run_site(sites.ask_import(a_site), beat=lambda done: None)
    mia = a_user("member")
    names = {}
    for user in (mia, a_user("member")):
        client.force_login(user)
        if user == mia:
            sites.set_account(mia, a_site, MIA)
            there.closed[MIA] = {"gala"}
        data = sent(client.get(f"/albums/{Album.objects.get(external_id='gala').slug}/download"))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names[user] = sorted(archive.namelist())
            for number in (1, 2, 3):
                name = f"2024-06-01 {number}.jpg"
                if name in names[user]:
                    assert archive.read(name) == there.pictures[number]

    assert names[mia] == ["2024-06-01 3.jpg", "left out.txt"]
    assert [name for user, name in names.items() if user != mia] == [
        ["2024-06-01 1.jpg", "2024-06-01 2.jpg", "2024-06-01 3.jpg"]
    ]


def test_what_lookwho_hides_is_given_to_no_member_from_there(client, there, a_site, maker):
    Album.objects.filter(external_id="gala").update(hidden=True)
    client.force_login(a_user("member"))
    uuid = media_at("gala/1").uuid
    asked = there.paths.total()

    assert client.get(f"/originals/{uuid}").status_code == 404
    assert client.get(f"/pictures/{uuid}/320.webp").status_code == 404
    assert there.paths.total() == asked


def test_an_own_account_that_may_not_see_it_there_gets_no_original_here(client, there, a_site):
    mia = a_user("member")
    sites.set_account(mia, a_site, MIA)
    there.closed[MIA] = {"gala"}
    client.force_login(mia)

    assert client.get(f"/originals/{media_at('gala/1').uuid}").status_code == 404
    assert sent(client.get(f"/originals/{media_at('trip/3').uuid}")) == there.pictures[3]


def test_a_site_that_does_not_answer_is_said_to_do_so(client, a_site):
    Collection.objects.filter(pk=a_site.pk).update(root="http://127.0.0.1:9")
    site_visits._addresses.clear()
    client.force_login(a_user("member"))
    answer = client.get(f"/originals/{media_at('gala/1').uuid}")

    assert answer.status_code == 424
    assert b"cannot be reached" in answer.content
