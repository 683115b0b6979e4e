"""Scope: what the asker may see. No read and no search of media or faces goes without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from lookwho.library.models import (
    Album,
    AlbumItem,
    Collection,
    Face,
    Location,
    Media,
    Membership,
    Person,
    Share,
    User,
)
from lookwho.library.models.accounts import Role

# The first and the last day of a stretch of time.
Days = tuple[date, date]
BEFORE_JOINING = timedelta(days=31)


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
        open_collections: ids of collections whose media are open, but for those that are in albums
            that are not.
        open_albums: ids of albums whose media are open.
        open_days: only days in these stretches are open in those collections; None for all days.
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
    open_days: tuple[Days, ...] | None = None
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
        # What is in albums that are open needs no more to be.
        if not self.everything and not (self.albums and self.albums <= self.open_albums):
            # What is in an album that is hidden is not open because its collection is.
            in_collections = _in_collections(self.open_collections) & _in_no_other(self.open_albums)
            if self.open_days is not None:
                in_collections &= _on_days("day", self.open_days)
            media = media.filter(in_collections | _in_albums(self.open_albums))
        if self.collections is not None:
            media = media.filter(_in_collections(self.collections))
        if self.albums is not None:
            # As a set: what is in few albums is few, and read first.
            items = AlbumItem.objects.filter(album__in=self.albums)
            media = media.filter(pk__in=items.values("media"))
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


def scope_of(user: User, purpose: Purpose, *, today: date | None = None) -> Scope:
    """Return what a user may see for a purpose; somebody who is not signed in sees nothing.

    Owners and curators see everything. Annotators see everything where they name faces. Members
    see visible albums and open collections, and may look for themselves in those and in
    collections where that is allowed. Former members see of all that only what is of their time.
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
    days = days_of(user, purpose, today=today)
    collections = Collection.objects.filter(policy__in=policies)
    albums = Album.objects.filter(_for_teams_of(user), hidden=False, processing=False)
    if days is not None:
        albums = albums.filter(_on_days("date", days))
    return Scope(
        purpose=purpose,
        open_collections=frozenset(collections.values_list("pk", flat=True)),
        open_albums=frozenset(albums.values_list("pk", flat=True)),
        open_days=days,
    )


def days_of(user: User, purpose: Purpose, *, today: date | None = None) -> tuple[Days, ...] | None:
    """Return the stretches of days that a former member may see; None for no such limit.

    Whoever is a member today, and whoever was never given a membership, has none. Looking for
    oneself begins a month earlier: who joined in September was in the photos of August.
    """
    today = today or timezone.localdate()
    rows = Membership.objects.filter(user=user).order_by("since").values_list("since", "until")
    stretches = [(since, until or date.max) for since, until in rows]
    if not stretches or any(since <= today <= until for since, until in stretches):
        return None
    before = BEFORE_JOINING if purpose == Purpose.FIND_SELF else timedelta(0)
    return tuple((since - before, until) for since, until in stretches)


def scope_of_share(share: Share, purpose: Purpose, *, now: datetime | None = None) -> Scope:
    """Return what whoever follows a link may see: nothing once it is revoked or has expired.

    A link to an album that is hidden, or still being made, opens nothing; what is in such an album
    alone, or in one for a team, is shown by no link to a collection or a person either. One that is
    for finding oneself alone opens nothing to look at.
    """
    now = now or timezone.now()
    dead = share.revoked_at is not None or share.expires_at <= now
    if dead or purpose == Purpose.NAME or (share.only_mine and purpose != Purpose.FIND_SELF):
        return Scope(purpose=purpose)
    match share.kind:
        case Share.Kind.ALBUM:
            albums = Album.objects.filter(pk=share.album_id, hidden=False, processing=False)
            return Scope(
                purpose=purpose, open_albums=frozenset(albums.values_list("pk", flat=True))
            )
        case Share.Kind.COLLECTION:
            collections = frozenset(filter(None, [share.collection_id]))
            return _but_for_closed_albums(purpose, collections).within(collections=collections)
        case Share.Kind.PERSON:
            person = Person.objects.filter(pk=share.person_id).select_related("root").first()
            root = person and (person.root or person)
            if root and not root.hidden:
                every = frozenset(Collection.objects.values_list("pk", flat=True))
                return _but_for_closed_albums(purpose, every).within(people=frozenset({root.pk}))
        case _:  # an invitation shows nothing
            pass
    return Scope(purpose=purpose)


def _but_for_closed_albums(purpose: Purpose, collections: frozenset[int]) -> Scope:
    """Return collections without what is in albums that are not open to all members."""
    albums = Album.objects.filter(hidden=False, processing=False, teams=None)
    return Scope(
        purpose=purpose,
        open_collections=collections,
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
    # Found by the medium, and not by trying each of a thousand albums: hence the sum, which is in
    # no index.
    items = AlbumItem.objects.filter(media=OuterRef("pk")).annotate(which=F("album_id") + 0)
    return Q(Exists(items.filter(which__in=albums)))


def _on_days(field: str, days: tuple[Days, ...]) -> Q:
    found = Q(pk__in=())
    for since, until in days:
        found |= Q(**{f"{field}__gte": since, f"{field}__lte": until})
    return found


def _for_teams_of(user: User) -> Q:
    """Say of albums that they are for everybody, or for a team that this user is in."""
    closed = Album.teams.through.objects.filter(album=OuterRef("pk"))
    return Q(~Exists(closed)) | Q(Exists(closed.filter(team__users=user)))


def _in_no_other(albums: frozenset[int]) -> Q:
    others = AlbumItem.objects.filter(media=OuterRef("pk")).exclude(album__in=albums)
    return Q(~Exists(others))


def _both(a: frozenset[int] | None, b: frozenset[int] | None) -> frozenset[int] | None:
    if a is None or b is None:
        return a if b is None else b
    return a & b
