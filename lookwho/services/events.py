"""Events that keep only who agreed: in their photos a face has a vector only where it is theirs.

A photo is guarded as soon as it is in one album that keeps only consenting people, whatever other
albums and collections it is in: what was promised to those who came to an event does not depend on
where else somebody puts the photo. Of a face in it that is not somebody's who agreed there is a
box, a score and a quality, so that it can be looked at again when somebody agrees later; no
landmarks, no guess and no vector, neither in the database nor in a job. Of a face in a video it is
told besides when it is seen, and not how it moves. The vector lives in the
process that computed it, until it was compared.

Somebody agreed who consented to being found and to such events, and has a selfie that counts. A
face is theirs where that is likelier than not, when it may be any of those who agreed, or a
stranger, with even odds each.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Exists, OuterRef, QuerySet

from lookwho.library.models import Album, AlbumItem, Analysis, Embedding, Face, Job, User
from lookwho.library.vectors.listing import listed
from lookwho.services import consents, embedding
from lookwho.services.decisions import chunks, one_at_a_time
from lookwho.services.guarding import allowed, guarded

# What looking at a box again takes where nothing was measured yet, in seconds.
SECONDS_EACH = 0.25
# So many finished jobs tell how long the next ones take.
_MEASURED = 20


@dataclass(frozen=True, slots=True)
class Cost:
    """What it takes to look again for somebody who agreed.

    Attributes:
        boxes: that would be looked at.
        seconds: that would take, as far as can be told.
    """

    boxes: int
    seconds: float


# --- what may be kept ---


def drop(media: Collection[int] | None = None) -> int:
    """Drop the vectors in guarded photos that are nobody's who agrees; return how many.

    Args:
        media: ids of the only photos to look at; None for all.
    """
    dropped = 0
    kept = _kept() if media is None else _kept().filter(face__media__in=listed(media))
    with one_at_a_time():
        for pack in set(kept.values_list("pack_id", flat=True)):
            may = allowed(pack)
            rows = kept.filter(pack=pack).order_by("pk").values_list("face_id", "vector")
            gone: list[int] = []
            for face, vector in rows.iterator():
                if not may.theirs(np.frombuffer(vector, "<f4")[None])[0]:
                    gone.append(face)
            strip(gone)
            dropped += len(gone)
    return dropped


def strip(faces: Sequence[int]) -> None:
    """Leave of faces only where they are and how good: in the caller's transaction."""
    embedding.forget(faces)
    for some in chunks(faces):
        Face.objects.filter(pk__in=listed(some)).update(
            landmarks=[], guess=None, probability=None, fit=None
        )
        embedding.forget_ways(some)


# --- what changes it ---


def consent_came(user: User) -> int:
    """Look again for somebody who agreed, or has another selfie; return at how many boxes.

    Does nothing where they do not agree to it, or while their selfie is still looked at.
    """
    if not (consents.agreed(user, consents.EVENTS) and consents.agreed(user, consents.FIND)):
        return 0
    ready = Embedding.objects.filter(
        reference__user=user, reference__approved=True, reference__deleted_at=None
    )
    return _look_again() if ready.exists() else 0


def consent_went() -> int:
    """Drop what is kept of people who agree no more, or whose selfie is gone; return how much."""
    return drop()


def album_changed(album: Album) -> int:
    """Do what follows from an album that keeps only who agreed, or no longer does.

    Called after its flag was changed, or media joined it. Returns how many vectors went, or how
    many boxes are looked at again.
    """
    if album.consenting_only:
        return drop()
    bare = _bare().filter(media__in=AlbumItem.objects.filter(album=album).values("media"))
    guard = guarded(list(bare.values_list("media_id", flat=True).distinct()))
    return embedding.ask(bare.exclude(media__in=listed(guard)).values_list("pk", flat=True))


def cost() -> Cost:
    """Return what looking again at all boxes without a vector in guarded photos takes."""
    boxes = _boxes().count()
    return Cost(boxes, boxes * _seconds_each())


def _look_again() -> int:
    """Let the boxes be looked at once more; those that wait for it already are not asked twice."""
    with one_at_a_time():
        held: set[int] = set()
        jobs = Job.objects.filter(kind=Job.Kind.EMBED, state=Job.State.WAITING)
        for payload in jobs.values_list("payload", flat=True):
            held.update(payload["faces"])
        faces = [face for face in _boxes().values_list("pk", flat=True) if face not in held]
        embedding.ask(faces, missing=True)
    return len(faces)


def _kept() -> QuerySet[Embedding]:
    """Return the vectors of faces in guarded photos."""
    items = AlbumItem.objects.filter(media=OuterRef("face__media"), album__consenting_only=True)
    return Embedding.objects.filter(Exists(items), face__isnull=False)


def _bare() -> QuerySet[Face]:
    """Return the faces of photos that were looked at and that have no vector."""
    faces = Face.objects.filter(dismissed=False, embeddings=None)
    done = Analysis.objects.filter(media=OuterRef("media"), state=Analysis.State.DONE)
    return faces.filter(Exists(done)).exclude(source=Face.Source.ABSENT)


def _boxes() -> QuerySet[Face]:
    items = AlbumItem.objects.filter(media=OuterRef("media"), album__consenting_only=True)
    return _bare().filter(Exists(items), media__present=True)


def _seconds_each() -> float:
    """Return how long one box takes, measured on the last jobs that looked at some."""
    jobs = Job.objects.filter(
        kind=Job.Kind.EMBED, state=Job.State.DONE, started_at__isnull=False, total__gt=0
    ).order_by("-pk")[:_MEASURED]
    rows = [
        (job.total, (job.finished_at - job.started_at).total_seconds())
        for job in jobs
        if job.started_at and job.finished_at
    ]
    boxes = sum(total for total, _ in rows)
    return sum(seconds for _, seconds in rows) / boxes if boxes else SECONDS_EACH
