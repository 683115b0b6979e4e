"""Mine: the photos that somebody is in, as their page shows them: by event, and what is new.

Which photos these are is for `services.search` to say. However many they are, each function asks
the database as often.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db.models import Exists, OuterRef

from lookwho.library.models import Album, AlbumItem, Analysis, Media
from lookwho.library.queries import photos
from lookwho.library.queries.photos import Tile, tiles_of
from lookwho.library.scope import Scope
from lookwho.library.vectors.listing import listed


@dataclass(frozen=True, slots=True)
class Section:
    """An event, or a day: which photos of it are somebody's.

    Attributes:
        key: tells it in an address: the album's slug, or the day.
        title: of the album; blank for a day.
        slug: of the album; blank for a day.
        day: of the event, or the day itself.
        media: ids, in the order in which they were given.
    """

    key: str
    title: str
    slug: str
    day: date
    media: tuple[int, ...]

    @property
    def year(self) -> int:
        """Under which it stands."""
        return self.day.year

    def only(self, media: Collection[int]) -> Section | None:
        """Return the same with some of its photos; None where none is left."""
        kept = tuple(pk for pk in self.media if pk in media)
        return replace(self, media=kept) if kept else None


def sections(scope: Scope, media: Sequence[tuple[int, date]]) -> list[Section]:
    """Put photos into the events that they are from, the newest first.

    A photo stands once: in the latest of the albums that it is in and that the asker may see, or
    under its day where it is in none.

    Args:
        scope: what may be seen.
        media: id and day of each photo, the newest first.
    """
    inside: dict[int, list[int]] = {}
    # Asked by the photos alone: of two lists SQLite would try each pair.
    items = AlbumItem.objects.filter(media__in=listed([pk for pk, _ in media]))
    for pk, album in items.values_list("media", "album"):
        if _open(scope, album):
            inside.setdefault(pk, []).append(album)
    asked = {album for some in inside.values() for album in some}
    albums = {
        pk: (title, slug, day)
        for pk, title, slug, day in Album.objects.filter(pk__in=listed(asked)).values_list(
            "pk", "title", "slug", "date"
        )
    }
    of_album: dict[int, list[tuple[int, date]]] = {}
    of_day: dict[date, list[int]] = {}
    for pk, day in media:
        known = [album for album in inside.get(pk, ()) if album in albums]
        if known:
            latest = max(known, key=lambda album: (albums[album][2] or date.min, -album))
            of_album.setdefault(latest, []).append((pk, day))
        else:
            of_day.setdefault(day, []).append(pk)
    found = [Section(day.isoformat(), "", "", day, tuple(some)) for day, some in of_day.items()]
    for album, some in of_album.items():
        title, slug, day = albums[album]
        day = day or max(each for _, each in some)
        found.append(Section(f"album-{slug}", title, slug, day, tuple(pk for pk, _ in some)))
    return sorted(found, key=lambda section: (section.day, bool(section.slug), section.key))[::-1]


def arrived(scope: Scope, media: Sequence[int], since: datetime) -> set[int]:
    """Return which of these photos came since a moment: stored, looked at, or put into an album.

    Of a photo that is looked at by a new model as well, the first time counts; and of one that is
    in several albums, the first of those that the asker may see.
    """
    ids = listed(media)
    found = set(Media.objects.filter(pk__in=ids, created_at__gt=since).values_list("pk", flat=True))
    seen = Analysis.objects.filter(state=Analysis.State.DONE)
    # Few were looked at lately: by that first, and only then whether they had been before.
    lately = seen.filter(finished_at__gt=since, media__in=ids)
    before = seen.filter(finished_at__lte=since, media=OuterRef("media"))
    found |= set(lately.filter(~Exists(before)).values_list("media", flat=True))
    if not scope.everything:
        items = AlbumItem.objects.filter(media__in=ids)
        placed = items.filter(added_at__gt=since).values_list("media", "album")
        fresh = {pk for pk, album in placed if _open(scope, album)}
        earlier = items.filter(media__in=listed(fresh), added_at__lte=since)
        known = {pk for pk, album in earlier.values_list("media", "album") if _open(scope, album)}
        found |= fresh - known
    return found


def tiles(scope: Scope, media: Iterable[int]) -> list[tuple[int, Tile]]:
    """Return photos as they stand in a grid, each with its id; those that are gone are left out."""
    ids = list(media)
    rows: Mapping[int, Media] = {
        row.pk: row for row in Media.objects.filter(pk__in=listed(ids), present=True)
    }
    kept = [pk for pk in ids if pk in rows]
    return list(zip(kept, tiles_of(scope, [rows[pk] for pk in kept]), strict=True))


def unseen(scope: Scope) -> int:
    """Return how many photos wait to be searched for faces, so that some may be missing here."""
    # Mostly nothing waits, and that is told without looking at what may be seen.
    if not Analysis.objects.filter(state=Analysis.State.WAITING).exists():
        return 0
    return photos.unseen(scope)


def _open(scope: Scope, album: int) -> bool:
    return scope.everything or album in scope.open_albums
