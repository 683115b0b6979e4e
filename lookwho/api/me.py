"""Me: who asks, their selfies, the photos they are in, and what they say of those."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Field, File, Form, Router, Schema, Status, UploadedFile

from lookwho.api import schemas
from lookwho.api.app import user_of
from lookwho.api.paging import Cursor, Limit, cursor_of, number_in
from lookwho.core.errors import FileMissing, Invalid, NotFound
from lookwho.library.models import Face, Media, Reference, User
from lookwho.library.queries import likes, mine
from lookwho.library.queries.likes import NONE
from lookwho.library.scope import Purpose, scope_of
from lookwho.library.vectors.listing import listed
from lookwho.services import consents, news, search, selfies
from lookwho.services import me as services

router = Router(tags=["me"])
# What a token may do with selfies is told apart from what it may do with photos.
REFERENCES = ["references"]
_PICTURE = {"responses": {200: {"description": "OK", "content": {"image/*": {}}}}}


class Me(Schema):
    """Who asks."""

    name: str
    role: str
    email: str
    wants_mail: bool = Field(description="a mail when new photos of them appear")
    visited_at: datetime | None = Field(description="when they last looked at their photos")


class MeChange(Schema):
    """What is to be otherwise."""

    wants_mail: bool


class Pictures(Schema):
    """Where a photo is, in sizes: its longer side in pixels."""

    small: str = Field(description="320")
    medium: str = Field(description="640")
    large: str = Field(description="1600")
    original: str = Field(description="the file as it is")


class InAlbum(Schema):
    """The event that a photo is from."""

    slug: str
    title: str


class MyPhoto(schemas.Photo):
    """A photo that the asker is in, or may be in."""

    face: UUID = Field(description="the face that is theirs: to say that it is, or is not")
    probability: float
    mine: bool = Field(description="false: it is only perhaps them")
    new: bool = Field(description="came since they last looked")
    album: InAlbum | None
    likes: int
    liked: bool
    pictures: Pictures


class MyPhotos(Schema):
    """A piece of the photos that the asker is in, or may be in, the newest first."""

    total: int
    photos: list[MyPhoto]
    next: schemas.Next


class Selfie(Schema):
    """One of the asker's own selfies."""

    uuid: UUID
    state: str = Field(description="processing, done or rejected")
    approved: bool = Field(description="false: it waits for somebody to approve it")
    code: str = Field(description="why it was rejected")
    message: str
    created_at: datetime
    picture: str | None = Field(description="where it is; null where it was not kept")


class Said(Schema):
    """Whether a face is the asker's own."""

    me: bool


@router.get("/me", response=Me)
def me(request: HttpRequest) -> Me:
    """Return who asks."""
    return _me(user_of(request))


@router.patch("/me", response=Me)
def change_me(request: HttpRequest, asked: MeChange) -> Me:
    """Be told of new photos by mail, or no more."""
    user = user_of(request)
    news.want_mail(user, asked.wants_mail)
    return _me(user)


# --- photos ---


@router.get("/me/photos", response=MyPhotos)
def my_photos(
    request: HttpRequest,
    limit: Limit = 100,
    cursor: Cursor = "",
    mine_only: bool = False,
    new: bool = False,
    album: str = "",
) -> MyPhotos:
    """List the photos that the asker is in, or may be in, the newest first.

    Narrowed by: mine_only (without those that may be them), new, album (its slug).
    """
    user = user_of(request)
    scope = scope_of(user, Purpose.FIND_SELF)
    hits = [hit for hit in search.hits(user, scope=scope) if hit.mine or not mine_only]
    ids = [hit.media for hit in hits]
    of = {
        pk: section
        for section in mine.sections(scope, [(hit.media, hit.day) for hit in hits])
        for pk in section.media
        if section.slug
    }
    since = user.visited_at
    fresh = mine.arrived(scope, ids, since) if since else set[int]()
    wanted = [
        hit
        for hit in hits
        if (not new or hit.media in fresh)
        and (not album or (hit.media in of and of[hit.media].slug == album))
    ]
    left = _behind(cursor, wanted) if cursor else wanted
    part, rest = left[:limit], left[limit:]
    faces = Face.objects.filter(pk__in=listed([hit.face for hit in part]))
    uuids = dict(faces.values_list("pk", "uuid"))
    tiles = dict(mine.tiles(scope, [hit.media for hit in part]))
    liked = likes.of(user, Media.objects.filter(pk__in=listed(tiles)).only("pk"))
    return MyPhotos(
        total=len(wanted),
        photos=[
            MyPhoto(
                **schemas.photo_of(tiles[hit.media]).dict(),
                face=uuids[hit.face],
                probability=hit.probability,
                mine=hit.mine,
                new=hit.media in fresh,
                album=_album(of.get(hit.media)),
                likes=liked.get(hit.media, NONE).count,
                liked=liked.get(hit.media, NONE).mine,
                pictures=_pictures(tiles[hit.media].uuid),
            )
            for hit in part
            if hit.media in tiles and hit.face in uuids  # gone since a moment
        ],
        next=cursor_of([part[-1].media]) if rest else None,
    )


