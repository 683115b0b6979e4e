"""Likes: how many like a photo, what the asker likes, and what most people do.

Likes are counted by themselves, never beside another table: joined with faces or matches, each
would count once for each of those.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, QuerySet

from lookwho.library.models import Like, Media, User
from lookwho.library.scope import Scope

MOST_LIKED = 12


@dataclass(frozen=True, slots=True)
class Likes:
    """Who likes a photo.

    Attributes:
        count: how many do.
        mine: whether the asker does.
    """

    count: int
    mine: bool


NONE = Likes(0, False)


def of(asker: User, media: Iterable[Media]) -> dict[int, Likes]:
    """Return the likes of each of these media, by its id: all that the asker may see. One query."""
    ids = [each.pk for each in media]
    found = dict.fromkeys(ids, NONE)
    counted = Like.objects.filter(media__in=ids).values_list("media").order_by()
    own = Like.objects.filter(media=OuterRef("media"), user=asker.pk)
    for pk, count, mine in counted.annotate(count=Count("pk"), mine=Exists(own)):
        found[pk] = Likes(count, mine)
    return found


def most_liked(scope: Scope, *, take: int = MOST_LIKED) -> list[tuple[Media, int]]:
    """Return the media that most people like, each with how many do; of those alike, the newest."""
    visible = scope.media().filter(pk=OuterRef("media"))
    counted = Like.objects.filter(Exists(visible)).values_list("media").annotate(count=Count("pk"))
    best = list(counted.order_by("-count", "-media__taken_at", "-media")[:take])
    rows = Media.objects.in_bulk([pk for pk, _ in best])
    return [(rows[pk], count) for pk, count in best]


def liked(scope: Scope, asker: User) -> QuerySet[Media]:
    """Return the media that the asker likes and may see, in no order."""
    return scope.media().filter(pk__in=Like.objects.filter(user=asker.pk).values("media"))
