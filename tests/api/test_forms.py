"""Videos that are sent whole, as a field of a form."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from lookwho.library.models import Album, Upload
from lookwho.services import receiving, tokens, uploads
from tests.films import a_clip

PATH = "/api/v1/videos"

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a video."""
    return a_clip(tmp_path_factory.mktemp("clips") / "clip.webm", seconds=2).read_bytes()


@pytest.fixture(autouse=True)
def _folder(tmp_path, settings):
    settings.UPLOADS = tmp_path / "uploads"


def sent(content, name="Party.webm"):
    return {"video": SimpleUploadedFile(name, content, "video/webm")}


def lying():
    """What lies where files are collected that come."""
    folder = Path(settings.UPLOADS) / uploads.RECEIVING
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_video_is_taken_in_and_what_becomes_of_it_is_told(owner, shelf, content):
    Album.objects.create(title="Gala", slug="gala")

    answer = owner.post(PATH, {**sent(content), "album": "gala"})

    assert answer.status_code == 202, answer.content
    told = answer.json()
    status = owner.get(told["status_url"]).json()
    assert (status["uuid"], status["name"]) == (told["task_id"], "Party.webm")
    assert (status["size"], status["received"], status["album"]) == (
        len(content),
        len(content),
        "gala",
    )
    assert status["state"] in ("unpacking", "done")
    assert status["code"] == ""
    upload = Upload.objects.get()
    assert lying() == [upload.uuid.hex]
    assert receiving.part_of(upload.uuid).read_bytes() == content


def test_a_video_is_not_written_twice(owner, shelf, content, monkeypatch):
    inodes = []
    begin = receiving.begin

    def watched(*args, **more):
        folder = Path(settings.UPLOADS) / uploads.RECEIVING
        inodes.extend(path.stat().st_ino for path in folder.iterdir())
        return begin(*args, **more)

    monkeypatch.setattr(receiving, "begin", watched)
    owner.post(PATH, sent(content))

    part = receiving.part_of(Upload.objects.get().uuid)
    assert inodes == [part.stat().st_ino]


@pytest.mark.parametrize(
    ("name", "kept"),
    (
        ("../../etc/cron.d/x.webm", "x.webm"),
        ("clip", "clip.webm"),
        ("clip.txt", "clip.webm"),
        ("a\x00b\x1f.MP4", "ab.MP4"),
    ),
)
def test_a_name_leads_nowhere_and_ends_like_that_of_a_video(owner, shelf, content, name, kept):
    assert owner.post(PATH, sent(content, name)).status_code == 202
    assert Upload.objects.get().name == kept


@pytest.mark.parametrize(
    ("some", "reason"),
    (
        (b"%PDF-1.7 " + b"x" * 100, "Party.webm is no video that can be read here"),
        (b"%PDF-1.7 " + b"x" * 3_000_000, "Party.webm is no video that can be read here"),
        (b"", "empty"),
    ),
)
def test_what_is_no_video_is_refused_in_words_and_nothing_stays(owner, shelf, some, reason):
    answer = owner.post(PATH, sent(some))

    assert (answer.status_code, answer.json()["code"]) == (400, "request")
    assert reason in answer.json()["message"]
    assert (lying(), Upload.objects.count()) == ([], 0)


def test_a_form_without_a_video_is_refused(owner, shelf):
    assert owner.post(PATH, {"album": ""}).status_code == 422
    assert owner.post(PATH, b"", "application/json").status_code == 422


def test_an_album_that_is_not_there_is_not_found(owner, shelf, content):
    assert owner.post(PATH, {**sent(content), "album": "odd"}).status_code == 404
    assert (lying(), Upload.objects.count()) == ([], 0)


def test_whoever_may_not_send_writes_nothing(ask, member, shelf, content, monkeypatch):
    monkeypatch.setattr("lookwho.services.forms.ToDisk.new_file", lambda *_, **__: 1 / 0)

    assert member.post(PATH, sent(content)).status_code == 404
    assert ask(None).post(PATH, sent(content)).status_code == 401
    wrong = Client(headers={"Authorization": "Bearer odd"})
    assert wrong.post(PATH, sent(content)).status_code == 401
    scoped = tokens.make_token(shelf.owner, "x", scopes=["videos:read"])
    reader = Client(headers={"Authorization": f"Bearer {scoped}"})
    assert reader.post(PATH, sent(content)).status_code == 403
    assert (lying(), Upload.objects.count()) == ([], 0)


def test_a_forged_form_is_refused_and_one_with_a_token_is_not(shelf, content):
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(shelf.owner)
    assert careful.post(PATH, sent(content)).status_code == 403
    assert (lying(), Upload.objects.count()) == ([], 0)

    token = tokens.make_token(shelf.owner, "program")
    program = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {token}"})
    assert program.post(PATH, sent(content)).status_code == 202


def test_a_disk_without_room_is_said_to_be_full(owner, shelf, content, monkeypatch):
    monkeypatch.setattr(receiving, "SPARE", 1 << 60)

    answer = owner.post(PATH, sent(content))

    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert (lying(), Upload.objects.count()) == ([], 0)
