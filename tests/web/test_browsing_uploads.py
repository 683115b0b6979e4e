"""Sending photos and archives as a person does, over lines that break."""

import os
import threading

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lookwho.library.models import Album, Job, Upload
from lookwho.services import receiving, settling, unpacking
from tests.archives import tar_of, zip_of
from tests.gallery import make_album
from tests.imports import carried_out
from tests.people import a_user
from tests.pictures import encode, noise
from tests.web.browser import DESK, PHONE

pytestmark = pytest.mark.django_db(transaction=True)

# More than one piece of what the page sends, so that there is something to break off.
PADDING = 9 << 20


@pytest.fixture(autouse=True)
def place(tmp_path, settings):
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


@pytest.fixture
def album(transactional_db):
    return make_album(title="Summer party", slug="party")


@pytest.fixture
def archive(tmp_path):
    """Five photos, one broken, and a text file."""
    path = tmp_path / "party.zip"
    files = [(f"day/{seed}.jpg", photo(seed)) for seed in range(5)]
    files[2] = ("day/2.jpg", photo(2) + os.urandom(PADDING))
    files += [("day/broken.jpg", b"\0\1\2 no photo" * 99), ("notes.txt", b"hello, world\n" * 50)]
    path.write_bytes(zip_of(files))
    return path


def photo(seed=0):
    return encode(noise(seed=seed), "JPEG")


def work():
    """Do what workers would do."""
    while True:
        job = Job.objects.filter(kind__in=("unpack", "import"), state="waiting").first()
        if job is None:
            settling.settle()
            return
        if job.kind == "unpack":
            unpacking.run_unpack(job, beat=lambda done: None)
            Job.objects.filter(pk=job.pk).update(state="done")
        else:
            carried_out(job)


def choose(page, *paths):
    page.locator("#upload-files").set_input_files([os.fspath(path) for path in paths])


def test_an_archive_is_sent_over_a_line_that_breaks_and_every_warning_is_told(
    open_page, album, archive
):
    page = open_page("/albums/party", a_user())
    broken = []

    def break_once(route):
        # The first piece arrives, of the second only the request.
        if route.request.headers["upload-offset"] != "0" and not broken:
            broken.append(route.request.headers["upload-offset"])
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route(
        "**/api/v1/uploads/*",
        lambda route: break_once(route) if route.request.method == "PATCH" else route.continue_(),
    )
    choose(page, archive)
    expect(page.locator("[data-live]")).to_contain_text("All is sent", timeout=30_000)

    assert len(broken) == 1
    upload = Upload.objects.get()
    assert (upload.state, upload.received) == ("unpacking", archive.stat().st_size)
    assert Album.objects.get().processing
    work()
    told = page.locator("[data-key]", has_text="party.zip")
    expect(told).to_contain_text("5 photos added", timeout=10_000)
    expect(told).to_contain_text("2 refused")
    told.get_by_text("What was refused, and why").press("Enter")
    expect(told).to_contain_text("notes.txt This is a text file")
    expect(told).to_contain_text("broken.jpg This is no picture that is known here")
    assert album.media.count() == 5
    assert not Album.objects.get().processing

    page.get_by_role("link", name="Show the new photos").click()
    expect(page.locator(".tile")).to_have_count(5)
    expect(page.locator("[data-key]", has_text="party.zip")).to_contain_text("2 refused")


def test_a_file_goes_on_where_it_was_after_the_page_was_loaded_again(open_page, album, archive):
    page = open_page("/albums/party", a_user())
    offsets = []

    def watch(route):
        if route.request.method == "PATCH":
            offsets.append(int(route.request.headers["upload-offset"]))
            if len(offsets) == 2:
                return route.abort()
        return route.continue_()

    page.route("**/api/v1/uploads/*", watch)
    choose(page, archive)
    while len(offsets) < 2:  # the test's own time limit ends this
        page.wait_for_timeout(50)
    page.evaluate(
        "() => window.addEventListener('beforeunload', (e) => e.stopImmediatePropagation(), true)"
    )
    page.reload()
    expect(page.locator("[data-key]", has_text="party.zip")).to_contain_text("% received")
    offsets[2:] = [0]
    choose(page, archive)
    expect(page.locator("[data-live]")).to_contain_text("All is sent", timeout=30_000)

    assert offsets[0] == 0
    assert 0 not in offsets[3:]
    assert Upload.objects.get().state == "unpacking"


