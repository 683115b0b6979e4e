"""Photos: what the timeline shows, day by day, and what there is to say about one of them.

The order is always the newest first: by day, by time, and of two taken at once the later arrival.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from lookwho.library.models import (
    Album,
    AlbumItem,
    Analysis,
    Collection,
    Face,
    Location,
    Media,
    Person,
)
from lookwho.library.scope import Scope, faces_of

NEWEST_FIRST = ("-day", "-taken_at", "-pk")
# No more photos at once: what a page asks for in one go.
MOST = 500


class Together(StrEnum):
    """How the people that were asked for must be in a photo."""

    ALL = "all"  # each of them
    ANY = "any"  # at least one
    ONLY = "only"  # each of them, and nobody else


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for, beyond what a scope can be narrowed to.

    Attributes:
        people: ids of root people who are in the photo.
        together: how.
        without: ids of root people who are not.
        faceless: only photos that were looked at and in which no face shows.
    """

    people: frozenset[int] = frozenset()
    together: Together = Together.ALL
    without: frozenset[int] = frozenset()
    faceless: bool = False


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Tile:
    """A photo in a grid.

    Attributes:
        uuid: of the medium.
        kind: photo or video.
        width: upright, in pixels; 0 where it is not known.
        height: the same.
        taken_at: what the camera's clock said, as if it were UTC.
        duration: of a video, in seconds.
        names: of those in it whose name may be told, in alphabetical order.
        at: of a video, when somebody is seen in whose list it stands.
    """

    uuid: UUID
    kind: str
    width: int
    height: int
    taken_at: datetime
    duration: float | None
    names: tuple[str, ...]
    at: float | None = None

    @property
    def day(self) -> date:
        """The day in the timeline."""
        return self.taken_at.date()

    @property
    def words(self) -> str:
        """The photo in words, for those who cannot see it: who, what, and when."""
        day = f"{self.taken_at.day} {self.taken_at:%B %Y, %H:%M}"
        *others, last = self.names or (self.kind.capitalize(),)
        who = f"{', '.join(others)} and {last}" if others else last
        return f"{who}, {day}"

    @property
    def length(self) -> str:
        """How long a video is, in minutes and seconds."""
        minutes, seconds = divmod(round(self.duration or 0), 60)
        return f"{minutes}:{seconds:02}"


@dataclass(frozen=True, slots=True)
class ShownFace:
    """A face on a photo's page.

    Attributes:
        face: its row.
        person: the root of whom a human said it is.
        guess: the root of whom Lookwho thinks it is; a group without a name is no guess.
        percent: how sure that guess is; None where there is none.
    """

    face: Face
    person: Person | None
    guess: Person | None
    percent: int | None

    @property
    def visible(self) -> bool:
        """Whether there is a face to see; otherwise a human said that they are in the photo."""
        return self.face.source != Face.Source.ABSENT


@dataclass(frozen=True, slots=True)
class Choices:
    """What the timeline can be narrowed to: people with a name, albums, and folders."""

    people: QuerySet[Person]
    albums: QuerySet[Album]
    collections: QuerySet[Collection]


def photos(scope: Scope, wanted: Wanted = EVERYTHING) -> QuerySet[Media]:
    """Return the media that are asked for, in no order.

    Names decide what may be asked: a scope without names has no people to ask for.
    """
    media = scope.media()
    people = sorted(wanted.people)
    if (people or wanted.without) and not scope.names:
        return media.none()
    if people and wanted.together == Together.ANY:
        anyone = Q()
        for person in people:
            anyone |= Q(pk__in=faces_of(person).values("media"))
        media = media.filter(anyone)
    else:
        for person in people:
            media = media.filter(pk__in=faces_of(person).values("media"))
    if people and wanted.together == Together.ONLY:
        others = Face.objects.filter(media=OuterRef("pk"), dismissed=False)
        for person in people:
            others = others.exclude(pk__in=faces_of(person).values("pk"))
        media = media.filter(~Exists(others))
    for person in sorted(wanted.without):
        media = media.exclude(pk__in=faces_of(person).values("media"))
    if wanted.faceless:
        faces = Face.objects.filter(dismissed=False).exclude(source=Face.Source.ABSENT)
        media = media.filter(_in_state(Analysis.State.DONE))
        media = media.exclude(pk__in=faces.values("media"))
    return media


def days(scope: Scope, wanted: Wanted = EVERYTHING) -> list[tuple[date, int]]:
    """Return the days that have photos, the newest first, each with how many."""
    rows = photos(scope, wanted).values_list("day").annotate(count=Count("pk"))
    return list(rows.order_by("-day"))


def tiles(
    scope: Scope, wanted: Wanted = EVERYTHING, *, skip: int = 0, take: int = MOST
) -> list[Tile]:
    """Return photos for a grid, the newest first; a stretch of days is a narrowed scope."""
    chosen = photos(scope, wanted).order_by(*NEWEST_FIRST)[skip : skip + min(take, MOST)]
    return tiles_of(scope, chosen)


def tiles_of(scope: Scope, media: Iterable[Media]) -> list[Tile]:
    """Return these media as they stand in a grid, in their order."""
    rows = list(media)
    names = _names(scope, [row.pk for row in rows])
    return [
        Tile(
            uuid=row.uuid,
            kind=row.kind,
            width=row.width,
            height=row.height,
            taken_at=row.taken_at,
            duration=row.duration,
            names=names.get(row.pk, ()),
        )
        for row in rows
    ]


