"""Coming in: by password, by a link that works once, by an invitation; and leaving."""

from __future__ import annotations

from django.contrib.auth import login, logout
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from lookwho.core.errors import Conflict, Invalid, LinkExpired
from lookwho.library.models import User
from lookwho.services import accounts

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_with_form = require_http_methods(["GET", "HEAD", "POST"])


class SignIn(LoginView):
    """Sign in with a name and a password."""

    template_name = "lookwho/sign_in.html"
    redirect_authenticated_user = True


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out."""
    logout(request)
    return redirect("sign-in")


@_with_form
@never_cache
@csrf_protect
@sensitive_variables("token")
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by a link that works once.

    Only a POST uses it up, which the page sends by itself: programs that look at links in messages
    only GET them.
    """
    if request.method != "POST":
        return render(request, "lookwho/enter.html")
    try:
        user = accounts.enter(token)
    except LinkExpired:
        if request.user.is_authenticated:  # the same link, followed once more
            return redirect("front-door")
        raise
    return _come_in(request, user)


@_with_form
@never_cache
@csrf_protect
@sensitive_variables("token")
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Become a user, by an invitation: with the name that it is for, or another one."""
    share = accounts.invitation(token)
    told = {"name": share.name, "invited": share.name, "role": share.role}
    if request.method != "POST":
        return render(request, "lookwho/join.html", told)
    name = request.POST.get("name", "")
    try:
        user = accounts.join(token, name)
    except (Invalid, Conflict) as error:
        told |= {"name": name or share.name, "error": error.message}
        return render(request, "lookwho/join.html", told, status=error.status)
    return _come_in(request, user)


def _come_in(request: HttpRequest, user: User) -> HttpResponse:
    login(request, user, backend=_BACKEND)
    return redirect("front-door")
