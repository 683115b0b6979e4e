"""Likes: the button at a photo, what one likes, and what most people do."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from lookwho.library.models import Media, User
from lookwho.library.queries import likes as queries
from lookwho.library.queries import photos
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import likes as services
from lookwho.web.access import signed_in, visitor
from lookwho.web.answers import came_from, is_htmx
from lookwho.web.pictures import seen

# The lists of these pages, as an address tells them: /photos/…?list=liked
LIKED, MOST_LIKED = "liked", "most-liked"


@require_safe
@signed_in
def liked(request: HttpRequest) -> HttpResponseBase:
    """The photos that the asker likes, the newest first."""
    return _page(request, LIKED, services.liked_by(visitor(request)))


@require_safe
@signed_in
def most_liked(request: HttpRequest) -> HttpResponseBase:
    """The few photos that most people like."""
    return _page(request, MOST_LIKED, _most_liked(visitor(request)))


@require_POST
@signed_in
def like(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Like a photo, or take that back."""
    media, user = seen(request, uuid), visitor(request)
    if request.POST.get("like") == "0":
        services.unlike(user, media)
    else:
        services.like(user, media)
    back = came_from(request, reverse("photo", args=[media.uuid]))
    if not is_htmx(request):
        return redirect(back)
    told = {"media": media, "likes": queries.of(user, [media])[media.pk], "back": back}
    return render(request, "lookwho/_like.html", told)


def beside(
    which: str, user: User, media: Media
) -> tuple[str, UUID | None, UUID | None, str] | None:
    """Return where a photo stands in a list of these pages; None for another list.

    Returns:
        The query that tells the list, the photos before and after this one, and the page.
    """
    read = _LISTS.get(which)
    if read is None:
        return None
    uuids = [each.uuid for each in read(user)]
    back, query = reverse(which), f"list={which}"
    if media.uuid not in uuids:
        return query, None, None, back
    at = uuids.index(media.uuid)
    before = uuids[at - 1] if at else None
    return query, before, uuids[at + 1] if at + 1 < len(uuids) else None, back


def _most_liked(user: User) -> list[Media]:
    return [media for media, _ in queries.most_liked(scope_of(user, Purpose.BROWSE))]


_LISTS: dict[str, Callable[[User], list[Media]]] = {
    LIKED: services.liked_by,
    MOST_LIKED: _most_liked,
}


def _page(request: HttpRequest, which: str, media: list[Media]) -> HttpResponseBase:
    user = visitor(request)
    tiles = photos.tiles_of(scope_of(user, Purpose.BROWSE), media)
    likes = queries.of(user, media)
    context = {
        "which": which,
        "query": f"list={which}",
        "tiles": [(tile, likes[row.pk].count) for tile, row in zip(tiles, media, strict=True)],
    }
    return render(request, "lookwho/liked.html", context)
