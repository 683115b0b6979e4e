import asyncio
import io
import time
import zipfile

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import RequestFactory

from lookwho.core.errors import TooMany
from lookwho.library.models import Media, Person
from lookwho.services import downloads as services
from lookwho.web import downloads
from tests.gallery import make_album
from tests.imports import draw, imported, named_face
from tests.people import a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(tmp_path):
    for number in range(4):
        draw(tmp_path / "photos" / f"{number}.jpg", number)
    imported(tmp_path / "photos")
    return list(Media.objects.order_by("locations__path"))


@pytest.fixture
def album(library):
    return make_album(*library[:3], title="Zoë's party", slug="party")


def names(answer):
    assert answer.status_code == 200
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    ended(answer)
    assert archive.testzip() is None
    return sorted(name[11:] for name in archive.namelist())


def ended(answer):
    # Not `close`: it also says that a request has ended, and Django closes the test's database.
    for close in answer._resource_closers:
        close()


def signed_in(client, role="member"):
    user = a_user(role)
    client.force_login(user)
    return user


def test_an_album_is_downloaded(client, album):
    signed_in(client)
    answer = client.get("/albums/party/download")

    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"].startswith(
        "attachment; filename*=UTF-8''Zo%C3%AB%27s%20party"
    )
    assert answer["Cache-Control"] == "no-store"
    assert names(answer) == ["0.jpg", "1.jpg", "2.jpg"]


def test_smaller_copies_are_downloaded(client, album):
    signed_in(client)

    assert len(names(client.get("/albums/party/download?side=320&strip=1"))) == 3
    assert len(names(client.get("/albums/party/download?side=99999"))) == 3


def test_one_downloads_the_photos_that_one_is_in_and_no_others(client, album, library):
    user = signed_in(client)
    anna = named_face(library[0]).person
    named_face(library[1], "Ben")
    named_face(library[3])  # in no album that is open
    Person.objects.filter(pk=anna.pk).update(user=user)

    assert names(client.get("/me/download")) == ["0.jpg"]


def test_whoever_is_in_no_photo_is_told(client, album):
    signed_in(client)

    assert client.get("/me/download").status_code == 404


@pytest.mark.parametrize("hidden", ({"hidden": True}, {"processing": True}))
def test_a_hidden_album_is_downloaded_by_those_who_see_it_alone(client, album, library, hidden):
    make_album(*library)  # its photos may be seen, and still nobody learns what else they are in
    for field, value in hidden.items():
        setattr(album, field, value)
    album.save()
    signed_in(client)
    assert client.get("/albums/party/download").status_code == 404
    assert client.get("/albums/none/download").status_code == 404

    signed_in(client, "owner")
    assert len(names(client.get("/albums/party/download"))) == 3


def test_nobody_downloads_without_signing_in(client, album):
    for path in ("/albums/party/download", "/me/download"):
        answer = client.get(path)
        assert answer.status_code == 302
        assert "/sign-in" in answer["Location"] or "login" in answer["Location"]


def test_a_hidden_photo_is_not_downloaded(client, album, library):
    Media.objects.filter(pk=library[0].pk).update(hidden=True, present=False)
    signed_in(client)

    assert names(client.get("/albums/party/download")) == ["1.jpg", "2.jpg"]


def test_a_third_download_at_once_waits(client, album):
    signed_in(client)
    first, second = client.get("/albums/party/download"), client.get("/albums/party/download")
    assert client.get("/albums/party/download").status_code == 429
    ended(first)
    third = client.get("/albums/party/download")
    assert third.status_code == 200
    for answer in (second, third):
        ended(answer)
    assert services._under_way == {}


def test_it_is_not_read_by_posting(client, album):
    signed_in(client, "owner")

    assert client.post("/albums/party/download").status_code == 405


def test_under_asgi_it_is_sent_piece_by_piece_and_ends_with_whoever_asked():
    made, over = [], []

    def chunks():
        try:
            for number in range(100):
                made.append(number)
                yield b"%d" % number
        finally:
            over.append(True)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    request = ASGIRequest(scope, io.BytesIO())

    async def ask(most):
        answer = downloads.sent(request, chunks(), name="a.zip", key="user:9")
        got = []
        parts = aiter(answer)
        async for part in parts:
            got.append(part)
            if len(got) == most:
                await parts.aclose()
                break
        ended(answer)
        del answer, parts  # as the server does: what they hold ends with them
        patience = time.monotonic() + 20
        while not over and time.monotonic() < patience:
            await asyncio.sleep(0.01)
        return got

    assert asyncio.run(ask(200)) == [b"%d" % number for number in range(100)]
    made.clear()
    over.clear()
    assert asyncio.run(ask(3)) == [b"0", b"1", b"2"]
    assert (len(made) < 10, over) == (True, [True])
    assert services._under_way == {}


def test_too_many_are_refused_before_anything_is_made():
    request = RequestFactory().get("/")
    held = [services.Slot("guest:1") for _ in range(services.AT_ONCE)]
    with pytest.raises(TooMany):
        downloads.sent(request, iter(()), name="a.zip", key="guest:1")
    for slot in held:
        slot.close()
