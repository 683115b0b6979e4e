"""Members: who may sign in, since when and to do what, how they answer, and who is invited."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid, LookwhoError
from lookwho.library.models.accounts import Role
from lookwho.library.queries import members as queries
from lookwho.services import accounts, entry, mail, misuse
from lookwho.web.access import for_owners, visitor
from lookwho.web.address import absolute
from lookwho.web.answers import answer
from lookwho.web.told import uuid_of

DAYS = (3, 14, 90)
ON_A_PAGE = 50


@require_safe
@for_owners
def members(request: HttpRequest) -> HttpResponseBase:
    """Who may sign in, and who is invited."""
    return _page(request)


@require_POST
@for_owners
def change(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Let a user do more or less, shut them out, or let them in again."""
    by, told = visitor(request), request.POST
    row = queries.member(by, uuid)
    if "active" in told:
        row = accounts.set_active(by, row, told["active"] == "1")
        words = (
            _("%(who)s may sign in again.")
            if row.is_active
            else _("%(who)s may not sign in any more.")
        )
        return answer(request, words % {"who": row.username}, back=reverse("members"))
    row = accounts.set_role(by, row, told.get("role", ""))
    words = _("%(who)s is %(role)s now.") % {"who": row.username, "role": _CALLED[row.role]}
    return answer(request, words, back=reverse("members"))


@require_POST
@never_cache
@for_owners
@sensitive_variables("token", "link")
def invite(request: HttpRequest) -> HttpResponseBase:
    """Make an invitation, and show its link: this once, since only its hash is kept."""
    told = request.POST
    name, role, email = told.get("name", ""), told.get("role", ""), told.get("email", "")
    try:
        days = told.get("days", "")
        if not (days.isascii() and days.isdecimal() and len(days) < 4):
            raise Invalid(_("say for how many days the link works"))
        token = accounts.invite(
            visitor(request),
            name=name,
            role=role,
            email=email,
            lasts=timedelta(days=int(days)),
            here=request.build_absolute_uri("/"),
        )
    except LookwhoError as error:
        wrong: dict[str, object] = {"error": error.message, "name": name, "email": email}
        return _page(request, status=error.status, **wrong)
    link = absolute(request, reverse("join", args=[token]))
    return _page(request, link=link, invited=accounts.invitation(token))


@require_POST
@never_cache
@for_owners
@sensitive_variables("made", "link")
def let_in(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Make a link for somebody who was never here: mailed where that is possible, and shown."""
    by = visitor(request)
    row = queries.member(by, uuid)
    made = entry.let_in(by, row, here=request.build_absolute_uri("/"))
    link = absolute(request, reverse("enter", args=[made.token]))
    return _page(request, entry_link=link, entering=row, entry_mailed=made.mailed)


@require_POST
@for_owners
def revoke(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Withdraw an invitation."""
    share = accounts.revoke_invitation(visitor(request), uuid)
    words = _("The invitation is withdrawn.")
    if share.name:
        words = _("The invitation for %(who)s is withdrawn.") % {"who": share.name}
    return answer(request, words, back=reverse("members"))


def _page(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponseBase:
    user, told = visitor(request), request.GET
    wanted = {name: told.get(name, "").strip()[:200] for name in ("q", "role", "standing", "team")}
    found = queries.users(
        user,
        words=wanted["q"],
        role=wanted["role"],
        standing=wanted["standing"],
        team=uuid_of(wanted["team"]),
    )
    page = Paginator(found, ON_A_PAGE).get_page(told.get("page"))
    context = {
        "page": page,
        "members": queries.described(list(page.object_list)),
        "flagged": {each.user.pk: each.faces for each in misuse.flagged()},
        "wanted": wanted,
        "narrowed": any(wanted.values()),
        "teams": queries.teams(user),
        "invitations": queries.invitations(user),
        "roles": [(role.value, _ROLES[role]) for role in Role],
        "standings": _STANDINGS,
        "invited_as": [(role, _ROLES[Role(role)]) for role in accounts.INVITED_AS],
        "days": DAYS,
        "mail": mail.configured(),
        **more,
    }
    return render(request, "lookwho/members.html", context, status=status)


_ROLES = {
    Role.OWNER: gettext_lazy("Owner"),
    Role.CURATOR: gettext_lazy("Curator"),
    Role.ANNOTATOR: gettext_lazy("Annotator"),
    Role.MEMBER: gettext_lazy("Member"),
}
_CALLED = {
    Role.OWNER.value: gettext_lazy("an owner"),
    Role.CURATOR.value: gettext_lazy("a curator"),
    Role.ANNOTATOR.value: gettext_lazy("an annotator"),
    Role.MEMBER.value: gettext_lazy("a member"),
}
_STANDINGS = (
    ("present", gettext_lazy("Members today")),
    ("former", gettext_lazy("Former members")),
    ("always", gettext_lazy("Without a time of membership")),
    ("new", gettext_lazy("Never signed in")),
    ("out", gettext_lazy("Shut out")),
)
