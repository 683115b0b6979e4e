"""The files that a release is read as: JSON Lines, CSV, Parquet and COCO.

All are made of the frozen lines, one after the other alike: the same release gives the same file.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lookwho.core.errors import FormatNotInstalled, Invalid
from lookwho.core.labelfiles import STRANGER
from lookwho.library.models import Label, Release
from lookwho.services import releases

Verdict = Label.Verdict
Rows = Sequence[Mapping[str, Any]]

# With these a program that reads tables would take a name for a formula, and run it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = (
    "id",
    "face",
    "photo",
    "payload",
    "file",
    "width",
    "height",
    "time",
    "x1",
    "y1",
    "x2",
    "y2",
    "state",
    "verdict",
    "person",
    "name",
    "adjudicated",
    "split",
    "annotator",
    "label_verdict",
    "label_person",
    "label_name",
    "label_x1",
    "label_y1",
    "label_x2",
    "label_y2",
    "label_seconds",
    "label_given_at",
)


class Kind(StrEnum):
    """How a release is written."""

    JSON_LINES = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    COCO = "json"


@dataclass(frozen=True, slots=True)
class File:
    """A file to be saved."""

    name: str
    content_type: str
    content: bytes


def file_of(release: Release, kind: str, *, split: str = "") -> File:
    """Return a release as a file.

    Args:
        release: which.
        kind: of Kind.
        split: only the people of this part; blank for everything.

    Raises:
        Invalid: there is no such kind, or no such part.
        FormatNotInstalled: Parquet without its extra.
        Conflict: the release is damaged.
    """
    if kind not in list(Kind):
        raise Invalid(f"a release is read as {', '.join(Kind)}, not as {kind[:20]!r}")
    if split and split not in releases.PARTS:
        raise Invalid(f"the parts are {', '.join(releases.PARTS)}, not {split[:20]!r}")
    part = f"-{split}" if split else ""
    name = f"labels-{str(release.project.uuid)[:8]}-v{release.version}{part}"
    if kind == Kind.JSON_LINES and not split:
        written = releases.content(release)  # the very bytes that the digest is of
    else:
        head, faces = releases.rows(release)
        chosen = [face for face in faces if not split or face["split"] == split]
        written = _WRITE[Kind(kind)](head, chosen)
    ending = "coco.json" if kind == Kind.COCO else kind
    return File(f"{name}.{ending}", _TYPES[Kind(kind)], written)


def _json_lines(head: Mapping[str, Any], faces: Rows) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in (head, *faces))
    return "".join(f"{line}\n" for line in lines).encode()


def _csv(head: Mapping[str, Any], faces: Rows) -> bytes:
    """One line for each label, and one for each face without any."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow(_COLUMNS)
    for face in faces:
        own = [face[name] for name in _COLUMNS[:8]] + list(face["box"])
        own += [face[name] for name in _COLUMNS[12:18]]
        for label in face["labels"] or [None]:
            said: list[Any] = [None] * (len(_COLUMNS) - len(own))
            if label:
                said = [label[name] for name in ("annotator", "verdict", "person", "name")]
                said += label["box"] or [None] * 4
                said += [label["seconds"], label["given_at"]]
            table.writerow([_cell(value) for value in (*own, *said)])
    return written.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return int(value) if isinstance(value, bool) else value


def _parquet(head: Mapping[str, Any], faces: Rows) -> bytes:
    """One row for each face, its labels as a list."""
    try:
        # Here, since it comes with an extra, and takes a while to load.
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise FormatNotInstalled(
            "Parquet needs an extra: pip install 'lookwho[parquet]'; CSV and JSON Lines do not"
        ) from error
    said = arrow.struct(
        [
            ("annotator", arrow.string()),
            ("verdict", arrow.string()),
            ("person", arrow.string()),
            ("name", arrow.string()),
            ("box", arrow.list_(arrow.float64())),
            ("seconds", arrow.float64()),
            ("given_at", arrow.string()),
        ]
    )
    schema = arrow.schema(
        [
            *((name, arrow.string()) for name in ("id", "face", "photo", "payload", "file")),
            ("width", arrow.int64()),
            ("height", arrow.int64()),
            ("time", arrow.float64()),
            ("box", arrow.list_(arrow.float64())),
            *((name, arrow.string()) for name in ("state", "verdict", "person", "name")),
            ("adjudicated", arrow.bool_()),
            ("split", arrow.string()),
            ("labels", arrow.list_(said)),
        ],
        metadata={"lookwho": json.dumps(head)},
    )
    sink = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(list(faces), schema=schema), sink)
    return sink.getvalue()


def _coco(head: Mapping[str, Any], faces: Rows) -> bytes:
    """Images, people as categories, and a box in pixels for each face that somebody is.

    Faces of nobody who has a name are of a category of their own, the last. What is no face, what
    nobody could tell, and what is not settled, is left out; photos without a size, too.
    """
    shown = [
        face
        for face in faces
        if face["width"]
        and face["height"]
        and (face["person"] or face["verdict"] == Verdict.STRANGER)
    ]
    people = sorted({(face["name"], face["person"]) for face in shown if face["person"]})
    number_of: dict[str | None, int] = {uuid: at for at, (_, uuid) in enumerate(people, 1)}
    categories: list[dict[str, Any]] = [
        {"id": number_of[uuid], "name": name, "supercategory": "person", "uuid": uuid}
        for name, uuid in people
    ]
    if any(not face["person"] for face in shown):
        number_of[None] = len(categories) + 1
        stranger = {"id": number_of[None], "name": STRANGER, "supercategory": "person"}
        categories.append(stranger)
    images: dict[str, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    for face in shown:
        width, height = face["width"], face["height"]
        image = images.setdefault(
            face["payload"],
            {
                "id": len(images) + 1,
                "file_name": face["file"] or f"{face['payload']}",
                "width": width,
                "height": height,
                "payload": face["payload"],
            },
        )
        x1, y1, x2, y2 = face["box"]
        box = [x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height]
        box = [round(edge, 3) for edge in box]
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": image["id"],
                "category_id": number_of[face["person"]],
                "bbox": box,
                "area": round(box[2] * box[3], 3),
                "iscrowd": 0,
                "segmentation": [],
                "face": face["face"],
                "split": face["split"],
                "adjudicated": face["adjudicated"],
                "labels": face["labels"],
            }
        )
    told = {
        "info": {**head, "description": head["title"], "version": str(head["version"])},
        "licenses": [],
        "images": list(images.values()),
        "categories": categories,
        "annotations": annotations,
    }
    return json.dumps(told, ensure_ascii=False).encode()


_WRITE: dict[Kind, Callable[[Mapping[str, Any], Rows], bytes]] = {
    Kind.JSON_LINES: _json_lines,
    Kind.CSV: _csv,
    Kind.PARQUET: _parquet,
    Kind.COCO: _coco,
}
_TYPES = {
    Kind.JSON_LINES: "application/x-ndjson",
    Kind.CSV: "text/csv; charset=utf-8",
    Kind.PARQUET: "application/vnd.apache.parquet",
    Kind.COCO: "application/json",
}
CONTENT_TYPES = tuple(_TYPES.values())
