"""Guests' photos: the lists that a link's pages show, in pieces, and each photo in its list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from lookwho.library.models import Guest, Media, Share, Video
from lookwho.library.queries import photos as queries
from lookwho.library.queries.photos import Tile
from lookwho.library.scope import Purpose, scope_of_share
from lookwho.services import proxies, search
from lookwho.web.delivery import film_url, original_url, picture_url

# The two lists, as an address tells them.
MINE, ALL = "mine", "all"
PIECE = 60


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo in a guest's grid: what `queries.photos.Tile` says, and where its pictures are."""

    tile: Tile
    small: str
    middle: str
    percent: int | None = None


def wanted(told: Mapping[str, str]) -> str:
    """Return which list an address asks for; blank for none."""
    name = told.get("list", "")
    return name if name in (MINE, ALL) else ""


def number_of(guest: Guest | None) -> int:
    """Return how many photos a guest is in, for certain."""
    return 0 if guest is None else sum(match.mine for match in search.my_photos(guest))


def listed(told: Mapping[str, str], share: Share, guest: Guest | None) -> dict[str, object]:
    """Return what a link's page shows: a piece of one list, and how long each is."""
    matches = search.my_photos(guest) if guest is not None else []
    mine = [match.media for match in matches if match.mine]
    which = ALL if not share.only_mine and (not mine or wanted(told) == ALL) else MINE
    page = _page(told)
    scope = scope_of_share(share, Purpose.BROWSE)
    maybe: list[Shown] = []
    if which == MINE:
        piece = mine[(page - 1) * PIECE : page * PIECE]
        tiles = queries.tiles_of(scope, piece)
        more = len(mine) > page * PIECE
        if page == 1:
            doubtful = [match for match in matches if not match.mine]
            chances = [int(100 * match.probability) for match in doubtful]
            shown = queries.tiles_of(scope, [match.media for match in doubtful])
            maybe = [
                _shown(tile, share, guest, percent)
                for tile, percent in zip(shown, chances, strict=True)
            ]
    else:
        tiles = queries.tiles(scope, skip=(page - 1) * PIECE, take=PIECE + 1)
        more = len(tiles) > PIECE
    return {
        "list": which,
        "mine": len(mine),
        "tiles": [_shown(tile, share, guest) for tile in tiles[:PIECE]],
        "maybe": maybe,
        "next_page": page + 1 if more else None,
        "page_before": page - 1 if page > 1 else None,
    }


def alone(
    told: Mapping[str, str], share: Share, guest: Guest | None, media: Media
) -> dict[str, object]:
    """Return what the page of one photo shows: its pictures, and the ones beside it."""
    which = wanted(told)
    scope = scope_of_share(share, Purpose.BROWSE)
    if which == MINE and guest is not None:
        mine = [match.media.uuid for match in search.my_photos(guest) if match.mine]
        before, after = _beside(mine, media.uuid)
    elif share.only_mine:
        before, after = None, None
    else:
        before, after = queries.neighbours(scope, media)
    if media.kind == Media.Kind.VIDEO:
        proxies.ask_for_link(media)
    return {
        "list": which,
        "words": queries.tiles_of(scope, [media])[0].words,
        **_film(media, share, guest),
        "small": picture_url(media.uuid, 320, share=share, guest=guest),
        "large": picture_url(media.uuid, 1600, share=share, guest=guest),
        "keep": original_url(media.uuid, share=share, guest=guest),
        "before": before,
        "after": after,
        "picture_before": before and picture_url(before, 1600, share=share, guest=guest),
        "picture_after": after and picture_url(after, 1600, share=share, guest=guest),
    }


def _film(media: Media, share: Share, guest: Guest | None) -> dict[str, object]:
    """Return how a video is played; a photo is not."""
    if media.kind != Media.Kind.VIDEO:
        return {}
    film = film_url(media, share=share, guest=guest)
    return {"film": film, "copying": proxies.state(media).state == Video.Proxy.WAITING}


def _shown(tile: Tile, share: Share, guest: Guest | None, percent: int | None = None) -> Shown:
    small = picture_url(tile.uuid, 320, share=share, guest=guest)
    middle = picture_url(tile.uuid, 640, share=share, guest=guest)
    return Shown(tile, small, middle, percent)


def _beside(listed: Sequence[UUID], uuid: UUID) -> tuple[UUID | None, UUID | None]:
    if uuid not in listed:
        return None, None
    at = listed.index(uuid)
    return (listed[at - 1] if at else None), (listed[at + 1] if at + 1 < len(listed) else None)


def _page(told: Mapping[str, str]) -> int:
    number = told.get("page", "")
    return int(number) if number.isascii() and number.isdecimal() and 0 < len(number) < 6 else 1
