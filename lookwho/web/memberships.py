"""Memberships: one member with their times, and a whole list of members with a look before."""

from __future__ import annotations

from uuid import UUID

from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lookwho.core import memberlist
from lookwho.core.errors import Conflict, Invalid, LookwhoError, NotFound
from lookwho.library.models import Membership, Person
from lookwho.library.queries import members as queries
from lookwho.services import linking, memberships
from lookwho.services.identity import find_named
from lookwho.services.member_lists import take_list
from lookwho.web.access import for_owners, visitor
from lookwho.web.answers import answer
from lookwho.web.told import uuid_of

# How long somebody may look at what a list would change before they say yes.
LOOKED_AT = 3600
# What is shown of each kind of change; the rest is counted.
SHOWN = 100
# What fits into a form, as text of twice the length, before it is compressed.
MOST_BYTES = 1 << 20


@require_safe
@for_owners
def member(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """When somebody was a member, and who they are among the people with faces."""
    return _member(request, uuid)


@require_POST
@for_owners
def add_period(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Say that somebody was a member from a day on."""
    by, told = visitor(request), request.POST
    row = queries.member(by, uuid)
    try:
        since, until = memberlist.days_of(told.get("since", ""), told.get("until", ""))
        if since is None:
            raise Invalid(_("say when it began"))
        memberships.add_period(by, row, since, until)
    except LookwhoError as error:
        return _member(request, uuid, status=error.status, error=error.message, told=told)
    return answer(request, _("The time of membership is noted."), back=_at(uuid))


@require_POST
@for_owners
def change_period(request: HttpRequest, uuid: UUID, pk: int) -> HttpResponseBase:
    """Let a time of membership end now, or take it away."""
    by = visitor(request)
    row = queries.member(by, uuid)
    periods = Membership.objects.filter(user=row)
    if not periods.filter(pk=pk).exists():
        raise NotFound("there is no such membership, or it is not for you to see")
    if request.POST.get("how") == "remove":
        memberships.remove_period(by, pk)
        words = _("The time of membership is gone.")
        if not periods.exists():
            words = _("The time of membership is gone. Without any they are a member all the time.")
        return answer(request, words, back=_at(uuid))
    memberships.end_period(by, pk)
    return answer(
        request, _("%(who)s is no member any more.") % {"who": row.username}, back=_at(uuid)
    )


@require_POST
@for_owners
def set_person(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Say which person a user is, by their name; or none."""
    by, told = visitor(request), request.POST
    row = queries.member(by, uuid)
    name = told.get("person", "").strip()
    if not name:
        linking.unlink(by, row)
        return answer(request, _("They are linked with nobody now."), back=_at(uuid))
    try:
        chosen = uuid_of(name)
        person = Person.objects.filter(uuid=chosen).first() if chosen else find_named(name)
        if person is None:
            raise Invalid(_("nobody in the photos is called %(name)s") % {"name": name[:200]})
        person = linking.link(by, row, person)
    except LookwhoError as error:
        return _member(request, uuid, status=error.status, person_error=error.message, name=name)
    words = _("%(user)s is %(person)s.") % {"user": row.username, "person": person}
    return answer(request, words, back=_at(uuid))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@for_owners
def take(request: HttpRequest) -> HttpResponseBase:
    """A whole list of members: what it would change first, then, when somebody says so, it does.

    What was looked at travels with the page, signed, so that it is this list that is taken.
    """
    if request.method != "POST":
        return render(request, "lookwho/members_list.html", {"shown": SHOWN})
    by, told = visitor(request), request.POST
    make, many = told.get("make") == "1", told.get("many") == "1"
    context: dict[str, object] = {"shown": SHOWN, "make": make}
    try:
        if "list" in told:
            text = _looked_at(told["list"])
            outcome = take_list(by, memberlist.rows_of(text), make=make, many_may_leave=many)
        else:
            upload = request.FILES.get("file")
            if upload is None:
                raise Invalid(_("choose a file first"))
            text = upload.read(MOST_BYTES + 1)
            if len(text) > MOST_BYTES:
                raise Invalid(_("a list of members of so many MB is for `lookwho member list`"))
            outcome = take_list(by, memberlist.rows_of(text), make=make, dry_run=True)
    except LookwhoError as error:
        context["error"] = error.message
        return render(request, "lookwho/members_list.html", context, status=error.status)
    context |= {"outcome": outcome}
    if outcome.dry_run:
        context["list"] = signing.dumps(text.hex(), salt=_SALT, compress=True)
    return render(request, "lookwho/members_list.html", context)


_SALT = "lookwho.members.list"


def _looked_at(slip: str) -> bytes:
    try:
        return bytes.fromhex(signing.loads(slip, salt=_SALT, max_age=LOOKED_AT))
    except signing.BadSignature as error:
        raise Conflict(_("you looked at this list too long ago: choose the file again")) from error


def _member(
    request: HttpRequest, uuid: UUID, *, status: int = 200, **more: object
) -> HttpResponseBase:
    row = queries.member(visitor(request), uuid)
    (told,) = queries.described([row])
    context = {"each": told, "who": row, **more}
    return render(request, "lookwho/members_one.html", context, status=status)


def _at(uuid: UUID) -> str:
    return reverse("member", args=[uuid])
