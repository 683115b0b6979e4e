"""Videos: who appears in which, and when; and how far the search for them is.

Of one video: the player, where faces are in the picture, and a lane for each person under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from lookwho.core.errors import NotFound
from lookwho.library.models import Media, Track, User, Video
from lookwho.library.queries import appearances, photos, video_work, work
from lookwho.library.queries import likes as counted
from lookwho.library.queries import videos as queries
from lookwho.library.queries.appearances import Appearance, CastRow, TrackRow
from lookwho.library.queries.narrowing import narrowed
from lookwho.library.queries.tracks import times_of
from lookwho.library.queries.video_states import Part
from lookwho.library.queries.videos import VideoRow
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import consents, proxies
from lookwho.services.originals import confined, stream
from lookwho.services.places import tag_of
from lookwho.web import me, pictures
from lookwho.web.access import for_annotators, signed_in, visitor
from lookwho.web.photo import Beside, Own, beside_of, own_of, size_of
from lookwho.web.pictures import refused_in_text, seen

ON_A_PAGE = 24
# No more of what waits on one page; the rest comes up as these are done.
QUEUED = 30
# Faces of a video that is still looked at.
SO_FAR = 12
# The drawing of a time line is so many units wide.
BAR = 1000


@dataclass(frozen=True, slots=True)
class Drawn:
    """A segment in the picture of a time line, in units of `BAR`.

    Attributes:
        x: where it begins.
        width: how long it is.
        reached: up to where it was looked at, from its beginning.
        look: how that is drawn.
    """

    x: str
    width: str
    reached: str
    look: str


@dataclass(frozen=True, slots=True)
class Film:
    """A video in the list.

    Attributes:
        row: what there is to say of it.
        segments: its time line.
        broken: stretches that could not be looked at.
        so_far: addresses of faces that were found so far.
        bar: how wide the drawing of the time line is.
    """

    row: VideoRow
    segments: Sequence[Drawn] = ()
    broken: Sequence[Part] = ()
    so_far: Sequence[str] = ()
    bar: int = BAR


@dataclass(frozen=True, slots=True)
class Lane:
    """Somebody in a video.

    Attributes:
        row: when they appear, and who it may be.
        name: theirs; blank where nobody said.
        shown: what they are called on the page.
        crop: whether the asker may see their face by itself.
    """

    row: CastRow
    name: str
    shown: str
    crop: bool


# --- all of them ---


@require_safe
@never_cache
@signed_in
def videos(request: HttpRequest) -> HttpResponseBase:
    """The videos, those to be looked at first: with whom each shows, or how far it is."""
    user = visitor(request)
    scope = scope_of(user, Purpose.BROWSE)
    named = consents.may_be_named()
    every = queries.videos(scope)
    count = every.count()
    pages = max(1, -(-count // ON_A_PAGE))
    page = min(max(_number(request, "page"), 1), pages)
    media = every.order_by(*photos.NEWEST_FIRST)[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
    rows = queries.rows_of(scope, media, named=named)
    waiting = queries.queue(scope)[:QUEUED] if user.sees_everything else []
    queued = {row.uuid for row in waiting}
    context: dict[str, object] = {
        "count": count,
        "length": every.aggregate(seconds=Sum("duration"))["seconds"],
        "films": [_film(scope, row) for row in rows if row.uuid not in queued],
        "queue": [_film(scope, row) for row in waiting],
        "page": page,
        "pages": pages,
        "under_way": bool(queued),
        "may_name": scope_of(user, Purpose.NAME).everything,
    }
    if user.sees_everything:
        context["estimate"] = video_work.estimate(scope)
        context["stuck"] = bool(queued) and work.pace(scope).stuck
    return render(request, "lookwho/videos.html", context)


# --- one of them ---


@require_safe
@never_cache
@signed_in
def video(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """A video: the player, who appears when, and what there is to say of it."""
    media = seen(request, uuid)
    if media.kind != Media.Kind.VIDEO:
        return redirect(f"{reverse('photo', args=[uuid])}?{request.GET.urlencode()}")
    user = visitor(request)
    scope = scope_of(user, Purpose.BROWSE)
    row = queries.row_of(scope, media, named=consents.may_be_named())
    may_name = scope_of(user, Purpose.NAME).everything
    listed = request.GET.get("list") == me.ME
    mine = me.mine_of(user) if listed or not may_name else None
    own = own_of(mine, media) if mine else None
    cast = lanes_of(user, scope, media, own)
    places = photos.places_of(scope, media)
    copy = proxies.state(media)
    ready = proxies.path_of(media) is not None
    film = _film(scope, row)
    context: dict[str, object] = {
        "media": media,
        "row": row,
        "film": film,
        "segments": film.segments,
        "so_far": film.so_far,
        "broken": film.broken,
        "bar": BAR,
        "words": photos.tiles_of(scope, [media])[0].words,
        "plays": row.plays or ready,
        "copy": copy,
        "format": row.video.codec or media.format if row.video else media.format,
        "under_way": row.running or copy.state == Video.Proxy.WAITING,
        "cast": cast,
        "may_name": may_name,
        "absent": [
            each for each in photos.faces_in(scope, media) if not each.visible and each.person
        ]
        if may_name
        else [],
        "captions": _export(media, "vtt") if scope.names and cast else "",
        "exports": [(kind, _export(media, kind.lower())) for kind in ("CSV", "VTT", "EDL")]
        if scope.names
        else [],
        "size": size_of(media, max((place.size for place in places), default=0)),
        "places": [f"{place.collection.title} / {place.path}" for place in places],
        "albums": photos.albums_of(scope, media),
        "likes": counted.of(user, [media])[media.pk],
        "beside": _beside(request, user, scope, media, mine),
        "own": own,
    }
    return render(request, "lookwho/video.html", context)


@require_safe
@never_cache
@signed_in
def paths(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Where faces are in the picture during a stretch of time, and when shots begin."""
    media = video_of(request, uuid)
    user = visitor(request)
    scope = scope_of(user, Purpose.BROWSE)
    start, end = _seconds(request, "from", 0.0), _seconds(request, "to", float("inf"))
    mine = None if scope.names else me.mine_of(user)
    lanes = lanes_of(user, scope, media, own_of(mine, media) if mine else None)
    where = appearances.paths_of([lane.row for lane in lanes])
    told: list[dict[str, object]] = []
    for lane in lanes:
        for track in lane.row.tracks:
            if track.end < start or track.start > end:
                continue
            path = where[track.id]
            # One place before and one after, between which a face is on its way.
            first = max(int(path[:, 0].searchsorted(start)) - 1, 0)
            last = int(path[:, 0].searchsorted(end, side="right")) + 1
            places = [round(each, 4) for each in path[first:last].ravel().tolist()]
            if places:
                told.append({"face": str(lane.row.face.uuid), "path": places})
    cuts = appearances.cuts_of(Video.objects.filter(media=media).first())
    return JsonResponse({"tracks": told, "cuts": [round(cut, 3) for cut in cuts]})


