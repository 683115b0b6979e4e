"""Times of videos as they are said on pages."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()


@register.filter
def clock(seconds: float | None) -> str:
    """Say a time in a video as players do.

    >>> [clock(seconds) for seconds in (0, 12.6, 83, 3723.2, None)]
    ['0:00', '0:12', '1:23', '1:02:03', '0:00']
    """
    minutes, rest = divmod(int(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def moment(seconds: float | None) -> str:
    """Say a time in a video as addresses do.

    >>> [moment(seconds) for seconds in (12.5, 3.0, 0.123, None)]
    ['#t=12.5', '#t=3', '#t=0.12', '']
    """
    return "" if seconds is None else f"#t={round(seconds, 2):g}"


@register.filter
def taking(seconds: float | None) -> str:
    """Say how long somebody is seen, or how long a video is.

    >>> [taking(seconds) for seconds in (0.4, 1, 12.4, 83, 3723, 7200)]
    ['under 1 second', '1 second', '12 seconds', '1 min 23 s', '1 h 2 min', '2 h']
    """
    whole = round(seconds or 0)
    if whole < 1:
        return _("under 1 second")
    if whole < 60:
        return ngettext("%(n)s second", "%(n)s seconds", whole) % {"n": whole}
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        told = {"minutes": minutes, "seconds": rest}
        return _("%(minutes)s min %(seconds)s s") % told if rest else _("%(minutes)s min") % told
    hours, minutes = divmod(round(whole / 60), 60)
    told = {"hours": hours, "minutes": minutes}
    return _("%(hours)s h %(minutes)s min") % told if minutes else _("%(hours)s h") % told
