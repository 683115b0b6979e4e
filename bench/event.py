"""An event: its photos are sent to a site that is served, and its members find themselves.

Members come by an invitation, agree, and send two selfies each; a selfie that is refused is
followed by another photo. Then the photos of the event, members' and strangers', go into an album
as one zip in pieces (tus). It is over when nothing waits any more and every member is told of all
the photos that they are told of at the end. Before and after it the engine alone analyses the same
files, with as many processes.

Who is in a photo is known by its folder, and of nobody else in it: a member who stands behind
somebody else counts as a stranger there.
"""

from __future__ import annotations

import base64
import itertools
import re
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import machine, tables
from bench.served import Visitor, Watcher, serving
from lookwho.core import batch, packs
from lookwho.core.errors import LookwhoError

PHOTOS, MEMBERS, SELFIES = 1500, 60, 2
# Members have at least so many photos, their selfies among them.
LEAST = 4
# What the event may take, in times of the engine alone.
ASKED = 1.5
PIECE = 8 << 20
# Between two members who look whether there is a first photo of them.
PAUSE = 0.5
_TUS = {"Tus-Resumable": "1.0.0"}
_STREAM = {"Content-Type": "application/offset+octet-stream"}
# While any of these finds something, photos are still to come or to be analysed.
_COMING = (
    "select count(*) from lookwho_upload where state in ('receiving', 'unpacking')",
    "select count(*) from lookwho_job "
    "where state in ('waiting', 'leased') and kind in ('unpack', 'import')",
    "select count(*) from lookwho_analysis where state = 'waiting'",
)
_HIDDEN = "select count(*) from lookwho_album where processing"


