"""Many visitors at once, in a process of their own: each opens a page every few seconds.

It reads what it is to do from standard input and writes what it saw to standard output, as JSON.
It knows nothing of Lookwho but its addresses. A page counts from the moment at which it was due, so
that what waits behind a slow one is not left out, until its last byte; its further pieces and its
pictures are asked for behind it and count alone.
"""

from __future__ import annotations

import contextlib
import html
import http.client
import itertools
import json
import random
import re
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

# Of the pictures of My photos as many as a screen shows. They are asked for once: a browser keeps
# them for an hour, as it is told to.
PICTURES = 12
PIECES = 2
# Of the albums, the newest.
OPENED = 20
_SECONDS = 60.0
_PICTURE = re.compile(r' src="(/pictures/[0-9a-f-]+/\d+\.webp)"')
_PIECE = re.compile(r'"(/me/more\?[^"]+)"')
_ALBUM = re.compile(r'"(/albums/[\w-]+)"')

ME, PIECE, ALBUMS, ALBUM, PHOTOS, PICTURE = (
    "My photos",
    "a further piece of it",
    "Albums",
    "an Album",
    "Photos",
    "a picture",
)
KINDS = (ME, PIECE, ALBUMS, ALBUM, PHOTOS, PICTURE)
# What is opened in turn, and where; albums differ.
PAGES = {ME: "/me", ALBUMS: "/albums", ALBUM: "", PHOTOS: "/photos"}


@dataclass(slots=True)
class Seen:
    """What visitors saw.

    Attributes:
        times: milliseconds, by what was asked for.
        errors: what went wrong.
        seconds: for how long they stayed, until the last answer.
        share: of a core, that this process took.
    """

    times: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    errors: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    share: float = 0.0

    def add(self, other: Seen) -> None:
        """Take up what another saw."""
        for kind, times in other.times.items():
            self.times.setdefault(kind, []).extend(times)
        self.errors += other.errors


class Visitor:
    """Somebody with the cookie of a session, and one connection that is kept open.

    Attributes:
        seen: what they saw.
        albums: addresses of those that they open.
    """

    def __init__(self, host: str, session: str, number: int, *, pictures: bool) -> None:
        """Make a visitor who has not come yet; what they look at is drawn by their number."""
        self.seen = Seen()
        self.albums: list[str] = []
        self._pictures = PICTURES if pictures else 0
        self._kept: set[str] = set()
        self._headers = {"Cookie": f"sessionid={session}"}
        self._connection = http.client.HTTPConnection(host, timeout=_SECONDS)
        self._random = random.Random(number)
        self._kinds = itertools.islice(itertools.cycle(PAGES), number % len(PAGES), None)

    def stay(self, until: float, every: float) -> None:
        """Open a page every few seconds, the first at some moment within those."""
        due = time.perf_counter() + every * self._random.random()
        while due < until:
            time.sleep(max(0.0, due - time.perf_counter()))
            kind = next(self._kinds)
            address = PAGES[kind] or self._random.choice(self.albums or ["/albums"])
            self.open(kind, address, due)
            due += every

    def open(self, kind: str, address: str, due: float | None = None) -> str:
        """Open a page with what belongs to it; return the page."""
        page = self._ask(kind, address, due)
        if kind == ME:
            for piece in _PIECE.findall(page)[:PIECES]:
                self._ask(PIECE, html.unescape(piece))
            for picture in list(dict.fromkeys(_PICTURE.findall(page)))[: self._pictures]:
                if picture not in self._kept:
                    self._ask(PICTURE, picture)
                    self._kept.add(picture)
        return page

    def begin(self, albums: list[str]) -> None:
        """Forget what was seen, and what the browser kept; from now on it counts."""
        self.seen, self.albums = Seen(), albums
        self._kept.clear()

    def leave(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, kind: str, address: str, due: float | None = None) -> str:
        began = time.perf_counter() if due is None else due
        try:
            answer = self._answer(address)
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # the next request opens another
            self.seen.errors.append(f"{address}: {error!r}")
            return ""
        spent = 1000 * (time.perf_counter() - began)
        self.seen.times.setdefault(kind, []).append(spent)
        if answer.status != 200:
            self.seen.errors.append(f"{address}: answered {answer.status}")
        return body.decode(errors="replace") if kind != PICTURE else ""

    def _answer(self, address: str) -> http.client.HTTPResponse:
        """Ask on the connection that is open, or as browsers do on a new one where it was ended."""
        reused = self._connection.sock is not None
        try:
            self._connection.request("GET", address, headers=self._headers)
            return self._connection.getresponse()
        except ConnectionError:
            if not reused:
                raise
            self._connection.close()
        self._connection.request("GET", address, headers=self._headers)
        return self._connection.getresponse()


def visit(
    host: str, sessions: Sequence[str], *, seconds: float, every: float, pictures: bool
) -> Seen:
    """Let as many visit as there are sessions, once each page was opened by somebody before.

    So the pictures are there already. Returns what they saw after that.
    """
    visitors = [
        Visitor(host, session, number, pictures=pictures) for number, session in enumerate(sessions)
    ]
    with contextlib.ExitStack() as stack:
        for visitor in visitors:
            stack.callback(visitor.leave)
        _prepare(visitors)
        worked, began = time.process_time(), time.perf_counter()
        threads = [
            threading.Thread(target=each.stay, args=(began + seconds, every)) for each in visitors
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = Seen(seconds=time.perf_counter() - began)
        seen.share = (time.process_time() - worked) / seen.seconds
    for visitor in visitors:
        seen.add(visitor.seen)
    return seen


def _prepare(visitors: Sequence[Visitor]) -> None:
    """Open each page once, and tell all visitors which albums there are."""
    first = visitors[0]
    first.open(PHOTOS, PAGES[PHOTOS])
    albums = list(dict.fromkeys(_ALBUM.findall(first.open(ALBUMS, PAGES[ALBUMS]))))[:OPENED]
    for album in albums:
        first.open(ALBUM, album)
    for visitor in visitors:
        visitor.open(ME, PAGES[ME])
        if visitor.seen.errors:
            raise RuntimeError(visitor.seen.errors[0])
        visitor.begin(albums)


if __name__ == "__main__":
    json.dump(asdict(visit(**json.load(sys.stdin))), sys.stdout)
