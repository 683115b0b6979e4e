"""Kinds: what is done for a job, by the kind that its row says."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from django.utils.module_loading import import_string

from lookwho.core import inspect
from lookwho.core.batch import Outcome
from lookwho.core.errors import FileMissing, LookwhoError, WorkerDied
from lookwho.library.models import Collection, Job, Location, Pack
from lookwho.services import analysis, embedding, portions
from lookwho.workers.attempt import Attempt

# Results are handed in when there are so many, or when so many seconds have passed: a transaction
# for each would cost more than it tells.
GROUP, SECONDS = 10, 0.5


def carry_out(attempt: Attempt) -> None:
    """Do what a job asks for.

    Raises:
        Cancelled: it was stopped in between.
        StaleTicket: it is another worker's by now.
        LookwhoError: it cannot be done, and why.
    """
    _HANDLERS[attempt.job.kind](attempt)


# --- analyse ---


def _analyse(attempt: Attempt) -> None:
    job = attempt.job
    engine = attempt.engine.of(Pack.objects.get(pk=job.payload["pack"]))
    media = portions.unsettled(job)
    places = _places(media)
    # Of a job whose worker died, the item in hand is to be known when that happens again.
    group = GROUP if job.attempts < 2 else 1
    results: list[tuple[int, Outcome]] = []
    since = time.monotonic()
    try:
        for item in media:
            attempt.check()
            outcome = _outcome(engine.analyze, places.get(item, ()))
            if attempt.stop.is_set() and isinstance(outcome.error, WorkerDied):
                break  # it did not die of the item: it was stopped
            results.append((item, outcome))
            if len(results) >= group or time.monotonic() - since >= SECONDS:
                attempt.record(results)
                attempt.look()
                results, since = [], time.monotonic()
    finally:
        # Whatever came between: what was found is not lost.
        if results:
            attempt.record(results)
    attempt.check()


def _places(media: Sequence[int]) -> dict[int, list[Location]]:
    """Return where each medium lies; the first place is the one to read."""
    places: dict[int, list[Location]] = {}
    locations = Location.objects.filter(media__in=media, missing_since=None)
    for location in locations.select_related("collection", "media").order_by("pk"):
        if location.media_id is not None:
            places.setdefault(location.media_id, []).append(location)
    return places


def _outcome(look: Callable[[str], Outcome], places: Sequence[Location]) -> Outcome:
    """Look at the file at the first place where it still is.

    Raises:
        FileMissing: a whole folder is not there: a disk that was unplugged, say.
        LookwhoError: the engine does not start.
    """
    missing = FileMissing("the photo lies nowhere any more: it was moved or removed")
    for location in places:
        if location.collection.kind == Collection.Kind.SITE:
            outcome = _outcome_there(look, location)
            if not isinstance(outcome.error, FileMissing):
                return outcome
            missing = outcome.error
            continue
        path = os.fspath(location.file)
        try:
            if not _is_same(location):
                missing = FileMissing(f"{path!r} holds another photo now: read the folder again")
                continue
        except LookwhoError as error:
            missing = FileMissing(error.message)
            continue
        outcome = look(path)
        if not isinstance(outcome.error, FileMissing):
            return outcome
        missing = outcome.error
    for location in places:
        folder = location.collection.folder
        if location.collection.kind != Collection.Kind.SITE and not folder.is_dir():
            raise FileMissing(f"the folder {os.fspath(folder)!r} is not there")
    return Outcome("", None, missing)


def _outcome_there(look: Callable[[str], Outcome], location: Location) -> Outcome:
    """Look at a photo that lies on another website: it is here only for as long as that takes."""
    try:
        with _named("lookwho.services.site_visits.fetched")(location) as path:
            return look(os.fspath(path))
    except LookwhoError as error:
        return Outcome("", None, error)


def _is_same(location: Location) -> bool:
    """Return whether the file holds the photo that it held when its folder was read."""
    path = location.file
    try:
        found = path.stat()
    except OSError as error:
        raise FileMissing(f"{os.fspath(path)!r} cannot be read: {error.strerror}") from error
    if (found.st_size, found.st_mtime_ns) == (location.size, location.mtime_ns):
        return True
    # Another program may have written a tag, which changes nothing in the picture.
    media = location.media
    return media is not None and inspect.inspect(path).payload == bytes(media.payload_hash)


# --- embed ---


def _embed(attempt: Attempt) -> None:
    job = attempt.job
    engine = attempt.engine.of(Pack.objects.get(pk=job.payload["pack"]))
    faces = embedding.wanted(job)
    places = _places([face.media for face in faces])
    errors: list[LookwhoError] = []
    for done, face in enumerate(faces, 1):
        attempt.check()
        box = np.array([face.pixels], np.float32)
        outcome = _outcome(lambda path, at=box: engine.embed(path, at), places.get(face.media, ()))
        if outcome.faces is not None:
            embedding.record(job, face, outcome.faces, done=done)
        elif not (attempt.stop.is_set() and isinstance(outcome.error, WorkerDied)):
            errors.append(outcome.error or LookwhoError("no reason was given"))
    attempt.check()
    if reason := embedding.reason_of(errors):
        raise reason


# --- the others ---


def _named(name: str) -> Callable[..., Any]:
    """Return a function by its dotted name: a process loads only what its own kinds need."""
    try:
        return import_string(name)
    except ImportError as error:
        raise LookwhoError(f"{name} is not installed: {error}") from error


def _erase(attempt: Attempt) -> None:
    _named("lookwho.services.erasure.run_erase")(attempt.job, beat=attempt.beat)


def _import(attempt: Attempt) -> None:
    _named("lookwho.services.intake.run_import")(attempt.job, beat=attempt.beat)
    _named("lookwho.services.settling.imported")(attempt.job)
    _named("lookwho.services.news.ask_for_news")()


def _group(attempt: Attempt) -> None:
    _named("lookwho.services.grouping.run_group")(attempt.job, beat=attempt.beat)
    _named("lookwho.services.news.ask_for_news")()


def _learn(attempt: Attempt) -> None:
    _named("lookwho.services.learning.run_learn")(attempt.job, beat=attempt.beat)


def _names(attempt: Attempt) -> None:
    _named("lookwho.services.names.run_names")(attempt.job, beat=attempt.beat)


def _reference(attempt: Attempt) -> None:
    engine = attempt.engine.of(analysis.current_pack())
    _named("lookwho.services.search.run_reference")(attempt.job, engine)


def _mail(attempt: Attempt) -> None:
    _named("lookwho.services.news.run_mail")(attempt.job)


def _site(attempt: Attempt) -> None:
    _named("lookwho.services.site_import.run_site")(attempt.job, beat=attempt.beat)
    _named("lookwho.services.news.ask_for_news")()


def _unpack(attempt: Attempt) -> None:
    _named("lookwho.services.unpacking.run_unpack")(attempt.job, beat=attempt.beat)


def settle() -> None:
    """See what has come to an end, after a job that takes photos in."""
    _named("lookwho.services.settling.settle")()


def tend() -> None:
    """Look after what waits for nobody's act: watched folders, and albums that fill."""
    settle()
    _named("lookwho.services.watches.look")()


def tidy() -> None:
    """Put in order what grows and what uploads that died left behind; to be called now and then."""
    for name in _TIDYING:
        _named(name)()


_TIDYING = (
    "lookwho.library.vectors.tend",
    "lookwho.services.uploads.sweep_uploads",
    "lookwho.services.settling.sweep",
    "lookwho.services.selfies.sweep_selfies",
    "lookwho.services.guests.sweep_guests",
    "lookwho.services.learning.ask_if_due",
    "lookwho.services.daily.run_if_due",
)
_HANDLERS: dict[str, Callable[[Attempt], None]] = {
    Job.Kind.ANALYSE: _analyse,
    Job.Kind.EMBED: _embed,
    Job.Kind.ERASE: _erase,
    Job.Kind.IMPORT: _import,
    Job.Kind.GROUP: _group,
    Job.Kind.LEARN: _learn,
    Job.Kind.MAIL: _mail,
    Job.Kind.NAMES: _names,
    Job.Kind.REFERENCE: _reference,
    Job.Kind.SITE: _site,
    Job.Kind.UNPACK: _unpack,
}
