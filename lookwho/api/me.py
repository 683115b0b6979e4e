"""Me: who asks, their selfies, and the photos they are in."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import File, Router, Status, UploadedFile

from lookwho.api import schemas
from lookwho.api.app import user_of
from lookwho.core.errors import NotFound
from lookwho.library.models import Reference
from lookwho.library.queries import photos as queries
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import search

router = Router(tags=["me"])


@router.get("/me", response=schemas.Me)
def me(request: HttpRequest) -> schemas.Me:
    """Return who asks."""
    user = user_of(request)
    return schemas.Me(name=user.username, role=user.role)


@router.get("/me/photos", response=list[schemas.MyPhoto])
def my_photos(request: HttpRequest) -> list[schemas.MyPhoto]:
    """List the photos that the asker is in, or may be in, the newest first."""
    user = user_of(request)
    matches = search.my_photos(user)
    tiles = queries.tiles_of(scope_of(user, Purpose.BROWSE), [match.media for match in matches])
    return [
        schemas.MyPhoto(
            **schemas.photo_of(tile).dict(), probability=match.probability, mine=match.mine
        )
        for match, tile in zip(matches, tiles, strict=True)
    ]


@router.get("/me/selfies", response=list[schemas.Selfie])
def selfies(request: HttpRequest) -> list[schemas.Selfie]:
    """List the asker's own selfies."""
    rows = Reference.objects.filter(user=user_of(request), deleted_at=None).order_by("pk")
    return [_selfie(row) for row in rows]


@router.post("/me/selfies", response={201: schemas.Selfie})
def add_selfie(request: HttpRequest, file: File[UploadedFile]) -> Status[schemas.Selfie]:
    """Add a selfie: a picture of exactly one face, the asker's own."""
    return Status(201, _selfie(search.add_selfie(user_of(request), file)))


@router.delete("/me/selfies/{uuid}", response={204: None})
def remove_selfie(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Remove a selfie and all that was made of it."""
    user = user_of(request)
    selfie = Reference.objects.filter(uuid=uuid, user=user).first()
    if selfie is None:
        raise NotFound("there is no such selfie: it was removed already")
    search.remove_selfie(user, selfie)
    return Status(204, None)


def _selfie(row: Reference) -> schemas.Selfie:
    return schemas.Selfie(
        uuid=row.uuid,
        state=row.state,
        code=row.error_code,
        message=row.error,
        created_at=row.created_at,
    )
