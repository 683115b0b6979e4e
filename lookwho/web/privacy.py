"""Selfies & privacy: what is known of whoever asks, what they agreed to, and how all of it goes."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import logout
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid, LookwhoError, NotFound
from lookwho.library.models import Erasure, Person, User
from lookwho.library.queries import privacy as queries
from lookwho.services import consents, erasure, events, held, mail, receipts
from lookwho.web.access import for_owners, signed_in, visitor
from lookwho.web.selfies import context as selfies_of

# Rows of a list on one page.
PIECE = 30


def purposes() -> dict[str, str]:
    """Return what each purpose is called."""
    return {
        consents.FIND: _("Being found by your selfies"),
        consents.NAMES: _("Your name at your face"),
        consents.EVENTS: _("Events that keep only who agreed"),
    }


@require_safe
@never_cache
@signed_in
def privacy(request: HttpRequest) -> HttpResponseBase:
    """Selfies, consents, searches, and the ways to take all of it away."""
    user = visitor(request)
    called = purposes()
    rows = queries.searches_for(user)
    page = Paginator(rows, PIECE).get_page(request.GET.get("searches"))
    context = selfies_of(user) | {
        "standings": [(called[each.purpose], each) for each in consents.standings(user)],
        "history": [(called.get(row.purpose, row.purpose), row) for row in consents.history(user)],
        "cost": events.cost(),
        "searches": page,
        "told": [queries.told(user, row) for row in page],
        "erasures": [
            (row, receipts.token_of(row) if row.receipt else "")
            for row in queries.erasures_of(user)[:PIECE]
        ],
    }
    return render(request, "lookwho/privacy.html", context)


@require_POST
@signed_in
def consent(request: HttpRequest, purpose: str) -> HttpResponse:
    """Agree to a purpose, or withdraw."""
    user, back = visitor(request), f"{reverse('privacy')}#agreed"
    try:
        if request.POST.get("say") == "withdraw":
            done = consents.withdraw(user, purpose)
            if done is not None and done.receipt:
                return redirect("receipt", receipts.token_of(done))
            messages.success(request, _("Withdrawn."))
        elif request.POST.get("say") == "agree":
            consents.give(
                user,
                purpose,
                version=_number(request.POST.get("version", "")),
                guardian=request.POST.get("guardian", ""),
                guardian_email=request.POST.get("guardian_email", ""),
            )
            messages.success(request, _("Thank you. You can withdraw it here at any time."))
        else:
            raise Invalid("say agree or withdraw")
    except LookwhoError as error:
        messages.error(request, error.message)
    return redirect(back)


@require_safe
@never_cache
@signed_in
def export(request: HttpRequest) -> HttpResponseBase:
    """Everything that is kept about whoever asks, as a zip."""
    name = f"lookwho-{timezone.localdate():%Y-%m-%d}.zip"
    response = FileResponse(
        held.export(visitor(request)),
        as_attachment=True,
        filename=name,
        content_type="application/zip",
    )
    response["Cache-Control"] = "no-store"
    return response


# --- erasing ---


@never_cache
@signed_in
def erase(request: HttpRequest) -> HttpResponseBase:
    """What erasing one's account takes away; and, once that was read, doing it."""
    user = visitor(request)
    if request.method != "POST":
        return _asked(request, erasure.outlook(user=user), own=True, back=reverse("privacy"))
    _checked(request)
    to, here = user.email, request.build_absolute_uri("/")
    done = erasure.erase_account(user)
    logout(request)
    _mail(done, to, here)
    return redirect("receipt", receipts.token_of(done))


@never_cache
@for_owners
def erase_person(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Erase a person, and the account of who they are."""
    person = Person.objects.select_related("root", "user").filter(uuid=uuid).first()
    if person is None:
        raise NotFound("there is no such person, or it is not for you to see")
    outlook = erasure.outlook(person=person)
    if request.method != "POST":
        return _asked(request, outlook, own=False, back=reverse("person", args=[uuid]))
    _checked(request)
    return _erased(request, erasure.erase_person(visitor(request), person), "")


@never_cache
@for_owners
def erase_user(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Erase the account of somebody else, and whom they are in photos."""
    user = User.objects.filter(uuid=uuid).first()
    if user is None:
        raise NotFound("there is no such user, or it is not for you to see")
    if request.method != "POST":
        back = reverse("members")
        return _asked(request, erasure.outlook(user=user), own=False, back=back)
    _checked(request)
    to = user.email
    return _erased(request, erasure.erase_user(visitor(request), user), to)


@require_safe
@never_cache
def receipt(request: HttpRequest, token: str) -> HttpResponseBase:
    """The receipt of an erasure, for a day: whoever it was has no account any more."""
    found = receipts.erasure_of(token)
    if "download" in request.GET and found.receipt:
        response = HttpResponse(found.receipt, content_type="text/plain; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="receipt-{found.uuid}.txt"'
        return response
    context = {"erasure": found, "token": token}
    response = render(request, "lookwho/receipt.html", context)
    response["Referrer-Policy"] = "no-referrer"
    return response


def _asked(request: HttpRequest, outlook: erasure.Outlook, *, own: bool, back: str) -> HttpResponse:
    context = {"outlook": outlook, "own": own, "back": back, "mails": mail.configured()}
    return render(request, "lookwho/erase.html", context)


def _checked(request: HttpRequest) -> None:
    if not request.POST.get("sure"):
        raise Invalid(_("say first that you have read what goes: nothing was erased"))


def _erased(request: HttpRequest, done: Erasure, to: str) -> HttpResponse:
    _mail(done, to, request.build_absolute_uri("/"))
    return redirect("receipt", receipts.token_of(done))


def _mail(done: Erasure, to: str, here: str) -> None:
    """Send the receipt, or where it will be."""
    if not to:
        return
    where = mail.absolute(reverse("receipt", args=[receipts.token_of(done)]), here)
    text = done.receipt or _(
        "Your data are being erased. For a day the receipt is here:\n\n%(address)s\n"
    ) % {"address": where}
    mail.send(to, _("Receipt of an erasure"), text)


def _number(told: str) -> int:
    if not (told.isdecimal() and len(told) < 9):
        raise Invalid(f"{told[:20]!r} is no version")
    return int(told)
