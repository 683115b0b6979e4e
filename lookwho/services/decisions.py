"""Decisions: what humans said, written down.

Rows of decisions are only ever added; taking one back adds another that revokes it. What follows
from those that stand is kept beside them (`standing`), so that pages need not work it out.

Decisions are made one after the other, so that each is made upon what the one before left.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import QuerySet

from lookwho.core.errors import Forbidden
from lookwho.core.orientation import Box
from lookwho.library.models import Decision, DecisionFace, Face, Media, Person, User
from lookwho.library.models.accounts import Role
from lookwho.library.vectors.listing import listed

Verb = Decision.Verb

# Of a PostgreSQL advisory lock: any number that nothing else on the database uses.
_LOCK = 0x100C_0001
# Ids in one statement: SQLite takes up to 32,766 parameters.
CHUNK = 1000
# The text of a REJECT that took a guess away, so that undoing it gives the guess back.
GUESSED = "guess"
# Boxes that overlap by so much (intersection over union), so near in time, show the same face.
SAME_BOX = 0.5
SAME_SECONDS = 0.5
# Of somebody who is in a photo with no visible face.
ABSENT_BOX: Box = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done.

    Attributes:
        batch: what `undo` takes back.
        message: what people are told.
    """

    batch: UUID
    message: str


class Shown(NamedTuple):
    """A face as it is when something is said about it."""

    pk: int
    media_id: int
    payload_hash: bytes
    x1: float
    y1: float
    x2: float
    y2: float
    time: float | None
    person_id: int | None
    guess_id: int | None

    @property
    def box(self) -> Box:
        """Where it is; empty for somebody who does not show."""
        return self.x1, self.y1, self.x2, self.y2

    def place(self) -> dict[str, Any]:
        """Return the fields by which a `Placed` row tells where it is."""
        told = ("payload_hash", "x1", "y1", "x2", "y2", "time")
        return {field: getattr(self, field) for field in told}

    @property
    def absent(self) -> bool:
        """Whether somebody is in the photo without a visible face."""
        return self.box == ABSENT_BOX


class Act:
    """One act of a user: decisions that are taken back together."""

    def __init__(self, by: User, batch: UUID) -> None:
        self.by = by
        self.batch = batch

    def say(
        self,
        verb: str,
        *,
        person: Person | None = None,
        other: Person | None = None,
        text: str = "",
        before: str = "",
        faces: Sequence[Shown] = (),
    ) -> Decision:
        """Write one decision down; what follows from it is the caller's to write."""
        decision = Decision.objects.create(
            actor=self.by,
            verb=verb,
            person=person,
            other=other,
            text=text,
            before=before,
            batch=self.batch,
        )
        if faces:
            _keep(decision, [face.pk for face in faces])
        return decision


def _keep(decision: Decision, faces: Sequence[int]) -> None:
    """Write down which faces a decision is about, and what finds them again.

    Within the database: five thousand faces, each a row of Python, would take a second.
    """
    name = connection.ops.quote_name
    told = name(DecisionFace._meta.db_table)
    face, media = name(Face._meta.db_table), name(Media._meta.db_table)
    ids = listed(faces)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {told} "
            "(decision_id, face_id, payload_hash, x1, y1, x2, y2, time) "
            f"SELECT %s, f.id, m.payload_hash, f.x1, f.y1, f.x2, f.y2, f.time "
            f"FROM {face} f JOIN {media} m ON m.id = f.media_id "
            f"WHERE f.id IN ({ids.sql}) ORDER BY f.id",
            [decision.pk, *ids.params],
        )


@contextmanager
def acting(by: User, batch: UUID | None = None) -> Generator[Act]:
    """Open an act: all of it happens, or nothing, and no other decision is made meanwhile.

    Args:
        by: who acts.
        batch: of an act that this one belongs to; None for a new one.

    Raises:
        Forbidden: this user may not decide about people.
    """
    if not (by.is_active and (by.sees_everything or by.role == Role.ANNOTATOR)):
        raise Forbidden("naming and correcting people is for owners, curators and annotators")
    with one_at_a_time():
        yield Act(by, batch or uuid4())


@contextmanager
def one_at_a_time() -> Generator[None]:
    """Open a transaction in which nobody else decides anything.

    On SQLite a transaction is alone by itself (`config.environment`).
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def look_at(faces: Iterable[int]) -> list[Shown]:
    """Return the faces of these ids as they are now, without those that are gone or dismissed."""
    ids = sorted(set(faces))
    return shown(Face.objects.filter(pk__in=listed(ids), dismissed=False).order_by("pk"))


def shown(faces: QuerySet[Face]) -> list[Shown]:
    """Return faces as a decision keeps them."""
    fields = ("pk", "media_id", "media__payload_hash", "x1", "y1", "x2", "y2", "time")
    return [
        Shown(pk, media, bytes(payload), *rest)
        for pk, media, payload, *rest in faces.values_list(*fields, "person_id", "guess_id")
    ]


def rejected(faces: QuerySet[Face], people: Iterable[int]) -> set[int]:
    """Return the ids of those of the faces that are not one of these people, as somebody said."""
    said = DecisionFace.objects.filter(
        decision__verb=Verb.REJECT,
        decision__revoked_by=None,
        decision__person__in=list(people),
        face__in=faces.values("pk"),
    )
    return {face for face in said.values_list("face_id", flat=True) if face is not None}


def chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield the ids in parts that fit into one statement."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
