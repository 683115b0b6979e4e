"""A photo's page in Chromium: faces framed by mouse, by keys and by finger, and who is not seen."""

import pytest
from PIL import Image
from playwright.sync_api import expect

from lookwho.library.models import Collection, Decision, Face, Location, Media, Person
from tests.people import some_faces, some_media
from tests.web.browser import DESK, PHONE

pytestmark = pytest.mark.django_db(transaction=True)
FRAME = "[role=application]"
PLACE = """(svg) => {
  const shape = svg.getScreenCTM();
  return { x: shape.e, y: shape.f, width: 1200 * shape.a, height: 800 * shape.d };
}"""


@pytest.fixture
def photo(tmp_path):
    """A photo of 1200 x 800 pixels that is there, with nobody in it."""
    Image.new("RGB", (1200, 800), (90, 120, 150)).save(tmp_path / "1.jpg")
    (media,) = some_media(1)
    # Of its own content: pictures that other tests made are kept.
    payload = tmp_path.name.encode().ljust(32)[-32:]
    Media.objects.update(format="JPEG", payload_hash=payload)
    folder = Collection.objects.create(title="Pictures", root=str(tmp_path))
    Location.objects.create(collection=folder, media=media, path="1.jpg")
    return media


@pytest.fixture
def opened(open_page, owner, photo):
    def open_it(**more):
        page = open_page(f"/photos/{photo.uuid}", owner, **more)
        page.wait_for_function("() => document.querySelector('img.large').naturalWidth")
        page.wait_for_function("() => window.htmx")
        return page

    return open_it


def at(page, x, y):
    """Where a place of the photo is in the window."""
    area = page.locator("#boxes").evaluate(PLACE)
    return area["x"] + x * area["width"], area["y"] + y * area["height"]


def dragged(page, start, end):
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *((one + other) / 2 for one, other in zip(start, end, strict=True))))
    page.mouse.move(*at(page, *end))
    page.mouse.up()


def listed(page, words):
    return page.locator("#faces .name").filter(has_text=words)


def test_a_face_that_was_overlooked_is_drawn_with_the_mouse_and_named_at_once(opened):
    page = opened()

    page.get_by_role("button", name="Someone is missing").click()
    dragged(page, (0.25, 0.3), (0.4, 0.6))
    page.keyboard.type("Anna")
    page.keyboard.press("Enter")

    expect(listed(page, "Anna")).to_be_visible()
    expect(page.get_by_role("link", name="Anna")).to_be_visible()  # its box in the photo
    expect(page.locator(FRAME)).to_have_count(0)
    face = Face.objects.get()
    assert face.box == pytest.approx((0.25, 0.3, 0.4, 0.6), abs=0.005)
    assert (face.source, face.person.name) == (Face.Source.HUMAN, "Anna")
    page.get_by_role("button", name="Undo").click()
    expect(listed(page, "Anna")).to_have_count(0)
    expect(page.locator("[data-box]")).to_have_count(0)


def test_a_face_is_drawn_with_keys_alone(opened):
    page = opened()

    page.get_by_role("button", name="Someone is missing").focus()
    page.keyboard.press("Enter")
    expect(page.locator(FRAME)).to_be_focused()
    for key in (*["ArrowLeft"] * 10, *["ArrowUp"] * 5, *["Shift+ArrowDown"] * 4):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.keyboard.type("Anna")
    page.keyboard.press("Enter")

    expect(listed(page, "Anna")).to_be_visible()
    expect(page.get_by_role("button", name="Someone is missing")).to_be_focused()
    # It began as a square of 18 % of the shorter side in the middle; a key moves it by 1 %.
    x, y = 0.09 * 800 / 1200, 0.09
    box = (0.5 - x - 0.1 * 800 / 1200, 0.45 - y, 0.5 + x - 0.1 * 800 / 1200, 0.49 + y)
    assert Face.objects.get().box == pytest.approx(box, abs=0.002)


def test_a_frame_is_moved_as_a_whole_and_by_its_corners_and_stays_in_the_photo(opened):
    page = opened()
    page.get_by_role("button", name="Someone is missing").click()
    dragged(page, (0.2, 0.2), (0.4, 0.5))

    dragged(page, (0.3, 0.35), (0.4, 0.45))
    dragged(page, (0.5, 0.6), (0.6, 0.8))
    dragged(page, (0.4, 0.4), (-0.3, 0.4))
    page.get_by_role("button", name="Save", exact=True).click()

    expect(listed(page, "Who is this?")).to_be_visible()
    assert Face.objects.get().box == pytest.approx((0, 0.3, 0.3, 0.8), abs=0.01)


