"""The API as a whole: who asks, what an error looks like, and its documentation at /docs."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any, cast

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.defaults import page_not_found
from ninja import NinjaAPI, Swagger
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.security import HttpBearer, SessionAuth
from ninja.throttling import UserRateThrottle

import lookwho
from lookwho.core.errors import Forbidden, LookwhoError, RequestError, TooMany
from lookwho.library.models import User
from lookwho.services import tokens
from lookwho.services.storage import storage_problem


class TokenAuth(HttpBearer):
    """A program signs in with a token: `lookwho user token NAME` prints one."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """Return the token's user, and make them the one who asks.

        Raises:
            Forbidden: the token is for less than what is asked.
        """
        row = tokens.token_of(token)
        if row is None:
            return None
        noun, way = noun_of(request), "read" if request.method in ("GET", "HEAD") else "write"
        if not tokens.suffices(row.scopes, noun, way):
            raise Forbidden(f"this token lacks the scope {noun}:{way}")
        request.user = row.user
        return row.user


# What any operation may answer instead of what it is there for.
REFUSALS = {
    400: "What was sent cannot be read",
    401: "Nobody is signed in",
    403: "The asker may not do this, or has not consented to it",
    404: "There is no such thing, or the asker may not know of it",
    409: "Something else was done meanwhile",
    410: "It was there, and is gone",
    422: "What was sent cannot be; the message says what, and why",
    424: "Another website, which was asked, does not answer as it should; the message says how",
    429: "Too many requests: Retry-After says for how many seconds to wait",
    507: "The disk is full",
}
_TEXT = {"type": "string"}
_REFUSAL: dict[str, Any] = {
    "title": "Refusal",
    "type": "object",
    "properties": {"code": _TEXT, "message": _TEXT},
    "required": ["code", "message"],
    "additionalProperties": False,
}


class Api(NinjaAPI):
    """The API, whose document says of each operation how it may be refused."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Return the OpenAPI document."""
        told = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        _tell_tuples_as_lists(told)
        told["components"].setdefault("schemas", {})["Refusal"] = _REFUSAL
        shape = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
        for operations in told["paths"].values():
            for operation in operations.values():
                for status, reason in REFUSALS.items():
                    refusal = {"description": reason, "content": shape}
                    operation["responses"].setdefault(status, refusal)
        return told


def _tell_tuples_as_lists(node: Any) -> None:
    """Say of tuples of like things that they are lists: few programs that read this know tuples."""
    if isinstance(node, list):
        for each in cast(list[Any], node):
            _tell_tuples_as_lists(each)
    elif isinstance(node, dict):
        known = cast(dict[str, Any], node)
        like = known.get("prefixItems") or []
        if like and all(each == like[0] for each in like):
            del known["prefixItems"]
            known["items"] = like[0]
        for each in known.values():
            _tell_tuples_as_lists(each)


api = Api(
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
    throttle=[UserRateThrottle(settings.API_RATE)],
)


def noun_of(request: HttpRequest) -> str:
    """Return the noun of the operation that is asked for: its first tag, or its router's."""
    match = request.resolver_match
    assert match is not None  # it is an operation that asks who asks
    return noun_of_path(match.route.partition("/v1/")[2])


def noun_of_path(path: str) -> str:
    """Return the noun of a path below the API, told as Django does: `people/<uuid:uuid>`."""
    return _nouns().get(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path), "")


@cache
def _nouns() -> dict[str, str]:
    """Return the noun of each path; all operations of a path have the same."""
    found: dict[str, str] = {}
    for prefix, router in api._routers:  # pyright: ignore[reportPrivateUsage]
        for path, view in router.path_operations.items():
            for operation in view.operations:
                tags = operation.tags or router.tags or [""]
                where = re.sub(r"{(?:\w+:)?(\w+)}", r"{\1}", f"{prefix}{path}").lstrip("/")
                found[where] = str(tags[0])
    return found


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


def no_such_address(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for an address that nothing is at: below the API as the API does, else with a page."""
    if request.path.startswith("/api/"):
        return _not_found(request, exception)
    return page_not_found(request, exception)


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


@api.exception_handler(Throttled)
def _too_many(request: HttpRequest, error: Any) -> HttpResponse:
    seconds = max(1, math.ceil(error.wait or 1))
    answer = _told(
        request, TooMany.status, TooMany.code, f"too many requests: wait {seconds} seconds"
    )
    answer["Retry-After"] = str(seconds)
    return answer


@api.exception_handler(HttpError)
def _unreadable(request: HttpRequest, error: Any) -> HttpResponse:
    code = Forbidden.code if error.status_code == Forbidden.status else RequestError.code
    return _told(request, error.status_code, code, error.message)


@api.exception_handler(AuthenticationError)
def _nobody(request: HttpRequest, error: Any) -> HttpResponse:
    return _told(request, 401, "sign_in", "sign in, or send a token: lookwho user token NAME")


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    problems = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors]
    return _told(request, 422, "invalid", "; ".join(problems))
