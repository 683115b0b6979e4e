"""Receiving: files that come in pieces, over lines that break: photos, videos, archives of them.

What has come of a file lies in settings.UPLOADS/.receiving under the uuid of its row. Its length on
the disk is how much there is, whatever the row says: a server that is killed loses at most the
piece in hand. Once all is there, a photo joins the uploads at once (`services.uploads`); an
archive waits for the job that unpacks it (`services.unpacking`), and so does a video, which takes
long to be read.

An album that has no photos yet is hidden from members while its first ones come in
(`Album.processing`); `services.settling` ends that, and puts in order what died.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Sum
from django.utils import timezone

from lookwho.core.archive import ENDINGS, HEAD, archive_kind, foreign
from lookwho.core.entries import MAX_FILE
from lookwho.core.errors import (
    Conflict,
    ImageTooLarge,
    InputError,
    Invalid,
    LookwhoError,
    NotAnArchive,
    NotFound,
    StorageFull,
)
from lookwho.core.inspect import Inspection, inspect
from lookwho.core.kinds import video_kind
from lookwho.files.walk import VIDEO_ENDINGS
from lookwho.library.models import Album, AlbumItem, Job, Location, Upload, User
from lookwho.services import uploads, work

try:
    import fcntl
except ImportError:  # Windows: there two writers are told apart by what they find on the disk
    fcntl = None

# One piece of a file. Whoever sends larger ones loses more when the line breaks.
PIECE = 8 << 20
MOST_OF_ARCHIVE = 64 << 30
# Left for everything else on the disk.
SPARE = 256 << 20
LIVE = (Upload.State.RECEIVING, Upload.State.UNPACKING)


def begin(
    user: User, album: Album | None, name: str, size: int, *, uuid: UUID | None = None
) -> Upload:
    """Make room for a file that is to come; asked twice for the same `uuid`, return the same row.

    Args:
        user: who sends it.
        album: what its photos join.
        name: what its owner calls it.
        size: in bytes.
        uuid: of the row, if the sender made one up, so that an answer that is lost costs nothing.

    Raises:
        NotFound: this user may not add photos, and so is told of no album.
        Conflict: another file has that uuid.
        Invalid: it is empty.
        ImageTooLarge: it is larger than any that is taken.
        StorageFull: the disk has no room for it.
    """
    if not user.sees_everything:
        raise NotFound("there is no such page, or it is not for you to see")
    packed = is_archive(name)
    most = MOST_OF_ARCHIVE if packed else largest(name)
    if size < 1:
        raise Invalid("the file is empty")
    if size > most:
        raise ImageTooLarge(
            f"the file has {size / 1e6:,.0f} million bytes, and at most {most / 1e6:,.0f} million "
            f"are taken{': split it into several' if packed else ''}"
        )
    shown = uploads.safe_name(name, "")[:255] or "a file without a name"
    uuid = uuid or uuid4()
    folder = part_of(uuid).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = {"user": user, "album": album, "name": shown, "size": size}
    with transaction.atomic():
        if Upload.objects.filter(uuid=uuid).exists():
            return _begun(uuid, told)
        _check_room(folder, 2 * size if packed else size)
        if album is not None:
            fresh = Album.objects.filter(~Exists(AlbumItem.objects.filter(album=OuterRef("pk"))))
            fresh.filter(pk=album.pk, source=None).update(processing=True)
        upload, _ = Upload.objects.get_or_create(uuid=uuid, defaults=told)
    return _begun(upload.uuid, told)


def _begun(uuid: UUID, told: dict[str, Any]) -> Upload:
    """Return the row of a file that was begun.

    Raises:
        Conflict: it is of another file.
    """
    upload = Upload.objects.filter(uuid=uuid, **told).first()
    if upload is None:
        raise Conflict("another file is being sent under this uuid: make up another")
    return upload


def largest(name: str) -> int:
    """Return how many bytes a photo or a video of that name may have."""
    is_video = os.path.splitext(name)[1].lower() in VIDEO_ENDINGS
    return settings.VIDEO_BYTES if is_video else MAX_FILE


def is_archive(name: str) -> bool:
    """Return whether a file is called like an archive."""
    return name.lower().endswith(ENDINGS)


def offset_of(upload: Upload) -> int:
    """Return how many bytes of a file are there: what the disk says."""
    if upload.state != Upload.State.RECEIVING:
        return upload.received
    try:
        return part_of(upload.uuid).stat().st_size
    except OSError:
        return 0


def append(upload: Upload, offset: int, chunks: Iterable[bytes]) -> int:
    """Write a piece of a file; return how many bytes are there then.

    What was written before the line broke, or the disk was full, stays.

    Args:
        upload: its row.
        offset: where the piece belongs: right behind what is there.
        chunks: its bytes.

    Raises:
        Conflict: it belongs elsewhere, or somebody else is writing: `offset_of` says where.
        Invalid: the file would become longer than was told.
        NotFound: it was cancelled.
        StorageFull, StorageReadOnly: the disk does not take it.
    """
    if upload.state != Upload.State.RECEIVING:
        raise Conflict(f"{upload.name} takes no more: all of it was sent, or it was cancelled")
    path = part_of(upload.uuid)
    there = offset
    try:
        with _held(path, upload.name) as file:
            there = file.seek(0, os.SEEK_END)
            if offset != there:
                raise Conflict(f"{there} bytes of {upload.name} are there: go on from these")
            try:
                for chunk in chunks:
                    if there + len(chunk) > upload.size:
                        raise Invalid(f"{upload.name} is longer than was told: send it anew")
                    file.write(chunk)
                    there += len(chunk)
            finally:
                file.flush()
                os.fsync(file.fileno())
                there = os.fstat(file.fileno()).st_size
                kept = _receiving(upload).update(received=there, touched_at=timezone.now())
    except OSError as error:
        raise uploads.of_the_disk(error, path.parent, upload.size - there) from error
    if not kept:
        path.unlink(missing_ok=True)
        raise NotFound(f"{upload.name} was cancelled")
    upload.received = there
    return there


def finish(upload: Upload) -> Upload:
    """Take in a file of which all is there: a photo at once, an archive or a video by a job.

    A file that is none of these is refused, and its row says why. Doing it twice counts once.

    Raises:
        Conflict: something is still missing.
        StorageFull, StorageReadOnly: the disk does not take it.
    """
    path = part_of(upload.uuid)
    upload.refresh_from_db()
    if upload.state != Upload.State.RECEIVING:
        return upload
    if offset_of(upload) != upload.size:
        raise Conflict(f"{offset_of(upload)} of {upload.size} bytes of {upload.name} are there")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        packed = archive_kind(head)
        if what := foreign(head):
            raise NotAnArchive(f"this is {what}; what can be unpacked is zip, tar and tar.gz")
        video = video_kind(head)
        said = None if packed or video else inspect(path)
        if kind := video or (said and said.format):
            uploads.check_bytes(kind, upload.size)
    except InputError as error:
        return _refused(upload, error)
    except OSError as error:
        raise uploads.of_the_disk(error, path.parent, 0) from error
    if said is None:
        return _to_unpack(upload)
    take_in(upload, said)
    return upload


def take_in(upload: Upload, said: Inspection) -> None:
    """Let a photo or a video join the uploads, unless it has ended or its album has it already.

    Raises:
        StorageFull, StorageReadOnly: the disk does not take it.
    """
    path = part_of(upload.uuid)
    with transaction.atomic():
        rows = Upload.objects.filter(pk=upload.pk, state__in=LIVE).select_for_update()
        if rows.first() is not None:
            known = knows(upload.album_id, said.payload)
            job = None if known else _joined(upload, path, said.format)
            ended = {"state": Upload.State.DONE, "received": upload.size, "job": job}
            rows.update(**ended, known=int(known), kept=int(not known), touched_at=timezone.now())
    path.unlink(missing_ok=True)
    upload.refresh_from_db()


def cancel(upload: Upload) -> None:
    """Give a file up: what came of it goes. Photos that were taken in already stay."""
    told = end(upload, Upload.State.CANCELLED)
    if told:
        if job := job_of(upload):
            with contextlib.suppress(NotFound):
                work.cancel(job.pk)
        discard(upload.uuid)


def forget(album: Album | None, *, by: User) -> int:
    """Remove what is told of files that have ended; return how many those are.

    Raises:
        NotFound: this user may not add photos.
    """
    if not by.sees_everything:
        raise NotFound("there is no such page, or it is not for you to see")
    gone, _ = Upload.objects.filter(album=album).exclude(state__in=LIVE).delete()
    return gone


def forget_one(upload: Upload, *, by: User) -> None:
    """Remove what is told of a file that has ended.

    Raises:
        NotFound: this user may not add photos.
    """
    if not by.sees_everything:
        raise NotFound("there is no such page, or it is not for you to see")
    Upload.objects.filter(pk=upload.pk).exclude(state__in=LIVE).delete()


def discard(uuid: UUID) -> None:
    """Remove what came of a file, and what is being unpacked of it."""
    part_of(uuid).unlink(missing_ok=True)
    shutil.rmtree(Path(settings.UPLOADS) / f".{uuid.hex}", ignore_errors=True)


def part_of(uuid: UUID) -> Path:
    """Return where the bytes of a file are collected."""
    return Path(settings.UPLOADS) / uploads.RECEIVING / uuid.hex


def knows(album: int | None, payload: bytes) -> bool:
    """Return whether a photo is in an album already, or without one in the library."""
    lies = Location.objects.filter(media__payload_hash=payload, missing_since=None)
    if album is not None:
        lies = lies.filter(media__album_items__album=album)
    return lies.exists()


def fail(upload: Upload, error: LookwhoError) -> bool:
    """Say why nothing more comes of a file; return whether it had not ended before."""
    message = work.storable(error.message)
    told = end(upload, Upload.State.FAILED, error_code=error.code, error=message)
    if told:
        discard(upload.uuid)
    return told


def end(upload: Upload, state: str, **more: str) -> bool:
    """End an upload that has not ended yet; return whether it had not."""
    live = Upload.objects.filter(pk=upload.pk, state__in=LIVE)
    told = live.update(state=state, touched_at=timezone.now(), **more)
    if told:
        upload.refresh_from_db()
    return bool(told)


def job_of(upload: Upload) -> Job | None:
    """Return the job that unpacks or imports what was sent, if there is one."""
    return Job.objects.filter(pk__in=Upload.objects.filter(pk=upload.pk).values("job")).first()


# --- parts ---


def _receiving(upload: Upload):
    return Upload.objects.filter(pk=upload.pk, state=Upload.State.RECEIVING)


def _refused(upload: Upload, error: InputError) -> Upload:
    told = {"name": upload.name, "code": error.code, "message": work.storable(error.message)}
    _receiving(upload).update(refused=[told])
    fail(upload, error)
    upload.refresh_from_db()
    return upload


def _joined(upload: Upload, path: Path, kind: str) -> Job:
    try:
        return uploads.join(path, upload.name, kind, album=upload.album, by=upload.user)
    except OSError as error:
        raise uploads.of_the_disk(error, path.parent, upload.size) from error


def _to_unpack(upload: Upload) -> Upload:
    payload = {"upload": upload.pk, "uuid": upload.uuid.hex}
    total = max(upload.size >> 20, 1)
    with transaction.atomic():
        rows = _receiving(upload).select_for_update()
        if rows.first() is not None:
            first = work.PRIORITY[Job.Kind.IMPORT]
            job = work.enqueue(Job.Kind.UNPACK, payload, priority=first, total=total)
            ended = {"state": Upload.State.UNPACKING, "received": upload.size, "job": job}
            rows.update(**ended, touched_at=timezone.now())
    upload.refresh_from_db()
    return upload


def _check_room(folder: Path, size: int) -> None:
    """Refuse what the disk has no room for, beside all that is still to come.

    Raises:
        StorageFull: it says how much is missing.
    """
    coming = Upload.objects.filter(state=Upload.State.RECEIVING)
    awaited = coming.aggregate(left=Sum(F("size") - F("received")))["left"] or 0
    missing = size + awaited + SPARE - shutil.disk_usage(folder).free
    if missing > 0:
        raise StorageFull(
            f"there is no room for this file: {missing / 1e6:,.0f} MB more are needed in "
            f"{str(folder.parent)!r}. Make room, and send it again"
        )


@contextlib.contextmanager
def _held(path: Path, name: str) -> Generator[BinaryIO]:
    """Open a file to write to its end, for one writer at a time.

    Raises:
        Conflict: somebody else writes.
    """
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
    with os.fdopen(handle, "ab") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"{name} is being sent already: wait a moment") from None
        yield file
