"""People: who is in the library, in how many photos, and with which face they are shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from django.db.models import Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, ExtractYear

from lookwho.core.errors import NotFound
from lookwho.library.models import Face, Media, Person
from lookwho.library.scope import Scope, faces_of

# Groups in no more photos than this are folded away: mostly strangers in the background.
FEW = 2
# A guess below this is worth asking about.
SURE = 0.95
# So many names are offered while one is typed.
OFFERED = 8


class Part(StrEnum):
    """Where on the People page somebody stands."""

    NAMED = "named"
    GROUPS = "groups"  # to be named
    FEW = "few"  # to be named, but in few photos
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Portrait:
    """Somebody as they are shown in a list.

    Attributes:
        id: of the row of the root person.
        uuid: of the root person.
        name: blank for a group that nobody has named.
        photos: how many they are in, by confirmation or by guess.
        cover: the uuid of the face to show; None where there is none.
        hidden: whether lists leave them out.
    """

    id: int
    uuid: UUID
    name: str
    photos: int
    cover: UUID | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Census:
    """Everybody, in parts, each part in the order in which it is shown."""

    named: list[Portrait] = field(default_factory=list)
    groups: list[Portrait] = field(default_factory=list)
    few: list[Portrait] = field(default_factory=list)
    hidden: list[Portrait] = field(default_factory=list)

    def part(self, part: Part) -> list[Portrait]:
        """Return one part; its portraits have no covers yet (see `with_covers`)."""
        return getattr(self, part.value)


@dataclass(frozen=True, slots=True)
class ShownFace:
    """One face of a person.

    Attributes:
        uuid: of the face.
        media: the uuid of the photo that it is in.
        day: of the photo.
        probability: that it is this person, 0 to 1; None where a human said so.
        time: of a video, when the face is there, in seconds.
    """

    uuid: UUID
    media: UUID
    day: date
    probability: float | None
    time: float | None = None

    @property
    def percent(self) -> int | None:
        """How sure Lookwho is; never 100, since nobody has said so."""
        return None if self.probability is None else min(99, int(100 * self.probability))


def census(scope: Scope) -> Census:
    """Return everybody in a scope; nobody where names may not be told."""
    found = Census()
    if not scope.names:
        return found
    people = list(Person.objects.values_list("pk", "root", "uuid", "name", "hidden"))
    photos = _photos(scope, {pk: root for pk, root, *_ in people})
    for pk, root, uuid, name, hidden in people:
        count = photos.get(pk, 0)
        if root is not None or not (count or name):
            continue
        portrait = Portrait(pk, uuid, name, count, hidden=hidden)
        if hidden:
            found.hidden.append(portrait)
        elif name:
            found.named.append(portrait)
        else:
            (found.groups if count > FEW else found.few).append(portrait)
    for part in (found.named, found.groups, found.few, found.hidden):
        part.sort(key=lambda each: (-each.photos, each.name.casefold(), each.id))
    return found


def matching(portraits: Sequence[Portrait], text: str) -> list[Portrait]:
    """Return those whose name holds each word that was typed, the better fits first.

    Case and accents make no difference.

    >>> people = [Portrait(id, UUID(int=id), name, 1) for id, name in enumerate(["Ann", "Zoë A."])]
    >>> [person.name for person in matching(people, "zoe")]
    ['Zoë A.']
    """
    words = _plain(text).split()
    found = [
        (_fit(words, _plain(each.name)), place, each)
        for place, each in enumerate(portraits)
        if all(word in _plain(each.name) for word in words)
    ]
    return [each for _, _, each in sorted(found, key=lambda row: row[:2])]


def with_covers(portraits: Sequence[Portrait]) -> list[Portrait]:
    """Return these portraits with the face to show of each: the one chosen, or else the best."""
    theirs = Face.objects.filter(dismissed=False, media__present=True).order_by("-quality")
    theirs = theirs.exclude(source=Face.Source.ABSENT)
    confirmed = theirs.filter(person=OuterRef("pk"))
    guessed = theirs.filter(person=None, guess=OuterRef("pk"))
    # Of somebody merged into them, where they have no face of their own.
    merged = theirs.filter(
        Q(person__root=OuterRef("pk")) | Q(person=None, guess__root=OuterRef("pk"))
    )
    people = Person.objects.filter(pk__in=[each.id for each in portraits])
    covers = dict(
        people.annotate(
            face=Coalesce(
                F("cover__uuid"),
                *(Subquery(faces.values("uuid")[:1]) for faces in (confirmed, guessed, merged)),
            )
        ).values_list("pk", "face")
    )
    return [
        Portrait(each.id, each.uuid, each.name, each.photos, covers.get(each.id), each.hidden)
        for each in portraits
    ]


def suggestions(scope: Scope, text: str) -> list[Portrait]:
    """Return a few people whose name may be the one that is being typed, without counts."""
    if not (scope.names and text.strip()):
        return []
    named = Person.objects.filter(root=None, hidden=False).exclude(name="").order_by("name", "pk")
    rows = named.values_list("pk", "uuid", "name")
    portraits = [Portrait(pk, uuid, name, 0) for pk, uuid, name in rows]
    return with_covers(matching(portraits, text)[:OFFERED])


def person(scope: Scope, uuid: UUID) -> Person:
    """Return a person, or whom they were merged into.

    Raises:
        NotFound: there is none, or the asker may not be told who people are.
    """
    found = Person.objects.filter(uuid=uuid).select_related("root", "cover").first()
    if found is None or not scope.names:
        raise NotFound("there is no such person any more, or they are not for you to see")
    return found.root or found


def named(scope: Scope, name: str) -> Person | None:
    """Return whoever has exactly this name, but for case."""
    if not (scope.names and name):
        return None
    people = Person.objects.filter(root=None).exclude(name="").order_by("hidden", "pk")
    # Databases differ in what they take for the same letter; Python is the same everywhere.
    alike = [
        pk for pk, told in people.values_list("pk", "name") if told.casefold() == name.casefold()
    ]
    return people.filter(pk=alike[0]).first() if alike else None


def group_of(scope: Scope, face: UUID) -> Person | None:
    """Return whom a face is now thought to be: the groups change while photos come in."""
    if not scope.names:
        return None
    row = Face.objects.filter(uuid=face, dismissed=False)
    found = row.select_related("person__root", "guess__root").first()
    who = found and (found.person or found.guess)
    return who and (who.root or who)


def years(scope: Scope, person: Person) -> list[tuple[int, int]]:
    """Return the years in which there are photos of a person, newest first, each with how many."""
    media = media_of(scope, person).annotate(year=ExtractYear("day"))
    counted = media.values("year").annotate(photos=Count("pk")).order_by("-year")
    return list(counted.values_list("year", "photos"))


def media_of(scope: Scope, person: Person) -> QuerySet[Media]:
    """Return the photos that a person is in, in no order."""
    if not scope.names:
        return Media.objects.none()
    return scope.media().filter(pk__in=faces_of(person.pk).values("media"))


def faces_of_person(
    scope: Scope,
    person: Person,
    *,
    confirmed: bool | None = None,
    skip: int = 0,
    take: int = 120,
) -> list[ShownFace]:
    """Return the faces of a person that show, those of the newest photos first.

    Args:
        scope: where.
        person: whose.
        confirmed: only those that somebody confirmed, or only those that are guessed; None for all.
        skip: so many of the first are left out.
        take: no more than so many.
    """
    faces = _seen(scope, person).order_by("-media__taken_at", "-media", "-pk")
    if confirmed is not None:
        faces = faces.filter(person__isnull=not confirmed)
    return _shown(faces[skip : skip + take])


def count_faces(scope: Scope, person: Person) -> tuple[int, int]:
    """Return how many faces of a person show that somebody confirmed, and how many are guessed."""
    told = _seen(scope, person).aggregate(all=Count("pk"), confirmed=Count("person"))
    return told["confirmed"], told["all"] - told["confirmed"]


def before_birth(scope: Scope, person: Person, *, take: int = 12) -> list[ShownFace]:
    """Return faces taken for a person in photos that are older than they are."""
    if person.birth_date is None:
        return []
    early = _seen(scope, person).filter(media__day__lt=person.birth_date)
    return _shown(early.order_by("-media__day", "pk")[:take])


def doubts(scope: Scope, person: Person, *, take: int = 12) -> tuple[list[ShownFace], int]:
    """Return guesses to be asked about, the likeliest first, and how many there are."""
    if not person.name:
        return [], 0
    unsure = _seen(scope, person).filter(person=None)
    unsure = unsure.filter(Q(probability=None) | Q(probability__lt=SURE))
    ordered = unsure.order_by(F("probability").desc(nulls_last=True), "-quality", "pk")
    return _shown(ordered[:take]), unsure.count()


def age_span(scope: Scope, person: Person) -> tuple[date, date] | None:
    """Return the days of the first and the last photo of a person."""
    span = media_of(scope, person).aggregate(first=Min("day"), last=Max("day"))
    return (span["first"], span["last"]) if span["first"] else None


def groups_lack_names(scope: Scope) -> bool:
    """Return whether there is a group worth naming; asks less of the database than a census."""
    if not scope.names:
        return False
    unnamed = Face.objects.filter(
        dismissed=False, person=None, guess__name="", guess__root=None, guess__hidden=False
    )
    sizes = unnamed.values("guess").annotate(photos=Count("media"))
    return sizes.filter(photos__gt=FEW).exists()


def _photos(scope: Scope, roots: Mapping[int, int | None]) -> dict[int, int]:
    """Return how many photos each root person is in, by the id of their row.

    Args:
        scope: where.
        roots: for the id of each person the id of their root, if that is another one.
    """
    rows = scope.all_faces().annotate(who=Coalesce("person_id", "guess_id")).order_by()
    found = dict(rows.values_list("who").annotate(photos=Count("media", distinct=True)))
    # A photo may show somebody twice, as whom they were taken for and as themselves. So those are
    # counted once more who were merged: by their roots, which takes longer, but they are few.
    merged = {who: root for who, root in roots.items() if root is not None}
    families = rows.filter(who__in={*merged, *merged.values()})
    root_of = Person.objects.filter(pk=OuterRef("who")).values(end=Coalesce("root_id", "pk"))
    counted = families.annotate(root=Subquery(root_of)).values_list("root")
    return found | dict(counted.annotate(photos=Count("media", distinct=True)))


def _seen(scope: Scope, person: Person) -> QuerySet[Face]:
    if not scope.names:
        return Face.objects.none()
    faces = faces_of(person.pk).exclude(source=Face.Source.ABSENT)
    if scope.unlimited:
        return faces.filter(media__present=True)
    return faces.filter(media__in=scope.media().values("pk"))


def _shown(faces: QuerySet[Face]) -> list[ShownFace]:
    rows = faces.values_list("uuid", "media__uuid", "media__day", "person", "probability", "time")
    return [
        ShownFace(uuid, media, day, None if who else probability or 0.0, time)
        for uuid, media, day, who, probability, time in rows
    ]


def _plain(text: str) -> str:
    """Return a text without case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _fit(words: Sequence[str], name: str) -> int:
    """Return how badly a name fits: 0 where it begins so, 1 where one of its words does, else 2."""
    first = words[0] if words else ""
    if name.startswith(first):
        return 0
    return 1 if any(word.startswith(first) for word in name.split()) else 2
