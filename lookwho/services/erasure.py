"""Erasure: all about somebody goes, for good, and a receipt says what went.

What is to go is written into the ledger first (`services.ledger`), then done: rows in one
transaction (`services.forgetting`), then pictures made of the photos they were in and copies made
of the videos, then the bytes that the database still holds of what was deleted (`services.scrub`).
Each step can be done again, so an erasure that was cut short goes on (`resume`), and one that a
restored backup has undone is done once more. Photos and videos stay: others are in them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from lookwho.core.errors import Conflict, Forbidden, LookwhoError, NotFound
from lookwho.library.models import (
    Decision,
    Erasure,
    Face,
    Job,
    Media,
    Person,
    Reference,
    SearchLog,
    User,
)
from lookwho.library.models.accounts import Role
from lookwho.services import forgetting, ledger, proxies, receipts, scrub, work
from lookwho.services.ledger import Entry
from lookwho.services.pictures import Pictures

# The job that goes on with an erasure, should the process that began it die.
_NET = timedelta(minutes=2)
_AT_ONCE = 500

State = Erasure.State

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an erasure would take away, to be told before.

    Attributes:
        names: of the person and the account.
        selfies: pictures that they are found by.
        faces: in photos, theirs as somebody said or Lookwho thinks.
        photos: in which these are; the photos stay.
        decisions: about them.
        searches: by them.
        account: whether their account goes.
        elsewhere: faces like theirs that somebody else is taken to be: these stay.
    """

    names: tuple[str, ...]
    selfies: int
    faces: int
    photos: int
    decisions: int
    searches: int
    account: bool
    elsewhere: int = 0


# --- asking for it ---


def outlook(*, user: User | None = None, person: Person | None = None) -> Outlook:
    """Return what erasing a user, a person or both would take away."""
    user, family = _whole(user, person)
    faces = forgetting.faces_of(user, family)
    names = [each.name for each in family if each.name]
    return Outlook(
        names=tuple(dict.fromkeys([*names, *([user.username] if user else [])])),
        selfies=Reference.objects.filter(user=user).count() if user else 0,
        faces=len(faces),
        photos=Face.objects.filter(pk__in=faces).values("media").distinct().count(),
        decisions=Decision.objects.filter(Q(person__in=family) | Q(other__in=family)).count(),
        searches=SearchLog.objects.filter(user=user).count() if user else 0,
        account=user is not None,
        elsewhere=forgetting.faces_elsewhere(user, family),
    )


def erase_account(user: User, *, now: datetime | None = None) -> Erasure:
    """Erase all about a user who asks for it: their account, and whom they are in photos.

    Raises:
        Conflict: they are the last owner.
        StorageReadOnly, StorageFull: it cannot be done; what was not done yet waits.
    """
    return _erase(*_whole(user, None), now)


def erase_person(by: User, person: Person, *, now: datetime | None = None) -> Erasure:
    """Erase all about a person, and the account of who they are, where they have one.

    Raises:
        Forbidden: only an owner does that.
        Conflict: they are the last owner.
        StorageReadOnly, StorageFull: see `erase_account`.
    """
    if not by.is_owner:
        raise Forbidden("only an owner erases somebody")
    return _erase(*_whole(None, person), now)


def erase_user(by: User, user: User, *, now: datetime | None = None) -> Erasure:
    """Erase all about another user, as `erase_account`.

    Raises:
        Forbidden: only an owner does that.
        Conflict: they are the last owner.
        StorageReadOnly, StorageFull: see `erase_account`.
    """
    if not by.is_owner:
        raise Forbidden("only an owner erases somebody")
    return erase_account(user, now=now)


def withdrawn(user: User, purposes: Iterable[str], *, now: datetime | None = None) -> Erasure:
    """Erase what was kept because of a consent that was withdrawn just now; the user stays."""
    entry = Entry(
        uuid=uuid4(),
        at=now or timezone.now(),
        user=user.uuid,
        purposes=tuple(sorted(purposes)),
    )
    return _begin(entry)


def _erase(user: User | None, family: Sequence[Person], now: datetime | None) -> Erasure:
    if user is not None:
        others = User.objects.filter(role=Role.OWNER, is_active=True).exclude(pk=user.pk)
        if user.is_owner and not others.exists():
            raise Conflict(f"{user.username} is the last owner: make somebody else an owner first")
    entry = Entry(
        uuid=uuid4(),
        at=now or timezone.now(),
        user=user.uuid if user else None,
        people=tuple(person.uuid for person in family),
        faces=forgetting.places_of(forgetting.faces_of(user, family)),
    )
    return _begin(entry)


def _whole(user: User | None, person: Person | None) -> tuple[User | None, list[Person]]:
    """Return the user and the person with all who were merged, from either."""
    if person is not None:
        root = Person.objects.filter(pk=person.root_id or person.pk)
    else:
        linked = Person.objects.filter(user=user).first() if user else None
        root = Person.objects.filter(pk=(linked.root_id or linked.pk) if linked else 0)
    family = list(Person.objects.filter(Q(pk__in=root) | Q(root__in=root)).order_by("pk"))
    if user is None:
        user = User.objects.filter(person__in=family).order_by("pk").first()
    return user, family


