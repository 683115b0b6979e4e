"""Label files of others: boxes with names, as COCO's JSON and CVAT for images 1.1 write them.

What comes in was made by anybody: sizes are limited, XML may hold neither entities nor document
types, and every number is looked at. A mistake in one label is told and the rest is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from lookwho.core.errors import Invalid

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_BYTES = 64 * 2**20
MOST_BOXES = 200_000
MOST_IMAGES = 500_000
# So many mistakes are told one by one, the rest by their number.
MOST_PROBLEMS = 200
LONGEST_NAME = 200

# Where the name of whoever has the face may stand, the best first.
_NAME = ("name", "person", "identity", "subject")
# Classes that say what is in the box and not who: then nobody is named.
_NOBODY = frozenset({"", "face", "faces", "head", "person", "people", "human", "human face"})
# How COCO files of Lookwho call a face of nobody who has a name.
STRANGER = "stranger"

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Named:
    """One box of a file.

    Attributes:
        where: which one it is, for people.
        file: of the image, as the label file has it.
        size: width and height of the image in pixels; 0, 0 where the file does not say.
        box: x1, y1, x2, y2 in pixels.
        name: of the person; never blank.
        payload: the payload hash of the image in hexadecimal, in files that Lookwho wrote.
    """

    where: str
    file: str
    size: tuple[int, int]
    box: Box
    name: str
    payload: str = ""


@dataclass(slots=True)
class Labels:
    """What a label file holds.

    Attributes:
        kind: what it is, for people.
        named: boxes with a name.
        nameless: how many boxes say that there is a face, and not whose.
        problems: what cannot be used, and why.
        more: how many problems there are beyond those.
    """

    kind: str
    named: list[Named] = field(default_factory=list)
    nameless: int = 0
    problems: list[str] = field(default_factory=list)
    more: int = 0

    def complain(self, problem: str) -> None:
        """Write a problem down."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.more += 1

    def add(self, named: Named) -> None:
        """Take a box, or say what is wrong with it."""
        wrong = _wrong(named)
        if wrong:
            self.complain(f"{named.where}: {wrong}")
        elif named.name.casefold() in _NOBODY or named.name.casefold() == STRANGER:
            self.nameless += 1
        elif len(self.named) >= MOST_BOXES:
            raise Invalid(f"this file has more than {MOST_BOXES:,} boxes: split it")
        else:
            self.named.append(named)


def read(data: bytes) -> Labels:
    """Return what a label file holds.

    Raises:
        Invalid: it is no such file, damaged, hostile or too large.
    """
    if len(data) > MOST_BYTES:
        raise Invalid(f"this file has {len(data) / 2**20:.0f} MB, and at most 64 can be read")
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:4]
    if start[:1] == b"<":
        return _cvat(data)
    if start[:1] in (b"{", b"["):
        return _coco(data)
    if start[:2] == b"PK":
        raise Invalid("this is an archive: unpack it, and bring the .xml or .json file in it")
    raise Invalid("this is neither COCO (JSON) nor CVAT for images 1.1 (XML)")


# --- COCO ---


def _coco(data: bytes) -> Labels:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        reason = error.args[0] if isinstance(error, ValueError) and error.args else "nested"
        raise Invalid(f"this JSON cannot be read: {str(reason)[:200]}") from error
    if not isinstance(told, dict) or "annotations" not in told or "images" not in told:
        raise Invalid("this JSON is not COCO: it has no images and annotations")
    top = cast(dict[str, Any], told)
    found = Labels("COCO")
    images = _by_id(top, "images", found)
    categories = _by_id(top, "categories", found) if "categories" in top else {}
    for number, row in enumerate(_rows(top, "annotations"), 1):
        where = f"annotation {_short(row.get('id', number))}" if isinstance(row, dict) else ""
        if not where:
            found.complain(f"annotation {number}: it is no object")
            continue
        image = images.get(_key(row.get("image_id")))
        if image is None:
            found.complain(f"{where}: there is no image {_short(row.get('image_id'))}")
            continue
        file = image.get("file_name")
        if not isinstance(file, str) or not file:
            found.complain(f"{where}: its image has no file_name")
            continue
        box = _numbers(row.get("bbox"))
        if box is None:
            found.complain(f"{where} in {_short(file)}: its bbox is not four numbers")
            continue
        x, y, width, height = box
        category = categories.get(_key(row.get("category_id")), {})
        payload = image.get("payload", "")
        found.add(
            Named(
                where=f"{where} in {_short(file)}",
                file=_clean(file),
                size=(_side(image.get("width")), _side(image.get("height"))),
                box=(x, y, x + width, y + height),
                name=_coco_name(row, category),
                payload=payload if isinstance(payload, str) else "",
            )
        )
    return found


def _coco_name(row: Mapping[str, Any], category: Mapping[str, Any]) -> str:
    attributes = row.get("attributes")
    told = cast(dict[str, Any], attributes) if isinstance(attributes, dict) else {}
    return _name(told.items(), category.get("name", ""))