def test_many_photos_are_sent_and_those_sent_already_are_not_sent_again(open_page, album, tmp_path):
    paths = []
    for seed in range(12):
        paths.append(tmp_path / f"{seed}.jpg")
        paths[-1].write_bytes(photo(seed))
    (tmp_path / "notes.txt").write_bytes(b"hello, world\n" * 50)
    page = open_page("/albums/party", a_user(), size=PHONE)
    begun = []
    page.on("request", lambda asked: asked.method == "POST" and begun.append(asked.url))
    choose(page, *paths, tmp_path / "notes.txt")
    expect(page.locator("[data-live]")).to_contain_text("All is sent", timeout=30_000)
    work()
    expect(page.locator("[data-key=photos]")).to_contain_text("12 added", timeout=10_000)
    expect(page.locator("[data-wrong]")).to_contain_text("notes.txt: this is a text file")
    assert len(begun) == 13

    page.reload()
    choose(page, *paths)
    expect(page.locator("[data-live]")).to_contain_text("All is sent", timeout=30_000)
    assert len(begun) == 13
    assert album.media.count() == 12
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_sending_is_paused_goes_on_and_is_given_up(open_page, album, archive):
    page = open_page("/albums/party", a_user())
    gate = threading.Event()
    held = []

    def hold(route):
        if route.request.method == "PATCH" and not gate.is_set():
            held.append(route)
        else:
            route.continue_()

    page.route("**/api/v1/uploads/*", hold)
    choose(page, archive)
    page.get_by_role("button", name="Pause").press("Enter")
    expect(page.locator("[data-live]")).to_contain_text("Paused")
    gate.set()
    if folder := os.environ.get("LOOKWHO_SHOTS"):
        page.screenshot(path=f"{folder}/uploads-sending.png")
    page.get_by_role("button", name="Go on").press("Enter")
    expect(page.locator("[data-live]")).to_contain_text("All is sent", timeout=30_000)
    assert Upload.objects.get().state == "unpacking"

    page.get_by_role("button", name="Cancel party.zip").click()
    expect(page.locator("[data-key]", has_text="party.zip")).to_have_count(0)
    assert Upload.objects.get().state == "cancelled"
    assert Job.objects.get().state == "cancelled"


def test_files_are_dropped_anywhere_on_the_page(open_page, album, tmp_path):
    page = open_page("/albums/party", a_user())
    content = list(tar_of([("a.jpg", photo())], mode="w:gz"))
    page.evaluate(
        """(content) => {
          const carried = new DataTransfer();
          carried.items.add(new File([new Uint8Array(content)], "a.tar.gz"));
          for (const type of ["dragenter", "dragover", "drop"]) {
            const told = { dataTransfer: carried, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new DragEvent(type, told));
          }
        }""",
        content,
    )
    expect(page.locator("[data-live]")).to_contain_text("All is sent", timeout=30_000)
    work()
    expect(page.locator("[data-key]", has_text="a.tar.gz")).to_contain_text("1 photo added")


@pytest.mark.parametrize("size", (PHONE, DESK), ids=("phone", "desk"))
def test_what_became_of_it_fits_the_window(open_page, album, archive, size):
    owner = a_user()
    upload = receiving.begin(owner, album, "a" * 60 + ".zip", archive.stat().st_size)
    data = archive.read_bytes()
    receiving.append(upload, 0, [data])
    receiving.finish(upload)
    work()
    late = receiving.begin(owner, album, "late.zip", 1000)
    receiving.append(late, 0, [b"x" * 300])
    page = open_page("/albums/party", owner, size=size)
    page.get_by_text("What was refused, and why").click()
    page.get_by_text("Watched folders").click()

    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    if folder := os.environ.get("LOOKWHO_SHOTS"):
        page.screenshot(path=f"{folder}/uploads-{size['width']}.png", full_page=True)
