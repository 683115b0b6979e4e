"""Requests: somebody who is in a photo asks to have it removed, and what becomes of that.

Hiding a photo takes it from everybody, curators too, wherever photos are shown, searched or handed
out: `Media.hidden` is part of `present`, and every scope asks for that. The file stays where it is,
so that it can be shown again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from lookwho.core.errors import Conflict, Forbidden, Invalid, NotFound
from lookwho.library.models import Guest, Media, Request, User
from lookwho.library.scope import Purpose, scope_of_share
from lookwho.services import mail, register, search, tries

Asker: TypeAlias = User | Guest
LONGEST_MESSAGE = 2000
# Of one asker in a day: more are a campaign, and would hide the others from view.
MOST, WITHIN = 200, 24 * 3600


def ask_removal(asker: Asker, media: Media, message: str = "", email: str = "") -> Request:
    """Ask to have a photo removed. Who has asked already changes what they said.

    Args:
        asker: who: somebody who may see the photo.
        media: which.
        message: why; it may be left out.
        email: where a guest wants the answer; a user has an address, or reads it on their page.

    Raises:
        NotFound: there is no such photo, or it is not for them to see.
        Invalid: the message is too long, or the address is none.
        TooMany: they asked too often today.
    """
    if not may_ask(asker, media):
        raise NotFound("there is no such photo, or it is not for you to see")
    message = message.strip().replace("\0", "")
    if len(message) > LONGEST_MESSAGE:
        raise Invalid(f"a message has at most {LONGEST_MESSAGE} characters")
    whose = Q(user=asker) if isinstance(asker, User) else Q(guest=asker)
    email = asker.email if isinstance(asker, User) else _checked(email.strip() or asker.email)
    tries.count("removal", type(asker).__name__, asker.pk, most=MOST, seconds=WITHIN)
    with transaction.atomic():
        # One at a time for a photo, so that a click that is sent twice asks once.
        register.lock(Q(pk=media.pk))
        open_ones = Request.objects.filter(whose, media=media, state=Request.State.OPEN)
        if (known := open_ones.first()) is not None:
            known.message, known.email = message or known.message, email or known.email
            known.save(update_fields=["message", "email"])
            return known
        return Request.objects.create(
            media=media,
            user=asker if isinstance(asker, User) else None,
            guest=asker if isinstance(asker, Guest) else None,
            message=message,
            email=email,
        )


def may_ask(asker: Asker, media: Media) -> bool:
    """Return whether somebody may see a photo, and so ask to have it removed."""
    if isinstance(asker, Guest):
        shown = scope_of_share(asker.share, Purpose.BROWSE).media()
        if shown.filter(pk=media.pk).exists():
            return True
    return search.may_see(asker, media)


def waits(asker: Asker, media: Media) -> bool:
    """Return whether somebody has asked to have a photo removed, and waits for the answer."""
    whose = Q(user=asker) if isinstance(asker, User) else Q(guest=asker)
    return Request.objects.filter(whose, media=media, state=Request.State.OPEN).exists()


def hide(by: User, uuid: UUID, answer: str = "", *, now: datetime | None = None) -> Request:
    """Hide the photo of a request everywhere, and tell all who asked for that.

    Raises:
        Forbidden: they are neither owner nor curator.
        NotFound: there is no such request.
        Conflict: it was answered already.
        Invalid: the answer is too long.
    """
    answer = _answer(by, answer)
    with transaction.atomic():
        request = _open(uuid)
        _show(request.media_id, hidden=True)
        # All who ask for the same photo have what they asked for.
        asked = Request.objects.filter(media=request.media_id, state=Request.State.OPEN)
        same = list(asked.select_for_update())
        _settle(by, same, Request.State.HIDDEN, answer, now)
    for each in same:
        _tell(each, _("The photo that you asked us to remove is shown to nobody any more."))
    request.refresh_from_db()
    return request


def decline(by: User, uuid: UUID, answer: str = "", *, now: datetime | None = None) -> Request:
    """Leave a photo where it is, and say why.

    Raises:
        Forbidden: they are neither owner nor curator.
        NotFound: there is no such request.
        Conflict: it was answered already.
        Invalid: no reason is given, or it is too long.
    """
    answer = _answer(by, answer)
    if not answer:
        raise Invalid("say why the photo stays: whoever asked is told")
    with transaction.atomic():
        request = _open(uuid)
        _settle(by, [request], Request.State.DECLINED, answer, now)
    _tell(request, _("The photo that you asked us to remove stays."))
    request.refresh_from_db()
    return request


def undo(by: User, uuid: UUID) -> Request:
    """Take an answer back: the photo is shown again where it was hidden, and the request is open.

    Whoever asked is told once more when it is answered anew; one without an account only where
    their address is still known, since it is kept no longer than it is needed.

    Raises:
        Forbidden: they are neither owner nor curator.
        NotFound: there is no such request.
        Conflict: it is not answered.
    """
    _check(by)
    with transaction.atomic():
        request = _locked(uuid)
        if request.state == Request.State.OPEN:
            raise Conflict("this request is open: there is nothing to take back")
        if request.state == Request.State.HIDDEN:
            _show(request.media_id, hidden=False)
        same = Request.objects.filter(media=request.media_id, state=request.state)
        if request.state == Request.State.DECLINED:
            same = same.filter(pk=request.pk)
        same.update(state=Request.State.OPEN, answer="", answered_by=None, answered_at=None)
    request.refresh_from_db()
    return request


def _show(media: int, *, hidden: bool) -> None:
    Media.objects.filter(pk=media).update(hidden=hidden)
    register.keep_present([media])


def _settle(
    by: User, requests: list[Request], state: str, answer: str, now: datetime | None
) -> None:
    """Write down an answer. A guest's address has served once it is sent, and goes."""
    now = now or timezone.now()
    told = {"state": state, "answer": answer, "answered_by": by}
    rows = Request.objects.filter(pk__in=[each.pk for each in requests])
    rows.update(**told, answered_at=now)
    rows.filter(user=None).update(email="")


def _tell(request: Request, what: str) -> None:
    """Mail an answer where there is an address; a user reads it on their page in any case."""
    if request.email and mail.configured():
        answer = Request.objects.values_list("answer", flat=True).get(pk=request.pk)
        text = f"{what}\n\n{answer}\n" if answer else f"{what}\n"
        mail.send(request.email, _("Your request about a photo"), text)


def _open(uuid: UUID) -> Request:
    request = _locked(uuid)
    if request.state != Request.State.OPEN:
        raise Conflict("this request was answered already: look at the list again")
    return request


def _locked(uuid: UUID) -> Request:
    # The photo first, as whoever asks does, or two would wait for each other.
    register.lock(Q(pk__in=Request.objects.filter(uuid=uuid).values("media")))
    request = Request.objects.select_for_update().filter(uuid=uuid).first()
    if request is None:
        raise NotFound("there is no such request")
    return request


def _answer(by: User, answer: str) -> str:
    _check(by)
    answer = answer.strip().replace("\0", "")
    if len(answer) > LONGEST_MESSAGE:
        raise Invalid(f"an answer has at most {LONGEST_MESSAGE} characters")
    return answer


def _check(by: User) -> None:
    if not (by.is_authenticated and by.sees_everything):
        raise Forbidden("only owners and curators answer requests")


def _checked(email: str) -> str:
    if email:
        try:
            validate_email(email)
        except ValidationError:
            raise Invalid(f"{email!r} is no e-mail address") from None
    return email
