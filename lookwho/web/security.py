"""What a browser may load and run on our pages: our own files, and nothing written into a page."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

# `blob:` is a photo that is shown before it is uploaded.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


@sync_and_async_middleware
def content_security_policy(get_response: Callable[[HttpRequest], Any]) -> Callable[..., Any]:
    """Middleware that sends the policy with each answer that has none of its own."""
    if inspect.iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> HttpResponseBase:
            return guarded(await get_response(request))

        return later

    def now(request: HttpRequest) -> HttpResponseBase:
        return guarded(get_response(request))

    return now


def guarded(response: HttpResponseBase) -> HttpResponseBase:
    """Send the policy, unless the view has said another."""
    response.setdefault("Content-Security-Policy", POLICY)
    return response
