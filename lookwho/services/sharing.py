"""Sharing: links that show an album, a person or a collection to whoever follows them.

A link's token is derived and not drawn (`services.derived`), so that it can be shown again and
printed as a QR code weeks after it was made; only its sha256 is stored. What a link shows is asked
of `scope_of_share` each time, so that one which is revoked, too old or of a hidden album shows
nothing from that moment on.

Who looks for themselves by a link is a guest: `services.guests`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.utils import timezone

from lookwho.core.errors import Forbidden, Invalid, LinkExpired, NotFound
from lookwho.library.models import Album, Collection, Person, Share, User
from lookwho.library.scope import Purpose, scope_of_share
from lookwho.services import derived, guests, tries
from lookwho.services.guests import (
    begin_guest,
    find_guest,
    forget_guest,
    greet,
    guest_link,
    guest_of,
    keep_guest,
    purge_guests,
    sweep_guests,
)

__all__ = [
    "begin_guest",
    "change",
    "find_guest",
    "find_link",
    "forget_guest",
    "greet",
    "guest_link",
    "guest_of",
    "is_open",
    "keep_guest",
    "note_use",
    "open_link",
    "purge_guests",
    "revoke",
    "seal",
    "share",
    "sweep_guests",
    "token_of",
]

LASTS = timedelta(days=30)
LONGEST = timedelta(days=730)
# The longer side of a photo that may be downloaded; 0 is as large as it is, None is not at all.
DOWNLOAD_SIDES = (None, 1600, 3000, 0)
UNCHANGED = -1
PASSWORD_LENGTH = 128
# Who does not know the password: so many tries of one address, and of all together, in so long.
TRIES, ALL_TRIES, TRIED_WITHIN = 10, 200, 15 * 60
# That a link was used is written down once in so long: looking must not mean writing.
USED_EVERY = timedelta(minutes=1)
_SALT = "lookwho.services.sharing.link"


def share(
    by: User,
    *,
    album: Album | None = None,
    person: Person | None = None,
    collection: Collection | None = None,
    lasts: timedelta = LASTS,
    password: str = "",
    only_mine: bool = False,
    download_side: int | None = None,
    now: datetime | None = None,
) -> tuple[Share, str]:
    """Make a link, and return it with its token.

    Args:
        by: who makes it: an owner or a curator.
        album: what it opens: this, or one of the next two.
        person: the photos of this person.
        collection: all photos of this collection, but for those in hidden albums.
        lasts: for how long.
        password: what is asked for before anything is shown; blank for none.
        only_mine: whether visitors see nothing but the photos that they are in themselves.
        download_side: the longer side of photos that may be downloaded, in pixels: one of
            `DOWNLOAD_SIDES`.
        now: when.

    Raises:
        Forbidden: they are neither owner nor curator.
        Invalid: it opens nothing or more than one thing, or the time, size or password cannot be.
    """
    _check(by)
    opened = [each for each in (album, person, collection) if each is not None]
    if len(opened) != 1:
        raise Invalid("a link opens one thing: an album, a person or a collection")
    if album is not None:
        kind = Share.Kind.ALBUM
    elif person is not None:
        kind = Share.Kind.PERSON
        person = person.root or person
    else:
        kind = Share.Kind.COLLECTION
    now = now or timezone.now()
    made = Share(
        uuid=uuid4(),
        kind=kind,
        album=album,
        person=person,
        collection=collection,
        only_mine=only_mine,
        download_side=_checked_side(download_side),
        password=_hashed(password),
        created_by=by,
        expires_at=now + _checked_time(lasts),
    )
    token = derived.token(_SALT, made.uuid)
    made.token_hash = derived.hashed(token)
    made.save()
    return made, token


def token_of(share: Share) -> str:
    """Return the token of a link, to be shown again.

    Raises:
        LinkExpired: it was made under another secret key, so that nobody knows it any more.
    """
    token = derived.token(_SALT, share.uuid)
    if not derived.matches(share.token_hash, token):
        raise LinkExpired(
            "this link was made under another secret key, and its address is not known any more: "
            "revoke it and make a new one"
        )
    return token


def change(
    by: User,
    uuid: UUID,
    *,
    until: datetime | None = None,
    password: str | None = None,
    download_side: int | None = UNCHANGED,
    now: datetime | None = None,
) -> Share:
    """Change until when a link works, its password, or what may be downloaded.

    What it opens, and whether to all or to each their own, stays: who has the address printed or
    passed on relies on that. For anything else there is another link.

    Args:
        by: an owner or a curator.
        uuid: of the link.
        until: until when it works; None to leave that.
        password: a new one, or blank for none; None to leave it. With another password, whoever
            came in by the old one has to know the new one.
        download_side: one of `DOWNLOAD_SIDES`; `UNCHANGED` to leave it.
        now: when.

    Raises:
        Forbidden: they are neither owner nor curator.
        NotFound: there is no such link.
        LinkExpired: it is revoked.
        Invalid: the time, the size or the password cannot be.
    """
    _check(by)
    now = now or timezone.now()
    with transaction.atomic():
        row = _found(uuid, lock=True)
        if row.revoked_at is not None:
            raise LinkExpired("this link is revoked: make a new one")
        if until is not None:
            row.expires_at = now + _checked_time(until - now)
            guests.shorten(row)
        if password is not None:
            row.password = _hashed(password)
        if download_side != UNCHANGED:
            row.download_side = _checked_side(download_side)
        row.save(update_fields=["expires_at", "password", "download_side"])
    return row


def revoke(by: User, uuid: UUID, *, now: datetime | None = None) -> Share:
    """Let a link be followed no more, from now on; what its guests left is removed.

    Raises:
        Forbidden: they are neither owner nor curator.
        NotFound: there is no such link.
        StorageReadOnly: a guest's picture cannot be removed; the link works no more all the same.
    """
    _check(by)
    row = _found(uuid)
    Share.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=now or timezone.now())
    row.refresh_from_db()
    guests.forget_all(row)
    return row


def find_link(token: str, *, now: datetime | None = None) -> Share:
    """Return the link of a token, while it works. Its password is not asked here.

    Raises:
        LinkExpired: it is too old, revoked or of an album that is hidden, or there never was such
            a link: which of these is not told.
    """
    now = now or timezone.now()
    links = Share.objects.exclude(kind=Share.Kind.INVITATION)
    found = links.filter(token_hash=derived.hashed(token))
    row = found.select_related("album", "person", "collection").first()
    if row is None or not (derived.matches(row.token_hash, token) and is_open(row, now=now)):
        raise LinkExpired(
            "this link opens nothing: it is too old, was withdrawn, or is not complete. "
            "Ask whoever gave it to you for a new one"
        )
    return row


def is_open(share: Share, *, now: datetime | None = None) -> bool:
    """Return whether a link shows anything to anybody at the moment."""
    scope = scope_of_share(share, Purpose.FIND_SELF, now=now)
    return bool(scope.everything or scope.open_albums or scope.open_collections)


def open_link(
    token: str, password: str = "", *, address: str = "", now: datetime | None = None
) -> Share:
    """Return the link of a token for somebody who may follow it, and note that it was used.

    Args:
        token: of the link.
        password: what they typed, where it asks for one.
        address: from where, so that one who guesses does not shut out all others.
        now: when.

    Raises:
        LinkExpired: as for `find_link`.
        Forbidden: it has a password, and this is another.
        TooMany: it was tried too often.
    """
    row = find_link(token, now=now)
    if row.password:
        tries.count("link", row.uuid, address, most=TRIES, seconds=TRIED_WITHIN)
        tries.count("link", row.uuid, most=ALL_TRIES, seconds=TRIED_WITHIN)
        if not check_password(password[: PASSWORD_LENGTH + 1], row.password):
            raise Forbidden("this is not the password: ask whoever gave you the link")
        tries.forget("link", row.uuid, address)
    note_use(row, now=now)
    return row


def note_use(share: Share, *, now: datetime | None = None) -> None:
    """Write down that a link was used, unless that was done a moment ago."""
    now = now or timezone.now()
    if share.used_at is None or now - share.used_at > USED_EVERY:
        Share.objects.filter(pk=share.pk).update(used_at=now)
        share.used_at = now


def seal(share: Share) -> str:
    """Return what proves that somebody knew the password: another one, and it proves nothing."""
    return derived.proof(f"{_SALT}.password", f"{share.uuid} {share.password}".encode()).hex()


def _found(uuid: UUID, *, lock: bool = False) -> Share:
    links = Share.objects.exclude(kind=Share.Kind.INVITATION)
    row = (links.select_for_update() if lock else links).filter(uuid=uuid).first()
    if row is None:
        raise NotFound("there is no such link")
    return row


def _check(by: User) -> None:
    if not (by.is_authenticated and by.sees_everything):
        raise Forbidden("only owners and curators make links")


def _checked_time(lasts: timedelta) -> timedelta:
    if not timedelta(0) < lasts <= LONGEST:
        raise Invalid(f"a link works up to {LONGEST.days} days from now")
    return lasts


def _checked_side(side: int | None) -> int | None:
    if side not in DOWNLOAD_SIDES:
        raise Invalid("photos are downloaded with a longer side of 1600 or 3000, or as they are")
    return side


def _hashed(password: str) -> str:
    if len(password) > PASSWORD_LENGTH:
        raise Invalid(f"a password has at most {PASSWORD_LENGTH} characters")
    return make_password(password) if password else ""
