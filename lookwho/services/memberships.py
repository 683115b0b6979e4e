"""Memberships: from when to when somebody was a member, by hand or as others say.

What a user may see follows from their periods each time they ask (`library.scope`): nothing is
done on the day on which one ends. Each source has its own periods, and a user is a member on a day
of any of them. Somebody without a period was never given one and is a member all the time; so who
was never a member, or is none any more before a day was over, has the one day `NEVER`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from django.db import transaction
from django.utils import timezone

from lookwho.core import memberlist
from lookwho.core.errors import Forbidden, Invalid, NotFound
from lookwho.library.models import Membership, User
from lookwho.library.models.accounts import Role

Source = Membership.Source

# A day before all photos, also a month later.
NEVER = date(1, 12, 31)
# Periods of one user from one source.
MOST = 100
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time in which somebody was a member; both days count, None is open."""

    since: date
    until: date | None = None

    @property
    def last(self) -> date:
        """The last day, as far away as there are any where it is open."""
        return self.until or date.max

    def __str__(self) -> str:
        return f"{self.since} to {self.until or 'now'}"


def never() -> Period:
    """Return the period of somebody who was never a member."""
    return Period(NEVER, NEVER)


# --- by hand ---


def add_period(by: User, user: User, since: date, until: date | None = None) -> Membership:
    """Say that somebody was a member from a day on, until another one or still.

    Raises:
        Forbidden: only an owner does that.
        Invalid: the days cannot be, or overlap what an owner said before.
    """
    with _changing(by, user):
        had = periods_of(user, Source.HAND)
        checked([*had, Period(since, until)])
        return Membership.objects.create(user=user, since=since, until=until, source=Source.HAND)


def end_period(by: User, pk: int, day: date | None = None) -> Membership:
    """Let a membership end; a list or provider that says otherwise opens it again.

    Args:
        by: who says so.
        pk: of the membership.
        day: its last day; yesterday if not told, so that it is over now.

    Raises:
        Forbidden: only an owner does that.
        NotFound: there is no such membership.
        Invalid: it begins later.
    """
    row = _found(by, pk)
    with _changing(by, row.user):
        if day is None:
            (left,) = ended([Period(row.since, row.until)], timezone.localdate())
            row.since, row.until = left.since, left.until
        else:
            memberlist.check_days(row.since, day)
            row.until = day
        row.save(update_fields=["since", "until"])
    return row


def remove_period(by: User, pk: int) -> User:
    """Take a membership away, as if it had never been; without any they are a member all the time.

    Raises:
        Forbidden: only an owner does that.
        NotFound: there is no such membership.
    """
    row = _found(by, pk)
    with _changing(by, row.user):
        Membership.objects.filter(pk=row.pk).delete()
    return row.user


def set_periods(by: User, user: User, periods: Sequence[Period]) -> None:
    """Say all periods of somebody that are said by hand, in place of those that were.

    Raises:
        Forbidden: only an owner does that.
        Invalid: a period cannot be, or two overlap.
    """
    periods = checked(periods)
    with _changing(by, user):
        _set(user, periods, Source.HAND)


# --- as others say ---


def replace(user: User, periods: Iterable[Period], *, source: str) -> None:
    """Take over what another system says of all the time in which somebody was a member.

    Args:
        user: who.
        periods: of that system; those that overlap are one. None at all: they were never a member.
        source: which system; what others say stays.

    Raises:
        Invalid: a period cannot be.
    """
    periods = joined(periods)
    with transaction.atomic():
        _hold(user)
        _set(user, periods or [never()], source)


def take_claim(user: User, claim: object, *, today: date | None = None) -> None:
    """Take over what whoever signs somebody in says of their membership.

    Providers say it in three ways:

    - a list of objects `{"since": "2024-09-01", "until": "2025-08-31" or null}`: all their periods.
      An empty one says the same as false;
    - one day, such as "2025-08-31": they are a member until then;
    - true or false: they are a member now, or not. The time of membership begins with the first
      time that they sign in so, and ends when the provider is asked the next time.

    Args:
        user: who signs in.
        claim: what the provider says, as JSON.
        today: the day on which it says so.

    Raises:
        Invalid: it is none of these.
    """
    today = today or timezone.localdate()
    if isinstance(claim, list) and claim:
        replace(user, _told(claim), source=Source.CLAIM)
        return
    if isinstance(claim, str) and claim.strip():
        until = memberlist.days_of("", claim)[1]
    elif isinstance(claim, bool) or claim == []:
        until = None if claim else today - A_DAY
    else:
        raise Invalid("the claim must be a list of objects with since and until, a day, or a bool")
    with transaction.atomic():
        _hold(user)
        _set(user, lasting_until(periods_of(user, Source.CLAIM), until, today), Source.CLAIM)


