"""Told videos: rows about videos, as the API says them."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.http import HttpRequest

from lookwho.api import video_schemas as told
from lookwho.api.photos import brief
from lookwho.library.queries.appearances import Appearance, CastRow, InVideo, Moment
from lookwho.library.queries.videos import VideoRow


class Links:
    """Addresses for whoever asks, as they reach this site."""

    def __init__(self, request: HttpRequest) -> None:
        # Once, and not for each of a thousand.
        self._base = request.build_absolute_uri("/api/v1")

    def file(self, video: UUID) -> str:
        """Return where the file of a video is."""
        return f"{self._base}/videos/{video}/file"

    def crop(self, face: UUID) -> str:
        """Return where the picture of a face is."""
        return f"{self._base}/faces/{face}/crop"


def video_of(links: Links, row: VideoRow) -> told.VideoOut:
    """Return a video as it stands in lists."""
    return told.VideoOut(
        uuid=row.uuid,
        title=row.title,
        taken_at=row.taken_at,
        width=row.media.width,
        height=row.media.height,
        duration=row.duration,
        state=row.state,
        share=row.share,
        people=[told.SeenOut(name=each.name, face=each.face) for each in row.people],
        people_count=row.people_count,
        code=row.code,
        message=row.error,
        warning=row.warning,
        plays=row.plays,
        file=links.file(row.uuid),
    )


def status_of(row: VideoRow) -> told.StatusOut:
    """Return how far a video is."""
    return told.StatusOut(
        uuid=row.uuid,
        title=row.title,
        state=row.state,
        share=row.share,
        reached=row.reached,
        duration=row.duration,
        place=row.place,
        rate=row.rate,
        seconds_left=row.seconds_left,
        people=row.people_count,
        code=row.code,
        message=row.error,
        warning=row.warning,
        segments=[
            told.PartOut(
                part=each.part,
                start=each.start,
                end=each.end,
                reached=each.reached,
                state=each.state,
                people=each.people,
                message=each.error,
            )
            for each in row.segments
        ],
    )


def cast_of(links: Links, row: CastRow, own: int | None) -> told.CastOut:
    """Return somebody in a video; `own` is the id of the face that is the asker's."""
    guess = None if row.person else row.who
    return told.CastOut(
        face=row.face.uuid,
        crop=links.crop(row.face.uuid),
        time=row.face.time or 0.0,
        box=row.face.box,
        person=brief(row.person) if row.person else None,
        guess=brief(guess) if guess else None,
        probability=row.probability,
        you=any(face.pk == own for face in row.faces),
        seconds=row.seconds,
        appearances=appearances_of(row.appearances),
        tracks=[
            told.TrackOut(id=each.id, start=each.start, end=each.end, time=each.time, box=each.box)
            for each in row.tracks
        ],
    )


def in_video_of(links: Links, found: InVideo) -> told.InVideoOut:
    """Return a video that somebody is in."""
    return told.InVideoOut(
        video=found.media.uuid,
        taken_at=found.media.taken_at,
        duration=found.media.duration or 0.0,
        file=links.file(found.media.uuid),
        face=found.face,
        crop=links.crop(found.face),
        time=found.time,
        probability=found.probability,
        appearances=appearances_of(found.appearances),
    )


def moment_of(found: Moment) -> told.MomentOut:
    """Return a shot in which several people are seen."""
    start, end = found.shot
    return told.MomentOut(
        video=found.media.uuid,
        taken_at=found.media.taken_at,
        shot=told.AppearanceOut(start=start, end=end),
        start=found.start,
        end=found.end,
        overlaps=appearances_of(found.overlaps),
    )


def appearances_of(found: Iterable[Appearance]) -> list[told.AppearanceOut]:
    """Return stretches of time."""
    return [told.AppearanceOut(start=each.start, end=each.end) for each in found]
