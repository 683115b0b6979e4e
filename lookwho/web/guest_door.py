"""The guests' door: who comes in by a link, and how they are known while they are there.

One cookie says that the link's password was typed, another which guest somebody is; both are
signed, go to this link's pages alone and cannot be read by scripts. Nothing of a link that opens
nothing is told, not even that there was one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables

from lookwho.core.errors import LinkExpired, LookwhoError
from lookwho.library.models import Guest, Share
from lookwho.services import sharing
from lookwho.services.guests import guest_token

P = ParamSpec("P")
_SEAL, _GUEST = "lookwho_link", "lookwho_guest"


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who follows a link.

    Attributes:
        share: the link.
        token: by which they came.
        guest: who they are, where they look for themselves.
    """

    share: Share
    token: str
    guest: Guest | None

    @property
    def path(self) -> str:
        """Where the link's pages are."""
        return reverse("guest", args=[self.token])


View = Callable[Concatenate[HttpRequest, Visit, P], HttpResponseBase]
Answer = Callable[Concatenate[HttpRequest, str, P], HttpResponseBase]


def by_link(view: View[P]) -> Answer[P]:
    """Let in who follows a link that works, and knows its password where it has one."""
    return _by_link(view, locked=True)


def by_link_unlocked(view: View[P]) -> Answer[P]:
    """Let in who follows a link that works; its password is not asked for."""
    return _by_link(view, locked=False)


def _by_link(view: View[P], *, locked: bool) -> Answer[P]:
    @wraps(view)
    @never_cache
    @sensitive_variables("token")
    def answer(
        request: HttpRequest, token: str, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        try:
            share = sharing.find_link(token)
        except LinkExpired:
            return guarded(gone(request))
        visit = Visit(share, token, _guest(request, share))
        if locked and share.password and _cookie(request, _SEAL) != sharing.seal(share):
            return guarded(ask_password(request, visit))
        sharing.note_use(share)
        return guarded(view(request, visit, *args, **kwargs))

    return answer


def ask_password(
    request: HttpRequest, visit: Visit, error: LookwhoError | None = None
) -> HttpResponse:
    """Ask for the password of a link; what it opens is not told."""
    context = {"visit": visit, "guest": visit.guest, "error": error.message if error else ""}
    status = error.status if error else 200
    return render(request, "lookwho/guest_password.html", context, status=status)


def gone(request: HttpRequest, *, forget: str = "") -> HttpResponse:
    """Say that a link opens nothing; `forget` is where a guest has all removed meanwhile."""
    status = LinkExpired.status
    return render(request, "lookwho/guest_gone.html", {"forget": forget}, status=status)


def unlock(request: HttpRequest, response: HttpResponseBase, visit: Visit) -> None:
    """Remember that somebody knows a link's password, as long as it is this one."""
    _set(request, response, visit, _SEAL, sharing.seal(visit.share))


def recognise(request: HttpRequest, response: HttpResponseBase, visit: Visit, guest: Guest) -> None:
    """Remember which guest somebody is, as long as they are kept."""
    _set(request, response, visit, _GUEST, guest_token(guest), guest)


def forgotten(response: HttpResponseBase, visit: Visit) -> None:
    """Remember no more which guest somebody was."""
    response.delete_cookie(_GUEST, path=visit.path)


def guarded(response: HttpResponseBase) -> HttpResponseBase:
    """Keep the link's token out of what other requests say of where they come from."""
    # Not "no-referrer": forms would be sent without the origin that Django asks for.
    response["Referrer-Policy"] = "strict-origin"
    response["X-Robots-Tag"] = "noindex"
    response["Cache-Control"] = "private, no-store"
    return response


def _guest(request: HttpRequest, share: Share) -> Guest | None:
    token = _cookie(request, _GUEST)
    return sharing.guest_of(share, token) if token else None


def _cookie(request: HttpRequest, name: str) -> str:
    return request.get_signed_cookie(name, default="", salt=name) or ""


def _set(
    request: HttpRequest,
    response: HttpResponseBase,
    visit: Visit,
    name: str,
    value: str,
    guest: Guest | None = None,
) -> None:
    until = guest.keep_until if guest else visit.share.expires_at
    response.set_signed_cookie(
        name,
        value,
        salt=name,
        max_age=max(0, int((until - timezone.now()).total_seconds())),
        path=visit.path,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