@router.put("/me/faces/{uuid}", response=schemas.Done)
def say(request: HttpRequest, uuid: UUID, asked: Said) -> schemas.Done:
    """Say of a face that one is offered that it is one's own, or that it is not."""
    face = Face.objects.filter(uuid=uuid).first()
    if face is None:
        raise NotFound("there is no such face, or it is not for you to see")
    user = user_of(request)
    done = services.this_is_me(user, face) if asked.me else services.not_me(user, face)
    return schemas.Done(batch=done.batch, message=done.message)


@router.post("/me/undo", response=schemas.Done)
def undo(request: HttpRequest, asked: schemas.Undo) -> schemas.Done:
    """Take back what one said of a face."""
    done = services.undo(user_of(request), asked.batch)
    return schemas.Done(batch=done.batch, message=done.message)


# --- selfies ---


@router.get("/me/selfies", response=list[Selfie], tags=REFERENCES)
def list_selfies(request: HttpRequest) -> list[Selfie]:
    """List the asker's own selfies: five at most, and those that could not be used."""
    return [_selfie(row) for row in selfies.live(user_of(request)).order_by("pk")]


@router.post("/me/selfies", response={201: Selfie}, tags=REFERENCES)
def add_selfie(
    request: HttpRequest,
    file: File[UploadedFile],
    agree: Form[bool] = False,
    version: Form[int] = 0,
) -> Status[Selfie]:
    """Add a selfie: a picture of exactly one face, the asker's own.

    Who has not agreed to be found yet does so first (POST /me/consents), or with `agree` and the
    version of the text that they were shown.
    """
    user = user_of(request)
    if agree:
        consents.give(user, consents.FIND, version=version)
    return Status(201, _selfie(search.add_selfie(user, file)))


@router.get("/me/selfies/{uuid}/picture", tags=REFERENCES, openapi_extra=_PICTURE)
def selfie_picture(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Return the picture of a selfie."""
    row = _own(user_of(request), uuid)
    if not row.file:
        raise FileMissing("this picture was not kept")
    try:
        data = (settings.SELFIES / row.file).read_bytes()
    except OSError:
        raise FileMissing("the picture is gone: add it again") from None
    response = HttpResponse(data, content_type=f"image/{row.file.rpartition('.')[2]}")
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response


@router.delete("/me/selfies/{uuid}", response={204: None}, tags=REFERENCES)
def remove_selfie(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Remove a selfie: nothing is found by it any more."""
    user = user_of(request)
    search.remove_selfie(user, _own(user, uuid))
    return Status(204, None)


def _own(user: User, uuid: UUID) -> Reference:
    row = selfies.live(user).filter(uuid=uuid).first()
    if row is None:
        raise NotFound("there is no such selfie: it was removed already")
    return row


def _me(user: User) -> Me:
    return Me(
        name=user.username,
        role=user.role,
        email=user.email,
        wants_mail=user.wants_mail,
        visited_at=user.visited_at,
    )


def _behind(cursor: str, hits: list[search.Hit]) -> list[search.Hit]:
    """Return the photos that come after the one that a cursor names, whether it is there or not."""
    last = Media.objects.filter(pk=number_in(cursor)).first()
    if last is None:
        raise Invalid("this cursor is none of this list: begin without one")
    earlier = Media.objects.filter(pk__in=listed([hit.media for hit in hits])).filter(
        Q(taken_at__lt=last.taken_at) | Q(taken_at=last.taken_at, pk__lt=last.pk)
    )
    behind = set(earlier.values_list("pk", flat=True))
    return [hit for hit in hits if hit.media in behind]


def _album(section: mine.Section | None) -> InAlbum | None:
    return InAlbum(slug=section.slug, title=section.title) if section else None


def _pictures(uuid: UUID) -> Pictures:
    small, medium, large = (f"/pictures/{uuid}/{side}.webp" for side in (320, 640, 1600))
    return Pictures(small=small, medium=medium, large=large, original=f"/originals/{uuid}")


def _selfie(row: Reference) -> Selfie:
    return Selfie(
        uuid=row.uuid,
        state=row.state,
        approved=row.approved,
        code=row.error_code,
        message=row.error,
        created_at=row.created_at,
        picture=f"/api/v1/me/selfies/{row.uuid}/picture" if row.file else None,
    )
