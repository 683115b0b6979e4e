"""Member lists: a whole list of members, from a file or the API, taken over at once.

Whoever was a member by an earlier list and is not in this one is no member from this day on. Who
was never in a list is left alone. A list that is taken over twice changes nothing the second time.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from lookwho.core import memberlist
from lookwho.core.errors import Conflict, FileMissing, Forbidden, Invalid, LookwhoError
from lookwho.core.memberlist import Row
from lookwho.library.models import Membership, Setting, User
from lookwho.library.models.accounts import Role
from lookwho.services import accounts
from lookwho.services.memberships import MOST, Period, ended, in_order, never
from lookwho.services.named_in_lists import People

_log = logging.getLogger(__name__)

Source = Membership.Source

# The name of the setting that says which file is read each night.
WATCHED = "members_list"
# Where more than this share leaves at once, the list may be half a list: somebody has to say that
# it is not. Of a handful nobody need.
MANY_LEAVE, HANDFUL = 0.5, 5
# Rows in one statement.
CHUNK = 500
# A row, and the first and the last day that it tells.
Said = tuple[Row, date | None, date | None]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken, and why."""

    line: int
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Somebody whose periods are others now."""

    name: str
    before: tuple[Period, ...]
    after: tuple[Period, ...]


@dataclass(slots=True)
class Outcome:
    """What a list changed, or would change.

    Attributes:
        dry_run: whether nothing was changed.
        rows: how many rows the list has.
        same: how many people are in it of whom it says what was known.
        changed: the members of whom it says something else, and those who had no periods.
        made: the names of those who are new here.
        left: those who were members by an earlier list and are not in this one.
        unknown: rows about people who are not known here.
        refused: rows that were not taken.
        unlisted: the names of members who are in no list and have no periods: members all the time.
    """

    dry_run: bool
    rows: int = 0
    same: int = 0
    changed: list[Changed] = field(default_factory=list[Changed])
    made: list[str] = field(default_factory=list[str])
    left: list[Changed] = field(default_factory=list[Changed])
    unknown: list[Refused] = field(default_factory=list[Refused])
    refused: list[Refused] = field(default_factory=list[Refused])
    unlisted: list[str] = field(default_factory=list[str])


def take_list(
    by: User | None,
    rows: Sequence[Row],
    *,
    make: bool = False,
    dry_run: bool = False,
    many_may_leave: bool = False,
    today: date | None = None,
) -> Outcome:
    """Take over a whole list of members.

    Somebody is known by their external id, their name here or their address, whichever of them the
    row has; where these are of different people, or of several, the row is refused. A row without
    a first day begins with the present membership, or today. A list seldom tells who was a member
    long ago: what is over and not told stays.

    Args:
        by: the owner who says so; None for the one who started the program.
        rows: the list.
        make: whether people who are not known become members; they come in by a link.
        dry_run: whether only to say what would change.
        many_may_leave: whether more than half of all may leave at once.
        today: the day on which it is taken.

    Raises:
        Forbidden: only an owner takes over a list.
        Invalid: the list holds nobody.
        Conflict: more than half would leave, and nobody said that they may.
    """
    if not rows:
        raise Invalid("the list holds nobody, so it is not taken: else nobody were a member")
    if len(rows) > memberlist.MOST_ROWS:
        raise Invalid(f"a list of members has at most {memberlist.MOST_ROWS} rows")
    with transaction.atomic():
        # One list at a time, and as things are now.
        owners = User.objects.filter(role=Role.OWNER, is_active=True).order_by("pk")
        if by is not None and by.pk not in {owner.pk for owner in owners.select_for_update()}:
            raise Forbidden("only an owner says who is a member")
        taking = _Taking(today or timezone.localdate(), Outcome(dry_run=dry_run, rows=len(rows)))
        taking.read(rows, make=make)
        taking.miss()
        if dry_run:
            transaction.set_rollback(True)
        else:
            if not many_may_leave:
                taking.check_how_many_leave()
            taking.write()
    return taking.outcome


def read_nightly(*, now: datetime | None = None) -> Outcome | None:
    """Take over the file that the setting `members_list` names; None where it names none.

    Whoever vanished from the file is a former member then.

    Raises:
        FileMissing: it cannot be read.
        Invalid: it is no list of members, or holds nobody.
        Conflict: more than half would leave: it may be half a file.
    """
    row = Setting.objects.filter(name=WATCHED).first()
    path = row.value if row else None
    if not isinstance(path, str) or not path.strip():
        return None
    outcome = take_list(None, read(path), today=timezone.localdate(now))
    for each in outcome.refused:
        _log.warning("%s, line %d: %s", path, each.line, each.reason)
    return outcome


def read(path: str | Path) -> list[Row]:
    """Return the rows of a file.

    Raises:
        FileMissing: there is none, or it may not be read.
        Invalid: it is no list of members.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            return memberlist.rows_of(file.read(memberlist.MOST_BYTES + 1))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileMissing(f"the list {str(path)!r} cannot be read: {reason}") from error


