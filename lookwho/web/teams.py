"""Teams: users who see an album, or label a project, together."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from lookwho.core.errors import Invalid, LookwhoError
from lookwho.library.models import User
from lookwho.library.queries import members as queries
from lookwho.services import teams as services
from lookwho.web.access import for_owners, visitor
from lookwho.web.answers import answer
from lookwho.web.told import uuid_of


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def teams(request: HttpRequest) -> HttpResponseBase:
    """All teams with who is in them; a form for another one."""
    if request.method != "POST":
        return _page(request)
    title = request.POST.get("title", "")
    try:
        row = services.make(visitor(request), title)
    except LookwhoError as error:
        return _page(request, status=error.status, error=error.message, title=title)
    words = _("There is a team %(team)s now.") % {"team": row.title}
    return answer(request, words, back=reverse("teams"))


@require_POST
@for_owners
def change(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Rename a team, put somebody into it, take somebody out, or remove it."""
    by, told = visitor(request), request.POST
    row = queries.team(by, uuid)
    try:
        words = _("Nothing was changed.")
        if "remove" in told:
            services.remove(by, uuid)
            words = _("The team %(team)s is gone.") % {"team": row.title}
        elif "title" in told:
            row = services.rename(by, uuid, told["title"])
            words = _("The team is called %(team)s now.") % {"team": row.title}
        elif name := told.get("add", "").strip():
            user = User.objects.filter(username__iexact=name, is_active=True).first()
            if user is None:
                raise Invalid(_("nobody here is called %(name)s") % {"name": name[:200]})
            services.add(by, uuid, [user])
            words = _("%(who)s is in %(team)s now.") % {"who": user.username, "team": row.title}
        elif chosen := uuid_of(told.get("out", "")):
            user = queries.member(by, chosen)
            services.take_out(by, uuid, [user])
            words = _("%(who)s is in %(team)s no more.") % {
                "who": user.username,
                "team": row.title,
            }
    except LookwhoError as error:
        return _page(request, status=error.status, wrong=error.message, at=uuid)
    return answer(request, words, back=reverse("teams"))


def _page(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponseBase:
    user = visitor(request)
    names = User.objects.filter(is_active=True).order_by("username")
    context = {
        "teams": queries.teams(user),
        "names": names.values_list("username", flat=True),
        **more,
    }
    return render(request, "lookwho/teams.html", context, status=status)
