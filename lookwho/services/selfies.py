"""Selfies: the pictures by which a member is found, one face each.

On pages they are selfies, in the tables references. A selfie is a file that only this site's user
of the machine can read, a row, and once a worker has looked at it an embedding. All three go at
once when it is removed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import numpy as np
from django.conf import settings
from django.db import transaction

from lookwho.core import kinds
from lookwho.core.batch import Outcome
from lookwho.core.errors import (
    Conflict,
    FileMissing,
    Forbidden,
    InputError,
    Invalid,
    LookwhoError,
    NoFace,
    NotFound,
    SeveralFaces,
    StorageFull,
    StorageReadOnly,
    WorkError,
)
from lookwho.core.types import Face, Faces
from lookwho.files.people import only_face
from lookwho.library.models import Embedding, Job, Reference, User
from lookwho.services import analysis, work

MOST = 5
MOST_BYTES = 20 << 20
# The least side of a face, in pixels, by which somebody can be told from strangers; and the least
# quality: below it a face is so blurred or so turned away that its embedding may be anyone's. Of
# 170 portraits of people who looked at a camera the worst had 0.18 and the second worst 0.38.
LEAST_SIDE = 40.0
LEAST_QUALITY = 0.2
# A file without a row is one whose upload died; one that is younger may be on its way.
ORPHAN_SECONDS = 3600


class Upload(Protocol):
    """What was uploaded, as Django's `UploadedFile` gives it."""

    def chunks(self) -> Iterable[bytes]:
        """Return the bytes, in pieces."""
        ...


class Engine(Protocol):
    """Who looks for faces in a file: `core.batch.Worker`."""

    def analyze(self, path: str) -> Outcome:
        """Return what became of one file."""
        ...


def add_selfie(user: User, upload: Upload) -> Reference:
    """Store a picture by which this user wants to be found, and let a worker look at it.

    Rejected ones from before go: their reasons were told.

    Raises:
        Forbidden: nobody is signed in.
        Conflict: there are as many as there may be.
        Invalid: the file is too large.
        InputError: the file is no picture.
        StorageFull, StorageReadOnly: it cannot be stored.
    """
    if not (user.is_authenticated and user.is_active):
        raise Forbidden("sign in to add a selfie")
    _check_room(user)
    uuid = uuid4()
    name = _store(upload, str(uuid))
    try:
        with transaction.atomic():
            # One at a time, so that two uploads at once do not both find the last free place.
            User.objects.select_for_update().get(pk=user.pk)
            for rejected in Reference.objects.filter(user=user, state=Reference.State.REJECTED):
                _erase(rejected)
            _check_room(user)
            reference = Reference.objects.create(user=user, uuid=uuid, file=name)
            work.enqueue(Job.Kind.REFERENCE, {"reference": reference.pk})
    except BaseException:
        _unlink(name)
        raise
    return reference


def remove_selfie(user: User, reference: Reference) -> None:
    """Remove a selfie for good: its file, its embeddings and its row.

    Raises:
        NotFound: it is somebody else's, or gone.
        StorageReadOnly: its file cannot be removed; then nothing was.
    """
    with transaction.atomic():
        own = Reference.objects.select_for_update().filter(pk=reference.pk, user=user.pk).first()
        if own is None:
            raise NotFound("there is no such selfie: it was removed already")
        _erase(own)


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
    reference = waiting.first()
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
        pack = analysis.current_pack()
        vector = np.ascontiguousarray(face.embedding, "<f4").tobytes()
        with transaction.atomic():
            if waiting.update(state=Reference.State.DONE):
                Embedding.objects.create(reference=reference, pack=pack, vector=vector)


def sweep_selfies() -> int:
    """Remove the files of uploads that died before their row was written; return how many."""
    folder: Path = settings.SELFIES
    if not folder.is_dir():
        return 0
    # Listed before the rows are read: what comes after is not in the list.
    old = time.time() - ORPHAN_SECONDS
    found = {entry.name for entry in os.scandir(folder) if entry.stat().st_mtime < old}
    orphans = found - set(Reference.objects.values_list("file", flat=True))
    for name in orphans:
        _unlink(name)
    return len(orphans)


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
            _unlink(reference.file)


def _check_room(user: User) -> None:
    live = Reference.objects.filter(user=user, deleted_at=None).exclude(
        state=Reference.State.REJECTED
    )
    if live.count() >= MOST:
        raise Conflict(f"you have {MOST} selfies, which is the most: remove one first")


def _erase(reference: Reference) -> None:
    """Remove file and row, in the caller's transaction.

    The file first: if all ends here, the row is still there, and who asked sees that it is.
    """
    name = reference.file
    if name:
        _unlink(name)
    reference.delete()


def _store(upload: Upload, name: str) -> str:
    """Write a picture into the folder of selfies; return the file's name there."""
    folder: Path = settings.SELFIES
    partial = folder / f"{name}.partial"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            head = b""
            for chunk in upload.chunks():
                head += chunk[: 512 - len(head)]
                file.write(chunk)
                if file.tell() > MOST_BYTES:
                    raise Invalid(f"the picture is larger than {MOST_BYTES >> 20} MB: shrink it")
            final = f"{name}.{kinds.kind_of(head).lower()}"
            file.flush()
            os.fsync(file.fileno())
        partial.rename(folder / final)
    except OSError as error:
        raise _storage(error, folder) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return final


def _unlink(name: str) -> None:
    try:
        (settings.SELFIES / name).unlink(missing_ok=True)
    except OSError as error:
        raise _storage(error, settings.SELFIES) from error


def _storage(error: OSError, folder: Path) -> LookwhoError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"no room is left in {folder}: free some, then try again")
    reason = error.strerror or str(error)
    return StorageReadOnly(f"{folder} cannot be written to ({reason}): check whose it is")
