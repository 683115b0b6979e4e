"""The API as a whole: who asks, what an error looks like, and its documentation at /docs."""

from __future__ import annotations

from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Swagger
from ninja.errors import AuthenticationError, ValidationError
from ninja.security import HttpBearer, SessionAuth

import lookwho
from lookwho.core.errors import LookwhoError
from lookwho.library.models import User
from lookwho.services import accounts
from lookwho.services.storage import storage_problem


class TokenAuth(HttpBearer):
    """A program signs in with a token: `lookwho user token NAME` prints one."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """Return the token's user, and make them the one who asks."""
        user = accounts.user_of_token(token)
        if user:
            request.user = user
        return user


api = NinjaAPI(
    title="Lookwho",
    version=lookwho.__version__,
    description=(
        "Everything that the pages can do. Sign in as on the pages, or send "
        "`Authorization: Bearer TOKEN`; `lookwho user token NAME` prints a token. "
        "An error is `{code, message}`, with the code and the message that the pages show."
    ),
    docs_url=None,  # at /docs instead
    urls_namespace="api",
    auth=[TokenAuth(), SessionAuth(csrf=True)],
)


def user_of(request: HttpRequest) -> User:
    """Return who asks. Every endpoint asks for somebody who is signed in."""
    return cast(User, request.user)


def documentation(request: HttpRequest) -> HttpResponse:
    """Show what the API can do, and let it be tried."""
    page = Swagger(settings={"persistAuthorization": True}).render_page(request, api)
    # The page of django-ninja draws itself with styles and pictures of its own making.
    page["Content-Security-Policy"] = (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
    )
    return page


def _told(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    return api.create_response(request, {"code": code, "message": message}, status=status)


@api.exception_handler(LookwhoError)
def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    return _told(request, error.status, error.code, error.message)


@api.exception_handler(Exception)
def _failed(request: HttpRequest, error: Any) -> HttpResponse:
    told = storage_problem(error)
    if told is None:
        raise error  # a mistake of ours: Django writes it down
    return _told(request, told.status, told.code, told.message)


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Any) -> HttpResponse:
    return _told(request, 404, "not_found", "there is no such thing, or you may not see it")


@api.exception_handler(AuthenticationError)
def _nobody(request: HttpRequest, error: Any) -> HttpResponse:
    return _told(request, 401, "sign_in", "sign in, or send a token: lookwho user token NAME")


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    problems = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors]
    return _told(request, 422, "invalid", "; ".join(problems))
