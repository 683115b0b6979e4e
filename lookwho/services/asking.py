"""Asking: a question as it is shown, and as it comes back with its answer.

What was asked travels to the page and back as a slip, which is signed: nothing of it is kept here,
and an answer is only ever about what its author was shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.core import signing

from lookwho.core.errors import Invalid
from lookwho.library.models import Face, Person, User
from lookwho.library.queries import review, showing
from lookwho.library.queries.review import Likely
from lookwho.library.queries.showing import ShownFace
from lookwho.library.scope import Scope
from lookwho.services import decisions, search
from lookwho.services.agenda import LEAST_QUALITY
from lookwho.services.claims import Key
from lookwho.services.identity import tree_of
from lookwho.services.questions import Kind, Question
from lookwho.services.search import Suggestion

AUDIT = "audit"
# The most faces that one question is about: the rest of a larger group is asked about next.
MOST = 1000
# Of those so many are shown, and of a mixed group no others are asked about.
SHOWN = 24
# A face or a group is asked about as somebody known when that is likelier than not.
LIKELY = 0.5
OFFERED = 3
_SALT = "lookwho.review"
_LASTS = 24 * 60 * 60  # seconds


@dataclass(frozen=True, slots=True)
class Slip:
    """What was asked.

    Attributes:
        user: the id of whom.
        kind: a `Answer.Question`.
        faces: the ids of all the faces that it was about.
        shown: how many of them were shown; the first ones.
        group: the id of the group without a name that it was about, or that the face is of.
        person: the id of the root person of whom it was asked whether these are them.
        name: what they were called.
        probability: of the guess that was shown.
        audit: the id of the audit's row.
    """

    user: int
    kind: str
    faces: tuple[int, ...]
    shown: int = 1
    group: int | None = None
    person: int | None = None
    name: str = ""
    probability: float | None = None
    audit: int | None = None

    def __str__(self) -> str:
        """Return it signed, as the page keeps it."""
        parts: list[Any] = [self.user, self.kind, self.faces, self.shown, self.group]
        parts += [self.person, self.name, self.probability, self.audit]
        return signing.dumps(parts, salt=_SALT, compress=True)

    @classmethod
    def read(cls, text: str) -> Slip:
        """Return what a page gives back.

        Raises:
            Invalid: it was never given out, or is more than a day old.
        """
        try:
            user, kind, faces, *rest = signing.loads(text, salt=_SALT, max_age=_LASTS)
        except signing.BadSignature as error:
            raise Invalid("this question is too old, or none of ours: load the page again") from (
                error
            )
        return cls(user, kind, tuple(faces), *rest)

    @property
    def key(self) -> Key:
        """What is claimed while somebody looks at it."""
        if self.kind in (Kind.FACE, AUDIT):
            return Key(face=self.faces[0])
        return Key(person=self.group or self.person or 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is shown.

    Attributes:
        slip: what comes back with the answer.
        uuid: of the face or the person that is claimed for it.
        faces: those that are shown: one, or as many as fit.
        count: how many faces it is about.
        person: of whom it is asked whether these are them; None for "who is this?".
        beside: confirmed faces of that person, of different years.
        offered: people whom the face may be, to be chosen instead of typing.
        belongs: of a question about one face, the id of the root of whom it is guessed to be.
        alike: of one face of a group without a name, how many faces that group has.
        faint: whether it is a bad face that resembles nobody; such are asked about last.
    """

    slip: Slip
    uuid: UUID
    faces: Sequence[ShownFace]
    count: int
    person: Person | None = None
    beside: Sequence[ShownFace] = ()
    offered: Sequence[Suggestion] = ()
    belongs: int | None = None
    alike: int = 0
    faint: bool = False

    @property
    def kind(self) -> str:
        """What is asked."""
        return self.slip.kind

    @property
    def face(self) -> ShownFace:
        """The face, of a question about one; else the first."""
        return self.faces[0]

    @property
    def more(self) -> int:
        """How many faces it is about that are not shown."""
        return self.count - len(self.faces)

    @property
    def percent(self) -> int | None:
        """How many of a hundred such guesses are right; never all, and never none."""
        likely = self.slip.probability
        return None if likely is None else max(1, min(99, round(100 * likely)))


def about(by: User, scope: Scope, question: Question, likely: Likely | None = None) -> Asked | None:
    """Return a question with all that is shown of it, or None where nothing is left to ask.

    Args:
        by: who is asked.
        scope: in which photos.
        question: what.
        likely: who the face or the group may be, as the last pass saw it.
    """
    if question.kind == Kind.FACE:
        return _of_face(by, scope, question, likely)
    person = Person.objects.filter(pk=question.person, root=None, hidden=False).first()
    if person is None:
        return None
    return _mixed(by, scope, person) if person.name else _of_group(by, scope, person, likely)


