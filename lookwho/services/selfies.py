"""Selfies: the pictures by which a member or a guest is found, one face each.

On pages they are selfies, in the tables references. A selfie is a file (`selfie_files`), a row, and
once a worker has looked at it an embedding. A member's that is removed is used for nothing any
more, and is kept for some days, so that who looks for others can be told (`misuse`); then all
three go. A guest's go at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from lookwho.core.batch import Outcome
from lookwho.core.errors import (
    Conflict,
    ConsentNeeded,
    FileMissing,
    Forbidden,
    InputError,
    LookwhoError,
    NoFace,
    NotFound,
    SeveralFaces,
    TooMany,
    WorkError,
)
from lookwho.core.types import Face, Faces
from lookwho.files.people import only_face
from lookwho.library.models import Embedding, Guest, Job, Reference, Setting, User
from lookwho.services import analysis, consents, events, work
from lookwho.services.approval import approve_selfie, awaiting, decline_selfie, may_look
from lookwho.services.misuse import Flagged, different_faces, flagged
from lookwho.services.selfie_files import MOST_BYTES, Upload, store, sweep_selfies, unlink

__all__ = [
    "MOST",
    "MOST_BYTES",
    "Flagged",
    "Purge",
    "Seeker",
    "add_selfie",
    "approve_selfie",
    "awaiting",
    "decline_selfie",
    "different_faces",
    "erase",
    "erase_all",
    "flagged",
    "live",
    "may_look",
    "purge_selfies",
    "remove_selfie",
    "retention_days",
    "run_reference",
    "sweep_selfies",
]

# Who looks for themselves.
Seeker = User | Guest

MOST = 5
# So many an account adds in 24 hours, removed ones too.
MOST_A_DAY = 20
# The least side of a face, in pixels, by which somebody can be told from strangers; and the least
# quality: below it a face is so blurred or so turned away that its embedding may be anyone's. Of
# 170 portraits of people who looked at a camera the worst had 0.18 and the second worst 0.38.
LEAST_SIDE = 40.0
LEAST_QUALITY = 0.2
# Settings, and what holds without: whether a curator looks at each selfie first, for how many days
# a removed one is kept, and after how many days without a visit all of an account go.
NEED_APPROVAL = "selfies_need_approval"
RETENTION, RETENTION_DAYS = "selfie_retention_days", 30
INACTIVE, INACTIVE_DAYS = "inactive_days", 365


class Engine(Protocol):
    """Who looks for faces in a file: `core.batch.Worker`."""

    def analyze(self, path: str) -> Outcome:
        """Return what became of one file."""
        ...


@dataclass(frozen=True, slots=True)
class Purge:
    """How many selfies went, or would go.

    Attributes:
        deleted: removed by their owners, and kept long enough.
        inactive: of accounts that nobody has used for long.
    """

    deleted: int
    inactive: int


# --- adding and removing ---


def add_selfie(seeker: Seeker, upload: Upload, *, agreed: bool = False) -> Reference:
    """Store a picture by which somebody wants to be found, and let a worker look at it.

    Rejected ones from before go: their reasons were told.

    Args:
        seeker: a user, or a guest.
        upload: the picture.
        agreed: of a guest, whether they have just agreed; a user's consent is a row.

    Raises:
        Forbidden: nobody is signed in, or the guest's time is over.
        ConsentNeeded: they have not agreed to be found.
        Conflict: there are as many as there may be.
        TooMany: too many were added today.
        Invalid: the file is too large.
        InputError: the file is no picture.
        StorageFull, StorageReadOnly: it cannot be stored.
    """
    _check_may(seeker, agreed)
    _check_room(seeker)
    uuid = uuid4()
    name = store(upload, str(uuid))
    try:
        with transaction.atomic():
            # One at a time, so that two uploads at once do not both find the last free place, and
            # none comes while its owner withdraws.
            _lock(seeker)
            _check_may(seeker, agreed)
            for rejected in _of(seeker).filter(state=Reference.State.REJECTED):
                erase(rejected)
            _check_room(seeker)
            reference = Reference.objects.create(
                **_whose(seeker), uuid=uuid, file=name, approved=_approved(seeker)
            )
            work.enqueue(Job.Kind.REFERENCE, {"reference": reference.pk})
    except BaseException:
        unlink(name)
        raise
    return reference


def remove_selfie(seeker: Seeker, reference: Reference) -> None:
    """Remove a selfie: it is used for nothing any more, from now on.

    A member's file, embedding and row are kept for `retention_days`, for whoever checks misuse;
    what could not be used, and a guest's, goes at once.

    Raises:
        NotFound: it is somebody else's, or gone.
        StorageReadOnly: its file cannot be removed; then nothing was.
    """
    with transaction.atomic():
        own = live(seeker).select_for_update().filter(pk=reference.pk).first()
        if own is None:
            raise NotFound("there is no such selfie: it was removed already")
        kept = own.state == Reference.State.DONE and isinstance(seeker, User) and retention_days()
        if kept:
            Reference.objects.filter(pk=own.pk).update(deleted_at=timezone.now())
        else:
            erase(own)
    if isinstance(seeker, User):
        events.consent_went()


def erase(reference: Reference) -> None:
    """Remove file, embedding and row for good, in the caller's transaction.

    The file first: if all ends here, the row is still there, and who asked sees that it is.
    """
    unlink(reference.file)
    reference.delete()


def erase_all(seeker: Seeker) -> int:
    """Remove all selfies of somebody for good, those kept after removal too; return how many."""
    with transaction.atomic():
        rows = list(_of(seeker).select_for_update())
        for row in rows:
            erase(row)
    return len(rows)


def live(seeker: Seeker) -> QuerySet[Reference]:
    """Return somebody's selfies as they see them: without those that they removed."""
    return _of(seeker).filter(deleted_at=None)


