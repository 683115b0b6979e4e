import io
from contextlib import closing

import pytest

from lookwho.core.errors import FileMissing, ImageTooLarge, SiteUnreachable
from lookwho.services import site_client
from lookwho.services.concrexit import Concrexit
from lookwho.services.site_client import Client
from tests.concrexit import TOKEN, members_site, photo


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(site_client, "PAUSE", 0.01)


@pytest.fixture
def there():
    with members_site() as site:
        site.add("gala", 1, 2, 3)
        yield site


def picture_of(client, site, pk=1):
    return next(each for each in Concrexit().photos(client, "gala") if each.id == str(pk)).url


def test_the_token_goes_to_the_site_and_not_to_its_storage(there):
    file = io.BytesIO()
    with closing(Client(there.address, TOKEN)) as client:
        client.download(picture_of(client, there), file)

    assert file.getvalue() == photo(1)
    assert there.sent_tokens == [("site", TOKEN), ("storage", "")]


def test_questions_are_not_led_to_another_host(there):
    with members_site() as other, closing(Client(there.address, TOKEN)) as client:
        there.lead = other.address
        with pytest.raises(SiteUnreachable, match="sends us to"):
            client.json("api/v2/photos/albums/")
        assert other.sent_tokens == []


def test_a_site_may_not_have_us_look_into_our_own_network():
    with closing(Client("https://8.8.8.8", TOKEN)) as client:
        for url in ("https://10.0.0.1/a.jpg", "https://127.0.0.1/a.jpg", "https://[::1]/a.jpg"):
            with pytest.raises(SiteUnreachable, match="may not lie on"):
                client.download(url, io.BytesIO())
        for url in ("http://8.8.4.4/a.jpg", "file:///etc/passwd", "ftp://8.8.8.8/a.jpg"):
            with pytest.raises(SiteUnreachable, match="not https"):
                client.download(url, io.BytesIO())
    with (
        closing(Client("http://192.168.0.7", TOKEN)) as client,
        pytest.raises(SiteUnreachable, match="may not lie on"),
    ):
        client.download("http://169.254.169.254/latest/meta-data", io.BytesIO())


def test_answers_that_are_too_large_are_not_read_to_their_end(there, monkeypatch):
    monkeypatch.setattr(site_client, "MAX_PICTURE", 100)
    monkeypatch.setattr(site_client, "_CHUNK", 50)
    file = io.BytesIO()
    with closing(Client(there.address, TOKEN)) as client:
        with pytest.raises(ImageTooLarge):
            client.download(picture_of(client, there), file)
        assert len(file.getvalue()) <= 100


def test_a_site_that_stays_busy_is_given_up_within_its_patience(there):
    paused = []
    with closing(Client(there.address, TOKEN, patience=5.0, pause=paused.append)) as client:
        there.busy = [(429, "2"), (429, "2"), (429, "2")]
        with pytest.raises(SiteUnreachable, match="429"):
            client.json("api/v2/photos/albums/")
    assert paused == [2.0, 2.0]


def test_a_signature_is_in_no_message(there):
    del there.pictures[1]
    with closing(Client(there.address, TOKEN)) as client, pytest.raises(FileMissing) as gone:
        client.download(picture_of(client, there), io.BytesIO())
    assert "key=" not in str(gone.value)
    assert "until=" not in str(gone.value)


def test_what_is_no_json_is_said_to_be_none(there):
    with closing(Client(there.storage, TOKEN)) as client, pytest.raises(SiteUnreachable):
        client.json("1.jpg", {"until": 0, "key": ""})
