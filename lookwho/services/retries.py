"""Retries: whatever failed is tried again, all of it or one thing."""

from __future__ import annotations

from collections.abc import Iterable

from lookwho.core.errors import NotFound
from lookwho.library.models import Location
from lookwho.library.queries import work as queries
from lookwho.library.queries.work import Trouble
from lookwho.library.scope import Scope
from lookwho.services import analysis, intake, work


def retry_everything(scope: Scope) -> int:
    """Try again whatever has failed; return how many things that are."""
    if not scope.everything:
        return 0
    count = analysis.retry_failures()
    for job in queries.failed_jobs(scope):
        work.retry(job.pk)
        count += 1
    files = list(queries.unreadable_files(scope).select_related("collection"))
    _look_again(files)
    return count + len(files)


def retry_one(scope: Scope, trouble: str, pk: int) -> None:
    """Try one thing again: a job, a medium or a file, by its id.

    Raises:
        NotFound: it is not among what failed, or not for the asker.
    """
    found = 0
    if trouble == Trouble.MEDIA and scope.everything:
        found = analysis.retry_failures([pk])
    elif trouble == Trouble.JOB:
        for job in queries.failed_jobs(scope).filter(pk=pk):
            work.retry(job.pk)
            found += 1
    elif trouble == Trouble.FILE:
        files = queries.unreadable_files(scope).filter(pk=pk)
        found = _look_again(files.select_related("collection"))
    if not found:
        raise NotFound("that is no longer among what failed: load the page again")


def _look_again(files: Iterable[Location]) -> int:
    """Let files be read again, collection by collection; return how many imports that takes."""
    found: dict[int, list[Location]] = {}
    for each in files:
        found.setdefault(each.collection_id, []).append(each)
    for some in found.values():
        intake.enqueue_import(some[0].collection, None, [each.path for each in some])
    return len(found)