def test_arrows_and_escape_are_the_frames_own_while_one_draws(opened):
    some_media(1)
    page = opened()
    address = page.url
    page.get_by_role("button", name="Someone is missing").click()

    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")

    expect(page.locator(FRAME)).to_have_count(0)
    expect(page.get_by_role("button", name="Someone is missing")).to_be_focused()
    assert page.url == address
    assert not Face.objects.exists()


def test_a_slip_of_the_mouse_leaves_the_frame_as_it_was(opened):
    page = opened()
    page.get_by_role("button", name="Someone is missing").click()
    before = page.locator(FRAME).bounding_box()

    dragged(page, (0.1, 0.1), (0.101, 0.101))

    assert page.locator(FRAME).bounding_box() == before


def test_a_face_that_is_there_already_is_said_and_nothing_is_lost(opened, photo):
    some_faces(1, media=[photo], box=(0.2, 0.2, 0.4, 0.5), person=Person.objects.create(name="Ben"))
    page = opened()
    page.get_by_role("button", name="Someone is missing").click()
    dragged(page, (0.2, 0.2), (0.4, 0.5))
    page.keyboard.type("Anna")
    page.keyboard.press("Enter")

    expect(page.locator(".toast.error")).to_contain_text("There is a face here already: Ben")
    expect(page.get_by_role("combobox", name="Whose face this is")).to_have_value("Anna")
    assert Face.objects.count() == 1


def test_a_wrong_frame_is_put_right_by_a_corner_and_by_keys(opened, photo):
    (face,) = some_faces(1, media=[photo], box=(0.2, 0.2, 0.3, 0.3))
    page = opened()
    page.locator("summary", has_text="Who is this?").click()

    page.get_by_role("button", name="Fix the frame").click()
    dragged(page, (0.3, 0.3), (0.4, 0.5))
    page.locator(FRAME).press("ArrowUp")
    page.keyboard.press("Enter")

    expect(page.get_by_text("The face is framed anew.")).to_be_visible()
    box = page.locator(f'[data-box="{face.uuid}"] rect')
    expect(box).to_have_attribute("height", "240")
    face.refresh_from_db()
    assert face.box == pytest.approx((0.2, 0.19, 0.4, 0.49), abs=0.005)


def test_somebody_with_no_visible_face_is_named_and_that_is_taken_back(opened):
    page = opened()

    page.get_by_text("No visible face").click()
    page.keyboard.type("Anna")
    page.keyboard.press("Enter")

    expect(listed(page, "Anna not visible")).to_be_visible()
    assert Decision.objects.filter(verb=Decision.Verb.ABSENT).count() == 1
    page.get_by_role("button", name="Undo").click()
    expect(listed(page, "Anna")).to_have_count(0)


def test_a_finger_draws_and_does_not_turn_the_page(opened, photo):
    some_media(1)
    page = opened(size=PHONE, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="Someone is missing").tap()
    touch = page.context.new_cdp_session(page)

    def points(*place):
        x, y = at(page, *place)
        return [{"x": x, "y": y}]

    start = points(0.2, 0.1)
    page.wait_for_timeout(100)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": start})
    for step in ((0.4, 0.2), (0.6, 0.3), (0.7, 0.4)):
        moved = {"type": "touchMove", "touchPoints": points(*step)}
        touch.send("Input.dispatchTouchEvent", moved)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    # Not a tap, which might only stop what the finger set in motion.
    page.get_by_role("button", name="Save", exact=True).click()

    expect(listed(page, "Who is this?")).to_be_visible()
    assert str(photo.uuid) in page.url
    assert Face.objects.get().box == pytest.approx((0.2, 0.1, 0.7, 0.4), abs=0.02)


def test_a_stale_answer_says_who_has_just_been_named(opened, photo):
    (face,) = some_faces(1, media=[photo])
    page = opened()
    page.locator("summary", has_text="Who is this?").click()
    Face.objects.update(person=Person.objects.create(name="Ben"))  # by somebody else, just now

    page.get_by_label("Who is this?").fill("Anna")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.locator(".toast.error")).to_contain_text("This was just named Ben")
    face.refresh_from_db()
    assert face.person.name == "Ben"


@pytest.mark.parametrize("size", (PHONE, DESK), ids=("phone", "desk"))
def test_nothing_is_wider_than_the_window_while_one_draws(opened, size):
    page = opened(size=size)
    page.get_by_role("button", name="Someone is missing").click()

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
