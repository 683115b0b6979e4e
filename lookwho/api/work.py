"""Work: taking photos in, how it gets on, and the names that the files carry."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status

from lookwho.api import schemas
from lookwho.api.app import user_of
from lookwho.api.gate import gate
from lookwho.api.paging import Cursor, Limit, taken
from lookwho.core.errors import NotFound
from lookwho.library.models import Job, User
from lookwho.library.queries import work as queries
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import accounts, analysis, intake, names, retries, work

router = Router(tags=["work"])


@router.post("/folders", response={202: schemas.Import}, auth=gate(lambda user: user.is_owner))
def add_folder(request: HttpRequest, asked: schemas.FolderIn) -> Status[schemas.Import]:
    """Take in a folder on the machine that Lookwho runs on; only an owner may."""
    user, scope = _curator(request)
    _, job = intake.add_folder(asked.path, by=user, title=asked.title, album_title=asked.album)
    return Status(202, import_of(scope, job))


@router.get("/work", response=schemas.Work)
def progress(request: HttpRequest) -> schemas.Work:
    """Say how the work gets on."""
    _, scope = _curator(request)
    pace = queries.pace(scope)
    _, failures = queries.failures(scope, take=0)
    return schemas.Work(
        running=pace.running,
        stuck=pace.stuck,
        done=pace.done,
        total=pace.total,
        rate=pace.rate,
        seconds_left=pace.seconds,
        failures=failures,
        imports=[_told(each) for each in queries.imports(scope)],
        workers=[
            schemas.WorkerOut(host=each.host, pid=each.pid, kinds=each.kinds, seen_at=each.seen_at)
            for each in queries.workers(scope)
        ],
    )


@router.get("/work/failures", response=schemas.Failures)
def failures(
    request: HttpRequest,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> schemas.Failures:
    """List what failed, and why."""
    _, scope = _curator(request)
    found, following = taken(
        lambda skip, take: queries.failures(scope, skip=skip, take=take)[0],
        limit=limit,
        cursor=cursor,
    )
    told = [
        schemas.Failure(
            trouble=each.trouble,
            id=each.id,
            what=each.what,
            code=each.code,
            message=each.reason,
        )
        for each in found
    ]
    return schemas.Failures(failures=told, next=following)


@router.post("/work/retry", response=int)
def retry_failures(request: HttpRequest) -> int:
    """Try again whatever failed; return how many things that are."""
    _, scope = _curator(request)
    return retries.retry_everything(scope)


@router.post("/work/failures/{trouble}/{id}/retry", response={204: None})
def retry_failure(request: HttpRequest, trouble: queries.Trouble, id: int) -> Status[None]:
    """Try one thing again that failed."""
    _, scope = _curator(request)
    retries.retry_one(scope, trouble, id)
    return Status(204, None)


@router.post("/work/resume", response=int)
def resume(request: HttpRequest) -> int:
    """Go on with what was cancelled; return how many photos that are."""
    _curator(request)
    return analysis.resume()


@router.post("/work/{uuid}/cancel", response={204: None})
def cancel(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Cancel an import; what was analysed stays."""
    _, scope = _curator(request)
    work.cancel(queries.job(scope, uuid).pk)
    return Status(204, None)


@router.post("/work/{uuid}/retry", response={204: None})
def retry(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Go on with an import that failed or was cancelled."""
    _, scope = _curator(request)
    work.retry(queries.job(scope, uuid).pk)
    return Status(204, None)


@router.get("/names", response=schemas.Names)
def offered_names(request: HttpRequest) -> schemas.Names:
    """Say which names the files carry that nobody has decided about."""
    _curator(request)
    offer = names.offered()
    return schemas.Names(regions=offer.regions, people=offer.people, examples=list(offer.examples))


@router.post("/names/accept", response={202: None})
def accept_names(request: HttpRequest) -> Status[None]:
    """Use the names that the files carry."""
    user, _ = _curator(request)
    names.accept(user)
    return Status(202, None)


@router.post("/names/decline", response={204: None})
def decline_names(request: HttpRequest) -> Status[None]:
    """Leave the names that the files carry."""
    user, _ = _curator(request)
    names.decline(user)
    return Status(204, None)


@router.post("/invitations", response={201: schemas.Link})
def invite(request: HttpRequest) -> Status[schemas.Link]:
    """Make an invitation for others on the network; only an owner may."""
    user, _ = _curator(request)
    token = accounts.invite(user)
    return Status(201, schemas.Link(url=request.build_absolute_uri(f"/join/{token}")))


def _curator(request: HttpRequest) -> tuple[User, Scope]:
    """Return who asks, and what they see.

    Raises:
        NotFound: they do not see everything: to them there is no work.
    """
    user = user_of(request)
    if not user.sees_everything:
        raise NotFound("there is no such page, or it is not for you to see")
    return user, scope_of(user, Purpose.BROWSE)


def import_of(scope: Scope, job: Job) -> schemas.Import:
    """Return an import as it is told."""
    return next(_told(each) for each in queries.imports(scope) if each.job.pk == job.pk)


def _told(found: queries.Import) -> schemas.Import:
    return schemas.Import(
        uuid=found.job.uuid,
        state=found.state,
        done=found.done,
        total=found.total,
        code=found.job.error_code,
        message=found.job.error,
        created_at=found.job.created_at,
    )
