"""Albums: titled sets of media, who makes them, and what becomes of them.

A photo is in an album as in a list: putting it there or taking it out moves no file. Members see
what is in an album unless it is hidden, still being made, or for a team that they are not in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.text import slugify

from lookwho.core.errors import Conflict, Forbidden, Invalid, NotFound
from lookwho.library.models import (
    Album,
    AlbumItem,
    Collection,
    Location,
    Media,
    Share,
    Team,
    User,
)
from lookwho.services import events
from lookwho.services.register import join

TITLE_LENGTH = 200
SLUG_LENGTH = 220
# Media in one statement.
_AT_ONCE = 5000
_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes with an album, and what stays.

    Attributes:
        title: of the album.
        photos: how many photos were in it; they stay where they lie.
        links: how many links to it were open, and lead nowhere once it is gone.
        opened: how many of the photos members will see, and could not while they were in it: those
            of a hidden album that lie in an open collection and are in no other album.
    """

    title: str
    photos: int
    links: int
    opened: int


class Chosen(TypedDict, total=False):
    """What is known of an album, and who sees it.

    Attributes:
        title: what it is called.
        date: the day of the event; None where that is not known.
        slug: what its address ends with.
        event: what it was, in words of its makers: to search by.
        hidden: whether it is kept from members.
        processing: the same, while what was uploaded first is taken in.
        consenting_only: whether only faces of people who agreed to it get a lasting vector.
        teams: whose users alone see it; none for all members.
        cover: the photo by which it is known, one of its own; None lets Lookwho choose.
    """

    title: str
    date: date | None
    slug: str
    event: str
    hidden: bool
    processing: bool
    consenting_only: bool
    teams: Iterable[Team]
    cover: Media | None


def album_titled(title: str, *, by: User | None) -> Album:
    """Return the album of that title; where there is none, it is made.

    Raises:
        Invalid: the title is empty, too long, or has characters that cannot be seen.
    """
    title = checked_title(title)

    def known() -> Album | None:
        return Album.objects.filter(title=title).order_by("pk").first()

    return known() or _made(title, otherwise=known, title=title, created_by=by)


def make(by: User, **chosen: Unpack[Chosen]) -> Album:
    """Make an album, also beside another one of the same title: there is a gala every year.

    Args:
        by: who makes it.
        chosen: what is known of it. It needs a title; its address is like that unless `slug` says
            another.

    Raises:
        Forbidden: only owners and curators make albums.
        Invalid: a value that cannot be.
        Conflict: another album has that address.
    """
    _only_curators(by)
    title = checked_title(chosen.get("title", ""))
    with transaction.atomic():
        album = _made(title, title=title, created_by=by)
        return change(by, album, **chosen)


def change(by: User, album: Album, **chosen: Unpack[Chosen]) -> Album:
    """Change what is known of an album, and who sees it.

    Args:
        by: who changes it.
        album: which.
        chosen: what is to be another; what is left out stays.

    Raises:
        Forbidden: only owners and curators change albums.
        NotFound: the album is gone, or the cover is none of its photos.
        Invalid: a value that cannot be.
        Conflict: another album has that address.
    """
    _only_curators(by)
    values = {name: _CHECKS[name](value) for name, value in chosen.items() if name in _CHECKS}
    try:
        with transaction.atomic():
            row = _locked(album)
            before = row.consenting_only
            cover = chosen.get("cover")
            if cover and not AlbumItem.objects.filter(album=row, media=cover).exists():
                raise NotFound("this photo is not in the album: add it before it is the cover")
            if "cover" in chosen:
                values["cover"] = cover
            for name, value in values.items():
                setattr(row, name, value)
            row.save(update_fields=list(values))
            if "teams" in chosen:
                row.teams.set(list(chosen["teams"]))
            if row.consenting_only != before:
                events.album_changed(row)
    except IntegrityError as error:
        told = values.get("slug")
        raise Conflict(f"another album has the address {told!r}: choose another one") from error
    return row


def add(by: User, album: Album, media: Iterable[Media]) -> int:
    """Put photos into an album; return how many of them were not in it.

    Raises:
        Forbidden: only owners and curators do that.
        NotFound: the album is gone.
    """
    _only_curators(by)
    wanted = {each.pk for each in media}
    with transaction.atomic():
        row = _locked(album)
        before = _count(row, wanted)
        join(row.pk, sorted(wanted))
        joined = _count(row, wanted) - before
        if joined and row.consenting_only:
            events.album_changed(row)
    return joined


