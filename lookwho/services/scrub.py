"""Scrub: what was deleted from the database is overwritten, so that its bytes are gone.

A row that is deleted leaves its bytes in the file: until the page is used again, in copies that
were left when a page was split, and in the log of changes.

- SQLite: `secure_delete` overwrites what is deleted from then on (`forgetful`), but not copies from
  before; so the whole file is written anew (VACUUM), and the log is emptied as soon as nobody
  reads an older state any more.
- PostgreSQL: tables are written anew (VACUUM FULL), and what the planner had sampled of them is
  sampled again. The server's own log of changes (WAL) and its archive are not reachable from here:
  the receipt says so.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Generator

from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper

from lookwho.core.errors import StorageFull, WorkError

# For so long others may go on reading an older state before this is tried again later.
PATIENCE = 20.0
_PAUSE = 0.1
# A larger file is left to a worker: nobody should wait that long for a page.
AT_ONCE = 256 << 20
# Of these tables nothing is anybody's: media, where they lie, and what became of each.
_NOBODYS = frozenset(
    f"lookwho_{name}" for name in ("media", "location", "analysis", "albumitem", "pack", "worker")
)


@contextlib.contextmanager
def forgetful() -> Generator[None]:
    """Let what is deleted within be overwritten at once, as far as the database can."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("pragma secure_delete")
        before = (cursor.fetchone() or [0])[0]  # some systems have it on always
        cursor.execute("pragma secure_delete = on")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"pragma secure_delete = {int(before):d}")


def is_quick() -> bool:
    """Return whether `scrub` takes a moment only, so that a page may wait for it."""
    if connection.in_atomic_block:
        return False  # it cannot be done at all before that ends
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("select page_count * page_size from pragma_page_count, pragma_page_size")
        else:
            cursor.execute("select pg_database_size(current_database())")
        row = cursor.fetchone()
    return row is not None and row[0] <= AT_ONCE


def scrub() -> None:
    """Overwrite whatever was deleted, outside of any transaction.

    Raises:
        WorkError: somebody still reads what was; to be tried again.
        StorageFull: there is no room to write the database anew.
    """
    assert not connection.in_atomic_block, "what is not committed cannot be scrubbed"
    try:
        if connection.vendor == "sqlite":
            _sqlite()
        else:
            _postgresql()
    except (DatabaseError, sqlite3.DatabaseError) as error:
        reason = str(error).strip()
        if "full" in reason or "No space" in reason:
            raise StorageFull(
                "the disk has no room to write the database anew, so that what was erased could "
                f"still be read from its free pages: make room ({reason})"
            ) from error
        raise WorkError(f"what was erased is not overwritten yet: {reason}") from error


def _sqlite() -> None:
    # On a connection of its own, whose copy of the database is made in a file: the site's keep
    # what is temporary in memory.
    name = str(connection.settings_dict["NAME"])
    own = sqlite3.connect(name, timeout=30, isolation_level=None)
    with contextlib.closing(own):
        own.execute("pragma secure_delete = on")
        own.execute("pragma temp_store = file")
        own.execute("vacuum")
        end = time.monotonic() + PATIENCE
        while True:
            # The log holds pages as they were; it is emptied once nobody reads those any more.
            busy, *_ = own.execute("pragma wal_checkpoint(truncate)").fetchone()
            if not busy:
                return
            if time.monotonic() > end:
                raise WorkError(
                    "what was erased is still in the log of the database, since somebody reads an "
                    "older state of it"
                )
            time.sleep(_PAUSE)


def _wait_for_others(cursor: CursorWrapper) -> None:
    """Wait until all transactions of now have ended, also those of other databases of this server.

    What was deleted while one of them was under way is kept for it, by VACUUM FULL too.

    Raises:
        WorkError: one of them goes on and on.
    """
    cursor.execute("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    (next_one,) = cursor.fetchone() or (0,)
    end = time.monotonic() + PATIENCE
    while True:
        # A snapshot is told of the next number to be given out: with a transaction of our own there
        # is one, or an idle server would never get as far.
        cursor.execute("select pg_current_xact_id()")
        cursor.execute("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        (oldest,) = cursor.fetchone() or (0,)
        if oldest >= next_one:
            return
        if time.monotonic() > end:
            raise WorkError(
                "what was erased is still in the database, since a transaction goes on that began "
                "before that"
            )
        time.sleep(_PAUSE)


def _postgresql() -> None:
    tables = [name for name in connection.introspection.table_names() if name not in _NOBODYS]
    tables.append("lookwho_vector")
    with connection.cursor() as cursor:
        _wait_for_others(cursor)
        # A table is written anew once nobody reads it: for no longer than that do others wait.
        cursor.execute(f"set lock_timeout = {round(PATIENCE * 1000)}")
        try:
            for table in sorted(set(tables)):
                cursor.execute(f"vacuum (full, analyze) {connection.ops.quote_name(table)}")
        finally:
            cursor.execute("reset lock_timeout")
        # The planner's samples hold the most frequent values as they are.
        with contextlib.suppress(DatabaseError):  # only who owns the database may
            cursor.execute("vacuum full pg_statistic")
        # The files of the tables as they were go with the next checkpoint.
        with contextlib.suppress(DatabaseError):  # only some may ask for one
            cursor.execute("checkpoint")
