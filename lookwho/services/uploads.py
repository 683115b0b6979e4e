"""Uploads: photos and videos that somebody brings, stored safely and then imported.

They lie in settings.UPLOADS, each upload in a folder of its own. While it is written the folder is
hidden, so that no import looks into it; one rename, just before the import is written down, makes
it count. So what dies on the way leaves a hidden folder at most, which `sweep_uploads` removes.

Files that come in pieces (`services.receiving`) are complete when they come here: `join` puts them
into a folder of their album and day, which one import looks through for all that came meanwhile.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lookwho.core.entries import MAX_FILE
from lookwho.core.errors import (
    Forbidden,
    ImageTooLarge,
    InputError,
    Invalid,
    LookwhoError,
    StorageFull,
    StorageReadOnly,
)
from lookwho.core.kinds import kind_of, video_kind
from lookwho.core.limits import MAX_BYTES
from lookwho.files.walk import ENDINGS, VIDEO_ENDINGS
from lookwho.library.models import Album, Collection, Job, Location, User
from lookwho.library.paths import escaped
from lookwho.services import accounts, albums, work
from lookwho.services.intake import enqueue_import

# An upload that was not written to for so long has died. The slowest line brings a piece sooner.
DEAD_AFTER = 6 * 3600.0
# The folder of files that come in pieces, which has a sweeping of its own.
RECEIVING = ".receiving"
# An import waits so long for what comes right after.
GATHER = timedelta(seconds=1)
_LONGEST_NAME = 120  # bytes; file systems take 255, and other programs add to a name
_HEAD = 512
_MEGA = 1_000_000
# By the kind of a picture, as far as it is not called so, and of any video.
_ENDING = {"JPEG": ".jpg", "TIFF": ".tif", "HEIF": ".heic"}
_VIDEO_ENDING = {"MPEG-TS": ".mts", "MPEG-PS": ".mpg", "H.264": ".h264", "H.265": ".h265"} | {
    kind: f".{kind.lower()}"
    for kind in ("MP4", "MOV", "3GP", "MKV", "WEBM", "AVI", "MXF", "DV", "FLV", "WMV", "OGV")
}
# Names and characters that Windows refuses: an archive of uploads should unpack anywhere.
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}
)
_FORBIDDEN = frozenset('<>:"|?*')
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Upload(Protocol):
    """A file that somebody brings; Django's UploadedFile is one."""

    name: str | None
    size: int | None

    def chunks(self) -> Iterable[bytes]:
        """Yield the bytes, a piece at a time."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not kept, and why."""

    name: str
    error: LookwhoError


@dataclass(frozen=True, slots=True)
class Added:
    """What became of an upload: the import that waits, and the files that were not kept."""

    job: Job
    refused: tuple[Refused, ...]


def add_uploads(files: Iterable[Upload], *, by: User, album_title: str = "") -> Added:
    """Store photos that a user brings, and let their import wait.

    What is neither picture nor video is refused by its content, and the others go on.

    Raises:
        Forbidden: this user may not add photos.
        Invalid: there is neither picture nor video among them, or the album's title cannot be.
        StorageFull: the disk is full; nothing of this upload is kept.
        StorageReadOnly: nothing can be written there; likewise.
    """
    if not by.sees_everything:
        raise Forbidden("only owners and curators can add photos")
    if album_title:
        album_title = albums.checked_title(album_title)
    token = secrets.token_hex(16)
    folder = Path(settings.UPLOADS)
    hidden = folder / f".{token}"
    brought = list(files)
    try:
        refused = _store(hidden, brought)
        with transaction.atomic():
            album = albums.album_titled(album_title, by=by) if album_title else None
            job = enqueue_import(uploads_collection(), album, [token])
            # As the last thing before the commit: dying in between is a matter of microseconds,
            # and `sweep_uploads` sees to it.
            hidden.rename(folder / token)
            sync(folder)
        return Added(job, refused)
    except BaseException as error:
        shutil.rmtree(hidden, ignore_errors=True)
        shutil.rmtree(folder / token, ignore_errors=True)
        if isinstance(error, OSError):
            raise of_the_disk(error, folder, sum(file.size or 0 for file in brought)) from error
        raise


