"""Albums and likes: what there is by event, what is in it, and which photos are liked."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from lookwho.api import schemas
from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.api.paging import Cursor, Limit, page, piece
from lookwho.core.errors import NotFound
from lookwho.library.models import Album, Media, Team
from lookwho.library.queries import albums as queries
from lookwho.library.queries import likes as counted
from lookwho.library.queries import photos
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import albums as services
from lookwho.services import likes, search
from lookwho.services.albums import Chosen

router = Router(tags=["albums"])
for_curators = gate(lambda user: user.sees_everything)


class AlbumOut(Schema):
    """An album."""

    uuid: UUID
    slug: str = Field(description="what its address ends with")
    title: str
    date: datetime.date | None
    event: str
    academic_year: str = Field(description="such as 2026–2027; blank without a date")
    photos: int = Field(description="how many you may see")
    new: int = Field(description="of those, how many came since your last visit")
    cover: UUID | None = Field(description="the photo to show: /pictures/{uuid}/640.webp")
    hidden: bool
    processing: bool = Field(description="whether members do not see it yet")
    consenting_only: bool
    teams: list[str] = Field(description="who alone sees it; none for all members")


class Tab(Schema):
    """A part of the albums by time."""

    year: str = Field(description="for ?year=: the year in which it began, older or undated")
    albums: int


class Albums(Schema):
    """A part of the albums, the newest first."""

    total: int
    years: list[Tab] = Field(description="of all albums that you may see")
    albums: list[AlbumOut]
    next: str | None


class AlbumChange(Schema):
    """What is to be another; what is left out stays."""

    title: str | None = None
    date: datetime.date | None = None
    event: str | None = None
    slug: str | None = None
    hidden: bool | None = None
    processing: bool | None = None
    consenting_only: bool | None = None
    teams: list[UUID] | None = Field(None, description="who alone sees it; none for all members")
    cover: UUID | None = Field(None, description="a photo of the album; null: Lookwho chooses")


class AlbumIn(Schema):
    """A new album."""

    title: str
    date: datetime.date | None = None
    event: str = ""
    slug: str | None = Field(None, description="what its address ends with, if not like the title")
    hidden: bool = False
    consenting_only: bool = False
    teams: list[UUID] = Field(default=[], description="who alone sees it; none for all")


class PhotosChosen(Schema):
    """Some photos."""

    photos: list[UUID] = Field(min_length=1, max_length=5000)


class Moved(Schema):
    """How many photos joined an album, or left it."""

    photos: int


class Likes(Schema):
    """Who likes a photo."""

    likes: int = Field(description="how many do")
    liked: bool = Field(description="whether you do")


class LikedPhoto(schemas.Photo, Likes):
    """A photo, and who likes it."""


class LikedPhotos(Schema):
    """A part of some photos."""

    total: int
    photos: list[LikedPhoto]
    next: str | None


# --- albums ---


@router.get("/albums", response=Albums)
def albums(
    request: HttpRequest,
    search: schemas.Words = "",
    year: schemas.Words = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Albums:
    """List the albums that you may see, the newest first.

    Each word of `search` is in the title, the event or the date.
    """
    scope = _scope(request)
    every = queries.entries(scope)
    found = queries.chosen(every, words=search, tab=year)
    part, further = piece(found, limit=limit, cursor=cursor)
    return Albums(
        total=len(found),
        years=[Tab(year=each.value, albums=each.count) for each in queries.tabs(every)],
        albums=_told(request, scope, part),
        next=further,
    )


@router.post("/albums", response={201: AlbumOut}, auth=for_curators)
def make(request: HttpRequest, asked: AlbumIn) -> Status[AlbumOut]:
    """Make an album."""
    chosen = _chosen(asked.dict(exclude_unset=True))
    return Status(201, _one(request, services.make(user_of(request), **chosen)))


@router.get("/albums/{slug}", response=AlbumOut)
def album(request: HttpRequest, slug: str) -> AlbumOut:
    """Return one album."""
    return _one(request, queries.album(_scope(request), slug))


@router.patch("/albums/{slug}", response=AlbumOut, auth=for_curators)
def change(request: HttpRequest, slug: str, asked: AlbumChange) -> AlbumOut:
    """Change what is known of an album, who sees it, and its cover."""
    user, row = user_of(request), queries.album(_scope(request), slug)
    told = asked.dict(exclude_unset=True)
    if told.get("cover"):
        told["cover"] = _media(request, told["cover"])
    return _one(request, services.change(user, row, **_chosen(told)))


@router.delete("/albums/{slug}", response={204: None}, auth=for_curators)
def remove(request: HttpRequest, slug: str) -> Status[None]:
    """Remove an album with the links to it; its photos stay."""
    services.remove(user_of(request), queries.album(_scope(request), slug))
    return Status(204, None)


@router.get("/albums/{slug}/photos", response=LikedPhotos)
def album_photos(
    request: HttpRequest, slug: str, limit: Limit = 100, cursor: Cursor = ""
) -> LikedPhotos:
    """List the photos of an album, the newest first."""
    scope = _scope(request)
    inside = queries.inside(scope, queries.album(scope, slug)).media()
    media, further = page(inside, photos.NEWEST_FIRST, limit=limit, cursor=cursor)
    return LikedPhotos(total=inside.count(), photos=_liked(request, scope, media), next=further)


@router.post("/albums/{slug}/photos", response=Moved, auth=for_curators)
def add(request: HttpRequest, slug: str, asked: PhotosChosen) -> Moved:
    """Put photos into an album."""
    row = queries.album(_scope(request), slug)
    return Moved(photos=services.add(user_of(request), row, _several(request, asked.photos)))


@router.post("/albums/{slug}/photos/remove", response=Moved, auth=for_curators)
def take_out(request: HttpRequest, slug: str, asked: PhotosChosen) -> Moved:
    """Take photos out of an album; they stay where they lie."""
    row = queries.album(_scope(request), slug)
    return Moved(photos=services.take_out(user_of(request), row, _several(request, asked.photos)))


# --- likes ---


@router.get("/photos/liked", response=LikedPhotos, tags=["photos"])
def liked(request: HttpRequest, limit: Limit = 100, cursor: Cursor = "") -> LikedPhotos:
    """List the photos that you like, the newest first."""
    found = likes.liked_by(user_of(request))
    part, further = piece(found, limit=limit, cursor=cursor)
    return LikedPhotos(
        total=len(found), photos=_liked(request, _scope(request), part), next=further
    )


@router.get("/photos/most-liked", response=list[LikedPhoto], tags=["photos"])
def most_liked(request: HttpRequest) -> list[LikedPhoto]:
    """List the twelve photos that most people like, of those that you may see."""
    scope = _scope(request)
    return _liked(request, scope, [media for media, _ in counted.most_liked(scope)])


@router.get("/photos/{uuid}/like", response=Likes, tags=["photos"])
def like_of(request: HttpRequest, uuid: UUID) -> Likes:
    """Say how many like a photo, and whether you do."""
    return _likes(request, _media(request, uuid))


@router.post("/photos/{uuid}/like", response={200: Likes, 201: Likes}, tags=["photos"])
def like(request: HttpRequest, uuid: UUID) -> Status[Likes]:
    """Like a photo: 201 where that is new, else 200."""
    media = _media(request, uuid)
    new = likes.like(user_of(request), media)
    return Status(201 if new else 200, _likes(request, media))


@router.delete("/photos/{uuid}/like", response={202: Likes, 204: None}, tags=["photos"])
def unlike(request: HttpRequest, uuid: UUID) -> Status[Likes] | Status[None]:
    """Take a like back: 202 where there was one, else 204."""
    media = _media(request, uuid)
    if likes.unlike(user_of(request), media):
        return Status(202, _likes(request, media))
    return Status(204, None)


def _scope(request: HttpRequest) -> Scope:
    return scope_of(user_of(request), Purpose.BROWSE)


def _media(request: HttpRequest, uuid: UUID) -> Media:
    media = Media.objects.filter(uuid=uuid).first()
    if media is None or not search.may_see(user_of(request), media):
        raise NotFound("there is no such photo, or it is not for you to see")
    return media


def _several(request: HttpRequest, uuids: Sequence[UUID]) -> list[Media]:
    found = list(_scope(request).media().filter(uuid__in=uuids))
    if len(found) < len(set(uuids)):
        raise NotFound("one of these photos is not there, or it is not for you to see")
    return found


def _chosen(told: dict[str, Any]) -> Chosen:
    """Return what is to be another, as services take it; null means nothing of most of it."""
    chosen: dict[str, Any] = {
        name: value
        for name, value in told.items()
        if value is not None or name in ("date", "cover")
    }
    if "teams" in chosen:
        teams = list(Team.objects.filter(uuid__in=chosen["teams"]))
        if len(teams) < len(set(chosen["teams"])):
            raise NotFound("one of these teams is not there")
        chosen["teams"] = teams
    return cast(Chosen, chosen)


def _told(
    request: HttpRequest, scope: Scope, rows: Sequence[queries.Entry | Album]
) -> list[AlbumOut]:
    shown = queries.shown(scope, rows, since=user_of(request).visited_before)
    return [
        AlbumOut(
            uuid=each.album.uuid,
            slug=each.album.slug,
            title=each.album.title,
            date=each.album.date,
            event=each.album.event,
            academic_year=each.span,
            photos=each.photos,
            new=each.new,
            cover=each.cover,
            hidden=each.album.hidden,
            processing=each.album.processing,
            consenting_only=each.album.consenting_only,
            # Members are told of no teams: also not of those that they are in.
            teams=[team.title for team in each.album.teams.all()] if scope.everything else [],
        )
        for each in shown
    ]


def _one(request: HttpRequest, row: Album) -> AlbumOut:
    (told,) = _told(request, _scope(request), [row])
    return told


def _liked(request: HttpRequest, scope: Scope, media: Sequence[Media]) -> list[LikedPhoto]:
    told = counted.of(user_of(request), media)
    return [
        LikedPhoto(
            **schemas.photo_of(tile).dict(), likes=told[row.pk].count, liked=told[row.pk].mine
        )
        for tile, row in zip(photos.tiles_of(scope, media), media, strict=True)
    ]


def _likes(request: HttpRequest, media: Media) -> Likes:
    told = counted.of(user_of(request), [media])[media.pk]
    return Likes(likes=told.count, liked=told.mine)
