"""A member's whole way, with all that is real: invited, found, and in the end gone again.

LOOKWHO_SHOTS names a folder that pictures of each page are put in, on a phone and on a desk.
"""

import io
import os
import zipfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import TimeoutError as TooSlow
from playwright.sync_api import expect

from tests.site import command, serving
from tests.web.browser import DESK, PHONE, chromium

PATIENCE = 120_000
HIS = {"obama.jpg", "obama2.jpg"}
PARTY = [*sorted(HIS), "biden.jpg"]
SHOTS = os.environ.get("LOOKWHO_SHOTS")


class Person:
    """Somebody with a browser of their own."""

    def __init__(self, browser, site, size):
        context = browser.new_context(
            viewport=size, accept_downloads=True, base_url=site.address, reduced_motion="reduce"
        )
        self.size, self.page, self.trouble = size, context.new_page(), []
        self.page.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))

    def look(self, name):
        """Nothing is wider than the window, on whatever they have; keep a picture for who wants."""
        for size in (PHONE, DESK):
            self.page.set_viewport_size(size)
            try:  # the grid is laid out anew, a moment later
                fits = f"document.documentElement.scrollWidth <= {size['width']}"
                self.page.wait_for_function(fits, timeout=10_000)
            except TooSlow:
                wide = self.page.evaluate("document.documentElement.scrollWidth")
                self.trouble.append(f"{name} is {wide} wide in {size['width']}")
            if SHOTS:
                self.page.wait_for_timeout(300)  # pictures are coming
                path = Path(SHOTS) / f"journey-{name}-{size['width']}.png"
                self.page.screenshot(path=path, full_page=True)
        self.page.set_viewport_size(self.size)

    def press(self, name, role="button"):
        self.page.get_by_role(role, name=name).first.click()

    def tiles(self, count):
        """The photos that are shown, once there are so many: their ids."""
        tiles = self.page.locator("a.tile")
        expect(tiles).to_have_count(count, timeout=PATIENCE)
        links = [tile.get_attribute("href") for tile in tiles.all()]
        return {link.split("/photos/")[1].split("?")[0] for link in links}

    def saved(self, press):
        """The bytes of a file that is saved when this is done."""
        with self.page.expect_download() as download:
            press()
        return download.value.path().read_bytes()


def test_a_member_is_invited_finds_themselves_and_goes(samples, tmp_path):
    home = tmp_path / "home"
    with serving(home) as site, chromium() as browser:
        owner, member = Person(browser, site, DESK), Person(browser, site, PHONE)
        an_album(owner, site, [samples / name for name in PARTY])
        join(member, invitation(owner))
        mine = find_oneself(member, samples / "obama3.jpg")
        in_the_album(member, mine)
        deny_and_undo(member, mine)
        names = download(member)
        gone = ask_for_removal(member, mine)
        hide(owner)
        without_it(member, mine - {gone}, gone)
        receipt = withdraw(member)
        selfies = list((home / "selfies").glob("*"))

    (tmp_path / "receipt.txt").write_bytes(receipt)
    verified = command(home, "receipt", "verify", tmp_path / "receipt.txt")
    (tmp_path / "forged.txt").write_bytes(receipt.replace(b"1", b"2"))
    forged = command(home, "receipt", "verify", tmp_path / "forged.txt")

    assert names == HIS
    assert selfies == []
    assert (verified.returncode, "Genuine" in verified.stdout) == (0, True), verified
    assert forged.returncode != 0
    assert owner.trouble + member.trouble == []


def an_album(owner, site, photos):
    """The owner makes an album, and sends photos to it."""
    page = owner.page
    page.goto(site.link)
    page.wait_for_url(lambda url: "/enter/" not in url)
    owner.look("welcome")
    page.goto("/albums")
    page.get_by_text("New album").click()
    page.get_by_label("Title", exact=True).fill("Summer party")
    page.get_by_label("Day of the event").fill("2025-08-20")
    owner.look("albums-new")
    owner.press("Make it")
    page.wait_for_url("**/albums/summer-party")
    page.locator("#upload-files").set_input_files(photos)
    expect(page.locator("[data-live]")).to_contain_text("All is sent", timeout=PATIENCE)
    owner.look("album-sent")

    def analysed():
        page.goto("/albums/summer-party")
        return page.locator("a.tile").count() == len(photos)

    until(page, analysed)
    owner.look("album-owner")


