"""Claims: who is looking at which question, so that no two people are asked the same.

A claim is on one face or on one person, that is on all faces that are guessed to be them. It lasts
as long as its page says that somebody is there, and a little longer; then anybody may have it.
Claims save people work and nothing else: what they answer is checked against what they were shown.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from lookwho.library.models import Audit, Claim, Face, Person, User

# For how long nobody else is asked, unless it is renewed.
LEASE = timedelta(minutes=2)
# Of a PostgreSQL advisory lock: any number that nothing else on the database uses.
_LOCK = 0x100C_0002


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What is claimed: a face or a person, by the id of the row. Exactly one of them."""

    face: int = 0
    person: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """What others look at just now.

    Attributes:
        faces: ids of faces.
        people: ids of root people, all of whose faces are looked at.
        touched: ids of root people some of whose faces are.
    """

    faces: frozenset[int]
    people: frozenset[int]
    touched: frozenset[int]

    def holds(self, key: Key, person: int | None = None) -> bool:
        """Return whether somebody may be looking at a face that belongs to what is asked for.

        Args:
            key: what is asked for.
            person: of a face, the root of whom it is guessed to be.
        """
        if key.face:
            return key.face in self.faces or person in self.people
        return key.person in self.people or key.person in self.touched


@contextmanager
def one_at_a_time() -> Generator[None]:
    """Open a transaction in which nobody else claims anything; answers need not wait for it."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def taken(*, now: datetime, but: Iterable[int] = ()) -> Taken:
    """Return what is claimed.

    Args:
        now: claims that ended before are none.
        but: ids of claims that do not count.
    """
    rows = Claim.objects.filter(until__gt=now).exclude(pk__in=list(but))
    guess = Coalesce("face__guess__root", "face__guess")
    faces: set[int] = set()
    people: set[int] = set()
    touched: set[int] = set()
    for face, person, root in rows.values_list("face", Coalesce("person__root", "person"), guess):
        if face is None:
            people.add(person)
        else:
            faces.add(face)
            touched.update([root] if root else [])
    return Taken(frozenset(faces), frozenset(people), frozenset(touched))


def take(by: User, key: Key, *, now: datetime) -> None:
    """Claim what nobody holds, or what one holds oneself; within `one_at_a_time`."""
    values = {"user": by, "until": now + LEASE}
    if key.face:
        Claim.objects.update_or_create(face_id=key.face, defaults=values)
    else:
        Claim.objects.update_or_create(person_id=key.person, defaults=values)


def renew(by: User, held: Iterable[UUID], *, now: datetime | None = None) -> int:
    """Hold claims longer, as somebody still looks at them; return how many there still are.

    Args:
        by: who holds them.
        held: the uuids of the faces and people that are claimed.
        now: for tests.
    """
    until = (now or timezone.now()) + LEASE
    return of(by, held).update(until=until)


def release(by: User, held: Iterable[UUID]) -> int:
    """Give claims of one's own up, so that others may be asked at once; return how many."""
    return of(by, held).delete()[0]


def keys(held: Iterable[UUID]) -> set[Key]:
    """Return the keys of these faces and people."""
    told = list(held)
    faces = Face.objects.filter(uuid__in=told).values_list("pk", flat=True)
    people = Person.objects.filter(uuid__in=told).values_list("pk", flat=True)
    return {Key(face=pk) for pk in faces} | {Key(person=pk) for pk in people}


def audits(by: User, *, now: datetime) -> bool:
    """Return whether somebody holds a face of the audit that has no answer yet."""
    held = Claim.objects.filter(user=by, until__gt=now, face__audit__state=Audit.State.DRAWN)
    return held.exists()


def drop(by: User, key: Key) -> None:
    """Give one claim of one's own up."""
    held = Q(face=key.face) if key.face else Q(person=key.person)
    Claim.objects.filter(held, user=by).delete()


def of(by: User, held: Iterable[UUID]) -> QuerySet[Claim]:
    """Return one's own claims on these faces and people."""
    told = list(held)
    faces = Face.objects.filter(uuid__in=told).values("pk")
    people = Person.objects.filter(uuid__in=told).values("pk")
    return Claim.objects.filter(Q(face__in=faces) | Q(person__in=people), user=by)
