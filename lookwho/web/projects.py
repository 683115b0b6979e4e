"""Projects: what owners and curators do with labelling, from choosing faces to a release."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lookwho.core.errors import Invalid, LookwhoError
from lookwho.library.models import Album, Collection, Project, Task, Team, User
from lookwho.library.models.accounts import Role
from lookwho.library.queries import labelling as queries
from lookwho.library.queries.asking import in_words
from lookwho.library.queries.labelling import Labelled
from lookwho.services import labelling, labels, labels_in, releases
from lookwho.services.labelling import Choice
from lookwho.services.release_files import Kind, file_of
from lookwho.web.access import for_annotators, for_curators, visitor
from lookwho.web.answers import answer, is_htmx
from lookwho.web.labelling import person_of

AT_ONCE = 20


@require_http_methods(["GET", "HEAD", "POST"])
@for_curators
def new(request: HttpRequest) -> HttpResponseBase:
    """A project to make: which faces, who labels them, and how."""
    told = request.POST
    context: dict[str, Any] = {
        "albums": Album.objects.order_by("title", "pk"),
        "collections": Collection.objects.order_by("title", "pk"),
        "teams": Team.objects.order_by("title"),
        "users": _annotators(),
        "told": told,
        "chosen": told.getlist("annotator"),
    }
    if request.method != "POST":
        return render(request, "lookwho/project_new.html", context)
    try:
        choice = Choice(
            album=_one(Album, told.get("album", "")),
            collection=_one(Collection, told.get("collection", "")),
            unconfirmed=told.get("unconfirmed") == "1",
            count=_whole(told.get("count", ""), "the number of faces"),
            seed=_whole(told.get("seed", ""), "the seed") or 0,
        )
        row = labelling.make_project(
            visitor(request),
            told.get("title", ""),
            choice,
            labels_each=_whole(told.get("labels_each", "1"), "labels a face") or 0,
            blind={"yes": True, "no": False}.get(told.get("blind", "")),
            gold=(_whole(told.get("gold", ""), "the share of gold faces") or 0) / 100,
            annotators=User.objects.filter(uuid__in=_uuids(told.getlist("annotator"))),
            team=_one(Team, told.get("team", "")),
        )
    except LookwhoError as error:
        context["error"] = error.message
        return render(request, "lookwho/project_new.html", context, status=error.status)
    return redirect("project", row.uuid)


@require_safe
@for_annotators
def project(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """How far a project is and how well its labels agree; annotators go on labelling."""
    user = visitor(request)
    row = queries.project(user, uuid)
    if not user.sees_everything:
        return redirect("label", row.uuid)
    chosen = queries.annotators_of(row)
    context = {
        "project": row,
        "standing": queries.standings([row])[row.pk],
        "figures": queries.figures(row),
        "agreement": queries.agreement_in(row),
        "releases": queries.releases_of(row),
        "kinds": [(kind.value, _CALLED[kind]) for kind in Kind],
        "labellers": chosen,
        "users": _annotators(),
        "chosen": {each.pk for each in row.annotators.all()},
        "teams": Team.objects.order_by("title"),
        "owners": User.objects.filter(is_active=True, role__in=(Role.OWNER, Role.CURATOR)).order_by(
            "username"
        ),
    }
    return render(request, "lookwho/project.html", context)


@require_POST
@for_curators
def labellers(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Choose who labels in a project."""
    user = visitor(request)
    row = queries.project(user, uuid)
    chosen = User.objects.filter(uuid__in=_uuids(request.POST.getlist("annotator")))
    labelling.set_annotators(user, row, chosen, _one(Team, request.POST.get("team", "")))
    return answer(request, "Who labels here is changed.", back=_at(row))


