"""Unpacking: an archive that was uploaded becomes photos and videos in the library.

Files are written into a hidden folder, some at a time, and each portion is handed to an import as
soon as it is complete: so photos are analysed while the rest is still unpacked. What is no photo is
refused by its content, what the album has already is told by its payload, and the others go on.

A job that is run again starts from the beginning and knows the portions it has handed over by
their content. So nothing is there twice, whenever it died.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lookwho.core import archive
from lookwho.core.entries import Entry, Readable
from lookwho.core.errors import (
    ArchiveTooLarge,
    FileMissing,
    InputError,
    LookwhoError,
    NotAnImage,
)
from lookwho.core.inspect import inspect
from lookwho.core.kinds import is_video
from lookwho.files.walk import walk
from lookwho.library.models import Job, Upload
from lookwho.services import mail, receiving, uploads, work

# Photos that are handed over together: the first sooner, so that something is to be seen.
FIRST, PORTION = 20, 100
# Refused files that are told by name; of more only the number.
TOLD = 1000
_WRITE = 1.0  # seconds between two notes of how far it is
_CHUNK = 1 << 18


@dataclass(slots=True)
class _Tally:
    """What became of the files so far.

    Attributes:
        kept: photos that are new.
        known: photos that the album has already, or that are in the archive twice.
        refused: the others, with the reason.
    """

    kept: int = 0
    known: int = 0
    refused: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    more: int = 0
    payloads: set[bytes] = field(default_factory=set[bytes])

    def refuse(self, name: str, error: LookwhoError) -> None:
        if len(self.refused) >= TOLD:
            self.more += 1
            return
        shown = work.storable(name)[:255]
        told = {"name": shown, "code": error.code, "message": work.storable(error.message)}
        self.refused.append(told)

    def fields(self) -> dict[str, object]:
        rest = {"name": "…", "code": "more", "message": f"and {self.more:,} more files"}
        refused = [*self.refused, rest] if self.more else self.refused
        return {"kept": self.kept, "known": self.known, "refused": refused}


def run_unpack(job: Job, *, beat: Callable[[int], None]) -> None:
    """Do the work of an UNPACK job.

    An upload that is gone, with its album say, or was cancelled leaves nothing.

    Args:
        job: the job.
        beat: told now and then how far it is. It raises Cancelled.

    Raises:
        Cancelled: by `beat`; what was handed over stays.
        StorageFull, StorageReadOnly: the disk does not take it; to be tried again.
    """
    uuid = UUID(job.payload["uuid"])
    upload = _unpacked_upload(job)
    if upload is None:
        receiving.discard(uuid)
        return
    if _is_video(upload):
        _take_in(upload)
        return
    run = _Run(upload, beat)
    try:
        run.unpack()
        failure = None if run.tally.kept or run.tally.known else _no_photo(run.tally)
    except InputError as error:
        failure = error
    except FileNotFoundError:
        failure = FileMissing("what was sent is gone from the disk: send it again")
    except OSError as error:
        wrong = uploads.of_the_disk(error, run.hidden.parent, upload.size)
        Upload.objects.filter(pk=upload.pk).update(error_code=wrong.code, error=wrong.message)
        raise wrong from error
    run.hand_over()
    if run.end(failure):
        tell(upload)
    receiving.discard(uuid)


def _is_video(upload: Upload) -> bool:
    try:
        with receiving.part_of(upload.uuid).open("rb") as file:
            return is_video(file.read(archive.HEAD))
    except FileNotFoundError:
        return False


def _take_in(upload: Upload) -> None:
    """Take in a video: to read all of it may take minutes, for which no browser waits.

    Raises:
        StorageFull, StorageReadOnly: the disk does not take it; to be tried again.
    """
    try:
        receiving.take_in(upload, inspect(receiving.part_of(upload.uuid)))
    except InputError as error:
        receiving.fail(upload, error)


class _Run:
    """One attempt at an archive."""

    def __init__(self, upload: Upload, beat: Callable[[int], None]) -> None:
        self.tally = _Tally()
        self.hidden = Path(settings.UPLOADS) / f".{upload.uuid.hex}"
        self._upload = upload
        self._beat = beat
        self._folder = Path(settings.UPLOADS) / upload.uuid.hex
        self._names: set[str] = set()
        self._written = 0.0
        self._handed: set[bytes] = set()

    def unpack(self) -> None:
        """Write the photos, portion by portion.

        Raises:
            InputError: the archive as a whole is damaged, none, or a bomb.
        """
        shutil.rmtree(self.hidden, ignore_errors=True)
        self._handed = {inspect(path).payload for path in _photos(self._folder)}
        if self._handed:  # whoever did so may have died before it was written down
            uploads.import_of(self._folder, self._upload.album)
        part = receiving.part_of(self._upload.uuid)
        room = shutil.disk_usage(part.parent).free - receiving.SPARE
        with part.open("rb") as file:
            for entry in archive.read(file, most=max(room, 0), largest=receiving.largest):
                self._take(entry)
                self._note(file.tell() >> 20)
                if len(self._names) >= (PORTION if self._folder.exists() else FIRST):
                    self.hand_over()

    def _take(self, entry: Entry) -> None:
        if entry.error:
            self.tally.refuse(entry.name, entry.error)
            return
        assert entry.file
        self.hidden.mkdir(mode=0o700, exist_ok=True)
        part = self.hidden / ".part"
        part.unlink(missing_ok=True)
        try:
            kind = uploads.write(part, _Brought(entry.name, entry.size, entry.file))
            payload = inspect(part).payload
        except ArchiveTooLarge:
            raise
        except InputError as error:
            part.unlink(missing_ok=True)
            self.tally.refuse(entry.name, error)
            return
        tally = self.tally
        if payload in tally.payloads:
            tally.known += 1
        elif payload in self._handed:
            tally.kept += 1
        elif receiving.knows(self._upload.album_id, payload):
            tally.known += 1
        else:
            tally.kept += 1
            name = uploads.free_name(uploads.safe_name(entry.name, kind), self._names)
            part.rename(self.hidden / name)
        tally.payloads.add(payload)

    def _note(self, done: int) -> None:
        """Say how far it is, now and then; and find out whether it is to go on."""
        self._beat(done)
        if time.monotonic() - self._written > _WRITE:
            self._written = time.monotonic()
            self._rows().update(**self.tally.fields(), touched_at=timezone.now())

    def hand_over(self) -> None:
        """Let what was written be imported, unless nobody wants it any more."""
        if not self._names:
            return
        (self.hidden / ".part").unlink(missing_ok=True)
        uploads.sync(self.hidden)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with transaction.atomic():
            row = self._rows().select_for_update().first()
            if row is not None:
                uploads.import_of(self._folder, row.album)
                # The last thing before the commit: what is renamed and not written down is found
                # by the next attempt.
                number = sum(1 for _ in self._folder.iterdir()) + 1
                self.hidden.rename(self._folder / f"{number:04}")
                uploads.sync(self._folder)
        self._names.clear()

    def end(self, failure: LookwhoError | None) -> bool:
        """Write down what became of it; return whether it had not ended otherwise."""
        done = failure is None
        told = self._rows().update(
            **self.tally.fields(),
            state=Upload.State.DONE if done else Upload.State.FAILED,
            error_code="" if failure is None else failure.code,
            error="" if failure is None else work.storable(failure.message),
            touched_at=timezone.now(),
        )
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()
        return bool(told)

    def _rows(self):
        return Upload.objects.filter(pk=self._upload.pk, state=Upload.State.UNPACKING)


def tell(upload: Upload) -> None:
    """Mail whoever sent an archive what became of it, where mail is set up."""
    upload.refresh_from_db()
    user = upload.user
    if user is None or not user.email or not mail.configured():
        return
    lines = [sentence_of(upload), ""]
    lines += [f"- {each['name']}: {each['message']}" for each in upload.refused[:50]]
    if len(upload.refused) > 50:
        lines.append(f"- and {len(upload.refused) - 50:,} more: see the album's page")
    if upload.album:
        lines += ["", mail.absolute(f"/albums/{upload.album.slug}")]
    mail.send(user.email, f"Your upload {upload.name}", "\n".join(lines).strip() + "\n")


def sentence_of(upload: Upload) -> str:
    """Say what became of an upload."""
    where = f" to {upload.album.title}" if upload.album else ""
    parts = [f"{upload.kept:,} photo{'' if upload.kept == 1 else 's'} added{where}"]
    if upload.known:
        parts.append(f"{upload.known:,} there already")
    if upload.refused:
        parts.append(f"{len(upload.refused):,} refused")
    told = f"{upload.name}: {', '.join(parts)}."
    if upload.error:
        told += f" {upload.error[:1].upper()}{upload.error[1:]}."
    return told


@dataclass(slots=True)
class _Brought:
    """A file of the archive, as `services.uploads` takes it."""

    name: str | None
    size: int | None
    file: Readable

    def chunks(self) -> Iterator[bytes]:
        while chunk := self.file.read(_CHUNK):
            yield chunk


def _unpacked_upload(job: Job) -> Upload | None:
    rows = Upload.objects.filter(pk=job.payload["upload"], state=Upload.State.UNPACKING)
    return rows.select_related("album", "user").first()


def _photos(folder: Path) -> Iterator[str]:
    """Yield the photos of portions that an earlier attempt has handed over."""
    if folder.is_dir():
        for found in walk([folder], videos=True):
            if isinstance(found, str):
                yield os.fspath(found)


def _no_photo(tally: _Tally) -> InputError:
    if not tally.refused:
        return NotAnImage("there is no photo or video in this archive")
    return NotAnImage(
        f"there is no photo or video in this archive: {tally.refused[0]['name']}: "
        f"{tally.refused[0]['message']}"
    )
