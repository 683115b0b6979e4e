"""A site that is really served, and those who are signed in to it, over HTTP."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from lookwho.core.errors import LookwhoError, from_code

_SECONDS = 60.0


@contextmanager
def serving(home: Path, *arguments: str) -> Generator[str]:
    """Run `lookwho serve` on a folder, with SQLite; give the link that signs its owner in."""
    command = [sys.executable, "-m", "lookwho", "serve", "--port", "0", *arguments]
    site = {**os.environ, "LOOKWHO_HOME": str(home)}
    site["DJANGO_SETTINGS_MODULE"] = "lookwho.config.settings"
    site.pop("LOOKWHO_DATABASE_URL", None)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=site)
    assert process.stdout
    # What it says must not fill the pipe once its link was read.
    drain = threading.Thread(target=process.stdout.read, daemon=True)
    try:
        for line in process.stdout:
            if found := re.search(r"http://\S+/enter/\S+", line):
                break
        else:
            raise RuntimeError("lookwho serve did not start")
        drain.start()
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        if drain.ident:
            drain.join()
        process.stdout.close()


class Visitor:
    """Somebody who comes by a link, and has a browser's cookies from then on.

    Attributes:
        site: where it is, without a slash at the end.
    """

    def __init__(self, link: str, **form: str) -> None:
        """Come in, by a link of `/enter/` or `/join/` and what its form asks for."""
        self.site = re.split("/enter/|/join/", link)[0]
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._cookies)
        )
        path = link.removeprefix(self.site)
        self.get(path)
        self.send("POST", path, urlencode(form).encode())

    def get(self, path: str) -> bytes:
        """Return a page.

        Raises:
            LookwhoError: it is refused.
            RuntimeError: another page came in its place.
        """
        with self._open(urllib.request.Request(self.site + path)) as answer:
            if answer.url != self.site + path:
                raise RuntimeError(f"{path} led to {answer.url}")
            return answer.read()

    def json(self, path: str) -> Any:
        """Return what the API answers; the path begins behind /api/v1."""
        return json.loads(self.get(f"/api/v1{path}"))

    def tell(self, path: str, **told: object) -> Any:
        """Post something to the API, and return what it answers."""
        body = json.dumps(told).encode()
        _, said = self.send("POST", f"/api/v1{path}", body, {"Content-Type": "application/json"})
        return json.loads(said)

    def send_file(self, path: str, name: str, data: bytes, **fields: str) -> Any:
        """Post a form with one file to the API, and return what it answers."""
        line = f"--{uuid4().hex}"
        parts = [
            f'{line}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{said}\r\n'.encode()
            for field, said in fields.items()
        ]
        parts.append(
            f'{line}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
        )
        body = b"".join([*parts, data, f"\r\n{line}--\r\n".encode()])
        kind = f"multipart/form-data; boundary={line.removeprefix('--')}"
        _, said = self.send("POST", f"/api/v1{path}", body, {"Content-Type": kind})
        return json.loads(said)

    def send(
        self, method: str, path: str, data: bytes, headers: Mapping[str, str] | None = None
    ) -> tuple[Mapping[str, str], bytes]:
        """Send something; return the answer's headers and body.

        Raises:
            LookwhoError: it is refused.
        """
        own = {"X-CSRFToken": self.cookie("csrftoken"), "Referer": self.site + path}
        request = urllib.request.Request(
            self.site + path, data=data, headers=own | dict(headers or {}), method=method
        )
        with self._open(request) as answer:
            return answer.headers, answer.read()

    def cookie(self, name: str) -> str:
        """Return the value of a cookie; blank where there is none."""
        return next((each.value or "" for each in self._cookies if each.name == name), "")

    def _open(self, request: urllib.request.Request) -> Any:
        try:
            return self._opener.open(request, timeout=_SECONDS)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            raise _error(request.selector, error.code, said) from error


class Watcher:
    """Somebody who reads the database of a site beside it, and asks it nothing."""

    def __init__(self, home: Path) -> None:
        """Look into the database of a site; its tables may be still to be made."""
        self._path = home / "lookwho.sqlite3"

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return what a statement finds; nothing while there are no tables."""
        try:
            with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
                return connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError:  # the tables are only being made
            return []

    def number(self, statement: str) -> int:
        """Return the one number that a statement finds; 0 while there are no tables."""
        found = self.rows(statement)
        return int(found[0][0]) if found else 0

    def busy(self) -> int:
        """Return how many jobs wait or are under way."""
        return self.number("select count(*) from lookwho_job where state in ('waiting', 'leased')")


def _error(path: str, status: int, said: str) -> LookwhoError:
    """Return a refusal as the API told it; of a page, only its number is told."""
    try:
        told = json.loads(said)
        return from_code(told["code"], told["message"])
    except (ValueError, KeyError, TypeError):
        return LookwhoError(f"{path} answered {status}")
