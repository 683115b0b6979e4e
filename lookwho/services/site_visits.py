"""Site visits: asking another website as one account, and having its originals for a moment.

Originals are never stored here. Whatever needs one fetches it into a temporary file, which is gone
as soon as it was used. Addresses of pictures are remembered for a while, for each account apart:
what one may see there says nothing about another.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote, unquote

from django.db import transaction
from django.utils.module_loading import import_string

from lookwho.core.errors import FileMissing, Forbidden, NotFound, RequestError, SiteRefused
from lookwho.core.inspect import inspect
from lookwho.library.models import Collection, Location, Media, Setting, SiteAccount, User
from lookwho.library.queries.sites import adapter_of, key_of
from lookwho.services.sealing import unseal
from lookwho.services.site_client import HURRY, PATIENCE, Client
from lookwho.services.site_shapes import Adapter

ADAPTERS = {
    "concrexit": "lookwho.services.concrexit.Concrexit",
    "plain": "lookwho.services.plain_site.PlainSite",
}
# How long an address of a picture is remembered, in seconds, and of how many albums.
_REMEMBERED, _MOST_ALBUMS = 600.0, 500
_TEMPORARY = "lookwho-site-"
_ORPHAN_SECONDS = 3600.0


@cache
def adapter_named(name: str) -> Adapter:
    """Return what speaks an API."""
    return import_string(ADAPTERS[name])()


def note(collection: Collection, **changes: object) -> None:
    """Note something of a site."""
    with transaction.atomic():
        row = Setting.objects.select_for_update().filter(name=key_of(collection)).first()
        if row is not None:
            row.value = {**cast(dict[str, Any], row.value), **changes}
            row.save(update_fields=["value", "changed_at"])


def path_of(album: str, photo: str) -> str:
    """Return how a photo of an album is called below the root of its site.

    >>> path_of("gala/2024", "17")
    'gala%2F2024/17'
    """
    return f"{quote(album, safe='')}/{quote(photo, safe='')}"


def ids_of(path: str) -> tuple[str, str]:
    """Return the ids of the album and the photo of a path."""
    album, _, photo = path.partition("/")
    return unquote(album), unquote(photo)


class Visit:
    """Asks a site as one account; to be closed in the end.

    Args:
        account: the account, with its collection.
        patience: see `Client`.
        pause: likewise.
    """

    def __init__(
        self,
        account: SiteAccount,
        *,
        patience: float = PATIENCE,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        collection = account.collection
        token = unseal(account.token)
        self.adapter = adapter_named(adapter_of(collection))
        self.client = Client(collection.root, token, patience=patience, pause=pause)
        # Another token is another account.
        self._whose = account.pk, hashlib.sha256(token.encode()).hexdigest()

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def remember(self, album: str, urls: dict[str, str]) -> None:
        """Remember where the pictures of an album are, for this account alone."""
        with _remembering:
            _addresses[*self._whose, album] = time.monotonic(), urls
            _addresses.move_to_end((*self._whose, album))
            while len(_addresses) > _MOST_ALBUMS:
                _addresses.popitem(last=False)

    def download(self, path: str, file: IO[bytes]) -> None:
        """Write a photo into a file; an address that has expired is asked for anew.

        Raises:
            FileMissing: it is not there any more, or not for this account to see.
            SiteRefused, SiteUnreachable: see `Client`.
        """
        album, photo = ids_of(path)
        url = self._remembered(album).get(photo)
        if url:
            try:
                return self.client.download(url, file)
            except FileMissing:
                pass  # expired: once more, with the one that it has now
        url = self._asked(album).get(photo)
        if not url:
            raise FileMissing(f"the photo {photo} is not in {album} of the site any more")
        return self.client.download(url, file)

    def _remembered(self, album: str) -> dict[str, str]:
        with _remembering:
            since, urls = _addresses.get((*self._whose, album), (0.0, {}))
        return urls if time.monotonic() - since < _REMEMBERED else {}

    def _asked(self, album: str) -> dict[str, str]:
        try:
            found = {photo.id: photo.url for photo in self.adapter.photos(self.client, album)}
        except (NotFound, Forbidden) as error:
            self.remember(album, {})
            raise FileMissing(error.message) from None
        self.remember(album, found)
        return found


_remembering = threading.Lock()
_addresses: OrderedDict[tuple[int, str, str], tuple[float, dict[str, str]]] = OrderedDict()


def own_account(collection: Collection) -> SiteAccount:
    """Return the account that Lookwho imports with.

    Raises:
        SiteRefused: there is none.
    """
    rows = SiteAccount.objects.filter(collection=collection, user=None)
    account = rows.select_related("collection").first()
    if account is None:
        raise SiteRefused(f"there is no token for {collection.title}: store one")
    return account


# --- originals ---


@contextlib.contextmanager
def fetched(location: Location, *, asker: User | None = None) -> Generator[Path]:
    """Fetch the photo of a location into a temporary file, which is gone in the end.

    Args:
        location: a place in a site, with its collection and its medium.
        asker: for whom. Where they have an account at the site, that decides whether they get it;
            otherwise the caller has asked whether they may see it here.

    Raises:
        FileMissing: it is not there any more, or it is another photo now.
        NotFound: it is not for the asker to see there.
        SiteRefused, SiteUnreachable: the site does not give it now.
    """
    collection = location.collection
    account = None
    if asker is not None:
        theirs = SiteAccount.objects.filter(collection=collection, user=asker)
        account = theirs.select_related("collection").first()
    patience = PATIENCE if asker is None else HURRY
    with temporary() as file:
        try:
            with Visit(account or own_account(collection), patience=patience) as visit:
                visit.download(location.path, file)
        except (FileMissing, RequestError):
            if account is None:
                raise
            raise NotFound("the site does not show you this photo") from None
        media = location.media
        path = Path(file.name)
        if media is not None and inspect(path).payload != bytes(media.payload_hash):
            raise FileMissing(f"{location.path} of the site is another photo now: import it again")
        yield path


@contextlib.contextmanager
def temporary() -> Generator[IO[bytes]]:
    """Make a file that is gone in the end, for this user of the machine alone."""
    with tempfile.NamedTemporaryFile(prefix=_TEMPORARY) as file:
        yield file


def place_of(media: Media) -> Location | None:
    """Return where on a site a medium lies; None where it lies on none."""
    rows = Location.objects.filter(
        media=media, missing_since=None, collection__kind=Collection.Kind.SITE
    )
    return rows.select_related("collection", "media").order_by("pk").first()


def sweep(*, now: float | None = None) -> int:
    """Remove temporary files of processes that died; return how many there were."""
    now = time.time() if now is None else now
    swept = 0
    for path in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime > _ORPHAN_SECONDS:
                path.unlink()
                swept += 1
    return swept
