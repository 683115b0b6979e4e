"""My photos as somebody uses it: scrolling through a thousand, by keys, and with a camera."""

import re
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from playwright.sync_api import expect

from lookwho.library.models import Collection, Decision, Media, Person, Reference
from lookwho.services import faces
from tests.gallery import (
    consented,
    draw,
    make_album,
    make_collection,
    make_faces,
    make_photo,
    make_selfie,
    near,
)
from tests.web.browser import DESK, NAMES, PHONE, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.SELFIES = tmp_path / "selfies"
    return settings.SELFIES


@pytest.fixture
def generator():
    return np.random.default_rng(7)


@pytest.fixture
def face(generator):
    """What the member looks like."""
    return draw(generator)


@pytest.fixture
def found(member, generator, face):
    """A function that puts so many photos of the member, in events of sixty, into the library."""
    make_selfie(consented(member), face)

    def photos(count):
        made = []
        for at in range(0, count, 60):
            day = date(2025, 6, 1) - timedelta(days=20 * (at // 60))
            media = Media.objects.bulk_create(
                Media(
                    payload_hash=(10**9 + number).to_bytes(32, "big"),
                    width=(1200, 800, 1600)[number % 3],
                    height=(800, 1200, 900)[number % 3],
                    taken_at=datetime(day.year, day.month, day.day, 20, tzinfo=UTC)
                    - timedelta(minutes=number - at),
                    day=day,
                )
                for number in range(at, min(count, at + 60))
            )
            make_album(*media, title=f"Event {at // 60}", slug=f"event-{at // 60}", date=day)
            made += media
        make_faces([(each, near(generator, face, 0.02)) for each in made])
        return made

    return photos


def shown(page):
    """The photos whose tiles are in the page, from left to right and down."""
    return page.eval_on_selector_all(
        ".piece .tile", "tiles => tiles.map(tile => tile.id.replace('photo-', ''))"
    )


@pytest.mark.parametrize("size", (PHONE, DESK), ids=("phone", "desk"))
def test_all_of_a_thousand_photos_come_as_one_scrolls(open_page, member, found, size):
    photos = found(1000)
    page = open_page("/me", member, size=size)
    first = len(shown(page))

    for _ in range(400):
        page.evaluate("window.scrollBy({top: innerHeight, behavior: 'instant'})")
        page.wait_for_timeout(30)
        if not page.locator(".piece.later").count():
            break

    page.wait_for_function("!document.querySelector('.piece.later')")
    assert first < 300
    assert shown(page) == [str(photo.uuid) for photo in photos]
    # Nothing lies upon anything else, nothing beyond the edge.
    boxes = page.eval_on_selector_all(
        ".piece .tile",
        "tiles => tiles.map(tile => { const box = tile.getBoundingClientRect();"
        "return [box.left, box.top + scrollY, box.right, box.bottom + scrollY] })",
    )
    edge = page.evaluate("document.documentElement.clientWidth")
    assert all(left >= 0 and right <= edge for left, _, right, _ in boxes)
    middles = [((a + c) / 2, (b + d) / 2) for a, b, c, d in boxes]
    assert len({(round(x), round(y)) for x, y in middles}) == 1000
    assert page.evaluate("document.documentElement.scrollWidth") <= edge


def test_going_back_from_a_photo_leads_to_where_it_was(open_page, member, found):
    photos = found(300)
    page = open_page("/me", member)
    target = f"#photo-{photos[200].uuid}"
    page.goto(f"{page.url}{target}")
    page.reload()
    page.locator(target).wait_for()
    page.goto(page.url.split("#")[0])
    for _ in range(60):
        if page.locator(target).count():
            break
        page.evaluate("window.scrollBy({top: innerHeight, behavior: 'instant'})")
        page.wait_for_timeout(40)
    page.locator(target).scroll_into_view_if_needed()
    before = page.locator(target).bounding_box()["y"]

    page.locator(target).click()
    page.wait_for_url(re.compile(r"/photos/"))
    page.keyboard.press("Escape")
    page.wait_for_url(re.compile(r"/me$"))
    page.locator(target).wait_for()
    page.wait_for_timeout(300)

    assert abs(page.locator(target).bounding_box()["y"] - before) < 200


def test_a_photo_is_denied_by_a_key_and_comes_back_by_undo(open_page, member, found):
    photos = found(5)
    page = open_page("/me", member)
    tile = page.locator(f"#photo-{photos[1].uuid}")
    tile.focus()

    page.keyboard.press("n")

    expect(tile).to_have_count(0)
    assert shown(page) == [str(photo.uuid) for photo in (photos[0], *photos[2:])]
    assert page.evaluate("document.activeElement.id") == f"photo-{photos[2].uuid}"
    page.locator(".toast .undo").click()
    expect(page.locator(f"#photo-{photos[1].uuid}")).to_have_count(1)
    assert Decision.objects.filter(verb=Decision.Verb.REVOKE).count() == 1


def test_a_photo_is_denied_by_the_button_that_is_pointed_at(open_page, member, found):
    photos = found(3)
    page = open_page("/me", member)
    tile = page.locator(f"#photo-{photos[1].uuid}")

    tile.hover()
    page.locator(".notme").click()

    expect(tile).to_have_count(0)
    assert Decision.objects.get().verb == Decision.Verb.REJECT


def test_what_is_refused_stays_and_says_so(open_page, member, found, owner):
    photos = found(2)
    Person.objects.create(name="Mia", user=member)
    faces.assign(owner, [photos[0].faces.get()], "Mia")
    page = open_page("/me", member)
    page.locator(f"#photo-{photos[0].uuid}").focus()

    page.keyboard.press("n")

    page.locator(".toast.error", has_text="tell them").wait_for()
    expect(page.locator(f"#photo-{photos[0].uuid}")).to_have_count(1)


@pytest.mark.parametrize("by", ("key", "button"))
def test_what_may_be_somebody_is_answered_one_after_the_other(
    open_page, member, generator, face, by
):
    seen = make_collection(policy=Collection.Policy.OPEN)
    for each in draw(generator, 60):
        make_photo(each, collection=seen)
    make_selfie(consented(member), face)
    for distance in (0.076, 0.077, 0.078):
        make_photo(near(generator, face, distance), collection=seen, width=1200, height=800)
    page = open_page("/me", member)
    asked = page.locator("#maybe .asked")
    count = asked.count()
    assert count >= 2

    if by == "key":
        asked.first.locator("a").focus()
        page.keyboard.press("n")
    else:
        asked.first.get_by_role("button", name="This is not me").click()

    expect(asked).to_have_count(count - 1)
    assert Decision.objects.get().verb == Decision.Verb.REJECT


# --- the camera ---


CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--no-sandbox")
ELSEWHERE = "--host-resolver-rules=MAP photos.example 127.0.0.1"


def test_a_selfie_is_taken_with_the_camera_of_the_page(the_browser, live_server, member, folder):
    consented(member)
    browser = the_browser.browser_type.launch(
        executable_path=next(filter(None, map(shutil.which, NAMES))), args=list(CAMERA)
    )
    try:
        context = browser.new_context(base_url=live_server.url, viewport=PHONE)
        sign_in(context, member, live_server.url)
        page = context.new_page()
        page.goto("/me")
        page.locator(".take").click()
        page.get_by_role("button", name="Take the picture").click()
        page.get_by_role("button", name="Again").click()
        page.get_by_role("button", name="Take the picture").click()
        page.get_by_role("button", name="Use this one").click()
        page.get_by_text("Looking for your face").wait_for()
    finally:
        browser.close()

    reference = Reference.objects.get()
    assert reference.state == Reference.State.PROCESSING
    assert (folder / reference.file).read_bytes()[:3] == b"\xff\xd8\xff"


def test_over_plain_http_the_page_says_why_there_is_no_camera_and_takes_a_file(
    the_browser, live_server, member, settings, samples
):
    settings.ALLOWED_HOSTS = ["*"]
    consented(member)
    browser = the_browser.browser_type.launch(
        executable_path=next(filter(None, map(shutil.which, NAMES))),
        args=[*CAMERA, ELSEWHERE],
    )
    address = live_server.url.replace("localhost", "photos.example").replace(
        "127.0.0.1", "photos.example"
    )
    try:
        context = browser.new_context(viewport=PHONE)
        sign_in(context, member, address)
        page = context.new_page()
        page.goto(f"{address}/me")
        page.get_by_text("does not begin with https").wait_for()
        assert page.locator("dialog[open]").count() == 0
        page.locator(".choose input").set_input_files(samples / "obama.jpg")
        page.get_by_text("Looking for your face").wait_for()
    finally:
        browser.close()

    assert Reference.objects.count() == 1


def test_nothing_is_sent_before_the_box_is_ticked(open_page, member, samples):
    page = open_page("/me", member)

    page.locator(".choose input").set_input_files(samples / "obama.jpg")
    page.wait_for_timeout(200)
    before = Reference.objects.count()
    page.get_by_label("I agree").click()  # not `check`, which would wait for a page that is gone
    page.get_by_text("Looking for your face").wait_for()

    assert (before, Reference.objects.count()) == (0, 1)
