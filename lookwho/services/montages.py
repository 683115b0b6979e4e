"""Montages: moments of one person from many videos, as a contact sheet or as a short film.

Somebody asks, a worker makes it, and it is there for whoever asked for some days, in
`settings.MONTAGES` by the uuid of its job. It is made of what the asker may see, and given only
while they may still see all of it. The files hold no name.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from lookwho.core import montage
from lookwho.core.errors import FileMissing, Invalid, LookwhoError, NotFound, StorageReadOnly
from lookwho.core.scenes import Scene
from lookwho.library.models import Job, Media, Person, User
from lookwho.services import moments, work
from lookwho.services.storage import storage_problem

SHEET, FILM = montage.SHEET, montage.FILM
SUFFIXES = {SHEET: ".webp", FILM: ".webm"}
# A job's progress is told in so many parts.
PARTS = 1000
_OPEN = (Job.State.WAITING, Job.State.LEASED)
_ABANDONED = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A scene of a montage.

    Attributes:
        media: the uuid of the video.
        day: of the video.
        start: in the video, in seconds.
        end: likewise.
        at: when it begins in the montage; 0 on a contact sheet.
    """

    media: UUID
    day: date
    start: float
    end: float
    at: float


@dataclass(frozen=True, slots=True)
class Moments:
    """A montage, and how far it is.

    Attributes:
        uuid: of it.
        kind: `SHEET` or `FILM`.
        state: waiting, running, ready, failed, cancelled, or gone when its days are over.
        share: how much of it is made, 0 to 1.
        error: why it could not be made; else blank.
        scenes: what is in it, once it is ready.
    """

    uuid: UUID
    kind: str
    state: str
    share: float
    error: str
    scenes: tuple[Shown, ...]


def ask(by: User, person: Person | None, kind: str = FILM) -> Job:
    """Ask for a montage; return the job that makes it. The same that is asked for twice is one.

    Args:
        by: who asks.
        person: of whom; None for the asker, by their selfies and by what was confirmed.
        kind: `SHEET` or `FILM`.

    Raises:
        NotFound: there is no such person, they are not for the asker to see, or are in no video.
        Invalid: there is no such kind.
    """
    if kind not in SUFFIXES:
        raise Invalid(f"there is no montage {kind[:40]!r}; there are: {', '.join(SUFFIXES)}")
    root = None if person is None else (person.root_id or person.pk)
    if not moments.tracks_of(by, root).exists():
        raise NotFound("there is no video of this person that you may see")
    payload = {"user": by.pk, "person": root, "kind": kind}
    with transaction.atomic():
        mine = _jobs(by).filter(payload__person=root, payload__kind=kind)
        at_it = mine.filter(state__in=_OPEN, cancel_requested=False).last()
        key = f"montage:{by.pk}:{root or 'me'}:{kind}"
        job = at_it or work.enqueue(Job.Kind.MONTAGE, payload, dedupe_key=key, total=PARTS)
        found = job or mine.filter(state__in=_OPEN).last()
    assert found is not None, "one that waits keeps another from being made"
    return found


def state(by: User, uuid: UUID) -> Moments:
    """Return how far a montage is.

    Raises:
        NotFound: there is none, or somebody else asked for it.
    """
    return _moments(_job(by, uuid))


def latest(by: User, person: Person | None, kind: str = FILM) -> Moments | None:
    """Return the newest montage that somebody asked for of this person, or None."""
    root = None if person is None else (person.root_id or person.pk)
    job = _jobs(by).filter(payload__person=root, payload__kind=kind).last()
    return None if job is None else _moments(job)


def cancel(by: User, uuid: UUID) -> None:
    """Make no montage after all, or remove the one that is made.

    Raises:
        NotFound: there is none, or somebody else asked for it.
    """
    job = _job(by, uuid)
    if job.state in _OPEN:
        work.cancel(job.pk)
    _remove_of(job)


def path_of(by: User, uuid: UUID) -> Path:
    """Return the file of a montage.

    Raises:
        NotFound: there is none, somebody else asked for it, or the asker may not see all of it any
            more.
        FileMissing: its days are over.
    """
    job = _job(by, uuid)
    scenes = _scenes_of(job)
    if job.state != Job.State.DONE or not scenes:
        raise NotFound("this montage is not made")
    wanted = {scene.media for scene in scenes}
    tracks = moments.tracks_of(by, job.payload["person"])
    seen = Media.objects.filter(pk__in=tracks.values("media"), uuid__in=wanted)
    if seen.count() < len(wanted):
        raise NotFound("what is in this montage is not for you to see any more: ask for a new one")
    path = _place(job)
    if not path.is_file():
        raise FileMissing("this montage is gone: ask for a new one")
    return path


def forget(people: Iterable[int]) -> int:
    """Remove all montages of people, by their ids, and what is written of them; return how many."""
    wanted = set(people)
    return _forget(lambda job: job.payload.get("person") in wanted)


def forget_media(media: Iterable[int]) -> int:
    """Remove all montages with anything from these media in them; return how many."""
    rows = Media.objects.filter(pk__in=list(media)).values_list("uuid", flat=True)
    wanted = {str(uuid) for uuid in rows}
    return _forget(
        lambda job: any(scene["media"] in wanted for scene in job.payload.get("scenes", ()))
    )