@require_POST
@for_curators
def assign(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Let one annotator label the next so many faces, or take those back that they did not."""
    user = visitor(request)
    row = queries.project(user, uuid)
    annotator = _one(User, request.POST.get("annotator", ""))
    if annotator is None:
        raise Invalid("choose an annotator")
    if request.POST.get("do") == "back":
        count = labelling.take_back_assigned(user, row, annotator)
        return answer(request, f"{_faces(count)} free for all again.", back=_at(row))
    wanted = _whole(request.POST.get("count", ""), "the number of faces") or 0
    count = labelling.assign(user, row, annotator, count=wanted)
    told = f"{_faces(count)} assigned to {annotator.username}."
    return answer(request, told, back=_at(row))


@require_POST
@for_curators
def close(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """End a project, or go on with it."""
    user = visitor(request)
    row = queries.project(user, uuid)
    ended = request.POST.get("closed") == "1"
    labelling.close(user, row, ended)
    told = "is over: nothing is labelled in it any more." if ended else "goes on."
    return answer(request, f"{row.title} {told}", back=_at(row))


@require_POST
@for_curators
def apply(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Do in the library what the labels come to."""
    user = visitor(request)
    row = queries.project(user, uuid)
    done = labels.apply(user, row)
    return answer(request, done.message, undo=done.batch, back=_at(row))


# --- what annotators do not agree on ---


@require_safe
@for_curators
def disputed(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Faces that annotators do not agree on, with all that was said of them."""
    row = queries.project(visitor(request), uuid)
    found = queries.tasks(row, state=Task.State.DISPUTED, gold=False, take=AT_ONCE)
    context = {
        "project": row,
        "standing": queries.standings([row])[row.pk],
        "disputed": [(each.task, _sides(each)) for each in found],
        "decided": [
            (task, in_words(task.verdict, task.person))
            for task in queries.decided(row, take=AT_ONCE)
        ],
    }
    return render(request, "lookwho/disputed.html", context)


@require_POST
@for_curators
def decide(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Decide what a face is; take that back; or make it gold."""
    user, told = visitor(request), request.POST
    task = queries.task(user, uuid)
    verdict, name = told.get("verdict", ""), told.get("name", "")
    back = reverse("disputed", args=[task.project.uuid])
    if verdict == "reopen":
        labels.reopen(user, task)
        return answer(request, "The decision is taken back.", back=back)
    if told.get("gold"):
        labelling.set_gold(user, task, name=name, verdict=verdict)
        return answer(request, "It is a gold face now, and no work any more.", back=back)
    person = person_of(told.get("person", ""))
    row = labels.adjudicate(user, task, verdict, name=name, person=person)
    return answer(request, f"Decided: {in_words(row.verdict, row.person)}.", back=back)


def _sides(each: Labelled) -> list[tuple[str, str, str, list[str]]]:
    """Return the answers that were given: verdict, person, in words, and by whom."""
    sides: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for label in each.labels:
        person = label.person and (label.person.root or label.person)
        key = (label.verdict, str(person.uuid) if person else "")
        side = sides.setdefault(key, (in_words(label.verdict, label.person), []))
        side[1].append(label.user.username if label.user else "somebody who left")
    return [(*key, words, who) for key, (words, who) in sides.items()]


# --- labels out, and in ---


@require_POST
@for_curators
def freeze(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Freeze what the labels are now, as the next version."""
    user, told = visitor(request), request.POST
    row = queries.project(user, uuid)
    shares = [(_whole(told.get(part, ""), f"the share of {part}") or 0) for part in releases.PARTS]
    made = releases.freeze(
        user,
        row,
        shares=[share / 100 for share in shares],
        names_of_annotators=told.get("names") == "1",
    )
    return answer(request, f"Release {made.version} is frozen.", back=f"{_at(row)}#releases")


@require_safe
@for_curators
def release(request: HttpRequest, uuid: UUID, version: int, kind: str) -> HttpResponseBase:
    """Save a release."""
    row = queries.project(visitor(request), uuid)
    found = releases.release_of(row, version)
    file = file_of(found, kind, split=request.GET.get("split", ""))
    response = HttpResponse(file.content, content_type=file.content_type)
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


@require_POST
@for_curators
def take_in(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Look what a COCO or CVAT file would do, or do it: names for the library, or labels."""
    user, told = visitor(request), request.POST
    row = queries.project(user, uuid)
    file = request.FILES.get("file")
    if file is None or isinstance(file, list):
        raise Invalid("choose a file: COCO (.json) or CVAT for images 1.1 (.xml)")
    plan = labels_in.plan(user, labels_in.read_upload(file.chunks(), file.size))
    if told.get("do") == "look":
        context = {"plan": plan, "project": row, "file": file.name, "alone": not is_htmx(request)}
        return render(request, "lookwho/labels_in.html", context)
    annotator = _one(User, told.get("annotator", ""))
    if annotator is not None:
        count = labels_in.take_in_as(user, plan, row, annotator)
        words = f"{count:,} label{'' if count == 1 else 's'} of {annotator.username} taken over."
        return answer(request, words, back=_at(row))
    done = labels_in.take_in(user, plan)
    refused = f" {plan.refused:,} could not be taken over." if plan.refused else ""
    return answer(request, done.message + refused, undo=done.batch, back=_at(row))


# --- what it is made of ---

_CALLED = {
    Kind.JSON_LINES: "JSON Lines",
    Kind.CSV: "CSV",
    Kind.PARQUET: "Parquet",
    Kind.COCO: "COCO",
}


def _annotators() -> list[User]:
    return list(User.objects.filter(is_active=True, role=Role.ANNOTATOR).order_by("username"))


def _at(row: Project) -> str:
    return reverse("project", args=[row.uuid])


def _faces(count: int) -> str:
    return "1 face is" if count == 1 else f"{count:,} faces are"


def _whole(told: str, what: str) -> int | None:
    told = told.strip()
    if not told:
        return None
    if not (told.isascii() and told.isdecimal() and len(told) < 10):
        raise Invalid(f"{what} is a whole number, not {told[:40]!r}")
    return int(told)


def _uuids(told: list[str]) -> list[UUID]:
    try:
        return [UUID(each) for each in told if each]
    except ValueError as error:
        raise Invalid("somebody was chosen who is not there: open the page again") from error


def _one(kind: Any, told: str) -> Any:
    found = _uuids([told])
    if not found:
        return None
    row = kind.objects.filter(uuid=found[0]).first()
    if row is None:
        raise Invalid(f"this {kind.__name__.lower()} is not there any more: open the page again")
    return row
