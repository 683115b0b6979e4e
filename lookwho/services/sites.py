"""Sites: collections whose photos lie on another website, and what signs in there.

Tokens are kept sealed. What an account of Lookwho's own may see there is imported; see
`services.site_import`, and `services.site_visits` for how originals are had.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction

from lookwho.core.errors import Conflict, Forbidden, Invalid, NotFound, SiteUnreachable
from lookwho.library.models import (
    Album,
    Collection,
    Job,
    Location,
    Setting,
    Share,
    SiteAccount,
    User,
)
from lookwho.library.queries.sites import adapter_of, jobs_of, key_of
from lookwho.services import accounts, albums, site_visits, work
from lookwho.services.register import keep_present
from lookwho.services.sealing import seal, unseal
from lookwho.services.site_client import HURRY, Client, checked_address
from lookwho.services.site_visits import ADAPTERS, adapter_named

# As other imports: before the analysis, and after what somebody waits for.
PRIORITY = -10
LONGEST_TOKEN = 4000
_SITE = Collection.Kind.SITE


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes with a site.

    Attributes:
        title: of the site.
        photos: how many photos nobody sees any more; those that lie elsewhere, too, stay.
        albums: how many albums go.
        links: how many links to those are open.
    """

    title: str
    photos: int
    albums: int
    links: int


# --- adding and removing ---


def add_site(
    by: User | None,
    address: str,
    token: str,
    *,
    adapter: str = "concrexit",
    title: str = "",
    plain: bool = False,
) -> tuple[Collection, Job]:
    """Add a website whose photos are to be found here, too; return it and the import that waits.

    It is asked first, so that a wrong address or token is told at once.

    Args:
        by: who asks; None for whoever has the command line.
        address: of the website.
        token: an OAuth2 bearer token of an account there; what that may see is imported.
        adapter: which API it has: one of `ADAPTERS`.
        title: what to call it, if not as its host.
        plain: whether the owner agrees that it is asked without encryption.

    Raises:
        Forbidden: only owners add sites; or the token may not read albums.
        Invalid: a value that cannot be.
        Conflict: the site is here already.
        SiteRefused, NotFound, SiteUnreachable: what the website says to the token.
    """
    if by is not None and not by.is_owner:
        raise Forbidden("only an owner can add sites")
    root = checked_address(address, plain=plain)
    token = _checked_token(token)
    _checked_adapter(adapter)
    title = albums.checked_title(title or urlsplit(root).hostname or root)
    if Collection.objects.filter(root=root).exists():
        raise Conflict(f"{root} is here already: change its token instead")
    check(root, token, adapter)
    with transaction.atomic():
        collection = Collection.objects.create(
            title=title, kind=_SITE, root=root, policy=accounts.policy_for_new_collections()
        )
        SiteAccount.objects.create(collection=collection, token=seal(token))
        Setting.objects.create(
            name=key_of(collection), value={"adapter": adapter, "hidden": []}, changed_by=by
        )
        return collection, ask_import(collection)


def check(root: str, token: str, adapter: str) -> str:
    """Ask a website for its first album, and return its title; blank where there is none.

    Raises:
        SiteRefused, Forbidden, NotFound, SiteUnreachable: what is wrong.
    """
    with contextlib.closing(Client(root, token, patience=HURRY)) as client:
        try:
            first = next(iter(adapter_named(adapter).albums(client)), None)
        except NotFound as error:
            raise SiteUnreachable(
                f"{error.message}: is this the address of the website, and does it have this API?"
            ) from None
    return "" if first is None else first.title


def test(by: User, uuid: UUID) -> str:
    """Ask a site for its first album with the token that is stored, and return its title.

    Raises:
        NotFound: there is no such site, or whoever asks is no owner.
        SiteRefused, Forbidden, SiteUnreachable: what is wrong.
    """
    collection = site(by, uuid)
    account = site_visits.own_account(collection)
    return check(collection.root, unseal(account.token), adapter_of(collection))