def forget_of(user: User) -> int:
    """Remove all montages that a user asked for; return how many."""
    return _forget(lambda job: job.payload.get("user") == user.pk)


# --- the job ---


def run_montage(job: Job, *, beat: Callable[[int | None], object]) -> None:
    """Make the montage that a job asks for.

    Args:
        job: of the kind MONTAGE.
        beat: is told how far it is, in `PARTS`; raises where it is to stop.

    Raises:
        Cancelled, StaleTicket: see `beat`.
        NotFound: there is no video of this person any more that the asker may see.
        LookwhoError: why there is no montage.
    """
    by = User.objects.filter(pk=job.payload["user"], is_active=True).first()
    if by is None:
        raise NotFound("who asked for this montage is gone")
    kind, root = job.payload["kind"], job.payload["person"]
    chosen = list(moments.chosen(moments.tracks_of(by, root), kind))
    if not chosen:
        raise NotFound("there is no video of this person any more that can be read")
    begun = _begun()
    try:
        shown: Sequence[Any] = montage.made(
            kind,
            [scene for _, scene in chosen],
            begun,
            lambda share: beat(round(share * PARTS)),
        )
        # Of a film each comes with its time in it.
        timed = [(each, 0.0) if kind == SHEET else (each[0], each[1]) for each in shown]
        told = [_told(chosen[number], at) for number, at in timed]
        _put(job, begun, told)
    finally:
        with contextlib.suppress(OSError):
            begun.unlink(missing_ok=True)


def _told(chosen: tuple[Media, Scene], at: float) -> dict[str, Any]:
    media, scene = chosen
    return {
        "media": str(media.uuid),
        "day": media.day.isoformat(),
        "start": round(scene.start, 2),
        "end": round(scene.end, 2),
        "at": round(at, 2),
    }


def _put(job: Job, begun: Path, scenes: list[dict[str, Any]]) -> None:
    """Put a montage in its place, unless it was forgotten while it was made."""
    with transaction.atomic():
        rows = Job.objects.select_for_update(no_key=True)
        row = rows.filter(pk=job.pk, ticket=job.ticket, cancel_requested=False).first()
        if row is None:
            return
        Job.objects.filter(pk=row.pk).update(payload=row.payload | {"scenes": scenes})
        try:
            begun.replace(_place(row))
        except OSError as error:
            raise _of_the_disk(error) from error


# --- what there is ---


def go(before: datetime, dry_run: bool) -> int:
    """Remove montages that were made before then, and those that nobody can ask for; count them."""
    known = {job.uuid.hex for job in Job.objects.filter(kind=Job.Kind.MONTAGE)}
    doomed = [
        path
        for path in _files()
        if path.stem not in known or path.stat().st_mtime < before.timestamp()
    ]
    if not dry_run:
        for path in doomed:
            _remove(path)
        for path in _folder().glob(".new-*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()
    return len(doomed)


def _forget(doomed: Callable[[Job], bool]) -> int:
    jobs = [job for job in Job.objects.filter(kind=Job.Kind.MONTAGE) if doomed(job)]
    # The rows first: nothing that is being made is put in its place then.
    Job.objects.filter(pk__in=[job.pk for job in jobs]).delete()
    for job in jobs:
        _remove_of(job)
    return len(jobs)


def _moments(job: Job) -> Moments:
    scenes = _scenes_of(job)
    how = {
        Job.State.WAITING: "waiting",
        Job.State.LEASED: "running",
        Job.State.FAILED: "failed",
        Job.State.CANCELLED: "cancelled",
    }.get(Job.State(job.state), "ready" if scenes and _place(job).is_file() else "gone")
    share = 1.0 if how == "ready" else min(job.done / PARTS, 1.0)
    return Moments(job.uuid, job.payload["kind"], how, share, job.error, scenes)


def _scenes_of(job: Job) -> tuple[Shown, ...]:
    return tuple(
        Shown(
            UUID(told["media"]),
            date.fromisoformat(told["day"]),
            told["start"],
            told["end"],
            told["at"],
        )
        for told in job.payload.get("scenes", ())
    )


def _job(by: User, uuid: UUID) -> Job:
    job = _jobs(by).filter(uuid=uuid).first()
    if job is None or not by.is_active:
        raise NotFound("there is no such montage, or it is not for you to see")
    return job


def _jobs(by: User) -> QuerySet[Job]:
    jobs = Job.objects.filter(kind=Job.Kind.MONTAGE, payload__user=by.pk)
    return jobs.order_by("pk")


def _folder() -> Path:
    return Path(settings.MONTAGES)


def _files() -> Collection[Path]:
    return [path for suffix in SUFFIXES.values() for path in _folder().glob(f"*{suffix}")]


def _place(job: Job) -> Path:
    return _folder() / f"{job.uuid.hex}{SUFFIXES[job.payload['kind']]}"


def _begun() -> Path:
    try:
        _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=_folder())
        os.close(handle)
    except OSError as error:
        raise _of_the_disk(error) from error
    return Path(name)


def _remove_of(job: Job) -> None:
    _remove(_place(job))


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageReadOnly(f"{path} cannot be removed: {error.strerror}: remove it") from error


def _of_the_disk(error: OSError) -> LookwhoError:
    return storage_problem(error) or StorageReadOnly(
        f"{_folder()} cannot be written to: {error.strerror}"
    )
