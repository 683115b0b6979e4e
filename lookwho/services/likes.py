"""Likes: that somebody likes a photo. Said or taken back twice, it is as if said once."""

from __future__ import annotations

from lookwho.core.errors import NotFound
from lookwho.library.models import Like, Media, User
from lookwho.library.queries import likes as queries
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import search


def like(user: User, media: Media) -> bool:
    """Say that a user likes a photo; return whether that is new.

    Raises:
        NotFound: there is no such photo, or they may not see it.
    """
    _seen(user, media)
    # Of two at once the database lets one be the first.
    _, new = Like.objects.get_or_create(user=user, media=media)
    return new


def unlike(user: User, media: Media) -> bool:
    """Take a like back; return whether there was one.

    Raises:
        NotFound: there is no such photo, or they may not see it.
    """
    _seen(user, media)
    count, _ = Like.objects.filter(user=user, media=media).delete()
    return count > 0


def liked_by(user: User) -> list[Media]:
    """Return the photos that a user likes and may see, the newest first."""
    open_ones = list(queries.liked(scope_of(user, Purpose.BROWSE), user))
    known = {media.pk for media in open_ones}
    others = Media.objects.filter(likes__user=user.pk, present=True).exclude(pk__in=known)
    rest = set(others.values_list("pk", flat=True))
    if rest:  # they may see those that they are in themselves
        found = search.my_photos(user)
        open_ones += [match.media for match in found if match.mine and match.media.pk in rest]
    return sorted(open_ones, key=lambda media: (media.day, media.taken_at, media.pk), reverse=True)


def _seen(user: User, media: Media) -> None:
    if not search.may_see(user, media):
        raise NotFound("there is no such photo, or it is not for you to see")