class _Taking:
    """One list that is being taken over, in a transaction that a dry run takes back."""

    def __init__(self, today: date, outcome: Outcome) -> None:
        self.today = today
        self.outcome = outcome
        self.people = People()
        self.had: defaultdict[int, list[Period]] = defaultdict(list)
        self.elsewhere: set[int] = set()  # who has periods that no list told
        periods = Membership.objects.order_by("since", "pk")
        for user, source, since, until in periods.values_list("user", "source", "since", "until"):
            if source == Source.LIST:
                self.had[user].append(Period(since, until))
            else:
                self.elsewhere.add(user)
        self.periods: dict[int, list[Period]] = {}  # what is to be written, by user
        # Whoever is in the list, also in a row that is refused: they did not vanish.
        self.seen: set[int] = set()

    def read(self, rows: Sequence[Row], *, make: bool) -> None:
        """Find out whom the rows are about, and what they say of each."""
        told: defaultdict[int, list[Said]] = defaultdict(list)
        new: defaultdict[tuple[str, str, str], list[Said]] = defaultdict(list)
        for row in rows:
            try:
                user = self.people.find(row, seen=self.seen)
                said = (row, *memberlist.days_of(row.since, row.until))
                if user is not None:
                    told[user].append(said)
                elif make:
                    new[row.external_id, row.user.casefold(), row.email.casefold()].append(said)
                else:
                    reason = "nobody here is called so"
                    self.outcome.unknown.append(Refused(row.line, row.who, reason))
            except LookwhoError as error:
                self._refuse(row, error.message)
        for user, said in told.items():
            if periods := self._periods(said, self.had[user]):
                self._note(user, periods)
        for said in new.values():
            if periods := self._periods(said, []):
                self._make(said[0][0], periods)
        self.outcome.refused.sort(key=lambda each: each.line)

    def miss(self) -> None:
        """Find out who was in an earlier list and is not in this one, and who was in none."""
        for user, periods in self.had.items():
            if user in self.seen or all(each.last < self.today for each in periods):
                continue
            self.periods[user] = ended(periods, self.today)
            name = self.people.names[user]
            self.outcome.left.append(Changed(name, tuple(periods), tuple(self.periods[user])))
        self.outcome.left.sort(key=lambda each: each.name.casefold())
        known = self.elsewhere | set(self.had) | set(self.periods)
        unlisted = [name for user, name in self.people.members.items() if user not in known]
        self.outcome.unlisted = sorted(unlisted, key=str.casefold)

    def check_how_many_leave(self) -> None:
        """Return if not more leave than can be.

        Raises:
            Conflict: they do; how many is told.
        """
        leave = len(self.outcome.left)
        present = sum(
            any(each.last >= self.today for each in periods) for periods in self.had.values()
        )
        if leave > HANDFUL and leave > present * MANY_LEAVE:
            raise Conflict(
                f"{leave} of {present} members are not in this list, and would be none from now "
                "on. If it is the whole list, say that many may leave"
            )

    def write(self) -> None:
        """Make the periods so."""
        changed = list(self.periods)
        for start in range(0, len(changed), CHUNK):
            rows = Membership.objects.filter(source=Source.LIST)
            rows.filter(user__in=changed[start : start + CHUNK]).delete()
        Membership.objects.bulk_create(
            (
                Membership(user_id=user, since=each.since, until=each.until, source=Source.LIST)
                for user, periods in self.periods.items()
                for each in periods
            ),
            batch_size=CHUNK,
        )
        for user, number in self.people.new_numbers.items():
            User.objects.filter(pk=user).update(external_id=number)
        if self.outcome.made:
            accounts.let_members_look()  # else they found nothing of what they were let in for

    def _periods(self, said: Sequence[Said], had: Sequence[Period]) -> list[Period]:
        """Return the periods of somebody after what the rows say; none where all are refused."""
        present = min((each.since for each in had if _covers(each, self.today)), default=self.today)
        found: list[Period] = []
        for row, first, last in said:
            period = Period(first or present, last)
            if period.last < period.since:
                self._refuse(row, "it is over, and the row says not when it began")
            elif other := next((each for each in found if _overlap(period, each)), None):
                self._refuse(row, f"it overlaps another row of the same person: {other}")
            elif len(found) == MOST:
                self._refuse(row, f"nobody was a member more than {MOST} times")
            else:
                found.append(period)
        if not found:
            return []
        over = [each for each in had if each.last < self.today and each != never()]
        kept = [each for each in over if not any(_overlap(each, period) for period in found)]
        return in_order([*kept[max(0, len(kept) + len(found) - MOST) :], *found])

    def _note(self, user: int, periods: list[Period]) -> None:
        had = in_order(self.had[user])
        if had == periods:
            self.outcome.same += 1
            return
        self.periods[user] = periods
        name = self.people.names[user]
        self.outcome.changed.append(Changed(name, tuple(had), tuple(periods)))

    def _make(self, row: Row, periods: list[Period]) -> None:
        try:
            user = accounts.make_user(row.user or row.name or row.email, email=row.email)
            self.people.number(user.pk, row.external_id)
        except LookwhoError as error:
            self._refuse(row, error.message)
            return
        self.periods[user.pk] = periods
        self.outcome.made.append(user.username)

    def _refuse(self, row: Row, reason: str) -> None:
        self.outcome.refused.append(Refused(row.line, row.who, reason))


def _covers(period: Period, day: date) -> bool:
    return period.since <= day <= period.last


def _overlap(one: Period, other: Period) -> bool:
    return one.since <= other.last and other.since <= one.last
