"""Releases: what is frozen, how it is split, and the files that it is read as."""

import csv
import gzip
import io
import json
import sys
from collections import Counter
from uuid import UUID, uuid4

import pytest
from pyarrow import parquet

from lookwho.core.errors import Conflict, Forbidden, FormatNotInstalled, Invalid, NotFound
from lookwho.core.labelfiles import read
from lookwho.library.models import Face, Label, Location, Person, Release, Task
from lookwho.services import labelling, labels, people, releases
from lookwho.services.labelling import Choice
from lookwho.services.release_files import Kind, file_of
from lookwho.services.releases import part_of
from tests.gallery import make_collection
from tests.people import a_person, a_user, some_faces, some_media

pytestmark = pytest.mark.django_db

# What two annotators say of five faces, and what it comes to.
SAID = {
    0: ("Anna", "Anna"),
    1: ("Anna", "Ben"),  # decided for Ben
    2: ("stranger", "stranger"),
    3: ("not_a_face", "not_a_face"),
    4: ("Ben", "cannot_tell"),  # in dispute
}


@pytest.fixture
def owner():
    return a_user("owner")


@pytest.fixture
def project(owner):
    """Five faces that two labelled, and a gold one."""
    annotators = [a_user("annotator"), a_user("annotator")]
    media = some_media(5)
    collection = make_collection()
    for number, each in enumerate(media):
        Location.objects.create(collection=collection, media=each, path=f"party/{number}.jpg")
    faces = some_faces(5, media=media)
    a_person("Gold", 1)
    project = labelling.make_project(
        owner,
        "Party",
        Choice(unconfirmed=True),
        labels_each=2,
        gold=0.1,
        annotators=annotators,
    )
    place = {face.pk: number for number, face in enumerate(faces)}
    for at, who in enumerate(annotators):
        while label := labels.next_label(who, project):
            told = SAID.get(place.get(label.task.face_id), ("Anna", "Anna"))[at]
            verdict = told if told in Label.Verdict.values else "person"
            box = (0.25, 0.25, 0.5, 0.75) if told == "Anna" else None
            labels.answer(who, label, verdict, name=told, seconds=1.5, box=box)
    disputed = Task.objects.get(face=faces[1])
    labels.adjudicate(owner, disputed, "person", name="Ben")
    return project


def frozen(release):
    return {row["file"]: row for row in releases.rows(release)[1]}


def test_a_release_holds_what_was_said_and_what_it_came_to(owner, project):
    release = releases.freeze(owner, project)

    head, rows = releases.rows(release)
    faces = frozen(release)
    assert (head["version"], head["title"], head["faces"], len(rows)) == (1, "Party", 5, 5)
    told = [
        (row["verdict"], row["name"], row["state"], row["adjudicated"])
        for row in (faces[f"party/{number}.jpg"] for number in range(5))
    ]
    assert told == [
        ("person", "Anna", "settled", False),
        ("person", "Ben", "settled", True),
        ("stranger", None, "settled", False),
        ("not_a_face", None, "settled", False),
        ("", None, "disputed", False),
    ]
    assert [label["name"] for label in faces["party/1.jpg"]["labels"]] == ["Anna", "Ben"]
    assert faces["party/0.jpg"]["box"] == [0.25, 0.25, 0.5, 0.75]
    assert faces["party/1.jpg"]["box"] == [0.25, 0.25, 0.5, 0.75]
    assert faces["party/2.jpg"]["box"] == [0.25, 0.25, 0.5, 0.5]
    assert release.figures["labels"] == 10
    assert release.figures["alpha"] == head["alpha"]


