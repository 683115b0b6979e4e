"""Site import: what another website has, and what it has no more, is so here as well.

Photos are fetched one after the other, each into a temporary file that is read and removed. What is
known already is not fetched, so an import that died goes on where it was, and one that finds
nothing new costs only the lists. What is gone there is missing here; but only a list that came as a
whole says so, and never one that is empty where much was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify

from lookwho.core.errors import (
    FileMissing,
    Forbidden,
    LookwhoError,
    NotFound,
    SiteRefused,
    SiteUnreachable,
)
from lookwho.core.inspect import inspect
from lookwho.library.models import (
    Album,
    AlbumItem,
    Collection,
    Job,
    Like,
    Location,
    Media,
    Membership,
    SiteAccount,
    User,
)
from lookwho.library.queries.sites import notes_of
from lookwho.services import albums, events, memberships
from lookwho.services import site_visits as sites
from lookwho.services.register import Reading, join, keep_present, lock, register
from lookwho.services.site_shapes import RemoteAlbum, RemoteMember, RemotePhoto

Item = TypeVar("Item")

# Photos that are registered together: so few that little is fetched again where a process dies.
_BATCH = 10
_AT_ONCE = 500
# So many photos in a row that cannot be had mean that none can.
_TROUBLE = 5
_NS = 1_000_000_000


@dataclass(slots=True)
class _Run:
    """An import of a site.

    Attributes:
        job: the import.
        collection: the site.
        visit: asks it.
        beat: told how far it is; raises Cancelled.
        met: the paths that the site has now.
        listed: the ids of the albums that could be read.
        hidden: ids of albums that are hidden here since they are there.
        done: how many photos were looked at.
        trouble: how many in a row could not be had.
    """

    job: Job
    collection: Collection
    visit: sites.Visit
    beat: Callable[[int], None]
    hidden: set[str]
    met: set[str] = field(default_factory=set[str])
    listed: set[str] = field(default_factory=set[str])
    covers: dict[int, str] = field(default_factory=dict[int, str])
    done: int = 0
    total: int = 0
    trouble: int = 0


def run_site(job: Job, *, beat: Callable[[int], None]) -> None:
    """Do the work of a SITE job.

    Args:
        job: the job.
        beat: told now and then how many photos were looked at. It raises Cancelled.

    Raises:
        NotFound: the site was removed from the library.
        SiteRefused, SiteUnreachable: it cannot be read; what came before stays.
        Cancelled: by `beat`; likewise.
    """
    collection = Collection.objects.filter(pk=job.payload["collection"]).first()
    if collection is None:
        raise NotFound("the site was removed from the library")
    sites.sweep()
    at = [0]

    def pause(seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            beat(at[0])
            time.sleep(min(left, 0.2))

    with sites.Visit(sites.own_account(collection), pause=pause) as visit:
        hidden = set(map(str, notes_of(collection).get("hidden", ())))
        run = _Run(job, collection, visit, beat, hidden)
        for album in _listed(run):
            _take_album(run, album)
            at[0] = run.done
        _sweep(run)
        _cover(run)
        said = _take_members(run)
    said += _take_likes(collection, pause)
    sites.note(collection, hidden=sorted(run.hidden), said=said)
    Collection.objects.filter(pk=collection.pk).update(scanned_at=timezone.now())


def _listed(run: _Run) -> list[RemoteAlbum]:
    """Return the albums that the account may see.

    Raises:
        SiteUnreachable: there are none, and there were.
    """
    found: dict[str, RemoteAlbum] = {}
    for album in run.visit.adapter.albums(run.visit.client):
        found.setdefault(album.id, album)
        run.beat(0)
    there = [album for album in found.values() if album.open]
    lie = Location.objects.filter(collection=run.collection, missing_since=None)
    if not there and (count := lie.exclude(media=None).count()):
        raise SiteUnreachable(
            f"{run.collection.title} shows no album to this token, and {count} photos were there. "
            "Nothing was changed here; remove the site if that is meant"
        )
    return there


# --- an album ---


def _take_album(run: _Run, album: RemoteAlbum) -> None:
    try:
        photos = list(run.visit.adapter.photos(run.visit.client, album.id))
    except (NotFound, Forbidden):
        return  # it went away, or is not for this account: as if it were not listed
    photos = list({photo.id: photo for photo in photos}.values())
    run.visit.remember(album.id, {photo.id: photo.url for photo in photos})
    row = _album_row(run, album)
    run.listed.add(album.id)
    if album.cover:
        run.covers[row.pk] = sites.path_of(album.id, album.cover)
    run.total += len(photos)
    Job.objects.filter(pk=run.job.pk).update(total=run.total)
    fresh: list[RemotePhoto] = []
    for some in _chunks(photos, _AT_ONCE):
        known = _known(run, row, [sites.path_of(album.id, photo.id) for photo in some])
        run.met |= known
        fresh += [photo for photo in some if sites.path_of(album.id, photo.id) not in known]
        run.done += len(known)
        run.beat(run.done)
    for some in _chunks(fresh, _BATCH):
        readings: list[Reading] = []
        try:
            for photo in some:
                run.beat(run.done + len(readings))
                readings.append(_read(run, album, photo))
        finally:  # whatever came between: what was fetched is not fetched again
            if readings:
                register(readings, collection=run.collection, job=run.job, album=row.pk)
                run.met.update(reading.path for reading in readings)
                run.done += len(readings)
    if fresh and row.consenting_only:
        events.album_changed(row)


def _album_row(run: _Run, told: RemoteAlbum) -> Album:
    """Return the album here that is this one there, as it is there."""
    title = told.title[: albums.TITLE_LENGTH] or told.id
    event = told.event[: albums.TITLE_LENGTH]
    row = Album.objects.filter(source=run.collection, external_id=told.id).first()
    if row is None:
        row = _made(run.collection, told.id, title, hidden=told.hidden)
        run.hidden |= {told.id} if told.hidden else set()
    elif told.hidden and not row.hidden:
        row.hidden = True
        run.hidden.add(told.id)
    elif not told.hidden and told.id in run.hidden:
        # What somebody hid here stays hidden, whatever the site says.
        row.hidden = False
        run.hidden.discard(told.id)
    row.title, row.date, row.event = title, told.date, event or row.event
    row.save(update_fields=["title", "date", "event", "hidden"])
    # At once: an import that dies must not forget whose hiding it was.
    sites.note(run.collection, hidden=sorted(run.hidden))
    return row


def _made(collection: Collection, identity: str, title: str, *, hidden: bool) -> Album:
    stem = slugify(identity)[: albums.TITLE_LENGTH].strip("-_") or slugify(title) or "album"
    number = 1
    while True:
        slug = stem if number == 1 else f"{stem}-{number}"
        number += 1
        if Album.objects.filter(slug=slug).exists():
            continue
        try:
            with transaction.atomic():
                return Album.objects.create(
                    slug=slug,
                    title=title,
                    source=collection,
                    external_id=identity,
                    hidden=hidden,
                )
        except IntegrityError:  # somebody took the address just now
            continue


def _known(run: _Run, album: Album, paths: Sequence[str]) -> set[str]:
    """Return which photos were taken in before; they join the album, and lie there again."""
    rows = Location.objects.filter(collection=run.collection, path__in=paths, error_code="")
    found = list(rows.exclude(media=None).values_list("pk", "path", "media_id", "missing_since"))
    back = {pk: media for pk, _, media, missing in found if missing is not None}
    with transaction.atomic():
        join(album.pk, [media for _, _, media, _ in found])
        if back:
            lock(Q(pk__in=set(back.values())))
            Location.objects.filter(pk__in=list(back)).update(missing_since=None)
            keep_present(media for media in back.values() if media is not None)
    return {path for _, path, _, _ in found}


def _read(run: _Run, album: RemoteAlbum, photo: RemotePhoto) -> Reading:
    """Fetch a photo and return what its file says, or why it cannot be had.

    Raises:
        SiteRefused: the token holds no more.
        SiteUnreachable: nothing can be had any more.
    """
    path = sites.path_of(album.id, photo.id)
    when = _date_of(album, photo)
    with sites.temporary() as file:
        try:
            run.visit.download(path, file)
            run.trouble = 0
            size = Path(file.name).stat().st_size
            return Reading(path, size, when, said=inspect(file.name))
        except SiteRefused:
            raise
        except SiteUnreachable as error:
            run.trouble += 1
            if run.trouble >= _TROUBLE:
                raise
            return Reading(path, 0, when, error=FileMissing(error.message))
        except LookwhoError as error:
            run.trouble = 0
            told = error.message.replace(repr(file.name), f"the photo {photo.id} of {album.id}")
            return Reading(path, 0, when, error=type(error)(told))


def _date_of(album: RemoteAlbum, photo: RemotePhoto) -> int:
    """Return when a photo was taken, for files that do not tell: in nanoseconds, at noon."""
    when = photo.taken_at and photo.taken_at.replace(tzinfo=UTC)
    if when is None:
        day = album.date or timezone.localdate()
        when = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return int(when.timestamp()) * _NS


# --- what is gone ---


def _sweep(run: _Run) -> None:
    """Write down which photos the site has no more, and which of its albums."""
    last = 0
    rows = Location.objects.filter(collection=run.collection, missing_since=None).order_by("pk")
    while some := list(rows.filter(pk__gt=last).values_list("pk", "media_id", "path")[:_AT_ONCE]):
        last = some[-1][0]
        gone = [row for row in some if row[2] not in run.met]
        with transaction.atomic():
            media = {row[1] for row in gone if row[1] is not None}
            lock(Q(pk__in=media))
            pks = [row[0] for row in gone]
            Location.objects.filter(pk__in=pks, media=None).delete()
            Location.objects.filter(pk__in=pks).update(missing_since=timezone.now())
            _leave_albums(run, gone)
            keep_present(media)
        run.beat(run.done)
    shown = Album.objects.filter(source=run.collection, hidden=False)
    away = [each for each in shown if each.external_id not in run.listed]
    run.hidden.update(album.external_id for album in away)
    sites.note(run.collection, hidden=sorted(run.hidden))
    Album.objects.filter(pk__in=[album.pk for album in away]).update(hidden=True)


def _leave_albums(run: _Run, gone: Iterable[tuple[int, int | None, str]]) -> None:
    """Take photos out of the albums that they are in no more there, though they lie elsewhere."""
    for _, media, path in gone:
        if media is None:
            continue
        album = sites.ids_of(path)[0]
        still = Location.objects.filter(
            collection=run.collection,
            media=media,
            missing_since=None,
            path__startswith=sites.path_of(album, ""),
        )
        if album in run.listed and not still.exists():
            AlbumItem.objects.filter(
                album__source=run.collection, album__external_id=album, media=media
            ).delete()


def _cover(run: _Run) -> None:
    """Give albums the covers that they have there, where nobody chose another one here."""
    places = Location.objects.filter(collection=run.collection, path__in=run.covers.values())
    media = dict(places.exclude(media=None).values_list("path", "media_id"))
    for album, path in run.covers.items():
        if path in media:
            Album.objects.filter(pk=album, cover=None).update(cover=media[path])


# --- members and likes ---


def _take_members(run: _Run) -> list[str]:
    """Take over when users were members; return what is to be told about it."""
    try:
        members = list(run.visit.adapter.members(run.visit.client))
    except (NotFound, Forbidden) as error:
        return [f"Members were not read: {error.message}"]
    for member in members:
        run.beat(run.done)
        if member.periods is not None and (user := _user_of(member)):
            try:
                memberships.replace(user, member.periods, source=Membership.Source.SITE)
            except LookwhoError as error:
                return [f"The periods of member {member.id} cannot be: {error.message}"]
    return []


def _user_of(member: RemoteMember) -> User | None:
    """Return the user that a member is, by their id there or else by their e-mail."""
    users = User.objects.filter(is_active=True)
    found = list(users.filter(external_id=member.id)[:2])
    if not found and member.email:
        # Somebody who is known by another id is not meant.
        found = list(users.filter(email__iexact=member.email, external_id="")[:2])
    return found[0] if len(found) == 1 else None


def _take_likes(collection: Collection, pause: Callable[[float], None]) -> list[str]:
    """Take over what users with an account there like; return what is to be told about it."""
    said: list[str] = []
    accounts = SiteAccount.objects.filter(collection=collection).exclude(user=None)
    for account in accounts.select_related("collection", "user"):
        try:
            with sites.Visit(account, pause=pause) as visit:
                liked = set(visit.adapter.liked(visit.client))
        except (NotFound, Forbidden, SiteRefused, SiteUnreachable) as error:
            said.append(f"Likes of {account.user} were not read: {error.message}")
            continue
        media = {
            sites.ids_of(path)[1]: pk
            for path, pk in Location.objects.filter(collection=collection, missing_since=None)
            .exclude(media=None)
            .values_list("path", "media_id")
        }
        there = {media[each] for each in liked if each in media}
        present = Media.objects.filter(pk__in=there).values_list("pk", flat=True)
        Like.objects.bulk_create(
            [Like(user=account.user, media_id=each) for each in sorted(present)],
            ignore_conflicts=True,
        )
    return said


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
