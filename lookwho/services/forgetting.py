"""Forgetting: every row that says something of somebody, gone in one transaction.

Called by `services.erasure` alone, which has written down before what goes. Done again, it finds
nothing more; done on a backup that was restored, it finds what the backup brought back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from django.db.models import Q, QuerySet

from lookwho.core.following import spots
from lookwho.core.match import SAME, Query, reach, score_nearest
from lookwho.core.regions import overlap
from lookwho.library import vectors
from lookwho.library.models import (
    Answer,
    Audit,
    Consent,
    Decision,
    DecisionFace,
    Embedding,
    Erasure,
    Face,
    Guest,
    Label,
    Pack,
    Person,
    Reference,
    Region,
    SearchLog,
    Segment,
    Share,
    Suppression,
    Task,
    Track,
    User,
)
from lookwho.library.queries import passes, tracks
from lookwho.library.scope import Purpose, Scope
from lookwho.library.vectors.listing import listed
from lookwho.services import (
    casting,
    consents,
    events,
    ledger,
    mentions,
    misuse,
    montages,
    scrub,
    selfies,
)
from lookwho.services.decisions import one_at_a_time, rejected
from lookwho.services.ledger import Entry, Place
from lookwho.services.placed import fit

# The most faces near somebody's selfies that are looked at.
MOST = 5000
# A box that overlaps one of the ledger by more is the same face in a backup.
_SAME_BOX = 0.5

T = TypeVar("T")


def forget(erasure: Erasure, entry: Entry) -> None:
    """Delete the rows of an erasure, and write down in its row how many those were."""
    # Of the database's pages, as far as it can; the rest is for `scrub`.
    with scrub.forgetful(), one_at_a_time():
        row = Erasure.objects.select_for_update().get(pk=erasure.pk)
        counts = Counter(row.counts)
        counts.update(_withdraw(entry) if entry.purposes else _forget(entry))
        row.counts = {name: count for name, count in sorted(counts.items()) if count}
        row.save(update_fields=["counts"])


# --- whose ---


def faces_of(user: User | None, family: Sequence[Person]) -> list[int]:
    """Return the ids of the faces that are somebody's, as people said or as Lookwho thinks.

    Confirmed as theirs, guessed to be theirs, and near their selfies beyond doubt, where nobody
    said that it is somebody else, and nobody with a name or an account is taken to be there: a
    selfie may be a picture of anybody, and must not erase others.
    """
    ids = [person.pk for person in family]
    theirs = Face.objects.filter(Q(person__in=ids) | Q(person=None, guess__in=ids))
    faces = Face.objects.filter(pk__in=listed(_near(user)), person=None).exclude(_others(ids))
    barred = rejected(faces, ids) if ids else set[int]()
    found = set(theirs.values_list("pk", flat=True)) | set(faces.values_list("pk", flat=True))
    return sorted(found - barred)


def faces_elsewhere(user: User | None, family: Sequence[Person]) -> int:
    """Return how many faces are near somebody's selfies beyond doubt and are others', as it seems.

    Those stay: whoever they are is erased by an owner, who knows.
    """
    ids = [person.pk for person in family]
    named = _others(ids) | (Q(person__isnull=False) & ~Q(person__in=ids))
    return Face.objects.filter(named, pk__in=listed(_near(user))).count()


def _near(user: User | None) -> list[int]:
    # Selfies of different people tell nothing of whose the account is.
    return _near_selfies(user) if user is not None and misuse.different_faces(user) < 2 else []


def _others(family: Sequence[int]) -> Q:
    """Say of faces that they are guessed to be somebody else who has a name or an account."""
    known = Q(root__isnull=False, root__name__gt="") | Q(name__gt="") | Q(user__isnull=False)
    known |= Q(root__user__isnull=False)
    people = Person.objects.filter(known).exclude(pk__in=family)
    return Q(guess__in=people.values("pk"))


def places_of(faces: Sequence[int]) -> dict[str, list[Place]]:
    """Return where these faces are, for the ledger; somebody who does not show is nowhere.

    In a video that is all along their ways: whatever an analysis finds there is them again.
    """
    rows = Face.objects.filter(pk__in=listed(faces)).exclude(source=Face.Source.ABSENT)
    fields = ("media__payload_hash", "x1", "y1", "x2", "y2", "time")
    found: dict[tuple[bytes, float, float, float, float, float | None], None] = {}
    ways = tracks.stretches_of(faces)
    for face, payload, *where in rows.order_by("pk").values_list("pk", *fields):
        x1, y1, x2, y2, time = where
        found[bytes(payload), x1, y1, x2, y2, time] = None
        for stretch in ways.get(face, ()):
            for spot in spots(stretch):
                found[bytes(payload), *spot.box, spot.time] = None
    return ledger.places(found)


def _near_selfies(user: User) -> list[int]:
    """Return the faces that the selfies of a user find beyond doubt, one in each photo.

    Of a video all of them, but of those that are seen at the same time one.
    """
    everything = Scope(purpose=Purpose.FIND_SELF, everything=True)
    best: dict[int, tuple[float, int]] = {}
    moving: dict[int, float] = {}
    stored = Embedding.objects.filter(
        reference__user=user, reference__approved=True, reference__deleted_at=None
    ).order_by("pk")
    for pack in Pack.objects.filter(pk__in=stored.values("pack")):
        rows = [bytes(each) for each in stored.filter(pack=pack).values_list("vector", flat=True)]
        query = Query.of(np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), -1))
        near = vectors.nearest(
            everything, query.vector, pack, limit=MOST, within=reach(query.references)
        )
        total = max(vectors.searched(everything), len(near.face_ids))
        scores = score_nearest(near.distances, total, query.references, passes.people())
        ids = near.face_ids[scores.probabilities >= SAME].tolist()
        sure = dict(zip(near.face_ids.tolist(), near.distances.tolist(), strict=True))
        faces = Face.objects.filter(pk__in=listed(ids))
        for face, media, time in faces.values_list("pk", "media_id", "time"):
            if time is not None:
                moving[face] = min(sure[face], moving.get(face, sure[face]))
            else:
                best[media] = min((sure[face], face), best.get(media, (sure[face], face)))
    return [face for _, face in best.values()] + _one_at_a_time(moving)


def _one_at_a_time(faces: Mapping[int, float]) -> list[int]:
    """Return of faces in videos, by how far they are, the nearest of those seen at one time."""
    beside = tracks.in_company(list(faces)) if faces else {}
    found: set[int] = set()
    for face in sorted(faces, key=lambda face: (faces[face], face)):
        if not found & beside.get(face, set()):
            found.add(face)
    return sorted(found)


def _at(places: dict[str, list[Place]]) -> list[int]:
    """Return the faces that are where the ledger says that some were: in a restored backup."""
    found: list[int] = []
    payloads = [bytes.fromhex(payload) for payload in places]
    fields = ("pk", "media__payload_hash", "x1", "y1", "x2", "y2", "time")
    for some in _parts(payloads):
        for pk, payload, *where in Face.objects.filter(media__payload_hash__in=some).values_list(
            *fields
        ):
            if any(_same(where, place) for place in places[bytes(payload).hex()]):
                found.append(pk)
    return found


def _same(where: Sequence[float | None], place: Place) -> bool:
    x1, y1, x2, y2, time = where
    box = x1 or 0.0, y1 or 0.0, x2 or 0.0, y2 or 0.0  # only the time may be None
    if (time is None) != (place[4] is None) or abs((time or 0) - (place[4] or 0)) > _SAME_BOX:
        return False
    return overlap(box, place[:4]) > _SAME_BOX


# --- a consent that was withdrawn ---


def _withdraw(entry: Entry) -> Counter[str]:
    counts: Counter[str] = Counter()
    user = User.objects.filter(uuid=entry.user).first()
    if user is None:
        return counts
    # On a backup from before, the consent is there again, too.
    held = Consent.objects.filter(user=user, purpose__in=entry.purposes, withdrawn_at=None)
    held.filter(given_at__lte=entry.at).update(withdrawn_at=entry.at)
    if consents.FIND in entry.purposes:
        before = Reference.objects.filter(user=user, created_at__lte=entry.at)
        counts.update(_forget_selfies(before))
        counts.update(mentions.of_selfies(user, before=entry.at))
    counts["vectors in events that keep only who agreed"] += events.drop()
    return counts


def _forget_selfies(rows: Iterable[Reference]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for reference in list(rows):
        counts["vectors of selfies"] += Embedding.objects.filter(reference=reference).count()
        counts["selfies"] += 1
        counts["jobs"] += mentions.of_reference(reference.pk)
        selfies.erase(reference)
    return counts


# --- everything ---


def _forget(entry: Entry) -> Counter[str]:
    user = User.objects.filter(uuid=entry.user).first() if entry.user else None
    named = Q(uuid__in=entry.people)
    linked = Person.objects.filter(named | Q(user=user) if user else named)
    roots = linked.values_list("pk", "root_id")
    tops = {root or pk for pk, root in roots}
    family = list(Person.objects.filter(Q(pk__in=tops) | Q(root__in=tops)))
    faces = sorted({*faces_of(user, family), *_at(entry.faces)})
    counts: Counter[str] = Counter()
    # By the jobs that made them, which go with whoever asked.
    counts["films of moments"] += montages.forget([person.pk for person in family])
    counts["films of moments"] += montages.forget_of(user) if user is not None else 0
    # What tells by its name first, while it is known what that is.
    names = mentions.names_of(user, family)
    counts.update(mentions.forget(names, user, family, faces))
    counts.update(_forget_faces(entry, faces, names))
    counts.update(_forget_people(family))
    if user is not None:
        counts.update(_forget_user(user))
    return counts


def _forget_faces(entry: Entry, faces: Sequence[int], names: Collection[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    places = {**places_of(faces)}
    for payload, more in entry.faces.items():
        places.setdefault(payload, [])
        places[payload] += [place for place in more if place not in places[payload]]
    counts["places where no face will be found again"] += _suppress(places)
    # Told by their place, so that they are found where the face's row is another one by now.
    for some in _parts([bytes.fromhex(payload) for payload in places]):
        counts["labels"] += _delete_at(Task.objects.filter(payload_hash__in=some), places, Label)
        _delete_at(Audit.objects.filter(payload_hash__in=some), places)
        _delete_at(DecisionFace.objects.filter(payload_hash__in=some), places)
    regions = Region.objects.filter(Q(face__in=listed(faces)) | Q(name__in=list(names)))
    counts["names in files, as offered"] += regions.delete()[0]
    counts["names in files, as offered"] += _delete_regions(places)
    Answer.objects.filter(face__in=listed(faces)).delete()
    stored = Embedding.objects.filter(face__in=listed(faces))
    counts["vectors of faces"] += stored.count()
    vectors.removed(faces)
    stored.delete()
    counts["stretches of videos"] += Track.objects.filter(face__in=listed(faces)).delete()[0]
    _cut_segments(places)
    for some in _parts(faces):
        theirs = Face.objects.filter(pk__in=list(some))
        counts["faces"] += theirs.count()
        theirs.delete()
    return counts


def _cut_segments(places: dict[str, list[Place]]) -> None:
    """Take somebody out of what was found in segments of videos that are not joined yet."""
    for some in _parts([bytes.fromhex(payload) for payload in places]):
        rows = Segment.objects.filter(video__media__payload_hash__in=some).exclude(result=b"")
        for row in rows.select_related("video__media"):
            gone = places[bytes(row.video.media.payload_hash).hex()]
            row.result = casting.without(bytes(row.result), gone)
            row.save(update_fields=["result"])


def _suppress(places: dict[str, list[Place]]) -> int:
    """Let no face be found again at these places, for good; return how many are new."""
    fresh: list[Suppression] = []
    for payload, boxes in places.items():
        data = bytes.fromhex(payload)
        rows = Suppression.objects.filter(payload_hash=data, erased=True)
        known = set(rows.values_list("x1", "y1", "x2", "y2", "time"))
        fresh += [
            Suppression(payload_hash=data, x1=x1, y1=y1, x2=x2, y2=y2, time=time, erased=True)
            for x1, y1, x2, y2, time in dict.fromkeys(boxes)
            if (x1, y1, x2, y2, time) not in known
        ]
    Suppression.objects.bulk_create(fresh, batch_size=500)
    return len(fresh)


def _delete_at(
    rows: QuerySet[Any], places: dict[str, list[Place]], also: type[Label] | None = None
) -> int:
    """Delete what is told of faces at these places; return how many rows of `also` went with it."""
    fields = ("pk", "payload_hash", "x1", "y1", "x2", "y2", "time")
    ids = [
        pk
        for pk, payload, *where in rows.values_list(*fields)
        if any(_same(where, place) for place in places[bytes(payload).hex()])
    ]
    gone = 0
    for some in _parts(ids):
        _, told = rows.model.objects.filter(pk__in=list(some)).delete()
        gone += told.get(also._meta.label, 0) if also else 0
    return gone


def _delete_regions(places: dict[str, list[Place]]) -> int:
    """Delete the names that files carry at these places."""
    gone: list[int] = []
    fields = ("pk", "media__payload_hash", "x1", "y1", "x2", "y2")
    for some in _parts([bytes.fromhex(payload) for payload in places]):
        for pk, payload, x1, y1, x2, y2 in Region.objects.filter(
            media__payload_hash__in=some
        ).values_list(*fields):
            boxes = places[bytes(payload).hex()]
            if any(fit((x1, y1, x2, y2), place[:4]) for place in boxes):
                gone.append(pk)
    return Region.objects.filter(pk__in=listed(gone)).delete()[0]


def _forget_people(family: Sequence[Person]) -> Counter[str]:
    ids = [person.pk for person in family]
    counts: Counter[str] = Counter()
    Answer.objects.filter(person__in=ids).delete()
    counts["labels"] += Label.objects.filter(person__in=ids).delete()[0]
    Task.objects.filter(gold_person__in=ids).delete()
    told = Task.objects.filter(person__in=ids)
    told.update(person=None, verdict="", state=Task.State.OPEN, adjudicated_at=None)
    # With them go, in this order of tables: decisions, links, searches, claims.
    _, gone = Person.objects.filter(pk__in=ids).delete()
    counts["people"] += gone.get(Person._meta.label, 0)
    counts["decisions"] += gone.get(Decision._meta.label, 0)
    counts["links"] += gone.get(Share._meta.label, 0)
    counts["searches"] += gone.get(SearchLog._meta.label, 0)
    return counts


_TOLD = {
    "Consent": "consents",
    "SearchLog": "searches",
    "Like": "likes",
    "Request": "requests",
    "Membership": "membership periods",
    "ApiToken": "tokens of programs",
    "EntryLink": "links",
    "Upload": "uploads, as listed",
    "EmailAddress": "addresses",
    "SocialAccount": "sign-ins by another site",
    "Authenticator": "second factors",
    "UserSession": "sessions",
    "SiteAccount": "accounts at other sites",
    "User": "accounts",
}


def _forget_user(user: User) -> Counter[str]:
    counts: Counter[str] = Counter()
    counts.update(_forget_selfies(Reference.objects.filter(user=user)))
    if user.email:
        for guest in Guest.objects.filter(email__iexact=user.email):
            counts.update(_forget_selfies(Reference.objects.filter(guest=guest)))
            guest.delete()
    _, gone = user.delete()
    for label, count in gone.items():
        if told := _TOLD.get(label.rpartition(".")[2]):
            counts[told] += count
    return counts


def _parts(items: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
