"""Analysis: which media are to be searched for faces, and the one door through which faces enter.

A medium is planned once for each pack. That its analysis waits and that a job holds it are
written in one transaction; so the only ones that wait without a job are those of cancelled jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from lookwho.core import packs
from lookwho.core.batch import Outcome
from lookwho.core.errors import InputError, LookwhoError
from lookwho.library.models import AlbumItem, Analysis, Face, Job, Media, Pack, Suppression
from lookwho.services import findings, grouping, people, portions, video_segments, work
from lookwho.services.findings import Finding

PACK = "default"
_PLANNED_AT_ONCE = 500


def current_pack() -> Pack:
    """Return the models that new media are analysed with.

    Raises:
        InputError: the settings name a preset that there is not.
    """
    packs.find_preset(settings.PRESET)
    known = {"name": PACK, "preset": settings.PRESET, "revision": 1}
    pack, _ = Pack.objects.get_or_create(**known, defaults={"dim": packs.find_pack(PACK).dim})
    return pack


# --- what is to be done ---


def plan(media_ids: Iterable[int], *, parent: Job | None) -> int:
    """Let media that this pack has not seen wait to be analysed; return how many those are.

    Media that were planned before are left as they are. Below an import that is to be cancelled
    they get no job.
    """
    pack = current_pack()
    wanted = list(dict.fromkeys(media_ids))
    planned = 0
    for at in range(0, len(wanted), _PLANNED_AT_ONCE):
        planned += _plan(wanted[at : at + _PLANNED_AT_ONCE], pack, parent)
    return planned


def _plan(wanted: Sequence[int], pack: Pack, parent: Job | None) -> int:
    with transaction.atomic():
        # Whoever plans the same media at the same time waits here, and then finds them planned.
        media = Media.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
        kinds = dict(media.values_list("pk", "kind"))
        seen = Analysis.objects.filter(pack=pack, media__in=wanted)
        known = kinds.keys() - set(seen.values_list("media_id", flat=True))
        fresh = [wish for wish in wanted if wish in known]
        if not fresh:
            return 0
        Analysis.objects.bulk_create([Analysis(media_id=each, pack=pack) for each in fresh])
        if parent:
            # Until this transaction ends nobody can cancel the import and overlook these jobs.
            parent = Job.objects.select_for_update(no_key=True).filter(pk=parent.pk).first()
        if not (parent and parent.cancel_requested):
            _let_wait(fresh, kinds, pack, parent)
        return len(fresh)


def resume() -> int:
    """Go on with all media that were not analysed and that no job holds; return how many.

    Those are the media of cancelled jobs, and after a change of the preset all.
    """
    pack = current_pack()
    seen = Analysis.objects.filter(pack=pack, media=OuterRef("pk"))
    unseen = Media.objects.filter(~Exists(seen), present=True)
    planned = plan(unseen.order_by("-taken_at").values_list("pk", flat=True), parent=None)
    with transaction.atomic():
        waiting = Analysis.objects.filter(pack=pack, state=Analysis.State.WAITING)
        rows = waiting.select_for_update(of=("self",)).order_by("pk")
        kinds = dict(rows.values_list("media_id", "media__kind"))
        held = video_segments.held(pack.pk)
        jobs = Job.objects.filter(
            kind=Job.Kind.ANALYSE, state__in=(Job.State.WAITING, Job.State.LEASED)
        )
        for payload in jobs.values_list("payload", flat=True).iterator():
            if payload["pack"] == pack.pk:
                held.update(payload["media"])
        idle = [media for media in kinds if media not in held]
        _let_wait(idle, kinds, pack)
    return planned + len(idle)


def retry_failures(media: Iterable[int] | None = None) -> int:
    """Analyse again what failed, all or some of the media; return how many there are."""
    failed = Analysis.objects.filter(state=Analysis.State.FAILED, pack__active=True)
    if media is not None:
        failed = failed.filter(media__in=list(media))
    with transaction.atomic():
        rows = failed.select_for_update(of=("self",)).select_related("media").order_by("pk")
        found: dict[tuple[int, str], list[int]] = {}
        for analysis in rows:
            found.setdefault((analysis.pack_id, analysis.media.kind), []).append(analysis.media_id)
        for (pack, kind), again in found.items():
            failed.filter(pack=pack, media__in=again).update(
                state=Analysis.State.WAITING, attempts=0, error_code="", error="", finished_at=None
            )
            _make_jobs(again, pack, kind)
    return sum(map(len, found.values()))


def _let_wait(
    media: Sequence[int], kinds: Mapping[int, str], pack: Pack, parent: Job | None = None
) -> None:
    for kind in Media.Kind.values:
        if some := [each for each in media if kinds[each] == kind]:
            _make_jobs(some, pack.pk, kind, parent)


def _make_jobs(media: Sequence[int], pack: int, kind: str, parent: Job | None = None) -> None:
    """Make the jobs in which photos, or videos, wait to be analysed; in the caller's transaction.

    Args:
        media: their ids, in this order.
        pack: by which models.
        kind: of these media.
        parent: the import that found them.
    """
    if kind == Media.Kind.VIDEO:
        video_segments.make_jobs(media, pack, parent)
        work.ring(Job.Kind.VIDEO)
    else:
        portions.make_jobs(media, pack, parent)
        work.ring(Job.Kind.ANALYSE)


# --- what was found ---


def record_faces(
    job_id: int,
    ticket: str,
    results: Sequence[tuple[int, Outcome]],
    *,
    now: datetime | None = None,
) -> None:
    """Store what became of some media of a job, all or none; extends the lease.

    The only door through which faces enter, whoever carries the job. An analysis counts once: what
    is handed in for a medium that is done already changes nothing. The caller's file is at fault
    only where the error says so; every other error is tried again, by a job of its own.

    Args:
        job_id: an ANALYSE job.
        ticket: what `services.work.claim` gave.
        results: ids of media, and what became of each.
        now: the time, if not the present.

    Raises:
        StaleTicket: the job is gone, finished, or leased to another worker.
    """
    now = now or timezone.now()
    outcomes = dict(results)
    with transaction.atomic():
        job = work.hold(job_id, ticket, settled=len(outcomes), now=now)
        pack: int = job.payload["pack"]
        waiting = _waiting(pack, outcomes)
        found: list[Finding] = []
        for analysis in waiting:
            outcome = outcomes[analysis.media_id]
            if outcome.faces is None:
                _charge(analysis, outcome.error or LookwhoError("no reason was given"))
            else:
                more = vars(analysis)
                found.append(
                    Finding(
                        analysis,
                        outcome.faces,
                        more["has_suppressed"],
                        more["has_older"],
                        more["is_guarded"],
                    )
                )
                analysis.state = Analysis.State.DONE
        changed = findings.store(found, pack)
        _save(waiting, now)
        _try_again(job, [each for each in waiting if each.state == Analysis.State.WAITING], now)
        if found:
            people.faces_arrived([each.analysis.media_id for each in found])
        if changed and not work.waits(grouping.KEY):
            grouping.ask_for_a_pass()


def _waiting(pack: int, media: Iterable[int]) -> list[Analysis]:
    """Return those analyses of these media that still wait, with their media."""
    suppressed = Suppression.objects.filter(payload_hash=OuterRef("media__payload_hash"))
    older = Face.objects.filter(media=OuterRef("media"), source=Face.Source.DETECTOR)
    guards = AlbumItem.objects.filter(media=OuterRef("media"), album__consenting_only=True)
    return list(
        Analysis.objects.filter(pack=pack, media__in=media, state=Analysis.State.WAITING)
        .select_for_update(of=("self",))
        .select_related("media")
        .annotate(
            has_suppressed=Exists(suppressed), has_older=Exists(older), is_guarded=Exists(guards)
        )
        .order_by("pk")
    )


def _charge(analysis: Analysis, error: LookwhoError) -> None:
    analysis.attempts += 1
    if isinstance(error, InputError) or analysis.attempts >= portions.MOST_ATTEMPTS:
        analysis.state = Analysis.State.FAILED
        analysis.error_code = error.code
        analysis.error = work.storable(error.message)


def _save(analyses: Sequence[Analysis], now: datetime) -> None:
    for analysis in analyses:
        if analysis.state != Analysis.State.WAITING:
            analysis.finished_at = now
    # One statement for any number of rows: as `bulk_update`, but several times as fast.
    fields = ("state", "attempts", "reason", "error_code", "error", "finished_at")
    Analysis.objects.bulk_create(
        analyses, update_conflicts=True, unique_fields=["id"], update_fields=fields
    )


def _try_again(job: Job, analyses: Sequence[Analysis], now: datetime) -> None:
    for analysis in analyses:
        pause = portions.PAUSE * analysis.attempts
        portions.put_aside(job, [analysis.media_id], now + pause)
    if analyses:
        Job.objects.filter(pk=job.pk).update(done=F("done") - len(analyses))
