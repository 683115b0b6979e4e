from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from lookwho.library.models import Analysis, Job, Location
from lookwho.library.queries.work import BARS, Throughput
from lookwho.web.progress import HEIGHT, WIDTH, bars
from tests.people import a_pack, a_user, some_media
from tests.work import make_collection, make_job, make_worker

pytestmark = pytest.mark.django_db


def an_import(**fields):
    payload = {"collection": make_collection().pk, "album": None, "paths": None}
    return make_job("import", payload=payload, **fields)


def a_failure(error="the dog ate it"):
    [media] = some_media(1)
    Location.objects.create(collection=make_collection(), media=media, path=f"{media.pk}.jpg")
    return Analysis.objects.create(
        media=media,
        pack=a_pack(),
        state="failed",
        error_code="worker_died",
        error=error,
        finished_at=timezone.now(),
    )


def an_unreadable_file(path="broken.jpg"):
    return Location.objects.create(
        collection=make_collection(), path=path, error_code="broken_image", error="cut short"
    )


# --- who may ---


def acts():
    job, failure = an_import(state="failed"), a_failure()
    return (
        reverse("cancel", args=[job.uuid]),
        reverse("go-on", args=[job.uuid]),
        reverse("retry-all"),
        reverse("retry", args=["media", failure.media_id]),
    )


@pytest.mark.parametrize(("role", "status"), (("member", 404), ("annotator", 404), (None, 302)))
def test_only_who_sees_everything_sees_and_steers_the_work(client, role, status):
    if role:
        client.force_login(a_user(role))

    assert client.get("/progress").status_code == status
    for path in acts():
        assert client.post(path).status_code == status
    assert set(Job.objects.values_list("state", flat=True)) == {"failed"}
    assert set(Analysis.objects.values_list("state", flat=True)) == {"failed"}


# --- what is shown ---


def test_an_import_under_way_is_told_by_its_photos(as_owner):
    make_worker()
    job = an_import(state="done", done=50, total=50)
    make_job("analyse", parent=job, state="done", done=20, total=20)
    make_job("analyse", parent=job, state="leased", done=10, total=20)

    shown = as_owner.get("/progress").content.decode()

    assert "75 % done" in shown
    assert "30 of 40 photos analysed" in shown
    assert 'data-every="2000"' in shown


def test_when_nothing_waits_the_page_is_still(as_owner):
    an_import(state="done", done=50, total=50)

    shown = as_owner.get("/progress").content.decode()

    assert "All is done" in shown
    assert "data-every" not in shown


@pytest.mark.parametrize(("seconds", "stuck"), ((10, False), (31, True)))
def test_work_that_nobody_does_is_said_with_what_to_do(as_owner, seconds, stuck):
    an_import()
    make_worker(seen_at=timezone.now() - timedelta(seconds=seconds))

    shown = as_owner.get("/progress").content.decode()

    assert ("Nothing is working on this" in shown) == stuck
    assert ("silent" in shown) == stuck


def test_failures_stand_in_one_list_with_their_reasons(as_owner):
    a_failure("the process that analysed it died 3 times in a row")
    an_unreadable_file()
    an_import(state="failed", error="there is no folder any more")

    shown = as_owner.get("/progress").content.decode()

    assert "3 things failed" in shown
    for reason in ("died 3 times in a row", "cut short", "there is no folder any more"):
        assert reason in shown


def test_failures_are_paged(as_owner, monkeypatch):
    monkeypatch.setattr("lookwho.web.progress.FAILURES", 2)
    an_import(state="failed")
    failures = [a_failure() for _ in range(3)]
    an_unreadable_file()

    pages = [as_owner.get(f"/progress?skip={skip}").content.decode() for skip in (0, 2, 4)]

    assert [page.count(">Try again<") for page in pages] == [2, 2, 1]
    assert ["skip=2" in pages[0], "skip=4" in pages[1], "?skip" in pages[2]] == [True, True, False]
    assert sum(f"{each.media_id}.jpg</a>" in "".join(pages) for each in failures) == 3


