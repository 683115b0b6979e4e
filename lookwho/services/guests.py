"""Guests: who follows a link and looks for themselves, without an account.

A guest is searched and forgotten: their selfie is no file any more once it was looked at, and its
vector goes an hour later or when they say so. One who leaves an address is kept until the day they
were told, never longer than the link, to be sent a mail when photos of them appear.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from lookwho.core.errors import Invalid, LinkExpired, LookwhoError, TooMany
from lookwho.library.models import Guest, Reference, Request, Share
from lookwho.services import derived, mail, selfies

FORGOTTEN_AFTER = timedelta(hours=1)
KEPT = timedelta(days=30)
# More guests of one link at once are no event any more.
MOST = 5000
_SALT = "lookwho.services.guests"


def begin_guest(
    share: Share,
    *,
    email: str = "",
    keep_until: datetime | None = None,
    now: datetime | None = None,
) -> tuple[Guest, str]:
    """Let somebody look for themselves by a link; return them, and the token they are known by.

    Args:
        share: the link that they follow.
        email: where to write when photos of them appear; blank to be forgotten soon.
        keep_until: until when they are kept, with an address; None for `KEPT` from now. Never
            longer than the link works.
        now: when.

    Raises:
        Invalid: the address or the time cannot be.
        TooMany: the link has as many guests as it may have.
    """
    now = now or timezone.now()
    email, until = _kept(share, email, keep_until, now)
    guest = Guest(share=share, uuid=uuid4(), email=email, keep_until=until)
    token = derived.token(_SALT, guest.uuid)
    guest.token_hash = derived.hashed(token)
    with transaction.atomic():
        if Guest.objects.filter(share=share, keep_until__gt=now).count() >= MOST:
            raise TooMany("too many people look for themselves by this link: try again in an hour")
        guest.save()
    return guest, token


def keep_guest(
    guest: Guest, email: str, *, keep_until: datetime | None = None, now: datetime | None = None
) -> Guest:
    """Keep somebody who has looked for themselves, to be told of new photos; as `begin_guest` does.

    Raises:
        Invalid: the address or the time cannot be.
        LinkExpired: they were forgotten meanwhile.
    """
    now = now or timezone.now()
    if not email.strip():
        raise Invalid("an e-mail address is needed, to write to")
    address, until = _kept(guest.share, email, keep_until, now)
    kept = Guest.objects.filter(pk=guest.pk, keep_until__gt=now)
    if not kept.update(email=address, keep_until=until):
        raise LinkExpired("your selfie was forgotten meanwhile: take another one")
    guest.refresh_from_db()
    return guest


def greet(guest: Guest, here: str = "") -> bool:
    """Write to somebody who left an address: what is kept, until when, and how to end that.

    It may be another one's address: they learn of it, and can have all removed.
    """
    what = _(
        "Your selfie is kept until %(day)s, to find photos of you in “%(title)s”. You get a mail "
        "when some appear. Then all goes: the selfie, what was computed from it, and this address."
    ) % {"day": date_format(timezone.localtime(guest.keep_until)), "title": title_of(guest.share)}
    how = _("Your photos, and a button that removes all at once:")
    text = f"{what}\n\n{how}\n{guest_link(guest, here)}\n"
    return mail.send(guest.email, _("Photos of you"), text)


def title_of(share: Share) -> str:
    """Return what a link opens, in words."""
    opened = share.album or share.collection or share.person
    return str(getattr(opened, "title", "") or getattr(opened, "name", ""))


def guest_of(share: Share, token: str, *, now: datetime | None = None) -> Guest | None:
    """Return the guest of a link who has this token, as long as they are kept."""
    guest = _known(token, now)
    return guest if guest is not None and guest.share_id == share.pk else None


def find_guest(token: str, *, now: datetime | None = None) -> Guest:
    """Return the guest who was mailed this token.

    Raises:
        LinkExpired: there is none, or no more.
    """
    guest = _known(token, now)
    if guest is None:
        raise LinkExpired("nothing is kept about you here: it was forgotten as you were told")
    return guest


def guest_token(guest: Guest) -> str:
    """Return the token that a guest is known by, to be told again."""
    return derived.token(_SALT, guest.uuid)


def guest_link(guest: Guest, here: str = "") -> str:
    """Return the address, for a mail, by which a guest comes back, or has all forgotten."""
    return mail.absolute(reverse("guest-again", args=[guest_token(guest)]), here)


def forget_guest(guest: Guest) -> None:
    """Remove all that is kept of a guest, because they say so.

    What they asked to have removed is still asked for, by nobody in particular.

    Raises:
        StorageReadOnly: their picture cannot be removed; then nothing was.
    """
    with transaction.atomic():
        Request.objects.filter(guest=guest).update(email="")
        _remove(guest)


def forget_all(share: Share) -> int:
    """Remove all guests of a link that ended; return how many.

    Raises:
        StorageReadOnly: a picture cannot be removed.
    """
    return _remove_all(Guest.objects.filter(share=share))


def shorten(share: Share) -> None:
    """Keep no guest of a link longer than it works now, in the caller's transaction."""
    longer = Guest.objects.filter(share=share, keep_until__gt=share.expires_at)
    longer.update(keep_until=share.expires_at)


def purge_guests(*, now: datetime | None = None, dry_run: bool = False) -> int:
    """Remove the guests whose time is over, and those of revoked links; return how many.

    Args:
        now: the time.
        dry_run: only count them.

    Raises:
        StorageReadOnly: a picture cannot be removed.
    """
    now = now or timezone.now()
    over = Guest.objects.filter(keep_until__lte=now) | Guest.objects.exclude(share__revoked_at=None)
    return over.count() if dry_run else _remove_all(over)


def sweep_guests() -> int:
    """Do that now and then, so that an hour is no day: see `workers.kinds`."""
    return purge_guests()


def _kept(
    share: Share, email: str, keep_until: datetime | None, now: datetime
) -> tuple[str, datetime]:
    """Return an address as it is kept, and until when its guest is."""
    email = email.strip()
    if not email:
        return "", min(now + FORGOTTEN_AFTER, share.expires_at)
    try:
        validate_email(email)
    except ValidationError:
        raise Invalid(f"{email!r} is no e-mail address") from None
    until = keep_until or now + KEPT
    if until <= now:
        raise Invalid("the day until which you are kept has passed: choose a later one")
    return email, min(until, share.expires_at)


def _known(token: str, now: datetime | None) -> Guest | None:
    kept = Guest.objects.filter(
        token_hash=derived.hashed(token), keep_until__gt=now or timezone.now()
    )
    guest = kept.select_related("share").first()
    return guest if guest is not None and derived.matches(guest.token_hash, token) else None


def _remove_all(guests: QuerySet[Guest]) -> int:
    """Remove guests, all that can be; return how many.

    Raises:
        StorageReadOnly: the pictures of some cannot be removed; all others are.
    """
    failed: LookwhoError | None = None
    gone = 0
    for guest in guests.order_by("pk"):
        try:
            with transaction.atomic():
                _remove(guest)
            gone += 1
        except LookwhoError as error:
            failed = error
    if failed:
        raise failed
    return gone


def _remove(guest: Guest) -> None:
    for reference in Reference.objects.select_for_update().filter(guest=guest):
        selfies.erase(reference)
    guest.delete()
