"""Labels in: names from the label files of other tools, put on the faces of the library.

Each image of the file is one photo of the library or none: where two photos may be meant, neither
is taken. Each box is the face that it overlaps, or a face to be drawn. What would happen is worked
out first, and can be looked at before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from lookwho.core import labelfiles
from lookwho.core.errors import Conflict, Forbidden, Invalid, LookwhoError
from lookwho.core.labelfiles import Box, Labels, Named
from lookwho.core.regions import overlap
from lookwho.library.models import Face, Label, Location, Media, Person, Project, Task, User
from lookwho.library.paths import escaped
from lookwho.services import drawing
from lookwho.services import faces as said
from lookwho.services.decisions import Done
from lookwho.services.identity import checked_name, find_named, folded
from lookwho.services.labels import show
from lookwho.services.tasks import (
    for_curators,
    in_project,
    may_label,
    person_called,
    settle,
    with_room,
)

# A box and a face that overlap by so much (intersection over union) are the same.
SAME_FACE = 0.3
# An image whose sides are to one another as those of the photo, but for so much, is that photo.
SAME_SHAPE = 0.02
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Match:
    """A box of the file and what it stands for here.

    Attributes:
        named: the box.
        media: the photo.
        box: x1, y1, x2, y2 as fractions of the upright photo.
        face: whose box it is; None for a face to be drawn.
        known: who the face is confirmed to be.
    """

    named: Named
    media: Media
    box: Box
    face: Face | None
    known: Person | None


@dataclass(slots=True)
class Plan:
    """What taking a file in would do.

    Attributes:
        kind: of the file, for people.
        boxes: how many with a name it holds.
        nameless: how many without.
        confirm: faces that get a name.
        draw: faces to be drawn, with their names.
        same: how many faces have that name already.
        problems: what cannot be taken over, and why.
        more: how many problems there are beyond those.
    """

    kind: str
    boxes: int
    nameless: int
    confirm: list[Match] = field(default_factory=list)
    draw: list[Match] = field(default_factory=list)
    same: int = 0
    problems: list[str] = field(default_factory=list)
    more: int = 0

    @property
    def people(self) -> int:
        """How many names would be given."""
        return len({match.named.name.casefold() for match in (*self.confirm, *self.draw)})

    @property
    def refused(self) -> int:
        """How many things cannot be taken over."""
        return len(self.problems) + self.more


def plan(by: User, data: bytes) -> Plan:
    """Return what a label file would do; nothing is written.

    Raises:
        Forbidden: this user may not.
        Invalid: it is no label file, or damaged.
    """
    for_curators(by)
    labels = labelfiles.read(data)
    found = Plan(labels.kind, len(labels.named), labels.nameless)
    by_file: dict[tuple[str, str], list[Named]] = {}
    for named in labels.named:
        try:
            checked_name(named.name)
        except Invalid as error:
            labels.complain(f"{named.where}: {error.message}")
            continue
        by_file.setdefault((named.payload, named.file), []).append(named)
    media = _media_of(by_file, labels)
    ids = sorted({row.pk for row in media.values()})
    faces: dict[int, list[Face]] = {}
    for start in range(0, len(ids), CHUNK):
        rows = Face.objects.filter(media__in=ids[start : start + CHUNK], dismissed=False)
        rows = rows.exclude(source=Face.Source.ABSENT).select_related("person__root")
        for face in rows.order_by("pk"):
            faces.setdefault(face.media_id, []).append(face)
    # Two files that are the same photo count together: else a face would get two names.
    by_media: dict[int, list[Named]] = {}
    for key, named in by_file.items():
        if key in media:
            by_media.setdefault(media[key].pk, []).extend(named)
    rows = {row.pk: row for row in media.values()}
    for pk, named in by_media.items():
        if rows[pk].kind != Media.Kind.PHOTO:
            labels.complain(f"{named[0].where}: this is a video, and boxes are told of photos only")
            continue
        for match in _matches(rows[pk], named, faces.get(pk, []), labels):
            _sort(match, found, labels)
    found.problems, found.more = labels.problems, labels.more
    return found


def take_in(by: User, plan: Plan) -> Done:
    """Confirm what a file says: one act, which undo takes back.

    Raises:
        Forbidden: this user may not.
        Conflict: there is nothing in it that the library does not have.
    """
    for_curators(by)
    if not (plan.confirm or plan.draw):
        raise Conflict("there is nothing in this file that the library does not have already")
    batch = uuid4()
    drawn = 0
    with transaction.atomic():
        theirs: dict[str, list[Match]] = {}
        for match in (*plan.confirm, *plan.draw):
            theirs.setdefault(match.named.name.casefold(), []).append(match)
        confirmed = 0
        for matches in theirs.values():
            name = checked_name(matches[0].named.name)
            # Somebody whom only a label project knows is somebody, too.
            if find_named(name) is None:
                show(by, person_called(name), batch)
            faces = [match.face for match in matches if match.face is not None]
            if faces:
                said.assign(by, faces, name, batch=batch)
                confirmed += len(faces)
            for match in matches:
                if match.face is None:
                    drawn += _drawn(by, match, name, plan, batch)
    parts = ((confirmed, "named"), (drawn, "drawn"))
    told = ", ".join(f"{count:,} {what}" for count, what in parts if count) or "nothing was left"
    return Done(batch, f"Of the faces {told}.")


def take_in_as(
    by: User, plan: Plan, project: Project, annotator: User, *, now: datetime | None = None
) -> int:
    """Take what a file says for one annotator's labels in a project, and return how many.

    Faces that are not in the project, that they have labelled, or that have all their labels, stay
    as they are.

    Raises:
        Forbidden: this user may not.
        Invalid: the annotator does not label in the project.
        Conflict: no face of the file is one that they may still label.
    """
    for_curators(by)
    now = now or timezone.now()
    with in_project(project.pk) as row:
        if row.closed_at:
            raise Conflict(f"{row.title} is over: nothing is labelled in it any more")
        if not may_label(annotator, row):
            raise Invalid(f"{annotator.username} does not label in {row.title}: add them first")
        said_of = {match.face.pk: match for match in plan.confirm if match.face is not None}
        ids = sorted(said_of)
        people: dict[str, Person] = {}
        given = 0
        for start in range(0, len(ids), CHUNK):
            tasks = Task.objects.filter(project=row, face__in=ids[start : start + CHUNK])
            open_ones = tasks.filter(state=Task.State.OPEN)
            for task in with_room(open_ones, row, annotator, now=now).order_by("pk"):
                match = said_of[task.face_id or 0]
                key = match.named.name.casefold()
                who = people.get(key) or person_called(match.named.name)
                people[key] = who
                label, _ = Label.objects.get_or_create(task=task, user=annotator)
                label.verdict, label.person = Label.Verdict.PERSON, who
                label.held_until, label.seconds, label.given_at = None, None, now
                label.save()
                settle(task, row)
                given += 1
        if not given:
            raise Conflict(
                f"no face of this file is one that {annotator.username} may still label "
                f"in {row.title}"
            )
        return given


def read_upload(chunks: Iterable[bytes], size: int | None) -> bytes:
    """Return the bytes of a file that somebody brings.

    Raises:
        Invalid: it is too large.
    """
    most = labelfiles.MOST_BYTES
    if size is not None and size > most:
        raise Invalid(f"this file has {size / 2**20:.0f} MB, and at most 64 can be read")
    found = bytearray()
    for chunk in chunks:
        found += chunk
        if len(found) > most:
            raise Invalid("this file has more than 64 MB, and more cannot be read")
    return bytes(found)


# --- what it is made of ---


def _media_of(files: Iterable[tuple[str, str]], labels: Labels) -> dict[tuple[str, str], Media]:
    """Return the photo that each file name means, where it means one and no other."""
    asked = list(files)
    payloads: dict[str, Media] = {}
    known = sorted({payload for payload, _ in asked if len(payload) == 64})
    for start in range(0, len(known), CHUNK):
        hashes = [_bytes(payload) for payload in known[start : start + CHUNK]]
        for media in Media.objects.filter(payload_hash__in=hashes, present=True):
            payloads[bytes(media.payload_hash).hex()] = media
    found = {key: payloads[key[0]] for key in asked if key[0] in payloads}
    wanted = {steps[-1] for _, file in asked if (steps := _told(file))}
    places: dict[str, list[tuple[tuple[str, ...], tuple[str, ...], int]]] = {}
    rows = Location.objects.filter(missing_since=None).exclude(media=None)
    # All names are looked through: far fewer bytes than asking for each of a file's thousands.
    for path, root, media in rows.values_list("path", "collection__root", "media").iterator():
        base = path.rpartition("/")[2]
        if base in wanted and media is not None:
            places.setdefault(base, []).append((_stored(path), _stored(root), media))
    meant: dict[tuple[str, str], int] = {}
    for key in asked:
        if key in found:
            continue
        parts = _told(key[1])
        best = _best(parts, places.get(parts[-1], []) if parts else [])
        if len(best) == 1:
            meant[key] = best.pop()
        elif best:
            labels.complain(f"{key[1][:200]}: {len(best)} photos are called so; none was taken")
        else:
            labels.complain(f"{key[1][:200]}: there is no such photo in the library")
    ids = sorted(set(meant.values()))
    media = {}
    for start in range(0, len(ids), CHUNK):
        media |= Media.objects.filter(present=True).in_bulk(ids[start : start + CHUNK])
    return found | {key: media[pk] for key, pk in meant.items() if pk in media}


def _best(
    told: tuple[str, ...], places: Sequence[tuple[tuple[str, ...], tuple[str, ...], int]]
) -> set[int]:
    """Return the media whose path fits best: one of the two paths must end as all of the other."""
    best, most = set[int](), 0
    for path, root, media in places:
        whole = (*root, *path)
        common = 0
        for one, other in zip(reversed(told), reversed(whole), strict=False):
            if one != other:
                break
            common += 1
        if common < min(len(told), len(path)):
            continue
        if common > most:
            best, most = {media}, common
        elif common == most:
            best.add(media)
    return best


def _told(file: str) -> tuple[str, ...]:
    """Return the steps of a path in a label file, as they would be stored here."""
    steps = PurePosixPath(escaped(file.replace("\\", "/"))).parts
    return tuple(step for step in steps if step != "/")


def _stored(path: str) -> tuple[str, ...]:
    return tuple(step for step in PurePosixPath(path).parts if step != "/")


def _bytes(payload: str) -> bytes:
    try:
        return bytes.fromhex(payload)
    except ValueError:
        return b""


def _matches(
    media: Media, named: Sequence[Named], faces: Sequence[Face], labels: Labels
) -> list[Match]:
    """Return which face each box of one photo is: those that overlap most come first."""
    boxes: list[tuple[Named, Box]] = []
    for each in named:
        width, height = each.size if all(each.size) else (media.width, media.height)
        if not (width and height):
            labels.complain(f"{each.where}: how large the photo is, is not known")
        elif not _same_shape(width, height, media):
            labels.complain(
                f"{each.where}: the image has {width} × {height} pixels there, "
                f"and {media.width} × {media.height} here: turned or cropped?"
            )
        else:
            x1, y1, x2, y2 = each.box
            box = (x1 / width, y1 / height, x2 / width, y2 / height)
            clipped = [min(max(edge, 0.0), 1.0) for edge in box]
            boxes.append((each, (clipped[0], clipped[1], clipped[2], clipped[3])))
    pairs = [
        (shared, place, face)
        for place, (_, box) in enumerate(boxes)
        for face in faces
        if (shared := overlap(box, face.box)) >= SAME_FACE
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2].pk))
    taken: dict[int, Face] = {}
    used: set[int] = set()
    for _, place, face in pairs:
        if place not in taken and face.pk not in used:
            taken[place] = face
            used.add(face.pk)
    found: list[Match] = []
    for place, (each, box) in enumerate(boxes):
        face = taken.get(place)
        known = face.person if face else None
        found.append(Match(each, media, box, face, known and (known.root or known)))
    return found


def _same_shape(width: int, height: int, media: Media) -> bool:
    if not (media.width and media.height):
        return True
    return abs(width * media.height / (height * media.width) - 1) <= SAME_SHAPE


def _sort(match: Match, found: Plan, labels: Labels) -> None:
    name = checked_name(match.named.name)
    if match.face is None:
        found.draw.append(match)
    elif match.known is None or not match.known.name:
        found.confirm.append(match)
    elif folded(match.known.name) == folded(name):
        found.same += 1
    else:
        labels.complain(
            f"{match.named.where}: the face is confirmed as {match.known.name}, not {name}"
        )


def _drawn(by: User, match: Match, name: str, plan: Plan, batch: UUID) -> int:
    try:
        with transaction.atomic():
            drawing.draw(by, match.media, match.box, name, batch=batch)
    except Forbidden:
        raise
    except LookwhoError as error:
        plan.problems.append(f"{match.named.where}: {error.message}")
        return 0
    return 1