def neighbours(
    scope: Scope, media: Media, wanted: Wanted = EVERYTHING
) -> tuple[UUID | None, UUID | None]:
    """Return the photo before this one in the timeline (newer) and the one after it (older)."""
    chosen = photos(scope, wanted)
    # The day alone would do for the answer; it lets the index begin at the right place.
    later = chosen.filter(day__gte=media.day).filter(_newer_than(media))
    older = chosen.filter(day__lte=media.day).filter(
        Q(taken_at__lt=media.taken_at) | Q(taken_at=media.taken_at, pk__lt=media.pk)
    )
    before = later.order_by("day", "taken_at", "pk").values_list("uuid", flat=True).first()
    after = older.order_by(*NEWEST_FIRST).values_list("uuid", flat=True).first()
    return before, after


def place_in_day(scope: Scope, media: Media, wanted: Wanted = EVERYTHING) -> int:
    """Return how many photos of its day come before this one."""
    return photos(scope, wanted).filter(day=media.day).filter(_newer_than(media)).count()


def choices(scope: Scope) -> Choices:
    """Return what the timeline can be narrowed to: people only where names may be told."""
    albums = Album.objects.order_by("-date", "title")
    collections = Collection.objects.order_by("title")
    if not scope.everything:
        albums = albums.filter(pk__in=scope.open_albums)
        collections = collections.filter(pk__in=scope.open_collections)
    people = Person.objects.filter(root=None, hidden=False).exclude(name="").order_by("name")
    return Choices(people if scope.names else people.none(), albums, collections)


def faces_in(scope: Scope, media: Media, *, named: frozenset[int] = frozenset()) -> list[ShownFace]:
    """Return the faces of a photo, from left to right, and at last those who do not show.

    Where names may not be told, only those that a human confirmed as somebody who agreed to be
    named; of others not even that they are there.

    Args:
        scope: what the asker may see.
        media: the photo.
        named: root people who agreed that members see their names.
    """
    faces = Face.objects.filter(media=media, dismissed=False).order_by("x1", "pk")
    if not scope.names:
        if not named:
            return []
        who = Coalesce("person__root", "person")
        faces = faces.annotate(who=who).filter(who__in=named)
        faces = faces.exclude(source=Face.Source.ABSENT)
    shown: list[ShownFace] = []
    for face in faces.select_related("person__root", "guess__root"):
        person = _root(face.person)
        guess = None if person else _root(face.guess)
        if guess and not guess.name:
            guess = None
        sure = None if guess is None or face.probability is None else face.probability
        shown.append(
            ShownFace(face, person, guess, None if sure is None else min(99, int(100 * sure)))
        )
    return sorted(shown, key=lambda each: not each.visible)


def albums_of(scope: Scope, media: Media) -> list[Album]:
    """Return the albums that a photo is in, as far as the asker may see them."""
    items = AlbumItem.objects.filter(media=media).select_related("album").order_by("album__title")
    if not scope.everything:
        items = items.filter(album__in=scope.open_albums)
    return [item.album for item in items]


def places_of(scope: Scope, media: Media) -> list[Location]:
    """Return where a photo lies; only those who see everything are told."""
    if not scope.everything:
        return []
    places = Location.objects.filter(media=media, missing_since=None)
    return list(places.select_related("collection").order_by("collection__title", "path"))


def analysis_of(media: Media) -> Analysis | None:
    """Return what became of a photo under the models in use; None before it was planned."""
    latest = Analysis.objects.filter(media=media).order_by("-pack__active", "-pack")
    return latest.first()


def unseen(scope: Scope) -> int:
    """Return how many photos wait to be searched for faces, so that people may still be missing."""
    return photos(scope).filter(_in_state(Analysis.State.WAITING)).count()


def _in_state(state: str) -> Q:
    # As a set, and not asked photo by photo: SQLite would go through all analyses in that state
    # for each.
    return Q(pk__in=Analysis.objects.filter(state=state).values("media"))


def _newer_than(media: Media) -> Q:
    return Q(taken_at__gt=media.taken_at) | Q(taken_at=media.taken_at, pk__gt=media.pk)


def _root(person: Person | None) -> Person | None:
    return (person.root or person) if person else None


def _names(scope: Scope, media: list[int]) -> dict[int, tuple[str, ...]]:
    """Return for each medium the names of those in it, in one query."""
    if not (scope.names and media):
        return {}
    rows = (
        Face.objects.filter(media__in=media, dismissed=False)
        .annotate(
            who=Coalesce(
                F("person__root__name"),
                F("person__name"),
                F("guess__root__name"),
                F("guess__name"),
            ),
            away=Coalesce(
                F("person__root__hidden"),
                F("person__hidden"),
                F("guess__root__hidden"),
                F("guess__hidden"),
            ),
        )
        .values_list("media", "who", "away")
    )
    found: defaultdict[int, set[str]] = defaultdict(set)
    for pk, name, hidden in rows:
        if name and not hidden:
            found[pk].add(name)
    return {pk: tuple(sorted(names)) for pk, names in found.items()}
