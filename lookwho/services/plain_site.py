"""Plain sites: a small JSON API that any website can have; docs/SITES.md says what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from lookwho.core.errors import SiteUnreachable
from lookwho.services.site_client import Client
from lookwho.services.site_shapes import (
    RemoteAlbum,
    RemoteMember,
    RemotePhoto,
    day,
    identity,
    moment,
    period,
    row,
    rows,
    text,
)

_PAGES = 10_000


class PlainSite:
    """Albums, photos, members and likes, page by page; the last two may be missing."""

    def albums(self, client: Client) -> Iterator[RemoteAlbum]:
        """Yield all albums that the account knows of."""
        for told in _pages(client, "albums"):
            name = identity(told.get("id"), "an album's id")
            cover = told.get("cover")
            yield RemoteAlbum(
                id=name,
                title=text(told.get("title")) or name,
                date=day(told.get("date")),
                event=text(told.get("event")),
                hidden=told.get("hidden") is True,
                open=told.get("accessible") is not False,
                cover="" if cover is None else identity(cover, "an album's cover"),
            )

    def photos(self, client: Client, album: str) -> Iterator[RemotePhoto]:
        """Yield the photos of an album."""
        for told in _pages(client, f"albums/{quote(album, safe='')}/photos", key="photos"):
            url = told.get("url")
            yield RemotePhoto(
                id=identity(told.get("id"), "a photo's id"),
                url=url if isinstance(url, str) else "",
                taken_at=moment(told.get("taken_at")),
            )

    def members(self, client: Client) -> Iterator[RemoteMember]:
        """Yield the members."""
        for told in _pages(client, "members"):
            periods = told.get("periods")
            yield RemoteMember(
                id=identity(told.get("id"), "a member's id"),
                email=text(told.get("email")),
                periods=None
                if periods is None
                else tuple(period(each, "a period") for each in rows(periods, "periods")),
            )

    def liked(self, client: Client) -> Iterator[str]:
        """Yield the ids of the photos that the account's own user likes."""
        for told in _pages(client, "liked", key="photos"):
            yield identity(told.get("id"), "a photo's id")


def _pages(client: Client, path: str, *, key: str = "") -> Iterator[dict[str, Any]]:
    """Yield what a list holds, page by page: `{key: [...], "pages": n}`."""
    for page in range(1, _PAGES):
        told = row(client.json(path, {"page": page}), path)
        yield from rows(told.get(key or path), f"the list of {path}")
        pages = told.get("pages", 1)
        if not isinstance(pages, int):
            raise SiteUnreachable(f"{path} does not say how many pages it has")
        if page >= pages:
            return
