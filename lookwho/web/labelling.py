"""Labelling: the projects one sees, and one face after the other to say who it is."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Conflict, Invalid, LookwhoError, NotFound
from lookwho.library.models import Media, Person, Task
from lookwho.library.queries import labelling as queries
from lookwho.library.queries.asking import question_of
from lookwho.services import labels
from lookwho.services.originals import confined
from lookwho.services.pictures import CROP_SIDES, SIDES
from lookwho.services.places import maker, original_of
from lookwho.web.access import for_annotators, visitor
from lookwho.web.pictures import refused_in_text


@require_safe
@for_annotators
def projects(request: HttpRequest) -> HttpResponseBase:
    """The projects that one labels in; to owners and curators all."""
    user = visitor(request)
    rows = list(queries.projects(user))
    standings, given = queries.standings(rows), queries.given_by(user, rows)
    told = [(row, standings[row.pk], given.get(row.pk, 0)) for row in rows]
    return render(request, "lookwho/projects.html", {"projects": told})


@require_safe
@never_cache
@for_annotators
def label(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """The next face to label."""
    user = visitor(request)
    row = queries.project(user, uuid)
    context: dict[str, object] = {
        "project": row,
        "given": queries.given_by(user, [row]).get(row.pk, 0),
    }
    try:
        found = None if row.closed_at else labels.next_label(user, row)
    except Conflict:  # it was ended just now
        found = None
    if found is not None:
        question = question_of(found)
        try:
            media = queries.media_of(found.task)
            size = (media.width or 4, media.height or 3)
        except NotFound:  # the picture then says so, and one can go on
            size = (4, 3)
        x1, y1, x2, y2 = question.box
        corners = (x1 * size[0], y1 * size[1], (x2 - x1) * size[0], (y2 - y1) * size[1])
        percent = question.probability
        context |= {
            "question": question,
            "size": size,
            "rect": [f"{edge:.1f}" for edge in corners],
            "box": ",".join(f"{edge:.6f}" for edge in question.box),
            "percent": None if percent is None else min(99, int(100 * percent)),
        }
    return render(request, "lookwho/labelling.html", context)


@require_POST
@for_annotators
def answer(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Say what the face is that one was given, or pass it over, and go on with the next."""
    user = visitor(request)
    row = queries.label(user, uuid)
    told, verdict = request.POST, request.POST.get("verdict", "")
    try:
        if verdict == "skip":
            labels.skip(user, row)
        else:
            labels.answer(
                user,
                row,
                verdict,
                name=told.get("name", ""),
                box=_box(told.get("box", "")),
                seconds=_number(told.get("seconds", "")),
            )
    except (Conflict, Invalid) as error:
        messages.error(request, error.message)
    return redirect("label", row.task.project.uuid)


@require_POST
@for_annotators
def undo(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Take one's last answer back, and be asked the same again."""
    user = visitor(request)
    row = queries.project(user, uuid)
    try:
        labels.undo_last(user, row)
    except LookwhoError as error:
        messages.error(request, error.message)
    return redirect("label", row.uuid)


@require_safe
@refused_in_text
def picture(request: HttpRequest, uuid: UUID, side: int) -> HttpResponseBase:
    """A face that one is asked about, or its whole photo.

    By the label or, for owners and curators, by the face of the project: its address tells nothing
    of the photo, and so nothing of what the library knows of it.
    """
    task = _task(request, uuid)
    media = queries.media_of(task)
    original = original_of(media)
    if side in SIDES:
        made = maker().thumbnail(
            media.payload_hash,
            original,
            orientation=media.orientation,
            side=side,
            video=media.kind == Media.Kind.VIDEO,
            time=task.time,
        )
    elif side in CROP_SIDES:
        made = maker().crop(
            media.payload_hash,
            original,
            box=(task.x1, task.y1, task.x2, task.y2),
            side=side,
            orientation=media.orientation,
            time=task.time,
        )
    else:
        raise NotFound(f"there is no picture of {side} pixels")
    return confined(HttpResponse(made, content_type="image/webp"))


def person_of(told: str) -> Person | None:
    """Return the person of a uuid that a page has sent; None for none.

    Raises:
        NotFound: there is no such person any more.
    """
    if not told:
        return None
    try:
        found = Person.objects.filter(uuid=UUID(told)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound("this person is no longer there: open the page again")
    return found


def _task(request: HttpRequest, uuid: UUID) -> Task:
    user = visitor(request)
    if not user.is_authenticated:
        raise NotFound("there is no such picture, or it is not for you to see")
    try:
        return queries.label(user, uuid).task
    except NotFound:
        return queries.task(user, uuid)


def _box(told: str) -> list[str] | None:
    return told.split(",")[:8] if told else None


def _number(told: str) -> float | None:
    try:
        return float(told)
    except ValueError:
        return None
