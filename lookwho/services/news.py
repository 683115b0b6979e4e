"""News: a mail to who wants one when new photos of them are there, at most once a day.

It says how many, and where; no name, no picture. It waits until the photos that are being taken in
have been looked at, so that an event makes one mail and not ten.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lookwho.core.errors import Invalid, NotFound
from lookwho.library.models import Guest, Job, User
from lookwho.library.queries import mine
from lookwho.library.scope import Purpose
from lookwho.services import guests, mail, search, work
from lookwho.services.search import Seeker, scope_for

# So long after the last sign of news is looked whether all is quiet; and from a mail to the next.
QUIET = timedelta(minutes=5)
DAILY = timedelta(days=1)
# A mail waits no longer than this for photos that nobody looks at.
PATIENCE = timedelta(hours=6)
# Where the mail server did not take it.
AGAIN = timedelta(hours=1)
PRIORITY = 5

_BUSY = (Job.Kind.IMPORT, Job.Kind.UNPACK, Job.Kind.SITE, Job.Kind.ANALYSE)
_OPEN = (Job.State.WAITING, Job.State.LEASED)


def want_mail(user: User, wanted: bool) -> None:
    """Let a user be told of new photos by mail, or no more.

    Raises:
        Invalid: there is no address to write to.
    """
    if wanted and not user.email:
        raise Invalid(_("there is no e-mail address of yours to write to: add one first"))
    user.wants_mail = wanted
    user.save(update_fields=["wants_mail"])


def ask_for_news(*, now: datetime | None = None) -> int:
    """Let a mail wait for each who wants one and has none waiting; return for how many.

    To be called whenever there may be new photos of somebody; whether there are is looked then.
    """
    if not mail.configured():
        return 0
    now = now or timezone.now()
    users = User.objects.filter(wants_mail=True, is_active=True).exclude(email="")
    left = Guest.objects.filter(keep_until__gt=now).exclude(email="")
    wanted = [("user", *row) for row in users.values_list("pk", "mailed_until")]
    wanted += [("guest", *row) for row in left.values_list("pk", "mailed_until")]
    jobs = Job.objects.filter(kind=Job.Kind.MAIL, state=Job.State.WAITING)
    waiting = set(jobs.values_list("dedupe_key", flat=True)) if wanted else set[str]()
    asked = 0
    for kind, pk, told in wanted:
        if _key(kind, pk) not in waiting:
            due = max(now + QUIET, told + DAILY) if told else now + QUIET
            asked += _ask(kind, pk, now, due) is not None
    return asked


def run_mail(job: Job, *, now: datetime | None = None) -> bool:
    """Do the work of a MAIL job: write to one person, if there is something to tell them.

    Returns whether a mail was sent. One that runs twice sends one.
    """
    now = now or timezone.now()
    kind = "guest" if "guest" in job.payload else "user"
    seeker = _seeker(kind, job.payload[kind], now)
    if seeker is None or not mail.configured():
        return False
    told = seeker.mailed_until
    if told is not None and now < told + DAILY:
        return False
    asked = parse_datetime(job.payload.get("asked", "")) or now
    if now - asked < PATIENCE and Job.objects.filter(kind__in=_BUSY, state__in=_OPEN).exists():
        _ask(kind, seeker.pk, asked, now + QUIET)
        return False
    count = new_photos(seeker)
    if not count:
        return False
    rows = Guest.objects if isinstance(seeker, Guest) else User.objects
    # One conditional update decides between two who carry the same job.
    if not rows.filter(pk=seeker.pk, mailed_until=told).update(mailed_until=now):
        return False
    if mail.send(seeker.email, _subject(count), _text(seeker, count)):
        return True
    rows.filter(pk=seeker.pk, mailed_until=now).update(mailed_until=told)
    _ask(kind, seeker.pk, now, now + AGAIN)
    return False


def new_photos(seeker: Seeker) -> int:
    """Return how many photos of somebody came since they were last told, or last looked."""
    scope = scope_for(seeker, Purpose.FIND_SELF)
    if scope is None:
        return 0
    known = [seeker.mailed_until]
    if isinstance(seeker, Guest):
        known.append(seeker.created_at)
    else:
        known += [seeker.visited_at, seeker.date_joined]
    since = max(moment for moment in known if moment is not None)
    found = [hit.media for hit in search.hits(seeker, scope=scope, log=False) if hit.mine]
    return len(mine.arrived(scope, found, since))


# --- no more of it ---


def stop_token(seeker: Seeker) -> str:
    """Return what ends the mails to somebody, without signing in."""
    kind = "guest" if isinstance(seeker, Guest) else "user"
    return _signer().sign(f"{kind}-{seeker.uuid}")


def stop_mail(token: str) -> None:
    """Write no more to whom a token is of; of a guest, who is kept for that alone, all goes.

    Raises:
        NotFound: the token was not made here.
    """
    try:
        kind, _dash, told = _signer().unsign(token).partition("-")
        uuid = UUID(told)
    except (BadSignature, ValueError, ValidationError):
        raise NotFound("this link is not complete: copy all of it from the mail") from None
    if kind == "user":
        User.objects.filter(uuid=uuid).update(wants_mail=False)
    elif guest := Guest.objects.filter(uuid=uuid).first():
        guests.forget_guest(guest)


# --- the pieces ---


def _ask(kind: str, pk: int, asked: datetime, due: datetime) -> Job | None:
    payload = {kind: pk, "asked": asked.isoformat()}
    key = _key(kind, pk)
    return work.enqueue(Job.Kind.MAIL, payload, priority=PRIORITY, dedupe_key=key, run_at=due)


def _key(kind: str, pk: int) -> str:
    return f"mail:{kind}:{pk}"


def _seeker(kind: str, pk: int, now: datetime) -> Seeker | None:
    """Return who is to be written to; None if they want it no more."""
    wanting = ~Q(email="")
    if kind == "guest":
        return Guest.objects.filter(wanting, pk=pk, keep_until__gt=now).first()
    return User.objects.filter(wanting, pk=pk, wants_mail=True, is_active=True).first()


def _subject(count: int) -> str:
    words = ngettext("%(count)d new photo of you", "%(count)d new photos of you", count)
    return words % {"count": count}


def _text(seeker: Seeker, count: int) -> str:
    there = ngettext(
        "There is %(count)d new photo that you are in.",
        "There are %(count)d new photos that you are in.",
        count,
    )
    guest = isinstance(seeker, Guest)
    page = guests.guest_link(seeker) if guest else mail.absolute(f"{reverse('me')}?new=1")
    stop = mail.absolute(reverse("stop-mail", args=[stop_token(seeker)]))
    why = _("You asked for this mail. It comes at most once a day. To get no more of them:")
    return "\n\n".join((there % {"count": count}, page, f"{why}\n{stop}")) + "\n"


def _signer() -> Signer:
    return Signer(salt="lookwho.services.news")
