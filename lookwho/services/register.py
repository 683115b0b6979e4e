"""Register: what files say becomes media, the places where they lie, and names to offer.

One transaction for a batch of files, with a number of queries that does not grow with it. Whatever
happens to the process, a batch is in the library as a whole or not at all, and registering it
again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, Min, OuterRef, Q

from lookwho.core.errors import FileMissing, LookwhoError
from lookwho.core.inspect import Inspection
from lookwho.library.models import Album, AlbumItem, Collection, Job, Location, Media
from lookwho.services import analysis, events, regions, turning

# The time of a file that must be read again, though it may look as it did.
UNREAD = -1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reading:
    """One file: where it is, what it was when it was looked at, and what it says or why not.

    Attributes:
        path: below the collection's root, as `library.paths` stores it.
        size: in bytes.
        mtime_ns: when it, or what was written beside it, changed.
        said: what the file says; None where it cannot be read.
        error: why it cannot.
    """

    path: str
    size: int
    mtime_ns: int
    said: Inspection | None = None
    error: LookwhoError | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A file that was read, and what it is in the library."""

    location: Location
    media: Media
    said: Inspection
    before: Location | None  # what the library said of this path until now

    @property
    def changed(self) -> bool:
        """Whether it is the medium that lay here before, in a file that was written since."""
        old = self.before
        return (
            old is not None
            and old.media_id == self.media.pk
            and old.mtime_ns != UNREAD
            and (old.size, old.mtime_ns) != (self.location.size, self.location.mtime_ns)
        )


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of a batch: its locations, and the paths that should be read once more.

    Those are copies that are turned in another way than the medium, which follows its oldest file.
    Once that one is known to be gone, it follows them.
    """

    locations: list[int]
    again: list[str]


@transaction.atomic
def register(
    readings: Sequence[Reading], *, collection: Collection, job: Job, album: int | None = None
) -> Registered:
    """Write down what files are, where they lie, what names they carry, and plan their analysis.

    Args:
        readings: the files, each path once.
        collection: what they lie in.
        job: the import; the jobs that analyse are put below it.
        album: the id of an album that they join.
    """
    earlier = Location.objects.filter(
        collection=collection, path__in=[reading.path for reading in readings]
    )
    before = {location.path: location for location in earlier}
    media = _media_of(readings)
    rows = [_location(reading, collection, media, before.get(reading.path)) for reading in readings]
    Location.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["collection", "path"],
        update_fields=["media", "size", "mtime_ns", "missing_since", "error_code", "error"],
    )
    places = [
        Place(row, media[reading.said.payload], reading.said, before.get(row.path))
        for row, reading in zip(rows, readings, strict=True)
        if reading.said is not None
    ]
    turned, again = _follow_orientation(places)
    redated = _follow_dates(places)
    Media.objects.bulk_update(
        {each.pk: each for each in [*turned, *redated]}.values(),
        ["width", "height", "orientation", "taken_at", "day"],
    )
    regions.take(places, {each.pk for each in turned})
    found = list(dict.fromkeys(place.media.pk for place in places))
    olds = [(before[row.path].media_id, row.media_id) for row in rows if row.path in before]
    left = {old for old, new in olds if old is not None and old != new}
    keep_present(left | {place.media.pk for place in places if not place.media.present})
    join(album, found)
    analysis.plan(found, parent=job)
    return Registered([row.pk for row in rows], again)


def join(album: int | None, media: Iterable[int]) -> None:
    """Put media into an album; those that are in it stay."""
    items = [AlbumItem(album_id=album, media_id=pk) for pk in media if album is not None]
    if items:
        AlbumItem.objects.bulk_create(items, ignore_conflicts=True)
        if Album.objects.filter(pk=album, consenting_only=True).exists():
            events.drop([item.media_id for item in items])  # of those that were known before


def keep_present(media: Iterable[int]) -> None:
    """Write down of media whether they lie anywhere and are not hidden.

    In the transaction that moved or hid them.
    """
    if ids := sorted(set(media)):
        lock(Q(pk__in=ids))  # or two that move the same medium would not see each other's move
        lies = Location.objects.filter(media=OuterRef("pk"), missing_since=None)
        Media.objects.filter(pk__in=ids).update(present=Exists(lies) & Q(hidden=False))


def lock(which: Q) -> list[Media]:
    """Return media that nobody else changes until the transaction ends."""
    return list(Media.objects.select_for_update(no_key=True).filter(which).order_by("pk"))


# --- the parts of a batch ---


def _media_of(readings: Iterable[Reading]) -> dict[bytes, Media]:
    """Return the medium of each payload, those that nobody knew made now."""
    firsts: dict[bytes, tuple[Inspection, int]] = {}
    for reading in readings:
        if reading.said is not None:
            firsts.setdefault(reading.said.payload, (reading.said, reading.mtime_ns))
    media = {bytes(each.payload_hash): each for each in lock(Q(payload_hash__in=list(firsts)))}
    fresh = [_medium(said, time) for key, (said, time) in firsts.items() if key not in media]
    Media.objects.bulk_create(
        # In one order for all: two imports that bring the same photos must not wait for each other.
        sorted(fresh, key=lambda medium: medium.payload_hash),
        update_conflicts=True,  # another import was faster: its row is the one
        unique_fields=["payload_hash"],
        update_fields=["width", "height", "orientation"],
    )
    return media | {medium.payload_hash: medium for medium in fresh}


def _medium(said: Inspection, mtime_ns: int) -> Media:
    taken_at = said.taken_at.replace(tzinfo=UTC) if said.taken_at else _time(mtime_ns)
    return Media(
        payload_hash=said.payload,
        kind=Media.Kind.VIDEO if said.video else Media.Kind.PHOTO,
        format=said.format,
        width=said.width,
        height=said.height,
        orientation=said.orientation,
        taken_at=taken_at,
        day=taken_at.date(),
    )


def _time(mtime_ns: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=mtime_ns // 1000)
    except OverflowError:  # some file systems keep any 64 bits
        return _EPOCH


def _location(
    reading: Reading, collection: Collection, media: dict[bytes, Media], before: Location | None
) -> Location:
    row = Location(
        collection=collection,
        path=reading.path,
        size=reading.size,
        mtime_ns=reading.mtime_ns,
    )
    if reading.said is not None:
        row.media = media[reading.said.payload]
    elif isinstance(reading.error, FileMissing) and before is not None:
        # A disk or a permission is at fault: nothing says that it is another photo now.
        row.media_id = before.media_id
    if reading.error is not None:
        row.error_code = reading.error.code
        row.error = reading.error.message
    return row


def _follow_orientation(places: Sequence[Place]) -> tuple[list[Media], list[str]]:
    """Turn media whose oldest file was turned by another program.

    Returns:
        The media that were turned, to be saved, and the paths of copies that differ.
    """
    odd = {p.media.pk for p in places if p.said.orientation != p.media.orientation}
    if not odd:
        return [], []
    lie = Location.objects.filter(media__in=odd, missing_since=None)
    oldest = dict(lie.values_list("media").annotate(first=Min("pk")))
    turned = {
        p.media.pk: p
        for p in places
        if p.said.orientation != p.media.orientation and oldest[p.media.pk] == p.location.pk
    }
    turning.turn([(place.media, place.said.orientation) for place in turned.values()])
    for place in turned.values():
        place.media.orientation = place.said.orientation
        place.media.width, place.media.height = place.said.width, place.said.height
    differ = [p.location for p in places if p.said.orientation != p.media.orientation]
    agree = [p.location.pk for p in places if p.said.orientation == p.media.orientation]
    unread = Q(pk__in=[location.pk for location in differ])
    unread |= Q(media__in=list(turned)) & ~Q(pk__in=agree)
    Location.objects.filter(unread).update(mtime_ns=UNREAD)
    return [place.media for place in turned.values()], [location.path for location in differ]


def _follow_dates(places: Sequence[Place]) -> list[Media]:
    """Date media whose file another program gave another date; return those, to be saved."""
    redated: list[Media] = []
    for place in places:
        taken_at = place.said.taken_at
        if place.changed and taken_at and place.media.taken_at != taken_at.replace(tzinfo=UTC):
            place.media.taken_at = taken_at.replace(tzinfo=UTC)
            place.media.day = taken_at.date()
            redated.append(place.media)
    return redated
