"""Who may open a page: others are told that there is none, and the unknown are asked to sign in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url

from lookwho.core.errors import NotFound
from lookwho.library.models import User
from lookwho.library.models.accounts import Role
from lookwho.web.answers import is_htmx

Given = ParamSpec("Given")
View = Callable[Concatenate[HttpRequest, Given], HttpResponseBase]


def visitor(request: HttpRequest) -> User:
    """Return who asks. Somebody who is not signed in is no row, but answers the same questions."""
    return cast(User, request.user)


def signed_in(view: View[Given]) -> View[Given]:
    """Let in whoever is signed in."""
    return _for(lambda user: True, view)


def for_annotators(view: View[Given]) -> View[Given]:
    """Let in those who name faces: owners, curators and annotators."""
    return _for(lambda user: user.sees_everything or user.role == Role.ANNOTATOR, view)


def for_curators(view: View[Given]) -> View[Given]:
    """Let in those who see everything: owners and curators."""
    return _for(lambda user: user.sees_everything, view)


def for_owners(view: View[Given]) -> View[Given]:
    """Let in owners."""
    return _for(lambda user: user.is_owner, view)


def _for(allowed: Callable[[User], bool], view: View[Given]) -> View[Given]:
    @wraps(view)
    def guarded(
        request: HttpRequest, /, *args: Given.args, **kwargs: Given.kwargs
    ) -> HttpResponseBase:
        user = visitor(request)
        if not user.is_authenticated:
            return _to_sign_in(request)
        if not allowed(user):
            raise NotFound("there is no such page, or it is not for you to see")
        return view(request, *args, **kwargs)

    return guarded


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if not is_htmx(request):
        # After a form was sent there is no page to come back to.
        here = request.get_full_path() if request.method in ("GET", "HEAD") else ""
        return redirect_to_login(here) if here else redirect_to_login("/")
    response = HttpResponse(status=401)
    response["HX-Redirect"] = resolve_url(settings.LOGIN_URL)
    return response
