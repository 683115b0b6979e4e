"""Labelling: projects, what annotators are asked and say, agreement, and releases.

An annotator sees their own projects, and of labels their own; nothing here tells them which faces
are gold. The rest is for owners and curators.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import File, Form, Query, Router, Status, UploadedFile

from lookwho.api import labelling_schemas as told
from lookwho.api.app import user_of
from lookwho.api.gate import gate, names_faces
from lookwho.api.members import labelling_of
from lookwho.api.paging import Cursor, Limit, taken
from lookwho.api.schemas import Done
from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Album, Collection, Label, Project, Release, Task, Team, User
from lookwho.library.queries import labelling as queries
from lookwho.library.queries.asking import Question, question_of
from lookwho.services import labelling, labels, labels_in, releases
from lookwho.services.labelling import Choice
from lookwho.services.release_files import CONTENT_TYPES, file_of

router = Router(tags=["labelling"], auth=gate(names_faces))
_FILES = {
    "responses": {200: {"description": "OK", "content": {kind: {} for kind in CONTENT_TYPES}}}
}
# Of what owners and curators do: to annotators there is no such thing.
for_curators = gate(lambda user: user.sees_everything)


# --- for annotators ---


@router.get("/labelling/projects", response=list[told.ProjectOut])
def projects(request: HttpRequest) -> list[told.ProjectOut]:
    """List the projects that one labels in, the newest first; to owners and curators all."""
    user = user_of(request)
    rows = list(queries.projects(user))
    given = queries.given_by(user, rows)
    return [_project(row, given.get(row.pk, 0)) for row in rows]


@router.post("/labelling/projects/{uuid}/next", response={200: told.Question, 204: None})
def next_face(request: HttpRequest, uuid: UUID) -> told.Question | Status[None]:
    """Be given the next face to label, and hold it for a quarter of an hour; 204: none is left."""
    user = user_of(request)
    label = labels.next_label(user, queries.project(user, uuid))
    return Status(204, None) if label is None else _question(question_of(label))


@router.post("/labelling/labels/{uuid}", response=told.Given)
def answer(request: HttpRequest, uuid: UUID, asked: told.Answer) -> told.Given:
    """Say what the face is that one was given."""
    user = user_of(request)
    given = labels.answer(
        user,
        queries.label(user, uuid),
        asked.verdict,
        name=asked.name,
        box=asked.box,
        seconds=asked.seconds,
    )
    return _given(given)


@router.post("/labelling/labels/{uuid}/skip", response={204: None})
def skip(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Pass a face over: others may have it."""
    user = user_of(request)
    labels.skip(user, queries.label(user, uuid))
    return Status(204, None)


@router.post("/labelling/projects/{uuid}/undo", response=told.Question)
def undo(request: HttpRequest, uuid: UUID) -> told.Question:
    """Take one's last label back, and be asked the same again."""
    user = user_of(request)
    return _question(question_of(labels.undo_last(user, queries.project(user, uuid))))


@router.get("/labelling/projects/{uuid}/mine", response=told.GivenOut)
def mine(
    request: HttpRequest, uuid: UUID, limit: Limit = 100, cursor: Cursor = ""
) -> told.GivenOut:
    """List one's own labels in a project, the newest first."""
    user = user_of(request)
    rows = queries.own_labels(user, queries.project(user, uuid))
    some, following = taken(
        lambda skip, take: list(rows[skip : skip + take]), limit=limit, cursor=cursor
    )
    return told.GivenOut(labels=[_given(row) for row in some], next=following)


# --- for owners and curators ---


@router.post("/labelling/projects", response={201: told.ProjectOut}, auth=for_curators)
def make(request: HttpRequest, asked: told.ProjectIn) -> Status[told.ProjectOut]:
    """Make a project of faces that are chosen."""
    choice = Choice(
        faces=asked.faces,
        album=_found(Album, asked.album),
        collection=_found(Collection, asked.collection),
        unconfirmed=asked.unconfirmed,
        count=asked.count,
        seed=asked.seed,
    )
    row = labelling.make_project(
        user_of(request),
        asked.title,
        choice,
        labels_each=asked.labels_each,
        blind=asked.blind,
        gold=asked.gold,
        annotators=_users(asked.annotators),
        team=_found(Team, asked.team),
    )
    return Status(201, _project(row, 0))


