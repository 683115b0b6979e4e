"""The whole way, as a user goes it: a folder, people, a name, and oneself by a selfie."""

import shutil

import pytest

from tests.site import serving
from tests.web.browser import PHONE, chromium

PATIENCE = 120_000


@pytest.fixture(scope="module")
def obama(samples, tmp_path_factory):
    """A folder with two photos of one man and one of another; a third one of him is the selfie."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("obama.jpg", "obama2.jpg", "biden.jpg"):
        shutil.copy(samples / name, folder)
    return folder


def test_a_folder_becomes_people_with_names_and_a_selfie_finds_oneself(obama, samples, tmp_path):
    with serving(tmp_path / "home", "--photos", obama) as site, chromium() as browser:
        page = browser.new_page(viewport=PHONE)
        page.set_default_timeout(PATIENCE)
        trouble = []
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.goto(site.link)
        page.wait_for_url(lambda url: "/enter/" not in url)

        # Groups of so few photos are folded away.
        page.goto(f"{site.address}/people")
        page.locator("summary", has_text="Seen once or twice").click()
        group = page.locator(".face", has_text="2 photos")
        group.locator("input.who").fill("Barack")
        group.locator("input.who").press("Enter")
        page.locator(".toast", has_text="Barack").wait_for()

        page.goto(f"{site.address}/me")
        page.get_by_label("I agree").check()
        page.locator("input[type=file]").first.set_input_files(samples / "obama3.jpg")
        page.locator(".tile").nth(1).wait_for()
        found = {tile.get_attribute("href") for tile in page.locator(".tile").all()}

        page.goto(f"{site.address}/photos")
        page.locator(".tile").nth(2).wait_for()
        everything = {tile.get_attribute("href") for tile in page.locator(".tile").all()}
        page.goto(f"{site.address}/people")
        page.get_by_text("Barack").first.click()
        page.locator(".tile").nth(1).wait_for()
        his = {tile.get_attribute("href") for tile in page.locator(".tile").all()}

    def photo(link):
        return link.split("?")[0]

    assert set(map(photo, found)) == set(map(photo, his))
    assert (len(his), len(everything)) == (2, 3)
    assert trouble == []
