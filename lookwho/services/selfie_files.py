"""Selfie files: pictures that only this site's user of the machine can read, one a selfie."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from django.conf import settings

from lookwho.core import kinds
from lookwho.core.errors import Invalid, LookwhoError, StorageFull, StorageReadOnly
from lookwho.library.models import Reference

MOST_BYTES = 20 << 20
# A file without a row is one whose upload died; one that is younger may be on its way.
ORPHAN_SECONDS = 3600


class Upload(Protocol):
    """What was uploaded, as Django's `UploadedFile` gives it."""

    def chunks(self) -> Iterable[bytes]:
        """Return the bytes, in pieces."""
        ...


def store(upload: Upload, name: str) -> str:
    """Write a picture into the folder of selfies; return the file's name there.

    Raises:
        Invalid: the file is too large.
        InputError: the file is no picture.
        StorageFull, StorageReadOnly: it cannot be stored.
    """
    folder: Path = settings.SELFIES
    partial = folder / f"{name}.partial"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            head = b""
            for chunk in upload.chunks():
                head += chunk[: 512 - len(head)]
                file.write(chunk)
                if file.tell() > MOST_BYTES:
                    raise Invalid(f"the picture is larger than {MOST_BYTES >> 20} MB: shrink it")
            final = f"{name}.{kinds.kind_of(head).lower()}"
            file.flush()
            os.fsync(file.fileno())
        partial.rename(folder / final)
    except OSError as error:
        raise _storage(error, folder) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return final


def unlink(name: str) -> None:
    """Remove a file, if it is there.

    Raises:
        StorageReadOnly: it cannot be removed.
    """
    if not name:
        return
    try:
        (settings.SELFIES / name).unlink(missing_ok=True)
    except OSError as error:
        raise _storage(error, settings.SELFIES) from error


def sweep_selfies() -> int:
    """Remove the files of uploads that died before their row was written; return how many."""
    folder: Path = settings.SELFIES
    if not folder.is_dir():
        return 0
    # Listed before the rows are read: what comes after is not in the list.
    old = time.time() - ORPHAN_SECONDS
    found = {entry.name for entry in os.scandir(folder) if entry.stat().st_mtime < old}
    orphans = found - set(Reference.objects.values_list("file", flat=True))
    for name in orphans:
        unlink(name)
    return len(orphans)


def _storage(error: OSError, folder: Path) -> LookwhoError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"no room is left in {folder}: free some, then try again")
    reason = error.strerror or str(error)
    return StorageReadOnly(f"{folder} cannot be written to ({reason}): check whose it is")
