"""Scope: what the asker may see. No read and no search of media or faces goes without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from django.db.models import Exists, OuterRef, Q, QuerySet

from lookwho.library.models import (
    Album,
    AlbumItem,
    Collection,
    Face,
    Location,
    Media,
    Person,
    User,
)
from lookwho.library.models.accounts import Role


class Purpose(StrEnum):
    """What for; it decides how far the scope reaches."""

    BROWSE = "browse"  # looking at photos
    NAME = "name"  # looking at people and correcting them
    FIND_SELF = "find_self"  # looking for oneself, by one's own selfies


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A part of the library: what may be seen, and what of it was asked for.

    Attributes:
        purpose: what the asker does with it.
        everything: whether all media are open; otherwise those in any of the next two are.
        open_collections: ids of collections whose media are open.
        open_albums: ids of albums whose media are open.
        names: whether the asker may be told who others are.
        collections: only media that lie in one of these; None for no such limit.
        albums: only media in one of these.
        people: only media with a face of each of these (ids of root people).
        since: only media of this day and later.
        until: only media of this day and earlier.
    """

    purpose: Purpose
    everything: bool = False
    open_collections: frozenset[int] = frozenset()
    open_albums: frozenset[int] = frozenset()
    names: bool = False
    collections: frozenset[int] | None = None
    albums: frozenset[int] | None = None
    people: frozenset[int] | None = None
    since: date | None = None
    until: date | None = None

    @property
    def unlimited(self) -> bool:
        """Whether it is the whole library, so that a search need not be told what is allowed."""
        narrowed = (self.collections, self.albums, self.people, self.since, self.until)
        return self.everything and all(limit is None for limit in narrowed)

    def within(
        self,
        *,
        collections: frozenset[int] | None = None,
        albums: frozenset[int] | None = None,
        people: frozenset[int] | None = None,
        since: date | None = None,
        until: date | None = None,
    ) -> Scope:
        """Return the part of this scope that is asked for; it never becomes wider.

        A limit that is set already is kept where the new one is None, and both hold otherwise.
        """
        return replace(
            self,
            collections=_both(self.collections, collections),
            albums=_both(self.albums, albums),
            people=people if self.people is None else self.people | (people or frozenset()),
            since=max(filter(None, (self.since, since)), default=None),
            until=min(filter(None, (self.until, until)), default=None),
        )

    def media(self) -> QuerySet[Media]:
        """Return the media in this scope that lie somewhere."""
        # As a comparison: from the bare column SQLite does not see that it may use the timeline's
        # index, and reads the whole table instead.
        media = Media.objects.filter(present__in=[True])
        if not self.everything:
            media = media.filter(
                _in_collections(self.open_collections) | _in_albums(self.open_albums)
            )
        if self.collections is not None:
            media = media.filter(_in_collections(self.collections))
        if self.albums is not None:
            media = media.filter(_in_albums(self.albums))
        for person in sorted(self.people or ()):
            media = media.filter(Exists(faces_of(person).filter(media=OuterRef("pk"))))
        if self.since:
            media = media.filter(day__gte=self.since)
        if self.until:
            media = media.filter(day__lte=self.until)
        return media

    def faces(self) -> QuerySet[Face]:
        """Return the faces in the media of this scope, without those said to be none."""
        faces = Face.objects.filter(dismissed=False)
        if self.unlimited:
            return faces.filter(media__present=True)
        # Asked face by face, so that a few faces cost no walk through all media.
        return faces.filter(Exists(self.media().filter(pk=OuterRef("media_id"))))

    def all_faces(self) -> QuerySet[Face]:
        """Return the same faces as `faces`; the faster way to count or to order all of them."""
        faces = Face.objects.filter(dismissed=False)
        if self.unlimited:
            # Few are gone: faster than to ask of each whether it is there.
            return faces.exclude(media__in=Media.objects.filter(present__in=[False]).values("pk"))
        return faces.filter(media__in=self.media().values("pk"))


def scope_of(user: User, purpose: Purpose) -> Scope:
    """Return what a user may see for a purpose; somebody who is not signed in sees nothing.

    Owners and curators see everything. Annotators see everything where they name faces. Members
    see visible albums and open collections, and may look for themselves in those and in
    collections where that is allowed.
    """
    if not user.is_authenticated or not user.is_active:
        return Scope(purpose=purpose)
    if user.sees_everything or (user.role == Role.ANNOTATOR and purpose != Purpose.FIND_SELF):
        return Scope(purpose=purpose, everything=True, names=True)
    policies = [Collection.Policy.OPEN]
    if purpose == Purpose.FIND_SELF:
        policies.append(Collection.Policy.OWN)
    elif purpose == Purpose.NAME:
        return Scope(purpose=purpose)
    collections = Collection.objects.filter(policy__in=policies)
    albums = Album.objects.filter(hidden=False, processing=False)
    return Scope(
        purpose=purpose,
        open_collections=frozenset(collections.values_list("pk", flat=True)),
        open_albums=frozenset(albums.values_list("pk", flat=True)),
    )


def family_of(person: int) -> QuerySet[Person]:
    """Return a root person and all who were merged into them."""
    return Person.objects.filter(Q(pk=person) | Q(root=person))


def faces_of(person: int) -> QuerySet[Face]:
    """Return the faces of a root person, confirmed or guessed, merged people's included."""
    # By their ids, so that the database need not look at everybody's faces.
    family = family_of(person)
    theirs = Q(person__in=family) | Q(person=None, guess__in=family)
    return Face.objects.filter(theirs, dismissed=False)


def _in_collections(collections: frozenset[int]) -> Q:
    places = Location.objects.filter(
        media=OuterRef("pk"), collection__in=collections, missing_since=None
    )
    return Q(Exists(places))


def _in_albums(albums: frozenset[int]) -> Q:
    return Q(Exists(AlbumItem.objects.filter(media=OuterRef("pk"), album__in=albums)))


def _both(a: frozenset[int] | None, b: frozenset[int] | None) -> frozenset[int] | None:
    if a is None or b is None:
        return a if b is None else b
    return a & b