def take_out(by: User, album: Album, media: Iterable[Media]) -> int:
    """Take photos out of an album; return how many of them were in it.

    Raises:
        Forbidden: only owners and curators do that.
        NotFound: the album is gone.
    """
    _only_curators(by)
    wanted = {each.pk for each in media}
    with transaction.atomic():
        row = _locked(album)
        before = _count(row, wanted)
        for some in _pieces(wanted):
            AlbumItem.objects.filter(album=row, media__in=some).delete()
        if row.cover is not None and row.cover.pk in wanted:
            row.cover = None
            row.save(update_fields=["cover"])
    return before


def set_processing(album: Album, processing: bool) -> None:
    """Keep an album from members while what was uploaded first is taken in, or show it to them.

    For jobs, which nobody asks.
    """
    Album.objects.filter(pk=album.pk).update(processing=processing)


def removal(album: Album) -> Removal:
    """Return what goes, and what stays, if an album is removed now."""
    open_links = Q(revoked_at=None, expires_at__gt=timezone.now())
    return Removal(
        title=album.title,
        photos=AlbumItem.objects.filter(album=album).count(),
        links=Share.objects.filter(open_links, album=album).count(),
        opened=_kept_by(album).count(),
    )


def _kept_by(album: Album) -> QuerySet[Media]:
    """Return the media that only this album keeps from some of the members."""
    if not (album.hidden or album.processing or album.teams.exists()):
        return Media.objects.none()
    lie = Location.objects.filter(
        media=OuterRef("pk"), missing_since=None, collection__policy=Collection.Policy.OPEN
    )
    elsewhere = AlbumItem.objects.filter(media=OuterRef("pk")).exclude(album=album)
    return Media.objects.filter(Exists(lie), ~Exists(elsewhere), present=True, albums=album)


def remove(by: User, album: Album) -> Removal:
    """Remove an album with the links to it. Its photos stay where they lie, with all faces.

    Raises:
        Forbidden: only owners and curators do that.
        NotFound: the album is gone already.
    """
    _only_curators(by)
    with transaction.atomic():
        row = _locked(album)
        gone = removal(row)
        row.delete()
    return gone


def checked_title(title: str) -> str:
    """Return a title as it is kept.

    Raises:
        Invalid: it is empty, too long, or has characters that cannot be seen.
    """
    title = unicodedata.normalize("NFC", title).strip()
    if not title:
        raise Invalid("a title is needed")
    return _visible(title, "title")


def _made(
    stem: str, *, otherwise: Callable[[], Album | None] | None = None, **fields: Any
) -> Album:
    """Make an album with an address of its own, or return what somebody made meanwhile."""
    stem = slugify(stem)[:TITLE_LENGTH].strip("-_") or "album"
    number = 1
    while True:
        slug = stem if number == 1 else f"{stem}-{number}"
        if not Album.objects.filter(slug=slug).exists():
            try:
                with transaction.atomic():
                    return Album.objects.create(slug=slug, **fields)
            except IntegrityError:  # somebody made one just now: perhaps the same
                if otherwise and (album := otherwise()):
                    return album
                continue
        number += 1


def _only_curators(by: User) -> None:
    if not by.sees_everything:
        raise Forbidden("only owners and curators look after albums")


def _locked(album: Album) -> Album:
    """Return an album as it is now, and stays until the transaction ends.

    Raises:
        NotFound: it is gone.
    """
    row = Album.objects.select_for_update().filter(pk=album.pk).first()
    if row is None:
        raise NotFound("this album was removed by somebody else")
    return row


def _count(album: Album, media: Iterable[int]) -> int:
    items = AlbumItem.objects.filter(album=album)
    return sum(items.filter(media__in=some).count() for some in _pieces(media))


def _pieces(media: Iterable[int]) -> Iterable[list[int]]:
    ids = sorted(media)
    return (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE))


# --- what values can be ---


def _visible(text: str, what: str) -> str:
    if len(text) > TITLE_LENGTH:
        raise Invalid(f"the {what} has {len(text)} characters, and at most {TITLE_LENGTH} fit")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise Invalid(f"the {what} {text!r} has characters that cannot be seen")
    return text


def _event(event: str) -> str:
    return _visible(unicodedata.normalize("NFC", event).strip(), "event")


def _slug(slug: str) -> str:
    slug = slug.strip().lower()
    if len(slug) > SLUG_LENGTH or not _SLUG.fullmatch(slug):
        raise Invalid(
            f"{slug[:80]!r} cannot end an address: use letters from a to z, digits and hyphens "
            f"between them, {SLUG_LENGTH} at most"
        )
    return slug


def _day(day: date | None) -> date | None:
    if day is not None and not 1800 <= day.year <= 2200:
        raise Invalid(f"{day.isoformat()} is no day of an album: years go from 1800 to 2200")
    return day


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "title": checked_title,
    "date": _day,
    "slug": _slug,
    "event": _event,
    "hidden": bool,
    "processing": bool,
    "consenting_only": bool,
}
