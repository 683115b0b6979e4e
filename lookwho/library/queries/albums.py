"""Albums: which there are for the asker, by academic year, and what each shows of itself."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import (
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)
from django.db.models.functions import Coalesce
from django.utils.dates import MONTHS

from lookwho.core.errors import NotFound
from lookwho.library.models import Album, AlbumItem, Face, Setting, Team
from lookwho.library.scope import Scope

BEGINS = "academic_year_begins"
SEPTEMBER = 9
# Academic years with a tab of their own.
TABS = 5
OLDER, UNDATED = "older", "undated"
# Of an album for which nobody chose a cover, so many photos are looked at for one.
LOOKED_AT = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """An album, in as few words as finding and ordering it takes.

    Attributes:
        id: of the album.
        title: what it is called.
        event: what it was.
        date: its day, or None.
        year: in which its academic year began; None without a date.
    """

    id: int
    title: str
    event: str
    date: date | None
    year: int | None

    @property
    def words(self) -> str:
        """All that it is found by, without case and accents."""
        day = (
            f"{self.date.isoformat()} {self.date.day} {MONTHS[self.date.month]}"
            if self.date
            else ""
        )
        return plain(f"{self.title} {self.event} {day}")


@dataclass(frozen=True, slots=True)
class Tab:
    """A part of the albums by time.

    Attributes:
        value: as an address tells it: the year in which it began, `older` or `undated`.
        first: that year, if it is one.
        count: how many albums it has.
    """

    value: str
    first: int | None
    count: int

    @property
    def called(self) -> str:
        """The academic year, in words; blank for the others, which pages name."""
        return spanned(self.first)


@dataclass(frozen=True, slots=True)
class Shown:
    """An album as a list shows it.

    Attributes:
        album: its row.
        year: in which its academic year began; None without a date.
        photos: how many the asker may see.
        new: how many of those came since a time that was asked for.
        cover: the photo to show, one that the asker may see; None where there is none.
    """

    album: Album
    year: int | None
    photos: int
    new: int
    cover: UUID | None

    @property
    def span(self) -> str:
        """Its academic year, in words; blank without a date."""
        return spanned(self.year)


def open_to(scope: Scope) -> QuerySet[Album]:
    """Return the albums that the asker may see."""
    if scope.everything:
        return Album.objects.all()
    return Album.objects.filter(pk__in=scope.open_albums)


def album(scope: Scope, slug: str) -> Album:
    """Return the album with this address.

    Raises:
        NotFound: there is none, or the asker may not see it.
    """
    # PostgreSQL takes no text with a zero in it.
    found = None if "\0" in slug else open_to(scope).filter(slug=slug).first()
    if found is None:
        raise NotFound("there is no such album, or it is not for you to see")
    return found


def inside(scope: Scope, album: Album) -> Scope:
    """Return the part of a scope that is in an album."""
    return scope.within(albums=frozenset({album.pk}))


def entries(scope: Scope) -> list[Entry]:
    """Return all albums that the asker may see, the newest first, those without a date last."""
    begins = year_begins()
    rows = open_to(scope).order_by(F("date").desc(nulls_last=True), "-pk")
    return [
        Entry(pk, title, event, day, academic_year(day, begins) if day else None)
        for pk, title, event, day in rows.values_list("pk", "title", "event", "date")
    ]


def tabs(albums: Iterable[Entry]) -> list[Tab]:
    """Return the latest academic years that have albums, then what is older, then the undated."""
    counts: dict[int | None, int] = {}
    for each in albums:
        counts[each.year] = counts.get(each.year, 0) + 1
    years = sorted((year for year in counts if year is not None), reverse=True)
    found = [Tab(str(year), year, counts[year]) for year in years[:TABS]]
    if older := sum(counts[year] for year in years[TABS:]):
        found.append(Tab(OLDER, None, older))
    if undated := counts.get(None):
        found.append(Tab(UNDATED, None, undated))
    return found


def chosen(albums: Sequence[Entry], *, words: str = "", tab: str = "") -> list[Entry]:
    """Return the albums in which each of some words is found, of one tab if one is named.

    Words are looked for in title, event and date ("gala 2025", "2025-08", "23 august").
    """
    told = plain(words).split()
    found = [each for each in albums if all(word in each.words for word in told)]
    if not tab:
        return found
    if tab == UNDATED:
        return [each for each in found if each.year is None]
    if tab == OLDER:
        oldest = min((known.first for known in tabs(albums) if known.first), default=0)
        return [each for each in found if each.year is not None and each.year < oldest]
    return [each for each in found if str(each.year) == tab]


def shown(
    scope: Scope, albums: Iterable[Entry | Album], *, since: datetime | None = None
) -> list[Shown]:
    """Return albums as a list shows them, in their order; as many queries for one as for all.

    Args:
        scope: what the asker may see.
        albums: of those that the asker may see.
        since: photos that joined later are new; None for no such time.
    """
    ids = _among(scope, [each.pk if isinstance(each, Album) else each.id for each in albums])
    begins = year_begins()
    rows = Album.objects.prefetch_related("teams").in_bulk(ids)
    items = _items(scope, ids)
    new = Q(added_at__gt=since) if since else Q(pk__in=())
    counts = {
        pk: (photos, fresh)
        for pk, photos, fresh in items.values_list("album")
        .annotate(photos=Count("pk"), fresh=Count("pk", filter=new))
        .order_by()
    }
    pictures = covers(scope, ids)
    return [
        Shown(
            album=row,
            year=academic_year(row.date, begins) if row.date else None,
            photos=counts.get(row.pk, (0, 0))[0],
            new=counts.get(row.pk, (0, 0))[1],
            cover=pictures.get(row.pk),
        )
        for row in (rows[pk] for pk in ids if pk in rows)
    ]


def covers(scope: Scope, albums: Iterable[int]) -> dict[int, UUID]:
    """Return the photo to show for each album: of those that the asker may see, by its uuid.

    The one that somebody chose, as long as it is in the album and to be seen; else the one whose
    faces are the most and the clearest.
    """
    ids = _among(scope, albums)
    items = _items(scope, ids)
    by_hand = items.filter(media=F("album__cover")).values_list("album", "media__uuid")
    found: dict[int, UUID] = dict(by_hand)
    faces = (
        Face.objects.filter(media=OuterRef("media"), dismissed=False)
        .order_by()
        .values("media")
        .annotate(good=Sum("quality"))
        .values("good")
    )
    first = _visible(scope, AlbumItem.objects.filter(album=OuterRef(OuterRef("pk"))))
    best = (
        AlbumItem.objects.filter(pk__in=first.order_by("pk").values("pk")[:LOOKED_AT])
        .annotate(good=Coalesce(Subquery(faces), 0.0))
        # A video has no good face to show, and its first frame is often black.
        .order_by("media__kind", "-good", "media__taken_at", "pk")
    )
    lack = Album.objects.filter(pk__in=[pk for pk in ids if pk not in found])
    by_itself = lack.annotate(best=Subquery(best.values("media__uuid")[:1]))
    found.update((pk, uuid) for pk, uuid in by_itself.values_list("pk", "best") if uuid)
    return found


def in_album(scope: Scope, album: Album, media: Iterable[int]) -> set[int]:
    """Return which of some media are in an album, as far as the asker may see them."""
    items = _items(scope, [album.pk]).filter(media__in=list(media))
    return set(items.values_list("media", flat=True))


def titles(scope: Scope) -> list[str]:
    """Return what albums are called, each title once, in alphabetical order."""
    return list(open_to(scope).order_by("title").values_list("title", flat=True).distinct())


def teams() -> QuerySet[Team]:
    """Return the teams that an album can be for."""
    return Team.objects.order_by("title")


def year_begins() -> int:
    """Return the month with which an academic year begins: an owner's choice."""
    told = Setting.objects.filter(name=BEGINS).values_list("value", flat=True).first()
    return told if isinstance(told, int) and 1 <= told <= 12 else SEPTEMBER


