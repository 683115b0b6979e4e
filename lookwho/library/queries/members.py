"""Members: who may sign in, when they were last seen, how they answer, and who is invited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max, Q, Sum
from django.utils import timezone

from lookwho.core.errors import NotFound
from lookwho.library.models import Answer, Decision, Label, Share, User
from lookwho.library.models.accounts import Role
from lookwho.library.queries import labelling
from lookwho.library.queries.labelling import Annotator

_ORDER = [Role.OWNER.value, Role.CURATOR.value, Role.ANNOTATOR.value, Role.MEMBER.value]


@dataclass(frozen=True, slots=True)
class Member:
    """A user, with what they have done.

    Attributes:
        user: who.
        seen_at: when they last signed in or did something; None for never.
        answers: how many questions of Review they have answered.
        settled: how many faces those answers resolved.
        labelling: how they do in labelling projects; None where they have labelled nothing.
    """

    user: User
    seen_at: datetime | None
    answers: int
    settled: int
    labelling: Annotator | None


def members(asker: User) -> list[Member]:
    """Return all users, owners first; nobody to whom is no owner."""
    if not (asker.is_authenticated and asker.is_owner):
        return []
    told = {each.user.pk: each for each in labelling.figures() if each.user}
    skipped = Q(verdict=Answer.Verdict.SKIP)
    counts = {
        user: (count, settled or 0, last)
        for user, count, settled, last in Answer.objects.values_list("user")
        .annotate(
            count=Count("pk", filter=~skipped), settled=Sum("settled"), last=Max("created_at")
        )
        .order_by()
    }
    decided = dict(Decision.objects.values_list("actor").annotate(Max("created_at")).order_by())
    labelled = dict(
        Label.objects.exclude(given_at=None)
        .values_list("user")
        .annotate(Max("given_at"))
        .order_by()
    )
    found: list[Member] = []
    for user in User.objects.order_by("username"):
        count, settled, last = counts.get(user.pk, (0, 0, None))
        times = (user.last_login, last, decided.get(user.pk), labelled.get(user.pk))
        seen = max((time for time in times if time is not None), default=None)
        found.append(Member(user, seen, count, settled, told.get(user.pk)))
    return sorted(found, key=lambda each: (not each.user.is_active, _ORDER.index(each.user.role)))


def invitations(asker: User, *, now: datetime | None = None) -> list[Share]:
    """Return the invitations that can still be followed, the newest first; to owners alone."""
    if not (asker.is_authenticated and asker.is_owner):
        return []
    open_ones = Share.objects.filter(
        kind=Share.Kind.INVITATION, revoked_at=None, expires_at__gt=now or timezone.now()
    )
    return list(open_ones.select_related("created_by").order_by("-pk"))


def member(asker: User, uuid: UUID) -> User:
    """Return a user.

    Raises:
        NotFound: there is none, or the asker is no owner.
    """
    found = User.objects.filter(uuid=uuid).first()
    if found is None or not (asker.is_authenticated and asker.is_owner):
        raise NotFound("there is no such user, or it is not for you to see")
    return found