def lasting_until(periods: Iterable[Period], until: date | None, today: date) -> list[Period]:
    """Return the periods of somebody of whom no more is said than until when they are a member.

    Args:
        periods: what was known of them; what is over stays.
        until: the last day of the membership; None for one that is open.
        today: the day on which it is said, and on which a membership begins that was not known.
    """
    periods = [period for period in periods if period != never()]
    over = [period for period in periods if period.last < today]
    begin = min((each.since for each in periods if each.since <= today <= each.last), default=today)
    if until is None or until >= begin:
        over.append(Period(begin, until))
    return over or [never()]


# --- rows ---


def periods_of(user: User, source: str | None = None) -> list[Period]:
    """Return the periods of a user, of one source or of all, the first first."""
    rows = Membership.objects.filter(user=user).order_by("since", "pk")
    if source is not None:
        rows = rows.filter(source=source)
    return [Period(since, until) for since, until in rows.values_list("since", "until")]


def in_order(periods: Iterable[Period]) -> list[Period]:
    """Return periods, the first first."""
    return sorted(periods, key=lambda period: (period.since, period.last))


def checked(periods: Iterable[Period]) -> list[Period]:
    """Return periods in their order.

    Raises:
        Invalid: one cannot be, or two overlap, or there are too many.
    """
    rows = in_order(periods)
    if len(rows) > MOST:
        raise Invalid(f"nobody was a member {len(rows)} times; at most {MOST} periods are kept")
    for row in rows:
        if row != never():
            memberlist.check_days(row.since, row.until)
    for one, other in pairwise(rows):
        if other.since <= one.last:
            raise Invalid(f"{one} and {other} overlap: make one of them")
    return rows


def joined(periods: Iterable[Period]) -> list[Period]:
    """Return periods in their order, and those that overlap or follow at once as one.

    >>> days = [date(2025, 1, 1), date(2025, 6, 1), date(2025, 3, 1)]
    >>> [str(one) for one in joined([Period(days[2]), Period(days[0], days[1])])]
    ['2025-01-01 to now']
    """
    found: list[Period] = []
    for row in in_order(periods):
        before = found[-1] if found else None
        if before and (before.until is None or row.since <= before.until + A_DAY):
            last = max(before.last, row.last)
            found[-1] = Period(before.since, None if last == date.max else last)
        else:
            found.append(row)
    return checked(found)


def ended(periods: Iterable[Period], today: date) -> list[Period]:
    """Return the periods of somebody who is no member from this day on; at least `never`.

    >>> [str(one) for one in ended([Period(date(2024, 9, 1))], date(2025, 3, 2))]
    ['2024-09-01 to 2025-03-01']
    """
    left = [
        Period(each.since, min(each.last, today - A_DAY))
        for each in periods
        if each.since < today and each != never()
    ]
    return left or [never()]


def _told(claim: Sequence[object]) -> list[Period]:
    if len(claim) > MOST:
        raise Invalid(f"the claim has more than {MOST} periods")
    found: list[Period] = []
    for each in claim:
        told = each if isinstance(each, dict) else {}
        since, until = told.get("since"), told.get("until")
        if not isinstance(since, str) or not isinstance(until, str | None):
            raise Invalid("the claim must be a list of objects with since and until")
        first, last = memberlist.days_of(since, until or "")
        if first is None:
            raise Invalid("a period of the claim says not when it begins")
        found.append(Period(first, last))
    return found


def _set(user: User, periods: Iterable[Period], source: str) -> None:
    """Make the periods of a source these; those that are so already keep their rows."""
    wanted = list(periods)
    rows = Membership.objects.filter(user=user, source=source).order_by("pk")
    for row in rows:
        has = Period(row.since, row.until)
        if has in wanted:
            wanted.remove(has)
        else:
            Membership.objects.filter(pk=row.pk).delete()
    Membership.objects.bulk_create(
        Membership(user=user, since=each.since, until=each.until, source=source) for each in wanted
    )


def _found(by: User, pk: int) -> Membership:
    row = Membership.objects.filter(pk=pk).select_related("user").first()
    if row is None or not by.is_owner:
        raise NotFound("there is no such membership, or it is not for you to see")
    return row


@contextmanager
def _changing(by: User, user: User) -> Generator[None]:
    """Open a transaction in which an owner changes what is said by hand of a user."""
    with transaction.atomic():
        _hold(user)
        # As they are now: who asks may have been shut out meanwhile.
        if not User.objects.filter(pk=by.pk, role=Role.OWNER, is_active=True).exists():
            raise Forbidden("only an owner says who is a member when")
        yield


def _hold(user: User) -> None:
    """Let nobody else change the periods of a user until the transaction is over."""
    list(User.objects.filter(pk=user.pk).select_for_update())
