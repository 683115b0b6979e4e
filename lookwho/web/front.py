"""The front door: it leads each visitor to the page that is theirs to begin with."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from lookwho.library.models.accounts import Role
from lookwho.library.queries import people, work
from lookwho.library.scope import Purpose, scope_of
from lookwho.web.access import signed_in, visitor


@require_safe
@never_cache
@signed_in
def door(request: HttpRequest) -> HttpResponseBase:
    """Welcome while there is nothing, People while groups lack names, then Photos.

    Annotators come to Review, members to their own photos.
    """
    user = visitor(request)
    if not user.sees_everything:
        return redirect("review" if user.role == Role.ANNOTATOR else "me")
    scope = scope_of(user, Purpose.NAME)
    under_way = work.pace(scope).running
    if not under_way and not scope.media().exists():
        return redirect("welcome")
    # While photos come in, People is where the first faces appear.
    return redirect("people" if under_way or people.groups_lack_names(scope) else "photos")
