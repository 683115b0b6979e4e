"""Uploads: photos and archives that come in pieces, by tus 1.0 (https://tus.io), and their state.

Of tus the core, creation, creation with the first piece, and termination. Whoever lost the line
asks by HEAD how much is there and goes on from it. Photos may be sent as a form, too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from ninja import Field, File, Form, Header, Router, Schema, Status, UploadedFile

from lookwho.api import schemas
from lookwho.api.app import api, user_of
from lookwho.api.gate import gate
from lookwho.api.paging import Cursor, Limit, page
from lookwho.api.work import import_of
from lookwho.core.errors import Conflict, Invalid, LookwhoError, NotFound, from_code
from lookwho.library.models import Album, Upload, User
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import receiving, uploads

TUS = "1.0.0"
_STREAM = "application/offset+octet-stream"
_CHUNK = 1 << 18

# A thousand photos are thousands of requests, from people who may add as many as they like.
router = Router(tags=["uploads"], auth=gate(lambda user: user.sees_everything), throttle=[])


class Refusal(Schema):
    """A file that was not taken, and why."""

    name: str
    code: str
    message: str


class UploadOut(Schema):
    """A file that is being sent, or was."""

    uuid: UUID
    name: str
    size: int = Field(description="in bytes")
    received: int = Field(description="bytes that are there")
    state: str = Field(description="receiving, unpacking, done, failed or cancelled")
    album: str | None = Field(description="the slug of the album that its photos join")
    kept: int = Field(description="photos that are new")
    known: int = Field(description="photos that were there already")
    refused: list[Refusal]
    code: str = Field(description="why nothing more comes of it; blank where all is well")
    message: str
    created_at: datetime


class Uploads(Schema):
    """A piece of the list."""

    uploads: list[UploadOut]
    next: str | None


@router.api_operation(
    ["OPTIONS"], "/uploads", response={204: None}, auth=None, include_in_schema=False
)
def options(request: HttpRequest) -> HttpResponse:
    """Say what of tus is spoken here."""
    answer = _tus(204)
    answer["Tus-Version"] = TUS
    answer["Tus-Extension"] = "creation,creation-with-upload,termination"
    answer["Tus-Max-Size"] = str(receiving.MOST_OF_ARCHIVE)
    return answer


@router.post("/uploads", response={201: None, 202: schemas.Uploaded})
def create(
    request: HttpRequest,
    files: File[list[UploadedFile]] = [],  # noqa: B006  ninja makes a list of its own
    album: Form[str] = "",
    upload_length: Header[int | None] = None,
    upload_metadata: Header[str] = "",
) -> Any:
    """Begin to send a file in pieces (Upload-Length), or send photos at once (a form).

    Upload-Metadata says `filename`, the slug of the `album` that its photos join, and a random
    `uuid` of the sender's, so that asking again begins no second file; each in base64, the last
    two may be left out. A body of type application/offset+octet-stream is the first piece. Where to
    send the others is the Location; HEAD there says by Upload-Offset how much is there.
    """
    user = user_of(request)
    if upload_length is None:
        return _at_once(request, user, files, album)
    told = _metadata(upload_metadata)
    in_album = _album(user, told.get("album", ""))
    name = told.get("filename", "")
    upload = receiving.begin(user, in_album, name, upload_length, uuid=_uuid(told.get("uuid", "")))
    # Begun a second time it may have come already: the answer was lost.
    if request.content_type == _STREAM and receiving.offset_of(upload) == 0:
        receiving.append(upload, 0, _pieces(request))
    refused = _finished(request, upload)
    answer = refused or _tus(201, upload)
    answer["Location"] = f"/api/v1/uploads/{upload.uuid}"
    return answer


@router.get("/uploads", response=Uploads)
def listing(
    request: HttpRequest, album: str = "", limit: Limit = 100, cursor: Cursor = ""
) -> Uploads:
    """List what was sent, the newest first; of one album, where its slug is told."""
    rows = Upload.objects.select_related("album")
    if album:
        rows = rows.filter(album=_album(user_of(request), album))
    found, after = page(rows, ("-created_at", "-pk"), limit=limit, cursor=cursor)
    return Uploads(uploads=[_told(row) for row in found], next=after)


@router.get("/uploads/{uuid}", response=UploadOut)
def status(request: HttpRequest, uuid: UUID) -> UploadOut:
    """Say how far a file is, and what became of it."""
    return _told(_any(uuid))


@router.api_operation(["HEAD"], "/uploads/{uuid}", response={200: None}, include_in_schema=False)
def offset(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Say how many bytes are there (Upload-Offset)."""
    upload = _own(request, uuid)
    if upload.state in (Upload.State.CANCELLED, Upload.State.FAILED):
        raise NotFound(f"{upload.name} is not being sent: {upload.error or 'it was cancelled'}")
    if receiving.offset_of(upload) == upload.size:
        receiving.finish(upload)  # the process may have died just before
    return _tus(200, upload)


