"""Videos: what there is, how far each is, who was seen in it, and what waits before it.

Only who sees everything is told of the queue: its length says something about the videos of others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from lookwho.library.models import Analysis, Face, Location, Media, Person, Video
from lookwho.library.queries import photos, video_work
from lookwho.library.queries.photos import EVERYTHING, Wanted
from lookwho.library.queries.video_states import (
    SETTLED,
    Open,
    Part,
    State,
    all_open,
    places,
    segments_by_video,
    standing,
)
from lookwho.library.scope import Scope
from lookwho.library.vectors.listing import listed


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody in a video whose name may be told; blank where nobody has named them."""

    name: str
    face: UUID


@dataclass(frozen=True, slots=True)
class VideoRow:
    """A video in a list.

    Attributes:
        media: its row.
        video: what its file says; None before it was read.
        title: the name of the file; blank for whoever does not see everything.
        state: how far it is.
        code: of what went wrong.
        error: why it failed, or why nobody was found.
        people: those seen in it, the longest first; of a group its face and no name.
        place: which it is in the queue, 1 for the next one; None where it does not wait.
        rate: how many seconds of video are looked at in one second, lately; None where it is over.
        seconds_left: until it is done; None where nobody knows.
        segments: while it is not done, for whoever sees everything.
        share: how much of it was looked at, 0 to 1.
    """

    media: Media
    video: Video | None
    title: str
    state: State
    code: str = ""
    error: str = ""
    people: tuple[Seen, ...] = ()
    place: int | None = None
    rate: float | None = None
    seconds_left: float | None = None
    segments: tuple[Part, ...] = ()
    share: float = 0.0

    @property
    def uuid(self) -> UUID:
        """Of the medium."""
        return self.media.uuid

    @property
    def taken_at(self) -> datetime:
        """What the camera's clock said, as if it were UTC."""
        return self.media.taken_at

    @property
    def duration(self) -> float:
        """In seconds; 0 where it is not known yet."""
        return self.media.duration or 0.0

    @property
    def reached(self) -> float:
        """How many seconds of it were looked at."""
        return self.share * self.duration

    @property
    def warning(self) -> str:
        """Which stretches could not be read; blank where all could."""
        return self.video.warning if self.video else ""

    @property
    def names(self) -> tuple[str, ...]:
        """Of those in it who have one, the longest seen first."""
        return tuple(seen.name for seen in self.people if seen.name)

    @property
    def people_count(self) -> int:
        """How many are seen in it; while it is looked at, at least so many."""
        followed = max((part.people for part in self.segments), default=0)
        return max(len(self.people), followed)

    @property
    def plays(self) -> bool:
        """Whether browsers play the file as it is."""
        return self.video is not None and self.video.plays

    @property
    def running(self) -> bool:
        """Whether anything is still to be done."""
        return self.state not in SETTLED

    @property
    def words(self) -> str:
        """What to call it where it has no title to show: its day and time."""
        return self.title or f"{self.taken_at.day} {self.taken_at:%B %Y, %H:%M}"

    @property
    def length(self) -> str:
        """How long it is, in hours, minutes and seconds.

        >>> VideoRow(Media(duration=3725.4), None, "", State.DONE).length
        '1:02:05'
        """
        minutes, seconds = divmod(round(self.duration), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def videos(
    scope: Scope, wanted: Wanted = EVERYTHING, states: Collection[State] = ()
) -> QuerySet[Media]:
    """Return the videos that are asked for, in no order.

    Args:
        scope: what may be seen.
        wanted: who must and must not be in them.
        states: how far they must be; none for any.
    """
    media = photos.photos(scope, wanted).filter(kind=Media.Kind.VIDEO)
    if not states:
        return media
    settled = {State.DONE: Analysis.State.DONE, State.FAILED: Analysis.State.FAILED}
    told = media.annotate(how=_latest("state"))
    found = Q(how__in=[settled[state] for state in states if state in settled])
    if not settled.keys() >= set(states):
        # The others are few, and what they are is told by what is being done with them.
        rest = list(told.exclude(pk__in=told.filter(how__in=list(settled.values())).values("pk")))
        now = standing(rest, all_open())
        found |= Q(pk__in=listed([pk for pk, row in now.items() if row.state in states]))
    return told.filter(found)


def rows_of(
    scope: Scope, media: Iterable[Media], *, named: frozenset[int] = frozenset()
) -> list[VideoRow]:
    """Return these videos as they stand in a list, in their order.

    Args:
        scope: what the asker may see.
        media: which.
        named: root people who agreed that members see their names.
    """
    rows = list(media)
    ids = [row.pk for row in rows]
    open_jobs = all_open()
    now = standing(rows, open_jobs)
    read = {video.media_id: video for video in Video.objects.filter(media__in=listed(ids))}
    titles = _titles(ids) if scope.everything else {}
    seen = _seen(scope, ids, named)
    found = [
        VideoRow(
            media=row,
            video=read.get(row.pk),
            title=titles.get(row.pk, ""),
            state=now[row.pk].state,
            code=now[row.pk].code,
            error=now[row.pk].error,
            people=seen.get(row.pk, ()),
            segments=now[row.pk].segments if scope.everything else (),
            share=now[row.pk].share,
        )
        for row in rows
    ]
    if scope.everything and any(each.running for each in found):
        return _with_times(scope, found, open_jobs)
    return found


def row_of(scope: Scope, media: Media, *, named: frozenset[int] = frozenset()) -> VideoRow:
    """Return one video; the caller has asked whether it may be seen."""
    (found,) = rows_of(scope, [media], named=named)
    return found


def queue(scope: Scope) -> list[VideoRow]:
    """Return the videos that are not done, in the order in which they will be."""
    if not scope.everything:
        return []
    open_jobs = all_open()
    media = scope.media().filter(kind=Media.Kind.VIDEO, pk__in=listed(open_jobs))
    rows = sorted(media, key=lambda row: open_jobs[row.pk].order)
    found = rows_of(scope, rows)
    return sorted(found, key=lambda row: (row.place is not None, row.place or 0))


def segments_of(scope: Scope, media: Media) -> list[Part]:
    """Return the segments of a video under the models in use, in order of time."""
    if not scope.everything:
        return []
    return list(segments_by_video([media.pk]).get(media.pk, ()))


def _with_times(
    scope: Scope, rows: Sequence[VideoRow], open_jobs: Mapping[int, Open]
) -> list[VideoRow]:
    """Return these with their places in the queue, and for how long each will take."""
    rate = video_work.estimate(scope).rate
    queued = places(open_jobs)
    found: list[VideoRow] = []
    for row in rows:
        if row.running:
            place = queued.get(row.media.pk) if row.state == State.WAITING else None
            left = (row.duration - row.reached) / rate if rate and row.duration else None
            row = replace(row, place=place, rate=rate, seconds_left=left)
        found.append(row)
    return found


# --- what they show ---


def _latest(field: str) -> Subquery:
    """Return a field of the analysis of each medium under the models in use, or else the newest."""
    analyses = Analysis.objects.filter(media=OuterRef("pk")).order_by("-pack__active", "-pack")
    return Subquery(analyses.values(field)[:1])


def _titles(media: Collection[int]) -> dict[int, str]:
    """Return the names of the files of media, by their ids: of several the first."""
    there = Location.objects.filter(media__in=listed(media))
    rows = there.order_by(F("missing_since").asc(nulls_last=True), "-pk")
    return {pk: path.rpartition("/")[2] for pk, path in rows.values_list("media", "path")}


def _seen(
    scope: Scope, media: Collection[int], named: frozenset[int]
) -> dict[int, tuple[Seen, ...]]:
    """Return who is seen in videos, by their ids, the longest first: only who may be told."""
    faces = Face.objects.filter(media__in=listed(media), dismissed=False)
    faces = faces.exclude(source=Face.Source.ABSENT)
    root = Coalesce("person__root", "person", "guess__root", "guess")
    if not scope.names:
        root = Coalesce("person__root", "person")
        faces = faces.annotate(root=root).filter(root__in=named)
    else:
        faces = faces.annotate(root=root)
    told = faces.annotate(seconds=Coalesce(Sum(F("tracks__end") - F("tracks__start")), 0.0))
    who: defaultdict[int, dict[int | UUID, tuple[float, UUID]]] = defaultdict(dict)
    rows = told.order_by("-quality", "pk").values_list("media", "root", "uuid", "seconds")
    for medium, whose, face, seconds in rows:
        key = whose or face
        before, best = who[medium].get(key, (0.0, face))
        who[medium][key] = before + seconds, best
    roots = {key for some in who.values() for key in some if isinstance(key, int)}
    people = Person.objects.filter(pk__in=listed(roots)).values_list("pk", "name", "hidden")
    known: dict[int | UUID, tuple[str, bool]] = {pk: (name, away) for pk, name, away in people}
    found: dict[int, tuple[Seen, ...]] = {}
    for medium, some in who.items():
        longest = sorted(some.items(), key=lambda item: -item[1][0])
        shown = [(known.get(key, ("", False)), face) for key, (_, face) in longest]
        found[medium] = tuple(Seen(name, face) for (name, hidden), face in shown if not hidden)
    return found
