"""Taking photos in through the API, and how the work gets on."""

import io
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from lookwho.library.models import Analysis, Job, Region
from lookwho.services import analysis

JSON = "application/json"

pytestmark = pytest.mark.django_db


def test_a_folder_is_taken_in(owner, tmp_path):
    answer = owner.post("/api/v1/folders", {"path": str(tmp_path), "album": "Party"}, JSON)

    assert answer.status_code == 202
    job = Job.objects.get(uuid=answer.json()["uuid"])
    assert (job.kind, answer.json()["state"]) == ("import", "waiting")


def test_a_folder_that_is_not_there_is_named(owner):
    answer = owner.post("/api/v1/folders", {"path": "/no/such/folder"}, JSON)

    assert (answer.status_code, answer.json()["code"]) == (422, "file_missing")
    assert "/no/such/folder" in answer.json()["message"]


def test_photos_are_sent_and_what_is_none_is_named(owner):
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG")
    files = [ContentFile(data.getvalue(), "a.png"), ContentFile(b"text", "b.jpg")]

    answer = owner.post("/api/v1/uploads", {"files": files, "album": "Party"})

    assert answer.status_code == 202
    assert answer.json()["job"]["state"] == "waiting"
    assert [(each["name"], each["code"]) for each in answer.json()["refused"]] == [
        ("b.jpg", "not_an_image")
    ]


def test_work_tells_how_far_it_is(owner, tmp_path):
    owner.post("/api/v1/folders", {"path": str(tmp_path)}, JSON)

    answer = owner.get("/api/v1/work").json()

    assert answer["running"]
    assert [each["state"] for each in answer["imports"]] == ["waiting"]
    assert answer["workers"] == []


def test_an_import_is_cancelled_and_gone_on_with(owner, tmp_path):
    uuid = owner.post("/api/v1/folders", {"path": str(tmp_path)}, JSON).json()["uuid"]

    assert owner.post(f"/api/v1/work/{uuid}/cancel").status_code == 204
    assert Job.objects.get(uuid=uuid).state == "cancelled"
    assert owner.post(f"/api/v1/work/{uuid}/retry").status_code == 204
    assert Job.objects.get(uuid=uuid).state == "waiting"


def test_work_that_is_not_there_cannot_be_cancelled(owner):
    assert owner.post(f"/api/v1/work/{uuid4()}/cancel").status_code == 404


def test_what_failed_is_listed_and_tried_again(owner, shelf):
    Analysis.objects.create(
        media=shelf.photos[0],
        pack=analysis.current_pack(),
        state="failed",
        error_code="timed_out",
        error="it took too long",
    )

    (failure,) = owner.get("/api/v1/work/failures").json()["failures"]
    again = owner.post("/api/v1/work/retry").json()

    assert (failure["what"], failure["code"]) == ("0.jpg", "timed_out")
    assert again == 1
    assert owner.get("/api/v1/work/failures").json()["failures"] == []


def test_names_in_files_are_offered_and_declined(owner, shelf):
    Region.objects.create(
        media=shelf.photos[0], name="Anna", source="mwg", x1=0.2, y1=0.2, x2=0.4, y2=0.5
    )

    assert owner.get("/api/v1/names").json() == {
        "regions": 1,
        "people": 1,
        "examples": ["Anna"],
    }
    owner.post("/api/v1/names/decline")

    assert owner.get("/api/v1/names").json()["regions"] == 0


def test_names_in_files_are_used_once_somebody_says_so(owner, shelf):
    Region.objects.create(
        media=shelf.photos[0], name="Anna", source="mwg", x1=0.2, y1=0.2, x2=0.4, y2=0.5
    )

    assert owner.post("/api/v1/names/accept").status_code == 202
    assert Job.objects.filter(kind="names").count() == 1


def test_an_invitation_leads_to_the_site(owner):
    url = owner.post("/api/v1/invitations").json()["url"]

    assert url.startswith("http://testserver/join/")
