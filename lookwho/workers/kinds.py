"""Kinds: what is done for a job, by the kind that its row says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from lookwho.core.batch import Outcome
from lookwho.core.errors import (
    FileMissing,
    LookwhoError,
    WorkerDied,
)
from lookwho.library.models import Job, Location, Pack
from lookwho.services import analysis, embedding, portions
from lookwho.workers import videos
from lookwho.workers.attempt import Attempt
from lookwho.workers.places import first_found, named, places_of

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
    places = places_of(media)
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


def _outcome(look: Callable[[str], Outcome], places: Sequence[Location]) -> Outcome:
    """Look at the file at the first place where it still is.

    Raises:
        FileMissing: a whole folder is not there: a disk that was unplugged, say.
        LookwhoError: the engine does not start.
    """
    found = first_found(lambda path: _told(look(path)), places)
    return Outcome("", None, found) if isinstance(found, LookwhoError) else found


def _told(outcome: Outcome) -> Outcome:
    """Return what became of a file, unless it is not there."""
    if isinstance(outcome.error, FileMissing):
        raise outcome.error
    return outcome


# --- embed ---


def _embed(attempt: Attempt) -> None:
    job = attempt.job
    engine = attempt.engine.of(Pack.objects.get(pk=job.payload["pack"]))
    faces = embedding.wanted(job)
    places = places_of([face.media for face in faces])
    errors: list[LookwhoError] = []
    for done, face in enumerate(faces, 1):
        attempt.check()
        look = partial(engine.embed, boxes=face.boxes, times=face.times)
        outcome = _outcome(look, places.get(face.media, ()))
        if outcome.faces is not None:
            embedding.record(job, face, outcome.faces, done=done)
        elif not (attempt.stop.is_set() and isinstance(outcome.error, WorkerDied)):
            errors.append(outcome.error or LookwhoError("no reason was given"))
    attempt.check()
    if reason := embedding.reason_of(errors):
        raise reason


# --- the others ---


def _erase(attempt: Attempt) -> None:
    named("lookwho.services.erasure.run_erase")(attempt.job, beat=attempt.beat)


def _import(attempt: Attempt) -> None:
    named("lookwho.services.intake.run_import")(attempt.job, beat=attempt.beat)
    named("lookwho.services.settling.imported")(attempt.job)
    named("lookwho.services.news.ask_for_news")()


def _group(attempt: Attempt) -> None:
    named("lookwho.services.grouping.run_group")(attempt.job, beat=attempt.beat)
    named("lookwho.services.news.ask_for_news")()


def _learn(attempt: Attempt) -> None:
    named("lookwho.services.learning.run_learn")(attempt.job, beat=attempt.beat)


def _names(attempt: Attempt) -> None:
    named("lookwho.services.names.run_names")(attempt.job, beat=attempt.beat)


def _reference(attempt: Attempt) -> None:
    engine = attempt.engine.of(analysis.current_pack())
    named("lookwho.services.search.run_reference")(attempt.job, engine)


def _mail(attempt: Attempt) -> None:
    named("lookwho.services.news.run_mail")(attempt.job)


def _site(attempt: Attempt) -> None:
    named("lookwho.services.site_import.run_site")(attempt.job, beat=attempt.beat)
    named("lookwho.services.news.ask_for_news")()


def _unpack(attempt: Attempt) -> None:
    named("lookwho.services.unpacking.run_unpack")(attempt.job, beat=attempt.beat)


def _proxy(attempt: Attempt) -> None:
    named("lookwho.services.proxies.run_proxy")(attempt.job, beat=attempt.beat)


def _montage(attempt: Attempt) -> None:
    named("lookwho.services.montages.run_montage")(attempt.job, beat=attempt.beat)


def settle() -> None:
    """See what has come to an end, after a job that takes photos in."""
    named("lookwho.services.settling.settle")()


def tend() -> None:
    """Look after what waits for nobody's act: watched folders, and albums that fill."""
    settle()
    named("lookwho.services.watches.look")()


def tidy() -> None:
    """Put in order what grows and what uploads that died left behind; to be called now and then."""
    for name in _TIDYING:
        named(name)()


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
    Job.Kind.JOIN: videos.join,
    Job.Kind.LEARN: _learn,
    Job.Kind.MAIL: _mail,
    Job.Kind.MONTAGE: _montage,
    Job.Kind.NAMES: _names,
    Job.Kind.PROXY: _proxy,
    Job.Kind.REFERENCE: _reference,
    Job.Kind.SEGMENT: videos.segment,
    Job.Kind.SITE: _site,
    Job.Kind.UNPACK: _unpack,
    Job.Kind.VIDEO: videos.video,
}