def uploads_collection() -> Collection:
    """Return the collection of all uploads; it lies where the settings say, wherever it was."""
    root = escaped(os.path.realpath(settings.UPLOADS))
    collection = Collection.objects.filter(kind=Collection.Kind.UPLOADS).order_by("pk").first()
    if collection is None:
        collection, _ = Collection.objects.get_or_create(
            root=root,
            defaults={
                "title": "Uploads",
                "kind": Collection.Kind.UPLOADS,
                "policy": accounts.policy_for_new_collections(),
            },
        )
    elif collection.root != root:
        collection.root = root
        collection.save(update_fields=["root"])
    return collection


def sweep_uploads(*, now: float | None = None) -> int:
    """Remove what uploads left that died, and import those that lack only that.

    Returns:
        How many folders there were of either sort.
    """
    now = time.time() if now is None else now
    folder = Path(settings.UPLOADS)
    if not folder.is_dir():
        return 0
    swept = 0
    imported: set[str] | None = None
    for entry in sorted(folder.iterdir()):
        if entry.name == RECEIVING or _last_written(entry) > now - DEAD_AFTER:
            continue
        if entry.name.startswith("."):
            shutil.rmtree(entry, ignore_errors=True)
            swept += 1
            continue
        imported = _imported() if imported is None else imported
        if entry.name not in imported:
            enqueue_import(uploads_collection(), None, [escaped(entry.name)])
            swept += 1
    return swept


def _imported() -> set[str]:
    """Return the folders of all uploads that an import knows of."""
    found: set[str] = set()
    jobs = Job.objects.filter(kind=Job.Kind.IMPORT)
    for payload in jobs.values_list("payload", flat=True).iterator():
        found.update(path.partition("/")[0] for path in payload.get("paths") or ())
    lie = Location.objects.filter(collection=uploads_collection())
    found.update(path.partition("/")[0] for path in lie.values_list("path", flat=True).iterator())
    return found


def _last_written(entry: Path) -> float:
    try:
        inside = entry.iterdir() if entry.name.startswith(".") and entry.is_dir() else ()
        return max(path.stat().st_mtime for path in (entry, *inside))
    except OSError:  # it goes away just now
        return float("inf")


def join(part: Path, name: str, kind: str, *, album: Album | None, by: User | None) -> Job:
    """Put a file that is complete among the uploads; return the import that will find it.

    In the caller's transaction. The file is in both places afterwards: the caller removes `part`
    once that has ended.

    Args:
        part: the file, on the same disk.
        name: what its owner calls it.
        kind: as `core.kinds` names it.
        album: what it joins.
        by: whose it is, where there is no album.
    """
    whose = album.uuid.hex if album else f"{by.uuid.hex if by else 'photos'}"
    folder = Path(settings.UPLOADS) / whose / timezone.localdate().isoformat()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _put(part, folder, safe_name(name, kind))
    sync(folder)
    return import_of(folder, album)


@transaction.atomic
def import_of(folder: Path, album: Album | None) -> Job:
    """Let an import of a folder among the uploads wait, or return the one that waits already."""
    path = folder.relative_to(settings.UPLOADS).as_posix()
    payload = {
        "collection": uploads_collection().pk,
        "album": album and album.pk,
        "paths": [escaped(path)],
    }
    key = f"uploads:{album.pk if album else 0}:{path}"[:100]
    job = work.enqueue(Job.Kind.IMPORT, payload, dedupe_key=key, run_at=timezone.now() + GATHER)
    return job or Job.objects.get(dedupe_key=key, state=Job.State.WAITING)


def _put(part: Path, folder: Path, name: str) -> None:
    """Give a file a second name in a folder: one that is free there."""
    for free in _numbered(*os.path.splitext(name)):
        try:
            os.link(part, folder / free)
            return
        except FileExistsError:
            if os.path.samefile(part, folder / free):  # whoever did this before died of it
                return
        except OSError:  # a disk on which a file has one name only
            apart = folder / part.name
            apart.mkdir(mode=0o700, exist_ok=True)
            hidden = apart / f".{name}"
            shutil.copyfile(part, hidden)
            hidden.rename(apart / name)
            return


# --- storing ---


