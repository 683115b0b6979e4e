"""My photos: the photos that somebody is in, by event, and those that they may be in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Face, User
from lookwho.library.queries import mine as queries
from lookwho.library.queries.mine import Section
from lookwho.library.queries.photos import Tile
from lookwho.library.scope import Purpose, Scope, scope_of
from lookwho.library.vectors.listing import listed
from lookwho.services import mail, news, search
from lookwho.services import me as services
from lookwho.services.search import Hit
from lookwho.web.access import signed_in, visitor
from lookwho.web.answers import came_from, is_htmx, toast
from lookwho.web.selfies import context as selfies_of
from lookwho.web.templatetags.times import moment

# Photos in a piece of the page, and in what is there at first: more than a screen shows. The rest
# comes as one scrolls.
PIECE = FIRST = 60
MOST_ON_THIS_DAY = 12
# The list of one's own photos, as an address tells it: /photos/…?list=me
ME = "me"
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Filter:
    """What of their photos somebody wants to see.

    Attributes:
        new: only those that came since the last visit.
        year: only of this year; None for all.
        event: only of the section with this key; blank for all.
    """

    new: bool = False
    year: int | None = None
    event: str = ""

    @property
    def query(self) -> str:
        """The filter as an address tells it, without the question mark."""
        told = {"new": "1" if self.new else "", "year": self.year or "", "event": self.event}
        return urlencode({name: value for name, value in told.items() if value})


@dataclass(frozen=True, slots=True)
class Mine:
    """All that somebody is in, or may be in.

    Attributes:
        scope: in which it was sought.
        hits: by the id of each photo.
        sections: of those that are theirs.
        maybe: those that may be.
        new: ids of the photos that came since the last visit.
    """

    scope: Scope
    hits: dict[int, Hit]
    sections: list[Section]
    maybe: list[int]
    new: set[int] = field(default_factory=set[int])

    def filtered(self, wanted: Filter) -> list[Section]:
        """Return the sections that are wanted, with the photos in them that are."""
        found = [
            section
            for section in self.sections
            if (wanted.year is None or section.year == wanted.year)
            and wanted.event in ("", section.key)
        ]
        return [part for each in found if (part := each.only(self.new))] if wanted.new else found


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one section.

    Attributes:
        section: of which.
        media: ids of the photos.
        begins: whether the section begins with it.
        ends: whether it ends with it.
        year: the year that begins with it, or None.
    """

    section: Section
    media: tuple[int, ...]
    begins: bool
    ends: bool
    year: int | None


@dataclass(frozen=True, slots=True)
class MyTile:
    """A photo on the page.

    Attributes:
        tile: as in any grid.
        face: uuid of the face that is theirs.
        photo: the address of its page; of a video, where they first appear in it.
        small: of its picture.
        large: of the same with twice the pixels.
        percent: how sure it is that this is them.
        new: whether it came since the last visit.
    """

    tile: Tile
    face: UUID
    photo: str
    small: str
    large: str
    percent: int
    new: bool


def mine_of(user: User, *, since: datetime | None = None) -> Mine:
    """Return what somebody is in; what came after `since` is new."""
    scope = scope_of(user, Purpose.FIND_SELF)
    hits = search.hits(user, scope=scope)
    own = [hit for hit in hits if hit.mine]
    sections = queries.sections(scope, [(hit.media, hit.day) for hit in own])
    new = queries.arrived(scope, [hit.media for hit in own], since) if since else set[int]()
    maybe = [hit.media for hit in hits if not hit.mine]
    return Mine(scope, {hit.media: hit for hit in hits}, sections, maybe, new)


