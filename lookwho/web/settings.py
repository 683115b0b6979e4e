"""Settings: what owners choose: what people are asked to agree to, and how long things are kept."""

from __future__ import annotations

from django.conf import settings as site
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid, LookwhoError
from lookwho.library.queries import privacy as queries
from lookwho.services import consents, mail, options, retention
from lookwho.web.access import for_owners, visitor
from lookwho.web.privacy import PIECE, purposes


@require_safe
@never_cache
@for_owners
def settings(request: HttpRequest) -> HttpResponseBase:
    """All that is chosen, and what would go today."""
    called, chosen = purposes(), options.all_chosen()
    days = [option for option in options.OPTIONS if option.unit == "days"]
    others = [option for option in options.OPTIONS if option.unit != "days"]
    today = {went.rule.option or went.rule.name: went for went in retention.run(dry_run=True)}
    context = {
        "texts": [(called[each], consents.texts(each)) for each in consents.PURPOSES],
        "longest": consents.LONGEST_TEXT,
        "days": [(each, chosen[each.name], today.pop(each.name, None)) for each in days],
        "alone": list(today.values()),
        "others": [(each, chosen[each.name]) for each in others],
        "months": [(number, _(name)) for number, name in enumerate(_MONTHS, 1)],
        "members_list": options.members_list(),
        "mails": mail.configured(),
        "mail_server": site.EMAIL_HOST,
        "mail_from": site.DEFAULT_FROM_EMAIL,
        "ledger": site.LEDGER,
        "exposed_ledger": site.LEDGER.is_relative_to(site.HOME),
    }
    return render(request, "lookwho/settings.html", context)


@require_POST
@for_owners
def change(request: HttpRequest) -> HttpResponse:
    """Choose other values."""
    by = visitor(request)
    try:
        for option in options.OPTIONS:
            told = request.POST.get(option.name)
            if told is None:
                continue
            if not (told.isdecimal() and len(told) < 6):
                raise Invalid(f"{option.title}: {told[:20]!r} is no whole number")
            if int(told) != options.chosen(option.name):
                options.choose(by, option.name, int(told))
        path = request.POST.get("members_list")
        if path is not None and path.strip() != options.members_list():
            options.watch_list(by, path)
        messages.success(request, _("Saved."))
    except LookwhoError as error:
        messages.error(request, error.message)
    return redirect("settings")


@require_POST
@for_owners
def write_text(request: HttpRequest, purpose: str) -> HttpResponse:
    """Ask something else from now on."""
    try:
        text = consents.write_text(visitor(request), purpose, request.POST.get("text", ""))
        messages.success(
            request,
            _("This is version %(version)d. Whoever agreed before is asked again.")
            % {"version": text.version},
        )
    except LookwhoError as error:
        messages.error(request, error.message)
    return redirect(f"{reverse('settings')}#{purpose}")


@require_safe
@never_cache
@for_owners
def searches(request: HttpRequest) -> HttpResponseBase:
    """Who searched by a face, whose it was, and when."""
    page = Paginator(queries.all_searches(visitor(request)), PIECE).get_page(
        request.GET.get("page")
    )
    return render(request, "lookwho/searches.html", {"searches": page})


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
