"""Retention: what is kept for a stated time, and goes by itself when that is over.

Each rule can say how much would go today, so that an owner sees what a change means before it is
made. What went is overwritten in the database's files, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from lookwho.core.errors import LookwhoError
from lookwho.library.models import EntryLink, Job, Request, SearchLog, Share, Upload
from lookwho.services import guests, montages, options, proxies, scrub, selfies

Count = Callable[[datetime, bool], int]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes by itself.

    Attributes:
        name: of the rule.
        title: what goes, in words.
        go: returns how much goes at a moment; the second argument says that it is only counted.
        option: the setting that says after how long; blank where something else tells.
        personal: whether what goes must be overwritten in the database's files as well.
    """

    name: str
    title: str
    go: Count
    option: str = ""
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Went:
    """How much of a rule's went, or would go."""

    rule: Rule
    count: int


def run(*, now: datetime | None = None, dry_run: bool = False) -> list[Went]:
    """Let go what was kept for long enough; return how much of each rule's that was.

    Args:
        now: the moment that counts.
        dry_run: only say how much would go.
    """
    now = now or timezone.now()
    went: list[Went] = []
    with scrub.forgetful():
        for rule in RULES:
            count = rule.go(now, dry_run)
            went.append(Went(rule, count))
            if count and not dry_run:
                _log.info("retention: %s: %d", rule.name, count)
    if not dry_run and any(each.count and each.rule.personal for each in went):
        _overwrite()
    return went


def _overwrite() -> None:
    if connection.in_atomic_block:
        return  # nothing has really gone yet: whoever asked scrubs after that
    try:
        scrub.scrub()
    except LookwhoError as error:
        _log.warning("retention: %s", error)  # with the next day's, then


# --- the rules ---


def _inactive_selfies(now: datetime, dry_run: bool) -> int:
    # Only counted: the next rule lets both go.
    return selfies.purge_selfies(now, dry_run=True).inactive


def _removed_selfies(now: datetime, dry_run: bool) -> int:
    return selfies.purge_selfies(now, dry_run=dry_run).deleted


def _guests(now: datetime, dry_run: bool) -> int:
    return guests.purge_guests(now=now, dry_run=dry_run)


def _before(now: datetime, option: str) -> datetime:
    return now - timedelta(days=options.chosen(option))


def _searches(now: datetime, dry_run: bool) -> int:
    return _gone(SearchLog.objects.filter(created_at__lt=_before(now, options.SEARCHES)), dry_run)


def _requests(now: datetime, dry_run: bool) -> int:
    """Of requests that were answered long ago the photo and the decision stay, and no words."""
    before = _before(now, options.REQUESTS)
    rows = Request.objects.exclude(state=Request.State.OPEN).filter(answered_at__lt=before)
    rows = rows.exclude(message="", email="", answer="")
    return rows.count() if dry_run else rows.update(message="", email="", answer="")


def _links(now: datetime, dry_run: bool) -> int:
    before = _before(now, options.LINKS)
    shares = Share.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before))
    entries = EntryLink.objects.filter(Q(expires_at__lt=before) | Q(used_at__lt=before))
    # A guest of such a link who was told to be kept longer is, with the link.
    shares = shares.exclude(guests__keep_until__gte=now)
    return _gone(shares, dry_run) + _gone(entries, dry_run)


def _uploads(now: datetime, dry_run: bool) -> int:
    state = Upload.State
    over = Upload.objects.filter(state__in=(state.DONE, state.FAILED, state.CANCELLED))
    return _gone(over.filter(touched_at__lt=_before(now, options.UPLOADS)), dry_run)


def _jobs(now: datetime, dry_run: bool) -> int:
    """Work that is done or was cancelled; what failed stays, since somebody may try it again."""
    before = _before(now, options.JOBS)
    state = Job.State
    over = Job.objects.filter(state__in=(state.DONE, state.CANCELLED), finished_at__lt=before)
    newest = [
        pk
        for kind in (Job.Kind.GROUP, Job.Kind.LEARN)
        if (
            pk := Job.objects.filter(kind=kind).order_by("-pk").values_list("pk", flat=True).first()
        )
    ]
    # An import goes with all its parts, and only when all of them may.
    held = Job.objects.exclude(pk__in=over.values("pk")).exclude(parent=None).values("parent")
    return _gone(over.exclude(pk__in=held).exclude(pk__in=newest), dry_run)


def _copies(now: datetime, dry_run: bool) -> int:
    return proxies.go(_before(now, options.COPIES), dry_run)


def _montages(now: datetime, dry_run: bool) -> int:
    return montages.go(_before(now, options.MONTAGES), dry_run)


def _sessions(now: datetime, dry_run: bool) -> int:
    return _gone(Session.objects.filter(expire_date__lt=now), dry_run)


def _gone(rows: QuerySet[Any], dry_run: bool) -> int:
    """Delete rows, and return how many of them there are, without what goes with them."""
    with transaction.atomic():
        ids = list(rows.distinct().values_list("pk", flat=True))
        if not dry_run:
            for start in range(0, len(ids), 500):
                rows.model._default_manager.filter(pk__in=ids[start : start + 500]).delete()
    return len(ids)


RULES = (
    Rule("inactive", "Selfies of members who do not come back", _inactive_selfies,
         "inactive_days", personal=True),
    Rule("selfies", "Removed selfies", _removed_selfies, "selfie_retention_days", personal=True),
    Rule("guests", "Guests whose stated day is over, with their selfies", _guests, personal=True),
    Rule("searches", "Entries in the list of searches", _searches, options.SEARCHES,
         personal=True),
    Rule("requests", "Words and addresses of answered requests", _requests, options.REQUESTS,
         personal=True),
    Rule("links", "Links that have expired", _links, options.LINKS),
    Rule("uploads", "Lists of what became of uploads", _uploads, options.UPLOADS),
    Rule("jobs", "Work that is finished", _jobs, options.JOBS),
    Rule("copies", "Copies of videos that nobody watched", _copies, options.COPIES),
    Rule("montages", "Contact sheets and montages", _montages, options.MONTAGES),
    Rule("sessions", "Sign-ins that have expired", _sessions),
)  # fmt: skip