def until(page, done, *, tries=120):
    """Wait for what comes by the workers, as one who looks again each second."""
    for _ in range(tries):
        if done():
            return
        page.wait_for_timeout(1000)
    raise AssertionError(f"it never came: {page.url}")


def invitation(owner):
    """The owner invites somebody by name; return the link."""
    page = owner.page
    page.goto("/members")
    page.locator("#name").fill("Barack")
    owner.press("Make a link")
    link = page.locator("[data-link]").input_value()
    owner.look("members-invited")
    return link


def join(member, link):
    page = member.page
    page.goto(link)
    expect(page.get_by_text("Barack, you are invited")).to_be_visible()
    member.look("join")
    member.press("Come in")
    page.wait_for_url(lambda url: "/join/" not in url)


def find_oneself(member, selfie):
    """They agree, choose a picture, and are shown their photos."""
    page = member.page
    page.goto("/me")
    member.look("me-empty")
    page.get_by_label("I agree").check()
    page.locator("input[type=file]").first.set_input_files(selfie)
    page.locator("a.tile").nth(1).wait_for()
    found = member.tiles(2)
    member.look("me-found")
    return found


def in_the_album(member, mine):
    page = member.page
    page.goto("/albums")
    member.look("albums-member")
    page.get_by_text("Summer party").first.click()
    assert member.tiles(3) > mine
    page.get_by_text("Show only those").wait_for()
    member.look("album-member")
    page.get_by_text("Show only those").click()
    page.wait_for_url("**mine**")
    assert member.tiles(2) == mine
    member.look("album-mine")


def deny_and_undo(member, mine):
    """One photo is not of them, they say, and take that back."""
    page = member.page
    page.goto("/me")
    member.tiles(2)
    page.locator("a.tile").first.focus()
    page.keyboard.press("n")
    (left,) = member.tiles(1)
    member.look("me-denied")
    page.locator(".toast .undo").click()
    assert member.tiles(2) == mine
    assert left in mine


def download(member):
    """They save their photos; return the names in the zip, all of which can be read."""
    data = member.saved(lambda: member.press("Download all", role="link"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            Image.open(io.BytesIO(archive.read(name))).load()
        return {name.split("/")[-1].split()[-1] for name in archive.namelist()}


def ask_for_removal(member, mine):
    """They ask that a photo is removed; return its id."""
    page = member.page
    gone = sorted(mine)[0]
    page.locator(f"#photo-{gone}").click()
    page.wait_for_url(f"**/photos/{gone}**")
    member.look("photo")
    page.locator("summary", has_text="Ask to remove this photo").click()
    page.locator("#removal-why").fill("I look away.")
    member.look("photo-asking")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_load_state()
    member.look("photo-asked")
    page.goto("/requests/mine")
    member.look("requests-mine")
    return gone


def hide(owner):
    """One click, and nobody sees it any more."""
    page = owner.page
    page.goto("/requests")
    expect(page.get_by_text("I look away.")).to_be_visible()
    expect(page.locator("#account .badge")).to_have_count(1)
    owner.look("requests")
    owner.press("Hide it everywhere")
    expect(page.get_by_text("I look away.")).to_have_count(0)
    expect(page.locator("#account .badge")).to_have_count(0)
    owner.look("requests-answered")


def without_it(member, left, gone):
    page = member.page
    page.goto("/me")
    assert member.tiles(1) == left
    page.goto("/albums/summer-party")
    assert gone not in member.tiles(2)
    assert page.goto(f"/photos/{gone}").status == 404
    member.look("photo-gone")
    # The server, and not what this browser keeps of what it once showed.
    assert page.request.get(f"/pictures/{gone}/320.webp").status == 404


def withdraw(member):
    """They withdraw, and read the receipt; return it."""
    page = member.page
    page.goto("/privacy")
    member.look("privacy")
    page.locator("#find_me summary").click()
    member.look("privacy-withdraw")
    page.locator("#find_me").get_by_role("button", name="Withdraw it now").click()
    page.wait_for_url("**/privacy/receipts/**")
    expect(page.get_by_role("heading", name="It is erased")).to_be_visible(timeout=PATIENCE)
    member.look("receipt")
    receipt = member.saved(lambda: member.press("Save the receipt", role="link"))
    page.goto("/me")
    member.look("me-withdrawn")
    assert member.tiles(0) == set()
    return receipt
