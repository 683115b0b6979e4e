import pytest

from bench.served import Visitor, Watcher, serving
from lookwho.core.errors import Invalid, LookwhoError, NotFound
from tests.pictures import encode, four_corners


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The folder of a site."""
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def link(home):
    """The link to a site that is served without workers; it works once."""
    with serving(home, "--no-workers") as found:
        yield found


@pytest.fixture(scope="module")
def owner(link):
    """Its owner, who came by the link."""
    return Visitor(link)


@pytest.fixture(scope="module")
def mia(owner):
    """A member, who came by an invitation."""
    invited = owner.tell("/members/invitations")["link"]
    return Visitor(f"{owner.site}/join/{invited.split('/join/')[1]}", name="Mia & Co")


def test_whoever_comes_by_a_link_is_signed_in(owner, mia):
    assert owner.json("/me")["role"] == "owner"
    assert (mia.json("/me")["name"], mia.json("/me")["role"]) == ("Mia & Co", "member")
    assert b"Mia &amp; Co" in mia.get("/account")


def test_a_file_that_is_sent_is_there_and_its_job_waits(mia, home):
    version = mia.json("/me/consents")[0]["text"]["version"]
    picture = encode(four_corners(), "JPEG")
    watcher = Watcher(home)
    before = watcher.busy()

    sent = mia.send_file("/me/selfies", "me.jpg", picture, agree="true", version=str(version))

    assert sent["state"] == "processing"
    assert watcher.busy() == before + 1
    rows = watcher.rows("select state from lookwho_reference where file != ?", [""])
    assert rows == [("processing",)]
    assert watcher.number("select count(*) from lookwho_user where username like 'Mia%'") == 1


def test_what_is_refused_is_told_as_the_api_tells_it(owner, mia):
    with pytest.raises(NotFound):
        mia.tell("/albums", title="Mine")
    with pytest.raises(Invalid):
        owner.tell("/albums", title="")


def test_a_page_that_is_refused_or_leads_elsewhere_is_told(link, owner, mia):
    with pytest.raises(LookwhoError, match="/people answered 404"):
        mia.get("/people")
    with pytest.raises(RuntimeError, match="/ led to"):
        mia.get("/")
    with pytest.raises(LookwhoError, match="answered"):
        Visitor(link)  # it was followed already


def test_a_database_that_is_still_to_be_made_holds_nothing(tmp_path):
    watcher = Watcher(tmp_path)

    assert (watcher.busy(), watcher.rows("select 1 from lookwho_job")) == (0, [])
