"""Requests: who asks to have a photo removed or a selfie approved, and what they are answered."""

from __future__ import annotations

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid
from lookwho.library.queries import requests as queries
from lookwho.services import requests as service
from lookwho.services import selfies
from lookwho.services.pictures import SIDES
from lookwho.services.places import tag_of, thumbnail_of
from lookwho.web.access import for_curators, signed_in, visitor
from lookwho.web.answers import answer
from lookwho.web.pictures import refused_in_text, seen, webp

PIECE = 30


@require_safe
@never_cache
@for_curators
def requests(request: HttpRequest) -> HttpResponseBase:
    """What is asked for: photos to remove, selfies to approve, accounts to look at."""
    user = visitor(request)
    answered = request.GET.get("answered") == "1"
    rows = queries.answered(user) if answered else queries.open_ones(user)
    order = ("-answered_at", "-pk") if answered else ("created_at", "pk")
    page = request.GET.get("page")
    context = {
        "answered": answered,
        "requests": Paginator(rows.order_by(*order), PIECE).get_page(page),
        "selfies": Paginator(queries.selfies(user).order_by("created_at", "pk"), PIECE).get_page(
            request.GET.get("selfies")
        ),
        "flagged": [] if answered else selfies.flagged(),
    }
    return render(request, "lookwho/requests.html", context)


@require_safe
@never_cache
@signed_in
def mine(request: HttpRequest) -> HttpResponseBase:
    """What somebody asked for themselves, and the answers."""
    rows = queries.requests_of(visitor(request)).order_by("-pk")
    page = Paginator(rows, PIECE).get_page(request.GET.get("page"))
    return render(request, "lookwho/requests_mine.html", {"requests": page})


@require_POST
@signed_in
def ask(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Ask to have a photo removed."""
    media = seen(request, uuid)
    service.ask_removal(visitor(request), media, request.POST.get("message", ""))
    text = _("Those who look after the photos are asked to remove it.")
    return answer(request, text, back=reverse("my-requests"))


@require_POST
@for_curators
def answer_request(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Hide a photo everywhere, or leave it; either way whoever asked is told."""
    by, told = visitor(request), request.POST
    if told.get("say") == "hide":
        service.hide(by, uuid, told.get("answer", ""))
        text = _("The photo is hidden everywhere, and whoever asked is told.")
    elif told.get("say") == "decline":
        service.decline(by, uuid, told.get("answer", ""))
        text = _("The photo stays, and whoever asked is told.")
    else:
        raise Invalid(_("choose what is to be done"))
    return answer(request, text, back=reverse("requests"))


@require_POST
@for_curators
def undo(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Take an answer back."""
    service.undo(visitor(request), uuid)
    return answer(request, _("The request is open again."), back=reverse("requests"))


@require_safe
@for_curators
@refused_in_text
def picture(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """The photo that a request is about, also while it is hidden: only here, to be judged."""
    media = queries.request(visitor(request), uuid).media
    media.payload_hash = bytes(media.payload_hash)
    side = SIDES[1]
    response = webp(request, tag_of(media, side), lambda: thumbnail_of(media, side))
    response["Cache-Control"] = "private, no-store"
    return response


@require_POST
@for_curators
def answer_selfie(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Let a selfie be searched by, or not."""
    by, told = visitor(request), request.POST
    if told.get("say") == "approve":
        selfies.approve_selfie(by, uuid)
        text = _("The selfie is approved.")
    elif told.get("say") == "decline":
        selfies.decline_selfie(by, uuid, told.get("reason", ""))
        text = _("The selfie is declined.")
    else:
        raise Invalid(_("choose what is to be done"))
    return answer(request, text, back=reverse("requests"))