@router.get("/labelling/projects/{uuid}", response=told.ProjectDetail, auth=for_curators)
def project(request: HttpRequest, uuid: UUID) -> told.ProjectDetail:
    """Say how far a project is, how well its labels agree, and how each annotator does."""
    row = queries.project(user_of(request), uuid)
    standing = queries.standings([row])[row.pk]
    found = queries.agreement_in(row)
    return told.ProjectDetail(
        **_project(row, standing.labels).dict(),
        faces=standing.faces,
        settled=standing.settled,
        disputed=standing.disputed,
        gold=standing.gold,
        alpha=found.alpha,
        alpha_interval=found.interval,
        same_or_different=found.pairs.agreement,
        same=found.pairs.sameness,
        annotators=[
            told.AnnotatorOut(
                uuid=each.user.uuid if each.user else None,
                name=each.user.username if each.user else "",
                **labelling_of(each).dict(),
            )
            for each in queries.figures(row)
        ],
        releases=[_release(each) for each in queries.releases_of(row)],
    )


@router.patch("/labelling/projects/{uuid}", response={204: None}, auth=for_curators)
def change(request: HttpRequest, uuid: UUID, asked: told.ProjectChange) -> Status[None]:
    """Choose who labels in a project, end it, or go on with it."""
    user = user_of(request)
    row = queries.project(user, uuid)
    if asked.annotators is not None or asked.team is not None:
        theirs = row.annotators.all() if asked.annotators is None else _users(asked.annotators)
        labelling.set_annotators(user, row, theirs, _found(Team, asked.team) or row.team)
    if asked.closed is not None:
        labelling.close(user, row, asked.closed)
    return Status(204, None)


