"""Errors on pages: the same code and message everywhere, in words, with a way back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin

from lookwho.core.errors import LookwhoError
from lookwho.services.storage import storage_problem
from lookwho.web.answers import is_htmx

TITLES = {
    400: "That cannot be read",
    403: "This is not yours to do",
    404: "There is nothing here",
    409: "Somebody was faster",
    410: "This link is used up",
    422: "That cannot be",
    429: "Too many tries",
    507: "The disk is full",
}
FAILED = "Something went wrong"


class ErrorPages(MiddlewareMixin):
    """Middleware that shows Lookwho's own errors, as a page or as a toast on the page in view."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for a view that raised one of ours, or met a full disk; others are Django's."""
        told = error if isinstance(error, LookwhoError) else storage_problem(error)
        return page(request, told) if told else None


def page(request: HttpRequest, error: LookwhoError) -> HttpResponse:
    """Return what a person is told of an error."""
    context = {
        "status": error.status,
        "heading": TITLES.get(error.status, FAILED),
        "code": error.code,
        "message": error.message,
    }
    if is_htmx(request):
        context |= {"level": "error", "text": error.message}
        response = render(request, "lookwho/_toast.html", context, status=error.status)
        response["HX-Retarget"] = "#toasts"
        response["HX-Reswap"] = "beforeend"
        # What a click wanted to take out of an answer is not in an error.
        response["HX-Reselect"] = "unset"
        return response
    return render(request, "lookwho/error.html", context, status=error.status)
