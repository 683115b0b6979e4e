"""Every page against axe, which looks for what keeps people out: contrast, labels, order, names.

Each page is looked at by those whom it is for, at the widths of a desk and of a phone, and there
is something on it to see (`tests.party`).
"""

import os
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.test import Client

from tests.party import a_party, a_quiet_site
from tests.permissions import TABLE
from tests.test_permissions import address
from tests.web.browser import DESK, PHONE, sign_in

# The grave ones alone: all that axe tells of a page is slow to bring here.
RUN = """grave => axe.run({ resultTypes: ["violations"] })
  .then(found => found.violations.filter(each => grave.includes(each.impact)))"""
GRAVE = ["serious", "critical"]
# Of what members see, too, owners see more.
MORE_FOR_OWNERS = {
    "albums",
    "albums/<slug:slug>",
    "photos",
    "photos/<uuid:uuid>",
    "privacy",
    "videos",
    "videos/<uuid:uuid>",
}
# Looked at in the dark, too: they show all that has a colour of its own.
DARK = {
    "me",
    "people",
    "photos/<uuid:uuid>",
    "review",
    "progress",
    "sign-in",
    "g/<str:token>",
    "videos",
    "videos/<uuid:uuid>",
}
NO_PAGES = ("api/", "docs")  # the latter is drawn by Swagger
SHOTS = os.environ.get("LOOKWHO_SHOTS")  # a folder for pictures of what was looked at


@pytest.fixture
def site(transactional_db, tmp_path, settings):
    settings.SELFIES = tmp_path / "selfies"
    photos = tmp_path / "photos"
    photos.mkdir()
    site = a_quiet_site()
    a_party(site, photos)
    return site


def is_for(letter, route):
    """Whether an address is of the part of the site that one of the visitors looks at."""
    letters, of_guests = TABLE[route].get("GET"), route.startswith("g/")
    if letters is None or route.startswith(NO_PAGES):
        return False
    if letter == "O":
        return route in MORE_FOR_OWNERS or ("O" in letters and "M" not in letters)
    return (
        of_guests or not letters
        if letter == "N"
        else not of_guests and (not letters or "M" in letters)
    )


def pages_for(letter, user):
    """The routes at which a visitor gets a whole page; of those with nothing for them, one."""
    client = Client()
    if user:
        client.force_login(user)
    pages = {}
    for route in TABLE:
        if is_for(letter, route):
            answer = client.get(address(route))
            if not answer.streaming and b"<html" in answer.content:
                known = answer.status_code == 200
                pages.setdefault(route if known else answer.status_code, route)
            answer.close()
    return sorted(pages.values())


def grave(page):
    """What axe, which is in the page, finds wrong enough with it, in words."""
    return [
        f"{each['help']}: {node['html'][:200]}: "
        + "; ".join(check["message"] for check in node["any"] + node["all"] + node["none"])
        for each in page.evaluate(RUN, GRAVE)
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("letter", "OMN")
def test_no_page_keeps_anybody_out(letter, site, the_browser, live_server):
    user = site.users.get(letter)
    routes = pages_for(letter, user)
    # Colours would still be on their way from light to dark.
    context = the_browser.new_context(base_url=live_server.url, reduced_motion="reduce")
    if user:
        sign_in(context, user, live_server.url)
    page, wrong = context.new_page(), {}
    for route in routes:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(DESK)
        page.goto(address(route))
        page.evaluate(AXE_SCRIPT)
        ways = [(DESK, "light"), (PHONE, "light"), *[(PHONE, "dark")] * (route in DARK)]
        for size, scheme in ways:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            where = f"/{route} {size['width']} {scheme} as {letter}"
            for each in grave(page):
                wrong.setdefault(each, where)
            if SHOTS:
                name = where.replace("/", "_").replace(" ", "-")
                page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
    context.close()

    assert len(routes) >= {"O": 20, "M": 10, "N": 4}[letter]
    assert not wrong, "\n".join(f"{where}: {what}" for what, where in wrong.items())
