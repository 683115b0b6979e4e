"""Members: who may sign in, what each may do, how they answer, and who is invited."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid, LookwhoError
from lookwho.library.models.accounts import Role
from lookwho.library.queries import members as queries
from lookwho.services import accounts
from lookwho.web.access import for_owners, visitor
from lookwho.web.answers import answer

DAYS = (3, 14, 90)


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
        words = "may sign in again" if row.is_active else "may not sign in any more"
        return answer(request, f"{row.username} {words}.", back=reverse("members"))
    row = accounts.set_role(by, row, told.get("role", ""))
    return answer(request, f"{row.username} is {_CALLED[row.role]} now.", back=reverse("members"))


@require_POST
@never_cache
@for_owners
@sensitive_variables("token", "link")
def invite(request: HttpRequest) -> HttpResponseBase:
    """Make an invitation, and show its link: this once, since only its hash is kept."""
    told = request.POST
    name, role = told.get("name", ""), told.get("role", "")
    try:
        days = told.get("days", "")
        if not (days.isascii() and days.isdecimal() and len(days) < 4):
            raise Invalid("say for how many days the link works")
        token = accounts.invite(
            visitor(request), name=name, role=role, lasts=timedelta(days=int(days))
        )
    except LookwhoError as error:
        wrong: dict[str, object] = {"error": error.message, "name": name}
        return _page(request, status=error.status, **wrong)
    link = request.build_absolute_uri(reverse("join", args=[token]))
    return _page(request, link=link, invited=accounts.invitation(token))


@require_POST
@for_owners
def revoke(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Withdraw an invitation."""
    share = accounts.revoke_invitation(visitor(request), uuid)
    whose = f" for {share.name}" if share.name else ""
    return answer(request, f"The invitation{whose} is withdrawn.", back=reverse("members"))


def _page(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponseBase:
    user = visitor(request)
    context = {
        "members": queries.members(user),
        "invitations": queries.invitations(user),
        "roles": [(role.value, _ROLES[role]) for role in Role],
        "invited_as": [(role, _ROLES[Role(role)]) for role in accounts.INVITED_AS],
        "days": DAYS,
        **more,
    }
    return render(request, "lookwho/members.html", context, status=status)


_ROLES = {
    Role.OWNER: "Owner",
    Role.CURATOR: "Curator",
    Role.ANNOTATOR: "Annotator",
    Role.MEMBER: "Member",
}
_CALLED = {
    Role.OWNER.value: "an owner",
    Role.CURATOR.value: "a curator",
    Role.ANNOTATOR.value: "an annotator",
    Role.MEMBER.value: "a member",
}
