"""What the API takes and gives, as JSON."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from ninja import Field, Schema

from lookwho.library.queries.photos import Tile

Box = tuple[float, float, float, float]
# Where a list goes on.
Next = Annotated[
    str | None, Field(description="`cursor` of the next piece; null where this is the last")
]

# What is looked for in names.
Words = Annotated[str, Field(max_length=200)]


class PersonBrief(Schema):
    """Somebody, in short; a name that is blank is that of a group nobody has named."""

    uuid: UUID
    name: str


class PersonOut(PersonBrief):
    """Somebody in a list."""

    photos: int = Field(description="how many they are in")
    cover: UUID | None = Field(description="the face to show: /faces/{uuid}/160.webp")
    hidden: bool


class PeopleOut(Schema):
    """A part of the people."""

    total: int
    people: list[PersonOut]
    next: Next


class FaceOfPerson(Schema):
    """One face of a person."""

    uuid: UUID
    photo: UUID
    day: date
    probability: float | None = Field(description="null where a human confirmed it")


class FacesOut(Schema):
    """A piece of the faces of a person, those of the newest photos first."""

    faces: list[FaceOfPerson]
    next: Next


class PersonDetail(PersonBrief):
    """Somebody, with what is known of them."""

    photos: int
    hidden: bool
    given_name: str
    family_name: str
    patronymic: str
    sex: str = Field(description="female, male or other; blank where it is not written down")
    birth_date: date | None
    cover: UUID | None
    years: dict[int, int] = Field(description="photos by year")


class PersonChange(Schema):
    """What is to be changed; what is left out stays."""

    name: str | None = None
    before: str | None = Field(
        None, description="the name you saw, blank for none: where it changed, nothing is done"
    )
    given_name: str | None = Field(None, description="at most 100 characters; blank forgets it")
    family_name: str | None = Field(None, description="likewise")
    patronymic: str | None = Field(None, description="likewise")
    sex: str | None = Field(None, description="female, male or other; blank forgets it")
    birth_date: date | None = Field(None, description="later than 1800-01-01; null forgets it")
    hidden: bool | None = None
    cover: UUID | None = Field(None, description="one of their faces")


class Merge(Schema):
    """Into whom a person is merged."""

    into: UUID
    seen: dict[UUID, str] | None = Field(
        None,
        description="the names you saw of the two, blank for a group: where one was named or "
        "merged since, nothing is done",
    )


class FacesChosen(Schema):
    """Some faces."""

    faces: list[UUID] = Field(min_length=1, max_length=5000)
    seen: dict[UUID, UUID | None] | None = Field(
        None,
        description="whom you saw confirmed for each of these faces, null for nobody: where "
        "somebody has decided since, nothing is done, and the answer (409) says who it is now",
    )


class FacesOfPerson(FacesChosen):
    """Some faces and a person."""

    person: UUID


class FacesSplit(FacesOfPerson):
    """Some faces that are not this person, but all of them one other."""

    name: str | None = Field(None, description="of the other one, where that is known")


class FacesNamed(FacesChosen):
    """Some faces and who they are; somebody who is not known yet becomes a person."""

    name: str


class Undo(Schema):
    """Which act to take back."""

    batch: UUID


class Done(Schema):
    """What was done, in words, and by what it is undone."""

    batch: UUID
    message: str


class Photo(Schema):
    """A photo in a list; its pictures are /pictures/{uuid}/320.webp and /1600.webp."""

    uuid: UUID
    kind: str
    width: int
    height: int
    taken_at: datetime
    duration: float | None
    names: list[str]


def photo_of(tile: Tile) -> Photo:
    """Return a photo as it stands in lists."""
    return Photo(
        uuid=tile.uuid,
        kind=tile.kind,
        width=tile.width,
        height=tile.height,
        taken_at=tile.taken_at,
        duration=tile.duration,
        names=list(tile.names),
    )


class Photos(Schema):
    """A part of the photos, the newest first."""

    total: int
    photos: list[Photo]
    next: Next


class Day(Schema):
    """A day, and how many photos it has."""

    day: date
    photos: int


class FaceIn(Schema):
    """A face of a photo; the box is x1, y1, x2, y2 as fractions of the upright photo.

    With the source `absent` a human said that this person is in it with no visible face: the box
    is then empty, and there is no picture of it.
    """

    uuid: UUID
    box: Box
    score: float
    quality: float
    source: str
    person: PersonBrief | None = Field(description="whom a human confirmed")
    guess: PersonBrief | None
    probability: float | None


class Suggestion(Schema):
    """Somebody that a face may be."""

    person: PersonBrief
    probability: float


class PhotoDetail(Photo):
    """A photo, with the faces in it and where it lies, as far as the asker may be told."""

    format: str
    state: str = Field(description="waiting, done or failed; blank before it was planned")
    reason: str = Field(description="why there is no face, or why it failed")
    faces: list[FaceIn]
    albums: list[str]
    files: list[str]


class FolderIn(Schema):
    """A folder on the machine that Lookwho runs on."""

    path: str
    title: str = ""
    album: str = ""


class Import(Schema):
    """An import, and how far it is."""

    uuid: UUID
    state: str
    done: int
    total: int
    code: str
    message: str
    created_at: datetime


class Refused(Schema):
    """A file that was not kept, and why."""

    name: str
    code: str
    message: str


class Uploaded(Schema):
    """What became of an upload: the import that waits, and the files that were not kept."""

    job: Import
    refused: list[Refused]


class Failure(Schema):
    """Something that failed, and why."""

    trouble: str
    id: int
    what: str
    code: str
    message: str


class Failures(Schema):
    """A piece of what failed."""

    failures: list[Failure]
    next: Next


class WorkerOut(Schema):
    """A process that does the work."""

    host: str
    pid: int
    kinds: list[str]
    seen_at: datetime


class Work(Schema):
    """How the work gets on."""

    running: bool
    stuck: bool = Field(description="work waits and no worker was seen lately")
    done: int
    total: int
    rate: float = Field(description="photos a second, lately")
    seconds_left: float | None
    failures: int
    imports: list[Import]
    workers: list[WorkerOut]


class Names(Schema):
    """Names that the files themselves carry."""

    regions: int
    people: int
    examples: list[str]


class Link(Schema):
    """A link for others."""

    url: str
