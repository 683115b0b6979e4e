"""Whether there are videos for somebody to look at, for the main menu."""

from __future__ import annotations

from django import template

from lookwho.library.models import User, Video
from lookwho.library.queries import videos
from lookwho.library.scope import Purpose, scope_of

register = template.Library()


@register.simple_tag
def any_videos(user: User) -> bool:
    """Return whether this user is shown the way to Videos: where there are any, and to owners."""
    if user.sees_everything:
        return True
    if not Video.objects.exists():  # which spares all others a longer question on each page
        return False
    return videos.videos(scope_of(user, Purpose.BROWSE)).exists()
