"""XMP: parses packets from strangers, and finds properties however RDF wrote them.

RDF has several ways to say the same. A property is an attribute or an element; a structure has its
fields in itself (rdf:parseType="Resource"), in its own attributes, or in an rdf:Description inside
it; and a list is an rdf:Bag, Seq or Alt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from lookwho.core.parts import MAX_METADATA

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
# Elements and attributes; one takes up to 200 bytes of memory, for the 4 it may have in the file.
_MAX_NODES = 200_000
_LONGEST = 1_000  # letters of a value

_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_TIMES = (
    "{http://ns.adobe.com/exif/1.0/}DateTimeOriginal",
    "{http://ns.adobe.com/photoshop/1.0/}DateCreated",
    "{http://ns.adobe.com/xap/1.0/}CreateDate",
)


def parse(packet: bytes) -> Element | None:
    """Return the root of a packet, or None where it is damaged, hostile or too long.

    Entities and document types are refused: XMP has none, and a few lines of them can ask for
    gigabytes.
    """
    if packet[:2] not in (b"\xff\xfe", b"\xfe\xff"):  # in UTF-16 a zero is half a letter
        packet = packet.strip(b"\0 \t\r\n")
    if not packet or len(packet) > MAX_METADATA:
        return None
    if packet.count(b"<") + packet.count(b"=") > _MAX_NODES:
        return None
    try:
        return fromstring(packet, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):  # and unknown encodings
        return None


def orientation_in(packet: bytes) -> int | None:
    """Return the orientation that a packet states, as `core.jpeg` and Pillow look for it."""
    found = _ORIENTATION.search(packet)
    return int(found[1]) if found else None


def times_in(root: Element) -> list[str]:
    """Return when the photo was taken, as it is written, the best first."""
    descriptions = list(root.iter(_RDF + "Description"))
    found = (field(description, name) for name in _TIMES for description in descriptions)
    return [value for value in map(text, found) if value]


def field(node: Element | str | None, name: str) -> Element | str | None:
    """Return a field of a structure by its full name, or by any namespace's local name.

    Args:
        node: the structure.
        name: "{namespace}name", or "name".
    """
    if node is None or isinstance(node, str):
        return None
    for place in (node, *node.findall(_RDF + "Description")):
        for key, value in place.attrib.items():
            if _is_named(key, name):
                return value
        for child in place:
            if _is_named(child.tag, name):
                return child
    return None


def text(value: Element | str | None) -> str:
    """Return a value as text; of one in several languages, the first."""
    if value is None:
        return ""
    pieces = [value] if isinstance(value, str) else value.itertext()
    return next((stripped for piece in pieces if (stripped := piece.strip())), "")[:_LONGEST]


def items(value: Element | str | None) -> Iterator[Element]:
    """Yield the items of a list."""
    if value is None or isinstance(value, str):
        return
    for kind in ("Bag", "Seq", "Alt"):
        for container in value.findall(_RDF + kind):
            yield from container.findall(_RDF + "li")


def _is_named(key: str, name: str) -> bool:
    return key == name or (name[0] != "{" and key.rpartition("}")[2] == name)
