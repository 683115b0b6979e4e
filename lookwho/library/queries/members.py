"""Members: who may sign in, since when, in which teams, when they were last seen; invitations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import (
    Case,
    Count,
    Exists,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.utils import timezone

from lookwho.core.errors import NotFound
from lookwho.library.models import (
    Answer,
    Decision,
    Label,
    Membership,
    Person,
    Reference,
    Share,
    Team,
    User,
)
from lookwho.library.models.accounts import Role
from lookwho.library.queries import labelling
from lookwho.library.queries.labelling import Annotator

_ORDER = (Role.OWNER, Role.CURATOR, Role.ANNOTATOR, Role.MEMBER)
# Which users are listed: those who are members today, and those who were; shut out or never here.
STANDINGS = ("present", "former", "always", "out", "new")


@dataclass(frozen=True, slots=True)
class Member:
    """A user, with what they have done.

    Attributes:
        user: who.
        seen_at: when they last signed in or did something; None for never.
        answers: how many questions of Review they have answered.
        settled: how many faces those answers resolved.
        labelling: how they do in labelling projects; None where they have labelled nothing.
        periods: when they were a member, the first first; none for all the time.
        former: whether they are none today.
        teams: those that they are in.
        selfies: how many they are found by.
        person: who they are among the people with faces; None where nobody has said that.
    """

    user: User
    seen_at: datetime | None
    answers: int
    settled: int
    labelling: Annotator | None
    periods: tuple[Membership, ...] = ()
    former: bool = False
    teams: tuple[Team, ...] = ()
    selfies: int = 0
    person: Person | None = None


def users(
    asker: User,
    *,
    words: str = "",
    role: str = "",
    standing: str = "",
    team: UUID | None = None,
    today: date | None = None,
) -> QuerySet[User]:
    """Return users, those who may sign in first, owners first; nobody to whom is no owner.

    Args:
        asker: who asks.
        words: parts of their name, address or external id: each of them has to be in one.
        role: only those who may do this.
        standing: only those who are members today or were ("present", "former"), have no periods
            ("always"), may not sign in ("out") or never did ("new").
        team: only those in this team.
        today: the day that "today" is.
    """
    if not (asker.is_authenticated and asker.is_owner):
        return User.objects.none()
    found = User.objects.annotate(
        rank=Case(
            *(When(role=role, then=Value(at)) for at, role in enumerate(_ORDER)),
            default=Value(len(_ORDER)),
            output_field=IntegerField(),
        )
    )
    for word in words.split()[:10]:
        written = Q(username__icontains=word) | Q(email__icontains=word)
        found = found.filter(written | Q(external_id__icontains=word))
    if role:
        found = found.filter(role=role)
    if team is not None:
        found = found.filter(Exists(Team.objects.filter(uuid=team, users=OuterRef("pk"))))
    periods = Membership.objects.filter(user=OuterRef("pk"))
    match standing:
        case "present":
            found = found.filter(Exists(_on(periods, today)) | ~Exists(periods))
        case "former":
            found = found.filter(Exists(periods) & ~Exists(_on(periods, today)))
        case "always":
            found = found.filter(~Exists(periods))
        case "out":
            found = found.filter(is_active=False)
        case "new":
            found = found.filter(last_login=None)
        case _:
            pass
    return found.order_by("-is_active", "rank", "username")


def described(rows: Sequence[User], *, today: date | None = None) -> list[Member]:
    """Return users with what they have done, in so many queries for many as for one."""
    today = today or timezone.localdate()
    ids = [row.pk for row in rows]
    told = {each.user.pk: each for each in labelling.figures() if each.user}
    skipped = Q(verdict=Answer.Verdict.SKIP)
    answered = Answer.objects.filter(user__in=ids).values_list("user")
    counts = {
        user: (count, settled or 0, last)
        for user, count, settled, last in answered.annotate(
            count=Count("pk", filter=~skipped), settled=Sum("settled"), last=Max("created_at")
        ).order_by()
    }
    decided = dict(
        Decision.objects.filter(actor__in=ids)
        .values_list("actor")
        .annotate(Max("created_at"))
        .order_by()
    )
    labelled = dict(
        Label.objects.filter(user__in=ids)
        .exclude(given_at=None)
        .values_list("user")
        .annotate(Max("given_at"))
        .order_by()
    )
    periods: defaultdict[int, list[Membership]] = defaultdict(list)
    for row in Membership.objects.filter(user__in=ids).order_by("since", "pk"):
        periods[row.user_id].append(row)
    teams: defaultdict[int, list[Team]] = defaultdict(list)
    together = Team.objects.filter(users__in=ids).order_by("title")
    for user, pk, uuid, title in together.values_list("users", "pk", "uuid", "title"):
        teams[user].append(Team(pk=pk, uuid=uuid, title=title))
    selfies = dict(
        Reference.objects.filter(user__in=ids, deleted_at=None, state=Reference.State.DONE)
        .values_list("user")
        .annotate(Count("pk"))
        .order_by()
    )
    linked = Person.objects.filter(user__in=ids).select_related("root", "user")
    people = {row.user.pk: row.root or row for row in linked if row.user}
    found: list[Member] = []
    for user in rows:
        count, settled, last = counts.get(user.pk, (0, 0, None))
        times = (
            user.last_login,
            user.visited_at,
            last,
            decided.get(user.pk),
            labelled.get(user.pk),
        )
        theirs = periods[user.pk]
        found.append(
            Member(
                user,
                max((time for time in times if time is not None), default=None),
                count,
                settled,
                told.get(user.pk),
                periods=tuple(theirs),
                former=bool(theirs) and not any(_covers(row, today) for row in theirs),
                teams=tuple(teams[user.pk]),
                selfies=selfies.get(user.pk, 0),
                person=people.get(user.pk),
            )
        )
    return found


def members(asker: User) -> list[Member]:
    """Return all users with what they have done, owners first; nobody to whom is no owner."""
    return described(list(users(asker)))


def former_of(user: User, *, today: date | None = None) -> list[Membership] | None:
    """Return when a former member was one, the first first; None for whoever is no former member.

    Owners and curators see everything, whatever their periods are.
    """
    if not user.is_authenticated or user.sees_everything:
        return None
    today = today or timezone.localdate()
    rows = list(Membership.objects.filter(user=user).order_by("since", "pk"))
    return rows if rows and not any(_covers(row, today) for row in rows) else None


def teams(asker: User) -> list[Team]:
    """Return all teams with those who are in them and the albums they see; to owners alone."""
    if not (asker.is_authenticated and asker.is_owner):
        return []
    return list(Team.objects.order_by("title").prefetch_related("users", "albums", "projects"))


def team(asker: User, uuid: UUID) -> Team:
    """Return a team.

    Raises:
        NotFound: there is none, or the asker is no owner.
    """
    rows = Team.objects.filter(uuid=uuid).prefetch_related("users", "albums", "projects")
    found = rows.first() if asker.is_authenticated and asker.is_owner else None
    if found is None:
        raise NotFound("there is no such team, or it is not for you to see")
    return found


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


def _on(periods: QuerySet[Membership], today: date | None) -> QuerySet[Membership]:
    today = today or timezone.localdate()
    return periods.filter(Q(until=None) | Q(until__gte=today), since__lte=today)


def _covers(row: Membership, day: date) -> bool:
    return row.since <= day and (row.until is None or day <= row.until)
