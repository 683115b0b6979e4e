"""Links: which there are, what each opens, until when, and the code to print for it."""

from __future__ import annotations

import io
from datetime import datetime, time, timedelta
from uuid import UUID

import qrcode
import qrcode.constants
from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe
from qrcode.image.svg import SvgPathImage

from lookwho.core.errors import Invalid, LinkExpired, LookwhoError, NotFound
from lookwho.library.models import Album, Collection, Person, Share
from lookwho.library.queries import sharing as queries
from lookwho.services import sharing
from lookwho.services.originals import confined
from lookwho.web.access import for_curators, visitor
from lookwho.web.answers import answer
from lookwho.web.told import uuid_of

PIECE = 50
# How many albums are offered to make a link for.
OFFERED = 200


@require_safe
@never_cache
@for_curators
def links(request: HttpRequest) -> HttpResponseBase:
    """All links: those that work, or those that do not any more."""
    return _list(request, _named(request))


@require_safe
@never_cache
@for_curators
def of_album(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The links of one album."""
    album = Album.objects.filter(slug=slug).first()
    if album is None:
        raise NotFound("there is no such album, or it is not for you to see")
    return _list(request, album)


@require_POST
@for_curators
@sensitive_post_parameters("password")
def new(request: HttpRequest) -> HttpResponseBase:
    """Make a link, and show it with its code."""
    told = request.POST
    opened = _named(request)
    try:
        if opened is None:
            raise Invalid(_("choose what the link is to open"))
        made, _token = sharing.share(
            visitor(request),
            album=opened if isinstance(opened, Album) else None,
            person=opened if isinstance(opened, Person) else None,
            collection=opened if isinstance(opened, Collection) else None,
            lasts=_until(told.get("until", "")) - timezone.now(),
            password=told.get("password", ""),
            only_mine=told.get("only_mine") == "on",
            download_side=_side(told.get("download_side", "")),
        )
    except LookwhoError as error:
        return _list(request, opened, error=error)
    return redirect("link", made.uuid)


@require_safe
@never_cache
@for_curators
def link(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """One link, with its code: to be copied, printed, changed or revoked."""
    return _page(request, queries.link(visitor(request), uuid))


@require_safe
@for_curators
def code(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """The code of a link, as a drawing that can be printed at any size."""
    row = queries.link(visitor(request), uuid)
    drawn = qrcode.make(
        address_of(request, row),
        image_factory=SvgPathImage,
        error_correction=qrcode.constants.ERROR_CORRECT_M,
        border=4,
    )
    with io.BytesIO() as file:
        drawn.save(file)
        response = confined(HttpResponse(file.getvalue(), content_type="image/svg+xml"))
    response["Cache-Control"] = "private, no-store"
    return response


@require_POST
@for_curators
@sensitive_post_parameters("password")
def change(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Change until when a link works, its password, or what may be downloaded."""
    told = request.POST
    by = visitor(request)
    password = told.get("password", "") or None
    try:
        sharing.change(
            by,
            uuid,
            until=_until(told["until"]) if told.get("until") else None,
            password="" if told.get("no_password") == "on" else password,
            download_side=_side(told["download_side"])
            if "download_side" in told
            else sharing.UNCHANGED,
        )
    except (Invalid, LinkExpired) as error:
        return _page(request, queries.link(by, uuid), error=error)
    return answer(request, _("The link is changed."), back=reverse("link", args=[uuid]))


@require_POST
@for_curators
def revoke(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Let a link be followed no more."""
    row = sharing.revoke(visitor(request), uuid)
    where = reverse("links-of-album", args=[row.album.slug]) if row.album else reverse("links")
    text = _("The link opens nothing any more, and what its guests left is gone.")
    return answer(request, text, back=where)


def address_of(request: HttpRequest, share: Share) -> str:
    """Return the address of a link, as it is copied and printed.

    Raises:
        LinkExpired: it is not known any more.
    """
    path = reverse("guest", args=[sharing.token_of(share)])
    return f"{settings.SITE_URL}{path}" if settings.SITE_URL else request.build_absolute_uri(path)


# --- pages ---


def _list(
    request: HttpRequest,
    opened: Album | Person | Collection | None,
    *,
    error: LookwhoError | None = None,
) -> HttpResponse:
    user = visitor(request)
    active = request.GET.get("ended") != "1"
    rows = queries.links(
        user,
        album=opened if isinstance(opened, Album) else None,
        person=opened if isinstance(opened, Person) else None,
        collection=opened if isinstance(opened, Collection) else None,
        active=active,
    )
    piece = Paginator(rows.order_by("-pk"), PIECE).get_page(request.GET.get("page"))
    latest = timezone.localdate() + sharing.LONGEST - timedelta(days=1)
    context = {
        "links": piece,
        "active": active,
        "opened": opened,
        "opens": _KINDS.get(type(opened), ""),
        "albums": Album.objects.order_by("-date", "-pk")[:OFFERED] if opened is None else (),
        "collections": Collection.objects.order_by("title") if opened is None else (),
        "until": timezone.localdate() + sharing.LASTS,
        "earliest": timezone.localdate() + timedelta(days=1),
        "latest": latest,
        "sides": _SIDES,
        "told": request.POST,
        "error": error.message if error else "",
    }
    status = error.status if error else 200
    return render(request, "lookwho/links.html", context, status=status)


def _page(request: HttpRequest, row: Share, *, error: LookwhoError | None = None) -> HttpResponse:
    try:
        address, lost = address_of(request, row), ""
    except LinkExpired as unknown:
        address, lost = "", unknown.message
    context = {
        "share": row,
        "opened": queries.opened(row),
        "open": sharing.is_open(row),
        "address": address,
        "lost": lost,
        "sides": _SIDES,
        "earliest": timezone.localdate() + timedelta(days=1),
        "latest": timezone.localdate() + sharing.LONGEST - timedelta(days=1),
        "error": error.message if error else "",
    }
    response = render(request, "lookwho/link.html", context, status=error.status if error else 200)
    response["Referrer-Policy"] = "strict-origin"
    return response


def _named(request: HttpRequest) -> Album | Person | Collection | None:
    """Return what an address or a form names, to have links for.

    Raises:
        NotFound: it is not there any more.
    """
    told = request.POST if request.method == "POST" else request.GET
    what, _colon, which = told.get("opens", "").partition(":")
    kinds = {name: kind for kind, name in _KINDS.items()}
    if what not in kinds:
        return None
    uuid = uuid_of(which)
    found = kinds[what].objects.filter(uuid=uuid).first() if uuid else None
    if found is None:
        raise NotFound("what the link is to open is no longer there")
    return found


def _until(told: str) -> datetime:
    """Return the end of a day."""
    try:
        day = parse_date(told)
    except ValueError:
        day = None
    if day is None:
        raise Invalid(_("say until which day the link works"))
    return timezone.make_aware(datetime.combine(day, time(23, 59, 59)))


def _side(told: str) -> int | None:
    for value, _words in _SIDES:
        if told == value:
            return int(value) if value else None
    raise Invalid(_("choose one of the sizes to download"))


_KINDS: dict[type, str] = {Album: "album", Person: "person", Collection: "collection"}
# As forms send them, with what they mean.
_SIDES = (
    ("", gettext_noop("not to be downloaded")),
    ("1600", gettext_noop("1600 pixels")),
    ("3000", gettext_noop("3000 pixels")),
    ("0", gettext_noop("as large as they are")),
)
