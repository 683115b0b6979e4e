"""Sites: collections that lie on other websites, and how their imports went; for owners."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from lookwho.core.errors import NotFound
from lookwho.library.models import Collection, Job, Location, Setting, SiteAccount, User
from lookwho.library.scope import Purpose, scope_of

# Photos that could not be taken in that are told by name; of more only the number.
TOLD = 20
_RUNNING = (Job.State.WAITING, Job.State.LEASED)


@dataclass(frozen=True, slots=True)
class Site:
    """A site as its owner is told of it.

    Attributes:
        collection: the site.
        adapter: which API it has.
        albums: how many of its albums are here.
        photos: how many of its photos are.
        failed: how many photos could not be taken in.
        failures: some of those.
        said: what else the last import has to tell.
        job: the import that is under way, or else the last one.
    """

    collection: Collection
    adapter: str
    albums: int
    photos: int
    failed: int
    failures: list[Location]
    said: list[str]
    job: Job | None

    @property
    def running(self) -> bool:
        """Whether it is being imported, or will be."""
        return self.job is not None and self.job.state in _RUNNING


def sites(by: User) -> list[Site]:
    """Return all sites, by title; nothing to those who are no owners."""
    if not by.is_owner:
        return []
    return [_told(row) for row in _rows().order_by("title", "pk")]


def site(by: User, uuid: UUID) -> Site:
    """Return a site.

    Raises:
        NotFound: there is none, or whoever asks is no owner.
    """
    row = _rows().filter(uuid=uuid).first()
    if row is None or not by.is_owner:
        raise NotFound("there is no such site, or it is not for you to see")
    return _told(row)


def accounts(user: User) -> list[tuple[Collection, bool]]:
    """Return the sites that a user may have an account at, and whether they told it.

    Those of which they may see something, and those that they told theirs.
    """
    if not (user.is_authenticated and user.is_active):
        return []
    have = set(SiteAccount.objects.filter(user=user).values_list("collection_id", flat=True))
    scope = scope_of(user, Purpose.FIND_SELF)
    return [
        (row, row.pk in have)
        for row in _only().order_by("title", "pk")
        if row.pk in have or scope.within(collections=frozenset({row.pk})).media().exists()
    ]


def account_site(user: User, uuid: UUID) -> Collection:
    """Return a site that a user may have an account at.

    Raises:
        NotFound: there is none, or they may not know of it.
    """
    for row, _ in accounts(user):
        if row.uuid == uuid:
            return row
    raise NotFound("there is no such site, or it is not for you to see")


def notes_of(collection: Collection) -> dict[str, Any]:
    """Return what is noted of a site: its adapter, and which albums are hidden since it says so."""
    row = Setting.objects.filter(name=key_of(collection)).first()
    return dict(row.value) if row is not None and isinstance(row.value, dict) else {}


def adapter_of(collection: Collection) -> str:
    """Return which API a site has."""
    return str(notes_of(collection).get("adapter", "concrexit"))


def key_of(collection: Collection) -> str:
    """Return the name of the setting that holds the notes of a site."""
    return f"site.{collection.uuid.hex}"


def jobs_of(collection: Collection) -> QuerySet[Job]:
    """Return the imports of a site."""
    return Job.objects.filter(kind=Job.Kind.SITE, payload__collection=collection.pk)


def failures(collection: Collection) -> QuerySet[Location]:
    """Return the photos of a site that could not be taken in, with the reason."""
    return Location.objects.filter(collection=collection).exclude(error_code="").order_by("pk")


def _only() -> QuerySet[Collection]:
    return Collection.objects.filter(kind=Collection.Kind.SITE)


def _rows() -> QuerySet[Collection]:
    there = Q(locations__missing_since=None, locations__media__isnull=False)
    return _only().annotate(
        photo_count=Count("locations", filter=there, distinct=True),
        album_count=Count("albums", distinct=True),
    )


def _told(row: Collection) -> Site:
    notes, failed = notes_of(row), failures(row)
    said: Iterable[object] = notes.get("said", ())
    jobs = jobs_of(row).order_by("-pk")
    return Site(
        collection=row,
        adapter=str(notes.get("adapter", "concrexit")),
        albums=vars(row)["album_count"],
        photos=vars(row)["photo_count"],
        failed=failed.count(),
        failures=list(failed[:TOLD]),
        said=list(map(str, said)),
        job=jobs.filter(state__in=_RUNNING).first() or jobs.first(),
    )
