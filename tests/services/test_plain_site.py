import json
from contextlib import closing
from datetime import date, datetime

import pytest

from lookwho.core.errors import NotFound, SiteUnreachable
from lookwho.services import site_client
from lookwho.services.memberships import Period
from lookwho.services.plain_site import PlainSite
from lookwho.services.site_client import Client
from lookwho.services.site_shapes import RemoteAlbum, RemoteMember, RemotePhoto
from tests.concrexit import serving

ANSWERS = {
    "/club/albums?page=1": {
        "albums": [{"id": 7, "title": "Gala", "date": "2024-06-01", "event": "Spring"}],
        "pages": 2,
    },
    "/club/albums?page=2": {
        "albums": [{"id": "a/b", "hidden": True, "accessible": False, "cover": 3}],
        "pages": 2,
    },
    "/club/albums/a%2Fb/photos?page=1": {
        "photos": [{"id": 3, "url": "/files/3.jpg", "taken_at": "2024-06-01T20:15:00"}, {"id": 4}]
    },
    "/club/members?page=1": {
        "members": [
            {"id": 1, "email": "mia@example.org", "periods": [{"since": "2023-09-01"}]},
            {"id": 2},
        ]
    },
    "/club/liked?page=1": {"photos": [{"id": 3}]},
}


@pytest.fixture
def ask():
    """Ask a site that answers so; answers may be changed."""
    answers = dict(ANSWERS)

    def answer(handler):
        if handler.path not in answers:
            return 404, {}, b"{}"
        told = answers[handler.path]
        return 200, {}, told if isinstance(told, bytes) else json.dumps(told).encode()

    with serving(answer) as address, closing(Client(f"{address}/club", "")) as client:

        def asked(what, *more, **changed):
            answers.update(changed.pop("answers", {}))
            return list(getattr(PlainSite(), what)(client, *more))

        yield asked


def test_what_the_document_says_is_read(ask):
    assert ask("albums") == [
        RemoteAlbum("7", "Gala", date(2024, 6, 1), "Spring"),
        RemoteAlbum("a/b", "a/b", hidden=True, open=False, cover="3"),
    ]
    assert ask("photos", "a/b") == [
        RemotePhoto("3", "/files/3.jpg", datetime(2024, 6, 1, 20, 15)),
        RemotePhoto("4", ""),
    ]
    assert ask("members") == [
        RemoteMember("1", "mia@example.org", (Period(date(2023, 9, 1)),)),
        RemoteMember("2", "", None),
    ]
    assert ask("liked") == ["3"]
    with pytest.raises(NotFound):
        ask("photos", "none")


@pytest.mark.parametrize(
    "odd",
    (
        [],
        {"albums": {}},
        {"albums": [7]},
        {"albums": [{}]},
        {"albums": [{"id": None}]},
        {"albums": [{"id": True}]},
        {"albums": [{"id": "x" * 200}]},
        {"albums": [{"id": "a\nb"}]},
        {"albums": [], "pages": "many"},
        b"<html>",
    ),
)
def test_an_odd_answer_is_refused_and_said_to_be_one(ask, odd):
    with pytest.raises(SiteUnreachable):
        ask("albums", answers={"/club/albums?page=1": odd})


@pytest.mark.parametrize("since", (None, "yesterday", 7))
def test_periods_that_are_no_days_are_refused(ask, since):
    told = {"members": [{"id": 1, "periods": [{"since": since}]}]}
    with pytest.raises(SiteUnreachable, match="since"):
        ask("members", answers={"/club/members?page=1": told})


def test_bytes_beyond_the_most_are_refused(ask, monkeypatch):
    monkeypatch.setattr(site_client, "MAX_JSON", 20)
    with pytest.raises(Exception, match="million bytes"):
        ask("albums")
