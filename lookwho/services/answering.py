"""Answering: what follows from an answer to a question of the review.

All of it is one act. Where somebody has decided about these faces since they were shown, or about
the person that was asked about, that is said instead, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from uuid import UUID

from django.db.models import QuerySet

from lookwho.core.errors import Conflict, Invalid
from lookwho.library.models import Answer, Audit, Face, Person, User
from lookwho.library.queries.tracks import Room
from lookwho.services import audit, claims, decisions, faces
from lookwho.services.asking import AUDIT, Slip
from lookwho.services.decisions import Act, Done, Shown, acting
from lookwho.services.grouping import ask_for_a_pass
from lookwho.services.identity import call, called, checked_name, find_named, tree_of
from lookwho.services.questions import Kind

Verdict = Answer.Verdict
Verb = decisions.Verb

# An answer that took longer was left lying; in seconds.
LONGEST = 3600.0


@dataclass(frozen=True, slots=True)
class Answered(Done):
    """What an answer did.

    Attributes:
        answer: the uuid by which it is taken back.
        settled: how many faces it resolved.
        corrected: whether a face was confirmed to be somebody else until now.
    """

    answer: UUID
    settled: int
    corrected: bool = False


def answer(
    by: User,
    slip: Slip,
    verdict: str,
    *,
    name: str = "",
    odd: Collection[UUID] = (),
    seconds: float | None = None,
) -> Answered:
    """Write down what somebody answered, and do what follows from it.

    - YES: all the faces are the person asked about, but for the odd ones, which are not.
    - NO: none of them is.
    - NAME: they are somebody else, by name; the odd ones are not.
    - NOT_A_FACE: they are none; where there are odd ones, those.
    - STRANGER, CANNOT_TELL: this user is not asked again, nor after two of them anybody.
    - SKIP: it comes back later.

    Args:
        by: who answers.
        slip: what they were asked.
        verdict: one of `Answer.Verdict`.
        name: with NAME.
        odd: of a question about many the uuids of the faces that do not belong.
        seconds: from question to answer.

    Raises:
        Forbidden: this user may not name people.
        Invalid: no such answer to this question, or a name that cannot be.
        Conflict: somebody has decided about these faces, or about the person, meanwhile.
    """
    if slip.user != by.pk:
        raise Invalid("somebody else was asked this: load the page again")
    told = seconds is not None and isfinite(seconds)
    took = min(max(seconds or 0.0, 0.0), LONGEST) if told else None
    try:
        if slip.kind == AUDIT:
            done = _of_audit(by, slip, verdict, name, took)
        else:
            with acting(by) as act:
                done = _Given(act, slip, verdict, name, frozenset(odd), took).written()
    except Conflict:
        claims.drop(by, slip.key)  # whoever is next is asked something else
        raise
    claims.drop(by, slip.key)
    return done


def _of_audit(by: User, slip: Slip, verdict: str, name: str, seconds: float | None) -> Answered:
    row = Audit.objects.filter(pk=slip.audit).first()
    if row is None:
        raise Conflict("this face is gone: somebody has removed it")
    with decisions.one_at_a_time():  # the last answer is then this one
        before = _confirmed(row.face_id)
        done = audit.answer(by, row, verdict, name, seconds=seconds)
        written = Answer.objects.filter(user=by, question=AUDIT).latest("pk")
        now = _confirmed(row.face_id)
    if before and verdict == Verdict.NAME and before != now:
        message = f"{done.message} This was {called(before)}'s until now."
        return Answered(done.batch, message, written.uuid, written.settled, corrected=True)
    return Answered(done.batch, done.message, written.uuid, written.settled)


def _confirmed(face: int | None) -> Person | None:
    """Return whom somebody said a face is."""
    row = Face.objects.select_related("person__root").filter(pk=face).first()
    return row and row.person and (row.person.root or row.person)


class _Given:
    """One answer, within its act."""

    def __init__(
        self,
        act: Act,
        slip: Slip,
        verdict: str,
        name: str,
        odd: Collection[UUID],
        seconds: float | None,
    ) -> None:
        self.act = act
        self.slip = slip
        self.verdict = verdict
        self.name = name
        self.seconds = seconds
        self.many = slip.kind in (Kind.GROUP, Kind.MIXED)
        ids = Face.objects.filter(pk__in=slip.faces[: slip.shown], uuid__in=odd)
        self.odd = frozenset(ids.values_list("pk", flat=True)) if self.many else frozenset[int]()
        if len(self.odd) < len(odd):
            raise Invalid("only faces that were shown can be left out")

    def written(self) -> Answered:
        """Do what follows, and write the answer down."""
        says: dict[str, Callable[[], tuple[str, int]]] = {
            Verdict.YES: self._yes,
            Verdict.NO: self._no,
            Verdict.NAME: self._name,
            Verdict.NOT_A_FACE: self._not_a_face,
            Verdict.STRANGER: lambda: ("You will not be asked about this again.", 0),
            Verdict.CANNOT_TELL: lambda: ("You will not be asked about this again.", 0),
            Verdict.SKIP: lambda: ("It comes back later.", 0),
        }
        if self.verdict not in says:
            raise Invalid(f"{self.verdict[:40]!r} is no answer to this question")
        message, settled = says[self.verdict]()
        said = self.verdict in (Verdict.YES, Verdict.NO, Verdict.NAME, Verdict.NOT_A_FACE)
        row = Answer.objects.create(
            user=self.act.by,
            question=self.slip.kind,
            verdict=self.verdict,
            face_id=None if self.many else self._still_there(),
            person_id=self._asked_about(),
            batch=self.act.batch if said else None,
            settled=settled,
            probability=self.slip.probability,
            seconds=self.seconds,
        )
        return Answered(self.act.batch, message, row.uuid, settled)

    # --- what each answer does ---

    def _yes(self) -> tuple[str, int]:
        person = self._person()
        kept, odd = self._faces(person)
        self._refuse_contradiction(kept, person)
        if self.slip.kind == Kind.GROUP:
            kept = self._possible(kept, person)
        message = self._are(kept, person)
        self._bar(odd, person)
        return message, len(kept)

    def _no(self) -> tuple[str, int]:
        person = self._person()
        kept, odd = self._faces(person)
        self._bar([*kept, *odd], person)
        few = "1 face is" if len(kept) + len(odd) == 1 else f"{len(kept) + len(odd)} faces are"
        return f"{few} not {called(person)}.", 0

    def _name(self) -> tuple[str, int]:
        name = checked_name(self.name)
        known = find_named(name)
        kept, odd = self._faces(known)
        group = self._group() if self.slip.kind == Kind.GROUP else None
        if known is None and group is not None:
            person = group
            call(self.act, group, name)
        else:
            person = known or faces.a_new_one(self.act, name)
            if known is not None and self.slip.kind == Kind.GROUP:
                kept = self._possible(kept, known)
        message = self._are(kept, person)
        self._bar(odd, person)
        return message, len(kept)

    def _not_a_face(self) -> tuple[str, int]:
        kept, odd = self._faces(None)
        these = odd or kept
        done = faces.not_a_face(self.act.by, self._rows(these), batch=self.act.batch)
        return done.message, len(these)

    # --- what they are made of ---

    def _faces(self, who: Person | None) -> tuple[list[Shown], list[Shown]]:
        """Return the faces as they are now: those that belong, and the odd ones.

        Raises:
            Conflict: they are gone, or somebody has said who one of them is.
        """
        seen = dict.fromkeys(self.slip.faces)
        now = faces.look_at(Face.objects.filter(pk__in=self.slip.faces), seen, who)
        now = [face for face in now if face.person_id is None]
        if not now:
            raise Conflict(f"this was just named {who.name}" if who else "this was just answered")
        kept = [face for face in now if face.pk not in self.odd]
        if self.verdict != Verdict.NOT_A_FACE and not kept:
            raise Invalid("all were left out: say that none of them is")
        return kept, [face for face in now if face.pk in self.odd]

    def _person(self) -> Person:
        """Return of whom it was asked whether these are them.

        Raises:
            Invalid: of nobody.
            Conflict: they are called otherwise by now, or are gone.
        """
        if self.slip.person is None:
            raise Invalid("say who this is: nobody was asked about")
        person = Person.objects.select_related("root").filter(pk=self.slip.person).first()
        if person is None:
            raise Conflict(f"{self.slip.name} is gone: somebody has taken the name back")
        person = person.root or person
        if person.name != self.slip.name:
            now = person.name or "somebody without a name"
            raise Conflict(f"{self.slip.name} was just made {now}")
        return person

    def _group(self) -> Person | None:
        """Return the group that was asked about, as long as it is one.

        Raises:
            Conflict: it has a name by now.
        """
        group = Person.objects.select_related("root").filter(pk=self.slip.group).first()
        root = group and (group.root or group)
        if root is not None and root.name:
            raise Conflict(f"this was just named {root.name}")
        return root

    def _refuse_contradiction(self, kept: Sequence[Shown], person: Person) -> None:
        """Raise Conflict where somebody has just said that it is not this person."""
        if self.slip.kind == Kind.GROUP:
            return  # of many those are left out
        if decisions.rejected(_rows(kept), tree_of(person)):
            raise Conflict(f"somebody has just said that this is not {called(person)}")

    def _possible(self, kept: Sequence[Shown], person: Person) -> list[Shown]:
        """Return the faces that can be a person who was known.

        Of one photo only one can, and of a video one at a time.
        """
        tree = tree_of(person)
        refused = decisions.rejected(_rows(kept), tree)
        beside = Face.objects.filter(person__in=tree, dismissed=False)
        room = Room(
            beside.filter(media__in={face.media_id for face in kept}),
            [(face.pk, face.media_id, face.time) for face in kept],
        )
        found = [
            face
            for face in kept
            if face.pk not in refused and room.takes(face.pk, face.media_id, face.time)
        ]
        if not found:
            raise Conflict(f"none of these can be {called(person)}: they are in the photos already")
        return found

    def _are(self, kept: Sequence[Shown], person: Person) -> str:
        self.act.say(Verb.CONFIRM, person=person, faces=kept)
        faces.be(person, kept)
        ask_for_a_pass()
        count = "1 face" if len(kept) == 1 else f"{len(kept)} faces"
        return f"{count} named {person.name}." if self.many else f"Named {person.name}."

    def _bar(self, shown: Sequence[Shown], person: Person) -> None:
        if shown:
            faces.bar(self.act, shown, person)
            ask_for_a_pass()

    def _rows(self, shown: Iterable[Shown]) -> list[Face]:
        return list(Face.objects.filter(pk__in=[face.pk for face in shown]))

    def _still_there(self) -> int | None:
        return Face.objects.filter(pk=self.slip.faces[0]).values_list("pk", flat=True).first()

    def _asked_about(self) -> int | None:
        who = self.slip.group or self.slip.person
        return Person.objects.filter(pk=who).values_list("pk", flat=True).first()


def _rows(faces: Sequence[Shown]) -> QuerySet[Face]:
    return Face.objects.filter(pk__in=[face.pk for face in faces])
