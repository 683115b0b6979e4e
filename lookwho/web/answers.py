"""What a page answers to an act: a sentence with an undo, as a toast, or after a redirect."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

# What pages listen for: something that they show may have changed.
CHANGED = "changed"


def is_htmx(request: HttpRequest) -> bool:
    """Return whether a script asks, which puts the answer into the page in view."""
    return request.headers.get("HX-Request") == "true"


def answer(request: HttpRequest, text: str, *, undo: UUID | None = None, back: str) -> HttpResponse:
    """Say what was done, and let it be undone.

    Args:
        request: what was asked.
        text: the sentence.
        undo: the batch of decisions that an undo takes back.
        back: the page to show next, where the form names none and there is no script.
    """
    back = came_from(request, back)
    if is_htmx(request):
        response = toast(request, text, undo=undo, back=back)
        response["HX-Trigger"] = CHANGED
        return response
    messages.success(request, text, extra_tags=str(undo or ""))
    return redirect(back)


def toast(
    request: HttpRequest, text: str, *, undo: UUID | None = None, back: str = "/"
) -> HttpResponse:
    """Return a toast for the page in view, whatever the click was aimed at."""
    told = {"level": "success", "text": text, "undo": undo, "back": back}
    response = render(request, "lookwho/_toast.html", told)
    response["HX-Retarget"] = "#toasts"
    response["HX-Reswap"] = "beforeend"
    return response


def came_from(request: HttpRequest, otherwise: str) -> str:
    """Return the page that the form says to show next, if it is one of ours."""
    told = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(
        told, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return told if told and ours else otherwise
