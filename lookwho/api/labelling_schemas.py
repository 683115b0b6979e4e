"""What the API of labelling takes and gives, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Schema

from lookwho.api.schemas import Box, Next

Shares = tuple[float, float, float]


class ProjectOut(Schema):
    """A project in a list."""

    uuid: UUID
    title: str
    blind: bool
    labels_each: int
    closed: bool
    labels: int = Field(description="that the asker gave; for owners and curators of a project all")


class Question(Schema):
    """A face to label; its pictures are /labelling/pictures/{uuid}/480.webp and …/1600.webp."""

    uuid: UUID = Field(description="of the label that is to be given")
    box: Box = Field(description="x1, y1, x2, y2 as fractions of the upright photo")
    guess: str | None = Field(description="never in a blind project")
    probability: float | None
    others: list[str] = Field(description="what others said; never in a blind project")


class Answer(Schema):
    """What a face is."""

    verdict: str = Field(description="person, stranger, not_a_face or cannot_tell")
    name: str = Field("", max_length=1000)
    box: list[float] | None = Field(None, description="a better one", max_length=8)
    seconds: float | None = None


class Given(Schema):
    """A label that was given."""

    uuid: UUID
    verdict: str
    name: str | None
    box: Any
    seconds: float | None
    given_at: datetime | None


class GivenOut(Schema):
    """A piece of one's own labels, the newest first."""

    labels: list[Given]
    next: Next


class LabelOut(Given):
    """A label, with whose it is."""

    annotator: str | None


class TaskOut(Schema):
    """A face of a project with all that was said of it."""

    uuid: UUID
    box: Box
    state: str
    verdict: str
    name: str | None
    adjudicated: bool
    gold: bool
    gold_name: str | None
    labels: list[LabelOut]


class TasksOut(Schema):
    """A piece of the faces of a project."""

    faces: list[TaskOut]
    next: Next


class ProjectIn(Schema):
    """A project to make: which faces, and how they are labelled."""

    title: str
    faces: list[UUID] | None = Field(None, max_length=200_000)
    album: UUID | None = None
    collection: UUID | None = None
    unconfirmed: bool = False
    count: int | None = Field(None, description="so many at random; null for all")
    seed: int = 0
    labels_each: int = 1
    blind: bool | None = Field(None, description="null: blind where labels are compared")
    gold: float = Field(0.0, description="the share of gold faces, 0 to 0.5")
    annotators: list[UUID] = Field(default=[], max_length=1000)
    team: UUID | None = None


class ProjectChange(Schema):
    """What is to be changed; what is left out stays."""

    annotators: list[UUID] | None = Field(None, max_length=1000)
    team: UUID | None = None
    closed: bool | None = None


class Assignment(Schema):
    """Faces of a project for one annotator."""

    annotator: UUID
    faces: list[UUID] | None = Field(None, max_length=10_000)
    count: Annotated[int, Field(ge=0, le=200_000)] = 0
    take_back: bool = False


class Decided(Schema):
    """What a face is; blank to take that back."""

    verdict: str = ""
    name: str = Field("", max_length=1000)


class Count(Schema):
    """How many."""

    count: int


class AnnotatorOut(Schema):
    """How one annotator does in a project; shares are of one."""

    uuid: UUID | None = Field(description="null for those whose account is gone")
    name: str
    labels: int
    cannot_tell: float | None
    gold: int
    gold_right: float | None
    compared: int
    agreement: float | None
    seconds: float | None


class ReleaseIn(Schema):
    """How a release is made."""

    shares: Shares = Field((0.8, 0.1, 0.1), description="of people: train, validation, test")
    names_of_annotators: bool = False


class ReleaseOut(Schema):
    """A release."""

    version: int
    created_at: datetime
    sha256: str
    figures: dict[str, Any]


class ProjectDetail(ProjectOut):
    """A project, with how far it is and how well its labels agree."""

    faces: int
    settled: int
    disputed: int
    gold: int
    alpha: float | None = Field(description="Krippendorff's, nominal")
    alpha_interval: tuple[float, float] | None = Field(description="95 %, bootstrap over faces")
    same_or_different: float | None = Field(
        description="of pairs of faces, the share that two annotators judge alike"
    )
    same: float | None = Field(description="of pairs that one calls the same person, both do")
    annotators: list[AnnotatorOut]
    releases: list[ReleaseOut]


class ImportOut(Schema):
    """What a label file does, or would do."""

    kind: str
    boxes: int
    nameless: int
    named: int
    drawn: int
    same: int
    people: int
    problems: list[str]
    more_problems: int
    batch: UUID | None
    message: str
