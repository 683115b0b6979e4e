import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench import visitors
from bench.visitors import ALBUM, ALBUMS, ME, PHOTOS, PICTURE, PIECE, visit

PAGES = {
    "/me": '<img src="/pictures/aa/320.webp"><img src="/pictures/aa/320.webp">'
    '<img src="/pictures/bb/320.webp" srcset="/pictures/bb/640.webp 2x">'
    '<div data-more="/me/more?from=a&amp;skip=60"></div>',
    "/me/more?from=a&skip=60": "",
    "/albums": '<a href="/albums/gala"><img src="/pictures/cc/640.webp"></a>',
    "/albums/gala": "",
    "/photos": '<img src="/pictures/dd/320.webp">',
    "/pictures/aa/320.webp": "",
    "/pictures/bb/320.webp": "",
}


class Site:
    """A site of a few pages; it notes who asked for what, and can be slow.

    One page may be broken, from some time on; a rude one hangs up after each answer.
    """

    def __init__(self):
        self.asked: list[tuple[str, str]] = []
        self.broken, self.well = "", 0
        self.slow = 0.0
        self.rude = False
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                site.asked.append((self.headers["Cookie"], self.path))
                time.sleep(site.slow)
                body = PAGES.get(self.path, "").encode()
                often = sum(path == self.path for _, path in site.asked)
                broken = self.path not in PAGES or (self.path == site.broken and often > site.well)
                status = 500 if broken else 200
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = site.rude

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def site():
    """A site that answers as long as the test lasts."""
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_every_visitor_opens_all_pages_with_their_own_session(site):
    seen = visit(site.host, ["one", "two"], seconds=0.9, every=0.1, pictures=True)

    assert seen.errors == []
    assert set(seen.times) == {ME, PIECE, ALBUMS, ALBUM, PHOTOS, PICTURE}
    asked = Counter(site.asked)
    for session in ("one", "two"):
        for page in PAGES:
            assert asked[f"sessionid={session}", page] >= 1, page
    assert 16 <= sum(len(seen.times[page]) for page in (ME, ALBUMS, ALBUM, PHOTOS)) <= 18
    assert seen.share > 0


def test_pictures_of_my_photos_are_asked_for_once_as_a_browser_keeps_them(site):
    seen = visit(site.host, ["one"], seconds=1.0, every=0.05, pictures=True)

    assert len(seen.times[ME]) > 1
    assert len(seen.times[PICTURE]) == 2
    # Once before it counts, and once after.
    assert Counter(site.asked)["sessionid=one", "/pictures/aa/320.webp"] == 2


def test_no_pictures_are_asked_for_where_there_are_none(site):
    seen = visit(site.host, ["one"], seconds=0.3, every=0.1, pictures=False)

    assert PICTURE not in seen.times
    assert not any("/pictures/" in path for _, path in site.asked)


def test_what_waits_behind_a_slow_page_counts_from_when_it_was_due(site):
    site.slow = 0.15

    seen = visit(site.host, ["one"], seconds=0.4, every=0.05, pictures=False)

    waited = [time for page in (ME, ALBUMS, ALBUM, PHOTOS) for time in seen.times[page]]
    assert max(waited) > 450  # of the last, several went before


def test_what_goes_wrong_is_told(site):
    site.broken, site.well = "/photos", 2

    seen = visit(site.host, ["one"], seconds=0.8, every=0.05, pictures=False)

    assert seen.errors == ["/photos: answered 500"] * (len(seen.times[PHOTOS]) - 1)
    assert seen.errors


def test_a_connection_that_was_ended_meanwhile_is_no_error(site):
    site.rude = True

    seen = visit(site.host, ["one"], seconds=0.4, every=0.05, pictures=False)

    assert seen.errors == []
    assert seen.times[ME]


def test_nothing_is_timed_on_a_site_that_is_broken_from_the_start(site):
    site.broken = "/me"

    with pytest.raises(RuntimeError, match="/me: answered 500"):
        visit(site.host, ["one"], seconds=0.1, every=0.1, pictures=True)


def test_every_kind_has_its_place_in_the_table():
    assert set(visitors.PAGES) < set(visitors.KINDS)