def set_token(by: User, uuid: UUID, token: str) -> None:
    """Give Lookwho's own account at a site another token, which is tried first.

    Raises:
        Forbidden: only owners do.
        NotFound: there is no such site.
        SiteRefused, SiteUnreachable: what the website says to it.
    """
    collection = site(by, uuid)
    token = _checked_token(token)
    check(collection.root, token, adapter_of(collection))
    SiteAccount.objects.update_or_create(
        user=None, collection=collection, defaults={"token": seal(token)}
    )


def set_account(user: User, collection: Collection, token: str) -> None:
    """Let a user see originals of a site as they may there, and take over what they like there.

    Raises:
        NotFound: there is no such site.
        SiteRefused, SiteUnreachable: what the website says to the token.
    """
    if collection.kind != _SITE or not user.is_active:
        raise NotFound("there is no such site")
    token = _checked_token(token)
    check(collection.root, token, adapter_of(collection))
    SiteAccount.objects.update_or_create(
        user=user, collection=collection, defaults={"token": seal(token)}
    )


def remove_account(user: User, collection: Collection) -> None:
    """Forget the token of a user; what they may see here is again as Lookwho says."""
    SiteAccount.objects.filter(user=user, collection=collection).delete()


def site(by: User, uuid: UUID) -> Collection:
    """Return a site.

    Raises:
        NotFound: there is none, or whoever asks is no owner.
    """
    row = Collection.objects.filter(uuid=uuid, kind=_SITE).first()
    if row is None or not by.is_owner:
        raise NotFound("there is no such site, or it is not for you to see")
    return row


def removal(collection: Collection) -> Removal:
    """Return what goes if a site is removed now."""
    elsewhere = Location.objects.filter(missing_since=None).exclude(collection=collection)
    lie = Location.objects.filter(collection=collection, missing_since=None).exclude(media=None)
    only = lie.exclude(media__in=elsewhere.exclude(media=None).values("media"))
    theirs = Album.objects.filter(source=collection)
    return Removal(
        title=collection.title,
        photos=only.values("media").distinct().count(),
        albums=theirs.count(),
        links=Share.objects.filter(album__in=theirs, revoked_at=None).count(),
    )


def remove(by: User, uuid: UUID) -> Removal:
    """Remove a site: its tokens, its albums, and that its photos lie there.

    Photos that lie nowhere else are shown to nobody any more. Names that were given stay, and hold
    again where the same photos come back.

    Raises:
        NotFound: there is no such site, or whoever asks is no owner.
        Conflict: it is being imported just now.
    """
    with transaction.atomic():
        collection = site(by, uuid)
        jobs = jobs_of(collection)
        if jobs.filter(state=Job.State.LEASED).exists():
            raise Conflict(f"{collection.title} is being imported: cancel that first, then remove")
        jobs.filter(state=Job.State.WAITING).update(state=Job.State.CANCELLED)
        gone = removal(collection)
        lay = Location.objects.filter(collection=collection).exclude(media=None)
        media = list(lay.values_list("media_id", flat=True))
        Album.objects.filter(source=collection).delete()
        Setting.objects.filter(name=key_of(collection)).delete()
        collection.delete()
        keep_present(media)
    return gone


# --- importing ---


def ask_import(collection: Collection) -> Job:
    """Let an import of a site wait, or return the one that waits already."""
    key = f"site:{collection.pk}"
    with transaction.atomic():
        job = work.enqueue(
            Job.Kind.SITE, {"collection": collection.pk}, priority=PRIORITY, dedupe_key=key
        )
        return job or Job.objects.get(dedupe_key=key, state=Job.State.WAITING)


def ask_nightly() -> None:
    """Let all sites be imported anew, and remove temporary files that a dead process left."""
    site_visits.sweep()
    for collection in Collection.objects.filter(kind=_SITE).order_by("pk"):
        ask_import(collection)


# --- small things ---


def _checked_token(token: str) -> str:
    token = token.strip()
    if len(token) > LONGEST_TOKEN or not token.isascii() or any(c.isspace() for c in token):
        raise Invalid("a token is one word of letters, digits and signs: copy it once more")
    return token


def _checked_adapter(adapter: str) -> None:
    if adapter not in ADAPTERS:
        raise Invalid(f"there is no adapter {adapter[:40]!r}: choose {' or '.join(ADAPTERS)}")
