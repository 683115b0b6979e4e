"""What only a browser shows of the photos: scrolling without gaps and jumps, keys, and phones."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from bench import library
from lookwho.library.models import Collection, Location, Media, Person
from tests.people import a_user, some_faces
from tests.web.browser import DESK, PHONE

pytestmark = pytest.mark.django_db(transaction=True)

# What of the view shows neither a photo nor a heading: the highest gap, in pixels; and how many
# photos are in the page, of which how many are still to come.
STATE = """() => {
  const bar = parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--bar'));
  const line = document.querySelector('.timeline').getBoundingClientRect();
  const top = Math.max(bar, line.top), bottom = Math.min(innerHeight, line.bottom);
  const spans = [...document.querySelectorAll('.live .tile, .live .day, .live .year')]
    .map((each) => each.getBoundingClientRect())
    .filter((box) => box.bottom > top && box.top < bottom)
    .sort((a, b) => a.top - b.top);
  let reached = top, gap = 0;
  for (const box of spans) {
    gap = Math.max(gap, box.top - reached);
    reached = Math.max(reached, box.bottom);
  }
  return {
    gap: Math.max(gap, bottom - reached),
    tiles: document.querySelectorAll('.live .tile').length,
    blank: document.querySelectorAll('.tile.blank').length,
    wider: document.documentElement.scrollWidth - innerWidth,
  };
}"""
# The space between a day and the next, at most.
GAP = 60
LEAP = """(fraction) => {
  window.scrollTo(0, fraction * (document.documentElement.scrollHeight - innerHeight));
}"""
ALL_HERE = "() => !document.querySelector('.tile.blank')"
FIRST_IN_VIEW = """() => {
  const tiles = [...document.querySelectorAll('.live .tile[href]')];
  const tile = tiles.find((each) => each.getBoundingClientRect().top > 120);
  return { href: tile.pathname, top: tile.getBoundingClientRect().top };
}"""


@pytest.fixture
def owner(transactional_db):
    return a_user("owner")


@pytest.fixture
def open_photos(open_page, owner):
    """Open the timeline, with pictures that cannot be had: here it is about where they stand."""

    def opened(path="/photos", **more):
        page = open_page("/sign-in", owner, **more)
        page.route("**/pictures/**", lambda route: route.fulfill(status=404, body="none"))
        page.goto(path)
        page.wait_for_selector(".live .tile")
        return page

    return opened


def settled(page):
    page.wait_for_timeout(200)
    page.wait_for_function(ALL_HERE)
    return page.evaluate(STATE)


def days_of(counts):
    """A photo every hour, so many on each day, the newest day first; no file behind them."""
    newest = datetime(2025, 8, 20, 20, tzinfo=UTC)
    rows = []
    for ago, count in enumerate(counts):
        for number in range(count):
            taken = newest - timedelta(days=ago, minutes=number)
            payload = f"{ago}/{number}".encode().ljust(32)
            shape = library.SHAPES[number % 4]
            rows.append(
                Media(
                    payload_hash=payload,
                    width=shape[0],
                    height=shape[1],
                    taken_at=taken,
                    day=taken.date(),
                )
            )
    return Media.objects.bulk_create(rows)


def scrolled_through(page, fractions):
    for fraction in fractions:
        page.evaluate(LEAP, fraction)
        page.wait_for_timeout(60)
        at_once = page.evaluate(STATE)
        later = settled(page)

        assert at_once["gap"] < GAP, fraction
        assert later["gap"] < GAP, fraction
        assert later["tiles"] < 500, "what is out of view must leave the page"
        assert later["wider"] <= 0


@pytest.mark.parametrize("size", (DESK, PHONE), ids=("desk", "phone"))
def test_the_view_is_full_of_photos_wherever_one_leaps_to(open_photos, size):
    library.fill(3000, years=6)
    page = open_photos(size=size)

    scrolled_through(page, (0, 0.3, 0.99, 1, 0.5, 0.15, 0.7, 0.02, 0))


@pytest.mark.long
@pytest.mark.parametrize("size", (DESK, PHONE), ids=("desk", "phone"))
def test_a_hundred_thousand_photos_are_scrolled_through_without_a_gap(open_photos, size):
    library.fill(100_000)
    page = open_photos(size=size)

    scrolled_through(page, (*(step / 25 for step in range(26)), 0.001, 0.9999, 0.5))


def test_nothing_in_view_jumps_when_photos_above_it_arrive(open_photos):
    library.fill(3000, years=6)
    page = open_photos()
    page.evaluate(LEAP, 0.7)
    settled(page)

    for _ in range(25):
        before = page.evaluate(FIRST_IN_VIEW)
        y = page.evaluate("scrollY")
        page.mouse.move(600, 500)
        page.mouse.wheel(0, -500)
        page.wait_for_timeout(120)
        settled(page)
        tile = page.locator(f'.live .tile[href="{before["href"]}"]')
        if tile.count():
            moved = tile.evaluate("(each) => each.getBoundingClientRect().top") - before["top"]
            # By as much as was asked for, wherever the page now ends.
            assert moved == pytest.approx(500, abs=2) or y < 500


def test_days_of_a_few_photos_share_a_row_and_long_ones_do_not(open_photos):
    days_of([1, 1, 1, 2, 1, 40, 1])
    page = open_photos()

    heads = page.evaluate(
        "() => [...document.querySelectorAll('.live .day')].map((each) => [each.offsetTop, "
        "each.offsetLeft, each.title])"
    )
    tops = [top for top, _, _ in heads]

    assert len(heads) == 7
    assert tops[0] == tops[1] == tops[2]
    assert sorted(tops) == tops
    assert tops.count(tops[5]) == 1


def test_a_day_too_long_for_one_fetch_goes_on_without_a_seam(open_photos):
    days_of([500])
    page = open_photos()

    for fraction in (0, 0.25, 0.5, 0.75, 1):
        page.evaluate(LEAP, fraction)
        settled(page)
        right = page.evaluate(
            """() => {
              const line = document.querySelector('.timeline').getBoundingClientRect();
              const rows = new Map();
              for (const tile of document.querySelectorAll('.live .tile')) {
                const box = tile.getBoundingClientRect();
                rows.set(box.top, Math.max(rows.get(box.top) ?? 0, box.right - line.left));
              }
              return [[...rows.values()].slice(0, -1), Math.floor(line.width)];
            }"""
        )
        assert set(right[0]) == {right[1]}, "every row but the last ends where the page does"
    assert page.locator(".live .day").count() <= 1


def test_the_grid_comes_back_to_the_photo_that_was_left(open_photos):
    library.fill(3000, years=6)
    page = open_photos()
    page.evaluate(LEAP, 0.6)
    settled(page)
    page.wait_for_timeout(300)
    left = page.evaluate(FIRST_IN_VIEW)

    page.locator(f'.live .tile[href="{left["href"]}"]').click()
    page.wait_for_url("**/photos/*-*")  # until its scripts have run, too
    page.keyboard.press("Escape")
    page.wait_for_selector(".live .tile")
    settled(page)

    tile = page.locator(f'.live .tile[href="{left["href"]}"]')
    top = tile.evaluate("(each) => each.getBoundingClientRect().top")
    assert top == pytest.approx(left["top"], abs=3)


def test_arrows_lead_from_photo_to_photo_and_escape_back_to_the_last(open_photos):
    media = days_of([3, 150, 90])
    page = open_photos()
    page.locator(".live .tile").first.click()
    page.wait_for_url(f"**/photos/{media[0].uuid}")

    for step in (1, 2, 3):
        page.keyboard.press("ArrowRight")
        page.wait_for_url(f"**/photos/{media[step].uuid}")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**/photos/{media[2].uuid}")
    page.keyboard.press("Escape")
    page.wait_for_selector(".live .tile")
    settled(page)

    focused = page.evaluate("document.activeElement.pathname")
    assert focused == f"/photos/{media[2].uuid}"
    assert page.locator(f'.tile[href="{focused}"]').is_visible()


def test_arrows_lead_through_the_grid(open_photos):
    media = days_of([30])
    page = open_photos()
    page.locator(".live .tile").first.focus()
    row = page.evaluate(
        "() => { const tiles = [...document.querySelectorAll('.live .tile')];"
        " return tiles.filter((each) => each.offsetTop === tiles[0].offsetTop).length }"
    )

    def at():
        return page.evaluate("document.activeElement.pathname")

    page.keyboard.press("ArrowRight")
    assert at() == f"/photos/{media[1].uuid}"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert at() == f"/photos/{media[row].uuid}"
    page.keyboard.press("ArrowUp")
    assert at() == f"/photos/{media[0].uuid}"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/photos/{media[0].uuid}")


def test_the_scrubber_leads_to_any_month_by_keys(open_photos):
    library.fill(3000, years=6)
    page = open_photos()
    slider = page.get_by_role("slider", name="Month")
    months = int(slider.get_attribute("aria-valuemax"))

    slider.focus()
    page.keyboard.press("End")
    last = settled(page)
    assert slider.get_attribute("aria-valuenow") == str(months)
    assert page.evaluate("scrollY") > 0.9 * page.evaluate(
        "document.documentElement.scrollHeight - innerHeight"
    )
    page.keyboard.press("Home")
    settled(page)
    assert page.evaluate("scrollY") == 0
    page.keyboard.press("PageDown")
    settled(page)

    # Saying when it is, as one hears it: the newest month of the year before.
    newest = Media.objects.order_by("-day").values_list("day", flat=True).first()
    before = Media.objects.filter(day__year__lt=newest.year).order_by("-day").first()
    assert slider.get_attribute("aria-valuetext") == f"{before.day:%B %Y}"
    assert last["gap"] < GAP


@pytest.mark.parametrize("size", (DESK, PHONE), ids=("desk", "phone"))
def test_the_scrubber_is_dragged(open_photos, size):
    library.fill(3000, years=6)
    page = open_photos(size=size)
    page.evaluate(LEAP, 0.02)  # on a phone it is there only while one scrolls
    page.wait_for_timeout(350)
    thumb = page.locator(".scrubber .thumb").bounding_box()
    track = page.locator(".scrubber").bounding_box()

    page.mouse.move(min(thumb["x"] + 6, size["width"] - 2), thumb["y"] + thumb["height"] / 2)
    page.evaluate(LEAP, 0.021)  # it may have gone again meanwhile
    page.mouse.down()
    page.mouse.move(size["width"] - 4, track["y"] + track["height"] * 0.8, steps=8)
    page.mouse.up()
    state = settled(page)

    reached = page.evaluate("scrollY / (document.documentElement.scrollHeight - innerHeight)")
    assert reached == pytest.approx(0.8, abs=0.03)
    assert state["gap"] < GAP


def test_a_filter_is_chosen_in_a_dialog_and_taken_away_by_its_chip(open_photos):
    media = days_of([4])
    anna = Person.objects.create(name="Anna")
    some_faces(2, media=media[:2], person=anna)
    page = open_photos()

    page.get_by_role("link", name="Filter").click()
    dialog = page.get_by_role("dialog", name="Filter photos")
    dialog.get_by_role("checkbox", name="Anna").first.check(force=True)
    dialog.get_by_role("button", name="Show photos").click()
    page.wait_for_url(f"**/photos?person={anna.uuid}")
    page.wait_for_selector(".live .tile")
    assert page.locator(".live .tile").count() == 2

    page.get_by_role("link", name="Remove: Anna").click()
    page.wait_for_selector(".live .tile >> nth=3")


def test_a_filter_dialog_is_left_by_escape_and_nothing_changes(open_photos):
    days_of([2])
    page = open_photos()
    opener = page.get_by_role("link", name="Filter")

    opener.click()
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")

    assert page.get_by_role("dialog").count() == 0
    assert page.url.endswith("/photos")
    assert opener.evaluate("(each) => each === document.activeElement")


def test_without_scripts_there_is_a_list_with_pages(open_page, owner):
    days_of([100, 60])
    page = open_page("/photos", owner, java_script_enabled=False)

    assert page.locator(".tile").count() == 120
    page.get_by_role("link", name="Older").click()
    assert page.locator(".tile").count() == 40


# --- one photo ---


@pytest.fixture
def a_photo(tmp_path, owner):
    """A photo of 1200 x 800 pixels that is there, with two faces."""
    Image.new("RGB", (1200, 800), (90, 120, 150)).save(tmp_path / "1.jpg")
    (media,) = days_of([1])
    # Of its own content: pictures that other tests made are kept.
    payload = tmp_path.name.encode().ljust(32)[-32:]
    Media.objects.update(width=1200, height=800, format="JPEG", payload_hash=payload)
    folder = Collection.objects.create(title="Pictures", root=str(tmp_path))
    Location.objects.create(collection=folder, media=media, path="1.jpg")
    left = some_faces(1, media=[media], box=(0.2, 0.3, 0.3, 0.5))
    right = some_faces(1, media=[media], box=(0.6, 0.3, 0.7, 0.5))
    return media, left[0], right[0]


def test_a_box_stands_where_the_face_is_and_leads_to_its_name(open_page, owner, a_photo):
    media, left, right = a_photo
    page = open_page(f"/photos/{media.uuid}", owner)
    image = page.locator("img.large")
    image.wait_for()
    page.wait_for_function("() => document.querySelector('img.large').naturalWidth")
    frame, box = image.bounding_box(), page.locator(f'[data-box="{left.uuid}"] rect').bounding_box()
    # `object-fit: contain`: as wide as the stage, or as high.
    scale = min(frame["width"] / 1200, frame["height"] / 800)
    x = frame["x"] + (frame["width"] - 1200 * scale) / 2 + 0.2 * 1200 * scale
    assert box["x"] == pytest.approx(x, abs=3)
    assert box["width"] == pytest.approx(0.1 * 1200 * scale, abs=4)

    page.locator(f'[data-box="{left.uuid}"]').click()
    page.keyboard.type("Anna")
    page.keyboard.press("Enter")

    # The name is there at once, and the next face that nobody has named is asked for.
    page.locator(f'[data-face="{left.uuid}"] .name', has_text="Anna").wait_for()
    page.wait_for_function(
        "(uuid) => document.activeElement.closest('[data-face]')?.dataset.face === uuid",
        arg=str(right.uuid),
    )
    page.get_by_role("button", name="Undo").click()
    page.locator(f'[data-face="{left.uuid}"] .name', has_text=re.compile("Who is this")).wait_for()


def test_escape_closes_what_is_open_before_it_leaves_the_photo(open_page, owner, a_photo):
    media, left, _ = a_photo
    page = open_page(f"/photos/{media.uuid}", owner)
    page.locator(f'[data-face="{left.uuid}"] summary').click()

    page.keyboard.press("Escape")
    assert page.locator("details[open]").count() == 0
    assert str(media.uuid) in page.url
    page.keyboard.press("Escape")
    page.wait_for_selector(".live .tile")


@pytest.mark.parametrize("path", ("/photos", "/photos/narrow", "/me", "photo"))
@pytest.mark.parametrize("width", (360, 700, 1440, 2560))
def test_no_page_is_wider_than_the_window(open_page, owner, a_photo, path, width):
    Person.objects.create(name="A name that is so long that it will not fit on any phone at all")
    address = f"/photos/{a_photo[0].uuid}" if path == "photo" else path

    page = open_page(address, owner, size={"width": width, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_photo_that_cannot_be_shown_says_why(open_page, owner, a_photo, tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"no photo at all, but a text")
    page = open_page(f"/photos/{a_photo[0].uuid}", owner)

    page.get_by_text("This photo cannot be shown.").wait_for()
    page.get_by_text("this is a text file").wait_for()
