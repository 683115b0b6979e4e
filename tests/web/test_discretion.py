import io
import logging
import logging.config

import pytest
from django.conf import settings

from lookwho.services import sharing
from lookwho.web.discretion import Discreet, without_tokens
from tests.gallery import make_album
from tests.people import a_user


@pytest.fixture
def written():
    """What is written by the handler that the settings make."""
    handler = settings.LOGGING["handlers"]["console"]
    assert handler["filters"] == ["discreet"]
    stream = io.StringIO()
    console = logging.StreamHandler(stream)
    console.addFilter(Discreet())
    logging.getLogger().addHandler(console)
    yield stream
    logging.getLogger().removeHandler(console)


@pytest.mark.django_db
def test_the_token_of_a_link_that_works_is_not_written_down(client, written):
    _, token = sharing.share(a_user("owner"), album=make_album())

    # A photo that is not there, by a link that works.
    client.get(f"/g/{token}/photos/6f3bd5a6-1b5f-4b6f-9f2b-000000000000")
    client.get(f"/g/{token}x")
    client.get(f"/d/{token}")

    assert "Not Found: /g/…/photos/" in written.getvalue()
    assert token not in written.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    (
        ("GET /g/as/secret-1 HTTP/1.1", "GET /g/as/… HTTP/1.1"),
        ("https://x.org/enter/abc?next=/", "https://x.org/enter/…?next=/"),
        ('"/join/abc" 200', '"/join/…" 200'),
        ("/photos/6f3b and /albums/gala", "/photos/6f3b and /albums/gala"),
        ("/d/photo.ab.0.cd:sig", "/d/…"),
    ),
)
def test_only_what_lets_somebody_in_is_left_out(text, expected):
    assert without_tokens(text) == expected


def test_a_record_is_written_though_it_holds_no_text():
    record = logging.makeLogRecord({"msg": ValueError("/g/abc"), "args": (1, None)})

    assert Discreet().filter(record)
    assert record.args == (1, None)
