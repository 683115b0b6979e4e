"""Storage: what a disk or a database that cannot is told as, wherever it is met."""

from __future__ import annotations

import errno

from django.db import DatabaseError, InterfaceError, OperationalError

from lookwho.core.errors import SetupError, StorageFull, StorageReadOnly

# What may be over in a moment; every other error of the database is a mistake in what was asked.
PASSING = (OperationalError, InterfaceError)


def storage_problem(error: Exception) -> SetupError | None:
    """Return what is wrong with the disk or the database; None for an error that is neither's."""
    reason = str(error).strip()
    number = getattr(error, "errno", None)
    told = isinstance(error, DatabaseError)
    if number == errno.ENOSPC or (told and _says(reason, "is full", "no space", "disk full")):
        return StorageFull(
            f"the disk is full: make room; work that waits goes on by itself ({reason})"
        )
    if number == errno.EROFS or (told and _says(reason, "readonly", "read-only")):
        return StorageReadOnly(f"nothing can be written: {reason}")
    return (
        SetupError(f"the database cannot be used: {reason}") if isinstance(error, PASSING) else None
    )


def storable(message: str) -> str:
    """Return a message as every database takes it: names of files may hold what is no text."""
    return message.encode(errors="backslashreplace").decode().replace("\0", "\\0")[:2000]


def _says(reason: str, *words: str) -> bool:
    return any(word in reason.lower() for word in words)
