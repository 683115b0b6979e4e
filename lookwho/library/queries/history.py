"""History: what was decided, by whom and when, in words; and whether it was taken back.

One act is all that a user said at once: the decisions of one batch, told by the first of them. The
newest stand first. A list makes a fixed number of queries, and the next page begins where the last
one ended, however many acts there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from lookwho.core.errors import NotFound
from lookwho.library.models import Decision, DecisionFace, Face, Media, Person, User
from lookwho.library.queries import wording
from lookwho.library.scope import Scope, family_of

Verb = Decision.Verb

# No more acts at once, and so many faces of each.
MOST = 200
PICTURES = 6
# So many decisions of one act are read to put it into words: names from files may be thousands.
LONG = 200


class Kind(StrEnum):
    """What can be asked for, in the words of the page."""

    NAMED = "named"
    REJECTED = "rejected"
    NOT_A_FACE = "not_a_face"
    MERGED = "merged"
    RENAMED = "renamed"
    HIDDEN = "hidden"
    COVER = "cover"
    DRAWN = "drawn"
    BOX = "box"
    ABSENT = "absent"
    TAKEN_BACK = "taken_back"

    @property
    def words(self) -> str:
        """What the page offers to show."""
        return _WORDS[self]


_WORDS = {
    Kind.NAMED: "faces named",
    Kind.REJECTED: "not this person",
    Kind.NOT_A_FACE: "not a face",
    Kind.MERGED: "people merged",
    Kind.RENAMED: "names given",
    Kind.HIDDEN: "people hidden",
    Kind.COVER: "pictures chosen",
    Kind.DRAWN: "faces drawn",
    Kind.BOX: "boxes fixed",
    Kind.ABSENT: "no visible face",
    Kind.TAKEN_BACK: "taken back",
}
_VERBS = {
    Kind.NAMED: Verb.CONFIRM,
    Kind.REJECTED: Verb.REJECT,
    Kind.NOT_A_FACE: Verb.NOT_A_FACE,
    Kind.MERGED: Verb.MERGE,
    Kind.RENAMED: Verb.RENAME,
    Kind.HIDDEN: Verb.HIDE,
    Kind.COVER: Verb.COVER,
    Kind.DRAWN: Verb.DRAW,
    Kind.BOX: Verb.BOX,
    Kind.ABSENT: Verb.ABSENT,
}


@dataclass(frozen=True, slots=True)
class Pictured:
    """A face that an act is about.

    Attributes:
        face: its uuid; None where it does not show, or is gone.
        media: the uuid of its photo.
    """

    face: UUID | None
    media: UUID


@dataclass(frozen=True, slots=True)
class Told:
    """One act.

    Attributes:
        id: of its first decision: the next page begins below the smallest.
        batch: what an undo takes back.
        by: the name of who did it; blank where that account is gone.
        by_id: the id of that account.
        at: when.
        words: what was done: "confirmed 12 faces of Ben".
        faces: how many faces it is about.
        pictures: some of them.
        people: those it is about whom one can look at, the root of each.
        undone_by: the name of who took it back; None where it stands, blank for a lost account.
        undone_at: when.
    """

    id: int
    batch: UUID
    by: str
    by_id: int | None
    at: datetime
    words: str
    faces: int
    pictures: tuple[Pictured, ...]
    people: tuple[Person, ...]
    undone_by: str | None
    undone_at: datetime | None

    @property
    def more(self) -> int:
        """How many faces there are beyond the pictures."""
        return self.faces - len(self.pictures)

    @property
    def undone(self) -> bool:
        """Whether it was taken back."""
        return self.undone_by is not None


def acts(
    scope: Scope,
    *,
    person: Person | None = None,
    media: Media | None = None,
    user: User | None = None,
    day: date | None = None,
    verb: Kind | None = None,
    before: int | None = None,
    take: int = 50,
) -> list[Told]:
    """Return what was decided, the newest first; nothing where names may not be told.

    Args:
        scope: what the asker may see.
        person: only acts about this person, or about somebody merged into them.
        media: only acts about faces in this photo.
        user: only what this user did.
        day: only acts of this day, by the clock of the site.
        verb: only acts of this kind.
        before: only acts older than the one of this id.
        take: so many at most.
    """
    if not scope.names:
        return []
    first = Decision.objects.filter(
        ~Exists(_saying().filter(batch=OuterRef("batch"), pk__lt=OuterRef("pk")))
    ).exclude(verb=Verb.REVOKE)
    for asked in _asked(person, media, verb):
        first = first.filter(batch__in=asked.values("batch"))
    if user:
        first = first.filter(actor=user)
    if day:
        start = timezone.make_aware(datetime.combine(day, datetime.min.time()))
        first = first.filter(created_at__gte=start, created_at__lt=start + timedelta(days=1))
    if before is not None:
        first = first.filter(pk__lt=before)
    heads = list(first.select_related("actor").order_by("-pk")[: min(take, MOST)])
    if not heads:
        return []
    return _told(scope, heads)


def deciders(scope: Scope) -> list[User]:
    """Return those who have decided anything, by name."""
    if not scope.names:
        return []
    theirs = Decision.objects.filter(actor=OuterRef("pk"))
    return list(User.objects.filter(Exists(theirs)).order_by("username"))


def decider(scope: Scope, name: str) -> User:
    """Return the user of this name.

    Raises:
        NotFound: there is none, or the asker may not be told who people are.
    """
    found = User.objects.filter(username=name).first() if scope.names else None
    if found is None:
        raise NotFound("there is no user of that name, or they are not for you to see")
    return found


def _saying() -> QuerySet[Decision]:
    return Decision.objects.exclude(verb=Verb.REVOKE)


def _asked(
    person: Person | None, media: Media | None, verb: Kind | None
) -> Iterable[QuerySet[Decision]]:
    """Yield what an act must hold one decision of."""
    if person:
        tree = family_of(person.pk)
        yield _saying().filter(Q(person__in=tree) | Q(other__in=tree))
    if media:
        about = DecisionFace.objects.filter(payload_hash=media.payload_hash)
        yield _saying().filter(pk__in=about.values("decision"))
    if verb == Kind.TAKEN_BACK:
        yield _saying().filter(revoked_by__isnull=False)
    elif verb:
        yield Decision.objects.filter(verb=_VERBS[verb])


# --- some acts, whole ---


def _told(scope: Scope, heads: Sequence[Decision]) -> list[Told]:
    whole: dict[UUID, list[Decision]] = {head.batch: [] for head in heads}
    place = Window(RowNumber(), partition_by=F("batch"), order_by=[F("id")])
    rows = _saying().filter(batch__in=list(whole)).annotate(place=place).filter(place__lte=LONG)
    fields = ("person__root", "other__root", "revoked_by__actor")
    for row in rows.select_related(*fields).order_by("pk"):
        whole[row.batch].append(row)
    every = [row.pk for rows in whole.values() for row in rows]
    about = DecisionFace.objects.filter(decision__in=every).values("decision").order_by()
    counts = {
        row["decision"]: (row["faces"], row["first"])
        for row in about.annotate(faces=Count("pk"), first=Min("pk"))
    }
    pictures = _pictures(scope, counts)
    long = [batch for batch, rows in whole.items() if len(rows) == LONG]
    confirmed = DecisionFace.objects.filter(
        decision__batch__in=long, decision__verb=Verb.CONFIRM
    ).values_list("decision__batch")
    totals = dict(confirmed.annotate(faces=Count("pk")).order_by())
    return [
        _act(head, whole[head.batch], counts, pictures, totals.get(head.batch)) for head in heads
    ]


def _act(
    head: Decision,
    rows: Sequence[Decision],
    counts: Mapping[int, tuple[int, int]],
    pictures: Mapping[int, Sequence[Pictured]],
    of_all: int | None,
) -> Told:
    shown = dict.fromkeys(each for row in rows for each in pictures.get(row.pk, ()))
    people = [person.root or person for row in rows for person in (row.person, row.other) if person]
    last = _taken_back(rows)
    faces = {row.pk: counts.get(row.pk, (0, 0))[0] for row in rows}
    return Told(
        id=head.pk,
        batch=head.batch,
        by=head.actor.username if head.actor else "",
        by_id=head.actor_id,
        at=head.created_at,
        words=wording.words(rows, faces, of_all=of_all),
        faces=of_all or max(faces.values()),
        pictures=tuple(shown)[:PICTURES],
        people=tuple(dict.fromkeys(people)),
        undone_by=None if last is None else last.actor.username if last.actor else "",
        undone_at=last.created_at if last else None,
    )


def _taken_back(rows: Sequence[Decision]) -> Decision | None:
    """Return the last decision by which these were taken back, or None where one stands."""
    revoking: list[Decision] = []
    for row in rows:
        last: Decision | None = getattr(row, "revoked_by", None)
        if last is None:
            return None
        revoking.append(last)
    return max(revoking, key=lambda row: row.pk)


def _pictures(scope: Scope, counts: Mapping[int, tuple[int, int]]) -> dict[int, list[Pictured]]:
    """Return some faces of each decision; those of one were written one after the other."""
    wanted = [
        first + step for faces, first in counts.values() for step in range(min(faces, PICTURES))
    ]
    rows = DecisionFace.objects.filter(pk__in=wanted, decision__in=list(counts), face__isnull=False)
    rows = rows.filter(face__media__in=scope.media().values("pk")) if not scope.unlimited else rows
    fields = ("decision_id", "face__uuid", "face__media__uuid", "face__source")
    found: dict[int, list[Pictured]] = {}
    for decision, face, media, source in rows.order_by("pk").values_list(*fields):
        shows = source != Face.Source.ABSENT
        found.setdefault(decision, []).append(Pictured(face if shows else None, media))
    return found
