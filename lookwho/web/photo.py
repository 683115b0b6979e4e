"""Photo: one photo, who is in it, what there is to know of it, and the ones beside it.

Who is in it is said here too: of the faces that were found, of one that was overlooked and is
drawn, and of somebody whose face does not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid, NotFound
from lookwho.core.types import Reason
from lookwho.library.models import Analysis, Face, Media, Person, User
from lookwho.library.queries import likes as counted
from lookwho.library.queries import photos as queries
from lookwho.library.queries.narrowing import narrowed
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.services import analysis, consents, drawing, people
from lookwho.services.originals import SHOWN
from lookwho.web import likes, me
from lookwho.web.access import for_annotators, for_curators, signed_in, visitor
from lookwho.web.answers import answer
from lookwho.web.pictures import seen
from lookwho.web.told import who_was_shown


@dataclass(frozen=True, slots=True)
class Beside:
    """Where a photo stands in the list that one came from.

    Attributes:
        query: tells the list, in the address of each of its photos.
        before: the photo before it, or None.
        after: the photo after it, or None.
        back: the address of its place in the list.
    """

    query: str
    before: UUID | None
    after: UUID | None
    back: str


@dataclass(frozen=True, slots=True)
class Box:
    """Where a face is in its photo: pixels of the upright photo, whole ones."""

    uuid: UUID
    name: str
    x: int
    y: int
    width: int
    height: int
    round: int


@dataclass(frozen=True, slots=True)
class Own:
    """The face by which a photo is offered to whoever looks at it.

    Attributes:
        face: its row.
        box: where it is.
        mine: whether Lookwho says that it is them, and not only that it may be.
        percent: how sure it is.
    """

    face: Face
    box: Box
    mine: bool
    percent: int


@require_safe
@signed_in
def photo(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """The photo, large, with its faces and all that the asker may know of it."""
    media = seen(request, uuid)
    if media.kind == Media.Kind.VIDEO:
        return redirect(f"{reverse('video', args=[uuid])}?{request.GET.urlencode()}".rstrip("?"))
    user = visitor(request)
    scope = scope_of(user, Purpose.BROWSE)
    faces = queries.faces_in(scope, media, named=consents.may_be_named())
    places = queries.places_of(scope, media)
    may_name = scope_of(user, Purpose.NAME).everything
    # Whoever names faces does that below, and is searched for in their own list alone.
    listed = request.GET.get("list") == me.ME
    mine = me.mine_of(user) if listed or not may_name else None
    own = own_of(mine, media) if mine else None
    if own and not scope.names:  # shown by itself
        faces = [shown for shown in faces if shown.face.pk != own.face.pk]
    context = {
        "media": media,
        "words": queries.tiles_of(scope, [media])[0].words,
        "size": size_of(media, max((place.size for place in places), default=0)),
        "shown": media.format in SHOWN,
        "boxes": [_box(shown, media) for shown in faces if shown.visible]
        + ([own.box] if own and not scope.names else []),
        "faces": faces,
        "names": [shown.person.name for shown in faces if shown.person and shown.person.name],
        "may_name": may_name,
        "may_draw": media.kind == Media.Kind.PHOTO and bool(media.width and media.height),
        "no_face": None
        if any(shown.visible for shown in faces) or not scope.names
        else no_face(queries.analysis_of(media)),
        "places": [f"{place.collection.title} / {place.path}" for place in places],
        "albums": queries.albums_of(scope, media),
        "likes": counted.of(user, [media])[media.pk],
        "beside": beside_of(request, user, scope, media, mine),
        "own": own,
    }
    return render(request, "lookwho/photo.html", context)


@require_POST
@for_annotators
def say(request: HttpRequest, uuid: UUID, face: UUID) -> HttpResponse:
    """Say something of one face: who it is, who it is not, or that it is none."""
    media = seen(request, uuid)
    row = _face(media, face)
    by, verb = visitor(request), request.POST.get("say", "")
    shown = who_was_shown({row.pk: request.POST.get("seen")})
    if verb == "name":
        done = people.assign(by, [row], request.POST.get("name", ""), seen=shown)
    elif verb == "yes":
        done = people.confirm(by, [row], _person(request), seen=shown)
    elif verb == "no":
        done = people.reject(by, [row], _person(request), seen=shown)
    elif verb == "none":
        done = people.not_a_face(by, [row], seen=shown)
    else:
        raise Invalid(f"nothing can be done with {verb[:40]!r}")
    return answer(request, done.message, undo=done.batch, back=_page(request, media))


@require_POST
@for_annotators
def draw(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Draw a face that was overlooked."""
    media = seen(request, uuid)
    name = request.POST.get("name", "")
    done = drawing.draw(visitor(request), media, _corners(request), name)
    return answer(request, done.message, undo=done.batch, back=_page(request, media))


