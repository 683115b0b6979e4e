"""A guest's whole way, with all that is real: a link, a selfie, photos, a zip, forgotten."""

import io
import shutil
import zipfile

from PIL import Image

from tests.site import serving
from tests.web.browser import DESK, PHONE, chromium

PATIENCE = 120_000
LOADS = "async image => (await image.decode().catch(() => 0), image.naturalWidth > 0)"


def test_a_guest_finds_themselves_and_nobody_else(samples, tmp_path):
    """With everything real: the engine, the worker, files, and a browser on a phone."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("obama.jpg", "obama2.jpg", "biden.jpg"):
        shutil.copy(samples / name, folder)
    with serving(tmp_path / "home", "--photos", folder) as site, chromium() as browser:
        owner = browser.new_page(viewport=DESK)
        owner.set_default_timeout(PATIENCE)
        owner.goto(site.link)
        owner.wait_for_url(lambda url: "/enter/" not in url)
        owner.goto(f"{site.address}/photos")
        owner.locator(".tile").nth(2).wait_for()
        owner.goto(f"{site.address}/links")
        owner.locator("#opens").select_option(index=1)
        owner.locator("#side").select_option("0")
        owner.get_by_role("button", name="Make a link").click()
        link = owner.locator("[data-link]").input_value()

        # Not signed in: a context of its own.
        context = browser.new_context(viewport=PHONE, accept_downloads=True)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        trouble = []
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.goto(link)
        assert page.locator(".tile").count() == 0
        page.get_by_label("I agree that my face is looked for").check()
        page.locator("input[type=file][name=selfie]").set_input_files(samples / "obama3.jpg")
        second = page.locator(".tile").nth(1)
        more = page.get_by_role("link", name="more photo of you was found: show it")
        second.or_(more).wait_for()
        if more.is_visible():  # the photos were still being looked at when the selfie came
            more.click()
        second.wait_for()
        found = page.locator(".tile").count()
        shown = [image.evaluate(LOADS) for image in page.locator(".tile img").all()]
        wide = page.evaluate("document.documentElement.scrollWidth")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download my photos").click()
        data = download.value.path().read_bytes()
        selfies = list((tmp_path / "home" / "selfies").glob("*"))

        page.get_by_role("button", name="Forget me now").click()
        page.get_by_text("Everything about you is gone.").wait_for()
        left = page.locator(".tile").count()

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = sorted(archive.namelist())
        pictures = [Image.open(io.BytesIO(archive.read(name))) for name in names]
    assert (found, left, wide) == (2, 0, PHONE["width"])
    assert [name.split()[-1] for name in names] == ["obama2.jpg", "obama.jpg"]
    assert not any(picture.getexif() for picture in pictures)
    assert selfies == []  # its file is gone as soon as it was looked at
    assert shown == [True, True]
    assert trouble == []