def _rows(top: Mapping[str, Any], what: str) -> list[Any]:
    rows = top[what]
    if not isinstance(rows, list):
        raise Invalid(f"this JSON is not COCO: its {what} are no list")
    rows = cast(list[Any], rows)
    if len(rows) > MOST_IMAGES:
        raise Invalid(f"this file has more than {MOST_IMAGES:,} {what}: split it")
    return rows


def _by_id(top: Mapping[str, Any], what: str, found: Labels) -> dict[Any, dict[str, Any]]:
    rows: dict[Any, dict[str, Any]] = {}
    for number, row in enumerate(_rows(top, what), 1):
        if not isinstance(row, dict) or "id" not in row:
            found.complain(f"{what} {number}: it has no id")
            continue
        row = cast(dict[str, Any], row)
        key = _key(row["id"])
        if key in rows:
            found.complain(f"{what} {number}: there are two with the id {_short(row['id'])}")
        rows.setdefault(key, row)
    return rows


def _key(value: Any) -> Any:
    # What else JSON has, lists and objects, is no id; and True is not 1.
    return (type(value), value) if isinstance(value, (int, str)) else None


# --- CVAT ---


def _cvat(data: bytes) -> Labels:
    found = Labels("CVAT for images")
    images = 0
    try:
        top: Element | None = None
        for event, node in iterparse(BytesIO(data), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                if top is None:
                    top = node
                    if node.tag != "annotations":
                        raise Invalid(
                            f"this XML is not CVAT's: it begins with <{_short(node.tag)}>"
                        )
                elif node.tag == "track":
                    raise Invalid("this is CVAT for video: export it as CVAT for images 1.1")
            elif node.tag == "image":
                images += 1
                if images > MOST_IMAGES:
                    raise Invalid(f"this file has more than {MOST_IMAGES:,} images: split it")
                _cvat_image(node, found)
                node.clear()
                if top is not None and top is not node:
                    top.clear()
    except DefusedXmlException as error:
        raise Invalid("this XML has entities or a document type: CVAT writes neither") from error
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        raise Invalid(f"this XML cannot be read: {str(error)[:200]}") from error
    return found


def _cvat_image(image: Element, found: Labels) -> None:
    file = image.get("name", "")
    if not file:
        found.complain(f"image {_short(image.get('id', ''))}: it has no name")
        return
    size = _side(image.get("width")), _side(image.get("height"))
    for number, shape in enumerate(image, 1):
        if shape.tag == "tag":
            continue
        where = f"{_short(shape.tag)} {number} in {_short(file)}"
        if shape.tag != "box":
            found.complain(f"{where}: only boxes are read")
            continue
        edges = _numbers([shape.get(name) for name in ("xtl", "ytl", "xbr", "ybr")])
        if edges is None:
            found.complain(f"{where}: its corners are not four numbers")
            continue
        told = ((each.get("name"), each.text) for each in shape.iter("attribute"))
        name = _name(told, shape.get("label", ""))
        found.add(Named(where=where, file=file, size=size, box=edges, name=name))


# --- both ---


def _name(attributes: Iterable[tuple[Any, Any]], label: Any) -> str:
    """Return whom a box shows: what an attribute says, or else its class."""
    told = {
        key.strip().casefold(): value.strip()
        for key, value in attributes
        if isinstance(key, str) and isinstance(value, str)
    }
    for key in _NAME:
        if told.get(key):
            return told[key]
    return label.strip() if isinstance(label, str) else ""


def _wrong(named: Named) -> str:
    """Return what is wrong with a box, or nothing."""
    x1, y1, x2, y2 = named.box
    width, height = named.size
    if not (x1 < x2 and y1 < y2):
        return "its box has no inside"
    # Tools round, and some let a box reach over the edge by a little.
    beyond = width and height and not (x1 < width and y1 < height and x2 > 0 and y2 > 0)
    if beyond:
        return "its box is not in the image"
    if len(named.name) > LONGEST_NAME:
        return f"its name has {len(named.name)} characters, and at most {LONGEST_NAME} fit"
    return ""


def _numbers(values: Any) -> Box | None:
    if not isinstance(values, list) or len(cast(list[Any], values)) != 4:
        return None
    found: list[float] = []
    for value in cast(list[Any], values):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return None
        if isinstance(value, bool) or not math.isfinite(number) or abs(number) > 1e7:
            return None
        found.append(number)
    x1, y1, x2, y2 = found
    return x1, y1, x2, y2


def _side(value: Any) -> int:
    try:
        side = int(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0
    return side if 0 < side < 10_000_000 else 0


def _clean(text: str) -> str:
    """Return a text that can be shown and stored: JSON may hold halves of letters."""
    return text.encode(errors="replace").decode()


def _short(value: Any) -> str:
    text = _clean(str(value))
    return text if len(text) <= 80 else f"{text[:79]}…"
