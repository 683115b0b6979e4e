"""Standing: what follows from the decisions that nobody has taken back.

- `Face.person`: whom the newest standing CONFIRM names, unless a later REJECT stands against it.
- `Face.dismissed`: whether a NOT_A_FACE stands after which nobody drew the face again; of a face
  that a human drew, or of somebody who does not show, whether nothing stands that put it there.
- `Track.face`: of stretches that somebody put apart, whom the newest standing DRAW gave them to.
- `Face.box`: where the newest standing BOX put it, else where it was found.
- `Person.merged_into`, `name`, `hidden` and `cover`: what the newest standing decision says.
- `Person.root`: where following `merged_into` ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Q, QuerySet

from lookwho.core.following import Spot, Stretch, best_share
from lookwho.core.orientation import Box
from lookwho.core.regions import overlap
from lookwho.library.models import Decision, DecisionFace, Face, Person, Suppression
from lookwho.library.models.placed import Placed
from lookwho.library.queries import tracks
from lookwho.library.vectors.listing import listed
from lookwho.services import embedding, stretches
from lookwho.services.decisions import (
    CHUNK,
    GUESSED,
    SAME_BOX,
    SAME_SECONDS,
    Act,
    Shown,
    chunks,
    one_at_a_time,
    shown,
)

Verb = Decision.Verb

# By these a face is where no detector may have found one.
_PUT = (Verb.DRAW, Verb.ABSENT)


def revoke(act: Act, decisions: Sequence[Decision]) -> None:
    """Take decisions back, and write what follows from those that still stand."""
    Decision.objects.bulk_create(
        [
            Decision(
                actor=act.by,
                verb=Verb.REVOKE,
                person_id=each.person_id,
                other_id=each.other_id,
                batch=act.batch,
                revokes=each,
            )
            for each in decisions
        ],
        batch_size=CHUNK,
    )
    about = DecisionFace.objects.filter(decision__in=[each.pk for each in decisions])
    faces = _ids(about)
    parted = stretches.give_back(decisions)
    settle_faces(faces)
    look_anew(Face.objects.filter(pk__in=listed(faces)))
    settle_boxes(_ids(about.filter(decision__verb=Verb.BOX)))
    Suppression.objects.filter(decision__in=[each.pk for each in decisions]).delete()
    settle_people({each.person_id for each in decisions if each.person_id is not None})
    # Now that everybody is who they are again.
    _guess_again(_ids(about.filter(decision__verb=Verb.REJECT)))
    embedding.ask(parted)
    # What was no face for a while may have missed new models.
    if back := _ids(about.filter(decision__verb=Verb.NOT_A_FACE)):
        embedding.ask(back, missing=True)


# --- faces ---


def settle_faces(faces: Iterable[int]) -> None:
    """Write who these faces are, and whether they are any, as follows from what stands."""
    for chunk in chunks(sorted(set(faces))):
        said = DecisionFace.objects.filter(
            Q(decision__verb__in=(Verb.CONFIRM, Verb.REJECT, Verb.NOT_A_FACE))
            & Q(decision__revoked_by=None)
            | Q(decision__verb__in=_PUT),
            face__in=listed(chunk),
        ).order_by("decision_id")
        person: dict[int, int | None] = dict.fromkeys(chunk)
        dismissed = dict.fromkeys(chunk, False)
        rows = list(
            said.values_list(
                "face_id", "decision__verb", "decision__person_id", "decision__revoked_by"
            )
        )
        put = {face for face, verb, *_ in rows if verb in _PUT}
        absent: set[int] = set()
        if put:
            sources = dict(Face.objects.filter(pk__in=put).values_list("pk", "source"))
            absent = {face for face, source in sources.items() if source == Face.Source.ABSENT}
            # Nobody but a human says that they are there.
            dismissed |= {
                face: source in (Face.Source.HUMAN, Face.Source.ABSENT)
                for face, source in sources.items()
            }
        for face, verb, who, revoked in rows:
            if revoked is not None:
                continue
            if verb == Verb.CONFIRM:
                person[face] = who
            elif verb in _PUT:
                dismissed[face] = False
            elif verb == Verb.NOT_A_FACE:
                dismissed[face] = True
            elif person[face] == who:
                person[face] = None
        dismissed |= {face: True for face in absent if person[face] is None}
        outcomes: dict[tuple[int | None, bool], list[int]] = {}
        for face in chunk:
            outcomes.setdefault((person[face], dismissed[face]), []).append(face)
        for (who, none), theirs in outcomes.items():
            Face.objects.filter(pk__in=listed(theirs)).update(person=who, dismissed=none)
            if who is None:
                unguess(theirs)


def unguess(faces: Iterable[int]) -> None:
    """Take guesses away that a human has contradicted, of faces that are nobody's any more.

    While a face is somebody's its guess stands still, though people may be merged meanwhile.
    """
    for chunk in chunks(sorted(set(faces))):
        open_ = Face.objects.filter(pk__in=listed(chunk), person=None).exclude(guess=None)
        guesses = {
            face: root or who for face, who, root in open_.values_list("pk", "guess", "guess__root")
        }
        said = DecisionFace.objects.filter(
            face__in=listed(guesses), decision__verb=Verb.REJECT, decision__revoked_by=None
        )
        wrong = {
            face
            for face, who, root in said.values_list(
                "face_id", "decision__person_id", "decision__person__root"
            )
            if face is not None and guesses[face] == (root or who)
        }
        Face.objects.filter(pk__in=listed(wrong)).update(guess=None, probability=None)


def look_anew(faces: QuerySet[Face]) -> None:
    """Let the next pass look as if for the first time at faces without a guess beside these.

    One of them may be somebody whom another face in the photo was until now.
    """
    beside = Face.objects.filter(media__in=faces.values("media"), person=None, guess=None)
    beside.exclude(probability=None).update(probability=None)


def settle_boxes(faces: Iterable[int]) -> None:
    """Write where these faces are, of whose boxes a decision was just taken back."""
    said = DecisionFace.objects.filter(face__in=list(faces), decision__verb=Verb.BOX)
    boxes: dict[int, Box] = {}
    for row in said.order_by("decision_id").select_related("decision__revoked_by"):
        assert row.face_id is not None  # see above
        if not hasattr(row.decision, "revoked_by"):
            boxes[row.face_id] = row.x1, row.y1, row.x2, row.y2
        elif row.face_id not in boxes:
            boxes[row.face_id] = box_from(row.decision.text)
    rows = list(Face.objects.filter(pk__in=boxes))
    for face in rows:
        face.x1, face.y1, face.x2, face.y2 = boxes[face.pk]
    Face.objects.bulk_update(rows, ["x1", "y1", "x2", "y2"], batch_size=CHUNK)
    embedding.ask([face.pk for face in rows])


def box_text(box: Box) -> str:
    """Return a box as a BOX decision keeps it.

    >>> box_text((0.25, 0.1, 0.5, 0.3))
    '0.25 0.1 0.5 0.3'
    """
    return " ".join(f"{round(edge, 9):.9g}" for edge in box)


def box_from(text: str) -> Box:
    """Return the box that `box_text` wrote."""
    x1, y1, x2, y2 = map(float, text.split())
    return x1, y1, x2, y2


def _guess_again(faces: Iterable[int]) -> None:
    """Give faces the guess back that a REJECT took, which has itself been taken back."""
    for chunk in chunks(sorted(set(faces))):
        said = DecisionFace.objects.filter(
            face__in=listed(chunk), face__guess=None, decision__verb=Verb.REJECT
        ).order_by("-decision_id")
        taken: dict[int, tuple[int, int]] = {}
        standing: set[tuple[int, int]] = set()
        fields = ("decision__person_id", "decision__person__root", "decision__text")
        for face, revoked, who, root, text in said.values_list(
            "face_id", "decision__revoked_by", *fields
        ):
            if revoked is None:
                standing.add((face, root or who))
            elif text == GUESSED:
                taken.setdefault(face, (who, root or who))
        people: dict[int, list[int]] = {}
        for face, (who, root) in taken.items():
            if (face, root) not in standing:
                people.setdefault(who, []).append(face)
        for who, theirs in people.items():
            Face.objects.filter(pk__in=listed(theirs)).update(guess=who)


def _ids(about: object) -> set[int]:
    rows = about.values_list("face_id", flat=True)  # type: ignore[attr-defined]
    return {face for face in rows if face is not None}


# --- people ---


def settle_people(people: Iterable[int]) -> None:
    """Write what these people are called and whom they were merged into, as follows from it."""
    said = Decision.objects.filter(
        person__in=list(people), verb__in=(Verb.RENAME, Verb.HIDE, Verb.COVER, Verb.MERGE)
    )
    found: dict[int, dict[str, list[Decision]]] = {}
    for each in said.select_related("revoked_by").order_by("pk"):
        if each.person_id is not None:
            found.setdefault(each.person_id, {}).setdefault(each.verb, []).append(each)
    for person in Person.objects.filter(pk__in=found):
        told = found[person.pk]
        if renames := told.get(Verb.RENAME):
            last = _newest(renames)
            person.name = last.text if last else renames[0].before
        if hides := told.get(Verb.HIDE):
            last = _newest(hides)
            person.hidden = (last.text if last else hides[0].before) == "1"
        if covers := told.get(Verb.COVER):
            last = _newest(covers)
            face = DecisionFace.objects.filter(decision=last).first() if last else None
            person.cover_id = face.face_id if face else None
        if merges := told.get(Verb.MERGE):
            last = _newest(merges)
            person.merged_into_id = last.other_id if last else None
            whose = [person.pk, *(each.other_id for each in merges)]
            look_anew(Face.objects.filter(Q(person__in=whose) | Q(guess__in=whose)))
        person.save(update_fields=["name", "hidden", "cover", "merged_into"])
    settle_roots()


def _newest(decisions: Sequence[Decision]) -> Decision | None:
    return next((each for each in reversed(decisions) if not hasattr(each, "revoked_by")), None)


def settle_roots() -> None:
    """Write where following `merged_into` ends, for all who were ever merged: those are few."""
    merged = Person.objects.exclude(merged_into=None, root=None)
    rows = {pk: (into, root) for pk, into, root in merged.values_list("pk", "merged_into", "root")}
    roots: dict[int | None, list[int]] = {}
    for pk, (into, root) in rows.items():
        end = into
        while end in rows and rows[end][0] is not None:
            end = rows[end][0]
        if end != root:
            roots.setdefault(end, []).append(pk)
    for end, people in roots.items():
        for chunk in chunks(people):
            Person.objects.filter(pk__in=chunk).update(root=end)


# --- after a new analysis ---


def attach(media: Iterable[int]) -> None:
    """Let decisions about faces that an analysis replaced find those that it found instead."""
    ids = list(media)
    payloads = Face.objects.filter(media__in=ids).values("media__payload_hash")
    orphans = DecisionFace.objects.filter(face=None, payload_hash__in=payloads)
    if not orphans.exists():
        return
    with one_at_a_time():
        found: list[DecisionFace] = []
        faces: dict[bytes, list[Shown]] = {}
        for face in shown(Face.objects.filter(media__in=ids).order_by("pk")):
            faces.setdefault(face.payload_hash, []).append(face)
        ways = ways_of(face for some in faces.values() for face in some)
        for orphan in orphans.order_by("pk"):
            if face := same_face(orphan, faces[bytes(orphan.payload_hash)], ways):
                orphan.face_id = face.pk
                found.append(orphan)
        DecisionFace.objects.bulk_update(found, ["face"], batch_size=CHUNK)
        settle_faces(each.face_id for each in found if each.face_id is not None)
        covers = Decision.objects.filter(
            verb=Verb.COVER, pk__in={each.decision_id for each in found}
        )
        settle_people([who for who in covers.values_list("person_id", flat=True) if who])


def ways_of(faces: Iterable[Shown]) -> dict[int, list[Stretch]]:
    """Return through which stretches those of these faces are followed that are in videos."""
    return tracks.stretches_of([face.pk for face in faces if face.time is not None])


def same_face(
    orphan: Placed, faces: Iterable[Shown], ways: Mapping[int, list[Stretch]]
) -> Shown | None:
    """Return which of these faces stands where one stood that is gone, if any does.

    Args:
        orphan: where it stood.
        faces: of the same medium.
        ways: what `ways_of` says of them: in a video a face is where it was followed to.
    """
    place = orphan.x1, orphan.y1, orphan.x2, orphan.y2
    best, most = None, 0.0
    for face in faces:
        if (orphan.time is None) != (face.time is None):
            continue
        apart = abs((orphan.time or 0.0) - (face.time or 0.0))
        shared = overlap(place, face.box) if apart <= SAME_SECONDS else 0.0
        if orphan.time is not None and face.pk in ways:
            _, followed = best_share(ways[face.pk], Spot(orphan.time, place))
            shared = max(shared, followed)
        if shared >= SAME_BOX and shared > most:
            best, most = face, shared
    return best
