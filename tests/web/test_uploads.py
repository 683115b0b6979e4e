import os

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lookwho.library.models import Job, Upload, Watch
from lookwho.services import receiving, unpacking, watches
from tests.archives import zip_of
from tests.gallery import make_album
from tests.people import a_user
from tests.pictures import encode, noise

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def place(tmp_path, settings):
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


@pytest.fixture
def album():
    return make_album(title="Party", slug="party")


def photo(seed=0):
    return encode(noise(seed=seed), "JPEG")


def file(name, data):
    return SimpleUploadedFile(name, data)


def sent(owner, album, name, data):
    upload = receiving.begin(owner, album, name, len(data))
    receiving.append(upload, 0, [data])
    receiving.finish(upload)
    if upload.state == "unpacking":
        unpacking.run_unpack(Job.objects.get(pk=upload.job_id), beat=lambda done: None)
    return upload


def shown(client, path="/albums/party/uploads"):
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


# --- without a script ---


def test_photos_and_archives_are_sent_by_a_form(as_owner, album):
    files = [
        file("a.jpg", photo(1)),
        file("more.tar", b""),
        file("b.zip", zip_of([("c.jpg", photo(2))])),
    ]
    answer = as_owner.post("/albums/party/uploads", {"photos": files}, follow=True)

    assert answer.redirect_chain[-1][0] == "/albums/party"
    assert "3 files were sent. Refused: more.tar." in answer.content.decode()
    assert set(Upload.objects.values_list("name", "state")) == {
        ("a.jpg", "done"), ("b.zip", "unpacking"),
    }  # fmt: skip


def test_a_form_without_a_file_is_told(as_owner, album):
    assert as_owner.post("/albums/party/uploads").status_code == 422


# --- what became of it ---


def test_what_became_of_each_archive_is_told_with_every_reason(as_owner, owner, album):
    files = [("a.jpg", photo(1)), ("notes.txt", b"text " * 200), ("../b.jpg", photo(2))]
    sent(owner, album, "party.zip", zip_of(files))
    page = shown(as_owner, "/albums/party")

    assert "party.zip" in page
    assert "1 photo added" in page
    assert "2 refused" in page
    assert "<b>notes.txt</b> This is a text file" in page
    assert "<b>../b.jpg</b> Its name leads out of the archive" in page


def test_photos_that_were_sent_one_by_one_are_told_together(as_owner, owner, album):
    for seed in range(3):
        sent(owner, album, f"{seed}.jpg", photo(seed))
    sent(owner, album, "<notes>.jpg", b"text " * 200)
    receiving.append(receiving.begin(owner, album, "late.jpg", 100), 0, [b"x"])
    page = shown(as_owner)

    assert "3 added" in page
    assert "1 refused" in page
    assert "1 not complete" in page
    assert "<b>_notes_.jpg</b> This is a text file" in page


def test_an_archive_that_failed_says_why(as_owner, owner, album):
    sent(owner, album, "party.zip", zip_of([("a.jpg", photo())])[:-40])

    assert "The archive is cut short" in shown(as_owner)


def test_how_far_an_archive_is_is_told(as_owner, owner, album):
    upload = receiving.begin(owner, album, "party.zip", 200)
    receiving.append(upload, 0, [b"x" * 50])
    assert "25 % received" in shown(as_owner)
    assert "data-running" in shown(as_owner)

    Upload.objects.update(state="unpacking", job=Job.objects.create(kind="unpack", done=3, total=4))
    assert "Unpacking, 75 %" in shown(as_owner)


def test_the_list_is_cleared_and_a_file_is_given_up(as_owner, owner, album):
    sent(owner, album, "a.jpg", photo())
    late = receiving.begin(owner, album, "late.zip", 100)

    assert as_owner.post(f"/uploads/{late.uuid}/cancel")["Location"] == "/albums/party"
    assert as_owner.post("/albums/party/uploads/forget")["Location"] == "/albums/party"
    assert not Upload.objects.exists()


def test_so_many_uploads_take_a_fixed_number_of_queries(as_owner, owner, album):
    counts = []
    for number in (1, 4):
        for seed in range(number):
            sent(owner, album, f"{number}{seed}.zip", zip_of([("a.jpg", photo(seed))]))
        with CaptureQueriesContext(
            connection,
        ) as asked:
            shown(as_owner)
        counts.append(len(asked))
    assert counts[0] == counts[1]


# --- watched folders ---


def test_a_folder_is_watched_and_no_longer(as_owner, album, tmp_path, settings):
    settings.HOME = tmp_path / "home"
    folder = tmp_path / "export"
    folder.mkdir()
    answer = as_owner.post("/albums/party/watches", {"path": os.fspath(folder), "every": "30"})

    assert answer["Location"] == "/albums/party"
    watch = Watch.objects.get()
    assert (watch.every, watch.collection.folder) == (30, folder)
    page = shown(as_owner, "/albums/party")
    assert f"<code>{folder}</code>" in page
    assert "every 30 seconds" in page

    as_owner.post(f"/watches/{watch.pk}/remove")
    assert not Watch.objects.exists()


@pytest.mark.parametrize(
    ("path", "every"),
    (("", "60"), ("/no/such/folder", "60"), ("{}", "1"), ("{}", "often"), ("{}", "-7")),
)
def test_what_cannot_be_watched_is_said_beside_what_was_typed(
    as_owner, album, tmp_path, path, every
):
    told = path.format(tmp_path)
    answer = as_owner.post("/albums/party/watches", {"path": told, "every": every})

    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="watch-wrong" role="alert"' in page
    assert f'value="{told}"' in page
    assert not Watch.objects.exists()


# --- who may ---


@pytest.mark.parametrize(("role", "status"), (("member", 404), ("annotator", 404), (None, 302)))
def test_the_wrong_person_gets_nothing(client, owner, album, tmp_path, role, status):
    upload = receiving.begin(owner, album, "secret.zip", 100)
    watches._seen.clear()
    if role:
        client.force_login(a_user(role))
    answers = [
        client.get("/albums/party/uploads"),
        client.post("/albums/party/uploads", {"photos": file("a.jpg", photo())}),
        client.post("/albums/party/uploads/forget"),
        client.post(f"/uploads/{upload.uuid}/cancel"),
        client.post("/albums/party/watches", {"path": os.fspath(tmp_path)}),
        client.post("/watches/1/remove"),
    ]

    assert {answer.status_code for answer in answers} == {status}
    assert not any(b"secret" in answer.content for answer in answers)
    assert Upload.objects.get().state == "receiving"
    assert not Watch.objects.exists()


def test_a_curator_sends_photos_and_watches_no_folder(client, album, tmp_path):
    client.force_login(a_user("curator"))
    page = shown(client, "/albums/party")

    assert "data-uploads" in page
    assert "watch-path" not in page
    assert client.post("/albums/party/watches", {"path": os.fspath(tmp_path)}).status_code == 404
    assert (
        client.post("/albums/party/uploads", {"photos": file("a.jpg", photo())}).status_code == 302
    )


def test_members_see_nothing_of_uploads(client, owner, album):
    sent(owner, album, "secret.zip", zip_of([("a.txt", b"text " * 200)]))
    album.processing = False
    album.save()
    client.force_login(a_user("member"))
    page = shown(client, "/albums/party")

    assert "secret" not in page
    assert "data-uploads" not in page


@pytest.mark.parametrize("path", ("uploads", "uploads/forget", "watches"))
def test_an_album_that_is_not_there_is_not_there(as_owner, path):
    assert as_owner.post(f"/albums/none/{path}").status_code == 404
