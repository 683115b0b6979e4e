"""A members' site that speaks concrexit's API over a real socket, with everything that can be odd.

Pictures lie on a second socket, as on a storage, under addresses that are signed for one token, and
that expire when a test says so.
"""

import hashlib
import json
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.pictures import encode, noise

TOKEN, MIA = "secret-own-token-7f3a", "secret-token-of-mia-91bc"


def photo(seed):
    return encode(noise(seed=seed), "JPEG")


class MembersSite:
    """What is on the site, and how it behaves; tests change both while it runs."""

    def __init__(self):
        self.albums = {}  # slug: {"title", "date", "photos": [pk], and what else an album tells}
        self.pictures = {}  # pk: bytes
        self.members = []
        self.tokens = {TOKEN: "own", MIA: "mia"}
        self.liked = {}  # token: pks
        self.closed = {}  # token: slugs that are not accessible
        self.page = 2
        self.round = 1  # of signatures: those of an earlier one have expired
        self.busy = []  # answers with these (status, Retry-After) first
        self.paths = Counter()  # what was asked for
        self.sent_tokens = []  # (who was asked, token)
        self.before_picture = lambda pk: None
        self.lead = None  # where all questions are sent on to

    def add(self, slug, *pks, date="2024-06-01", **more):
        self.albums[slug] = {"title": slug.title(), "date": date, "photos": list(pks), **more}
        for pk in pks:
            self.pictures.setdefault(pk, photo(pk))

    # --- what is answered ---

    def api(self, handler):
        told = urlsplit(handler.path)
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        self.sent_tokens.append(("site", token))
        self.paths[told.path] += 1
        if self.lead:
            return 302, {"Location": self.lead + handler.path}, b""
        if self.busy:
            status, after = self.busy.pop(0)
            return status, {"Retry-After": after} if after is not None else {}, b""
        if token not in self.tokens:
            return 401, {}, json.dumps({"detail": "Invalid token."}).encode()
        found = self._found(told.path, {k: v[0] for k, v in parse_qs(told.query).items()}, token)
        if found is None:
            return 404, {}, b'{"detail": "Not found."}'
        return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

    def _found(self, path, query, token):
        parts = path.removeprefix("/api/v2/").strip("/").split("/")
        match parts:
            case ["photos", "albums"]:
                rows = [self._listed(slug, token) for slug in self.albums]
                return self._pages(rows, query)
            case ["photos", "albums", slug] if slug in self.albums:
                if slug in self.closed.get(token, ()):
                    return None
                photos = [self._photo(pk, token) for pk in self.albums[slug]["photos"]]
                return {**self._listed(slug, token), "photos": photos}
            case ["photos", "photos", "liked"]:
                rows = [self._photo(pk, token) for pk in self.liked.get(token, ())]
                return self._pages(rows, query)
            case ["members"] if self.members is not None:
                return self._pages(self.members, query)
        return None

    def _listed(self, slug, token):
        album = {k: v for k, v in self.albums[slug].items() if k != "photos"}
        return {"slug": slug, "accessible": slug not in self.closed.get(token, ()), **album}

    def _photo(self, pk, token):
        full = f"{self.storage}/{pk}.jpg?until={self.round}&key={self._key(pk, self.round, token)}"
        liked = pk in self.liked.get(token, ())
        return {"pk": pk, "file": {"full": full, "small": full}, "liked": liked, "num_likes": 1}

    def _pages(self, rows, query):
        offset = int(query.get("offset", 0))
        end = offset + min(self.page, int(query.get("limit", 50)))
        more = f"{self.address}/?offset={end}" if end < len(rows) else None
        return {"count": len(rows), "next": more, "previous": None, "results": rows[offset:end]}

    def _key(self, pk, until, token):
        return hashlib.sha256(f"{pk}/{until}/{self.tokens.get(token)}".encode()).hexdigest()

    def picture(self, handler):
        told = urlsplit(handler.path)
        query = {k: v[0] for k, v in parse_qs(told.query).items()}
        self.sent_tokens.append(("storage", handler.headers.get("Authorization", "")))
        pk = int(told.path.strip("/").removesuffix(".jpg"))
        self.paths[f"picture {pk}"] += 1
        self.before_picture(pk)
        keys = {self._key(pk, query["until"], token): token for token in self.tokens}
        if query["key"] not in keys or query["until"] != str(self.round):
            return 403, {}, b"expired"
        whose = keys[query["key"]]
        homes = [slug for slug, album in self.albums.items() if pk in album["photos"]]
        if all(slug in self.closed.get(whose, ()) for slug in homes):
            return 403, {}, b"not for you"
        if pk not in self.pictures:
            return 404, {}, b"gone"
        return 200, {"Content-Type": "image/jpeg"}, self.pictures[pk]


@contextmanager
def members_site():
    """A site that runs, with its address."""
    site = MembersSite()
    with serving(site.api) as site.address, serving(site.picture) as site.storage:
        yield site


@contextmanager
def serving(answer):
    """Answer on a socket of this machine; return its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = answer(self)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_):
            """Whoever hangs up does so because a test wants it."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
