"""Photos and archives that are sent in pieces through the API, as tus says it."""

import base64
import re
from uuid import uuid4

import pytest
from django.test import Client

from lookwho.library.models import Album, Job, Upload
from lookwho.services import accounts, receiving, tokens
from tests.archives import zip_of
from tests.gallery import make_album
from tests.pictures import encode, noise

pytestmark = pytest.mark.django_db

UPLOADS = "/api/v1/uploads"
STREAM = "application/offset+octet-stream"


def metadata(**told):
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items()
    )


@pytest.fixture(autouse=True)
def place(tmp_path, settings):
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


@pytest.fixture
def album():
    return make_album(title="Party")


def photo(seed=0):
    return encode(noise(seed=seed), "JPEG")


def begin(client, size, name="a.jpg", album="", **more):
    told = {"filename": name} | ({"album": album} if album else {})
    headers = {"Upload-Length": str(size), "Upload-Metadata": metadata(**told)}
    return client.post(UPLOADS, headers={"Tus-Resumable": "1.0.0", **headers}, **more)


def patch(client, url, offset, data, kind=STREAM, **headers):
    return client.patch(
        url, data, content_type=kind, headers={"Upload-Offset": str(offset), **headers}
    )


def test_a_photo_is_sent_in_pieces(owner, album):
    data = photo()
    begun = begin(owner, len(data), album=album.slug)
    url = begun["Location"]

    assert (begun.status_code, begun["Tus-Resumable"], begun["Upload-Offset"]) == (
        201,
        "1.0.0",
        "0",
    )
    assert patch(owner, url, 0, data[:1000])["Upload-Offset"] == "1000"
    asked = owner.head(url)
    assert (asked["Upload-Offset"], asked["Upload-Length"]) == ("1000", str(len(data)))
    assert asked["Cache-Control"] == "no-store"
    last = patch(owner, url, 1000, data[1000:])
    assert (last.status_code, last["Upload-Offset"]) == (204, str(len(data)))

    told = owner.get(url).json()
    assert (told["state"], told["kept"], told["album"], told["name"]) == (
        "done", 1, album.slug, "a.jpg",
    )  # fmt: skip
    assert Job.objects.get().payload["album"] == album.pk
    assert owner.head(url)["Upload-Offset"] == str(len(data))


def test_a_small_file_comes_with_the_first_request(owner, album):
    data = photo()
    begun = begin(owner, len(data), album=album.slug, data=data, content_type=STREAM)

    assert (begun.status_code, begun["Upload-Offset"]) == (201, str(len(data)))
    assert Upload.objects.get().state == "done"


def test_an_answer_that_is_lost_begins_no_second_file(owner, album):
    data, uuid = photo(), str(uuid4())
    told = {"Upload-Length": str(len(data)),
            "Upload-Metadata": metadata(filename="a.jpg", album=album.slug, uuid=uuid)}  # fmt: skip
    for _ in range(2):
        empty = owner.post(UPLOADS, headers=told)
        assert (empty.status_code, empty["Upload-Offset"]) == (201, "0")
        assert empty["Location"] == f"{UPLOADS}/{uuid}"
    for _ in range(2):
        whole = owner.post(UPLOADS, data, content_type=STREAM, headers=told)
        assert (whole.status_code, whole["Upload-Offset"]) == (201, str(len(data)))

    assert (Upload.objects.get().kept, Job.objects.count()) == (1, 1)


def test_a_photo_that_is_none_is_refused_with_its_last_piece(owner):
    data = b"hello, world\n" * 50
    refused = begin(owner, len(data), data=data, content_type=STREAM)

    assert (refused.status_code, refused.json()["code"]) == (422, "not_an_image")
    assert "text file" in refused.json()["message"]
    url = refused["Location"]
    assert owner.head(url).status_code == 404
    assert owner.get(url).json()["refused"][0]["name"] == "a.jpg"


def test_an_archive_waits_to_be_unpacked(owner, album):
    data = zip_of([("a.jpg", photo())])
    begin(owner, len(data), "a.zip", album.slug, data=data, content_type=STREAM)

    assert owner.get(UPLOADS).json()["uploads"][0]["state"] == "unpacking"
    assert Job.objects.get().kind == "unpack"


@pytest.mark.parametrize("offset", (0, 4, 6, 1000))
def test_a_piece_that_belongs_elsewhere_is_told_where(owner, offset):
    url = begin(owner, 100)["Location"]
    patch(owner, url, 0, b"12345")
    wrong = patch(owner, url, offset, b"x")

    assert (wrong.status_code, wrong.json()["code"], wrong["Upload-Offset"]) == (
        409,
        "conflict",
        "5",
    )


def test_a_piece_says_its_type_and_its_place(owner):
    url = begin(owner, 100)["Location"]

    assert patch(owner, url, 0, b"x", "text/plain").status_code == 422
    assert owner.patch(url, b"x", content_type=STREAM).status_code == 422
    assert patch(owner, url, "x", b"x").status_code == 422
    assert receiving.offset_of(Upload.objects.get()) == 0