def test_a_release_never_changes_whatever_is_said_merged_or_deleted(owner, project):
    release = releases.freeze(owner, project)
    before = releases.content(release)

    anna, ben = Person.objects.get(name="Anna"), Person.objects.get(name="Ben")
    people.merge(owner, anna, ben)
    labels.adjudicate(owner, Task.objects.get(state="disputed"), "person", name="Carla")
    Face.objects.all().delete()
    second = releases.freeze(owner, project)
    Person.objects.all().delete()
    Label.objects.all().delete()

    release.refresh_from_db()
    assert releases.content(release) == before
    assert second.version == 2
    assert {row["name"] for row in releases.rows(second)[1]} == {"Ben", "Carla", None}


def test_two_releases_of_the_same_labels_are_alike_but_for_number_and_time(owner, project):
    one, other = (releases.rows(releases.freeze(owner, project)) for _ in range(2))

    assert one[1] == other[1]
    differ = {key for key in one[0] if one[0][key] != other[0][key]}
    assert differ <= {"version", "frozen_at"}


def test_annotators_are_pseudonyms_unless_asked_for(owner, project):
    names = set(project.annotators.values_list("username", flat=True))

    def told(**more):
        rows = releases.rows(releases.freeze(owner, project, **more))[1]
        return {label["annotator"] for row in rows for label in row["labels"]}

    assert told(names_of_annotators=True) == names
    hidden = told()
    assert len(hidden) == 2
    assert hidden.isdisjoint(names)
    assert told() == hidden


def test_a_damaged_release_is_not_handed_out(owner, project):
    release = releases.freeze(owner, project)
    lines = releases.content(release)

    for content in (gzip.compress(lines + b"{}"), b"nonsense", bytes(release.content)[:-9]):
        Release.objects.filter(pk=release.pk).update(content=content)
        release.refresh_from_db()
        with pytest.raises(Conflict, match="damaged"):
            file_of(release, Kind.CSV)


@pytest.mark.parametrize("role", ("annotator", "member"))
def test_only_owners_and_curators_freeze(project, role):
    with pytest.raises(Forbidden):
        releases.freeze(a_user(role), project)


@pytest.mark.parametrize(
    "shares", ((0.5, 0.5), (0.5, 0.5, 0.5), (-1, 1, 1), (float("nan"), 0, 1), ())
)
def test_shares_that_are_no_parts_of_one_are_refused(owner, project, shares):
    with pytest.raises(Invalid, match="100 %"):
        releases.freeze(owner, project, shares=shares)


def test_of_nothing_there_is_no_release(owner):
    some_faces(1)
    project = labelling.make_project(owner, "P", Choice())

    with pytest.raises(Conflict, match="nothing is labelled"):
        releases.freeze(owner, project)
    with pytest.raises(NotFound):
        releases.release_of(project, 1)


# --- parts ---


def test_each_person_is_in_one_part_and_the_parts_are_as_large_as_was_said():
    project = UUID(int=7)
    parts = Counter(part_of(project, UUID(int=n)) for n in range(4000))

    assert parts["train"] == pytest.approx(3200, abs=100)
    assert parts["validation"] == pytest.approx(400, abs=70)
    assert parts["test"] == pytest.approx(400, abs=70)


def test_with_a_larger_training_part_nobody_leaves_it():
    people = [uuid4() for _ in range(300)]
    small, large = (0.5, 0.25, 0.25), (0.7, 0.2, 0.1)

    for person in people:
        if part_of(UUID(int=1), person, small) == "train":
            assert part_of(UUID(int=1), person, large) == "train"


def test_a_part_without_a_share_is_empty():
    parts = {part_of(UUID(int=1), UUID(int=n), (0.5, 0, 0.5)) for n in range(300)}

    assert parts == {"train", "test"}


def test_only_faces_of_people_are_in_a_part(owner, project):
    faces = frozen(releases.freeze(owner, project))

    assert {file for file, row in faces.items() if row["split"]} == {"party/0.jpg", "party/1.jpg"}


# --- files ---


