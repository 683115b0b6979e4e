"""Regions: the faces that other programs wrote into a photo, with their names.

Two forms are read. Many programs write both:

- MWG, of the Metadata Working Group (`mwg-rs:Regions`): centre, width and height. Picasa, digiKam,
  Lightroom, Apple.
- Microsoft (`MP:RegionInfo`): left, top, width and height. Windows Live Photo Gallery, digiKam.

**Which way up?** MWG regions are said of the stored pixels: "Region metadata is applied to the
stored image. When applying a rotation by applying Exif Orientation, the rotation must be applied
to the regions as well" (Guidelines for Handling Image Metadata 2.0, 2010, section 5.9). digiKam
(`TagRegion::adjustToOrientation`, for both forms) and Immich (`orientRegionInfo`) read them so.
But some programs write what they see. Where the picture lies on its side (orientations 5 to 8) the
standard tells them apart: AppliedToDimensions is the size that the writer had in mind, so regions
whose size has the proportions of the upright picture, and not of the stored one, are upright
already. For orientations 2 to 4 nothing tells, and the standard holds.

Microsoft's description says nothing about orientation (learn.microsoft.com, "People tagging
overview") and has no size. digiKam writes the same numbers in both forms, so these are taken as
stored too, unless the file itself shows otherwise: where both forms name the same people, they are
read the way that puts them in the same places.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lookwho.core.orientation import SIDEWAYS, Box, upright_box
from lookwho.core.xmp import field, items, parse, text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_REGIONS = 1_000
MAX_NAME = 200
SAME = 0.5  # overlap (intersection over union) above which two boxes are one face

_MWG = "{http://www.metadataworkinggroup.com/schemas/regions/}Regions"
_MICROSOFT = "{http://ns.microsoft.com/photo/1.2/}RegionInfo"
_NOBODY = "ffffffffffffffff"  # what Picasa writes for a face that has no name


@dataclass(frozen=True, slots=True)
class Region:
    """A face that some program or person saw.

    Attributes:
        name: who it is; "" where nobody said.
        box: x1, y1, x2, y2, from 0 to 1, of the upright image.
        source: "mwg" or "microsoft", the form it was written in.
    """

    name: str
    box: Box
    source: str


def read_regions(xmp: bytes, orientation: int, size: tuple[int, int]) -> list[Region]:
    """Return the faces in an XMP packet, each once; none where the packet is damaged.

    Args:
        xmp: the packet, from the photo or from a file beside it.
        orientation: of the photo, 1 to 8.
        size: width and height of the photo in pixels, as stored; 0, 0 where they are not known.
    """
    root = parse(xmp)
    return regions_in(root, orientation, size) if root is not None else []


def regions_in(root: Element, orientation: int, size: tuple[int, int]) -> list[Region]:
    """Return the faces in a packet that is parsed already; see `read_regions`."""
    regions: list[Region] = []
    for node in root.iter(_MWG):
        regions += _mwg(node, orientation, size)
    stored = [region for node in root.iter(_MICROSOFT) for region in _microsoft(node)]
    microsoft = _upright(stored, orientation, regions)
    named = {region.name for region in regions if region.name}
    # One program may have moved a face since the other wrote it down: the name tells.
    microsoft = [region for region in microsoft if region.name not in named]
    return merged(regions[:MAX_REGIONS], microsoft[:MAX_REGIONS])


def merged(regions: Iterable[Region], others: Iterable[Region]) -> list[Region]:
    """Return all of `regions`, and those of `others` that are not among them.

    One is among them where most of its box is, or some of its box under the same name. Where one
    of the two has no name, both have the other's; where the names differ, the first holds.
    """
    result = list(dict.fromkeys(regions))
    first = len(result)
    for other in dict.fromkeys(others):
        for index, region in enumerate(result[:first]):
            shared = overlap(region.box, other.box)
            if shared > SAME or (shared > 0 and region.name == other.name != ""):
                result[index] = replace(region, name=region.name or other.name)
                break
        else:
            if len(result) < MAX_REGIONS:
                result.append(other)
    return result


def overlap(one: Box, other: Box) -> float:
    """Return the area that two boxes share, of the area that they cover together."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (one, other))
    return width * height / (areas - width * height)


# --- MWG ---


def _mwg(node: Element, orientation: int, size: tuple[int, int]) -> Iterator[Region]:
    dimensions = field(node, "AppliedToDimensions")
    applied = (_number(field(dimensions, "w")), _number(field(dimensions, "h")))
    if orientation in SIDEWAYS and _are_upright(applied, size):
        orientation = 1
    for item in items(field(node, "RegionList")):
        if text(field(item, "Type")).lower() not in ("", "face"):
            continue
        area = field(item, "Area")
        x, y, width, height = (_number(field(area, name)) for name in ("x", "y", "w", "h"))
        if text(field(area, "unit")).lower().startswith("pixel"):
            across, down = applied if all(side > 0 for side in applied) else size
            x, width = x / (across or math.nan), width / (across or math.nan)
            y, height = y / (down or math.nan), height / (down or math.nan)
        box = _clipped(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        if box is not None:
            yield Region(_name(field(item, "Name")), upright_box(box, orientation), "mwg")


def _are_upright(applied: tuple[float, float], size: tuple[int, int]) -> bool:
    """Tell whether a size has rather the proportions of the upright picture than of the stored."""
    if not (applied[0] > 0 and applied[1] > 0 and size[0] > 0 and size[1] > 0):
        return False
    shape, stored = math.log(applied[0] / applied[1]), math.log(size[0] / size[1])
    return abs(shape + stored) < abs(shape - stored)


# --- Microsoft ---


def _microsoft(node: Element) -> Iterator[Region]:
    """Yield regions as they are written."""
    for item in items(field(node, "Regions")):
        numbers = [_number(part) for part in text(field(item, "Rectangle")).split(",")]
        if len(numbers) == 4:
            x, y, width, height = numbers
            box = _clipped(x, y, x + width, y + height)
            if box is not None:
                yield Region(_name(field(item, "PersonDisplayName")), box, "microsoft")


def _upright(stored: list[Region], orientation: int, mwg: list[Region]) -> list[Region]:
    """Turn Microsoft's regions upright, unless the other form shows that they are."""
    turned = [replace(region, box=upright_box(region.box, orientation)) for region in stored]
    places = {region.name: region.box for region in mwg if region.name}

    def fit(regions: list[Region]) -> float:
        return sum(overlap(region.box, places.get(region.name, region.box)) for region in regions)

    return stored if fit(stored) > fit(turned) else turned


# --- both ---


def _name(value: Element | str | None) -> str:
    name = unicodedata.normalize("NFC", text(value))[:MAX_NAME].strip()
    return "" if name == _NOBODY else name


def _number(value: Element | str | None) -> float:
    """Return a number, or not-a-number, which no box survives."""
    try:
        return float(text(value)[:40])
    except ValueError:
        return math.nan


def _clipped(x1: float, y1: float, x2: float, y2: float) -> Box | None:
    """Return the box inside the picture, or None where nothing or everything of it is.

    A box of the whole picture is no face: some telephones write one for every photo (digiKam's
    bug 437708).
    """
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return None
    x1, y1, x2, y2 = (min(max(value, 0.0), 1.0) for value in (x1, y1, x2, y2))
    if x1 >= x2 or y1 >= y2 or (x1, y1, x2, y2) == (0.0, 0.0, 1.0, 1.0):
        return None
    return x1, y1, x2, y2
