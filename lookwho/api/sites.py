"""Sites: other websites whose photos are to be found here, too.

Owners look after them. Every user may tell their own token of a site, which then decides which
originals they get, and by which their likes there arrive.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.library.queries import sites as queries
from lookwho.library.queries.sites import Site
from lookwho.services import sites as services
from lookwho.services import tries

router = Router(tags=["sites"])
_owners = gate(lambda user: user.is_owner)

# Each try asks the other website.
_MOST, _SECONDS = 20, 600


class FailureOut(Schema):
    """A photo that could not be taken in."""

    path: str = Field(description="album/photo, by their ids there")
    code: str
    message: str


class SiteOut(Schema):
    """A site."""

    uuid: UUID
    title: str
    address: str
    adapter: str
    albums: int
    photos: int
    imported_at: datetime | None = Field(description="when it was last imported to its end")
    state: str = Field(description="of the import under way, or of the last one; blank for none")
    done: int
    total: int
    error: str
    said: list[str]
    failed: int
    failures: list[FailureOut] = Field(description="some of the photos that failed")


class SiteIn(Schema):
    """A site that is to be added."""

    address: str = Field(max_length=2000)
    token: str = Field(default="", max_length=services.LONGEST_TOKEN)
    adapter: str = Field(default="concrexit", max_length=40)
    title: str = Field(default="", max_length=200)
    plain: bool = Field(default=False, description="whether it may be asked without encryption")


class TokenIn(Schema):
    """A token of an account at a site."""

    token: str = Field(max_length=services.LONGEST_TOKEN)


class AccountOut(Schema):
    """A site at which one may have an account."""

    site: UUID
    title: str
    linked: bool = Field(description="whether the asker's own token is stored")


@router.get("/sites", response=list[SiteOut], auth=_owners)
def sites(request: HttpRequest) -> list[SiteOut]:
    """List all sites."""
    return [_site(each) for each in queries.sites(user_of(request))]


@router.post("/sites", response={201: SiteOut}, auth=_owners)
def add(request: HttpRequest, asked: SiteIn) -> Status[SiteOut]:
    """Add a site, once it answers, and let its import wait."""
    by = user_of(request)
    collection, _ = services.add_site(
        by,
        asked.address,
        asked.token,
        adapter=asked.adapter,
        title=asked.title,
        plain=asked.plain,
    )
    return Status(201, _site(queries.site(by, collection.uuid)))


@router.get("/sites/{uuid}", response=SiteOut, auth=_owners)
def site(request: HttpRequest, uuid: UUID) -> SiteOut:
    """Tell of a site."""
    return _site(queries.site(user_of(request), uuid))


@router.post("/sites/{uuid}/import", response={202: SiteOut}, auth=_owners)
def take_in(request: HttpRequest, uuid: UUID) -> Status[SiteOut]:
    """Let the import of a site wait."""
    by = user_of(request)
    services.ask_import(queries.site(by, uuid).collection)
    return Status(202, _site(queries.site(by, uuid)))


@router.put("/sites/{uuid}/token", response={204: None}, auth=_owners)
def set_token(request: HttpRequest, uuid: UUID, asked: TokenIn) -> Status[None]:
    """Store another token for imports, once the site takes it."""
    services.set_token(user_of(request), uuid, asked.token)
    return Status(204, None)


@router.delete("/sites/{uuid}", response={204: None}, auth=_owners)
def remove(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Remove a site with its albums; its photos are shown to nobody any more."""
    services.remove(user_of(request), uuid)
    return Status(204, None)


@router.get("/site-accounts", response=list[AccountOut])
def accounts(request: HttpRequest) -> list[AccountOut]:
    """List the sites at which the asker may have an account."""
    return [
        AccountOut(site=row.uuid, title=row.title, linked=linked)
        for row, linked in queries.accounts(user_of(request))
    ]


@router.put("/site-accounts/{uuid}", response={204: None})
def link(request: HttpRequest, uuid: UUID, asked: TokenIn) -> Status[None]:
    """Store the asker's own token of a site, once the site takes it."""
    user = user_of(request)
    row = queries.account_site(user, uuid)
    tries.count("site-account", user.pk, most=_MOST, seconds=_SECONDS)
    services.set_account(user, row, asked.token)
    return Status(204, None)


@router.delete("/site-accounts/{uuid}", response={204: None})
def unlink(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Forget the asker's own token of a site."""
    user = user_of(request)
    services.remove_account(user, queries.account_site(user, uuid))
    return Status(204, None)


def _site(row: Site) -> SiteOut:
    job = row.job
    return SiteOut(
        uuid=row.collection.uuid,
        title=row.collection.title,
        address=row.collection.root,
        adapter=row.adapter,
        albums=row.albums,
        photos=row.photos,
        imported_at=row.collection.scanned_at,
        state=job.state if job else "",
        done=job.done if job else 0,
        total=job.total if job else 0,
        error=job.error if job else "",
        said=row.said,
        failed=row.failed,
        failures=[
            FailureOut(path=each.path, code=each.error_code, message=each.error)
            for each in row.failures
        ],
    )
