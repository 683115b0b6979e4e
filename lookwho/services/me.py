"""Me: what a member says of the photos they are offered, and when they were last here.

"This is me" and "this is not me" are decisions like those of whoever names faces, but only about
faces that the member is offered, and only about the member's own person, who has no name unless
somebody gives one. Whose else's a face is, is never told.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from django.utils import timezone
from django.utils.translation import gettext as _

from lookwho.core.errors import Conflict, NotFound
from lookwho.library.models import Decision, DecisionFace, Face, Person, User
from lookwho.library.scope import Purpose, scope_of
from lookwho.services import faces, search, standing
from lookwho.services.decisions import Act, Done, Shown, one_at_a_time
from lookwho.services.grouping import ask_for_a_pass
from lookwho.services.identity import root_of, tree_of
from lookwho.services.search import Hit

Verb = Decision.Verb

# Who comes back after so long makes a new visit.
A_VISIT = timedelta(minutes=30)
# Within a visit the time is written down no more often than this.
NOTED = timedelta(minutes=1)


# --- what is said ---


def this_is_me(user: User, face: Face) -> Done:
    """Say that a face is one's own: its photo is theirs from now on, however sure Lookwho was.

    Args:
        user: who says so.
        face: one that this user is offered.

    Raises:
        NotFound: it is none that this user is offered.
        Conflict: it is gone, or whoever names faces has said whose it is.
    """
    _check_offered(user, face)
    with one_at_a_time():
        act = Act(user, uuid4())
        own = _own_person(user)
        (shown,) = faces.look_at([face])
        if shown.person_id not in (None, *tree_of(own)):
            raise Conflict(
                _("this cannot be changed here, since somebody has looked at this face before")
            )
        if shown.person_id != own.pk:
            act.say(Verb.CONFIRM, person=own, faces=[shown])
            faces.be(own, [shown])
            ask_for_a_pass()
        return Done(act.batch, _("Noted: this is you."))


def not_me(user: User, face: Face) -> Done:
    """Say that a face is not one's own: it is offered to this user no more.

    Args:
        user: who says so.
        face: one that this user is offered.

    Raises:
        NotFound: it is none that this user is offered.
        Conflict: it is gone, or whoever names faces has said that it is theirs.
    """
    _check_offered(user, face)
    with one_at_a_time():
        act = Act(user, uuid4())
        own = _own_person(user)
        (shown,) = faces.look_at([face])
        if shown.person_id in tree_of(own) and _said_by(shown) != user.pk:
            raise Conflict(
                _("somebody who looks after the photos has said that this is you: tell them")
            )
        faces.bar(act, [shown], own)
        ask_for_a_pass()
        return Done(act.batch, _("Noted: this is not you."))


def undo(user: User, batch: UUID) -> Done:
    """Take back what this user said of one face.

    Raises:
        NotFound: they said no such thing.
        Conflict: it was taken back already.
    """
    with one_at_a_time():
        found = Decision.objects.filter(batch=batch, actor=user).exclude(verb=Verb.REVOKE)
        rows = list(found.select_related("revoked_by").order_by("pk"))
        if not rows:
            raise NotFound("there is nothing to take back")
        said = [each for each in rows if not hasattr(each, "revoked_by")]
        if not said:
            raise Conflict("this was taken back already")
        act = Act(user, uuid4())
        standing.revoke(act, said)
        ask_for_a_pass()
        return Done(act.batch, _("Undone."))


def _check_offered(user: User, face: Face) -> None:
    """Return if a face is one that this user is offered: found by their selfies, or confirmed."""
    if any(hit.face == face.pk for hit in search.hits(user)):
        return
    # One of two in a photo, say: only the likeliest is offered, and both may be confirmed.
    mine = Person.objects.filter(user=user.pk).first()
    scope = scope_of(user, Purpose.FIND_SELF)
    theirs = mine and scope.faces().filter(pk=face.pk, person__in=tree_of(root_of(mine)))
    if not (theirs and theirs.exists()):
        raise NotFound("there is no such face, or it is not for you to see")


def _own_person(user: User) -> Person:
    """Return the person that a user is; one without a name, made now, where there is none."""
    person, _made = Person.objects.get_or_create(user=user)
    return root_of(person)


def _said_by(face: Shown) -> int | None:
    """Return the id of the user who said whose face it is, the last of several."""
    said = DecisionFace.objects.filter(
        face=face.pk, decision__verb=Verb.CONFIRM, decision__revoked_by=None
    )
    last = said.order_by("-decision").values_list("decision__actor", flat=True).first()
    return last


# --- when they were here ---


def visit(user: User, *, now: datetime | None = None) -> datetime | None:
    """Write down that a user looks at their photos; return until when they looked the time before.

    None on the first visit, when everything is new and nothing need be called so.
    """
    now = now or timezone.now()
    last, before = user.visited_at, user.visited_before
    if last is not None and now - last < NOTED:
        return before
    fresh = last is not None and now - last >= A_VISIT
    before = last if fresh else before
    # Of two pages opened at once only one begins a visit.
    same = User.objects.filter(pk=user.pk, visited_at=last)
    if same.update(visited_at=now, visited_before=before):
        user.visited_at, user.visited_before = now, before
    else:
        user.refresh_from_db(fields=["visited_at", "visited_before"])
    return user.visited_before


def on_this_day(hits: Iterable[Hit], today: date) -> list[Hit]:
    """Return the photos of this day in earlier years, the newest first."""
    then = [hit for hit in hits if hit.mine and hit.day.year < today.year]
    return [hit for hit in then if (hit.day.month, hit.day.day) == (today.month, today.day)]
