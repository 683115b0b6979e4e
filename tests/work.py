"""Builders of work: media in folders, workers, jobs in every state, and outcomes to hand in."""

import contextlib
import hashlib
import itertools
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from lookwho.core.batch import Outcome
from lookwho.core.inspect import inspect
from lookwho.library.models import Analysis, Collection, Job, Location, Media, Worker
from lookwho.library.paths import escaped
from lookwho.services import analysis, work
from tests.faces import faces_of

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)

_numbers = itertools.count(1)


def make_collection(folder="/nowhere"):
    root = escaped(os.fspath(folder))
    return Collection.objects.get_or_create(root=root, defaults={"title": "Photos"})[0]


def make_media(path=None, **fields):
    """A photo; with a path, one that lies there, as an import would write it down."""
    if path is not None:
        said = inspect(path)
        fields = {
            "payload_hash": said.payload,
            "width": said.width,
            "height": said.height,
            "orientation": said.orientation,
            **fields,
        }
    fields.setdefault("payload_hash", hashlib.sha256(b"%d" % next(_numbers)).digest())
    media = Media.objects.create(**{"taken_at": NOON, "day": NOON.date(), **fields})
    if path is not None:
        found = path.stat()
        Location.objects.create(
            collection=make_collection(path.parent),
            media=media,
            path=escaped(path.name),
            size=found.st_size,
            mtime_ns=found.st_mtime_ns,
        )
    return media


def make_worker(**fields):
    return Worker.objects.create(**{"host": "elsewhere", "pid": 1, **fields})


def make_job(kind="group", **fields):
    return Job.objects.create(kind=kind, **fields)


def make_analyse_job(*media, parent=None, **fields):
    """One job for these media, planned as an import plans them."""
    pack = analysis.current_pack()
    Analysis.objects.bulk_create(Analysis(media=each, pack=pack) for each in media)
    payload = {"pack": pack.pk, "media": [each.pk for each in media]}
    return make_job("analyse", payload=payload, total=len(media), parent=parent, **fields)


def claimed(*kinds, worker=None, now=None):
    """The next job of these kinds (of all, if none is told), leased to a worker."""
    job = work.claim(worker or make_worker(), kinds or Job.Kind.values, now=now)
    assert job is not None
    return job


def later(job, **more):
    """A time by which the lease of a job has expired."""
    return job.lease_until + timedelta(**(more or {"seconds": 1}))


def found(*boxes, reason=None):
    return Outcome("photo.jpg", faces_of(*boxes, reason=reason), None)


def failed(error):
    return Outcome("photo.jpg", None, error)


@contextlib.contextmanager
def asleep():
    """A process that does nothing until it is killed."""
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()