def _begin(entry: Entry) -> Erasure:
    """Write an erasure down, first in the ledger, and carry it out at once where that is quick."""
    ledger.append(entry)
    quick = scrub.is_quick()
    erasure = _written(entry, later=quick)
    forgetting.forget(erasure, entry)
    try:
        return carry_out(erasure) if quick else _as_it_is(erasure)
    except LookwhoError as error:  # the rows are gone; overwriting them is left to a worker
        _log.warning("erasure %s goes on later: %s", erasure.uuid, error)
        return _as_it_is(erasure)


def _written(entry: Entry, *, later: bool) -> Erasure:
    """Return the row of an erasure, with a job that carries it out."""
    with transaction.atomic():
        erasure, fresh = Erasure.objects.get_or_create(
            uuid=entry.uuid,
            defaults={
                "of_user": entry.user,
                "of_person": entry.people[0] if entry.people else None,
            },
        )
        if fresh:
            Erasure.objects.filter(pk=erasure.pk).update(created_at=entry.at)
            erasure.created_at = entry.at
        work.enqueue(
            Job.Kind.ERASE,
            {"erasure": erasure.pk},
            dedupe_key=f"erase {erasure.pk}",
            run_at=timezone.now() + (_NET if later else timedelta(0)),
        )
    return erasure


def _as_it_is(erasure: Erasure) -> Erasure:
    erasure.refresh_from_db()
    return erasure


# --- doing it ---


def carry_out(erasure: Erasure) -> Erasure:
    """Do all of an erasure that is not done yet, outside of any transaction.

    Raises:
        NotFound: the ledger does not have it.
        WorkError: somebody reads what was erased; to be tried again.
        StorageReadOnly, StorageFull: something cannot be removed or overwritten.
    """
    entry = ledger.entry_of(erasure.uuid)
    if entry is None:
        raise NotFound(f"the ledger {ledger.path()} does not have erasure {erasure.uuid}")
    forgetting.forget(erasure, entry)
    payloads = [bytes.fromhex(payload) for payload in entry.faces]
    _drop_pictures(payloads)
    _drop_copies(payloads)
    scrub.scrub()
    erasure.refresh_from_db()
    if erasure.state != State.DONE:
        erasure.done_at = timezone.now()
        erasure.state = State.DONE
        erasure.receipt = receipts.signed(receipts.text_of(erasure, entry))
        erasure.save(update_fields=["done_at", "state", "receipt"])
        Job.objects.filter(dedupe_key=f"erase {erasure.pk}", state=Job.State.WAITING).delete()
    return erasure


def run_erase(job: Job, *, beat: Callable[[], object]) -> None:
    """Carry out a job that erases; done already, it ends.

    Raises:
        LookwhoError: see `carry_out`.
    """
    beat()
    erasure = Erasure.objects.filter(pk=job.payload["erasure"]).first()
    if erasure is not None and erasure.state != State.DONE:
        carry_out(erasure)


def resume() -> int:
    """Erase what the ledger says and the database still has; return how much that was.

    So an erasure that was cut short is finished, and one that a restored backup has undone is done
    once more. Called at each start of the site and of its workers.

    Raises:
        LookwhoError: see `carry_out`.
    """
    due = list(undone())
    for entry in due:
        erasure = _written(entry, later=True)
        Erasure.objects.filter(pk=erasure.pk).update(state=State.WAITING)
        erasure.refresh_from_db()
        carry_out(erasure)
    return len(due)


def undone() -> list[Entry]:
    """Return what the ledger says was erased, and the database does not agree with."""
    entries = list(ledger.entries())
    if not entries:
        return []
    done = set(Erasure.objects.filter(state=State.DONE).values_list("uuid", flat=True))
    users = {entry.user for entry in entries if entry.user and not entry.purposes}
    people = {uuid for entry in entries for uuid in entry.people}
    # By number, so that what came back by another way than a whole backup is found, too.
    back = set(User.objects.filter(uuid__in=users).values_list("uuid", flat=True))
    back |= set(Person.objects.filter(uuid__in=people).values_list("uuid", flat=True))
    return [
        entry
        for entry in entries
        if entry.uuid not in done
        or (not entry.purposes and entry.user in back)
        or back.intersection(entry.people)
    ]


def _drop_copies(payloads: Sequence[bytes]) -> None:
    """Remove what was made of videos for browsers to play; it is made again when asked for."""
    for start in range(0, len(payloads), _AT_ONCE):
        some = payloads[start : start + _AT_ONCE]
        for media in Media.objects.filter(payload_hash__in=some, kind=Media.Kind.VIDEO):
            proxies.forget(media)


def _drop_pictures(payloads: Iterable[bytes]) -> None:
    """Remove thumbnails and crops that were made of photos; they are made again when asked for."""
    kept = Pictures(settings.PICTURES, limit_bytes=settings.PICTURES_BYTES)
    try:
        for payload in payloads:
            kept.forget(payload)
    finally:
        kept.close()
