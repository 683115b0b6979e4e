"""Guests: what whoever follows a link sees, without an account: photos, and those of themselves."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lookwho.core.errors import Forbidden, Invalid, LinkExpired, LookwhoError, NotFound, TooMany
from lookwho.library.models import Media, Reference, Share
from lookwho.library.queries import mine
from lookwho.library.queries import sharing as queries
from lookwho.library.scope import Purpose, Scope, scope_of_share
from lookwho.services import downloads, mail, requests, search, sharing, tries
from lookwho.services.guests import KEPT, guest_token
from lookwho.web import downloads as sending
from lookwho.web import guest_photos
from lookwho.web.address import client
from lookwho.web.guest_door import (
    Visit,
    ask_password,
    by_link,
    by_link_unlocked,
    forgotten,
    gone,
    guarded,
    recognise,
    unlock,
)
from lookwho.web.guest_photos import ALL

# Of one address, such as everybody's at a party, and of all who follow a link.
SELFIES, ALL_SELFIES, SENT_WITHIN = 120, 2000, 15 * 60


@require_safe
@by_link
def landing(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """What a link opens: photos, and a way to find those that one is in."""
    return _landing(request, visit)


@require_POST
@by_link_unlocked
@sensitive_post_parameters("password")
def password(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """Type the password of a link."""
    told = request.POST.get("password", "")
    try:
        sharing.open_link(visit.token, told, address=client(request))
    except (Forbidden, TooMany) as error:
        return ask_password(request, visit, error)
    response = redirect(visit.path)
    unlock(request, response, visit)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@by_link
def selfie(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """Take a guest's selfie; or, asked again and again by the page, say how far all is."""
    if request.method != "POST":
        return _standing(request, visit)
    if not _may_find(visit.share):
        raise NotFound("there is nothing to look for by this link")
    guest, begun = visit.guest, None
    try:
        upload = request.FILES.get("selfie")
        if upload is None:
            raise Invalid(_("choose a picture first"))
        if request.POST.get("agreed") != "on":
            raise Invalid(_("agree first to be looked for"))
        _count(request, visit.share)
        if guest is None:
            guest, _token = begun = sharing.begin_guest(
                visit.share, email=_email(request), keep_until=_until(request)
            )
        search.add_selfie(guest, upload, agreed=True)
    except LookwhoError as error:
        if begun:
            sharing.forget_guest(begun[0])
        return _landing(request, visit, error=error)
    response = redirect(visit.path)
    if begun:
        recognise(request, response, visit, guest)
        if guest.email:
            sharing.greet(guest, request.build_absolute_uri("/"))
    return response


