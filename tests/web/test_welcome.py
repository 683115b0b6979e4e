import os

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from playwright.sync_api import expect

from lookwho.library.models import Collection, Job, Region
from tests.imports import draw
from tests.people import a_user, some_media
from tests.pictures import encode, noise

pytestmark = pytest.mark.django_db
ACTS = ("folder", "photos", "names")


def photo(name="a.jpg", seed=0):
    return SimpleUploadedFile(name, encode(noise(seed=seed), "JPEG"))


def a_region(name="Anna", **more):
    [media] = some_media(1)
    return Region.objects.create(media=media, name=name, x1=0.1, y1=0.1, x2=0.3, y2=0.3, **more)


# --- who may ---


@pytest.mark.parametrize("path", ("", *(f"/{act}" for act in ACTS)))
@pytest.mark.parametrize(("role", "status"), (("member", 404), ("annotator", 404), (None, 302)))
def test_only_who_sees_everything_adds_photos(client, tmp_path, path, role, status):
    region = a_region()
    if role:
        client.force_login(a_user(role))
    told = {"path": str(tmp_path), "photos": photo(), "use": "yes"}

    answer = client.post(f"/welcome{path}", told) if path else client.get("/welcome")

    assert answer.status_code == status
    assert Job.objects.count() == 0
    region.refresh_from_db()
    assert region.state == Region.State.OFFERED


def test_a_curator_adds_photos_but_no_folder_of_the_machine(client, tmp_path):
    client.force_login(a_user("curator"))

    assert 'name="path"' not in client.get("/welcome").content.decode()
    assert client.post("/welcome/folder", {"path": str(tmp_path)}).status_code == 404
    assert client.post("/welcome/photos", {"photos": photo()}).status_code == 302
    assert Job.objects.get().kind == Job.Kind.IMPORT


# --- a folder ---


def test_a_folder_that_is_typed_is_read_and_people_is_shown(as_owner, tmp_path):
    draw(tmp_path / "a.jpg")

    answer = as_owner.post("/welcome/folder", {"path": f" {tmp_path} "})

    assert answer["Location"] == "/people"
    assert Collection.objects.get().folder == tmp_path
    assert Job.objects.get().kind == Job.Kind.IMPORT


@pytest.mark.parametrize("typed", ("", "/there/is/none", "\0", "file"))
def test_what_is_wrong_with_a_folder_is_said_beside_what_was_typed(as_owner, tmp_path, typed):
    if typed == "file":
        typed = os.fspath(draw(tmp_path / "a.jpg"))

    answer = as_owner.post("/welcome/folder", {"path": typed})

    shown = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="wrong-path" role="alert">' in shown
    assert f'value="{typed}"' in shown
    assert not Job.objects.exists()


# --- uploads ---


def test_photos_are_taken_in_and_what_is_none_is_refused_by_name(as_owner):
    files = [photo("a.jpg"), SimpleUploadedFile("notes.txt", b"no photo")]

    page = as_owner.post("/welcome/photos", {"photos": files}, follow=True)

    shown = page.content.decode()
    assert page.redirect_chain == [("/people", 302)]
    assert "1 photo added. 1 refused. notes.txt:" in shown


def test_a_script_is_told_what_became_of_each_batch(as_owner):
    files = [photo("a.jpg"), photo("b.jpg", 1), SimpleUploadedFile("notes.txt", b"no photo")]

    told = as_owner.post(
        "/welcome/photos", {"photos": files}, headers={"Accept": "application/json"}
    ).json()

    assert told["added"] == 2
    assert [(each["name"], each["code"]) for each in told["refused"]] == [
        ("notes.txt", "not_an_image")
    ]


@pytest.mark.parametrize("accept", ("text/html", "application/json"))
@pytest.mark.parametrize("files", ((), (b"no photo",)))
def test_an_upload_without_a_photo_is_refused_in_words(as_owner, accept, files):
    files = [SimpleUploadedFile("notes.txt", content) for content in files]

    answer = as_owner.post("/welcome/photos", {"photos": files}, headers={"Accept": accept})

    assert answer.status_code == 422
    assert b"photo" in answer.content
    assert not Job.objects.exists()


def test_a_disk_without_room_is_said(as_owner, monkeypatch, settings):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    answer = as_owner.post("/welcome/photos", {"photos": photo()})

    assert answer.status_code == 507
    assert "The disk is full" in answer.content.decode()


# --- names in files ---


@pytest.mark.parametrize("path", ("/welcome", "/people", "/progress"))
def test_names_in_files_are_offered(as_owner, path):
    a_region("Anna")
    a_region("Anna")
    a_region("Ben")

    shown = as_owner.get(path).content.decode()

    assert "3 names found in your files: use them?" in shown
    assert "They are of 2 people: Anna, Ben." in shown


@pytest.mark.parametrize(
    ("use", "state", "jobs"),
    (("yes", Region.State.ACCEPTED, [Job.Kind.NAMES]), ("no", Region.State.DECLINED, [])),
)
def test_the_answer_about_names_is_kept_and_not_asked_again(as_owner, use, state, jobs):
    region = a_region()

    as_owner.post("/welcome/names", {"use": use})

    region.refresh_from_db()
    assert region.state == state
    assert list(Job.objects.values_list("kind", flat=True)) == jobs
    assert "found in your files" not in as_owner.get("/people").content.decode()


# --- in a browser ---


@pytest.mark.django_db(transaction=True)
def test_chosen_photos_are_sent_in_batches_and_people_is_shown(open_page, owner, tmp_path):
    photos = [draw(tmp_path / f"{number}.jpg", number) for number in range(60)]
    page = open_page("/welcome", owner)

    page.get_by_label("Choose photos").set_input_files(photos)

    page.wait_for_url("**/people")
    jobs = Job.objects.filter(kind=Job.Kind.IMPORT)
    assert jobs.count() == 2


@pytest.mark.django_db(transaction=True)
def test_what_was_refused_stays_in_view(open_page, owner, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("no photo")
    page = open_page("/welcome", owner)

    page.get_by_label("Choose photos").set_input_files([draw(tmp_path / "a.jpg"), notes])

    expect(page.get_by_text("1 photo sent, 1 refused.")).to_be_visible()
    expect(page.get_by_text("notes.txt:")).to_be_visible()
    page.get_by_role("link", name="See who is in them").click()
    page.wait_for_url("**/people")
