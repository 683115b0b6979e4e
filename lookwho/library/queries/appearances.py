"""Appearances: who is in a video and when, and in which videos somebody is.

One face stands for one person of a video, and its tracks say when they are seen. Two faces of one
video may turn out to be one person: then they are told as one, by the better face. However many
there are, each function asks the database as often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from lookwho.core.cast import united
from lookwho.core.spans import Span, common, length, shots
from lookwho.core.types import FloatArray
from lookwho.library.models import Face, Media, Person, Track, Video
from lookwho.library.queries.photos import MOST, NEWEST_FIRST
from lookwho.library.scope import Scope, faces_of
from lookwho.library.vectors.listing import listed

# Whoever is seen in a shot for less is there by the rounding of a cut, in seconds.
LEAST = 0.1

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Appearance:
    """From when to when somebody is seen, in seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """For how long."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class TrackRow:
    """A face followed through a stretch of a video; see `models.Track`."""

    id: int
    face_id: int
    start: float
    end: float
    time: float
    box: Box
    quality: float


@dataclass(frozen=True, slots=True)
class CastRow:
    """Somebody in a video.

    Attributes:
        face: the best picture of them.
        faces: all of theirs in this video, the best first; mostly that one.
        person: the root of whom a human said it is.
        guess: the root of whom Lookwho thinks it is, where that one has a name.
        group: the root of those it was put together with, whom nobody has named.
        probability: of that guess; None where there is none.
        appearances: when they are seen, in order of time.
        tracks: what these were put together from, in order of time.
    """

    face: Face
    faces: tuple[Face, ...]
    person: Person | None
    guess: Person | None
    group: Person | None
    probability: float | None
    appearances: tuple[Appearance, ...]
    tracks: tuple[TrackRow, ...]

    @property
    def who(self) -> Person | None:
        """The root person, named or not; None for a face that is like no other."""
        return self.person or self.guess or self.group

    @property
    def name(self) -> str:
        """What they are called; blank where nobody said."""
        return self.who.name if self.who else ""

    @property
    def confirmed(self) -> bool:
        """Whether a human said who it is."""
        return self.person is not None

    @property
    def percent(self) -> int | None:
        """How sure a guess is; None where there is none."""
        return None if self.probability is None else min(99, int(100 * self.probability))

    @property
    def seconds(self) -> float:
        """For how long they are seen in all."""
        return sum(each.seconds for each in self.appearances)


@dataclass(frozen=True, slots=True)
class InVideo:
    """A video that somebody is in.

    Attributes:
        media: the video.
        face: the uuid of the best picture of them in it.
        time: of that picture, in seconds.
        probability: that it is them, 0 to 1; None where a human said so.
        appearances: when they are seen, in order of time.
    """

    media: Media
    face: UUID
    time: float
    probability: float | None
    appearances: tuple[Appearance, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """A shot that shows several people.

    Attributes:
        media: the video.
        shot: from when to when it lasts.
        start: when the first of them is seen in it.
        end: when the last of them is not seen any more.
        overlaps: when all of them are seen at the same time; none where they follow each other.
    """

    media: Media
    shot: Span
    start: float
    end: float
    overlaps: tuple[Appearance, ...]


def people_of(
    scope: Scope,
    media: Media,
    *,
    named: frozenset[int] = frozenset(),
    own: int | None = None,
) -> list[CastRow]:
    """Return the people of a video, those who are seen longest first.

    Where names may not be told, only those whom a human confirmed as somebody who agreed to be
    named, and the asker; of others not even that they are there.

    Args:
        scope: what the asker may see.
        media: the video.
        named: root people who agreed that members see their names.
        own: the id of the face that is the asker's (`services.search.own_face`).
    """
    faces = Face.objects.filter(media=media, dismissed=False).exclude(source=Face.Source.ABSENT)
    if not scope.names:
        who = Coalesce("person__root", "person")
        faces = faces.annotate(who=who).filter(Q(who__in=named) | Q(pk=own))
    rows = list(faces.select_related("person__root", "guess__root").order_by("-quality", "pk"))
    tracks = _tracks_of([row.pk for row in rows])
    grouped: dict[object, list[Face]] = {}
    for row in rows:
        who = _root(row.person) or (_root(row.guess) if scope.names else None)
        grouped.setdefault(who.pk if who else row.uuid, []).append(row)
    found = [_cast(some, tracks) for some in grouped.values()]
    if not scope.names:  # whom Lookwho takes the asker for, it does not say
        found = [
            each if each.person and each.person.pk in named else _nameless(each) for each in found
        ]
    return sorted(found, key=lambda each: (-each.seconds, each.face.pk))


def paths_of(rows: Iterable[CastRow]) -> dict[int, FloatArray]:
    """Return where the faces of these people are, by the id of each track.

    Returns:
        (n, 5) float32 each: the time, and the box as fractions of the upright picture.
    """
    tracks = [track.id for row in rows for track in row.tracks]
    paths = Track.objects.filter(pk__in=listed(tracks)).values_list("pk", "path")
    return {pk: np.frombuffer(bytes(path), "<f4").reshape(-1, 5) for pk, path in paths}


def videos_of(scope: Scope, person: Person, *, skip: int = 0, take: int = MOST) -> list[InVideo]:
    """Return the videos that a root person is in, the newest first."""
    if not scope.names:
        return []
    theirs = faces_of(person.pk).exclude(source=Face.Source.ABSENT)
    media = scope.media().filter(kind=Media.Kind.VIDEO, pk__in=theirs.values("media"))
    some = {row.pk: row for row in media.order_by(*NEWEST_FIRST)[skip : skip + min(take, MOST)]}
    faces = theirs.filter(media__in=listed(some))
    return _in_videos(faces, some).get(person.pk, [])


def people_in_videos(scope: Scope) -> QuerySet[Person]:
    """Return the root people who are in any video, in no order; nobody who is hidden."""
    if not scope.names:
        return Person.objects.none()
    who = _in_scope(scope, Face.objects.all()).annotate(
        root=Coalesce("person__root", "person", "guess__root", "guess")
    )
    return Person.objects.filter(pk__in=who.values("root"), root=None, hidden=False)


def videos_of_people(scope: Scope, people: Iterable[Person]) -> dict[int, list[InVideo]]:
    """Return the videos of each of several root people, by their ids, the newest first."""
    asked = [person.pk for person in people]
    if not (scope.names and asked):
        return {}
    ids = listed(asked)
    family = Person.objects.filter(Q(pk__in=ids) | Q(root__in=ids)).values("pk")
    theirs = Face.objects.filter(Q(person__in=family) | Q(person=None, guess__in=family))
    faces = _in_scope(scope, theirs)
    media = Media.objects.filter(pk__in=faces.values("media"))
    return _in_videos(faces, {row.pk: row for row in media.order_by(*NEWEST_FIRST)})


def with_all(scope: Scope, people: Collection[Person]) -> QuerySet[Media]:
    """Return the videos that each of several root people is in, in no order."""
    if not (scope.names and people):
        return Media.objects.none()
    media = scope.media().filter(kind=Media.Kind.VIDEO)
    for person in people:
        media = media.filter(pk__in=faces_of(person.pk).values("media"))
    return media


def together(
    scope: Scope, people: Collection[Person], *, skip: int = 0, take: int = MOST
) -> list[Moment]:
    """Return the shots in which each of several root people is seen, the newest videos first.

    At most `take` of the videos that all of them are in are looked at, behind the first `skip`.
    """
    chosen = with_all(scope, people).order_by(*NEWEST_FIRST)[skip : skip + min(take, MOST)]
    return moments_in(list(chosen), people)


def moments_in(media: Sequence[Media], people: Collection[Person]) -> list[Moment]:
    """Return the shots of some videos (`with_all`) in which each of several root people is seen."""
    videos = {row.pk: row for row in media}
    read = {row.media_id: row for row in Video.objects.filter(media__in=listed(videos))}
    who = _whose([person.pk for person in people])
    seen: defaultdict[int, defaultdict[int, list[Span]]] = defaultdict(lambda: defaultdict(list))
    theirs = Track.objects.filter(media__in=listed(videos), face__dismissed=False)
    theirs = theirs.annotate(who=Coalesce("face__person", "face__guess"))
    for pk, whose, start, end in theirs.values_list("media", "who", "start", "end"):
        if whose in who:
            seen[pk][who[whose]].append((start, end))
    return [
        moment
        for pk, row in videos.items()
        if len(seen[pk]) == len(set(who.values()))
        for moment in _moments(row, read.get(pk), list(seen[pk].values()))
    ]


def cuts_of(video: Video | None) -> list[float]:
    """Return when shots begin but for the first, in seconds; none where nobody has looked yet."""
    return [] if video is None else np.frombuffer(bytes(video.cuts), "<f4").tolist()


def shots_of(video: Video | None, duration: float) -> list[Span]:
    """Return from when to when each shot of a video lasts; all of it where no cut is known."""
    return shots(cuts_of(video), duration)


# --- parts ---


def _in_scope(scope: Scope, faces: QuerySet[Face]) -> QuerySet[Face]:
    """Return those of some faces that are seen in videos of a scope."""
    faces = faces.filter(dismissed=False, media__kind=Media.Kind.VIDEO)
    faces = faces.exclude(source=Face.Source.ABSENT)
    if scope.unlimited:
        return faces.filter(media__present=True)
    return faces.filter(media__in=scope.media().values("pk"))


def _nameless(row: CastRow) -> CastRow:
    return replace(row, person=None, guess=None, group=None, probability=None)


def _cast(faces: Sequence[Face], tracks: Mapping[int, Sequence[TrackRow]]) -> CastRow:
    """Return what several faces of one person make."""
    person = next((root for face in faces if (root := _root(face.person))), None)
    guess = None if person else next((root for face in faces if (root := _root(face.guess))), None)
    named = guess if guess and guess.name else None
    sure = [face.probability for face in faces if face.probability is not None]
    theirs = sorted(
        (track for face in faces for track in tracks.get(face.pk, ())),
        key=lambda track: (track.start, track.end, track.id),
    )
    return CastRow(
        face=faces[0],
        faces=tuple(faces),
        person=person,
        guess=named,
        group=None if person or named else guess,
        probability=max(sure, default=None) if named else None,
        appearances=_appearances((track.start, track.end) for track in theirs),
        tracks=tuple(theirs),
    )


def _tracks_of(faces: Collection[int]) -> dict[int, list[TrackRow]]:
    """Return the tracks of faces, by the id of each."""
    found: defaultdict[int, list[TrackRow]] = defaultdict(list)
    told = ("pk", "face", "start", "end", "time", "x1", "y1", "x2", "y2", "quality")
    rows = Track.objects.filter(face__in=listed(faces)).order_by("start", "pk")
    for pk, face, start, end, time, x1, y1, x2, y2, quality in rows.values_list(*told):
        found[face].append(TrackRow(pk, face, start, end, time, (x1, y1, x2, y2), quality))
    return found


def _in_videos(faces: QuerySet[Face], media: Mapping[int, Media]) -> dict[int, list[InVideo]]:
    """Return the videos of each root person, in the order of `media`."""
    told = ("pk", "uuid", "media", "time", "person", "probability")
    who = Coalesce("person__root", "person", "guess__root", "guess")
    rows = list(faces.annotate(who=who).order_by("-quality", "pk").values_list(*told, "who"))
    spans: defaultdict[int, list[Span]] = defaultdict(list)
    tracks = Track.objects.filter(face__in=listed([row[0] for row in rows]))
    for face, start, end in tracks.values_list("face", "start", "end"):
        spans[face].append((start, end))
    grouped: dict[tuple[int, int], list[tuple[int, UUID, float, float | None]]] = {}
    for pk, uuid, medium, time, person, probability, root in rows:
        sure = None if person else probability or 0.0
        grouped.setdefault((root, medium), []).append((pk, uuid, time or 0.0, sure))
    found: defaultdict[int, list[InVideo]] = defaultdict(list)
    order = {pk: place for place, pk in enumerate(media)}
    there = [key for key in grouped if key[1] in order]
    for root, medium in sorted(there, key=lambda key: order[key[1]]):
        theirs = grouped[root, medium]
        sure = [each[3] for each in theirs if each[3] is not None]
        found[root].append(
            InVideo(
                media=media[medium],
                face=theirs[0][1],
                time=theirs[0][2],
                probability=max(sure) if len(sure) == len(theirs) else None,
                appearances=_appearances(span for each in theirs for span in spans[each[0]]),
            )
        )
    return found


def _whose(people: Collection[int]) -> dict[int, int]:
    """Return for root people, and for all who were merged into them, who the root is."""
    ids = listed(people)
    family = Person.objects.filter(Q(pk__in=ids) | Q(root__in=ids))
    return {pk: root or pk for pk, root in family.values_list("pk", "root")}


def _moments(media: Media, video: Video | None, several: Sequence[Sequence[Span]]) -> list[Moment]:
    """Return the shots of a video in which each of several is seen."""
    longest = max(end for spans in several for _, end in spans)
    found: list[Moment] = []
    for shot in shots_of(video, max(media.duration or 0.0, longest)):
        # Tracks as they are: united over a gap they would reach into a shot without them.
        inside = [
            [span for span in common([shot], spans) if length([span]) >= LEAST] for spans in several
        ]
        if all(inside):
            overlaps = common(*(united(spans) for spans in inside))
            found.append(
                Moment(
                    media=media,
                    shot=shot,
                    start=min(spans[0][0] for spans in inside),
                    end=max(spans[-1][1] for spans in inside),
                    overlaps=tuple(Appearance(*span) for span in overlaps),
                )
            )
    return found


def _appearances(spans: Iterable[Span]) -> tuple[Appearance, ...]:
    return tuple(Appearance(start, end) for start, end in united(list(spans)))


def _root(person: Person | None) -> Person | None:
    return (person.root or person) if person else None
