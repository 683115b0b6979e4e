"""Numbers as they are said on pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from lookwho.library.models import Job
from lookwho.web.spans import Span

register = template.Library()


@register.filter
def sentence(message: str) -> SafeString:
    """Write the message of an error as a sentence, and what it says to type as code.

    >>> sentence("there is no <folder>: run `ls`")
    'There is no &lt;folder&gt;: run <code>ls</code>.'
    """
    parts = [str(conditional_escape(part)) for part in message.split("`")]
    if len(parts) % 2 == 0:  # one that is alone is no quotation mark
        parts[-2:] = ["`".join(parts[-2:])]
    text = "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
    ends = not message or message[-1] in ".!?…"
    return mark_safe(text[:1].upper() + text[1:] + ("" if ends else "."))


@register.filter
def lasting(seconds: float | None) -> str:
    """Say how long something takes, as exactly as is worth saying.

    >>> [lasting(seconds) for seconds in (3, 48, 100, 4000, 20000, None)]
    ['a few seconds', '50 seconds', '2 minutes', '1 hour 7 minutes', '6 hours', '']
    """
    if seconds is None:
        return ""
    if seconds < 8:
        return "a few seconds"
    if seconds < 55:
        return f"{round(seconds / 10) * 10 or 10} seconds"
    minutes = round(seconds / 60)
    if minutes < 60:
        return _count(max(minutes, 1), "minute")
    hours, rest = divmod(minutes, 60)
    if hours >= 4:
        return _count(round(minutes / 60), "hour")
    return f"{_count(hours, 'hour')} {_count(rest, 'minute')}" if rest else _count(hours, "hour")


@register.filter
def grouped(number: int | None) -> str:
    """Write a number with its thousands apart.

    >>> grouped(41212)
    '41,212'
    """
    return f"{number or 0:,}"


@register.filter
def paced(rate: float) -> str:
    """Say how fast photos are analysed.

    >>> [paced(rate) for rate in (48.2, 3.14, 0.2)]
    ['48 photos a second', '3.1 photos a second', '12 photos a minute']
    """
    if rate >= 10:
        return f"{rate:.0f} photos a second"
    return f"{rate:.1f} photos a second" if rate >= 1 else f"{rate * 60:.0f} photos a minute"


@register.filter
def percent_of(done: int, total: int) -> int:
    """Return how many of a hundred are done; 100 only when all are.

    >>> percent_of(999, 1000)
    99
    """
    return int(100 * done / total) if total else 0


@register.filter
def percent(share: float) -> str:
    """Write a share of 0 to 1 in percent.

    >>> [percent(share) for share in (0, 0.004, 0.5, 0.973, 0.9996, 1)]
    ['0 %', '0.4 %', '50 %', '97.3 %', '99.9 %', '100 %']
    """
    tenths_of = min(round(1000 * share), 999) if share < 1 else 1000
    return f"{tenths_of / 10:g} %"


@register.filter
def rest(share: float) -> str:
    """Write in percent what a share leaves.

    >>> rest(0.973)
    '2.7 %'
    """
    return percent(1 - share)


@register.filter
def points(gain: Sequence[float]) -> str:
    """Say how many of a hundred became better or worse, and how surely.

    >>> [points(gain) for gain in ((0.031, 0.012, 0.05), (-0.01, -0.03, 0.0), (0, 0, 0))]
    ['3.1 better (1.2 to 5)', '1 worse (0 to 3)', 'none better or worse']
    """
    mean, low, high = (round(100 * each, 1) for each in gain)
    if not mean:
        return "none better or worse"
    if mean > 0:
        return f"{mean:g} better ({low:g} to {high:g})"
    return f"{-mean:g} worse ({-high + 0:g} to {-low:g})"


@register.filter
def tenths(done: int, total: int) -> str:
    """Say how much is done in steps of a tenth: for whoever listens, and would hear each step.

    >>> tenths(47, 100)
    '40 percent of the photos are analysed.'
    """
    return f"{percent_of(done, total) // 10 * 10} percent of the photos are analysed."


@register.filter
def work_words(kinds: list[str]) -> str:
    """Say what a worker does.

    >>> work_words(["analyse", "reference"])
    'looks for faces, looks at selfies'
    """
    return ", ".join(_WORK.get(kind, kind) for kind in kinds)


_WORK = {
    Job.Kind.IMPORT.value: "reads folders",
    Job.Kind.ANALYSE.value: "looks for faces",
    Job.Kind.REFERENCE.value: "looks at selfies",
    Job.Kind.EMBED.value: "looks at faces drawn by hand",
    Job.Kind.GROUP.value: "puts faces together",
    Job.Kind.NAMES.value: "takes over names",
    Job.Kind.LEARN.value: "learns from what was said",
    Job.Kind.ERASE.value: "overwrites what was erased",
    Job.Kind.MAIL.value: "writes mails about new photos",
    Job.Kind.VIDEO.value: "reads videos",
    Job.Kind.SEGMENT.value: "looks at videos",
    Job.Kind.JOIN.value: "puts videos together",
    Job.Kind.PROXY.value: "makes copies that browsers play",
    Job.Kind.MONTAGE.value: "makes films of moments",
}


@register.filter
def ages(span: Span, born: date) -> str:
    """Say how old somebody became in some years.

    >>> years = (1980, 1986), (1985, 1987), (1986, 1990), (1988, 1988), (1990, 1995)
    >>> [ages(Span(*each), date(1987, 3, 21)) for each in years]
    ['before birth', 'the year of birth', 'up to 3 years old', '1 year old', '3 to 8 years old']
    """
    first, last = span.first - born.year, span.last - born.year
    if last <= 0:
        return "before birth" if last else "the year of birth"
    if first == last:
        return f"{_count(last, 'year')} old"
    return f"{first} to {last} years old" if first > 0 else f"up to {_count(last, 'year')} old"


@register.filter
def aged(day: date, born: date) -> str:
    """Say how old somebody was on a day.

    >>> born = date(1987, 3, 21)
    >>> days = (1986, 1, 1), (1987, 5, 1), (1988, 3, 20), (2025, 4, 1)
    >>> [aged(date(*day), born) for day in days]
    ['before birth', 'under 1 year old', 'under 1 year old', '38 years old']
    """
    if day < born:
        return "before birth"
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return f"{_count(years, 'year')} old" if years else "under 1 year old"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
