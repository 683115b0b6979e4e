"""Asking: what an annotator is shown of the face that they are to label, and no more than that."""

from __future__ import annotations

from dataclasses import dataclass

from lookwho.library.models import Label, Person

_WORDS = {
    Label.Verdict.STRANGER.value: "a stranger",
    Label.Verdict.NOT_A_FACE.value: "not a face",
    Label.Verdict.CANNOT_TELL.value: "cannot tell",
}


@dataclass(frozen=True, slots=True)
class Question:
    """A face to label.

    Attributes:
        label: what is to be given.
        box: x1, y1, x2, y2 as fractions of the upright photo.
        guess: who Lookwho thinks it is; None in a blind project.
        probability: that it is.
        others: what others said, in words; nothing in a blind project.
    """

    label: Label
    box: tuple[float, float, float, float]
    guess: str | None = None
    probability: float | None = None
    others: tuple[str, ...] = ()


def question_of(label: Label) -> Question:
    """Return what is shown of the face that somebody was given."""
    task = label.task
    box = task.x1, task.y1, task.x2, task.y2
    if task.project.blind:
        return Question(label, box)
    others = Label.objects.filter(task=task).exclude(verdict="").exclude(pk=label.pk)
    rows = others.select_related("person__root").order_by("given_at", "pk")
    told = tuple(in_words(row.verdict, row.person) for row in rows)
    face = task.face
    who = face and (face.person or face.guess)
    who = who and (who.root or who)
    if face is None or who is None or not who.name:
        return Question(label, box, others=told)
    probability = None if face.person_id else face.probability
    return Question(label, box, who.name, probability, told)


def in_words(verdict: str, person: Person | None) -> str:
    """Say what an answer was."""
    if person is not None:
        return (person.root or person).name or "somebody without a name"
    return _WORDS.get(verdict, "somebody who was erased")
