"""Appearances as files: who is in a video and when, for tables, for players and for editors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lookwho.core import timecodes
from lookwho.core.timecodes import Cue, Rate
from lookwho.library.models import Media, Person, Video
from lookwho.library.queries import appearances, videos
from lookwho.library.queries.appearances import CastRow
from lookwho.library.scope import Scope


class Kind(StrEnum):
    """How appearances are written."""

    CSV = "csv"
    VTT = "vtt"  # WebVTT: names as subtitles
    EDL = "edl"  # CMX 3600: an edit decision list


CONTENT_TYPES = {
    Kind.CSV: "text/csv; charset=utf-8",
    Kind.VTT: "text/vtt; charset=utf-8",
    Kind.EDL: "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Export:
    """A file.

    Attributes:
        content: its bytes.
        content_type: what it is.
        name: what to call it.
    """

    content: bytes
    content_type: str
    name: str


def exported(
    scope: Scope,
    media: Media,
    kind: Kind | str,
    *,
    named: frozenset[int] = frozenset(),
    person: Person | None = None,
) -> Export:
    """Return when people are seen in a video, as a file. The caller has asked whether it is seen.

    Args:
        scope: what the asker may see.
        media: the video.
        kind: how it is written.
        named: root people who agreed that members see their names.
        person: only this root person.

    Raises:
        Invalid: there are more appearances than such a file holds.
    """
    kind = Kind(kind)
    rows = appearances.people_of(scope, media, named=named)
    cues = cues_of(rows, person)
    row = videos.row_of(scope, media, named=named)
    clip = row.title or f"{media.uuid}.{(media.format or 'video').lower()}"
    stem = os.path.splitext(clip)[0]
    rate = rate_of(row.video)
    if kind is Kind.CSV:
        text = timecodes.table(clip, cues, rate)
    elif kind is Kind.VTT:
        text = timecodes.webvtt(stem, cues)
    else:
        text = timecodes.edl(stem, clip, cues, rate)
    return Export(text.encode(), CONTENT_TYPES[kind], f"{stem}.{kind}")


def cues_of(rows: Sequence[CastRow], person: Person | None = None) -> list[Cue]:
    """Return when each of these people is seen; who has no name is numbered.

    Args:
        rows: the people of one video, in the order in which they are numbered.
        person: only this root person; None for all.
    """
    found: list[Cue] = []
    for number, row in enumerate(rows, 1):
        who = row.who
        if person is not None and (who is None or who.pk != person.pk):
            continue
        name = row.name or f"Person {number}"
        told = str(who.uuid) if who else ""
        found += [
            Cue(name, each.start, each.end, told, row.probability) for each in row.appearances
        ]
    return found


def rate_of(video: Video | None) -> Rate:
    """Return how many pictures a second a video has, as editors count them."""
    return Rate.of(video.frame_rate if video else 0.0)