@require_safe
@never_cache
@signed_in
def me(request: HttpRequest) -> HttpResponseBase:
    """The photos of whoever asks: those that are theirs, and below those that may be."""
    user = visitor(request)
    since = services.visit(user)
    mine, wanted = mine_of(user, since=since), _filter(request)
    count = sum(len(section.media) for section in mine.sections)
    pieces = list(_pieces(mine.filtered(wanted)))
    page = _page(request, len(pieces))
    at = page * (FIRST // PIECE)
    first, later = pieces[at : at + FIRST // PIECE], pieces[at + FIRST // PIECE :]
    then = services.on_this_day(mine.hits.values(), timezone.localdate())[:MOST_ON_THIS_DAY]
    today = [] if wanted.query or page else [hit.media for hit in then]
    maybe = [] if wanted.query else mine.maybe[:PIECE]
    tiles = _tiles(mine, [*_media(first), *today, *maybe])
    context = selfies_of(user) | {
        "count": count,
        "new": len(mine.new),
        "since": since,
        "pieces": [_shown(piece, tiles) for piece in first],
        "later": [_later(piece, wanted) for piece in later],
        "page": page,
        "pages": -(-len(pieces) * PIECE // FIRST),
        "wanted": wanted,
        "years": sorted({section.year for section in mine.sections}, reverse=True),
        "events": [section for section in mine.sections if section.slug],
        "on_this_day": [tiles[pk] for pk in today if pk in tiles],
        "maybe": [tiles[pk] for pk in maybe if pk in tiles],
        "maybes": len(mine.maybe),
        "more_maybe": reverse("my-maybe") if len(mine.maybe) > PIECE else "",
        "waiting": queries.unseen(mine.scope),
        "mail": mail.configured(),
    }
    return render(request, "lookwho/me.html", context)


@require_safe
@never_cache
@signed_in
def more(request: HttpRequest) -> HttpResponse:
    """A piece of the page, that comes as one scrolls: it begins with a photo of some section."""
    user, wanted = visitor(request), _filter(request)
    mine = mine_of(user, since=user.visited_before if wanted.new else None)
    key, skip = request.GET.get("from", ""), _number(request, "skip")
    pieces = _pieces(mine.filtered(wanted), begin=(key, skip))
    piece = next(pieces, [])
    tiles = _tiles(mine, _media([piece]))
    return render(request, "lookwho/_mine.html", {"parts": _shown(piece, tiles)})


@require_safe
@never_cache
@signed_in
def maybe(request: HttpRequest) -> HttpResponse:
    """More of the photos that may be theirs."""
    mine, skip = mine_of(visitor(request)), _number(request, "skip")
    stretch = mine.maybe[skip : skip + PIECE]
    tiles = _tiles(mine, stretch)
    rest = len(mine.maybe) > skip + PIECE
    context = {
        "maybe": [tiles[pk] for pk in stretch if pk in tiles],
        "more_maybe": f"{reverse('my-maybe')}?skip={skip + PIECE}" if rest else "",
    }
    return render(request, "lookwho/_maybe.html", context)


@require_safe
@never_cache
@signed_in
def waiting(request: HttpRequest) -> HttpResponse:
    """How many photos are still to be looked at, and whether more of this person were found."""
    user = visitor(request)
    scope = scope_of(user, Purpose.FIND_SELF)
    known = _number(request, "known")
    count = sum(hit.mine for hit in search.hits(user, scope=scope))
    context = {"waiting": queries.unseen(scope), "count": count, "more": max(0, count - known)}
    return render(request, "lookwho/_waiting.html", context | {"known": known})


@require_POST
@signed_in
def say(request: HttpRequest) -> HttpResponse:
    """Say of a face that one is offered that it is one's own, or that it is not."""
    user = visitor(request)
    yes, no = request.POST.get("yes", ""), request.POST.get("no", "")
    try:
        face = Face.objects.filter(uuid=UUID(yes or no)).first()
    except ValueError:
        raise Invalid("say yes or no of a face") from None
    if face is None:
        raise NotFound("there is no such face, or it is not for you to see")
    done = services.this_is_me(user, face) if yes else services.not_me(user, face)
    return _told(request, done.message, done.batch)


@require_POST
@signed_in
def undo(request: HttpRequest, batch: UUID) -> HttpResponse:
    """Take back what one said of a face."""
    done = services.undo(visitor(request), batch)
    response = _told(request, done.message)
    response["HX-Trigger"] = "mine-changed"
    return response


@require_POST
@signed_in
def want_mail(request: HttpRequest) -> HttpResponse:
    """Be told of new photos by mail, or no more."""
    wanted = bool(request.POST.get("wanted"))
    news.want_mail(visitor(request), wanted)
    words = _("You get a mail when new photos of you appear.") if wanted else _("No more mails.")
    messages.success(request, words)
    return redirect(came_from(request, reverse("me")))


def stop_mail(request: HttpRequest, token: str) -> HttpResponse:
    """End the mails, from a link in one of them: after a click, since programs follow links."""
    if request.method == "POST":
        news.stop_mail(token)
    return render(request, "lookwho/stop_mail.html", {"done": request.method == "POST"})


# --- the pieces of the page ---


def in_order(mine: Mine, wanted: Filter = Filter()) -> list[int]:
    """Return the photos in the order of the page."""
    return [pk for section in mine.filtered(wanted) for pk in section.media]


def _pieces(sections: Sequence[Section], begin: tuple[str, int] = ("", 0)) -> Iterator[list[Part]]:
    """Cut sections into pieces of as many photos; from a photo of a section on, if one is named."""
    key, skip = begin
    piece: list[Part] = []
    room = PIECE
    year: int | None = None
    going = not key
    for section in sections:
        going = going or section.key == key
        if not going:
            year = section.year
            continue
        at = skip if section.key == key else 0
        while at < len(section.media):
            some = section.media[at : at + room]
            ends = at + len(some) == len(section.media)
            new_year = section.year if at == 0 and section.year != year else None
            piece.append(Part(section, some, at == 0, ends, new_year))
            year = section.year
            at, room = at + len(some), room - len(some)
            if not room:
                yield piece
                piece, room = [], PIECE
    if piece:
        yield piece


def _media(pieces: Iterable[list[Part]]) -> list[int]:
    return [pk for piece in pieces for part in piece for pk in part.media]


def _shown(piece: list[Part], tiles: dict[int, MyTile]) -> list[tuple[Part, list[MyTile]]]:
    return [(part, [tiles[pk] for pk in part.media if pk in tiles]) for part in piece]


def _later(piece: list[Part], wanted: Filter) -> dict[str, object]:
    """Return what the page says of a piece that is to come."""
    first = piece[0]
    skip = first.section.media.index(first.media[0])
    told = urlencode({"from": first.section.key, "skip": skip})
    query = f"&{wanted.query}" if wanted.query else ""
    return {
        "address": f"{reverse('my-more')}?{told}{query}",
        "count": sum(len(part.media) for part in piece),
        "heads": sum(part.begins for part in piece),
    }


def _tiles(mine: Mine, media: Sequence[int]) -> dict[int, MyTile]:
    """Return photos as the page shows them, by id: in as many queries for many as for one."""
    ids = list(dict.fromkeys(media))
    faces = Face.objects.filter(pk__in=listed([mine.hits[pk].face for pk in ids]))
    uuids = dict(faces.values_list("pk", "uuid"))
    # Asked once, and not for each of a hundred tiles.
    page, video = (
        reverse(name, args=[_NOBODY]).replace(str(_NOBODY), "%s") + f"?list={ME}"
        for name in ("photo", "video")
    )
    small, large = (
        reverse("picture", args=[_NOBODY, side]).replace(str(_NOBODY), "%s") for side in (320, 640)
    )
    found: dict[int, MyTile] = {}
    for pk, tile in queries.tiles(mine.scope, ids):
        hit, uuid = mine.hits[pk], str(tile.uuid)
        if hit.face not in uuids:
            continue  # gone since a moment
        found[pk] = MyTile(
            tile=tile,
            face=uuids[hit.face],
            photo=(video % uuid) + moment(hit.times[0][0]) if hit.times else page % uuid,
            small=small % uuid,
            large=large % uuid,
            percent=int(100 * hit.probability),
            new=pk in mine.new,
        )
    return found


# --- what was asked ---


def _filter(request: HttpRequest) -> Filter:
    year = _number(request, "year")
    event = request.GET.get("event", "")[:240]
    return Filter(bool(request.GET.get("new")), year or None, event)


def _page(request: HttpRequest, pieces: int) -> int:
    """Return which page of the plain list was asked for, counted from 0."""
    last = max(0, -(-pieces * PIECE // FIRST) - 1)
    return min(max(0, _number(request, "page") - 1), last)


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 9 else 0


def _told(request: HttpRequest, text: str, batch: UUID | None = None) -> HttpResponse:
    if not is_htmx(request):
        messages.success(request, text)
        return redirect(came_from(request, reverse("me")))
    if batch is None:
        return toast(request, text)
    response = render(request, "lookwho/_my_toast.html", {"text": text, "batch": batch})
    response["HX-Retarget"] = "#toasts"
    response["HX-Reswap"] = "beforeend"
    return response
