"""Videos: what there is, who is in them and when, and how far the search for them is."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import File, Form, Query, Router, Status, UploadedFile

from lookwho.api import video_schemas as told
from lookwho.api.app import user_of
from lookwho.api.forms import for_senders
from lookwho.api.gate import gate
from lookwho.api.paging import Cursor, Limit, page, piece, taken
from lookwho.api.people import naming_scope
from lookwho.api.told_videos import Links, cast_of, moment_of, status_of, video_of
from lookwho.core.errors import FileMissing, Invalid, NotFound
from lookwho.library.models import Album, Face, Media
from lookwho.library.queries import appearances as seen_in
from lookwho.library.queries import people, photos, video_work
from lookwho.library.queries import videos as queries
from lookwho.library.queries.narrowing import narrowed
from lookwho.library.queries.videos import State
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import appearances, consents, forms, places, search
from lookwho.services import videos as services
from lookwho.services.originals import stream
from lookwho.services.pictures import CROP_SIDES

router = Router(tags=["videos"])
for_curators = gate(lambda user: user.sees_everything)

_FILTERS = (
    "Narrowed by: state (may be repeated), person (uuid, may be repeated), together (all, any, "
    "only), without (uuid), album, folder (uuid), since, until (2025-08-23)."
)
_FILE: dict[str, Any] = {
    "responses": {
        200: {"description": "OK", "content": {"video/*": {}, "application/*": {}}},
        206: {"description": "The part asked for", "content": {"video/*": {}, "application/*": {}}},
        304: {"description": "It is as it was"},
        416: {"description": "There is no such part"},
    }
}
_CROP: dict[str, Any] = {
    "responses": {
        200: {"description": "OK", "content": {"image/webp": {}}},
        206: {"description": "The part asked for", "content": {"image/webp": {}}},
        304: {"description": "It is as it was"},
        416: {"description": "There is no such part"},
    }
}


_EXPORT: dict[str, Any] = {
    "responses": {
        200: {
            "description": "OK",
            "content": {kind: {} for kind in appearances.CONTENT_TYPES.values()},
        }
    }
}


@router.get("/videos", response=told.VideosOut, description=_FILTERS)
def videos(
    request: HttpRequest,
    state: Query[list[State]] = [],  # noqa: B006  ninja makes a list of its own
    limit: Limit = 100,
    cursor: Cursor = "",
) -> told.VideosOut:
    """List the videos that the asker may see, the newest first."""
    part = narrowed(scope_of(user_of(request), Purpose.BROWSE), request.GET)
    chosen = queries.videos(part.scope, part.wanted, state)
    some, following = page(chosen, photos.NEWEST_FIRST, limit=limit, cursor=cursor)
    rows = queries.rows_of(part.scope, some, named=consents.may_be_named())
    links = Links(request)
    return told.VideosOut(
        total=chosen.count(), videos=[video_of(links, row) for row in rows], next=following
    )


@router.post("/videos", response={202: told.Sent}, auth=for_senders)
def send(
    request: HttpRequest, video: File[UploadedFile], album: Form[str] = ""
) -> Status[told.Sent]:
    """Send one video at once, as a form; `album` is the slug of the one that it joins.

    It is written to the disk as it comes. Over a line that breaks, rather send it in pieces: POST
    /uploads. What became of it is told where `status_url` says; once it is taken in, it is listed.
    """
    user = user_of(request)
    joins = Album.objects.filter(slug=album).first() if album else None
    if album and joins is None:
        raise NotFound("there is no such album, or it is not for you to see")
    upload = forms.take_video(user, joins, video)
    where = request.build_absolute_uri(f"/api/v1/uploads/{upload.uuid}")
    return Status(202, told.Sent(task_id=upload.uuid, status_url=where))


@router.get("/videos/status", response=told.QueueOut, auth=for_curators)
def statuses(request: HttpRequest, limit: Limit = 100, cursor: Cursor = "") -> told.QueueOut:
    """List the videos that are still to be looked at, in that order, and how long they take."""
    scope = scope_of(user_of(request), Purpose.BROWSE)
    found = video_work.estimate(scope)
    some, following = piece(queries.queue(scope), limit=limit, cursor=cursor)
    return told.QueueOut(
        videos=found.videos,
        unread=found.unread,
        seconds=found.seconds,
        looked_at=found.looked_at,
        needed=found.needed,
        rate=found.rate,
        measured=found.measured,
        queue=[status_of(row) for row in some],
        next=following,
    )


@router.get("/videos/together", response=told.MomentsOut)
def together(
    request: HttpRequest, person: Query[list[UUID]], limit: Limit = 100, cursor: Cursor = ""
) -> told.MomentsOut:
    """List the shots in which each of several people is seen (`person`, two or more).

    `limit` is that of the videos that are looked at.
    """
    scope = naming_scope(request)
    asked = {found.pk: found for uuid in person[:20] if (found := people.person(scope, uuid))}
    if len(asked) < 2:
        raise Invalid("name two people or more, each by `person`")
    chosen = seen_in.with_all(scope, list(asked.values()))
    videos, following = taken(
        lambda skip, take: list(chosen.order_by(*photos.NEWEST_FIRST)[skip : skip + take]),
        limit=limit,
        cursor=cursor,
    )
    found = seen_in.moments_in(videos, list(asked.values()))
    return told.MomentsOut(moments=[moment_of(each) for each in found], next=following)


@router.get("/videos/{uuid}", response=told.VideoDetail)
def video(request: HttpRequest, uuid: UUID) -> told.VideoDetail:
    """Return a video, and what its file says of itself."""
    media = seen(request, uuid)
    scope = scope_of(user_of(request), Purpose.BROWSE)
    row = queries.row_of(scope, media, named=consents.may_be_named())
    said = row.video
    return told.VideoDetail(
        **video_of(Links(request), row).model_dump(),
        format=media.format,
        codec=said.codec if said else "",
        frame_rate=said.frame_rate if said else 0.0,
        has_audio=said.has_audio if said else False,
        albums=[album.title for album in photos.albums_of(scope, media)],
        files=[str(place.file) for place in photos.places_of(scope, media)],
        cuts=seen_in.cuts_of(said),
    )


@router.get("/videos/{uuid}/status", response=told.StatusOut)
def status(request: HttpRequest, uuid: UUID) -> told.StatusOut:
    """Say how far a video is; the queue and the segments only to who sees everything."""
    media = seen(request, uuid)
    scope = scope_of(user_of(request), Purpose.BROWSE)
    return status_of(queries.row_of(scope, media, named=consents.may_be_named()))


@router.post("/videos/{uuid}/cancel", response={204: None}, auth=for_curators)
def cancel(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Look no further at a video; what was found of it so far goes."""
    services.cancel_video(user_of(request), seen(request, uuid))
    return Status(204, None)