def retention_days() -> int:
    """Return for how many days a removed selfie is kept; 0 for not at all."""
    return _number(RETENTION, RETENTION_DAYS)


def purge_selfies(now: datetime | None = None, *, dry_run: bool = False) -> Purge:
    """Remove for good what was kept long enough, and the selfies of who came no more.

    Args:
        now: the moment that counts.
        dry_run: only say how many would go.
    """
    now = now or timezone.now()
    kept_until = now - timedelta(days=retention_days())
    deleted = Reference.objects.filter(deleted_at__lte=kept_until)
    inactive = Reference.objects.filter(user__in=_gone_quiet(now)).exclude(
        deleted_at__lte=kept_until
    )
    counts = Purge(deleted.count(), inactive.count())
    if dry_run:
        return counts
    for row in [*deleted, *inactive]:
        with transaction.atomic():
            # Looked up once more: its owner may have just removed it, or come back.
            again = Reference.objects.select_for_update().filter(pk=row.pk)
            if row.deleted_at is None:
                again = again.filter(user__in=_gone_quiet(now))
            if (found := again.first()) is not None:
                erase(found)
    if counts.inactive:
        events.consent_went()
    return counts


# --- the work ---


def run_reference(job: Job, engine: Engine) -> None:
    """Do the work of a REFERENCE job: find the one face of a selfie, or say why that cannot be.

    Running twice counts once, and a selfie that was removed meanwhile leaves nothing.

    Raises:
        WorkError: the work went wrong, not the picture, and should be tried again.
        LookwhoError: this machine cannot do it.
    """
    waiting = Reference.objects.filter(
        pk=job.payload["reference"], state=Reference.State.PROCESSING, deleted_at=None
    )
    reference = waiting.select_related("user", "guest").first()
    if reference is None:
        return
    outcome = engine.analyze(os.fspath(settings.SELFIES / reference.file))
    try:
        face = _face_of(outcome)
    except InputError as error:
        _reject(reference, error)
    except WorkError as error:
        if job.attempts < work.MOST_ATTEMPTS:
            raise
        _reject(reference, error)
    else:
        _use(reference, waiting, face)


def _use(reference: Reference, waiting: QuerySet[Reference], face: Face) -> None:
    pack = analysis.current_pack()
    vector = np.ascontiguousarray(face.embedding, "<f4").tobytes()
    # Who searches and is forgotten leaves no picture behind.
    passing = reference.guest is not None and not reference.guest.email
    with transaction.atomic():
        told = {"state": Reference.State.DONE} | ({"file": ""} if passing else {})
        if not waiting.update(**told):
            return
        Embedding.objects.create(reference=reference, pack=pack, vector=vector)
        if passing:
            unlink(reference.file)
    if reference.user is not None and reference.approved:
        events.consent_came(reference.user)