@dataclass(slots=True)
class Member:
    """Somebody who is looked for.

    Attributes:
        name: of the folder with their photos.
        photos: theirs that are no selfies yet; the last ones are tried as selfies first.
        good: how many of their selfies can be used.
    """

    name: str
    photos: list[Path]
    good: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What a member was told: names of photo files that are theirs."""

    when: float
    files: frozenset[str]


@dataclass(slots=True)
class Course:
    """What happened, in seconds from the first byte that was sent.

    Attributes:
        sent: the last byte.
        analysed: no photo of the event waited any more.
        idle: no job did, either.
        shown: every member had been told of all that they are told of at the end.
        first: somebody saw a first photo of theirs.
        whose: what each member is told at the end, by name.
    """

    sent: float = 0.0
    analysed: float = 0.0
    idle: float = 0.0
    shown: float = 0.0
    first: float = 0.0
    whose: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])


def choose(folder: Path, members: int, seed: int = 0) -> tuple[list[Member], list[Path]]:
    """Draw members, and put the photos of all others in some order: strangers."""
    random = np.random.default_rng(seed)
    people = {
        each.name: sorted(path for path in each.iterdir() if path.is_file())
        for each in sorted(folder.iterdir())
        if each.is_dir()
    }
    able = [name for name, photos in people.items() if len(photos) >= LEAST]
    names = [able[at] for at in random.permutation(len(able))[:members]]
    found = [
        Member(name, [people[name][at] for at in random.permutation(len(people[name]))])
        for name in names
    ]
    others = [photo for name, some in people.items() if name not in names for photo in some]
    return found, [others[at] for at in random.permutation(len(others))]


def photos_of(members: Sequence[Member], strangers: Sequence[Path], count: int) -> list[Path]:
    """Return the photos of an event, in the order of their names: no selfie is among them."""
    own = [photo for member in members for photo in member.photos]
    if len(own) > count:
        raise ValueError(f"the members are in {len(own)} photos already: ask for more")
    return sorted([*own, *strangers[: count - len(own)]], key=lambda path: path.name)


def report(
    folder: Path, *, photos: int = PHOTOS, members: int = MEMBERS, processes: int | None = None
) -> Iterator[str]:
    """Yield the lines of the tables, for a folder of folders, one for each person."""
    load = machine.load()
    cores = processes or batch.usable_cores()
    chosen, strangers = choose(folder, members)
    with tempfile.TemporaryDirectory(prefix="lookwho-bench-") as made:
        place = Path(made)
        with serving(place / "site", "--processes", str(cores)) as link:
            owner = Visitor(link)
            theirs = _come(owner, chosen)
            files = photos_of(chosen, strangers, photos)
            packed = _packed(files, place / "event.zip")
            before = _engine_alone(files, cores)
            course = _held(owner, theirs, packed, Watcher(place / "site"))
            faces = Watcher(place / "site").number("select count(*) from lookwho_face")
        after = _engine_alone(files, cores)
    yield from machine.warning(load)
    good = sum(member.good for member in chosen)
    own = sum(len(member.photos) for member in chosen)
    yield (
        f"{len(files):,} photos, {faces:,} faces; {len(chosen)} members with {good} selfies, who "
        f"are in {own:,} of the photos; {cores} processes. The engine alone took {before:.1f} s "
        f"before and {after:.1f} s after."
    )
    yield ""
    yield from tables.markdown(*_times(course, len(files), (before + after) / 2))
    yield ""
    yield (
        f"At most {ASKED} was asked of the last row. Somebody saw a first photo of theirs after "
        f"{course.first:.1f} s: one member after the other looked, every {PAUSE} s. Once all was "
        "analysed, one after the other was asked all the time."
    )
    yield ""
    yield from tables.markdown(*_found(chosen, course.whose))


def _times(course: Course, count: int, alone: float) -> tuple[list[str], list[list[str]]]:
    heads = ["from the first byte on", "seconds", "photos/s", "times the engine alone"]
    steps = {
        "the engine alone": alone,
        "all was sent": course.sent,
        "all was analysed": course.analysed,
        "no job waited": course.idle,
        "every member's My photos was complete": course.shown,
    }
    rows = [
        [name, f"{spent:.1f}", f"{count / spent:.1f}", f"{spent / alone:.2f}"]
        for name, spent in steps.items()
    ]
    return heads, rows


def _found(
    members: Sequence[Member], whose: dict[str, frozenset[str]]
) -> tuple[list[str], list[list[str]]]:
    """Return a table of what members were told as theirs, by the folders of the photos."""
    right = wrong = of = complete = 0
    for member in members:
        own = {path.name for path in member.photos}
        told = whose[member.name]
        right, wrong, of = right + len(told & own), wrong + len(told - own), of + len(own)
        complete += told >= own
    told = max(right + wrong, 1)
    row = [
        "My photos at the end",
        f"{right:,} of {of:,} ({100 * right / max(of, 1):.1f} %)",
        f"{complete} of {len(members)}",
        f"{wrong:,} of {right + wrong:,} ({100 * wrong / told:.1f} %)",
    ]
    return ["", "found of theirs", "members with all of theirs", "of somebody else's folder"], [row]


# --- before: members and what they send ---


def _come(owner: Visitor, members: Sequence[Member]) -> dict[str, Visitor]:
    """Let the members come in by one invitation and send selfies; return them by name."""
    link = owner.tell("/members/invitations")["link"]
    path = "/join/" + link.split("/join/")[1]
    found = {each.name: Visitor(owner.site + path, name=each.name) for each in members}
    for each in members:
        _send_selfies(found[each.name], each, SELFIES)
    while True:
        waits = False
        for each in members:
            selfies = found[each.name].json("/me/selfies")
            each.good = sum(one["state"] == "done" for one in selfies)
            processing = sum(one["state"] == "processing" for one in selfies)
            wanted = SELFIES - each.good - processing
            waits = waits or bool(processing)
            if wanted > 0 and _send_selfies(found[each.name], each, wanted):
                waits = True
        if not waits:
            return found
        time.sleep(0.2)


def _send_selfies(visitor: Visitor, member: Member, count: int) -> int:
    """Send photos as selfies, as long as one for the event is left; return how many."""
    version = next(
        each["text"]["version"]
        for each in visitor.json("/me/consents")
        if each["purpose"] == "find_me"
    )
    sent = 0
    while sent < count and len(member.photos) > 1:
        photo = member.photos.pop()
        form = {"agree": "true", "version": str(version)}
        try:
            visitor.send_file("/me/selfies", photo.name, photo.read_bytes(), **form)
        except LookwhoError as error:
            print(f"{photo.name}: {error.message}", file=sys.stderr)
        else:
            sent += 1
    return sent


def _packed(files: Sequence[Path], into: Path) -> Path:
    """Pack photos into a zip, as they are."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as packed:
        for path in files:
            packed.write(path, path.name)
    return into


