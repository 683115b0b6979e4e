import pytest
from django.core.cache import cache

from tests.people import a_user
from tests.web.browser import DESK, chromium, sign_in


@pytest.fixture(autouse=True)
def nothing_was_tried_before():
    """Tests that fail to come in must not shut out those after them."""
    cache.clear()


@pytest.fixture
def owner(db):
    return a_user("owner")


@pytest.fixture
def member(db):
    return a_user("member")


@pytest.fixture
def annotator(db):
    return a_user("annotator")


@pytest.fixture
def as_owner(client, owner):
    """A client that the owner is signed in with."""
    client.force_login(owner)
    return client


@pytest.fixture(scope="module")  # no longer: its loop would be in the way of other tests' own
def the_browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(the_browser, live_server):
    """Open a page of the site as a user, in a window of a size; errors of scripts fail the test."""
    contexts, wrong = [], []

    def opened(path, user=None, *, size=DESK, **more):
        context = the_browser.new_context(viewport=size, base_url=live_server.url, **more)
        contexts.append(context)
        if user is not None:
            sign_in(context, user, live_server.url)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda told: "Content Security" in told.text and wrong.append(told.text))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []
