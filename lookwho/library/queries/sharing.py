"""Sharing: which links there are, and what one of them opens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from lookwho.core.errors import NotFound
from lookwho.library.models import Album, Collection, Person, Share, User
from lookwho.library.queries import photos
from lookwho.library.scope import Purpose, scope_of_share


@dataclass(frozen=True, slots=True)
class Opened:
    """What a link opens, as its visitors are told.

    Attributes:
        title: of the album or the collection, or whose photos they are.
        date: of the album; None where there is none.
        photos: how many there are to see; None for a link by which each sees only their own.
    """

    title: str
    date: date | None
    photos: int | None


def links(
    asker: User,
    *,
    album: Album | None = None,
    person: Person | None = None,
    collection: Collection | None = None,
    active: bool = True,
    now: datetime | None = None,
) -> QuerySet[Share]:
    """Return links, invitations aside, with `title`, of what each opens, and `visitors`.

    These are the guests that it has at the moment.

    Args:
        asker: none are told to who may make none.
        album: only those of this album, or of one of the next two.
        person: see there.
        collection: see there.
        active: only those that work still; otherwise only those that do not.
        now: when.
    """
    if not (asker.is_authenticated and asker.sees_everything):
        return Share.objects.none()
    now = now or timezone.now()
    rows = Share.objects.exclude(kind=Share.Kind.INVITATION)
    works = Q(revoked_at=None, expires_at__gt=now)
    rows = rows.filter(works if active else ~works)
    for field, wanted in (("album", album), ("person", person), ("collection", collection)):
        if wanted is not None:
            rows = rows.filter(**{field: wanted})
    visitors = Count("guests", filter=Q(guests__keep_until__gt=now))
    opened = rows.select_related("album", "person", "collection", "created_by")
    title = Coalesce("album__title", "person__name", "collection__title")
    return opened.annotate(visitors=visitors, title=title)


def link(asker: User, uuid: UUID) -> Share:
    """Return a link, as `links` does.

    Raises:
        NotFound: there is none, or it is not for the asker to see.
    """
    either = (links(asker, active=active).filter(uuid=uuid).first() for active in (True, False))
    found = next(filter(None, either), None)
    if found is None:
        raise NotFound("there is no such link, or it is not for you to see")
    return found


def opened(share: Share) -> Opened:
    """Return what a link opens. A person without a name is told as one."""
    if share.album is not None:
        title, day = share.album.title, share.album.date
    elif share.person is not None:
        title, day = share.person.name, None
    else:
        title, day = share.collection.title if share.collection else "", None
    if share.only_mine:
        return Opened(title, day, None)
    return Opened(title, day, photos.photos(scope_of_share(share, Purpose.BROWSE)).count())