@router.patch("/uploads/{uuid}", response={204: None})
def append(request: HttpRequest, uuid: UUID, upload_offset: Header[int]) -> HttpResponse:
    """Send the next piece, of at most 8 MB; the last one says what became of the file."""
    upload = _own(request, uuid)
    if request.content_type != _STREAM:
        raise Invalid(f"a piece is of the type {_STREAM}")
    try:
        receiving.append(upload, upload_offset, _pieces(request))
    except Conflict as error:
        upload.refresh_from_db()
        answer = _refusal(request, error)
        answer["Upload-Offset"] = str(receiving.offset_of(upload))
        return answer
    return _finished(request, upload) or _tus(204, upload)


@router.delete("/uploads/{uuid}", response={204: None})
def remove(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Stop sending or unpacking a file; of one that has ended, remove what is told of it."""
    upload = _any(uuid)
    if upload.state in receiving.LIVE:
        receiving.cancel(upload)
    else:
        receiving.forget_one(upload, by=user_of(request))
    return _tus(204)


# --- parts ---


def _at_once(
    request: HttpRequest, user: User, files: list[UploadedFile], album: str
) -> Status[schemas.Uploaded]:
    if not files:
        raise Invalid("send photos as `files`, or the length of one file as Upload-Length")
    added = uploads.add_uploads(cast(list[uploads.Upload], files), by=user, album_title=album)
    refused = [
        schemas.Refused(name=each.name, code=each.error.code, message=each.error.message)
        for each in added.refused
    ]
    scope = scope_of(user, Purpose.BROWSE)
    return Status(202, schemas.Uploaded(job=import_of(scope, added.job), refused=refused))


def _finished(request: HttpRequest, upload: Upload) -> HttpResponse | None:
    """Take a file in once all of it is there; return what is told where it is refused."""
    if receiving.offset_of(upload) < upload.size:
        return None
    receiving.finish(upload)
    if upload.state != Upload.State.FAILED:
        return None
    return _refusal(request, from_code(upload.error_code, upload.error))


def _refusal(request: HttpRequest, error: LookwhoError) -> HttpResponse:
    told = {"code": error.code, "message": error.message}
    answer = api.create_response(request, told, status=error.status)
    answer["Tus-Resumable"] = TUS
    return answer


def _tus(status: int, upload: Upload | None = None) -> HttpResponse:
    answer = HttpResponse(status=status)
    answer["Tus-Resumable"] = TUS
    answer["Cache-Control"] = "no-store"
    if upload is not None:
        answer["Upload-Offset"] = str(receiving.offset_of(upload))
        answer["Upload-Length"] = str(upload.size)
    return answer


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    """Yield what is sent, as long as the line holds.

    Raises:
        Invalid: it is more than one piece may be.
    """
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > receiving.PIECE:
        raise Invalid(f"send pieces of at most {receiving.PIECE >> 20} MB")
    left = receiving.PIECE
    while left > 0:
        try:
            chunk = request.read(min(_CHUNK, left))
        except UnreadablePostError:
            return  # what came counts, and the sender goes on from it
        if not chunk:
            return
        left -= len(chunk)
        yield chunk


def _metadata(told: str) -> dict[str, str]:
    """Return what Upload-Metadata says.

    Raises:
        Invalid: it cannot be read.
    """
    found: dict[str, str] = {}
    for pair in filter(None, map(str.strip, told.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise Invalid("Upload-Metadata cannot be read: it is `key base64, …`") from error
    return found


def _uuid(told: str) -> UUID | None:
    """Return a uuid.

    Raises:
        Invalid: it is none.
    """
    try:
        return UUID(told) if told else None
    except ValueError as error:
        raise Invalid("the uuid in Upload-Metadata is none") from error


def _album(user: User, slug: str) -> Album | None:
    if not slug:
        return None
    album = Album.objects.filter(slug=slug).first()
    if album is None:
        raise NotFound("there is no such album, or it is not for you to see")
    return album


def _any(uuid: UUID) -> Upload:
    upload = Upload.objects.select_related("album", "user").filter(uuid=uuid).first()
    if upload is None:
        raise NotFound("there is no such upload, or it is not for you to see")
    return upload


def _own(request: HttpRequest, uuid: UUID) -> Upload:
    upload = _any(uuid)
    if upload.user_id != user_of(request).pk:
        raise NotFound("there is no such upload, or it is not for you to see")
    return upload


def _told(row: Upload) -> UploadOut:
    return UploadOut(
        uuid=row.uuid,
        name=row.name,
        size=row.size,
        received=row.received,
        state=row.state,
        album=row.album.slug if row.album else None,
        kept=row.kept,
        known=row.known,
        refused=[Refusal(**each) for each in row.refused],
        code=row.error_code,
        message=row.error,
        created_at=row.created_at,
    )