@require_POST
@by_link
def keep(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """Leave an address, to be told when photos appear."""
    try:
        if visit.guest is None:
            raise LinkExpired(_("take a selfie first"))
        guest = sharing.keep_guest(visit.guest, _email(request), keep_until=_until(request))
    except LookwhoError as error:
        return _landing(request, visit, error=error)
    sharing.greet(guest, request.build_absolute_uri("/"))
    messages.success(request, _("You get a mail when photos of you appear."))
    response = redirect(visit.path)
    recognise(request, response, visit, guest)
    return response


@require_POST
@by_link_unlocked
def forget(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """Have all removed that is kept of oneself; no password is asked for that."""
    if visit.guest is not None:
        sharing.forget_guest(visit.guest)
    messages.success(request, _("Everything about you is gone."))
    response = redirect(visit.path)
    forgotten(response, visit)
    return response


@require_safe
@by_link
def photo(request: HttpRequest, visit: Visit, uuid: UUID) -> HttpResponseBase:
    """One photo, large, with the ones beside it."""
    return _photo(request, visit, _shown(visit, uuid))


@require_POST
@by_link
def remove(request: HttpRequest, visit: Visit, uuid: UUID) -> HttpResponseBase:
    """Ask to have a photo removed."""
    media, told = _shown(visit, uuid), request.POST
    guest = visit.guest
    try:
        _count(request, visit.share)
        if guest is None:
            guest, _token = sharing.begin_guest(visit.share)
        requests.ask_removal(guest, media, told.get("message", ""), told.get("email", ""))
    except LookwhoError as error:
        if guest is not None and visit.guest is None:
            sharing.forget_guest(guest)
        return _photo(request, visit, media, error=error)
    messages.success(request, _("Thank you: those who look after the photos are asked."))
    listed = guest_photos.wanted(request.GET)
    query = f"?list={listed}" if listed else ""
    response = redirect(f"{reverse('guest-photo', args=[visit.token, media.uuid])}{query}")
    recognise(request, response, visit, guest)
    return response


@require_safe
@by_link
def download(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """All photos of oneself, or all that the link shows, as a zip; without what the files say."""
    share = visit.share
    if share.download_side is None:
        raise NotFound("nothing can be downloaded by this link")
    if guest_photos.wanted(request.GET) == ALL and not share.only_mine:
        shown = scope_of_share(share, Purpose.BROWSE).media().order_by("day", "taken_at", "pk")
        ids, purpose = list(shown.values_list("pk", flat=True)), Purpose.BROWSE
        key = f"link:{share.pk}:{client(request)}"
    elif visit.guest is not None:
        matches = search.my_photos(visit.guest)
        ids = [match.media.pk for match in reversed(matches) if match.mine]
        purpose = Purpose.FIND_SELF
        key = f"guest:{visit.guest.pk}"
    else:
        raise NotFound("there are no photos of you yet: take a selfie first")
    media = downloads.still_seen(ids, partial(_scope_now, visit, purpose))
    chunks = downloads.zip_of(media, side=share.download_side or None, strip=True)
    name = f"{queries.opened(share).title or _('Photos')}.zip"
    return sending.sent(request, chunks, name=name, key=key)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_variables("token")
def again(request: HttpRequest, token: str) -> HttpResponseBase:
    """Come back by the link in a mail; or have all removed, also while there is nothing to see."""
    try:
        guest = sharing.find_guest(token)
    except LinkExpired:
        return guarded(gone(request))
    if request.method == "POST":
        sharing.forget_guest(guest)
        return guarded(render(request, "lookwho/guest_forgotten.html"))
    if not sharing.is_open(guest.share):
        return guarded(gone(request, forget=request.path))
    visit = Visit(guest.share, sharing.token_of(guest.share), guest)
    response = redirect(visit.path)
    recognise(request, response, visit, guest)
    return guarded(response)


# --- pages ---


def _landing(
    request: HttpRequest, visit: Visit, *, error: LookwhoError | None = None
) -> HttpResponse:
    share, guest = visit.share, visit.guest
    latest = timezone.localdate(share.expires_at)
    context = {
        "visit": visit,
        "share": share,
        "opened": queries.opened(share),
        "guest": guest,
        "may_find": _may_find(share),
        "error": error.message if error else "",
        "email": request.POST.get("email", ""),
        "mail": mail.configured(),
        "kept": min(timezone.localdate() + KEPT, latest),
        "latest": latest,
        "earliest": timezone.localdate() + timedelta(days=1),
        "waiting": visit.guest is not None and _waits(visit),
        **_selfies(visit),
        **guest_photos.listed(request.GET, share, guest),
    }
    status = error.status if error else 200
    return render(request, "lookwho/guest.html", context, status=status)


def _standing(request: HttpRequest, visit: Visit) -> HttpResponse:
    """How far a guest's selfie is or, once it was looked at, the photos it is looked for in."""
    told = _selfies(visit)
    known = request.GET.get("known", "")
    if not (told["findable"] and known.isascii() and known.isdecimal() and len(known) < 8):
        response = render(request, "lookwho/_guest_selfies.html", told)
        if not told["processing"]:
            response["HX-Refresh"] = "true"  # there may be photos now
        return response
    found = guest_photos.number_of(visit.guest)
    more = max(0, found - int(known))
    context = {"visit": visit, "waiting": _waits(visit), "known": int(known), "more": more}
    response = render(request, "lookwho/_guest_waiting.html", context)
    if more and not int(known):
        response["HX-Refresh"] = "true"  # the page is empty: nobody loses their place in it
    return response


def _waits(visit: Visit) -> bool:
    """Return whether photos still wait to be looked at, so that some may be missing here."""
    return bool(mine.unseen(scope_of_share(visit.share, Purpose.FIND_SELF)))


def _photo(
    request: HttpRequest, visit: Visit, media: Media, *, error: LookwhoError | None = None
) -> HttpResponse:
    share, guest = visit.share, visit.guest
    context = {
        "visit": visit,
        "share": share,
        "guest": guest,
        "media": media,
        "mail": mail.configured(),
        "error": error.message if error else "",
        "message": request.POST.get("message", ""),
        "asked": guest is not None and requests.waits(guest, media),
        **guest_photos.alone(request.GET, share, guest, media),
    }
    status = error.status if error else 200
    return render(request, "lookwho/guest_photo.html", context, status=status)


def _selfies(visit: Visit) -> dict[str, object]:
    rows: list[Reference] = []
    if visit.guest is not None:
        of_guest = Reference.objects.filter(guest=visit.guest, deleted_at=None)
        rows = list(of_guest.order_by("created_at"))
    states = {row.state for row in rows}
    return {
        "visit": visit,
        "selfies": rows,
        "processing": Reference.State.PROCESSING in states,
        "findable": Reference.State.DONE in states,
    }


# --- who asks, and for what ---


def _shown(visit: Visit, uuid: UUID) -> Media:
    """Return a photo that a link shows to this visitor.

    Raises:
        NotFound: there is none.
    """
    media = Media.objects.filter(uuid=uuid).first()
    if media is not None:
        scope = scope_of_share(visit.share, Purpose.BROWSE)
        if scope.media().filter(pk=media.pk).exists():
            return media
        if visit.guest is not None and search.may_see(visit.guest, media):
            return media
    raise NotFound("there is no such photo, or it is not for you to see")


def _scope_now(visit: Visit, purpose: Purpose) -> Scope:
    """Return what a visitor may see now: links are revoked while a long zip is under way."""
    share = Share.objects.get(pk=visit.share.pk)
    if purpose == Purpose.FIND_SELF and not _is_kept(visit):
        return Scope(purpose=purpose)
    return scope_of_share(share, purpose)


def _is_kept(visit: Visit) -> bool:
    guest = visit.guest
    return guest is not None and sharing.guest_of(visit.share, guest_token(guest)) is not None


def _may_find(share: Share) -> bool:
    """Return whether one may look for oneself: not in the photos of somebody in particular."""
    return share.only_mine or share.kind != Share.Kind.PERSON


def _count(request: HttpRequest, share: Share) -> None:
    tries.count("guest", share.uuid, client(request), most=SELFIES, seconds=SENT_WITHIN)
    tries.count("guest", share.uuid, most=ALL_SELFIES, seconds=SENT_WITHIN)


def _email(request: HttpRequest) -> str:
    """Return the address that somebody left; none where no mail could be sent."""
    return request.POST.get("email", "").strip() if mail.configured() else ""


def _until(request: HttpRequest) -> datetime | None:
    """Return the end of the day until which somebody wants to be kept."""
    told = request.POST.get("until", "").strip()
    if not told:
        return None
    try:
        day = parse_date(told)
    except ValueError:
        day = None
    if day is None:
        raise Invalid(_("the day until which you are kept cannot be read"))
    return timezone.make_aware(datetime.combine(day, time(23, 59, 59)))
