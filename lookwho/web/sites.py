"""Sites: other websites whose photos are to be found here, too; for owners."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from lookwho.core.errors import LookwhoError
from lookwho.library.queries import sites as queries
from lookwho.services import sites as services
from lookwho.services import work
from lookwho.services.site_visits import ADAPTERS
from lookwho.web.access import for_owners, visitor
from lookwho.web.answers import answer


@sensitive_post_parameters("token")
@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def sites(request: HttpRequest) -> HttpResponseBase:
    """All sites with what became of their last import; a form for another one."""
    if request.method != "POST":
        return _page(request)
    told = request.POST
    typed = {name: told.get(name, "").strip() for name in ("address", "title", "adapter")}
    plain = "plain" in told
    try:
        collection, _job = services.add_site(
            visitor(request), token=told.get("token", ""), plain=plain, **typed
        )
    except LookwhoError as error:
        return _page(request, status=error.status, error=error.message, typed=typed, plain=plain)
    words = _("%(site)s answers. Its photos appear here as they are fetched.")
    return answer(request, words % {"site": collection.title}, back=reverse("sites"))


@sensitive_post_parameters("token")
@require_POST
@for_owners
def change(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Import a site now, stop that, try its token or store another one, or remove it."""
    by, told = visitor(request), request.POST
    site = queries.site(by, uuid)
    title = {"site": site.collection.title}
    words = _("Nothing was changed.")
    try:
        if "import" in told:
            services.ask_import(site.collection)
            words = _("%(site)s is being imported.") % title
        elif "stop" in told and site.job is not None:
            work.cancel(site.job.pk)
            words = _("The import of %(site)s stops. What came stays.") % title
        elif "test" in told:
            services.test(by, uuid)
            words = _("%(site)s answers, and takes the token.") % title
        elif "token" in told:
            services.set_token(by, uuid, told["token"])
            words = _("%(site)s takes the new token.") % title
        elif "remove" in told:
            services.remove(by, uuid)
            words = _("%(site)s is removed.") % title
    except LookwhoError as error:
        return _page(request, status=error.status, wrong=error.message, at=uuid)
    return answer(request, words, back=reverse("sites"))


def _page(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponseBase:
    found = queries.sites(visitor(request))
    context = {
        "sites": [(site, services.removal(site.collection)) for site in found],
        "running": any(site.running for site in found),
        "adapters": list(ADAPTERS),
        **more,
    }
    return render(request, "lookwho/sites.html", context, status=status)
