"""Site client: asking another website, politely, and without trusting what it answers.

The token goes to that website alone: not to a storage that its pictures lie on, and not where a
redirect leads. Answers are limited in size and time, and no message tells a query: addresses of
pictures carry signatures.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, Any, NoReturn, TypeVar
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit, urlunsplit

import requests

from lookwho.core.errors import (
    FileMissing,
    Forbidden,
    ImageTooLarge,
    Invalid,
    NotFound,
    SiteRefused,
    SiteUnreachable,
)

Found = TypeVar("Found")

# For an answer to begin, and for all of it to arrive, in seconds.
BEGINS, CONNECTS = 30.0, 10.0
ARRIVES = 120.0
MAX_JSON = 20 << 20
MAX_PICTURE = 256_000_000
TRIES = 5
# The pause after the first failure, if the site says none; it doubles.
PAUSE = 1.0
# All pauses over one question, in seconds: in a job, and while somebody waits for a page.
PATIENCE, HURRY = 120.0, 3.0
_REDIRECTS = 5
_CHUNK = 1 << 18
_MOVED = (301, 302, 303, 307, 308)
_BUSY = (429, 500, 502, 503, 504)
_PORTS = {"http": 80, "https": 443}


class _AgainError(Exception):
    """The next try may do better.

    Args:
        reason: what went wrong.
        after: the pause that the site asks for, in seconds.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


def checked_address(address: str, *, plain: bool = False) -> str:
    """Return the address of a website as it is kept: without a slash at its end.

    Args:
        address: as it was typed.
        plain: whether the owner agrees that token and photos travel unencrypted. That is agreed
            already within this machine and a private network.

    Raises:
        Invalid: it is no such address, or not encrypted.
    """
    address = address.strip()
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Invalid(f"{address[:200]!r} is no address of a website: {error}") from error
    if parts.scheme not in _PORTS or not host:
        raise Invalid("type the address of the website, such as https://example.org")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Invalid("the address must hold no password, no ? and no #: the token has its field")
    if parts.scheme == "http" and not (plain or _is_near(host)):
        raise Invalid(
            f"{host} would be asked without encryption, so that others could read the token: use "
            "https://, or say that you agree"
        )
    return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path.rstrip("/"), "", ""))


