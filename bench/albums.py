"""Albums composed of labelled photos: do members find themselves, and are strangers left alone?

A draw makes an event: up to sixty members with two selfies each, whose other photos are in the
album, among those of everybody else. Each member looks for themselves as on My photos: by the mean
of the selfies, among so many people as grouping sees in the album. Beside it what the two older
sites do: any selfie within 0.49 of a face, by dlib's own descriptors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench import tables
from bench.people import BoolArray, People
from lookwho.core.group import ALONE, group
from lookwho.core.match import SAME, Query, reach, score_nearest
from lookwho.core.types import FloatArray, IntArray

DRAWS, FEW_DRAWS = 20, 4
MEMBERS = 60
SELFIES = 2
# The distance of the two older sites, in dlib's Euclidean one.
OLD_LIMIT = 0.49


@dataclass(frozen=True, slots=True)
class Event:
    """An album, by the places of faces in `People`.

    Attributes:
        selfies: (members, SELFIES).
        album: (n,).
        truth: (n,) which of the members each face is, -1 for a stranger.
    """

    selfies: IntArray
    album: IntArray
    truth: IntArray


@dataclass(frozen=True, slots=True)
class Offered:
    """What members were offered as surely theirs.

    Attributes:
        found: the share of the members' appearances that they were offered.
        others: the share of the members' appearances that another member was offered.
        strangers: the share of the strangers' faces that anybody was offered.
    """

    found: float
    others: float
    strangers: float


# From selfies and an album to (members, n): who is offered what.
Way = Callable[[People, Event], BoolArray]


def draw(faces: People, seed: int) -> Event:
    """Draw members with two selfies, and put all other photos of everybody into one album."""
    generator = np.random.default_rng(seed)
    people, counts = np.unique(faces.owners, return_counts=True)
    able = generator.permutation(people[counts > SELFIES])
    members = able[: min(MEMBERS, len(able) // 2)]
    own = [generator.permutation(np.flatnonzero(faces.owners == each)) for each in members]
    selfies = np.array([each[:SELFIES] for each in own])
    album = np.setdiff1d(np.arange(len(faces.owners)), selfies)
    places = np.full(int(people.max()) + 1, -1)
    places[members] = np.arange(len(members))
    return Event(selfies, album, places[faces.owners[album]])


def as_my_photos(faces: People, event: Event) -> BoolArray:
    """Offer what My photos offers as sure."""
    album = faces.embeddings[event.album].astype(np.float64)
    labels = group(faces.embeddings[event.album], quality=faces.quality[event.album])
    people = len(np.unique(labels[labels != ALONE])) + int((labels == ALONE).sum())
    offered = np.zeros((len(event.selfies), len(album)), bool)
    for member, selfies in enumerate(event.selfies):
        query = Query.of(faces.embeddings[selfies])
        distances = np.maximum(1 - album @ query.vector.astype(np.float64), 0)
        near = np.flatnonzero(distances <= reach(query.references))
        scores = score_nearest(distances[near], len(album), query.references, people)
        offered[member, near[scores.probabilities >= SAME]] = True
    return offered


def by_any_selfie(faces: People, event: Event) -> BoolArray:
    """Offer what is within `OLD_LIMIT` of any selfie."""
    album = faces.encodings[event.album]
    return np.array([_near(faces.encodings[selfies], album) for selfies in event.selfies])


def _near(selfies: FloatArray, album: FloatArray) -> BoolArray:
    apart = np.linalg.norm(album[:, None] - selfies[None], axis=2)
    return apart.min(axis=1) < OLD_LIMIT


def outcome(event: Event, offered: BoolArray) -> Offered:
    """Count what was offered to whom."""
    theirs = event.truth[None] == np.arange(len(event.selfies))[:, None]
    stranger = event.truth < 0
    appearances = max(int((~stranger).sum()), 1)
    return Offered(
        found=(offered & theirs).sum() / appearances,
        others=((offered & ~theirs).any(axis=0) & ~stranger).sum() / appearances,
        strangers=(offered.any(axis=0) & stranger).sum() / max(int(stranger.sum()), 1),
    )


def report(faces: People, *, quick: bool = False) -> Iterator[str]:
    """Yield the lines of a table, of people whom no calibration looked at."""
    part = faces.part(faces.held_out)
    events = [draw(part, seed) for seed in range(FEW_DRAWS if quick else DRAWS)]
    first = events[0]
    yield (
        f"{len(events)} events of {len(first.selfies)} members with {SELFIES} selfies each: "
        f"{len(first.album)} faces, {int((first.truth < 0).sum())} of them strangers', in the "
        "first. Mean, and from the least to the most."
    )
    yield ""
    rows = [
        [name, *_row([outcome(event, way(part, event)) for event in events])]
        for name, way in (
            ("My photos", as_my_photos),
            (f"any selfie within {OLD_LIMIT}", by_any_selfie),
        )
    ]
    heads = ["offered as sure", "of members' appearances", "to another member", "of strangers"]
    yield from tables.markdown(heads, rows)


def _row(found: Sequence[Offered]) -> list[str]:
    columns = zip(*((each.found, each.others, each.strangers) for each in found), strict=True)
    return [
        f"{100 * np.mean(column):.1f} % ({100 * min(column):.1f}-{100 * max(column):.1f})"
        for column in columns
    ]