def _engine_alone(files: Sequence[Path], cores: int) -> float:
    began = time.perf_counter()
    for _ in batch.run(list(map(str, files)), packs.settings(), processes=cores):
        pass
    return time.perf_counter() - began


# --- the event ---


def _held(owner: Visitor, members: dict[str, Visitor], packed: Path, watcher: Watcher) -> Course:
    """Send the photos, and watch until all members are told of all of theirs."""
    slug = owner.tell("/albums", title="The event")["slug"]
    course, done = Course(), threading.Event()
    began = time.perf_counter()
    impatient = threading.Thread(target=_look_for_first, args=(members, course, began, done))
    impatient.start()
    try:
        _send(owner, slug, packed)
        course.sent = time.perf_counter() - began
        while any(map(watcher.number, _COMING)):
            time.sleep(0.1)
        course.analysed = time.perf_counter() - began
        seen = _asked_until_still(members, watcher, course, began)
    finally:
        done.set()
        impatient.join()
    course.shown = max(course.idle, *(told.when for told in seen.values()))
    course.whose = {name: told.files for name, told in seen.items()}
    return course


def _asked_until_still(
    members: dict[str, Visitor], watcher: Watcher, course: Course, began: float
) -> dict[str, Told]:
    """Ask for one member after the other, until nothing waits and all were told the same again."""
    seen: dict[str, Told] = {}
    same = 0
    for name, visitor in itertools.cycle(members.items()):
        if watcher.busy() or watcher.number(_HIDDEN):
            course.idle = same = 0
        else:
            course.idle = course.idle or time.perf_counter() - began
        told = _told(visitor, watcher, began)
        if name not in seen or seen[name].files != told.files:
            seen[name], same = told, 0
        elif course.idle:
            same += 1
        if same > len(members):
            break
    return seen


def _send(owner: Visitor, slug: str, packed: Path) -> None:
    """Send a file in pieces into an album, by tus."""
    told = {"filename": packed.name, "album": slug}
    metadata = ",".join(
        f"{name} {base64.b64encode(said.encode()).decode()}" for name, said in told.items()
    )
    size = packed.stat().st_size
    first = {"Upload-Length": str(size), "Upload-Metadata": metadata}
    headers, _ = owner.send("POST", "/api/v1/uploads", b"", {**_TUS, **first})
    address = re.sub("^https?://[^/]+", "", headers["Location"])
    with packed.open("rb") as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            at = {"Upload-Offset": str(file.tell() - len(piece))}
            owner.send("PATCH", address, piece, {**_TUS, **_STREAM, **at})


def _look_for_first(
    members: dict[str, Visitor], course: Course, began: float, done: threading.Event
) -> None:
    """Let one member after the other look, until somebody sees a photo of theirs."""
    for visitor in itertools.cycle(members.values()):
        if done.wait(PAUSE):
            return
        if visitor.json("/me/photos?mine_only=true&limit=1")["total"]:
            course.first = time.perf_counter() - began
            return


def _told(visitor: Visitor, watcher: Watcher, began: float) -> Told:
    """Return which photos a member is told to be theirs, and when that was told."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        part: dict[str, Any] = visitor.json(f"/me/photos?mine_only=true&limit=500&cursor={cursor}")
        found += [each["uuid"].replace("-", "") for each in part["photos"]]
        cursor = part["next"]
    when = time.perf_counter() - began
    marks = ",".join("?" * len(found))
    rows = watcher.rows(
        "select path from lookwho_location join lookwho_media on media_id = lookwho_media.id "
        f"where uuid in ({marks})",
        found,
    )
    return Told(when, frozenset(path.rpartition("/")[2] for (path,) in rows))
