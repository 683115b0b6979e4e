"""Regions: the names that files carry, kept until somebody says whether they are to be used."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from django.db.models import Count

from lookwho.core import regions
from lookwho.core.orientation import Box
from lookwho.library.models import Location, Region, Suppression
from lookwho.services.placed import fit

if TYPE_CHECKING:
    from lookwho.services.register import Place

_BOX = ("x1", "y1", "x2", "y2")
# Programs write four digits or more; what differs by less is the same box.
_DIGITS = 6


def take(places: Sequence[Place], turned: Collection[int]) -> None:
    """Keep the names that these files carry, each as one that is offered, unless it is known.

    A name that the medium has already is not new, wherever in the photo it is; while it is only
    offered, its box follows the file. One that was taken out of the file is no longer offered.

    Args:
        places: the files that were read.
        turned: the ids of media whose boxes were carried to a new orientation just now. They are
            right already, whatever the program that turned the photo did to the regions in it.
    """
    telling = [
        place
        for place in places
        if place.changed or any(_named(region) for region in place.said.regions)
    ]
    if not telling:
        return
    known: dict[int, list[Region]] = {}
    for region in Region.objects.filter(media__in={place.media.pk for place in telling}):
        known.setdefault(region.media_id, []).append(region)
    erased = _erased(telling)
    moved: list[Region] = []
    stale: list[Region] = []
    for place in telling:
        theirs = known.setdefault(place.media.pk, [])
        left = list(theirs)
        for said in place.said.regions:
            if not (name := _named(said)):
                continue
            if any(fit(said.box, gone) for gone in erased.get(bytes(place.media.payload_hash), ())):
                continue  # whoever was there was erased, and is not to be named again
            alike = [region for region in left if region.name == name]
            if alike:
                same = max(alike, key=lambda region: regions.overlap(_box(region), said.box))
                left.remove(same)
                if (
                    same.pk
                    and same.state == Region.State.OFFERED
                    and place.media.pk not in turned
                    and _place(same, said.box)
                ):
                    moved.append(same)
            else:
                theirs.append(_offered(place.media.pk, name, said))
        if place.changed:
            stale += [region for region in left if region.pk and _is_open(region)]
    Region.objects.bulk_update(moved, _BOX)
    fresh = [region for theirs in known.values() for region in theirs if not region.pk]
    Region.objects.bulk_create(fresh, ignore_conflicts=True)
    _withdraw(stale)


def _withdraw(stale: Sequence[Region]) -> None:
    """Offer no longer what the only file of a medium says no longer."""
    if not stale:
        return
    lie = Location.objects.filter(media__in={region.media_id for region in stale})
    lie = lie.filter(missing_since=None).values_list("media").annotate(places=Count("pk"))
    alone = {media for media, places in lie if places == 1}
    gone = [region.pk for region in stale if region.media_id in alone]
    Region.objects.filter(pk__in=gone, state=Region.State.OFFERED).delete()


def _erased(places: Sequence[Place]) -> dict[bytes, list[Box]]:
    """Return the boxes of each payload at which somebody was erased."""
    payloads = {bytes(place.media.payload_hash) for place in places}
    found: dict[bytes, list[Box]] = {}
    for row in Suppression.objects.filter(payload_hash__in=payloads, erased=True, time=None):
        box = row.x1, row.y1, row.x2, row.y2
        found.setdefault(bytes(row.payload_hash), []).append(box)
    return found


def _offered(media: int, name: str, said: regions.Region) -> Region:
    region = Region(media_id=media, name=name, source=said.source)
    _place(region, said.box)
    return region


def _place(region: Region, box: Box) -> bool:
    """Put a region at a box; return whether it was elsewhere."""
    before = _box(region)
    region.x1, region.y1, region.x2, region.y2 = (round(side, _DIGITS) for side in box)
    return before != _box(region)


def _box(region: Region) -> Box:
    return region.x1, region.y1, region.x2, region.y2


def _is_open(region: Region) -> bool:
    return region.state == Region.State.OFFERED


def _named(region: regions.Region) -> str:
    """Return the name as a person may have it: without line breaks and what cannot be seen."""
    spaced = " ".join(region.name.split())
    return "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cs"))[:200].strip()
