"""Links: what opens albums, people and collections to those without an account; for curators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from ninja import Field, Router, Schema, Status

from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.api.paging import Cursor, Limit, page
from lookwho.core.errors import LinkExpired, NotFound
from lookwho.library.models import Album, Collection, Person, Share
from lookwho.library.queries import sharing as queries
from lookwho.services import sharing

router = Router(tags=["links"], auth=gate(lambda user: user.sees_everything))

Opened = TypeVar("Opened", Album, Person, Collection)
Password = Annotated[str, Field(max_length=sharing.PASSWORD_LENGTH)]
Side = Literal[0, 1600, 3000]
_SIDE = "the longer side of what may be downloaded, in pixels; 0: as it is; null: nothing"


class LinkOut(Schema):
    """A link."""

    uuid: UUID
    link: str | None = Field(description="the address; null where the key it was made with is gone")
    kind: str = Field(description="album, person or collection")
    opens: UUID = Field(description="of that album, person or collection")
    title: str
    only_mine: bool = Field(description="whether each sees only the photos that they are in")
    password: bool = Field(description="whether it asks for one")
    download_side: int | None = Field(description=_SIDE)
    open: bool = Field(description="whether it shows anything at the moment")
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    guests: int = Field(description="how many look for themselves by it at the moment")


class Links(Schema):
    """A part of the links, the newest first."""

    links: list[LinkOut]
    next: str | None


class LinkIn(Schema):
    """A new link: to one thing."""

    album: UUID | None = None
    person: UUID | None = None
    collection: UUID | None = None
    expires_at: datetime | None = Field(None, description="null: in 30 days")
    password: Password = ""
    only_mine: bool = True
    download_side: Side | None = Field(None, description=_SIDE)


class LinkChange(Schema):
    """What is to be another; what is left out stays."""

    expires_at: datetime | None = None
    password: Password | None = Field(None, description="blank for none")
    download_side: Side | None = Field(None, description=_SIDE)


@router.get("/links", response=Links)
def links(
    request: HttpRequest,
    album: UUID | None = None,
    person: UUID | None = None,
    collection: UUID | None = None,
    ended: bool = False,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Links:
    """List the links that work, or those that have ended; of one thing, if it is told."""
    rows = queries.links(
        user_of(request),
        album=_found(Album, album),
        person=_found(Person, person),
        collection=_found(Collection, collection),
        active=not ended,
    )
    found, further = page(rows, ("-id",), limit=limit, cursor=cursor)
    return Links(links=[_link(request, each) for each in found], next=further)


@router.post("/links", response={201: LinkOut})
def make(request: HttpRequest, asked: LinkIn) -> Status[LinkOut]:
    """Make a link."""
    by = user_of(request)
    lasts = asked.expires_at - timezone.now() if asked.expires_at else sharing.LASTS
    made, _token = sharing.share(
        by,
        album=_found(Album, asked.album),
        person=_found(Person, asked.person),
        collection=_found(Collection, asked.collection),
        lasts=lasts,
        password=asked.password,
        only_mine=asked.only_mine,
        download_side=asked.download_side,
    )
    return Status(201, _link(request, queries.link(by, made.uuid)))


@router.get("/links/{uuid:uuid}", response=LinkOut)
def link(request: HttpRequest, uuid: UUID) -> LinkOut:
    """Return a link."""
    return _link(request, queries.link(user_of(request), uuid))


@router.patch("/links/{uuid:uuid}", response=LinkOut)
def change(request: HttpRequest, uuid: UUID, asked: LinkChange) -> LinkOut:
    """Change until when a link works, its password, or what may be downloaded."""
    by = user_of(request)
    told = asked.dict(exclude_unset=True)
    sharing.change(
        by,
        uuid,
        until=asked.expires_at,
        password=asked.password,
        download_side=told.get("download_side", sharing.UNCHANGED),
    )
    return _link(request, queries.link(by, uuid))


@router.delete("/links/{uuid:uuid}", response={204: None})
def revoke(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Let a link open nothing any more; what its guests left goes with it."""
    sharing.revoke(user_of(request), uuid)
    return Status(204, None)


def _found(kind: type[Opened], uuid: UUID | None) -> Opened | None:
    if uuid is None:
        return None
    found = kind.objects.filter(uuid=uuid).first()
    if found is None:
        raise NotFound(f"there is no such {kind.__name__.lower()}")
    return found


def _link(request: HttpRequest, row: Share) -> LinkOut:
    try:
        path = reverse("guest", args=[sharing.token_of(row)])
        address = f"{settings.SITE_URL}{path}" if settings.SITE_URL else None
        address = address or request.build_absolute_uri(path)
    except LinkExpired:
        address = None
    opened = row.album or row.person or row.collection
    assert opened is not None  # what a link opens takes it along
    visitors: int = getattr(row, "visitors", 0)
    return LinkOut(
        uuid=row.uuid,
        link=address,
        kind=row.kind,
        opens=opened.uuid,
        title=opened.name if isinstance(opened, Person) else opened.title,
        only_mine=row.only_mine,
        password=bool(row.password),
        download_side=row.download_side,
        open=sharing.is_open(row),
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
        guests=visitors,
    )
