"""Daily: what is done once a day, by whichever worker comes first."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.module_loading import import_string

from lookwho.core.errors import LookwhoError
from lookwho.library.models import Setting

# By their names: some come with what is not always installed.
DAILY = (
    "lookwho.services.erasure.resume",
    "lookwho.services.events.drop",
    "lookwho.services.member_lists.read_nightly",
    "lookwho.services.retention.run",
    "lookwho.services.sites.ask_nightly",
)
EVERY = timedelta(days=1)
# What went wrong is tried again after so long.
AGAIN = timedelta(hours=1)

_log = logging.getLogger(__name__)


def run_if_due(*, now: datetime | None = None) -> list[str]:
    """Do what was not done for a day; return the names of what was done.

    Of several workers one does each: that it was begun is written down first. What goes wrong is
    tried again an hour later, and keeps nothing else from being done.
    """
    now = now or timezone.now()
    done: list[str] = []
    for name in DAILY:
        if not _begin(name, now):
            continue
        try:
            import_string(name)()
            done.append(name)
        except LookwhoError as error:
            _log.warning("%s: %s", name, error)
            _note(name, now - EVERY + AGAIN)
        except ImportError:
            _log.exception("%s is not there", name)
    return done


def last_run(name: str) -> datetime | None:
    """Return when something was last done; None before the first time."""
    row = Setting.objects.filter(name=_key(name)).first()
    return parse_datetime(row.value) if row is not None and isinstance(row.value, str) else None


def _begin(name: str, now: datetime) -> bool:
    """Write down that something begins; return whether it is this worker that does it."""
    with transaction.atomic():
        row, _ = Setting.objects.get_or_create(name=_key(name), defaults={"value": ""})
        row = Setting.objects.select_for_update().get(pk=row.pk)
        last = parse_datetime(row.value) if row.value else None
        if last is not None and now - last < EVERY:
            return False
        row.value = now.isoformat()
        row.save(update_fields=["value", "changed_at"])
    return True


def _note(name: str, when: datetime) -> None:
    Setting.objects.filter(name=_key(name)).update(value=when.isoformat())


def _key(name: str) -> str:
    return f"daily.{'.'.join(name.split('.')[-2:])}"
