"""Releases: a project's labels, frozen and numbered, to be told by their digest.

What a release holds is JSON Lines: first a line about itself, then one for each face, with what
every annotator said and what that came to. It refers to nothing in the database, and later labels,
merges and deletions change nothing in it. Only an erasure may: that of a person's name goes before.

Each person is in one part alone: training, validation or test. Which one follows from a hash of
the project and the person, so that it stays the same from one release to the next.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from lookwho.core.errors import Conflict, Invalid, NotFound
from lookwho.library.models import Label, Location, Media, Person, Project, Release, Task, User
from lookwho.library.paths import unescaped
from lookwho.library.queries import labelling as queries
from lookwho.services.labels import box_of
from lookwho.services.tasks import for_curators, in_project

PARTS = ("train", "validation", "test")
SHARES = (0.8, 0.1, 0.1)
FORMAT = "lookwho labels 1"
CHUNK = 500


def freeze(
    by: User,
    project: Project,
    *,
    shares: Sequence[float] = SHARES,
    names_of_annotators: bool = False,
    now: datetime | None = None,
) -> Release:
    """Make a release of all labels that a project has by now; gold faces are not in it.

    Args:
        by: an owner or a curator.
        project: which.
        shares: of the people that go to training, validation and test; together 1.
        names_of_annotators: whether it tells who the annotators are; else each is a pseudonym,
            the same in all releases of the project.
        now: when.

    Raises:
        Forbidden: this user may not.
        Invalid: the shares cannot be.
        Conflict: nothing is labelled yet.
    """
    for_curators(by)
    shares = checked_shares(shares)
    now = now or timezone.now()
    with in_project(project.pk) as row:
        faces = list(_faces(row, shares, names_of_annotators))
        if not any(face["labels"] or face["verdict"] for face in faces):
            raise Conflict("nothing is labelled in this project yet")
        latest = Release.objects.filter(project=row).aggregate(latest=Max("version"))["latest"]
        version = (latest or 0) + 1
        figures = _figures(row, faces, shares)
        head = {
            "format": FORMAT,
            "project": str(row.uuid),
            "title": row.title,
            "version": version,
            "frozen_at": now.isoformat(timespec="seconds"),
            "blind": row.blind,
            "labels_each": row.labels_each,
            **figures,
        }
        lines = b"".join(_line(each) for each in (head, *faces))
        return Release.objects.create(
            project=row,
            version=version,
            content=gzip.compress(lines, mtime=0),
            digest=hashlib.sha256(lines).digest(),
            figures=figures,
            created_by=by,
        )


def release_of(project: Project, version: int) -> Release:
    """Return a release of a project.

    Raises:
        NotFound: there is none of that number.
    """
    found = Release.objects.filter(project=project, version=version).first()
    if found is None:
        raise NotFound(f"{project.title} has no release {version}")
    return found


def content(release: Release) -> bytes:
    """Return the lines of a release, byte for byte as they were frozen.

    Raises:
        Conflict: they are not what was frozen.
    """
    try:
        lines = gzip.decompress(bytes(release.content))
    except (OSError, EOFError) as error:
        raise Conflict(_damaged(release)) from error
    if hashlib.sha256(lines).digest() != bytes(release.digest):
        raise Conflict(_damaged(release))
    return lines


def rows(release: Release) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what a release says of itself, and its faces.

    Raises:
        Conflict: it is damaged.
    """
    head, *faces = map(json.loads, content(release).splitlines())
    return head, faces


def part_of(project: UUID, person: UUID, shares: Sequence[float] = SHARES) -> str:
    """Return the part that a person is in: always the same one in a project.

    >>> part_of(UUID(int=1), UUID(int=2)), part_of(UUID(int=1), UUID(int=3), (0, 0, 1))
    ('train', 'test')
    """
    drawn = hashlib.sha256(f"{project}:{person}".encode()).digest()
    place = int.from_bytes(drawn[:8]) / 2**64
    for part, share in zip(PARTS, shares, strict=True):
        place -= share
        if place < 0:
            return part
    return next(part for part, share in reversed([*zip(PARTS, shares, strict=True)]) if share)


