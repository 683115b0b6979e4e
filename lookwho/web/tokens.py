"""Tokens: what one's own programs sign in with; for everybody who is signed in."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from lookwho.core.errors import Invalid, LookwhoError
from lookwho.services import tokens as services
from lookwho.web.access import signed_in, visitor
from lookwho.web.answers import answer

# For how many days one lasts; 0 for ever.
DAYS = (30, 90, 365, 0)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
@sensitive_variables("made")
def tokens(request: HttpRequest) -> HttpResponseBase:
    """One's tokens; a new one is shown once, since only its hash is kept."""
    if request.method != "POST":
        return _page(request)
    told = request.POST
    try:
        days = told.get("days", "")
        if days not in {str(each) for each in DAYS}:
            raise Invalid(_("say for how long the token is good"))
        made = services.make_token(
            visitor(request),
            told.get("title", ""),
            scopes=told.getlist("scope"),
            lasts=timedelta(days=int(days)) if int(days) else None,
        )
    except LookwhoError as error:
        chosen = told.getlist("scope")
        return _page(
            request,
            status=error.status,
            error=error.message,
            title=told.get("title", ""),
            chosen=chosen,
        )
    return _page(request, made=made, chosen=())


@require_POST
@signed_in
def revoke(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Let a token sign in no more."""
    services.revoke(visitor(request), uuid)
    return answer(request, _("The token is good for nothing now."), back=reverse("own-tokens"))


def _page(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponseBase:
    rows = services.live().filter(user=visitor(request)).order_by("-pk")
    context: dict[str, object] = {
        "tokens": rows,
        "nouns": [(noun, [f"{noun}:{way}" for way in services.WAYS]) for noun in services.NOUNS],
        "days": DAYS,
        "chosen": (),
        **more,
    }
    return render(request, "lookwho/tokens.html", context, status=status)