@require_POST
@for_annotators
def absent(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Say that somebody is in the photo whose face does not show."""
    media = seen(request, uuid)
    done = drawing.absent(visitor(request), media, request.POST.get("name", ""))
    return answer(request, done.message, undo=done.batch, back=_page(request, media))


@require_POST
@for_annotators
def fix_box(request: HttpRequest, uuid: UUID, face: UUID) -> HttpResponse:
    """Say where a face really is."""
    media = seen(request, uuid)
    done = people.fix_box(visitor(request), _face(media, face), _corners(request))
    return answer(request, done.message, undo=done.batch, back=_page(request, media))


@require_POST
@for_curators
def look_again(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Let a photo in which the search for faces failed be looked at once more."""
    media = seen(request, uuid)
    again = analysis.retry_failures([media.pk])
    text = "It will be looked at again." if again else "There is nothing to try again."
    return answer(request, text, back=reverse("photo", args=[media.uuid]))


def no_face(analysis: Analysis | None) -> dict[str, object]:
    """Say why a photo shows no face: not looked at yet, nothing found, or it went wrong."""
    if analysis is None or analysis.state == Analysis.State.WAITING:
        return {"text": "Nobody has looked for faces in it yet. They appear here by themselves."}
    if analysis.state == Analysis.State.FAILED:
        return {
            "text": f"The search for faces failed: {analysis.error or analysis.error_code}",
            "code": analysis.error_code,
            "failed": True,
        }
    if analysis.reason in list(Reason):
        return {"text": f"No face was found: {Reason(analysis.reason).message}."}
    return {"text": "There is no face in it."}


def size_of(media: Media, size: int) -> list[str]:
    """Say how large a photo or a video is: upright in pixels, and in bytes."""
    told = [f"{media.width} × {media.height}"] if media.width else []
    million = 0 if media.kind == Media.Kind.VIDEO else round(media.width * media.height / 1e6)
    told += [f"{million} million pixels"] if million else []
    return (
        told + ([filesizeformat(size)] if size else []) + ([media.format] if media.format else [])
    )


def _box(shown: queries.ShownFace, media: Media) -> Box:
    name = shown.person.name if shown.person else f"{shown.guess.name}?" if shown.guess else ""
    return _frame(shown.face, media, name)


def _frame(face: Face, media: Media, name: str) -> Box:
    x1, y1, x2, y2 = face.box
    width, height = round((x2 - x1) * media.width), round((y2 - y1) * media.height)
    return Box(
        uuid=face.uuid,
        name=name,
        x=round(x1 * media.width),
        y=round(y1 * media.height),
        width=width,
        height=height,
        round=min(width, height) // 8,
    )


def _face(media: Media, uuid: UUID) -> Face:
    found = Face.objects.filter(media=media, uuid=uuid).first()
    if found is None:
        raise NotFound("this face is no longer there: open the photo again")
    return found


def _corners(request: HttpRequest) -> list[float]:
    """Return where a box was drawn: its corners as fractions of the upright photo."""
    told = request.POST.get("box", "").split()
    try:
        return [float(edge) for edge in told]
    except ValueError:
        raise Invalid("a box is four numbers: left, top, right and bottom, from 0 to 1") from None


def _page(request: HttpRequest, media: Media) -> str:
    return f"{reverse('photo', args=[media.uuid])}?{request.GET.urlencode()}"


def _person(request: HttpRequest) -> Person:
    told = request.POST.get("person", "")
    try:
        person = Person.objects.select_related("root").filter(uuid=UUID(told)).first()
    except ValueError:
        person = None
    if person is None:
        raise NotFound("this person is no longer there: open the photo again")
    return person


def beside_of(
    request: HttpRequest, user: User, scope: Scope, media: Media, mine: me.Mine | None
) -> Beside:
    """Return where a photo stands in the list that one came from."""
    if mine is not None and request.GET.get("list") == me.ME:
        return _beside_mine(mine, media)
    if told := likes.beside(request.GET.get("list", ""), user, media):
        return Beside(*told)
    narrowing = narrowed(scope, request.GET)
    part, wanted = narrowing.scope, narrowing.wanted
    before, after = queries.neighbours(part, media, wanted)
    place = f"#{media.day.isoformat()}/{queries.place_in_day(part, media, wanted)}"
    query = f"?{narrowing.query}" if narrowing.query else ""
    if narrowing.album and len(narrowing.pairs) == 1:  # all of an album: it has a page of its own
        return Beside(
            narrowing.query, before, after, reverse("album", args=[narrowing.album.slug]) + place
        )
    return Beside(narrowing.query, before, after, f"{reverse('photos')}{query}{place}")


def _beside_mine(mine: me.Mine, media: Media) -> Beside:
    order = me.in_order(mine)
    if media.pk not in order:  # it was only perhaps theirs
        return Beside(f"list={me.ME}", None, None, f"{reverse('me')}#maybe")
    at = order.index(media.pk)
    near = {"before": order[at - 1] if at else None, "after": next(iter(order[at + 1 :]), None)}
    rows = Media.objects.filter(pk__in=[pk for pk in near.values() if pk is not None])
    uuids = dict(rows.values_list("pk", "uuid"))
    before, after = (uuids.get(pk or 0) for pk in near.values())
    return Beside(f"list={me.ME}", before, after, f"{reverse('me')}#photo-{media.uuid}")


def own_of(mine: me.Mine, media: Media) -> Own | None:
    """Return the face by which a photo is offered to whoever looks at it, if there is one."""
    hit = mine.hits.get(media.pk)
    face = hit and Face.objects.filter(pk=hit.face).first()
    if not (hit and face):
        return None
    label = _("You") if hit.mine else _("Maybe you")
    return Own(face, _frame(face, media, label), hit.mine, int(100 * hit.probability))