def test_a_piece_is_not_too_large(owner):
    url = begin(owner, 50 << 20)["Location"]
    refused = patch(owner, url, 0, bytes(receiving.PIECE + 1))

    assert (refused.status_code, "8 MB" in refused.json()["message"]) == (422, True)
    assert patch(owner, url, 0, bytes(receiving.PIECE)).status_code == 204


def test_a_file_is_given_up(owner):
    url = begin(owner, 100)["Location"]
    patch(owner, url, 0, b"12345")

    assert owner.delete(url).status_code == 204
    assert owner.head(url).status_code == 404
    assert owner.get(url).json()["state"] == "cancelled"
    assert owner.delete(url).status_code == 204
    assert owner.get(url).status_code == 404


def test_it_says_what_of_tus_it_speaks(owner):
    said = owner.options(UPLOADS)

    assert (said.status_code, said["Tus-Version"]) == (204, "1.0.0")
    assert "creation" in said["Tus-Extension"]


@pytest.mark.parametrize(
    ("headers", "code"),
    (
        ({}, "invalid"),
        ({"Upload-Length": "0"}, "invalid"),
        ({"Upload-Length": "-5"}, "invalid"),
        ({"Upload-Length": "many"}, "invalid"),
        ({"Upload-Length": str(1 << 50)}, "image_too_large"),
        ({"Upload-Length": "5", "Upload-Metadata": "filename !!"}, "invalid"),
        ({"Upload-Length": "5", "Upload-Metadata": metadata(uuid="7")}, "invalid"),
        ({"Upload-Length": "5", "Upload-Metadata": f"album {base64.b64encode(b'no').decode()}"},
         "not_found"),
    ),
)  # fmt: skip
def test_what_cannot_be_is_said(owner, headers, code):
    refused = owner.post(UPLOADS, headers=headers)

    assert refused.json()["code"] == code
    assert 400 <= refused.status_code < 500
    assert not Upload.objects.exists()


def test_what_was_sent_is_listed_piece_by_piece_in_a_fixed_number_of_queries(
    owner, album, django_assert_max_num_queries
):
    for number in range(5):
        begin(owner, 100, f"{number}.jpg", album.slug if number % 2 else "")
    with django_assert_max_num_queries(8):
        first = owner.get(f"{UPLOADS}?limit=3").json()
    rest = owner.get(f"{UPLOADS}?limit=3&cursor={first['next']}").json()

    assert [each["name"] for each in first["uploads"]] == ["4.jpg", "3.jpg", "2.jpg"]
    assert [each["name"] for each in rest["uploads"]] == ["1.jpg", "0.jpg"]
    assert rest["next"] is None
    assert len(owner.get(f"{UPLOADS}?album={album.slug}").json()["uploads"]) == 2
    assert owner.get(f"{UPLOADS}?album=no").status_code == 404


# --- who may ---


def test_the_wrong_person_gets_nothing(owner, member, ask, album, shelf):
    url = begin(owner, 100, album=album.slug)["Location"]
    patch(owner, url, 0, b"12345")
    annotator = ask(accounts.make_user("Ada", "annotator"))

    for client, status in ((member, 404), (annotator, 404), (ask(None), 401)):
        answers = (
            begin(client, 100, album=album.slug),
            begin(client, 100, album="no-such-album"),
            client.post(UPLOADS, headers={"Upload-Length": "many"}),
            client.get(UPLOADS),
            client.get(url),
            client.head(url),
            patch(client, url, 5, b"x"),
            patch(client, url, "x", b"x"),
            client.delete(url),
        )
        assert {answer.status_code for answer in answers} == {status}
        assert not any(
            b"a.jpg" in answer.content or b"party" in answer.content for answer in answers
        )
        assert len({answer.content for answer in answers if answer.content}) == 1
    assert receiving.offset_of(Upload.objects.get()) == 5


def test_a_file_is_sent_by_the_one_who_began(owner, ask, album):
    url = begin(owner, 100, album=album.slug)["Location"]
    curator = ask(accounts.make_user("Cora", "curator"))

    assert patch(curator, url, 0, b"x").status_code == 404
    assert curator.head(url).status_code == 404
    assert curator.get(url).status_code == 200
    assert curator.delete(url).status_code == 204


def test_a_token_needs_the_scope(shelf, album):
    def spoken(*scopes):
        token = tokens.make_token(shelf.owner, "phone", scopes=list(scopes))
        client = Client(headers={"Authorization": f"Bearer {token}"})
        return begin(client, 100), client.get(UPLOADS)

    assert [answer.status_code for answer in spoken("uploads:write")] == [201, 200]
    assert [answer.status_code for answer in spoken("uploads:read")] == [403, 200]
    assert [answer.status_code for answer in spoken("photos:write")] == [403, 403]


def test_a_page_of_another_site_sends_nothing(shelf, album):
    client = Client(enforce_csrf_checks=True)
    client.force_login(shelf.owner)

    assert begin(client, 100).status_code in (401, 403)
    assert not Upload.objects.exists()


def test_thousands_of_pieces_are_not_too_many(owner, settings):
    assert re.fullmatch(r"\d+/\w+", settings.API_RATE)
    most = int(settings.API_RATE.partition("/")[0])
    url = begin(owner, most + 50)["Location"]
    codes = {owner.head(url).status_code for _ in range(most + 10)}

    assert codes == {200}
    assert Album.objects.count() == 0