class Client:
    """Asks one website, as one account.

    Args:
        root: its address, as `checked_address` gives it.
        token: an OAuth2 bearer token; blank for none.
        patience: how long all pauses over one question may be, in seconds.
        pause: what waits; it may raise, so that a job that waits can be cancelled.
    """

    def __init__(
        self,
        root: str,
        token: str,
        *,
        patience: float = PATIENCE,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._root = urlsplit(root)
        self._token = token
        self._patience = patience
        self._pause = pause
        self._session = requests.Session()
        self._session.auth = _as_it_is  # else a .netrc would decide
        self._session.headers["User-Agent"] = "Lookwho"

    def close(self) -> None:
        """End all connections."""
        self._session.close()

    def json(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """Return what the website answers.

        Args:
            path: below its address.
            query: what follows the path.

        Raises:
            SiteRefused: the token is wrong.
            Forbidden: the token is good, but not for this.
            NotFound: there is no such thing.
            SiteUnreachable: it does not answer, or not as it should.
        """
        told = f"{self._root.path}/{path}"
        url = urlunsplit(self._root._replace(path=told, query=urlencode(query or {})))
        return self._tried(url, lambda: self._json(url))

    def download(self, url: str, file: IO[bytes]) -> None:
        """Write a picture into a file, from its beginning.

        Args:
            url: as the website told it; it may be relative.
            file: what is written to.

        Raises:
            FileMissing: there is no such picture, or its address has expired.
            ImageTooLarge: it has more bytes than are read.
            SiteUnreachable: it cannot be had now.
        """
        url = urljoin(urlunsplit(self._root) + "/", url)
        self._tried(url, lambda: self._download(url, file))

    # --- one question ---

    def _tried(self, url: str, ask: Callable[[], Found]) -> Found:
        waited = 0.0
        for attempt in range(TRIES):
            try:
                return ask()
            except _AgainError as error:
                pause = PAUSE * 2**attempt if error.after is None else error.after
                waited += pause
                if attempt + 1 == TRIES or waited > self._patience:
                    raise SiteUnreachable(f"{_shown(url)}: {error}") from None
            self._pause(pause)
        raise AssertionError("the last try returns or raises")

    def _json(self, url: str) -> Any:
        with self._opened(url, own=True) as answer:
            if answer.status_code in (401, 403, 404, 410):
                self._refuse(url, answer.status_code)
            if answer.status_code != 200:
                raise SiteUnreachable(f"{_shown(url)} answers with status {answer.status_code}")
            data = b"".join(_chunks(answer, MAX_JSON))
        try:
            return json.loads(data)
        except ValueError:
            raise SiteUnreachable(f"{_shown(url)} answers no JSON: is the address right?") from None

    def _refuse(self, url: str, status: int) -> NoReturn:
        if status == 401:
            raise SiteRefused(
                f"{self._root.hostname} refuses the token: it is wrong or has expired. Make a new "
                "one there, and store it here"
            )
        if status == 403:
            raise Forbidden(f"the token may not read {_shown(url)}: give it the rights there")
        raise NotFound(f"there is no {_shown(url)}")

    def _download(self, url: str, file: IO[bytes]) -> None:
        file.seek(0)
        file.truncate()
        with self._opened(url, own=False) as answer:
            if answer.status_code in (400, 401, 403, 404, 410):
                raise FileMissing(
                    f"{_shown(url)} answers with status {answer.status_code}: the picture is gone, "
                    "or its address has expired"
                )
            if answer.status_code != 200:
                raise SiteUnreachable(f"{_shown(url)} answers with status {answer.status_code}")
            for chunk in _chunks(answer, MAX_PICTURE):
                file.write(chunk)
        file.flush()

    def _opened(self, url: str, *, own: bool) -> requests.Response:
        """Ask, and follow where it leads; an answer that asks for patience is no answer.

        Args:
            url: whom.
            own: whether only the website itself may answer.

        Raises:
            SiteUnreachable: it leads where it must not.
        """
        for _ in range(_REDIRECTS + 1):
            parts = urlsplit(url)
            ours = _origin(parts) == _origin(self._root)
            if own and not ours:
                raise SiteUnreachable(
                    f"{self._root.hostname} sends us to {parts.hostname}: add the address that it "
                    "has now"
                )
            if not ours:
                self._check_storage(parts)
            answer = self._answer(url, with_token=ours)
            if answer.status_code not in _MOVED:
                return answer
            url = urljoin(url, answer.headers.get("Location", ""))
            answer.close()
        raise SiteUnreachable(f"{_shown(url)} leads in circles")

    def _answer(self, url: str, *, with_token: bool) -> requests.Response:
        headers = {"Accept": "*/*"}
        if with_token and self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            answer = self._session.get(
                url,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECTS, BEGINS),
            )
        except requests.Timeout:
            raise _AgainError("it does not answer in time") from None
        except requests.exceptions.SSLError:
            raise SiteUnreachable(f"{_shown(url)}: its certificate is not good") from None
        except requests.ConnectionError:
            raise _AgainError("it cannot be reached") from None
        except (requests.RequestException, ValueError):
            raise SiteUnreachable(f"{_shown(url)} cannot be asked") from None
        if answer.status_code in _BUSY:
            after = _retry_after(answer.headers.get("Retry-After", ""))
            answer.close()
            raise _AgainError(f"it answers with status {answer.status_code}", after)
        return answer

    def _check_storage(self, parts: SplitResult) -> None:
        """Refuse addresses of pictures by which a website would have us look into our own network.

        Raises:
            SiteUnreachable: it is one.
        """
        host = parts.hostname or ""
        encrypted = parts.scheme == "https" or (parts.scheme, self._root.scheme) == ("http",) * 2
        if not host or not encrypted:
            raise SiteUnreachable("the address that the website gives for a picture is not https")
        if host == self._root.hostname:
            return
        at_home = all(not each.is_global for each in _addresses(self._root.hostname or ""))
        for each in _addresses(host):
            if each.is_link_local or not (each.is_global or at_home):
                raise SiteUnreachable(f"a picture of {self._root.hostname} may not lie on {host}")


# --- parts of answers ---


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _chunks(answer: requests.Response, most: int) -> Iterator[bytes]:
    """Yield the bytes of an answer, as long as they come fast enough and are not too many."""
    size, until = 0, time.monotonic() + ARRIVES
    try:
        for chunk in answer.iter_content(_CHUNK):
            size += len(chunk)
            if size > most:
                raise ImageTooLarge(f"the answer has more than {most / 1e6:,.0f} million bytes")
            if time.monotonic() > until:
                raise _AgainError("it answers too slowly")
            yield chunk
    except (requests.RequestException, OSError):
        raise _AgainError("its answer breaks off") from None


def _retry_after(told: str) -> float | None:
    """Return for how many seconds a site asks us to wait.

    >>> _retry_after("7"), _retry_after(""), _retry_after("soon")
    (7.0, None, None)
    """
    try:
        return max(0.0, float(int(told)))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(told)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    try:
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", None, None


def _shown(url: str) -> str:
    """Return an address without what follows its path.

    >>> _shown("https://a.example/photos/1.jpg?signature=secret")
    'a.example/photos/1.jpg'
    """
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{parts.path}"[:200]


def _is_near(host: str) -> bool:
    """Return whether a host is this machine, or by its own name in a private network."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".lan")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise _AgainError(f"there is no {host}") from None
    return [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
