"""Pages of links, guests and requests in a browser, on a phone and on a desk."""

import pytest
from django.core.cache import cache

from lookwho.library.models import Guest, Location, Reference
from lookwho.services import sharing
from tests.gallery import draw, make_album, make_collection, make_photo, near
from tests.people import a_user
from tests.pictures import encode, four_corners
from tests.web.browser import DESK, PHONE


@pytest.fixture(autouse=True)
def _places(settings, tmp_path):
    settings.SELFIES = tmp_path / "selfies"
    settings.PICTURES = tmp_path / "pictures"
    cache.clear()


# Whether a picture is there, once it was waited for.
LOADS = "async image => (await image.decode().catch(() => 0), image.naturalWidth > 0)"


def all_load(page):
    return all(each.evaluate(LOADS) for each in page.locator(".tile img").all())


def no_wider_than(page, width):
    return page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", (PHONE, DESK), ids=("phone", "desk"))
def test_pages_of_links_and_requests_fit_and_do_what_they_say(open_page, size, tmp_path):
    import numpy as np

    owner = a_user("owner")
    generator = np.random.default_rng(1)
    collection = make_collection(root=str(tmp_path))
    photos = []
    for _ in range(3):
        photo = make_photo(draw(generator), collection=collection, width=600, height=400)
        path = tmp_path / Location.objects.get(media=photo).path
        path.write_bytes(encode(four_corners(600, 400), "JPEG"))
        photos.append(photo)
    album = make_album(*photos, title="Spring gala", slug="spring-gala")

    page = open_page("/albums/spring-gala/links", owner, size=size)
    assert no_wider_than(page, size["width"])
    page.get_by_text("all photos", exact=True).click()
    page.get_by_role("button", name="Make a link").click()
    page.wait_for_url("**/links/*")
    assert no_wider_than(page, size["width"])
    code = page.locator(".code img")
    assert code.evaluate(LOADS)
    link = page.locator("[data-link]").input_value()

    visitor = open_page(link, size=size)
    visitor.locator(".tile img").first.wait_for()
    assert all_load(visitor)
    assert no_wider_than(visitor, size["width"])
    visitor.locator(".tile").first.click()
    visitor.wait_for_url("**/photos/*")
    visitor.get_by_text("Ask to remove this photo").click()
    visitor.get_by_label("Why? You need not say.").fill("not my best day")
    visitor.get_by_role("button", name="Ask", exact=True).click()
    visitor.get_by_text("You asked to have this photo removed").wait_for()
    assert no_wider_than(visitor, size["width"])

    page.goto("/requests")
    assert no_wider_than(page, size["width"])
    page.get_by_text("not my best day").wait_for()
    page.get_by_role("button", name="Leave it, and say why").click()
    page.locator(".toast.error", has_text="Say why").locator("[data-close]").click()
    page.get_by_role("button", name="Hide it everywhere").click()
    page.get_by_text("Nobody waits for an answer.").wait_for()

    visitor.goto(link)
    visitor.locator(".tile").first.wait_for()
    assert visitor.locator(".tile").count() == 2
    page.goto("/links")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("No link works at the moment.").wait_for()
    visitor.goto(link)
    visitor.get_by_role("heading", name="This link opens nothing").wait_for()
    assert album.media.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_selfie_waits_until_it_is_agreed_to(open_page, tmp_path):
    import numpy as np

    generator = np.random.default_rng(1)
    album = make_album(make_photo(near(generator, draw(generator), 0.1)))
    _, token = sharing.share(a_user("owner"), album=album, only_mine=True)
    picture = tmp_path / "me.png"
    picture.write_bytes(encode(four_corners(), "PNG"))

    page = open_page(f"/g/{token}", size=PHONE)
    page.locator("input[type=file][name=selfie]").set_input_files(picture)
    page.wait_for_timeout(300)
    assert not Reference.objects.exists()
    page.get_by_label("I agree that my face is looked for").click()
    page.get_by_text("Looking for you…").wait_for()

    assert Reference.objects.get().guest == Guest.objects.get()