@router.post("/videos/{uuid}/retry", response={202: told.StatusOut}, auth=for_curators)
def retry(request: HttpRequest, uuid: UUID) -> Status[told.StatusOut]:
    """Look at a video again that failed, was cancelled or could not be read in parts."""
    services.retry_video(user_of(request), seen(request, uuid))
    return Status(202, status(request, uuid))


@router.post("/videos/{uuid}/move", response=told.StatusOut, auth=for_curators)
def move(request: HttpRequest, uuid: UUID, asked: told.Move) -> told.StatusOut:
    """Give a video that waits another place in the queue."""
    media = seen(request, uuid)
    if (asked.to is None) == (asked.after is None):
        raise Invalid("say where to: `to` first or last, or `after` another video")
    where = seen(request, asked.after) if asked.after else asked.to or "first"
    services.move_video(user_of(request), media, where)
    return status(request, uuid)


@router.delete("/videos/{uuid}/analysis", response={204: None}, auth=for_curators)
def forget(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Forget whom a video shows; the video stays, and so does what humans said of it."""
    services.remove_analysis(user_of(request), seen(request, uuid))
    return Status(204, None)


@router.get("/videos/{uuid}/people", response=list[told.CastOut])
def cast(request: HttpRequest, uuid: UUID) -> list[told.CastOut]:
    """List who is in a video, and when: to members who agreed to be named, and themselves."""
    media, user = seen(request, uuid), user_of(request)
    scope = scope_of(user, Purpose.BROWSE)
    own = search.own_face(user, media)
    rows = seen_in.people_of(scope, media, named=consents.may_be_named(), own=own)
    links = Links(request)
    return [cast_of(links, row, own) for row in rows]


@router.get("/videos/{uuid}/appearances.{kind}", openapi_extra=_EXPORT)
def export(
    request: HttpRequest, uuid: UUID, kind: appearances.Kind, person: Query[UUID | None] = None
) -> HttpResponse:
    """Save when people are seen: as csv, vtt (WebVTT) or edl (CMX 3600); of one, or of all."""
    media = seen(request, uuid)
    scope = scope_of(user_of(request), Purpose.BROWSE)
    who = people.person(scope, person) if person else None
    file = appearances.exported(scope, media, kind, named=consents.may_be_named(), person=who)
    return saved(file)


@router.get("/videos/{uuid}/file", openapi_extra=_FILE)
def file(request: HttpRequest, uuid: UUID, save: bool = False) -> HttpResponseBase:
    """Return the file as it is, or the part of it that Range asks for."""
    user = user_of(request)
    return places.handed_over(request, seen(request, uuid), asker=user, save=save)


@router.api_operation(["HEAD"], "/videos/{uuid}/file", include_in_schema=False)
def about_file(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Say how long the file is."""
    return file(request, uuid)


@router.get("/faces/{uuid}/crop", openapi_extra=_CROP)
def crop(request: HttpRequest, uuid: UUID, side: int = CROP_SIDES[-1]) -> HttpResponseBase:
    """Return the picture of a face with some margin, or the part of it that Range asks for."""
    row = Face.objects.select_related("media").filter(uuid=uuid).first()
    if row is None or not places.may_see_face(user_of(request), row):
        raise NotFound("there is no such face, or it is not for you to see")
    if row.source == Face.Source.ABSENT:
        raise FileMissing("whoever is meant is in the photo, but no face of theirs shows")
    with NamedTemporaryFile(prefix="lookwho-") as file:  # it stays open while it is sent
        file.write(places.crop_of(row, side))
        file.flush()
        etag = places.tag_of_face(row, side)
        where = Path(file.name)
        return stream(request, where, kind="WEBP", name=f"{uuid}.webp", etag=etag, hand_over=False)


# --- parts, also of other nouns ---


def seen(request: HttpRequest, uuid: UUID) -> Media:
    """Return a video that the asker may see.

    Raises:
        NotFound: there is none, or it is not for the asker.
    """
    media = Media.objects.filter(uuid=uuid, kind=Media.Kind.VIDEO).first()
    if media is None or not search.may_see(user_of(request), media):
        raise NotFound("there is no such video, or it is not for you to see")
    return media


def saved(file: appearances.Export) -> HttpResponse:
    """Return a file that the browser saves."""
    response = HttpResponse(file.content, content_type=file.content_type)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
