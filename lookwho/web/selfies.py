"""Selfies on pages: adding one, after agreeing to it; removing one; and its picture."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Conflict, ConsentNeeded, LookwhoError, NotFound
from lookwho.library.models import Consent, Reference, User
from lookwho.services import consents, search, selfies
from lookwho.services.originals import stream
from lookwho.web.access import signed_in, visitor
from lookwho.web.answers import answer
from lookwho.web.pictures import refused_in_text


@never_cache
@signed_in
def add_selfie(request: HttpRequest) -> HttpResponseBase:
    """Take a new selfie; or, asked again and again by the page, say how far the last one is."""
    user = visitor(request)
    if request.method != "POST":
        told = context(user)
        response = render(request, "lookwho/_selfies.html", told)
        if not told["processing"]:
            response["HX-Refresh"] = "true"  # there may be photos now
        return response
    upload = request.FILES.get("selfie")
    try:
        if upload is None:
            messages.error(request, _("Choose a picture first."))
        else:
            _agree(request, user)
            search.add_selfie(user, upload)
    except LookwhoError as error:
        messages.error(request, f"{error.message[:1].upper()}{error.message[1:]}.")
    return redirect("me")


@require_POST
@signed_in
def remove_selfie(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Remove a selfie: nobody is found by it any more."""
    user = visitor(request)
    own = selfies.live(user).filter(uuid=uuid).first()
    if own is None:
        raise _no_selfie()
    search.remove_selfie(user, own)
    return answer(request, _("The selfie is removed. Nothing is found by it any more."), back="/me")


@require_safe
@signed_in
@refused_in_text
def selfie(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """A selfie: for the one whose it is, for who approves it, and for who checks misuse."""
    row = Reference.objects.select_related("user").filter(uuid=uuid).first()
    if row is None or not selfies.may_look(visitor(request), row):
        raise _no_selfie()
    if not row.file:
        raise NotFound("this picture was not kept: it could not be used")
    kind = row.file.rpartition(".")[2].upper()
    return stream(request, settings.SELFIES / row.file, kind=kind, name=row.file)


def context(user: User) -> dict[str, object]:
    """Return what `_selfies.html` shows of a user's selfies."""
    rows = list(selfies.live(user).order_by("created_at"))
    states = [row.state for row in rows]
    done = [row for row in rows if row.state == Reference.State.DONE]
    findable = any(row.approved for row in done)
    kept = len(rows) - states.count(Reference.State.REJECTED)
    room = kept < selfies.MOST
    return {
        "selfies": rows,
        "processing": Reference.State.PROCESSING in states,
        "awaiting": bool(done) and not findable,
        "findable": findable,
        "room": room,
        "most": selfies.MOST,
        "kept_days": selfies.retention_days(),
        "consent": _asked(user) if room else None,
        "needs_guardian": room and consents.needs_guardian(user),
    }


def _asked(user: User) -> consents.Text | None:
    """Return what is to be agreed to with the next selfie: a text that was not agreed to yet."""
    text = consents.newest(consents.FIND)
    held = Consent.objects.filter(user=user, purpose=consents.FIND, withdrawn_at=None).first()
    return None if held and held.version == str(text.version) else text


def _agree(request: HttpRequest, user: User) -> None:
    """Write down what was agreed to in the form.

    Raises:
        ConsentNeeded: the box was left empty, and nothing was agreed to before.
        Conflict: the text was changed since the page was shown.
    """
    if _asked(user) is None:
        return
    if not request.POST.get("agree"):
        if consents.agreed(user, consents.FIND):
            return  # to an earlier text, which holds
        raise ConsentNeeded(_("tick the box first: without your consent nobody is looked for"))
    version = request.POST.get("version", "")
    if not (version.isdecimal() and len(version) < 9):
        raise Conflict(_("the text was changed meanwhile: read it again"))
    consents.give(
        user,
        consents.FIND,
        version=int(version),
        guardian=request.POST.get("guardian", ""),
        guardian_email=request.POST.get("guardian_email", ""),
    )


def _no_selfie() -> NotFound:
    return NotFound("there is no such selfie: it was removed, or it is somebody else's")