def _face_of(outcome: Outcome) -> Face:
    """Return the one face of a selfie, good enough to tell its owner from strangers.

    Raises:
        InputError: there is none; the message says what to do.
        LookwhoError: the file could not be looked at.
    """
    if isinstance(outcome.error, FileMissing):  # its message names a folder of this machine
        raise FileMissing("the picture is gone: add it again")
    if outcome.error:
        raise outcome.error
    assert outcome.faces is not None  # an outcome is one or the other
    face = _only(outcome.faces)
    side = float(np.sqrt(np.prod(face.box[2:] - face.box[:2])))
    if side < LEAST_SIDE:
        raise InputError(
            f"your face is only {side:.0f} pixels wide, and {LEAST_SIDE:.0f} are needed: "
            "move closer, or choose a larger picture"
        )
    if face.quality < LEAST_QUALITY:
        raise InputError(
            "your face is blurred or turned away: look into the camera, in good light, and hold "
            "it still"
        )
    return face


def _only(faces: Faces) -> Face:
    try:
        return only_face(faces, "the picture")
    except NoFace as error:
        raise NoFace(
            f"{error.message}: choose a picture in which your face is large and easy to see"
        ) from error
    except SeveralFaces as error:
        raise SeveralFaces(f"{len(faces)} faces: crop the picture to yours") from error


def _reject(reference: Reference, error: LookwhoError) -> None:
    """Say why; the picture, of no use now, goes."""
    with transaction.atomic():
        told = Reference.objects.filter(pk=reference.pk, state=Reference.State.PROCESSING).update(
            state=Reference.State.REJECTED,
            error_code=error.code,
            error=work.storable(error.message),
            file="",
        )
        if told:
            unlink(reference.file)


# --- whose ---


def _check_may(seeker: Seeker, agreed: bool) -> None:
    if isinstance(seeker, Guest):
        if seeker.keep_until <= timezone.now():
            raise Forbidden("this visit is over: open the link again")
        if not agreed:
            raise ConsentNeeded("this needs your consent to be found by a selfie: tick the box")
        return
    if not (seeker.is_authenticated and seeker.is_active):
        raise Forbidden("sign in to add a selfie")
    consents.require(seeker, consents.FIND)


def _check_room(seeker: Seeker) -> None:
    kept = live(seeker).exclude(state=Reference.State.REJECTED)
    if kept.count() >= MOST:
        raise Conflict(f"you have {MOST} selfies, which is the most: remove one first")
    today = _of(seeker).filter(created_at__gt=timezone.now() - timedelta(days=1))
    if today.count() >= MOST_A_DAY:
        raise TooMany(f"you have added {MOST_A_DAY} selfies today: add more tomorrow")


def _lock(seeker: Seeker) -> None:
    rows = Guest.objects if isinstance(seeker, Guest) else User.objects
    rows.select_for_update().get(pk=seeker.pk)


def _whose(seeker: Seeker) -> dict[str, Any]:
    # By id: a visitor that nobody knows is no row, and has no selfies.
    return {"guest_id" if isinstance(seeker, Guest) else "user_id": seeker.pk}


def _of(seeker: Seeker) -> QuerySet[Reference]:
    if seeker.pk is None:
        return Reference.objects.none()
    return Reference.objects.filter(**_whose(seeker))


def _approved(seeker: Seeker) -> bool:
    """Return whether a selfie may be used at once: those who approve need no approval."""
    if isinstance(seeker, Guest) or seeker.sees_everything:
        return True
    row = Setting.objects.filter(name=NEED_APPROVAL).first()
    return not (row and row.value is True)


def _gone_quiet(now: datetime) -> QuerySet[User]:
    """Return the users who neither signed in, came, nor added a selfie for long."""
    since = now - timedelta(days=_number(INACTIVE, INACTIVE_DAYS))
    active = (
        Q(last_login__gte=since)
        | Q(visited_at__gte=since)
        | Q(pk__in=Reference.objects.filter(created_at__gte=since).values("user"))
        | Q(api_tokens__used_at__gte=since)
    )
    busy = User.objects.filter(active).values("pk")
    return User.objects.filter(date_joined__lt=since).exclude(pk__in=busy)


def _number(name: str, otherwise: int) -> int:
    row = Setting.objects.filter(name=name).first()
    return row.value if row and isinstance(row.value, int) and row.value >= 0 else otherwise
