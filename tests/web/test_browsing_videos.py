"""Videos in Chromium: lanes and the player, keys and fingers, and who somebody is."""

import pytest
from playwright.sync_api import expect

from lookwho.library.models import Analysis, Face, Job, Person
from lookwho.services import people
from tests.films import a_clip, a_video, at_work, seen, somebody
from tests.web.browser import DESK, PHONE

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 6.0


@pytest.fixture
def clip(tmp_path):
    return a_clip(tmp_path / "clip.webm", seconds=SECONDS)


@pytest.fixture
def film(clip):
    """A clip of six seconds with Anna, Ben, and somebody whom nobody has named."""
    media = a_video(seconds=SECONDS, path=clip)
    somebody("Anna", media, (0.5, 2.5), (4, 5.5), box=(0.1, 0.2, 0.3, 0.6))
    somebody("Ben", media, (2, 4.5), box=(0.6, 0.2, 0.8, 0.6))
    seen(media, (3, 3.5))
    return media


@pytest.fixture
def opened(open_page, owner, film):
    def open_it(after="", **more):
        page = open_page(f"/videos/{film.uuid}{after}", owner, **more)
        page.wait_for_function("() => document.querySelector('video').readyState >= 2")
        page.wait_for_function("() => window.htmx")
        return page

    return open_it


def lane(page, name):
    return page.locator(f'[data-lane][data-name="{name}"]')


def time(page):
    return page.evaluate("document.querySelector('video').currentTime")


def at(page, seconds):
    page.wait_for_function(
        "seconds => Math.abs(document.querySelector('video').currentTime - seconds) < 0.06",
        arg=seconds,
    )


def shown(page):
    """The names on the boxes in the picture; blank for somebody without one."""
    boxes = page.locator(".over .box:visible")
    return sorted(boxes.evaluate_all("all => all.map(box => box.textContent)"))


def test_clicking_an_appearance_jumps_there_and_the_address_tells_where(opened):
    page = opened()

    lane(page, "Ben").get_by_role("button", name="0:02 to 0:04, 2 seconds").click()

    at(page, 2.01)
    assert page.url.endswith("#t=2.01")
    expect(lane(page, "Ben")).to_contain_class("here")
    expect(lane(page, "Anna")).to_contain_class("here")


def test_an_address_that_names_a_moment_begins_there(opened):
    at(opened("#t=4.2"), 4.2)


def test_a_block_lies_where_its_time_is(opened):
    page = opened()
    band = lane(page, "Ben").locator(".inner").bounding_box()
    block = lane(page, "Ben").locator(".block").bounding_box()

    assert (block["x"] - band["x"]) / band["width"] == pytest.approx(2 / 6, abs=0.005)
    assert block["width"] / band["width"] == pytest.approx(2.5 / 6, abs=0.005)
    assert block["height"] >= 44


def test_boxes_follow_the_faces_with_their_names_and_can_be_hidden(opened):
    page = opened("#t=3.2")

    page.wait_for_function("() => document.querySelectorAll('.over .box').length === 2")
    assert shown(page) == ["", "Ben"]
    box = page.locator(".over .box", has_text="Ben").bounding_box()
    film = page.locator("video").bounding_box()
    scale = min(film["width"] / 320, film["height"] / 180)
    left = film["x"] + (film["width"] - 320 * scale) / 2
    assert (box["x"] - left) / (320 * scale) == pytest.approx(0.6, abs=0.01)
    page.keyboard.press("]")  # on to Anna
    page.wait_for_function("() => document.querySelector('.over').textContent.includes('Anna')")
    page.get_by_role("button", name="Names and faces in the picture").click()
    expect(page.locator(".over .box:visible")).to_have_count(0)


def test_keys_lead_from_appearance_to_appearance_and_play(opened):
    page = opened()

    page.keyboard.press("]")
    at(page, 0.5)
    page.keyboard.press("]")
    at(page, 2)
    page.keyboard.press("[")
    at(page, 0.5)
    page.keyboard.press("Shift+ArrowRight")
    at(page, 1.5)
    page.keyboard.press("Space")
    page.wait_for_function("() => !document.querySelector('video').paused")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('video').paused")
    expect(page.locator("[data-told]")).to_have_text("Anna, 0:00")


def test_brackets_stay_with_the_person_whose_lane_is_open(opened):
    page = opened()
    lane(page, "Ben").locator("button.opens").click()
    page.keyboard.press("Escape")  # out of the field
    page.keyboard.press("]")

    at(page, 2)
    page.keyboard.press("]")
    page.wait_for_timeout(100)
    at(page, 2)
    page.keyboard.press("Escape")
    expect(lane(page, "Ben")).not_to_contain_class("open")
    assert "/videos/" in page.url