@router.get("/labelling/projects/{uuid}/faces", response=told.TasksOut, auth=for_curators)
def faces(
    request: HttpRequest,
    uuid: UUID,
    state: str = "",
    gold: bool | None = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> told.TasksOut:
    """List the faces of a project with all that was said of them; state: disputed, for one."""
    row = queries.project(user_of(request), uuid)
    found, following = taken(
        lambda skip, take: queries.tasks(row, state=state, gold=gold, skip=skip, take=take),
        limit=limit,
        cursor=cursor,
    )
    return told.TasksOut(faces=[_task(each.task, each.labels) for each in found], next=following)


@router.post("/labelling/projects/{uuid}/assign", response=told.Count, auth=for_curators)
def assign(request: HttpRequest, uuid: UUID, asked: told.Assignment) -> told.Count:
    """Let one annotator label certain faces, or the next so many; or take those back."""
    user = user_of(request)
    row = queries.project(user, uuid)
    [annotator] = _users([asked.annotator])
    if asked.take_back:
        return told.Count(count=labelling.take_back_assigned(user, row, annotator))
    count = labelling.assign(user, row, annotator, tasks=asked.faces, count=asked.count)
    return told.Count(count=count)


@router.post("/labelling/faces/{uuid}/decide", response=told.TaskOut, auth=for_curators)
def decide(request: HttpRequest, uuid: UUID, asked: told.Decided) -> told.TaskOut:
    """Decide what a face of a project is, whatever its labels say; or take that back."""
    user = user_of(request)
    row = queries.task(user, uuid)
    if asked.verdict:
        row = labels.adjudicate(user, row, asked.verdict, name=asked.name)
    else:
        row = labels.reopen(user, row)
    return _shown(row)


@router.post("/labelling/faces/{uuid}/gold", response=told.TaskOut, auth=for_curators)
def gold(request: HttpRequest, uuid: UUID, asked: told.Decided) -> told.TaskOut:
    """Say that the answer of a face is known; without an answer it is gold no more."""
    user = user_of(request)
    row = queries.task(user, uuid)
    return _shown(labelling.set_gold(user, row, name=asked.name, verdict=asked.verdict))


@router.post("/labelling/projects/{uuid}/apply", response=Done, auth=for_curators)
def apply(request: HttpRequest, uuid: UUID) -> Done:
    """Do in the library what the labels come to: one act, which undo takes back."""
    user = user_of(request)
    done = labels.apply(user, queries.project(user, uuid))
    return Done(batch=done.batch, message=done.message)


@router.post(
    "/labelling/projects/{uuid}/releases", response={201: told.ReleaseOut}, auth=for_curators
)
def freeze(request: HttpRequest, uuid: UUID, asked: told.ReleaseIn) -> Status[told.ReleaseOut]:
    """Freeze what the labels are now, as the next version."""
    user = user_of(request)
    made = releases.freeze(
        user,
        queries.project(user, uuid),
        shares=asked.shares,
        names_of_annotators=asked.names_of_annotators,
    )
    return Status(201, _release(made))


@router.get(
    "/labelling/projects/{uuid}/releases/{version}", auth=for_curators, openapi_extra=_FILES
)
def download(
    request: HttpRequest,
    uuid: UUID,
    version: int,
    format: Query[str] = "jsonl",
    split: Query[str] = "",
) -> HttpResponse:
    """Save a release: as jsonl, csv, parquet or json (COCO); all of it, or one part."""
    row = queries.project(user_of(request), uuid)
    return saved(releases.release_of(row, version), format, split)


@router.post("/labelling/import", response=told.ImportOut, auth=for_curators)
def take_in(
    request: HttpRequest,
    file: File[UploadedFile],
    preview: Form[bool] = True,
    project: Form[UUID | None] = None,
    annotator: Form[UUID | None] = None,
) -> told.ImportOut:
    """Take in a COCO or CVAT file.

    As a preview, say what it would do. Else confirm its names in the library; or, where a project
    and an annotator are named, take them for that annotator's labels.
    """
    user = user_of(request)
    if (project is None) != (annotator is None):
        raise Invalid("for labels of a project, name both the project and the annotator")
    row = queries.project(user, project) if project else None
    theirs = _users([annotator])[0] if annotator else None
    plan = labels_in.plan(user, labels_in.read_upload(file.chunks(), file.size))
    batch, message = None, ""
    if not preview and row and theirs:
        message = f"{labels_in.take_in_as(user, plan, row, theirs):,} labels taken over."
    elif not preview:
        done = labels_in.take_in(user, plan)
        batch, message = done.batch, done.message
    return told.ImportOut(
        kind=plan.kind,
        boxes=plan.boxes,
        nameless=plan.nameless,
        named=len(plan.confirm),
        drawn=len(plan.draw),
        same=plan.same,
        people=plan.people,
        problems=plan.problems,
        more_problems=plan.more,
        batch=batch,
        message=message,
    )


def saved(release: Release, kind: str, split: str) -> HttpResponse:
    """Return a release as a file that the browser saves."""
    file = file_of(release, kind, split=split)
    response = HttpResponse(file.content, content_type=file.content_type)
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _found(kind: Any, uuid: UUID | None) -> Any:
    if uuid is None:
        return None
    found = kind.objects.filter(uuid=uuid).first()
    if found is None:
        raise NotFound(f"there is no such {kind.__name__.lower()}")
    return found


def _users(uuids: list[UUID]) -> list[User]:
    found = {user.uuid: user for user in User.objects.filter(uuid__in=uuids)}
    if len(found) < len(set(uuids)):
        raise NotFound("there is no such user")
    return list(found.values())


def _project(row: Project, given: int) -> told.ProjectOut:
    return told.ProjectOut(
        uuid=row.uuid,
        title=row.title,
        blind=row.blind,
        labels_each=row.labels_each,
        closed=row.closed_at is not None,
        labels=given,
    )


def _question(question: Question) -> told.Question:
    return told.Question(
        uuid=question.label.uuid,
        box=question.box,
        guess=question.guess,
        probability=question.probability,
        others=list(question.others),
    )


def _given(row: Label) -> told.Given:
    return told.Given(
        uuid=row.uuid,
        verdict=row.verdict,
        name=row.person.name if row.person else None,
        box=row.box,
        seconds=row.seconds,
        given_at=row.given_at,
    )


def _shown(row: Task) -> told.TaskOut:
    [(task, given)] = queries.with_labels([row])
    return _task(task, tuple(given))


def _task(task: Task, given: tuple[Label, ...]) -> told.TaskOut:
    return told.TaskOut(
        uuid=task.uuid,
        box=(task.x1, task.y1, task.x2, task.y2),
        state=task.state,
        verdict=task.verdict,
        name=task.person.name if task.person else None,
        adjudicated=task.adjudicated_at is not None,
        gold=task.gold,
        gold_name=task.gold_person.name if task.gold_person else None,
        labels=[
            told.LabelOut(
                **_given(label).dict(), annotator=label.user.username if label.user else None
            )
            for label in given
        ],
    )


def _release(row: Release) -> told.ReleaseOut:
    return told.ReleaseOut(
        version=row.version,
        created_at=row.created_at,
        sha256=bytes(row.digest).hex(),
        figures=row.figures,
    )
