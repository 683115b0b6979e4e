"""Figures of labelling as they are said on pages."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def percent(share: float | None) -> str:
    """Say a share of one in percent; 100 only where nothing is missing.

    >>> percent(0.914), percent(0.9999), percent(1.0), percent(None)
    ('91 %', '99 %', '100 %', '–')
    """
    return "–" if share is None else f"{int(100 * share + 1e-9)} %"


@register.filter
def of_all(part: int, whole: int) -> str:
    """Say how many of all, in percent.

    >>> of_all(1, 3)
    '33 %'
    """
    return percent(part / whole if whole else None)


@register.filter
def hundredth(value: float | None) -> str:
    """Say a figure to two places.

    >>> hundredth(0.7434), hundredth(None)
    ('0.74', '–')
    """
    return "–" if value is None else f"{value:.2f}"


@register.filter
def judged(alpha: float) -> str:
    """Say what an agreement is worth, as Krippendorff draws the lines (2004, page 241).

    >>> [judged(value) for value in (0.85, 0.7, 0.3, -0.2)]
    ['Good enough to rely on', 'Good enough for tentative conclusions', 'Too little to rely on', \
'Less than chance: they mean different things']
    """
    if alpha >= 0.8:
        return "Good enough to rely on"
    if alpha >= 0.667:
        return "Good enough for tentative conclusions"
    if alpha >= 0:
        return "Too little to rely on"
    return "Less than chance: they mean different things"
