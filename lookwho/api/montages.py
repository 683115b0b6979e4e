"""Montages and copies: what is made of videos when somebody asks; and tracks that are put right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Field, Router, Schema, Status

from lookwho.api.app import user_of
from lookwho.api.gate import gate, names_faces
from lookwho.api.people import done_of, faces_chosen, naming_scope
from lookwho.api.schemas import Done
from lookwho.api.videos import seen
from lookwho.core.errors import NotFound
from lookwho.library.models import Track
from lookwho.library.queries import people
from lookwho.library.scope import Scope
from lookwho.services import montages, places, proxies, tracks
from lookwho.services.originals import stream

router = Router(tags=["videos"])
for_annotators = gate(names_faces)

_KINDS = {".mp4": "MP4", ".webm": "WEBM", ".webp": "WEBP"}
_ANY = {"video/*": {}, "image/webp": {}}
_FILE: dict[str, Any] = {
    "responses": {
        200: {"description": "OK", "content": _ANY},
        206: {"description": "The part asked for", "content": _ANY},
        304: {"description": "It is as it was"},
        416: {"description": "There is no such part"},
    }
}


class CopyOut(Schema):
    """How far the copy of a video is that browsers play."""

    state: str = Field(description="none, waiting, ready or failed")
    share: float = Field(description="how much of it is made, 0 to 1")
    message: str = Field(description="why it could not be made")


class MontageIn(Schema):
    """What to make: a contact sheet, or a short film."""

    person: UUID | None = Field(None, description="of whom; null for oneself")
    kind: Literal["sheet", "montage"] = "montage"


class SceneOut(Schema):
    """A part of a montage, and where in which video it is from, in seconds."""

    video: UUID
    day: date
    start: float
    end: float
    at: float = Field(description="when it begins in the montage; 0 on a contact sheet")


class MontageOut(Schema):
    """A montage, and how far it is."""

    uuid: UUID
    kind: str
    state: str = Field(description="waiting, running, ready, failed, cancelled or gone")
    share: float = Field(description="how much of it is made, 0 to 1")
    message: str = Field(description="why it could not be made")
    scenes: list[SceneOut]


class Tracks(Schema):
    """Some stretches of one face of a video, by their ids."""

    tracks: list[int] = Field(min_length=1, max_length=5000)


class TracksSplit(Tracks):
    """Stretches that are somebody else."""

    name: str | None = Field(None, description="who, where that is known")


class TracksMoved(Tracks):
    """Stretches that belong to another face of the same video."""

    face: UUID


# --- copies that browsers play ---


@router.get("/videos/{uuid}/copy", response=CopyOut)
def copy(request: HttpRequest, uuid: UUID) -> CopyOut:
    """Say whether there is a copy of a video that browsers play, or how far it is."""
    found = proxies.state(seen(request, uuid))
    return CopyOut(state=found.state, share=found.share, message=found.error)


@router.post("/videos/{uuid}/copy", response={202: CopyOut})
def ask_for_copy(request: HttpRequest, uuid: UUID) -> Status[CopyOut]:
    """Have a copy of a video made that browsers play."""
    proxies.ask(user_of(request), seen(request, uuid))
    return Status(202, copy(request, uuid))


@router.delete("/videos/{uuid}/copy", response={204: None})
def cancel_copy(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Make no copy after all; one that is made already stays."""
    proxies.cancel(user_of(request), seen(request, uuid))
    return Status(204, None)


@router.get("/videos/{uuid}/copy/file", openapi_extra=_FILE)
def copied(request: HttpRequest, uuid: UUID, save: bool = False) -> HttpResponseBase:
    """Return the copy, or the part of it that Range asks for."""
    media = seen(request, uuid)
    path = proxies.path_of(media)
    if path is None:
        raise NotFound("there is no copy of this video: ask for one first")
    return stream(
        request,
        path,
        kind=_KINDS.get(path.suffix, ""),
        name=f"{media.uuid}{path.suffix}",
        etag=places.tag_of(media, "copy", path.stat().st_size),  # one made anew may differ
        save=save,
    )


# --- montages ---


@router.post("/montages", response={202: MontageOut})
def ask_for_montage(request: HttpRequest, asked: MontageIn) -> Status[MontageOut]:
    """Have moments of one person put together from all videos that the asker may see."""
    user = user_of(request)
    who = people.person(naming_scope(request), asked.person) if asked.person else None
    job = montages.ask(user, who, asked.kind)
    return Status(202, montage(request, job.uuid))


@router.get("/montages/{uuid}", response=MontageOut)
def montage(request: HttpRequest, uuid: UUID) -> MontageOut:
    """Say how far a montage is that the asker asked for, and what is in it."""
    found = montages.state(user_of(request), uuid)
    return MontageOut(
        uuid=found.uuid,
        kind=found.kind,
        state=found.state,
        share=found.share,
        message=found.error,
        scenes=[
            SceneOut(video=each.media, day=each.day, start=each.start, end=each.end, at=each.at)
            for each in found.scenes
        ],
    )


@router.delete("/montages/{uuid}", response={204: None})
def cancel_montage(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Make no montage after all."""
    montages.cancel(user_of(request), uuid)
    return Status(204, None)


@router.get("/montages/{uuid}/file", openapi_extra=_FILE)
def made(request: HttpRequest, uuid: UUID, save: bool = False) -> HttpResponseBase:
    """Return the contact sheet (WebP) or the film (WebM), or the part that Range asks for."""
    path = montages.path_of(user_of(request), uuid)
    kind, name = _KINDS.get(path.suffix, ""), f"moments{path.suffix}"
    return stream(request, path, kind=kind, name=name, etag=uuid.hex, save=save)


# --- tracks ---


@router.post("/tracks/split", response=Done, auth=for_annotators)
def split(request: HttpRequest, asked: TracksSplit) -> Done:
    """Say that some stretches of a face of a video are somebody else."""
    rows = _tracks(naming_scope(request), asked.tracks)
    return done_of(tracks.split_tracks(user_of(request), rows, name=asked.name))


@router.post("/tracks/move", response=Done, auth=for_annotators)
def move(request: HttpRequest, asked: TracksMoved) -> Done:
    """Say that some stretches of a face belong to another face of the same video."""
    scope = naming_scope(request)
    (face,) = faces_chosen(scope, [asked.face])
    return done_of(tracks.move_tracks(user_of(request), _tracks(scope, asked.tracks), face))


def _tracks(scope: Scope, ids: Sequence[int]) -> list[Track]:
    """Return these tracks.

    Raises:
        NotFound: one of them is not there, or not in the scope.
    """
    known = [pk for pk in set(ids) if 0 < pk < 1 << 63]
    found = Track.objects.filter(pk__in=known, face__in=scope.faces().values("pk"))
    rows = list(found.select_related("face").order_by("start", "pk"))
    if len(rows) < len(set(ids)):
        raise NotFound("one of these stretches is not there any more, or not for you to see")
    return rows