def _store(folder: Path, files: Sequence[Upload]) -> tuple[Refused, ...]:
    """Write the files into a new folder; return what was refused, and why."""
    folder.mkdir(mode=0o700, parents=True)
    refused: list[Refused] = []
    taken: set[str] = set()
    for number, file in enumerate(files):
        part = folder / f".{number}.part"
        try:
            kind = write(part, file)
        except InputError as error:
            part.unlink(missing_ok=True)
            shown = safe_name(file.name or "", "") or "a file without a name"
            refused.append(Refused(shown, error))
            continue
        name = free_name(safe_name(file.name or "", kind), taken)
        part.rename(folder / name)
    if not taken:
        what = "; ".join(f"{each.name}: {each.error.message}" for each in refused[:3])
        raise Invalid(f"there is no photo or video among these files. {what}".strip())
    sync(folder)
    return tuple(refused)


def write(part: Path, file: Upload) -> str:
    """Write one file, and return its kind once its first bytes tell.

    Raises:
        InputError: it is neither picture nor video, or larger than any that is read.
    """
    kind, head, size = "", b"", 0
    with part.open("xb") as to:
        for chunk in file.chunks():
            to.write(chunk)
            size += len(chunk)
            if not kind:
                head += chunk[:_HEAD]
                kind = named(head) if len(head) >= _HEAD else ""
            check_bytes(kind, size)
        kind = kind or named(head)
        to.flush()
        os.fsync(to.fileno())
    return kind


def named(head: bytes) -> str:
    """Return the kind of a picture or a video, as `core.kinds` names it, by its first bytes.

    Raises:
        InputError: it is neither.
    """
    return video_kind(head) or kind_of(head)


def check_bytes(kind: str, size: int) -> None:
    """Refuse a picture or a video of that kind that has more bytes than are read.

    Raises:
        ImageTooLarge: see above.
    """
    most = settings.VIDEO_BYTES if kind in _VIDEO_ENDING else MAX_BYTES.get(kind, MAX_FILE)
    if size > most:
        raise ImageTooLarge(f"the file has more than {most // _MEGA} million bytes")


def safe_name(name: str, kind: str) -> str:
    """Return what a file is called on any system: no folders, nothing hidden, not too long.

    Args:
        name: what its owner calls it, and so anything.
        kind: as `core.kinds` names it; where the name does not end like that of a picture or a
            video, that is added. Blank: the name is only to be shown.
    """
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    seen = (c for c in name if unicodedata.category(c) not in ("Cc", "Cs", "Co", "Cn", "Cf"))
    name = "".join("_" if c in _FORBIDDEN else c for c in seen)
    name = " ".join(name.split()).lstrip(". ").rstrip(". ")
    stem, ending = os.path.splitext(name)
    if kind and ending.lower() not in ENDINGS | VIDEO_ENDINGS:
        stem, ending = name, (_ENDING | _VIDEO_ENDING).get(kind, f".{kind.lower()}")
    if stem.partition(".")[0].lower() in _RESERVED:
        stem = f"_{stem}"
    room = _LONGEST_NAME - len(ending.encode())
    stem = stem.encode()[: max(room, 1)].decode(errors="ignore").rstrip(". ")
    if kind and not stem:
        stem = "video" if kind in _VIDEO_ENDING else "photo"
    return stem + ending[:_LONGEST_NAME]


def free_name(name: str, taken: set[str]) -> str:
    """Return a name that no other file of the upload has, in small letters or capitals."""
    stem, ending = os.path.splitext(name)
    for free in _numbered(stem, ending):
        if free.casefold() not in taken:
            taken.add(free.casefold())
            return free
    raise AssertionError("there is no end of numbers")


def _numbered(stem: str, ending: str) -> Iterator[str]:
    yield stem + ending
    number = 2
    while True:
        yield f"{stem}-{number}{ending}"
        number += 1


def sync(folder: Path) -> None:
    """See to it that the names in a folder are on the disk."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def of_the_disk(error: OSError, folder: Path, wanted: int) -> LookwhoError:
    """Say what is wrong with the disk, and how much room is missing for so many bytes."""
    if error.errno not in _FULL:
        return StorageReadOnly(f"nothing can be written to {str(folder)!r}: {error.strerror}")
    try:
        missing = wanted - shutil.disk_usage(folder).free
    except OSError:
        missing = wanted
    return StorageFull(
        f"the disk is full: for this upload {max(missing, _MEGA) / _MEGA:,.0f} MB more are needed "
        f"in {str(folder)!r}. Nothing of it was kept; make room and send the photos again"
    )