def checked_shares(shares: Sequence[float]) -> tuple[float, float, float]:
    """Return shares as they are used.

    Raises:
        Invalid: they are not three parts of one.
    """
    told = tuple(shares)
    fit = len(told) == len(PARTS) and all(math.isfinite(each) and each >= 0 for each in told)
    if not fit or abs(sum(told) - 1) > 1e-6:
        raise Invalid("the shares of training, validation and test make 100 % together")
    return told[0], told[1], told[2]


def pseudonym(project: Project, user: int | None) -> str:
    """Return what an annotator is called in releases: nobody without the site's key can tell who.

    All whose account is gone are called alike.
    """
    if user is None:
        return "annotator-gone"
    told = f"lookwho.releases {project.uuid} {user}".encode()
    return f"annotator-{hmac.digest(settings.SECRET_KEY.encode(), told, 'sha256').hex()[:10]}"


# --- what it is made of ---


def _faces(
    project: Project, shares: Sequence[float], names_of_annotators: bool
) -> Sequence[dict[str, Any]]:
    tasks = Task.objects.filter(project=project, gold=False).order_by("pk")
    rows = list(tasks.select_related("person__root", "face"))
    media, files = _media(rows)
    found: list[dict[str, Any]] = []
    for task, labels in queries.with_labels(rows):
        payload = bytes(task.payload_hash)
        photo = media.get(payload)
        settled = task.state == Task.State.SETTLED
        person = task.person.root or task.person if task.person else None
        found.append(
            {
                "id": str(task.uuid),
                "face": str(task.face.uuid) if task.face else None,
                "photo": str(photo.uuid) if photo else None,
                "payload": payload.hex(),
                "file": files.get(photo.pk) if photo else None,
                "width": photo.width if photo else 0,
                "height": photo.height if photo else 0,
                "time": task.time,
                "box": list(box_of(task, labels)),
                "state": task.state,
                "verdict": task.verdict if settled else "",
                "person": str(person.uuid) if settled and person else None,
                "name": person.name if settled and person else None,
                "adjudicated": task.adjudicated_at is not None,
                "split": (
                    part_of(project.uuid, person.uuid, shares) if settled and person else None
                ),
                "labels": [_label(project, label, names_of_annotators) for label in labels],
            }
        )
    return found


def _label(project: Project, label: Label, named: bool) -> dict[str, Any]:
    person: Person | None = label.person and (label.person.root or label.person)
    who = label.user.username if named and label.user else pseudonym(project, label.user_id)
    return {
        "annotator": who,
        "verdict": label.verdict,
        "person": str(person.uuid) if person else None,
        "name": person.name if person else None,
        "box": label.box,
        "seconds": label.seconds,
        "given_at": label.given_at.isoformat(timespec="seconds") if label.given_at else None,
    }


def _media(tasks: Sequence[Task]) -> tuple[dict[bytes, Media], dict[int, str]]:
    """Return the photos of tasks by payload, and the path of each by its id."""
    payloads = sorted({bytes(task.payload_hash) for task in tasks})
    media: dict[bytes, Media] = {}
    files: dict[int, str] = {}
    for start in range(0, len(payloads), CHUNK):
        some = Media.objects.filter(payload_hash__in=payloads[start : start + CHUNK])
        media |= {bytes(row.payload_hash): row for row in some}
        places = Location.objects.filter(media__in=some, missing_since=None).order_by("-pk")
        for pk, path in places.values_list("media", "path"):
            # As text that any reader of JSON takes: bytes that are no letters become "?".
            files[pk] = unescaped(path).encode(errors="replace").decode()
    return media, files


def _figures(
    project: Project, faces: Sequence[Mapping[str, Any]], shares: Sequence[float]
) -> dict[str, Any]:
    found = queries.agreement_in(project)
    split = {
        part: {
            "people": len({face["person"] for face in faces if face["split"] == part}),
            "faces": sum(face["split"] == part for face in faces),
        }
        for part in PARTS
    }
    return {
        "faces": len(faces),
        "settled": sum(face["state"] == Task.State.SETTLED for face in faces),
        "labels": sum(len(face["labels"]) for face in faces),
        "people": len({face["person"] for face in faces if face["person"]}),
        "shares": list(shares),
        "split": split,
        "alpha": found.alpha,
        "alpha_interval": found.interval and list(found.interval),
        "pairs": asdict(found.pairs),
    }


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _damaged(release: Release) -> str:
    return f"release {release.version} is damaged: it is not what was frozen"