def test_the_question_mark_tells_the_keys(opened):
    page = opened()

    page.keyboard.press("?")

    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_arrows_walk_through_the_lanes(opened):
    page = opened()
    lane(page, "Anna").locator(".block").first.focus()

    page.keyboard.press("ArrowRight")
    expect(lane(page, "Anna").locator(".block").nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(lane(page, "Ben").locator(".block")).to_be_focused()
    page.keyboard.press("Enter")
    at(page, 2.01)


def test_somebody_is_named_by_typing_and_that_is_undone(opened):
    page = opened()
    lane(page, "").locator("button.opens").click()
    page.keyboard.type("Cleo")
    page.keyboard.press("Enter")

    expect(lane(page, "Cleo")).to_be_visible()
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(lane(page, "")).to_be_visible()
    expect(lane(page, "Cleo")).to_have_count(0)
    assert not Face.objects.filter(person__name="Cleo").exists()


def test_a_face_that_is_clicked_in_the_picture_opens_what_is_known_of_it(opened):
    page = opened("#t=3.2")
    page.locator(".over .box", has_text="Ben").click()

    expect(lane(page, "Ben")).to_contain_class("open")
    expect(lane(page, "Ben").get_by_role("button", name="Not Ben")).to_be_visible()


def test_a_stretch_is_somebody_else(opened, owner):
    anna = Face.objects.get(person__name="Anna")
    Face.objects.update(person=None)
    people.assign(owner, [anna], "Anna")  # by a decision, so that undoing leads back to it
    page = opened()
    lane(page, "Anna").locator("button.opens").click()

    lane(page, "Anna").get_by_label("0:04 to 0:05 is somebody else").check()
    lane(page, "Anna").get_by_label("Who the chosen stretches show").fill("Cleo")
    lane(page, "Anna").get_by_role("button", name="Somebody else").click()

    expect(lane(page, "Cleo").locator(".block")).to_have_count(1)
    expect(lane(page, "Anna").locator(".block")).to_have_count(1)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(lane(page, "Anna").locator(".block")).to_have_count(2)


def test_moments_that_show_two_people_are_found_and_jumped_to(opened):
    page = opened()
    page.get_by_label("Find moments with Anna and others").check()
    page.get_by_label("Find moments with Ben and others").check()

    bar = page.get_by_role("region", name="Moments together")
    expect(bar).to_contain_text("Anna and Ben: 2 moments with both")
    bar.get_by_role("button", name="0:04–0:04").click()
    at(page, 4.01)
    bar.get_by_role("link", name="In all videos").click()
    expect(page.get_by_role("heading", name="Anna and Ben in one shot")).to_be_visible()


def test_a_long_video_is_looked_at_more_closely_and_all_lanes_move_together(opened):
    page = opened(size=PHONE)
    page.get_by_role("button", name="Show less time").click()
    page.get_by_role("button", name="Show less time").click()
    band = lane(page, "Anna").locator(".band")
    assert band.evaluate("band => band.scrollWidth / band.clientWidth") == pytest.approx(4, abs=0.1)

    band.evaluate("band => (band.scrollLeft = 300)")

    page.wait_for_function("""() => [...document.querySelectorAll("[data-band]")].every(
      (band) => Math.abs(band.scrollLeft - 300) < 2)""")


@pytest.mark.parametrize("size", (PHONE, DESK), ids=("phone", "desk"))
def test_nothing_is_wider_than_the_window(opened, open_page, owner, size):
    page = opened(size=size)
    lane(page, "Anna").locator("button.opens").click()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    page = open_page("/videos", owner, size=size)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_on_a_phone_all_that_is_pressed_is_as_large_as_a_finger(opened):
    page = opened(size=PHONE, has_touch=True)
    lane(page, "Anna").locator("button.opens").click()

    small = page.locator("#lanes :is(button, label, a.button):visible, .console button:visible")
    sizes = small.evaluate_all(
        "all => all.map(each => [each.textContent, each.getBoundingClientRect().height])"
    )
    assert len(sizes) > 12
    assert [each for each in sizes if each[1] < 43.5] == []


def test_cancelling_in_the_list_is_undone(open_page, owner, clip):
    media = a_video(seconds=120, state="waiting", path=clip)
    at_work(media, 0, 60)
    page = open_page("/videos", owner)
    page.wait_for_function("() => window.htmx")

    page.get_by_role("button", name="Cancel: clip.webm").click()
    expect(page.locator(".toast")).to_contain_text("not looked at any more")
    assert not Job.objects.filter(state="waiting").exists()
    page.locator(".toast").get_by_role("button", name="Undo").click()

    expect(page.get_by_text("Next to be looked at")).to_be_visible()


def test_the_list_follows_the_work_by_itself(open_page, owner, clip):
    media = a_video(seconds=120, state="waiting", path=clip)
    at_work(media, 30, 60)
    page = open_page("/videos", owner)
    expect(page.get_by_text("Looked at 0:30 of 2:00")).to_be_visible()

    media.video.segments.filter(part=0).update(reached=45)
    expect(page.get_by_text("Looked at 0:45 of 2:00")).to_be_visible()
    Job.objects.all().delete()
    Analysis.objects.update(state="done")
    somebody("Anna", media, (1, 2))
    expect(page.get_by_text("Anna")).to_be_visible()


def test_the_page_of_a_video_gets_its_lanes_once_it_was_looked_at(open_page, owner, clip):
    media = a_video(seconds=SECONDS, state="waiting", path=clip)
    at_work(media, 2, length=SECONDS)
    page = open_page(f"/videos/{media.uuid}", owner)
    expect(page.get_by_text("Looked at 0:02 of 0:06")).to_be_visible()

    Job.objects.all().delete()
    Analysis.objects.update(state="done")
    somebody("Anna", media, (1, 2))

    expect(lane(page, "Anna").locator(".block")).to_be_visible()


def test_what_this_browser_does_not_play_is_offered_as_a_copy(open_page, owner, tmp_path):
    path = tmp_path / "clip.webm"
    path.write_bytes(b"no video at all" * 100)
    media = a_video(seconds=SECONDS, path=path)
    page = open_page(f"/videos/{media.uuid}", owner)

    expect(page.get_by_role("button", name="Make a copy that plays here")).to_be_visible()


def test_a_person_is_followed_into_their_videos(open_page, owner, film):
    anna = Person.objects.get(name="Anna")
    page = open_page(f"/people/{anna.uuid}", owner)

    page.get_by_role("link", name="0:04–0:05").click()

    page.wait_for_url(f"**/videos/{film.uuid}#t=4")
    at(page, 4)