def academic_year(day: date, begins: int = SEPTEMBER) -> int:
    """Return in which year the academic year of a day began.

    >>> academic_year(date(2026, 8, 31)), academic_year(date(2026, 9, 1))
    (2025, 2026)
    """
    return day.year if day.month >= begins else day.year - 1


def spanned(year: int | None) -> str:
    """Name an academic year that began in a year.

    >>> spanned(2026)
    '2026–2027'
    """
    return "" if year is None else f"{year}–{year + 1}"


def plain(text: str) -> str:
    """Return a text without case and accents.

    >>> plain("Été in KÖLN")
    'ete in koln'
    """
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _among(scope: Scope, albums: Iterable[int]) -> list[int]:
    """Return those of some albums that the asker may see: no query, and no list of all of them."""
    return [pk for pk in albums if scope.everything or pk in scope.open_albums]


def _items(scope: Scope, albums: Iterable[int]) -> QuerySet[AlbumItem]:
    """Return what is in some albums, as far as the asker may see both."""
    return _visible(scope, AlbumItem.objects.filter(album__in=_among(scope, albums)))


def _visible(scope: Scope, items: QuerySet[AlbumItem]) -> QuerySet[AlbumItem]:
    """Return those of some items of albums that the asker may see, whose media they may see."""
    narrowed = (scope.collections, scope.albums, scope.people, scope.since, scope.until)
    if all(limit is None for limit in narrowed):
        # An album that is open is so with all that is in it: there is nothing more to ask of each.
        # Not as a comparison: SQLite would begin with the timeline, that is with all media.
        return items.filter(media__present=True)
    return items.filter(Exists(scope.media().filter(pk=OuterRef("media"))))