def test_json_lines_are_what_the_digest_is_of(owner, project):
    import hashlib

    release = releases.freeze(owner, project)

    file = file_of(release, "jsonl")

    assert hashlib.sha256(file.content).digest() == bytes(release.digest)
    assert file.name.endswith("-v1.jsonl")
    assert len(file.content.splitlines()) == 6


def test_csv_has_a_line_for_each_label(owner, project):
    file = file_of(releases.freeze(owner, project), "csv")

    rows = list(csv.DictReader(io.StringIO(file.content.decode())))

    assert len(rows) == 10
    disputed = [row for row in rows if row["file"] == "party/4.jpg"]
    assert [(row["name"], row["label_name"]) for row in disputed] == [("", "Ben"), ("", "")]
    first = next(row for row in rows if row["label_name"] == "Anna")
    assert [float(first[f"label_{edge}"]) for edge in ("x1", "y1", "x2", "y2")] == [
        0.25,
        0.25,
        0.5,
        0.75,
    ]
    assert first["label_seconds"] == "1.5"


def test_no_name_is_run_as_a_formula(owner):
    some_faces(1)
    project = labelling.make_project(owner, "P", Choice())
    labels.answer(owner, labels.next_label(owner, project), "person", name="=1+1")

    file = file_of(releases.freeze(owner, project), "csv")

    [row] = csv.DictReader(io.StringIO(file.content.decode()))
    assert row["name"] == row["label_name"] == "'=1+1"


def test_parquet_holds_the_same_as_the_lines(owner, project):
    release = releases.freeze(owner, project)

    table = parquet.read_table(io.BytesIO(file_of(release, "parquet").content))

    assert table.to_pylist() == releases.rows(release)[1]
    assert json.loads(table.schema.metadata[b"lookwho"])["version"] == 1


def test_without_its_extra_parquet_is_refused_with_what_to_do(owner, project, monkeypatch):
    release = releases.freeze(owner, project)
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(FormatNotInstalled, match=r"lookwho\[parquet\]"):
        file_of(release, "parquet")


def test_coco_has_boxes_in_pixels_and_people_as_categories(owner, project):
    told = json.loads(file_of(releases.freeze(owner, project), "json").content)

    assert [each["name"] for each in told["categories"]] == ["Anna", "Ben", "stranger"]
    files = {image["id"]: image for image in told["images"]}
    names = {each["id"]: each["name"] for each in told["categories"]}
    found = {
        files[each["image_id"]]["file_name"]: (names[each["category_id"]], each["bbox"])
        for each in told["annotations"]
    }
    assert found == {
        "party/0.jpg": ("Anna", [300, 200, 300, 400]),
        "party/1.jpg": ("Ben", [300, 200, 300, 400]),
        "party/2.jpg": ("stranger", [300, 200, 300, 200]),
    }
    for each in told["annotations"]:
        assert each["area"] == each["bbox"][2] * each["bbox"][3]


def test_what_is_written_as_coco_is_read_back(owner, project):
    file = file_of(releases.freeze(owner, project), "json")

    found = read(file.content)

    assert sorted(each.name for each in found.named) == ["Anna", "Ben"]
    assert (found.nameless, found.problems) == (1, [])
    assert len(found.named[0].payload) == 64


@pytest.mark.parametrize("kind", list(Kind))
def test_a_part_holds_only_its_people(owner, project, kind):
    release = releases.freeze(owner, project, shares=(0, 0, 1))

    whole, test, train = (file_of(release, kind, split=part) for part in ("", "test", "train"))

    assert whole.content != test.content
    assert "-test" in test.name
    if kind == Kind.CSV:
        assert len(test.content.splitlines()) == 1 + 4
        assert len(train.content.splitlines()) == 1


@pytest.mark.parametrize(("kind", "split"), (("xlsx", ""), ("csv", "all"), ("", "")))
def test_a_kind_or_part_that_is_none_is_refused(owner, project, kind, split):
    with pytest.raises(Invalid):
        file_of(releases.freeze(owner, project), kind, split=split)