@require_safe
@signed_in
@refused_in_text
def file(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """What the player plays: the copy that was made for browsers, else the file as it is."""
    media = video_of(request, uuid)
    copy = proxies.path_of(media)
    if copy is None:
        return pictures.original(request, uuid)
    kind, tag = copy.suffix.removeprefix(".").upper(), tag_of(media, "copy", copy.stat().st_size)
    return stream(request, copy, kind=kind, name=f"{uuid}{copy.suffix}", etag=tag)


@require_safe
@for_annotators
@refused_in_text
def so_far(request: HttpRequest, uuid: UUID, number: int) -> HttpResponseBase:
    """The face of somebody who was found so far in a video that is still looked at."""
    media = video_of(request, uuid)
    people = video_work.partial_people(scope_of(visitor(request), Purpose.NAME), media)
    if number >= min(len(people), SO_FAR):
        raise NotFound("there is no such face any more")
    response = confined(HttpResponse(people[number].crop, content_type="image/jpeg"))
    response["Cache-Control"] = "private, max-age=60"
    return response


# --- parts, also of other pages ---


def video_of(request: HttpRequest, uuid: UUID) -> Media:
    """Return a video that the asker may see.

    Raises:
        NotFound: there is none, or it is not for the asker.
    """
    media = seen(request, uuid)
    if media.kind != Media.Kind.VIDEO:
        raise NotFound("there is no such video, or it is not for you to see")
    return media


def lanes_of(user: User, scope: Scope, media: Media, own: Own | None) -> list[Lane]:
    """Return who is in a video as far as the asker may know, first the asker themselves."""
    crops = scope_of(user, Purpose.NAME).everything
    rows = appearances.people_of(scope, media, named=consents.may_be_named())
    lanes = [
        Lane(row, row.name, row.name or _("Somebody without a name"), crops)
        for row in rows
        if own is None or scope.names or all(face.pk != own.face.pk for face in row.faces)
    ]
    if own is not None and not scope.names:
        lanes.insert(0, Lane(_row_of(own), own.box.name, own.box.name, crop=True))
    return lanes


def drawn(parts: Sequence[Part], duration: float) -> list[Drawn]:
    """Return segments as they are drawn."""
    scale = BAR / duration if duration else 0.0
    looks = {"failed": "failed", "done": "settled"}
    return [
        Drawn(
            x=f"{part.start * scale:.1f}",
            width=f"{(part.end - part.start) * scale:.1f}",
            reached=f"{part.looked_at * scale:.1f}" if part.looked_at else "",
            look=looks.get(part.state, "reached"),
        )
        for part in parts
    ]


def _row_of(own: Own) -> CastRow:
    """Return when the asker appears: by the face by which the video is offered to them."""
    told = Track.objects.filter(face=own.face).order_by("start", "pk")
    tracks = [
        TrackRow(
            each.pk,
            each.face_id,
            each.start,
            each.end,
            each.time,
            (each.x1, each.y1, each.x2, each.y2),
            each.quality,
        )
        for each in told
    ]
    spans = times_of([own.face.pk]).get(own.face.pk, ())
    return CastRow(
        face=own.face,
        faces=(own.face,),
        person=None,
        guess=None,
        group=None,
        probability=None,
        appearances=tuple(Appearance(*span) for span in spans),
        tracks=tuple(tracks),
    )


def _film(scope: Scope, row: VideoRow) -> Film:
    broken = [part for part in row.segments if part.error]
    if not row.running:
        return Film(row, broken=broken)
    done = sum(part.state == "done" for part in row.segments)
    faces = min(len(video_work.partial_people(scope, row.media)), SO_FAR) if done else 0
    return Film(
        row,
        segments=drawn(row.segments, row.duration),
        broken=broken,
        # Another address once more is known: browsers keep pictures.
        so_far=[f"{reverse('so-far', args=[row.uuid, at])}?{done}" for at in range(faces)],
    )


def _beside(
    request: HttpRequest, user: User, scope: Scope, media: Media, mine: me.Mine | None
) -> Beside:
    """Return where a video stands in the list one came from: Videos, where none is told."""
    if "list" in request.GET or narrowed(scope, request.GET).query:
        return beside_of(request, user, scope, media, mine)
    return Beside("", None, None, f"{reverse('videos')}#video-{media.uuid}")


def _export(media: Media, kind: str) -> str:
    return f"/api/v1/videos/{media.uuid}/appearances.{kind}"


def _number(request: HttpRequest, name: str) -> int:
    told = request.GET.get(name, "")
    return int(told) if told.isdecimal() and len(told) < 9 else 0


def _seconds(request: HttpRequest, name: str, otherwise: float) -> float:
    try:
        return max(float(request.GET.get(name, otherwise)), 0.0)
    except ValueError:
        return otherwise
