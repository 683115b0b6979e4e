"""What the API says of videos, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from ninja import Field, Schema
from pydantic import BaseModel

from lookwho.api.schemas import Box, Next, PersonBrief
from lookwho.library.queries.video_states import State

Seconds = float


class Plain(BaseModel):
    """What a list has many of: checked once, where it is made, and not again on its way out."""


class AppearanceOut(Plain):
    """From when to when somebody is seen, in seconds from the first picture."""

    start: Seconds
    end: Seconds


class SeenOut(Plain):
    """Somebody in a video; the name is blank where nobody has said it."""

    name: str
    face: UUID


class VideoOut(Plain):
    """A video in a list. Its posters are /pictures/{uuid}/320.webp and so on, as of photos."""

    uuid: UUID
    title: str = Field(description="the name of its file; blank for who does not see everything")
    taken_at: datetime
    width: int
    height: int
    duration: Seconds = Field(description="0 where it is not known yet")
    state: State
    share: float = Field(description="how much of it was looked at, 0 to 1")
    people: list[SeenOut] = Field(description="those who may be told, the longest seen first")
    people_count: int = Field(description="while it is looked at, at least so many")
    code: str = Field(description="of what went wrong; blank where all is well")
    message: str = Field(description="why it failed, or why nobody was found")
    warning: str = Field(description="which stretches could not be read, and why")
    plays: bool = Field(description="whether browsers play the file as it is")
    file: str = Field(description="where the file is; it can be asked for in parts (Range)")


class VideosOut(Schema):
    """A piece of the videos, the newest first."""

    total: int
    videos: list[VideoOut]
    next: Next


class VideoDetail(VideoOut):
    """A video, with what its file says of itself."""

    format: str
    codec: str
    frame_rate: float
    has_audio: bool
    albums: list[str]
    files: list[str]
    cuts: list[Seconds] = Field(description="when shots begin, but for the first")


class PartOut(Plain):
    """A segment, and how far it is."""

    part: int
    start: Seconds
    end: Seconds
    reached: Seconds
    state: str = Field(description="waiting, done or failed")
    people: int
    message: str = Field(description="why it failed")


class StatusOut(Plain):
    """How far a video is."""

    uuid: UUID
    title: str
    state: State
    share: float = Field(description="how much of it was looked at, 0 to 1")
    reached: Seconds = Field(description="so many seconds of it were looked at")
    duration: Seconds
    place: int | None = Field(description="in the queue, 1 for the next; null where it waits not")
    rate: float | None = Field(description="seconds of video a second, lately")
    seconds_left: Seconds | None = Field(description="that it takes once it is its turn")
    people: int = Field(description="who were found; while it is looked at, at least so many")
    code: str
    message: str = Field(description="why it failed, or why nobody was found")
    warning: str = Field(description="which stretches could not be read, and why")
    segments: list[PartOut] = Field(description="while it is looked at")


class QueueOut(Schema):
    """What is still to be looked at, in that order, and how long it takes."""

    videos: int
    unread: int = Field(description="of which nobody knows yet how long they are")
    seconds: Seconds = Field(description="of video, in the others")
    looked_at: Seconds = Field(description="of these")
    needed: Seconds = Field(description="that the rest takes, at this rate")
    rate: float = Field(description="seconds of video a second, by all workers")
    measured: bool = Field(description="false: nothing was looked at yet, and the rate is a guess")
    queue: list[StatusOut]
    next: Next


class Move(Schema):
    """Where in the queue: `to` first or last, or right `after` another video."""

    to: Literal["first", "last"] | None = None
    after: UUID | None = None


class TrackOut(Plain):
    """A face followed through a stretch; the box is that of its best picture."""

    id: int
    start: Seconds
    end: Seconds
    time: Seconds
    box: Box


class CastOut(Plain):
    """Somebody in a video."""

    face: UUID = Field(description="the best picture of them")
    crop: str = Field(description="where it is")
    time: Seconds
    box: Box
    person: PersonBrief | None = Field(description="whom a human confirmed")
    guess: PersonBrief | None = Field(description="a name that is blank is that of a group")
    probability: float | None
    you: bool = Field(description="whether it is you, as your selfies and others say")
    seconds: Seconds
    appearances: list[AppearanceOut]
    tracks: list[TrackOut]


class InVideoOut(Plain):
    """A video that somebody is in."""

    video: UUID
    taken_at: datetime
    duration: Seconds
    file: str
    face: UUID = Field(description="the best picture of them in it")
    crop: str
    time: Seconds
    probability: float | None = Field(description="null where a human confirmed it")
    appearances: list[AppearanceOut]


class InVideosOut(Schema):
    """A piece of the videos that somebody is in, the newest first."""

    videos: list[InVideoOut]
    next: Next


class MomentOut(Plain):
    """A shot in which all of them are seen."""

    video: UUID
    taken_at: datetime
    shot: AppearanceOut
    start: Seconds = Field(description="when the first of them is seen in it")
    end: Seconds = Field(description="when the last of them is gone")
    overlaps: list[AppearanceOut] = Field(description="when all are seen at the same time")


class MomentsOut(Schema):
    """A piece of the shots, those of the newest videos first."""

    moments: list[MomentOut]
    next: Next


class Sent(Schema):
    """A video that was sent: by what to ask what became of it."""

    task_id: UUID
    status_url: str
