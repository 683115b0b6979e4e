"""Names in files: offered, and used once somebody says so.

What is accepted becomes decisions of whoever accepted it, one batch for one answer. A photo that
is not analysed yet gets its names when its faces arrive, in the same batch. Taking the batch back
(`people.undo`) offers the names again.

What humans said goes before what files say: a face that has a name keeps it, one that was said not
to be this person stays so, and no face comes back where one was removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from lookwho.core.errors import Conflict, Forbidden
from lookwho.core.orientation import Box
from lookwho.library import vectors
from lookwho.library.models import (
    Analysis,
    Decision,
    DecisionFace,
    Face,
    Job,
    Media,
    Region,
    Suppression,
    User,
)
from lookwho.services import decisions, embedding, work
from lookwho.services.faces import assign
from lookwho.services.placed import fit

EXAMPLES = 5
# Regions that are settled in one transaction.
_AT_ONCE = 200
_OFFERED, _ACCEPTED, _DECLINED = Region.State.OFFERED, Region.State.ACCEPTED, Region.State.DECLINED


@dataclass(frozen=True, slots=True)
class Offer:
    """The names that files carry and that nobody has decided about; false where there are none.

    Attributes:
        regions: how many faces have one.
        people: how many different names there are.
        examples: a few of them, the most frequent first.
    """

    regions: int
    people: int
    examples: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.regions > 0


# --- the answer ---


def offered() -> Offer:
    """Return what there is to decide about."""
    counts = _open().aggregate(regions=Count("pk"), people=Count("name", distinct=True))
    if not counts["regions"]:
        return Offer(0, 0, ())
    often = _open().values("name").annotate(times=Count("pk")).order_by("-times", "name")
    return Offer(**counts, examples=tuple(often.values_list("name", flat=True)[:EXAMPLES]))


def accept(by: User, names: Sequence[str] | None = None) -> Job:
    """Use the names that are offered, all or some; return the job that does so.

    Raises:
        Forbidden: this user may not.
        Conflict: none of them is offered any more.
    """
    batch = uuid4()
    with transaction.atomic():
        count = _answered(by, names).update(state=_ACCEPTED, accepted_by=by, batch=batch)
        if not count:
            raise Conflict("these names are not offered any more: somebody has decided already")
        payload = {"user": by.pk, "batch": str(batch)}
        job = work.enqueue(Job.Kind.NAMES, payload, total=count)
        assert job is not None  # without a key it has no twin
        return job


def decline(by: User, names: Sequence[str] | None = None) -> int:
    """Leave the names that are offered, all or some, for good; return how many regions that are.

    Raises:
        Forbidden: this user may not.
    """
    with transaction.atomic():
        return _answered(by, names).update(state=_DECLINED)


def taken_back(batch: UUID) -> int:
    """Offer again what an answer accepted, once its decisions are revoked; return how much that is.

    Called by `people.undo`, within its transaction. Faces that only the files knew go.
    """
    regions = Region.objects.filter(batch=batch, state=_ACCEPTED)
    drawn = Face.objects.filter(regions__in=regions, source=Face.Source.METADATA, person=None)
    gone = list(drawn.values_list("pk", flat=True))
    count = regions.update(state=_OFFERED, face=None, accepted_by=None, batch=None)
    vectors.removed(gone)
    for chunk in decisions.chunks(gone):
        Face.objects.filter(pk__in=chunk).delete()
    return count


def _open() -> QuerySet[Region]:
    return Region.objects.filter(state=_OFFERED, media__present=True)


def _answered(by: User, names: Sequence[str] | None) -> QuerySet[Region]:
    if not by.sees_everything:
        raise Forbidden("only owners and curators decide about the names in files")
    return _open() if names is None else _open().filter(name__in=list(names))


# --- the work ---


def run_names(job: Job, *, beat: Callable[[int], None]) -> None:
    """Give the faces the names that were accepted, where the photos are analysed already.

    Name by name, so that each takes few decisions, and each part in a transaction: done again, it
    goes on where it ended.

    Args:
        job: with the batch.
        beat: told now and then how many regions are settled. It raises Cancelled.
    """
    analysed = Analysis.objects.filter(
        media=OuterRef("media"),
        pack__active=True,
        state__in=(Analysis.State.DONE, Analysis.State.FAILED),
    )
    due = _pending().filter(Exists(analysed), batch=job.payload["batch"]).order_by("name", "pk")
    done = 0
    while some := _settled(due[:_AT_ONCE]):
        beat(done := done + some)


def faces_named(media_ids: Iterable[int]) -> None:
    """Give the faces of these media, which are analysed now, the names that were accepted."""
    pending = _pending().filter(media__in=list(media_ids)).order_by("name", "pk")
    if pending.exists():
        _settled(pending)


def _pending() -> QuerySet[Region]:
    return Region.objects.filter(state=_ACCEPTED, face=None)


def _settled(pending: QuerySet[Region]) -> int:
    """Settle regions, each for good: it has a face now, or is not accepted any more."""
    with decisions.one_at_a_time():
        regions = list(pending.select_related("accepted_by"))
        able: list[Region] = []
        for region in regions:
            user = region.accepted_by
            if user is not None and user.sees_everything:
                able.append(region)
            else:  # whoever accepted it is gone, or may not any more: somebody else decides
                region.state, region.accepted_by, region.batch = _OFFERED, None, None
        _find_faces(able)
        free = _nameable([region for region in able if region.face_id is not None])
        fields = ["state", "accepted_by", "batch", "face"]
        Region.objects.bulk_update(regions, fields, batch_size=_AT_ONCE)
        said: dict[tuple[UUID | None, str], list[Region]] = {}
        for region in free:
            said.setdefault((region.batch, region.name), []).append(region)
        for (batch, name), theirs in said.items():
            by = theirs[0].accepted_by
            assert by is not None  # see above
            assign(by, [region.face for region in theirs if region.face], name, batch=batch)
        return len(regions)


# --- which face ---


def _find_faces(regions: Sequence[Region]) -> None:
    """Give each region its face, a new one where the detector found none there.

    Where somebody said that there is no face, or where one was erased, the region is declined.
    """
    media = {region.media_id for region in regions}
    faces: dict[int, list[Face]] = {}
    for face in Face.objects.filter(media__in=media, time=None, dismissed=False).order_by("pk"):
        faces.setdefault(face.media_id, []).append(face)
    batches = {region.batch for region in regions}
    settled = Region.objects.filter(media__in=media, batch__in=batches).exclude(face=None)
    taken = set(settled.values_list("face_id", flat=True))
    removed = _removed(media)
    theirs: dict[int, list[Region]] = {}
    for region in regions:
        if any(fit(_box(region), box) for box in removed.get(region.media_id, ())):
            region.state = _DECLINED
        else:
            theirs.setdefault(region.media_id, []).append(region)
    # Those whose turn comes later take part, so that no face is taken from the one it fits best.
    later: dict[int, list[Region]] = {}
    for region in _pending().filter(media__in=list(theirs)).exclude(pk__in=[r.pk for r in regions]):
        later.setdefault(region.media_id, []).append(region)
    fresh: list[Region] = []
    for medium, some in theirs.items():
        free = [face for face in faces.get(medium, ()) if face.pk not in taken]
        _pair([*some, *later.get(medium, ())], free)
        fresh += [region for region in some if region.face is None]
    drawn = [
        Face(
            media_id=region.media_id,
            source=Face.Source.METADATA,
            x1=region.x1,
            y1=region.y1,
            x2=region.x2,
            y2=region.y2,
        )
        for region in fresh
    ]
    for region, face in zip(fresh, Face.objects.bulk_create(drawn), strict=True):
        region.face = face
    embedding.ask([face.pk for face in drawn])


def _pair(regions: Iterable[Region], faces: Sequence[Face]) -> None:
    """Give regions faces, each face to one region, the pairs that overlap most first."""
    pairs = [
        (how, region, face)
        for region in regions
        for face in faces
        if (how := fit(_box(region), face.box))
    ]
    paired: set[int] = set()
    for _, region, face in sorted(pairs, key=lambda pair: (-pair[0], pair[1].pk, pair[2].pk)):
        if region.face is None and face.pk not in paired:
            region.face = face
            paired.add(face.pk)


def _removed(media: Iterable[int]) -> Mapping[int, list[Box]]:
    """Return the boxes of each medium in which no face may be again."""
    payloads = {
        bytes(payload): pk
        for pk, payload in Media.objects.filter(pk__in=list(media)).values_list(
            "pk", "payload_hash"
        )
    }
    boxes: dict[int, list[Box]] = {}
    for row in Suppression.objects.filter(payload_hash__in=list(payloads), time=None):
        box = (row.x1, row.y1, row.x2, row.y2)
        boxes.setdefault(payloads[bytes(row.payload_hash)], []).append(box)
    return boxes


def _nameable(regions: Sequence[Region]) -> list[Region]:
    """Return the regions whose face nobody has named, or said not to be of that name."""
    faces = [region.face_id for region in regions]
    said = DecisionFace.objects.filter(
        Q(decision__verb=Decision.Verb.REJECT, decision__revoked_by=None), face__in=faces
    )
    names = ("decision__person__name", "decision__person__root__name")
    refused: set[tuple[int | None, str]] = set()
    for face, name, root in said.values_list("face_id", *names):
        refused |= {(face, (told or "").casefold()) for told in (name, root)}
    return [
        region
        for region in regions
        if region.face
        and region.face.person_id is None
        and (region.face_id, region.name.casefold()) not in refused
    ]


def _box(region: Region) -> Box:
    return region.x1, region.y1, region.x2, region.y2
