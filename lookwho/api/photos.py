"""Photos: what is there, and who is in it."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema

from lookwho.api import schemas
from lookwho.api.app import user_of
from lookwho.api.gate import gate, names_faces
from lookwho.api.paging import Cursor, Limit, page
from lookwho.api.people import done_of, faces_chosen, naming_scope
from lookwho.core.errors import NotFound
from lookwho.core.types import Reason
from lookwho.library.models import Face, Media, Person
from lookwho.library.queries import photos as queries
from lookwho.library.queries.narrowing import narrowed
from lookwho.library.queries.photos import ShownFace
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import consents, drawing, faces, search

router = Router(tags=["photos"])
for_annotators = gate(names_faces)

_FILTERS = (
    "Narrowed by: person (uuid, may be repeated), together (all, any, only), without (uuid), "
    "album, folder (uuid), since, until (2025-08-23), faces (none)."
)


@router.get("/photos", response=schemas.Photos, description=_FILTERS)
def photos(
    request: HttpRequest,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> schemas.Photos:
    """List the photos that the asker may see, the newest first."""
    part = narrowed(scope_of(user_of(request), Purpose.BROWSE), request.GET)
    chosen = queries.photos(part.scope, part.wanted)
    rows, following = page(chosen, queries.NEWEST_FIRST, limit=limit, cursor=cursor)
    return schemas.Photos(
        total=chosen.count(),
        photos=[schemas.photo_of(tile) for tile in queries.tiles_of(part.scope, rows)],
        next=following,
    )


@router.get("/photos/days", response=list[schemas.Day], description=_FILTERS)
def days(request: HttpRequest) -> list[schemas.Day]:
    """List the days that have photos, the newest first."""
    part = narrowed(scope_of(user_of(request), Purpose.BROWSE), request.GET)
    return [
        schemas.Day(day=day, photos=count) for day, count in queries.days(part.scope, part.wanted)
    ]


@router.get("/photos/{uuid}", response=schemas.PhotoDetail)
def photo(request: HttpRequest, uuid: UUID) -> schemas.PhotoDetail:
    """Return a photo and its faces: to members of those who agreed to be named, and no others."""
    user = user_of(request)
    media = Media.objects.filter(uuid=uuid).first()
    if media is None or not search.may_see(user, media):
        raise NotFound("there is no such photo, or it is not for you to see")
    scope = scope_of(user, Purpose.BROWSE)
    (tile,) = queries.tiles_of(scope, [media])
    analysis = queries.analysis_of(media)
    reason = ""
    if analysis:
        reason = Reason(analysis.reason).message if analysis.reason else analysis.error
    return schemas.PhotoDetail(
        **schemas.photo_of(tile).dict(),
        format=media.format,
        state=analysis.state if analysis else "",
        reason=reason,
        faces=[
            _face(shown) for shown in queries.faces_in(scope, media, named=consents.may_be_named())
        ],
        albums=[album.title for album in queries.albums_of(scope, media)],
        files=[str(place.file) for place in queries.places_of(scope, media)],
    )


@router.get("/faces/{uuid}/suggestions", response=list[schemas.Suggestion])
def suggestions(request: HttpRequest, uuid: UUID) -> list[schemas.Suggestion]:
    """Say which named people a face may be, the likeliest first."""
    scope = scope_of(user_of(request), Purpose.NAME)
    face = scope.faces().filter(uuid=uuid).first() if scope.names else None
    if face is None:
        raise NotFound("there is no such face, or it is not for you to see")
    return [
        schemas.Suggestion(person=brief(found.person), probability=found.probability)
        for found in search.find_by_face(scope, face, by=user_of(request))
    ]


# --- faces drawn by hand ---


class Drawn(Schema):
    """A face that was overlooked; the box is x1, y1, x2, y2 as fractions of the upright photo."""

    box: schemas.Box
    name: str = Field("", description="whose face it is; blank where that is not known")


class Absent(Schema):
    """Somebody in a photo with no visible face."""

    name: str


class Framed(Schema):
    """Where a face really is: x1, y1, x2, y2 as fractions of the upright photo."""

    box: schemas.Box


@router.post("/photos/{uuid}/faces", response=schemas.Done, auth=for_annotators)
def draw(request: HttpRequest, uuid: UUID, asked: Drawn) -> schemas.Done:
    """Draw a face that was overlooked."""
    media = _nameable(request, uuid)
    return done_of(drawing.draw(user_of(request), media, asked.box, asked.name))


@router.post("/photos/{uuid}/absent", response=schemas.Done, auth=for_annotators)
def absent(request: HttpRequest, uuid: UUID, asked: Absent) -> schemas.Done:
    """Say that somebody is in a photo with no visible face."""
    return done_of(drawing.absent(user_of(request), _nameable(request, uuid), asked.name))


@router.put("/faces/{uuid}/box", response=schemas.Done, auth=for_annotators)
def fix_box(request: HttpRequest, uuid: UUID, asked: Framed) -> schemas.Done:
    """Say where a face really is."""
    (face,) = faces_chosen(naming_scope(request), [uuid])
    return done_of(faces.fix_box(user_of(request), face, asked.box))


def _nameable(request: HttpRequest, uuid: UUID) -> Media:
    """Return a photo in which the asker may name faces.

    Raises:
        NotFound: there is none.
    """
    media = naming_scope(request).media().filter(uuid=uuid).first()
    if media is None:
        raise NotFound("there is no such photo, or it is not for you to see")
    return media


def brief(person: Person) -> schemas.PersonBrief:
    """Return a person in short."""
    return schemas.PersonBrief(uuid=person.uuid, name=person.name)


def _face(shown: ShownFace) -> schemas.FaceIn:
    face: Face = shown.face
    return schemas.FaceIn(
        uuid=face.uuid,
        box=face.box,
        score=face.score,
        quality=face.quality,
        source=face.source,
        person=brief(shown.person) if shown.person else None,
        guess=brief(shown.guess) if shown.guess else None,
        probability=face.probability if shown.guess else None,
    )
