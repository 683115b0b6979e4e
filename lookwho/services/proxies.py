"""Proxies: copies of videos that browsers play, made when somebody asks for one.

They lie in `settings.PROXIES` by the payload of their media, never beside an original:

    abcdef….mp4

Those that were not watched for a while go by themselves (`retention`), and before that where there
is no more room; all of it may be deleted at any time. A video's row says how far its copy is.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from lookwho.core import transcode
from lookwho.core.errors import (
    Cancelled,
    Forbidden,
    LookwhoError,
    NotFound,
    StaleTicket,
    StorageReadOnly,
)
from lookwho.library.models import Job, Media, User, Video
from lookwho.services import places, search, work
from lookwho.services.storage import storable, storage_problem

# A job's progress is told in so many parts.
PARTS = 1000
# A copy that was not touched for so long while it was written belongs to a process that is gone.
ABANDONED = 6 * 3600.0

_DAY = 86_400.0
_NAME = re.compile(r"([0-9a-f]{64})(\.mp4|\.webm)")
_OPEN = (Job.State.WAITING, Job.State.LEASED)


@dataclass(frozen=True, slots=True)
class Copying:
    """How far the copy of a video is.

    Attributes:
        state: as `Video.proxy` says.
        share: how much of it is made, 0 to 1.
        error: why it could not be made; else blank.
        job: what makes it, or made it; None where nobody asked.
    """

    state: str
    share: float
    error: str
    job: Job | None


def needs(video: Video) -> bool:
    """Return whether browsers play neither the file itself nor a copy of it yet."""
    return not video.plays and video.proxy != Video.Proxy.READY


def ask(by: User, media: Media) -> Job | None:
    """Ask for a copy that browsers play; return the job, or None where there is one already.

    Raises:
        NotFound: there is no such video, or it is not for the asker to see.
    """
    _video(by, media)
    return _ask(media, {"media": media.pk, "user": by.pk})


def ask_for_link(media: Media) -> Job | None:
    """Ask for a copy for those who follow a link; the caller has asked whether they may see it.

    They get no original: it says when and where it was filmed. What failed once is not tried again
    at each visit.
    """
    if not Video.objects.filter(media=media, proxy=Video.Proxy.NONE).exists():
        return None
    return _ask(media, {"media": media.pk})


def _ask(media: Media, payload: dict[str, int]) -> Job | None:
    if path_of(media) or not Video.objects.filter(media=media).exists():
        return None
    with transaction.atomic():
        key = f"proxy:{media.pk}"
        # One that is under way is as good as one that waits.
        at_it = _jobs(media.pk).filter(state__in=_OPEN, cancel_requested=False).last()
        job = at_it or work.enqueue(Job.Kind.PROXY, payload, dedupe_key=key, total=PARTS)
        Video.objects.filter(media=media).exclude(proxy=Video.Proxy.READY).update(
            proxy=Video.Proxy.WAITING, proxy_error=""
        )
    return job or _jobs(media.pk).filter(state__in=_OPEN).last()


def cancel(by: User, media: Media) -> None:
    """Make no copy after all; what is made already stays.

    Raises:
        NotFound: there is no such video, or it is not for the asker to see.
        Forbidden: somebody else asked for it.
    """
    _video(by, media)
    jobs = list(_jobs(media.pk).filter(state__in=_OPEN))
    if not by.sees_everything and any(job.payload.get("user") != by.pk for job in jobs):
        raise Forbidden("somebody else asked for this copy")
    for job in jobs:
        work.cancel(job.pk)
    _put_back(media.pk)


def state(media: Media) -> Copying:
    """Return how far the copy is. The caller has asked whether the video may be seen."""
    video = Video.objects.filter(media=media).first()
    job = _jobs(media.pk).last()
    if video is None or video.proxy == Video.Proxy.NONE:
        return Copying(Video.Proxy.NONE, 0.0, "", job)
    if video.proxy == Video.Proxy.READY:
        return Copying(Video.Proxy.READY, 1.0, "", job)
    if video.proxy == Video.Proxy.FAILED:
        return Copying(Video.Proxy.FAILED, 0.0, video.proxy_error, job)
    if job is None or job.state not in _OPEN:  # it was cancelled where all work is shown
        return Copying(Video.Proxy.NONE, 0.0, "", job)
    return Copying(Video.Proxy.WAITING, min(job.done / PARTS, 1.0), "", job)


def path_of(media: Media) -> Path | None:
    """Return the copy of a video, if there is one, and note that it is used.

    The caller has asked whether the video may be seen.
    """
    payload = bytes(media.payload_hash)
    if not Video.objects.filter(media=media, proxy=Video.Proxy.READY).exists():
        return None
    for suffix in (transcode.MP4.suffix, transcode.WEBM.suffix):
        path = _place(payload, suffix)
        try:
            used = path.stat().st_mtime
        except OSError:
            continue
        if time.time() - used > _DAY:  # once a day: reading must not mean writing
            with contextlib.suppress(OSError):
                os.utime(path)
        return path
    # Somebody removed it, which is allowed: it can be asked for again.
    Video.objects.filter(media=media, proxy=Video.Proxy.READY).update(proxy=Video.Proxy.NONE)
    return None


def forget(media: Media) -> None:
    """Remove the copy of a video, also one that is being made at the moment.

    Raises:
        StorageReadOnly: it could not be removed.
    """
    with transaction.atomic():
        for job in _jobs(media.pk).filter(state__in=_OPEN):
            work.cancel(job.pk)
        # From here on nothing that is being made is put in its place: see `_put`.
        _put_back(media.pk, ready=True)
    payload = bytes(media.payload_hash).hex()
    for path in [*_folder().glob(f"{payload}.*"), *_folder().glob(f".new-{payload}-*")]:
        _remove(path)


# --- the job ---


def run_proxy(job: Job, *, beat: Callable[[int | None], object]) -> None:
    """Make the copy that a job asks for.

    Args:
        job: of the kind PROXY.
        beat: is told how far it is, in `PARTS`; raises where it is to stop.

    Raises:
        Cancelled, StaleTicket: see `beat`.
        LookwhoError: why there is no copy.
    """
    media = Media.objects.filter(pk=job.payload["media"], kind=Media.Kind.VIDEO).first()
    if media is None:
        return  # gone meanwhile
    asked = Video.objects.filter(media=media).exclude(proxy=Video.Proxy.READY)
    if not asked.update(proxy=Video.Proxy.WAITING, proxy_error=""):
        return
    try:
        _make(media, beat)
    except Cancelled:
        if work.is_cancelled(job.pk):
            _put_back(media.pk)
        raise
    except StaleTicket:
        raise
    except LookwhoError as error:
        Video.objects.filter(media=media, proxy=Video.Proxy.WAITING).update(
            proxy=Video.Proxy.FAILED, proxy_error=storable(error.message)
        )
        raise


def _make(media: Media, beat: Callable[[int | None], object]) -> None:
    payload = bytes(media.payload_hash)
    form = transcode.best_format()
    original = places.original_of(media)
    # It cannot grow beyond what all copies together may take.
    limit = min(transcode.LIMIT, settings.PROXIES_BYTES)
    try:
        _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".new-{payload.hex()}-", dir=_folder())
        os.close(handle)
    except OSError as error:
        raise _of_the_disk(error) from error
    begun = Path(name)
    try:
        told = contextlib.nullcontext(original) if isinstance(original, Path) else original()
        with told as path:
            transcode.copied(
                path, begun, lambda share: beat(round(share * PARTS)), limit=limit, form=form
            )
        _put(media.pk, begun, _place(payload, form.suffix))
    finally:
        with contextlib.suppress(OSError):
            begun.unlink(missing_ok=True)


def _put(media: int, begun: Path, place: Path) -> None:
    """Put a copy in its place, unless it was forgotten while it was made."""
    with transaction.atomic():
        videos = Video.objects.select_for_update(no_key=True)
        video = videos.filter(media=media, proxy=Video.Proxy.WAITING).first()
        if video is None:
            return
        try:
            begun.replace(place)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _of_the_disk(error) from error
        Video.objects.filter(pk=video.pk).update(proxy=Video.Proxy.READY, proxy_error="")
    _make_room(place)


# --- what there is ---


def go(before: datetime, dry_run: bool) -> int:
    """Remove copies that nobody watched since then, and what no video asks for; return how many.

    Args:
        before: what was used after that stays.
        dry_run: only count them.
    """
    since = before.timestamp()
    ready = _payloads(Video.Proxy.READY)
    doomed = [path for path, used, _ in _kept() if used < since or _payload(path) not in ready]
    if not dry_run:
        for path in doomed:
            _drop(path)
        _remove_abandoned()
    return len(doomed)


def _make_room(newest: Path) -> None:
    """Where copies take more room than they may, remove those that were unused for longest."""
    kept = sorted(_kept(), key=lambda each: each[1])
    excess = sum(size for *_, size in kept) - settings.PROXIES_BYTES
    for path, _, size in kept:
        if excess <= 0:
            break
        if path != newest:
            _drop(path)
            excess -= size


def _drop(path: Path) -> None:
    payload = bytes.fromhex(_payload(path))
    Video.objects.filter(media__payload_hash=payload, proxy=Video.Proxy.READY).update(
        proxy=Video.Proxy.NONE
    )
    _remove(path)


def _kept() -> Iterator[tuple[Path, float, int]]:
    """Yield each copy, when it was last used, and its bytes."""
    try:
        entries = list(os.scandir(_folder()))
    except OSError:
        return
    for entry in entries:
        if _NAME.fullmatch(entry.name):
            with contextlib.suppress(OSError):
                about = entry.stat(follow_symlinks=False)
                yield Path(entry.path), about.st_mtime, about.st_size


def _remove_abandoned() -> None:
    for path in _folder().glob(".new-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink()


def _payloads(how_far: Video.Proxy) -> set[str]:
    rows = Video.objects.filter(proxy=how_far).values_list("media__payload_hash", flat=True)
    return {bytes(payload).hex() for payload in rows}


def _payload(path: Path) -> str:
    return path.name.partition(".")[0]


def _video(by: User, media: Media) -> Video:
    video = Video.objects.filter(media=media).first()
    if video is None or not search.may_see(by, media):
        raise NotFound("there is no such video, or it is not for you to see")
    return video


def _put_back(media: int, *, ready: bool = False) -> None:
    """Say that there is no copy, and that nobody asks for one."""
    videos = Video.objects.filter(media=media)
    if not ready:
        videos = videos.filter(proxy=Video.Proxy.WAITING)
    videos.update(proxy=Video.Proxy.NONE, proxy_error="")


def _jobs(media: int):
    return Job.objects.filter(kind=Job.Kind.PROXY, payload__media=media).order_by("pk")


def _folder() -> Path:
    return Path(settings.PROXIES)


def _place(payload: bytes, suffix: str) -> Path:
    return _folder() / f"{payload.hex()}{suffix}"


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageReadOnly(f"{path} cannot be removed: {error.strerror}: remove it") from error


def _of_the_disk(error: OSError) -> LookwhoError:
    return storage_problem(error) or StorageReadOnly(
        f"{_folder()} cannot be written to: {error.strerror}"
    )
