"""What is done on the pages of videos: the work on them, copies to play, and who somebody is."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Face, Media, Person, Track
from lookwho.library.queries import videos as queries
from lookwho.library.queries.video_states import State
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import people, proxies, tracks
from lookwho.services import videos as services
from lookwho.web.access import for_annotators, for_curators, signed_in, visitor
from lookwho.web.answers import CHANGED, answer, came_from, is_htmx
from lookwho.web.told import faces_told, uuid_of, who_was_shown
from lookwho.web.videos import video_of

# --- the work on one ---


@require_POST
@for_curators
def cancel(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Look no further at a video."""
    media = video_of(request, uuid)
    if not services.cancel_video(visitor(request), media):
        return answer(request, _("There is nothing to cancel any more."), back=_list(media))
    text = _("It is not looked at any more. What was found so far is gone.")
    back = came_from(request, _list(media))
    if not is_htmx(request):
        messages.success(request, text)
        return redirect(back)
    # To take it back is to begin again: no decision, which other toasts undo.
    context = {"text": text, "back": back, "undo": reverse("retry-video", args=[media.uuid])}
    response = render(request, "lookwho/_video_toast.html", context)
    response["HX-Retarget"] = "#toasts"
    response["HX-Reswap"] = "beforeend"
    response["HX-Trigger"] = CHANGED
    return response


@require_POST
@for_curators
def retry(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Look at a video again, that failed or was cancelled."""
    media = video_of(request, uuid)
    services.retry_video(visitor(request), media)
    return answer(request, _("It will be looked at."), back=_list(media))


@require_POST
@for_curators
def move(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Give a video another place in the queue."""
    media, by = video_of(request, uuid), visitor(request)
    order = [
        row.media
        for row in queries.queue(scope_of(by, Purpose.BROWSE))
        if row.state == State.WAITING
    ]
    to = _goal(order, media, request.POST.get("to", ""))
    services.move_video(by, media, to)
    return answer(request, _("The order is changed."), back=_list(media))


# --- a copy that plays ---


@require_POST
@signed_in
def make_copy(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Make a copy that browsers play."""
    media = video_of(request, uuid)
    proxies.ask(visitor(request), media)
    return _again(request, media)


@require_POST
@signed_in
def stop_copy(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Stop making that copy."""
    media = video_of(request, uuid)
    proxies.cancel(visitor(request), media)
    return _again(request, media)


# --- who somebody is ---


@require_POST
@for_annotators
def say(request: HttpRequest, uuid: UUID, face: UUID) -> HttpResponseBase:
    """Say of somebody in a video who it is, who it is not, or that it is no face."""
    media, by = video_of(request, uuid), visitor(request)
    told = faces_told(request.POST.getlist("face")) or {face: None}
    rows = list(Face.objects.filter(media=media, uuid__in=told))
    if not rows:
        raise NotFound("this face is no longer there: open the video again")
    shown = who_was_shown({row.pk: told[row.uuid] for row in rows})
    verb = request.POST.get("say", "")
    if verb == "name":
        done = people.assign(by, rows, request.POST.get("name", ""), seen=shown)
    elif verb == "yes":
        done = people.confirm(by, rows, _person(request), seen=shown)
    elif verb == "no":
        done = people.reject(by, rows, _person(request), seen=shown)
    elif verb == "none":
        done = people.not_a_face(by, rows, seen=shown)
    else:
        raise Invalid(f"nothing can be done with {verb[:40]!r}")
    return answer(request, done.message, undo=done.batch, back=_page(media))


@require_POST
@for_annotators
def split(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Say that some stretches are of somebody else."""
    media = video_of(request, uuid)
    chosen = [int(told) for told in request.POST.getlist("track") if told.isdecimal()]
    if not chosen:
        raise Invalid(_("choose at least one stretch that shows somebody else"))
    theirs = Track.objects.filter(media=media, pk__in=chosen, face__dismissed=False)
    rows = list(theirs.select_related("face"))
    if len(rows) < len(set(chosen)):
        raise NotFound("some of these stretches are no longer there: load the page again")
    name = request.POST.get("name", "").strip() or None
    done = tracks.split_tracks(visitor(request), rows, name=name)
    return answer(request, done.message, undo=done.batch, back=_page(media))


# --- parts ---


def _goal(order: Sequence[Media], media: Media, to: str) -> Media | str:
    """Return where in the queue a video goes, as `services.videos.move_video` takes it."""
    at = order.index(media) if media in order else None
    if to in ("first", "last") or at is None:
        return "first" if to not in ("first", "last") else to
    if to == "up":
        return order[at - 2] if at > 1 else "first"
    if to == "down":
        return order[at + 1] if at + 1 < len(order) else "last"
    raise Invalid(f"a video cannot be moved {to[:40]!r}: say first, last, up or down")


def _again(request: HttpRequest, media: Media) -> HttpResponseBase:
    """Show the page once more: whether there is a player on it may have changed."""
    back = came_from(request, _page(media))
    if not is_htmx(request):
        return redirect(back)
    response = HttpResponse(status=204)
    response["HX-Refresh"] = "true"
    return response


def _person(request: HttpRequest) -> Person:
    uuid = uuid_of(request.POST.get("person", ""))
    found = Person.objects.select_related("root").filter(uuid=uuid).first() if uuid else None
    if found is None:
        raise NotFound("this person is no longer there: open the video again")
    return found


def _page(media: Media) -> str:
    return reverse("video", args=[media.uuid])


def _list(media: Media) -> str:
    return f"{reverse('videos')}#video-{media.uuid}"