def test_much_work_takes_as_many_queries_as_a_little(as_owner):
    def more():
        make_worker()
        job = an_import(state="done")
        make_job("analyse", parent=job, total=20)
        an_import(state="failed")
        a_failure()
        an_unreadable_file(f"broken {Location.objects.count()}.jpg")

    def count():
        with CaptureQueriesContext(connection) as captured:
            as_owner.get("/progress")
        return len(captured)

    more()
    one = count()
    more()
    more()

    assert count() == one


def test_the_picture_of_throughput_fits_its_frame():
    drawn = list(bars(Throughput([0] * (BARS - 2) + [5, 10], 60)))

    assert drawn[-1]["height"] == pytest.approx(2 * drawn[-2]["height"], abs=0.2)
    for bar in drawn:
        assert 0 <= bar["x"] <= bar["x"] + bar["width"] <= WIDTH
        assert 0 <= bar["y"] < HEIGHT
        assert bar["y"] + bar["height"] == pytest.approx(HEIGHT)


# --- what is done ---


def test_an_import_is_stopped_and_goes_on(as_owner):
    job = an_import()

    as_owner.post(reverse("cancel", args=[job.uuid]))
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert ">Go on<" in as_owner.get("/progress").content.decode()

    as_owner.post(reverse("go-on", args=[job.uuid]))
    job.refresh_from_db()
    assert job.state == "waiting"


def test_a_photo_that_failed_is_tried_again(as_owner):
    failure, other = a_failure(), a_failure()

    as_owner.post(reverse("retry", args=["media", failure.media_id]))

    states = dict(Analysis.objects.values_list("pk", "state"))
    assert states == {failure.pk: "waiting", other.pk: "failed"}
    assert Job.objects.get(kind="analyse").payload["media"] == [failure.media_id]


def test_a_file_that_could_not_be_read_is_read_again(as_owner):
    file = an_unreadable_file("2019/broken.jpg")

    as_owner.post(reverse("retry", args=["file", file.pk]))

    assert Job.objects.get(kind="import").payload["paths"] == ["2019/broken.jpg"]


def test_all_that_failed_is_tried_again_at_once(as_owner):
    a_failure()
    a_failure()
    job = an_import(state="failed")
    an_unreadable_file("a.jpg")
    an_unreadable_file("b.jpg")

    page = as_owner.post(reverse("retry-all"), follow=True)

    assert "5 things are tried again." in page.content.decode()
    job.refresh_from_db()
    assert job.state == "waiting"
    assert set(Analysis.objects.values_list("state", flat=True)) == {"waiting"}
    paths = [each.payload["paths"] for each in Job.objects.filter(kind="import").exclude(pk=job.pk)]
    assert paths == [["a.jpg", "b.jpg"]]


@pytest.mark.parametrize("trouble", ("media", "job", "file", "eaten"))
def test_what_did_not_fail_is_not_tried_again(as_owner, trouble):
    an_import()

    assert as_owner.post(reverse("retry", args=[trouble, 1])).status_code == 404


# --- in a browser ---


@pytest.mark.django_db(transaction=True)
def test_progress_moves_by_itself_and_ends(open_page, owner):
    make_worker()
    job = an_import(state="done")
    child = make_job("analyse", parent=job, state="leased", done=10, total=20)
    page = open_page("/progress", owner)
    expect(page.get_by_role("heading", level=1)).to_have_text("50 % done")
    page.get_by_role("button", name="Stop: Photos").focus()

    Job.objects.filter(pk=child.pk).update(done=15)
    expect(page.get_by_role("heading", level=1)).to_have_text("75 % done")
    expect(page.locator("[data-say]")).to_have_text("70 percent of the photos are analysed.")
    expect(page.get_by_role("button", name="Stop: Photos")).to_be_focused()

    Job.objects.filter(pk=child.pk).update(done=20, state="done")
    expect(page.get_by_role("heading", level=1)).to_have_text("All is done")
    expect(page.locator("main")).not_to_have_attribute("data-every", "2000")