def audited(by: User, face: Face, audit: int) -> Asked:
    """Return the question whose face this is, without any guess."""
    found = showing.shown(Face.objects.filter(pk=face.pk))
    seen = [replace(each, probability=None) for each in found]
    slip = Slip(by.pk, AUDIT, (face.pk,), audit=audit)
    return Asked(slip, face.uuid, seen, 1)


def _of_face(by: User, scope: Scope, question: Question, likely: Likely | None) -> Asked | None:
    row = review.open_faces(scope).select_related("guess__root").filter(pk=question.face).first()
    if row is None:
        return None
    root = row.guess and (row.guess.root or row.guess)
    slip = Slip(by.pk, Kind.FACE, (row.pk,))
    alike = 0
    if root is not None and root.name:
        likely = Likely(root.pk, row.probability or 0.0)
    elif root is not None:
        slip = replace(slip, group=root.pk)
        alike = review.open_faces(scope).filter(showing.guessed(root)).count()
    person = _person(likely, [row.pk], sure=root is not None and bool(root.name))
    if likely and person:
        slip = replace(slip, person=person.pk, name=person.name, probability=likely.probability)
    return Asked(
        slip,
        row.uuid,
        showing.shown(Face.objects.filter(pk=row.pk)),
        1,
        person,
        showing.confirmed_beside(scope, person) if person else (),
        _offers(scope, row, person),
        root and root.pk,
        alike,
        root is None and likely is None and row.quality < LEAST_QUALITY,
    )


def _of_group(by: User, scope: Scope, group: Person, likely: Likely | None) -> Asked | None:
    theirs = review.open_faces(scope).filter(showing.guessed(group))
    found = showing.shown(theirs.order_by("-quality", "pk")[:MOST])
    if not found:
        return None
    ids = [face.id for face in found]
    best = Face.objects.get(pk=ids[0])
    order = _alike(ids)
    found.sort(key=lambda face: order[face.id])
    shown = min(len(found), SHOWN)
    slip = Slip(by.pk, Kind.GROUP, tuple(face.id for face in found), shown, group.pk)
    person = _person(likely, ids)
    if likely and person:
        slip = replace(slip, person=person.pk, name=person.name, probability=likely.probability)
    return Asked(
        slip,
        group.uuid,
        found[:SHOWN],
        len(found),
        person,
        showing.confirmed_beside(scope, person) if person else (),
        _offers(scope, best, person),
    )


def _mixed(by: User, scope: Scope, person: Person) -> Asked | None:
    theirs = review.open_faces(scope).filter(showing.guessed(person), probability__isnull=False)
    found = showing.shown(theirs.order_by("probability", "pk")[:SHOWN])
    if not found:
        return None
    ids = tuple(face.id for face in found)
    slip = Slip(by.pk, Kind.MIXED, ids, len(ids), person=person.pk, name=person.name)
    return Asked(
        slip, person.uuid, found, len(ids), person, showing.confirmed_beside(scope, person)
    )


def _person(likely: Likely | None, faces: Sequence[int], *, sure: bool = False) -> Person | None:
    """Return of whom it is asked whether these are them: somebody likely, whom nobody ruled out.

    Only the pass says so. What is near a face just now tells too little for that: in one run over
    identities/, of ten groups whose best face was near somebody one was them.

    Args:
        likely: who they may be.
        faces: the ids of all.
        sure: whether they are guessed to be them, so that it is to be asked.
    """
    if likely is None or not (sure or likely.probability >= LIKELY):
        return None
    person = Person.objects.filter(pk=likely.person).first()
    # Somebody may have said since that they are not.
    if person is None or decisions.rejected(Face.objects.filter(pk__in=faces), tree_of(person)):
        return None
    return person


def _offers(scope: Scope, face: Face, person: Person | None) -> list[Suggestion]:
    near = search.find_by_face(scope, face, limit=OFFERED + 1)
    likely = [each for each in near if each.probability >= search.MAYBE]
    return [each for each in likely if person is None or each.person.pk != person.pk][:OFFERED]


def _alike(faces: Sequence[int]) -> dict[int, float]:
    """Return the place of each face: half of what is shown are those most alike, half the least.

    Whoever does not belong is then among those in view.
    """
    known, vectors = showing.vectors_of(faces)
    order = list(faces)
    if known:
        likeness = dict(zip(known, (vectors @ vectors.mean(axis=0)).tolist(), strict=True))
        order.sort(key=lambda face: -likeness.get(face, -1.0))
    if len(order) > SHOWN:
        half = SHOWN // 2
        order = order[:half] + order[-half:] + order[half:-half]
    return {face: float(place) for place, face in enumerate(order)}


__all__ = ["AUDIT", "Asked", "Slip", "about", "audited"]
