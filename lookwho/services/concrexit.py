"""Concrexit: the API of the members' site of that name, as an adapter for `services.sites`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from lookwho.core.errors import NotFound
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

_PHOTOS = "api/v2/photos"
_PAGE = 100
# No site has so many: it would answer the same again and again.
_PAGES = 10_000


class Concrexit:
    """Albums, photos, likes and membership periods, by limit and offset."""

    def albums(self, client: Client) -> Iterator[RemoteAlbum]:
        """Yield all albums that the account knows of."""
        for told in _pages(client, f"{_PHOTOS}/albums/"):
            name = identity(told.get("slug"), "an album's slug")
            cover = told.get("cover")
            yield RemoteAlbum(
                id=name,
                title=text(told.get("title")) or name,
                date=day(told.get("date")),
                hidden=told.get("hidden") is True,
                open=told.get("accessible") is not False,
                cover=identity(cover["pk"], "a cover's pk")
                if isinstance(cover, dict) and "pk" in cover
                else "",
            )

    def photos(self, client: Client, album: str) -> Iterator[RemotePhoto]:
        """Yield the photos of an album."""
        told = row(client.json(f"{_PHOTOS}/albums/{quote(album, safe='')}/"), "an album")
        if told.get("accessible") is False:
            raise NotFound(f"the album {album!r} is not for this account to see")
        for photo in rows(told.get("photos"), "an album's photos"):
            file = photo.get("file")
            url = row(file, "a photo's file").get("full") if file else None
            # One without a file is told, and cannot be read: it fails by itself.
            yield RemotePhoto(
                id=identity(photo.get("pk"), "a photo's pk"),
                url=url if isinstance(url, str) else "",
                taken_at=moment(photo.get("date")),
            )

    def members(self, client: Client) -> Iterator[RemoteMember]:
        """Yield the members; without `memberships` nothing is said of when they were."""
        for told in _pages(client, "api/v2/members/"):
            periods = told.get("memberships")
            yield RemoteMember(
                id=identity(told.get("pk"), "a member's pk"),
                email=text(told.get("email")),
                periods=None
                if periods is None
                else tuple(period(each, "a membership") for each in rows(periods, "memberships")),
            )

    def liked(self, client: Client) -> Iterator[str]:
        """Yield the ids of the photos that the account's own user likes."""
        for told in _pages(client, f"{_PHOTOS}/photos/liked/"):
            yield identity(told.get("pk"), "a photo's pk")


def _pages(client: Client, path: str) -> Iterator[dict[str, Any]]:
    """Yield what a list holds, page by page."""
    offset = 0
    for _ in range(_PAGES):
        told = row(client.json(path, {"limit": _PAGE, "offset": offset}), path)
        found = rows(told.get("results"), f"the results of {path}")
        yield from found
        offset += len(found)
        if not found or told.get("next") is None:
            return
