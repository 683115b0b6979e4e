"""Decisions: what humans said, written down, and what follows from it.

Rows of decisions are only ever added; taking one back adds another that revokes it. Four things
follow from those that stand, and are kept beside them so that pages need not work them out:

- `Face.person`: whom the newest standing CONFIRM names, unless a later REJECT stands against it.
- `Face.dismissed`: whether a NOT_A_FACE stands.
- `Person.merged_into`, `name`, `hidden` and `cover`: what the newest standing decision says.
- `Person.root`: where following `merged_into` ends.

Decisions are made one after the other, so that each is made upon what the one before left.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import QuerySet

from lookwho.core.errors import Forbidden
from lookwho.core.regions import overlap
from lookwho.library.models import Decision, DecisionFace, Face, Person, Suppression, User
from lookwho.library.models.accounts import Role

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
        DecisionFace.objects.bulk_create(
            [
                DecisionFace(
                    decision=decision,
                    face_id=face.pk,
                    payload_hash=face.payload_hash,
                    x1=face.x1,
                    y1=face.y1,
                    x2=face.x2,
                    y2=face.y2,
                    time=face.time,
                )
                for face in faces
            ],
            batch_size=CHUNK,
        )
        return decision


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
    rows: list[Shown] = []
    for chunk in chunks(ids):
        found = Face.objects.filter(pk__in=chunk, dismissed=False).order_by("pk")
        rows += shown(found)
    return rows


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


def revoke(act: Act, decisions: Sequence[Decision]) -> None:
    """Take decisions back, and write what follows from those that still stand."""
    Decision.objects.bulk_create(
        [
            Decision(
                actor=act.by,
                verb=Verb.REVOKE,
                person_id=each.person_id,
                other_id=each.other_id,
                batch=act.batch,
                revokes=each,
            )
            for each in decisions
        ],
        batch_size=CHUNK,
    )
    about = DecisionFace.objects.filter(decision__in=[each.pk for each in decisions])
    faces = {face for face in about.values_list("face_id", flat=True) if face is not None}
    settle_faces(faces)
    Suppression.objects.filter(decision__in=[each.pk for each in decisions]).delete()
    settle_people({each.person_id for each in decisions if each.person_id is not None})
    # Now that everybody is who they are again.
    again = about.filter(decision__verb=Verb.REJECT)
    _guess_again({face for face in again.values_list("face_id", flat=True) if face is not None})


# --- what follows ---


def settle_faces(faces: Iterable[int]) -> None:
    """Write who these faces are, and whether they are any, as follows from what stands."""
    for chunk in chunks(sorted(set(faces))):
        said = DecisionFace.objects.filter(
            face__in=chunk,
            decision__revoked_by=None,
            decision__verb__in=(Verb.CONFIRM, Verb.REJECT, Verb.NOT_A_FACE),
        ).order_by("decision_id")
        person: dict[int, int | None] = dict.fromkeys(chunk)
        dismissed = dict.fromkeys(chunk, False)
        for face, verb, who in said.values_list("face_id", "decision__verb", "decision__person_id"):
            if verb == Verb.CONFIRM:
                person[face] = who
            elif verb == Verb.NOT_A_FACE:
                dismissed[face] = True
            elif person[face] == who:
                person[face] = None
        outcomes: dict[tuple[int | None, bool], list[int]] = {}
        for face in chunk:
            outcomes.setdefault((person[face], dismissed[face]), []).append(face)
        for (who, none), theirs in outcomes.items():
            Face.objects.filter(pk__in=theirs).update(person=who, dismissed=none)


def _guess_again(faces: Iterable[int]) -> None:
    """Give faces the guess back that a REJECT took, which has itself been taken back."""
    for chunk in chunks(sorted(set(faces))):
        said = DecisionFace.objects.filter(
            face__in=chunk, face__guess=None, decision__verb=Verb.REJECT
        ).order_by("-decision_id")
        taken: dict[int, tuple[int, int]] = {}
        standing: set[tuple[int, int]] = set()
        fields = ("decision__person_id", "decision__person__root", "decision__text")
        for face, revoked, who, root, text in said.values_list(
            "face_id", "decision__revoked_by", *fields
        ):
            if revoked is None:
                standing.add((face, root or who))
            elif text == GUESSED:
                taken.setdefault(face, (who, root or who))
        people: dict[int, list[int]] = {}
        for face, (who, root) in taken.items():
            if (face, root) not in standing:
                people.setdefault(who, []).append(face)
        for who, theirs in people.items():
            Face.objects.filter(pk__in=theirs).update(guess=who)


def settle_people(people: Iterable[int]) -> None:
    """Write what these people are called and whom they were merged into, as follows from it."""
    said = Decision.objects.filter(
        person__in=list(people), verb__in=(Verb.RENAME, Verb.HIDE, Verb.COVER, Verb.MERGE)
    )
    found: dict[int, dict[str, list[Decision]]] = {}
    for each in said.select_related("revoked_by").order_by("pk"):
        if each.person_id is not None:
            found.setdefault(each.person_id, {}).setdefault(each.verb, []).append(each)
    for person in Person.objects.filter(pk__in=found):
        told = found[person.pk]
        if renames := told.get(Verb.RENAME):
            last = _newest(renames)
            person.name = last.text if last else renames[0].before
        if hides := told.get(Verb.HIDE):
            last = _newest(hides)
            person.hidden = (last.text if last else hides[0].before) == "1"
        if covers := told.get(Verb.COVER):
            last = _newest(covers)
            face = DecisionFace.objects.filter(decision=last).first() if last else None
            person.cover_id = face.face_id if face else None
        if merges := told.get(Verb.MERGE):
            last = _newest(merges)
            person.merged_into_id = last.other_id if last else None
        person.save(update_fields=["name", "hidden", "cover", "merged_into"])
    settle_roots()


def _newest(decisions: Sequence[Decision]) -> Decision | None:
    return next((each for each in reversed(decisions) if not hasattr(each, "revoked_by")), None)


def settle_roots() -> None:
    """Write where following `merged_into` ends, for all who were ever merged: those are few."""
    merged = Person.objects.exclude(merged_into=None, root=None)
    rows = {pk: (into, root) for pk, into, root in merged.values_list("pk", "merged_into", "root")}
    roots: dict[int | None, list[int]] = {}
    for pk, (into, root) in rows.items():
        end = into
        while end in rows and rows[end][0] is not None:
            end = rows[end][0]
        if end != root:
            roots.setdefault(end, []).append(pk)
    for end, people in roots.items():
        for chunk in chunks(people):
            Person.objects.filter(pk__in=chunk).update(root=end)


def attach(media: Iterable[int]) -> None:
    """Let decisions about faces that an analysis replaced find those that it found instead."""
    ids = list(media)
    payloads = Face.objects.filter(media__in=ids).values("media__payload_hash")
    orphans = DecisionFace.objects.filter(face=None, payload_hash__in=payloads)
    if not orphans.exists():
        return
    with one_at_a_time():
        found: list[DecisionFace] = []
        faces: dict[bytes, list[Shown]] = {}
        for face in shown(Face.objects.filter(media__in=ids).order_by("pk")):
            faces.setdefault(face.payload_hash, []).append(face)
        for orphan in orphans.order_by("pk"):
            if face := _same(orphan, faces[bytes(orphan.payload_hash)]):
                orphan.face_id = face.pk
                found.append(orphan)
        DecisionFace.objects.bulk_update(found, ["face"], batch_size=CHUNK)
        settle_faces(each.face_id for each in found if each.face_id is not None)
        covers = Decision.objects.filter(
            verb=Verb.COVER, pk__in={each.decision_id for each in found}
        )
        settle_people([who for who in covers.values_list("person_id", flat=True) if who])


def _same(orphan: DecisionFace, faces: Iterable[Shown]) -> Shown | None:
    best, most = None, 0.0
    for face in faces:
        if (orphan.time is None) != (face.time is None):
            continue
        apart = abs((orphan.time or 0.0) - (face.time or 0.0))
        shared = overlap(
            (orphan.x1, orphan.y1, orphan.x2, orphan.y2), (face.x1, face.y1, face.x2, face.y2)
        )
        if apart <= SAME_SECONDS and shared >= SAME_BOX and shared > most:
            best, most = face, shared
    return best


def chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield the ids in parts that fit into one statement."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
